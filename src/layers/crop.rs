//! Some rows, columns and channels of a tensor. Elements of any type: input and output have one scale. Which rows is
//! the plan's.

use super::copy_long;
use crate::window::Call;

/// What is kept of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Crop {
    /// Bytes of an input pixel.
    pub pixel_bytes: u32,
    /// Input pixels in front of the first that is kept.
    pub columns: u16,
    /// Bytes of each pixel in front of those that are kept.
    pub before: u32,
    /// Bytes that are kept of each pixel.
    pub bytes: u32,
}

/// Makes rows `[column][channel]`, each from a line. Scratch: none.
///
/// ```
/// use microception::layers::crop;
/// use microception::window::Call;
/// // of three pixels of two bytes the last two, and of those the second byte
/// let layer = crop::Crop { pixel_bytes: 2, columns: 1, before: 1, bytes: 1 };
/// let mut output = [0u8; 2];
/// crop::crop(&layer, Call::on_lines(&[1, 2, 3, 4, 5, 6], 1, 0, &mut output, &mut [], 1));
/// assert_eq!(output, [4, 6]);
/// ```
pub fn crop(layer: &Crop, call: Call<'_>) {
    let rows = call.rows;
    let (window, output, _) = call.unary::<u8, u8>();
    let row_bytes = output.len().checked_div(rows).unwrap_or(0);
    let [pixel_bytes, before, bytes] = [layer.pixel_bytes, layer.before, layer.bytes].map(|bytes| bytes as usize);
    for (index, output) in output.chunks_exact_mut(row_bytes.max(1)).enumerate() {
        let line = window.line(index).unwrap_or(&[]);
        let mut from = usize::from(layer.columns).wrapping_mul(pixel_bytes).wrapping_add(before);
        for pixel in output.chunks_exact_mut(bytes.max(1)) {
            copy_long(pixel, line.get(from..from.wrapping_add(bytes)).unwrap_or(&[]));
            from = from.wrapping_add(pixel_bytes);
        }
    }
}
