//! Axes in another order. Elements of any type: input and output have one scale. Where rows become columns or channels,
//! an output row has values of every input row, all of which must be there.

use bytemuck::Pod;

use crate::window::Call;

/// Where the values of an output row come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Transpose {
    /// Pixels of an output row.
    pub width: u16,
    /// Channels of an output pixel.
    pub channels: u16,
    /// Which axis of the output the input's rows are: 0 for its rows, 1 for its columns, 2 for its channels.
    pub line_axis: u8,
    /// Elements of an input row from one place to the next along each axis of the output; 0 along that of the rows.
    pub strides: [u32; 3],
}

/// Makes rows `[column][channel]`: from all input rows, or, where rows stay rows, each from its own. Scratch: none.
///
/// ```
/// use microception::layers::transpose;
/// use microception::window::Call;
/// // two steps of three channels as three steps of two
/// let layer = transpose::Transpose { width: 1, channels: 2, line_axis: 2, strides: [1, 0, 0] };
/// let mut output = [0u8; 6];
/// // Lines of more than one row lie at multiples of four bytes: the last byte is nobody's.
/// let lines = [1, 2, 3, 0, 4, 5, 6, 0];
/// transpose::transpose::<u8>(&layer, Call::on_lines(&lines, 2, 0, &mut output, &mut [], 3));
/// assert_eq!(output, [1, 4, 2, 5, 3, 6]);
/// ```
pub fn transpose<T: Pod>(layer: &Transpose, call: Call<'_>) {
    // Where rows stay rows, the call shows those that it makes.
    let first = if layer.line_axis == 0 { 0 } else { call.row };
    let (window, output, _) = call.unary::<T, T>();
    let [row_stride, column_stride, channel_stride] = layer.strides.map(|stride| stride as usize);
    let channels = usize::from(layer.channels).max(1);
    let pixels = output.chunks_exact_mut(channels.wrapping_mul(usize::from(layer.width)).max(1));
    for (row, pixels) in pixels.enumerate() {
        let row = first.wrapping_add(row);
        for (column, pixel) in pixels.chunks_exact_mut(channels.max(1)).enumerate() {
            let from = row.wrapping_mul(row_stride).wrapping_add(column.wrapping_mul(column_stride));
            for (channel, value) in pixel.iter_mut().enumerate() {
                let line = match layer.line_axis {
                    0 => row,
                    1 => column,
                    _ => channel,
                };
                let from = from.wrapping_add(channel.wrapping_mul(channel_stride));
                if let Some(&input) = window.line(line).and_then(|line| line.get(from)) {
                    *value = input;
                }
            }
        }
    }
}
