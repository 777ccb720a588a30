//! The largest value of each channel in a window. int8 and f32 alike: input and output have one scale.
//!
//! The course says of padding "same" that zeros are filled in. Keras and TensorFlow Lite fill in nothing: padded places do
//! not take part, and neither do they here. Where all values of a window are negative that is another result: see
//! [`f32`](f32()).

use super::Geometry;
use crate::simd;
use crate::window::Call;

/// A pool's window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxPool {
    /// Pool size as the kernel, and widths.
    pub geometry: Geometry,
}

/// Makes rows `[column][channel]`. Scratch: none.
///
/// A call with a second input goes on with the row that the output holds, which an earlier call began
/// with the lines above: rows can be taken one at a time, as they come.
///
/// The course's example, with pool size 2 and its default stride, the same: 7 is the largest of [[4, 7], [4, 2]].
///
/// ```
/// use microception::layers::{Geometry, max_pool};
/// use microception::window::Call;
/// let matrix: [[i8; 4]; 4] = [
///     [4, 7, 4, 4],
///     [4, 2, 3, 5],
///     [5, 5, 4, 4],
///     [7, 7, 5, 5],
/// ];
/// let geometry = Geometry { width: 4, channels: 1, output_width: 2, kernel: [2, 2], stride: [2, 2], dilation: [1, 1], left: 0 };
/// let mut output = [[0i8; 2]; 2];
/// let lines = bytemuck::cast_slice(&matrix);
/// let call = Call::on_lines(lines, 4, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 2);
/// max_pool::int8(&max_pool::MaxPool { geometry }, call);
/// assert_eq!(output, [
///     [7, 5],
///     [7, 5],
/// ]);
/// ```
pub fn int8(layer: &MaxPool, call: Call<'_>) {
    pool(layer, call, |output| simd::set(i8::MIN, output), simd::maximum);
}

/// As [`int8`], in f32.
///
/// What `keras.layers.MaxPooling2D(3, strides=2, padding="same")` makes of negative numbers, which zeros around them would
/// turn into zeros:
///
/// ```
/// use microception::layers::{Geometry, max_pool};
/// use microception::window::Call;
/// let matrix: [[f32; 3]; 3] = [
///     [-4.0, -5.0, -4.0],
///     [-4.0, -2.0, -3.0],
///     [-5.0, -6.0, -7.0],
/// ];
/// let geometry = Geometry { width: 3, channels: 1, output_width: 2, kernel: [3, 3], stride: [2, 2], dilation: [1, 1], left: 1 };
/// let mut output = [[0.0f32; 2]; 2];
/// let lines = bytemuck::cast_slice(&matrix);
/// let call = Call::on_lines(lines, 3, -1, bytemuck::cast_slice_mut(&mut output), &mut [], 2);
/// max_pool::f32(&max_pool::MaxPool { geometry }, call);
/// assert_eq!(output, [
///     [-2.0, -2.0],
///     [-2.0, -2.0],
/// ]);
/// ```
pub fn f32(layer: &MaxPool, call: Call<'_>) {
    pool(layer, call, |output| output.fill(f32::NEG_INFINITY), simd::maximum_f32);
}

/// As [`int8`], in int16.
pub fn int16(layer: &MaxPool, call: Call<'_>) {
    pool(layer, call, |output| output.fill(i16::MIN), simd::maximum_i16);
}

#[inline]
fn pool<T: bytemuck::Pod>(layer: &MaxPool, call: Call<'_>, begin: impl Fn(&mut [T]), maximum: impl Fn(&[T], &mut [T])) {
    let geometry = &layer.geometry;
    let rows = call.rows;
    let (window, begun, output) = call.binary::<T, T>();
    if begun.lines() == 0 {
        begin(output);
    }
    let channels = usize::from(geometry.channels);
    let outputs = output.chunks_exact_mut(usize::from(geometry.output_width).wrapping_mul(channels).max(1));
    for (row, output) in (0..rows).zip(outputs) {
        for tap in 0..usize::from(geometry.kernel[0]) {
            let Some(line) = geometry.line(&window, row, tap) else { continue };
            for (column, output) in output.chunks_exact_mut(channels.max(1)).enumerate() {
                geometry.each_run(line, column, |pixels| maximum(pixels, output));
            }
        }
    }
}
