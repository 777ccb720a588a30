//! The largest value of each channel in a window. Padded places do not take part (the course's
//! slides fill them with zeros; Keras and TensorFlow Lite ignore them, and so do we). int8 and
//! f32 alike: input and output have one scale.

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
/// The course's example:
///
/// ```
/// use microception::layers::{Geometry, max_pool};
/// use microception::window::Call;
/// let geometry = Geometry { width: 2, channels: 1, output_width: 1, kernel: [2, 2], stride: [2, 2], dilation: [1, 1], left: 0 };
/// let mut output = [0u8];
/// let lines: [u8; 8] = [4, 7, 0, 0, 4, 2, 0, 0];
/// let layer = max_pool::MaxPool { geometry: Geometry { width: 4, ..geometry } };
/// max_pool::int8(&layer, Call::on_lines(&lines, 2, 0, &mut output, &mut [], 1));
/// assert_eq!(output, [7]);
/// ```
pub fn int8(layer: &MaxPool, call: Call<'_>) {
    pool(layer, call, i8::MIN, simd::maximum);
}

/// As [`int8`], in f32.
pub fn f32(layer: &MaxPool, call: Call<'_>) {
    pool(layer, call, f32::NEG_INFINITY, simd::maximum_f32);
}

#[inline]
fn pool<T: bytemuck::Pod>(layer: &MaxPool, call: Call<'_>, least: T, maximum: impl Fn(&[T], &mut [T])) {
    let geometry = &layer.geometry;
    let rows = call.rows;
    let (window, begun, output) = call.binary::<T, T>();
    if begun.lines() == 0 {
        output.fill(least);
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
