//! Every element in the same order, as one flat tensor, where a flat tensor must stand by itself
//! (before a dense layer the code generator leaves it out).

use crate::window::Call;

/// Consumes rows of `T`; with the last one, makes the output. Scratch: the whole tensor, kept from
/// step to step.
///
/// ```
/// use microception::layers::flatten;
/// use microception::window::Call;
/// let (mut output, mut rows) = ([0u8; 4], [0u8; 4]);
/// flatten::flatten(Call::on_lines(&[1, 2, 3, 4], 1, 0, &mut output, &mut rows, 1));
/// assert_eq!(output, [1, 2, 3, 4]);
/// ```
pub fn flatten(call: Call<'_>) {
    let row = call.row;
    let (window, output, rows) = call.unary::<u8, u8>();
    for (index, line) in window.iter().enumerate() {
        let place = row.wrapping_add(index).wrapping_mul(line.len());
        super::copy(rows.get_mut(place..).unwrap_or(&mut []), line);
    }
    super::copy(output, rows);
}
