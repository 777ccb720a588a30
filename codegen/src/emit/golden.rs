//! What the model answers to the made-up frame, as Rust text.

use microception::golden::{ENDLESS_OUTPUTS, SAMPLES, made_up_row, sampled};
use microception::model;

use super::ends::End;
use super::flash::crc;
use super::literal::float;
use crate::error::Error;
use crate::graph::Element;
use crate::host::Machine;

/// The most multiply-accumulates of a model that a conversion runs: some seconds.
const MOST_MACS: u64 = 1 << 30;

/// The expressions of the module's table; none where the model is too large to be run, or what it makes of the frame is no
/// number.
pub fn golden(
    machine: impl FnOnce() -> Result<Machine, Error>,
    macs: u64,
    is_endless: bool,
    [inputs, outputs]: [&[End<'_>]; 2],
) -> Result<Vec<String>, Error> {
    if macs > MOST_MACS {
        return Ok(Vec::new());
    }
    let answer = answer(&mut machine()?, inputs, is_endless)?;
    let mut rest = &answer[..];
    let mut golden = Vec::new();
    for end in outputs {
        let (bytes, behind) = rest.split_at(bytes_of(end, is_endless, rest.len()));
        rest = behind;
        match expression(end.element, bytes) {
            Some(expression) => golden.push(expression),
            None => return Ok(Vec::new()),
        }
    }
    Ok(golden)
}

/// Bytes of an output. Of an endless plan it is the only one, and a row.
fn bytes_of(end: &End<'_>, is_endless: bool, all: usize) -> usize {
    if is_endless { all } else { end.shape.elements() * end.element.bytes() }
}

/// The outputs for the made-up frame; of a series without an end, the one that is kept.
fn answer(machine: &mut Machine, inputs: &[End<'_>], is_endless: bool) -> Result<Vec<u8>, Error> {
    if !is_endless {
        let mut frames = Vec::new();
        for (index, end) in inputs.iter().enumerate() {
            let mut frame = vec![0; end.shape.elements() * end.element.bytes()];
            made_up_row(element(end), index, 0, &mut frame);
            frames.extend(frame);
        }
        return machine.run(&frames);
    }
    let mut row = vec![0; machine.row_bytes()];
    let mut executor = machine.executor()?;
    let (mut index, mut outputs) = (0, 0);
    loop {
        // A series has one input.
        inputs.iter().take(1).for_each(|end| made_up_row(element(end), 0, index, &mut row));
        if let Some(output) = executor.push_row(&row) {
            outputs += 1;
            if outputs == ENDLESS_OUTPUTS {
                return Ok(output.to_vec());
            }
        }
        index += 1;
    }
}

fn element(end: &End<'_>) -> model::Element {
    match end.element {
        Element::U8 => model::Element::U8,
        Element::I8 => model::Element::I8,
        Element::I16 => model::Element::I16,
        Element::F32 => model::Element::F32,
    }
}

/// An output as a `Golden`.
fn expression(element: Element, bytes: &[u8]) -> Option<String> {
    if element != Element::F32 {
        let first = &bytes[..bytes.len().min(SAMPLES)];
        return Some(format!("Golden::Exact {{ first: &{first:?}, crc: {:#010x} }}", crc(bytes)));
    }
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect();
    let count = values.len().min(SAMPLES);
    let samples: Vec<String> = (0..count).map(|sample| float(values[sampled(sample, count, values.len())])).collect();
    let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let kept = format!("Golden::Near {{ samples: &[{}], largest: {} }}", samples.join(", "), float(largest));
    values.iter().all(|value| value.is_finite()).then_some(kept)
}
