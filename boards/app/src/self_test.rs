//! An inference on the frame that nobody has taken, compared with the host's.

use bytemuck::Pod;
use microception::executor::{Executor, Progress};
use microception::golden::{self, Golden};
use microception::model::{Element, Model, Port};
use microception_protocol::frame::CHECK;
use microception_protocol::{Difference, Fault};

use crate::Facts;

/// Runs it, with `row` as memory, and finds the first difference.
///
/// # Errors
/// When there is nothing to compare with.
pub(crate) fn run<M: Model<Row: Pod>>(
    executor: &mut Executor<'_, M>,
    facts: &Facts,
    row: &mut M::Row,
) -> Result<Option<Difference>, Fault> {
    if facts.golden.is_empty() {
        return Err(Fault::NoGolden);
    }
    infer(executor, facts.inputs, bytemuck::bytes_of_mut(row));
    let outputs = facts.golden.iter().zip(facts.outputs).enumerate();
    Ok(outputs
        .filter_map(|(index, (golden, port))| {
            difference(golden, port.element, executor.output_bytes(index), index as u8)
        })
        .next())
}

/// Pushes the rows of the frame; of a series as many as it takes until the output that is kept.
fn infer<M: Model>(executor: &mut Executor<'_, M>, inputs: &[Port], buffer: &mut [u8]) {
    let is_endless = executor.is_endless();
    let mut left = if is_endless { golden::ENDLESS_OUTPUTS } else { 1 };
    let (mut input, mut row) = (0, 0);
    executor.reset();
    while let Some(port) = inputs.get(input) {
        let bytes = buffer.get_mut(..executor.row_bytes(input)).unwrap_or_default();
        golden::made_up_row(port.element, input, row, bytes);
        match executor.push_row_bytes(input, bytes) {
            Progress::Done => left = left.wrapping_sub(1),
            Progress::NeedsRow { input: next, row: wanted } if !is_endless => (input, row) = (next, wanted),
            _ => {}
        }
        if left == 0 {
            break;
        }
        if is_endless {
            row = row.wrapping_add(1);
        }
    }
}

/// The first difference of an output.
fn difference(golden: &Golden, element: Element, bytes: &[u8], output: u8) -> Option<Difference> {
    let elsewhere = Some(Difference::Elsewhere { output });
    let of = |index: usize, found, expected| Difference::Element { output, index: index as u32, found, expected };
    match *golden {
        Golden::Exact { first, crc } => {
            let real = |bytes: &[u8]| match (element, bytes) {
                (Element::I16, &[low, high]) => f32::from(i16::from_le_bytes([low, high])),
                (Element::I8, &[byte]) => f32::from(byte as i8),
                (_, bytes) => bytes.first().map_or(0.0, |&byte| f32::from(byte)),
            };
            let [first, found] = [first, bytes].map(|bytes| bytes.chunks_exact(element.bytes().max(1)));
            let differs = first.zip(found).enumerate().find(|(_, (expected, found))| expected != found);
            match differs {
                Some((index, (expected, found))) => Some(of(index, real(found), real(expected))),
                None if CHECK.checksum(bytes) != crc => elsewhere,
                None => None,
            }
        }
        Golden::Near { samples, largest } => {
            let (words, _) = bytes.as_chunks::<4>();
            let value = |word: &[u8; 4]| f32::from_le_bytes(*word);
            let is_near = |found: f32, expected: f32| (found - expected).abs() <= golden::TOLERANCE * largest;
            for (sample, &expected) in samples.iter().enumerate() {
                let index = golden::sampled(sample, samples.len(), words.len());
                let found = words.get(index).map_or(f32::NAN, value);
                if !is_near(found, expected) {
                    return Some(of(index, found, expected));
                }
            }
            // Of NaN and a number `max` is the number.
            let is_number = words.iter().map(value).all(f32::is_finite);
            let found = words.iter().map(value).fold(0.0_f32, |largest, value| largest.max(value.abs()));
            if is_number && is_near(found, largest) { None } else { elsewhere }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_that_of_a_number_of_its_type() {
        let golden = Golden::Exact { first: &[1, 0, 0x34, 0x12], crc: 0 };
        let of = |element, bytes: &[u8]| difference(&golden, element, bytes, 3);
        let expected = |index, found, expected| Some(Difference::Element { output: 3, index, found, expected });
        assert_eq!(of(Element::I16, &[1, 0, 0xFE, 0xFF]), expected(1, -2.0, 4660.0));
        assert_eq!(of(Element::I8, &[1, 0, 0xFE, 0xFF]), expected(2, -2.0, 52.0));
        assert_eq!(of(Element::U8, &[1, 0, 0xFE, 0xFF]), expected(2, 254.0, 52.0));
        // What lies behind the samples only the check tells.
        assert_eq!(of(Element::I16, &[1, 0, 0x34, 0x12, 5, 6]), Some(Difference::Elsewhere { output: 3 }));
    }
}
