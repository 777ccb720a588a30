//! The largest value of each channel over all places, kept while rows are consumed as they come.
//! int8 and f32 alike: input and output have one scale.

use bytemuck::Pod;

use super::copy;
use crate::simd;
use crate::window::Call;

/// Consumes rows `[column][channel]`; with the last one, makes the output `[channel]`. Scratch: one
/// element per channel, kept from step to step.
///
/// ```
/// use microception::layers::global_max_pool;
/// use microception::window::Call;
/// // two pixels of two channels
/// let (mut output, mut largest) = ([0u8; 2], [0u8; 2]);
/// global_max_pool::int8(Call::on_lines(&[1, 9, 5, 3], 1, 0, &mut output, &mut largest, 1));
/// assert_eq!(output, [5, 9]);
/// ```
pub fn int8(call: Call<'_>) {
    pool(call, simd::maximum);
}

/// As [`int8`], in f32.
pub fn f32(call: Call<'_>) {
    pool(call, simd::maximum_f32);
}

/// As [`int8`], in int16.
pub fn int16(call: Call<'_>) {
    pool(call, simd::maximum_i16);
}

#[inline]
fn pool<T: Pod>(call: Call<'_>, maximum: impl Fn(&[T], &mut [T])) {
    let row = call.row;
    let (window, output, largest) = call.unary::<T, T>();
    let largest: &mut [T] = bytemuck::try_cast_slice_mut(largest).unwrap_or(&mut []);
    if row == 0 {
        copy(largest, window.line(0).unwrap_or(&[]));
    }
    window.iter().for_each(|line| maximum(line, largest));
    copy(output, largest);
}
