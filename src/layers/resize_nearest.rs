//! Each place a copy of the nearest. Elements of any type: input and output have one scale. Which
//! place is nearest is the plan's for rows, and a table's for columns: TensorFlow has three ways, in
//! floating point.

use super::copy;
use crate::window::Call;

/// Where the pixels of an output row come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ResizeNearest<'a> {
    /// Bytes of a pixel.
    pub pixel_bytes: u32,
    /// Per output column: the input column.
    pub columns: &'a [u16],
}

/// Makes one row `[column][channel]` from one. Scratch: none.
///
/// ```
/// use microception::layers::resize_nearest;
/// use microception::window::Call;
/// let layer = resize_nearest::ResizeNearest { pixel_bytes: 1, columns: &[0, 0, 1, 1] };
/// let mut output = [0u8; 4];
/// resize_nearest::resize_nearest(&layer, Call::on_lines(&[7, 8], 1, 0, &mut output, &mut [], 1));
/// assert_eq!(output, [7, 7, 8, 8]);
/// ```
pub fn resize_nearest(layer: &ResizeNearest<'_>, call: Call<'_>) {
    let (window, output, _) = call.unary::<u8, u8>();
    let line = window.line(0).unwrap_or(&[]);
    let bytes = layer.pixel_bytes as usize;
    for (output, &column) in output.chunks_exact_mut(bytes.max(1)).zip(layer.columns) {
        let from = usize::from(column).wrapping_mul(bytes);
        copy(output, line.get(from..).unwrap_or(&[]));
    }
}
