//! Every element in the same order, in rows of another length.

use super::copy_long;
use crate::window::Call;

/// Makes rows of any element type from the lines that hold their elements. Scratch: none.
///
/// ```
/// use microception::layers::reshape;
/// use microception::window::Call;
/// // a row of six bytes as three rows of two: the second and the third
/// let mut output = [0u8; 4];
/// let mut call = Call::on_lines(&[1, 2, 3, 4, 5, 6], 1, 0, &mut output, &mut [], 2);
/// call.row = 1;
/// reshape::reshape(call);
/// assert_eq!(output, [3, 4, 5, 6]);
/// ```
pub fn reshape(call: Call<'_>) {
    let (row, rows) = (call.row, call.rows);
    let (window, mut output, _) = call.unary::<u8, u8>();
    // What of the first line belongs to rows before.
    let before = output.len().checked_div(rows).unwrap_or(0).wrapping_mul(row);
    let mut skipped = window.line(0).and_then(|line| before.checked_rem(line.len())).unwrap_or(0);
    for line in window.iter() {
        let line = line.get(skipped..).unwrap_or(&[]);
        skipped = 0;
        let length = line.len().min(output.len());
        let (to, rest) = output.split_at_mut_checked(length).unwrap_or_default();
        output = rest;
        copy_long(to, line.get(..length).unwrap_or(&[]));
    }
}
