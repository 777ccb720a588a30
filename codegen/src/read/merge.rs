//! Functions of several tensors, and of a tensor and a number.

use super::activation::Activation;
use super::build::{Builder, Site};
use super::normalization::scale_shift;
use crate::error::Error;
use crate::graph::{Function, Operator, PairFunction, Shape, TensorId};

/// A function of two tensors; of more, a chain from the first on; of a tensor and a number, what that is.
pub(super) fn pairwise(builder: &mut Builder, site: &Site, function: PairFunction) -> Result<TensorId, Error> {
    match site.call.constants[..] {
        [] => chain(builder, site, function, site.name()),
        [constant] => with_number(builder, site, function, constant),
        _ => Err(site.error(format!("{} with several numbers is not supported", function.name()))),
    }
}

/// `Average`, the sum of all divided by their number.
pub(super) fn average(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let sum = chain(builder, site, PairFunction::Add, &format!("{}/sum", site.name()))?;
    let (channels, count) = (builder.shape(sum).channels(), site.inputs.len() as f64);
    builder.take_numbers(channels.saturating_mul(2))?;
    scale_shift(builder, site, sum, channels, |_| (1.0 / count, 0.0))
}

/// `TrueDivide`, by a number.
pub(super) fn divide(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    match site.call.constants[..] {
        [(1, divisor)] => scaled(builder, site, 1.0 / divisor, 0.0),
        _ => Err(site.error("divides by a tensor, which is not supported; supported is a number")),
    }
}

/// `Negative`.
pub(super) fn negative(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    scaled(builder, site, -1.0, 0.0)
}

/// One scale and one shift for all.
fn scaled(builder: &mut Builder, site: &Site, scale: f64, shift: f64) -> Result<TensorId, Error> {
    let input = site.input()?;
    let channels = builder.shape(input).channels();
    builder.take_numbers(channels.saturating_mul(2))?;
    scale_shift(builder, site, input, channels, |_| (scale, shift))
}

/// A function of a tensor and a number, which stands at `place` among the two.
fn with_number(
    builder: &mut Builder,
    site: &Site,
    function: PairFunction,
    (place, number): (usize, f64),
) -> Result<TensorId, Error> {
    let ends = match function {
        PairFunction::Add => return scaled(builder, site, 1.0, number),
        PairFunction::Subtract if place == 0 => return scaled(builder, site, -1.0, number),
        PairFunction::Subtract => return scaled(builder, site, 1.0, -number),
        PairFunction::Multiply => return scaled(builder, site, number, 0.0),
        PairFunction::Maximum => [number as f32, f32::INFINITY],
        PairFunction::Minimum => [f32::NEG_INFINITY, number as f32],
        PairFunction::Prelu => return Err(site.error("has no trained slopes")),
    };
    super::elementwise::activation(builder, site, Activation::Function(Function::clamp(ends)))
}

/// A function of two tensors; of more, a chain from the first on. The first link has the name `name`.
fn chain(builder: &mut Builder, site: &Site, function: PairFunction, name: &str) -> Result<TensorId, Error> {
    let [first, rest @ ..] = site.inputs.as_slice() else {
        return Err(site.error(format!("{} of nothing", function.name())));
    };
    if rest.is_empty() {
        return Err(site.error(format!("{} of one tensor; supported are two or more", function.name())));
    }
    if function == PairFunction::Subtract && rest.len() > 1 {
        return Err(site.error(format!("subtracts {} tensors, expected two", site.inputs.len())));
    }
    let most = site.inputs.iter().map(|&input| builder.shape(input).0.len()).max().unwrap_or(0);
    let mut result = with_axes(builder, name, *first, most, 1)?;
    for (position, &next) in rest.iter().enumerate() {
        let next = with_axes(builder, name, next, most, position + 2)?;
        let [shape, other] = [result, next].map(|tensor| builder.shape(tensor).clone());
        let Some(shape) = shape.broadcast(&other) else {
            let name = function.name();
            return Err(site.error(format!("{name} of tensors of the shapes {shape} and {other}, which do not fit")));
        };
        let part = if position == 0 { name.to_owned() } else { format!("{name}/{}", position + 1) };
        let operator = Operator::Pairwise { function, constant: None, activation: None };
        result = builder.push(&part, operator, vec![result, next], shape)?;
    }
    Ok(result)
}

/// A tensor with as many axes as the others: Keras puts those that are lacking behind the batch. A flat one is one pixel
/// as it is.
fn with_axes(
    builder: &mut Builder,
    name: &str,
    tensor: TensorId,
    axes: usize,
    position: usize,
) -> Result<TensorId, Error> {
    let extents = &builder.shape(tensor).0;
    if extents.len() == 1 || extents.len() == axes {
        return Ok(tensor);
    }
    let shape = Shape(std::iter::repeat_n(1, axes - extents.len()).chain(extents.iter().copied()).collect());
    builder.push(&format!("{name}/input{position}"), Operator::Reshape { shape: shape.clone() }, vec![tensor], shape)
}
