//! Places and channels of one value around a tensor. int8 and f32 alike: input and output have one
//! scale, and what is added is a stored value (of PAD the zero point).

use bytemuck::Pod;

use super::copy_long;
use crate::window::Call;

/// What is added to a row. Rows above and below are rows without a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pad<T> {
    /// Pixels of an input row.
    pub width: u16,
    /// Elements of an input pixel.
    pub channels: u32,
    /// Pixels added to the left and to the right.
    pub columns: [u16; 2],
    /// Elements added before and after each pixel's own.
    pub around: [u32; 2],
    /// What is added.
    pub value: T,
}

/// Makes rows `[column][channel]`. Scratch: none.
///
/// The course's example, zeros around its matrix:
///
/// ```
/// use microception::layers::pad;
/// use microception::window::Call;
/// let matrix: [[i8; 4]; 4] = [
///     [4, 5, 4, 4],
///     [4, 2, 3, 5],
///     [5, 5, 4, 4],
///     [7, 7, 5, 5],
/// ];
/// let layer = pad::Pad { width: 4, channels: 1, columns: [1, 1], around: [0, 0], value: 0i8 };
/// let mut output = [[0i8; 6]; 6];
/// let lines = bytemuck::cast_slice(&matrix);
/// pad::pad(&layer, Call::on_lines(lines, 4, -1, bytemuck::cast_slice_mut(&mut output), &mut [], 6));
/// assert_eq!(output, [
///     [0, 0, 0, 0, 0, 0],
///     [0, 4, 5, 4, 4, 0],
///     [0, 4, 2, 3, 5, 0],
///     [0, 5, 5, 4, 4, 0],
///     [0, 7, 7, 5, 5, 0],
///     [0, 0, 0, 0, 0, 0],
/// ]);
/// ```
///
/// In an int8 tensor the value that stands for zero is its zero point. Rows above and below, columns on one side:
///
/// ```
/// use microception::layers::pad;
/// use microception::window::Call;
/// // two pixels of one channel; a row above, a pixel to the left
/// let layer = pad::Pad { width: 2, channels: 1, columns: [1, 0], around: [0, 0], value: 9u8 };
/// let mut output = [0; 6];
/// pad::pad(&layer, Call::on_lines(&[1, 2], 1, -1, &mut output, &mut [], 2));
/// assert_eq!(output, [9, 9, 9, 9, 1, 2]);
/// ```
pub fn pad<T: Pod>(layer: &Pad<T>, call: Call<'_>) {
    let rows = call.rows;
    let (window, output, _) = call.unary::<T, T>();
    output.fill(layer.value);
    let (width, channels) = (usize::from(layer.width), layer.channels as usize);
    let [left, right] = layer.columns.map(usize::from);
    let [before, after] = layer.around.map(|elements| elements as usize);
    let pixel_elements = before.wrapping_add(channels).wrapping_add(after);
    let mut pixels = output.chunks_exact_mut(pixel_elements.max(1));
    for row in 0..rows {
        let line = window.tap(row).unwrap_or(&[]);
        let mut from = 0usize;
        for (column, output) in (0..left.wrapping_add(width).wrapping_add(right)).zip(&mut pixels) {
            if column < left || column >= left.wrapping_add(width) {
                continue;
            }
            let end = from.wrapping_add(channels);
            let own = output.get_mut(before..before.wrapping_add(channels)).unwrap_or(&mut []);
            copy_long(own, line.get(from..end).unwrap_or(&[]));
            from = end;
        }
    }
}
