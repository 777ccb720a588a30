//! Functions of a tensor and numbers that the file holds.

use super::budget::Budget;
use crate::error::Error;
use crate::graph::{Constant, Numbers, Operator, PairFunction, Shape};

/// A sum, difference or product with real numbers, one for each channel or one for all: these fold.
pub(super) fn scale_shift(
    function: PairFunction,
    constant: &Constant,
    output: &Shape,
    budget: &mut Budget,
) -> Result<Option<Operator>, Error> {
    let Numbers::F32(values) = &constant.numbers else { return Ok(None) };
    let channels = output.channels();
    if constant.shape.elements() != constant.shape.channels() || ![1, channels].contains(&values.len()) {
        return Ok(None);
    }
    let negative = match (function, constant.first) {
        (PairFunction::Subtract, first) => !first,
        (PairFunction::Add | PairFunction::Multiply, _) => false,
        _ => return Ok(None),
    };
    // The channels are what the file says they are, and may be more than its bytes.
    budget.take(channels, 2 * size_of::<f32>())?;
    let all = |number: f32| vec![number; channels];
    let numbers: Vec<f32> = match values[..] {
        [one] => all(if negative { -one } else { one }),
        _ => values.iter().map(|&number| if negative { -number } else { number }).collect(),
    };
    let (scale, shift) = match (function, constant.first) {
        (PairFunction::Multiply, _) => (numbers, all(0.0)),
        (PairFunction::Subtract, true) => (all(-1.0), numbers),
        _ => (all(1.0), numbers),
    };
    Ok(Some(Operator::ScaleShift { scale, shift }))
}
