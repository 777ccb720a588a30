//! Axes in another order. Elements of any type: input and output have one scale. Where rows become columns or channels,
//! an output row has values of every input row, all of which must be there.

use bytemuck::Pod;

use crate::window::Call;

/// Where the values of an output row come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Transpose {
    /// Lines of an output row: of a volume's planes, of others one.
    pub lines: u16,
    /// Pixels of a line.
    pub width: u16,
    /// Channels of an output pixel.
    pub channels: u16,
    /// Which axis of the output the input's rows are: 0 for its rows, 1 for its lines, 2 for its columns, 3 for its
    /// channels.
    pub row_axis: u8,
    /// Elements of an input row from one place to the next along each axis of the output; 0 along that of the rows.
    pub strides: [u32; 4],
}

/// Makes rows `[column][channel]`: from all input rows, or, where rows stay rows, each from its own. Scratch: none.
///
/// ```
/// use microception::layers::transpose;
/// use microception::window::Call;
/// // two steps of three channels as three steps of two
/// let layer = transpose::Transpose { lines: 1, width: 1, channels: 2, row_axis: 3, strides: [1, 0, 0, 0] };
/// let mut output = [0u8; 6];
/// // Lines of more than one row lie at multiples of four bytes: the last byte is nobody's.
/// let lines = [1, 2, 3, 0, 4, 5, 6, 0];
/// transpose::transpose::<u8>(&layer, Call::on_lines(&lines, 2, 0, &mut output, &mut [], 3));
/// assert_eq!(output, [1, 4, 2, 5, 3, 6]);
/// ```
pub fn transpose<T: Pod>(layer: &Transpose, call: Call<'_>) {
    // Where rows stay rows, the call shows those that it makes.
    let first = if layer.row_axis == 0 { 0 } else { call.row };
    let (window, output, _) = call.unary::<T, T>();
    let [row_stride, line_stride, column_stride, channel_stride] = layer.strides.map(|stride| stride as usize);
    let channels = usize::from(layer.channels).max(1);
    let line_elements = channels.wrapping_mul(usize::from(layer.width)).max(1);
    let rows = output.chunks_exact_mut(line_elements.wrapping_mul(usize::from(layer.lines)).max(1));
    for (row, lines) in rows.enumerate() {
        let row = first.wrapping_add(row);
        for (line, pixels) in lines.chunks_exact_mut(line_elements.max(1)).enumerate() {
            let from = row.wrapping_mul(row_stride).wrapping_add(line.wrapping_mul(line_stride));
            for (column, pixel) in pixels.chunks_exact_mut(channels.max(1)).enumerate() {
                let from = from.wrapping_add(column.wrapping_mul(column_stride));
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let source = match layer.row_axis {
                        0 => row,
                        1 => line,
                        2 => column,
                        _ => channel,
                    };
                    let from = from.wrapping_add(channel.wrapping_mul(channel_stride));
                    if let Some(&input) = window.line(source).and_then(|source| source.get(from)) {
                        *value = input;
                    }
                }
            }
        }
    }
}
