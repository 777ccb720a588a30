//! Functions of several tensors, and of a tensor and a number.

use super::activation::Activation;
use super::build::{Builder, Site};
use super::normalization::scale_shift;
use super::operand::Operand;
use crate::error::Error;
use crate::graph::{Function, Nearest, Operator, PairFunction, Shape, TensorId};

/// A function of two tensors; of more, a chain from the first on; of a tensor and numbers, what that is.
pub(super) fn pairwise(builder: &mut Builder, site: &Site, function: PairFunction) -> Result<TensorId, Error> {
    match builder.operands(site)?.as_slice() {
        [] => chain(builder, site, function, site.name()),
        [operand] => match operand.number() {
            Some(number) => with_number(builder, site, function, (operand.place, number)),
            None => with_array(builder, site, function, operand),
        },
        _ => Err(site.error(format!("{} with several constants is not supported", function.name()))),
    }
}

/// `Average`, the sum of all divided by their number.
pub(super) fn average(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let sum = chain(builder, site, PairFunction::Add, &format!("{}/sum", site.name()))?;
    let (channels, count) = (builder.shape(sum).channels(), site.inputs.len() as f64);
    builder.take_numbers(channels.saturating_mul(2))?;
    scale_shift(builder, site, sum, channels, |_| (1.0 / count, 0.0))
}

/// `TrueDivide`, by a number or an array.
pub(super) fn divide(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    match <[Operand; 1]>::try_from(builder.operands(site)?) {
        Ok([divisor]) if divisor.place == 1 => match divisor.number() {
            Some(divisor) => scaled(builder, site, 1.0 / divisor, 0.0),
            None => with_array(builder, site, PairFunction::Multiply, &divisor.map(f64::recip)),
        },
        _ => Err(site.error("divides by a tensor, which is not supported; supported are numbers")),
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

/// A function of a tensor and an array: one number for each channel folds as a scale and a shift do.
fn with_array(
    builder: &mut Builder,
    site: &Site,
    function: PairFunction,
    operand: &Operand,
) -> Result<TensorId, Error> {
    let input = site.input()?;
    let shape = builder.shape(input).clone();
    let of_channels = operand.of_channels(shape.channels());
    let numbers = |channel: usize| of_channels.map_or(0.0, |numbers| numbers[channel]);
    let scale_shift = |builder: &mut Builder, numbers: &dyn Fn(usize) -> (f64, f64)| {
        scale_shift(builder, site, input, shape.channels(), numbers)
    };
    let (constant, result) = builder.held(site, operand, &shape)?;
    match (function, operand.place) {
        _ if of_channels.is_none() || result != shape => {}
        (PairFunction::Add, _) => return scale_shift(builder, &|channel| (1.0, numbers(channel))),
        (PairFunction::Subtract, 0) => return scale_shift(builder, &|channel| (-1.0, numbers(channel))),
        (PairFunction::Subtract, _) => return scale_shift(builder, &|channel| (1.0, -numbers(channel))),
        (PairFunction::Multiply, _) => return scale_shift(builder, &|channel| (numbers(channel), 0.0)),
        (PairFunction::Maximum | PairFunction::Minimum | PairFunction::Prelu, _) => {}
    }
    let operator = Operator::Pairwise { function, constant: Some(constant), activation: None };
    builder.push(site.name(), operator, vec![input], result)
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
        let operands = [(result, "first"), (next, "second")];
        let [first, second] = operands.map(|(tensor, which)| on_planes(builder, &part, which, tensor, &shape));
        let operator = Operator::Pairwise { function, constant: None, activation: None };
        result = builder.push(&part, operator, vec![first?, second?], shape)?;
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

/// An operand as it can lie on the planes of `result`, whole or of one place: repeated where it is a line or a column.
fn on_planes(
    builder: &mut Builder,
    name: &str,
    which: &str,
    tensor: TensorId,
    result: &Shape,
) -> Result<TensorId, Error> {
    let own = builder.shape(tensor);
    let plane = |shape: &Shape| [shape.lines(), shape.width()];
    if own.0.len() < 4 || plane(own) == [1, 1] || plane(own) == plane(result) {
        return Ok(tensor);
    }
    let (size, channels) = ([own.rows(), result.lines(), result.width()], own.channels());
    let nearest = Nearest { align_corners: false, half_pixel_centers: true };
    let shape = Shape([&size[..], &[channels]].concat());
    builder.push(&format!("{name}/{which}"), Operator::ResizeNearest { size, nearest }, vec![tensor], shape)
}
