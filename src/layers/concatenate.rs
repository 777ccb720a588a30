//! Two tensors, one behind the other along an axis. Elements of any type: inputs and output have
//! one scale. More than two are a chain: rows are copied once more for each, and a step stays as
//! small as it is.

use super::{copy, copy_long};
use crate::window::Call;

/// How much of a row comes from which input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Parts {
    /// Bytes from the first input, then from the second, in turn: a pixel's channels, or a whole row.
    pub bytes: [u32; 2],
}

/// Makes rows `[column][channel]`, each from a row of both inputs. Scratch: none.
///
/// ```
/// use microception::layers::concatenate;
/// use microception::window::Call;
/// // two pixels, of two channels and of one
/// let mut output = [0u8; 6];
/// let call = Call::on_lines(&[1, 2, 3, 4], 1, 0, &mut output, &mut [], 1).and_lines(&[8, 9], 1);
/// concatenate::within_rows(&concatenate::Parts { bytes: [2, 1] }, call);
/// assert_eq!(output, [1, 2, 8, 3, 4, 9]);
/// ```
pub fn within_rows(layer: &Parts, call: Call<'_>) {
    let (first, second, mut output) = call.binary::<u8, u8>();
    let [first_bytes, second_bytes] = layer.bytes.map(|bytes| bytes as usize);
    for (first, second) in first.iter().zip(second.iter()) {
        let mut second = second;
        for first in first.chunks(first_bytes.max(1)) {
            let (part, rest) = second.split_at_checked(second_bytes).unwrap_or_default();
            second = rest;
            for part in [first, part] {
                let (to, rest) = output.split_at_mut_checked(part.len()).unwrap_or_default();
                output = rest;
                copy(to, part);
            }
        }
    }
}

/// Makes rows `[column][channel]`: those of the first input, then those of the second, as far as the
/// call shows them. Scratch: none.
///
/// ```
/// use microception::layers::concatenate;
/// use microception::window::Call;
/// let mut output = [0u8; 4];
/// let call = Call::on_lines(&[1, 2], 1, 0, &mut output, &mut [], 2).and_lines(&[8, 9], 1);
/// concatenate::rows(call);
/// assert_eq!(output, [1, 2, 8, 9]);
/// ```
pub fn rows(call: Call<'_>) {
    let (first, second, mut output) = call.binary::<u8, u8>();
    for line in first.iter().chain(second.iter()) {
        let (row, rest) = output.split_at_mut_checked(line.len()).unwrap_or_default();
        output = rest;
        copy_long(row, line);
    }
}
