//! Infers every tensor's shape from the input's, and says which layer does not fit.

use crate::error::Error;
use crate::graph::{Axis, Constant, Graph, Numbers, Operator, Padding, Shape, Taps, Window};

/// More values than any tensor has; keeps products of extents from overflowing.
const MOST_ELEMENTS: usize = u32::MAX as usize;

/// The largest kernel, stride or dilation that is computed with, for the same reason. The runtime's
/// own limit is lower.
const LARGEST_WINDOW: usize = 1 << 15;

/// Sets the shapes of all tensors but the inputs', in the order of the layers.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    for index in 0..graph.layers.len() {
        let layer = &graph.layers[index];
        let inputs: Vec<&Shape> = layer.inputs.iter().map(|&input| &graph.tensor(input).shape).collect();
        let shape = shape_of(&layer.operator, &inputs, &graph.tensor(layer.output).shape)
            .map_err(|reason| Error::layer(&layer.name, reason))?;
        graph.tensors[layer.output.0].shape = shape;
    }
    Ok(())
}

/// The shape that an operator makes of its inputs' shapes, if it can be run; `own` is what a model's input states.
pub(crate) fn shape_of(operator: &Operator, inputs: &[&Shape], own: &Shape) -> Result<Shape, String> {
    output_shape(operator, inputs, own).and_then(within_bounds)
}

fn output_shape(operator: &Operator, inputs: &[&Shape], own: &Shape) -> Result<Shape, String> {
    let expected = match operator {
        Operator::Input { .. } => 0,
        Operator::Pairwise { constant: None, .. } | Operator::Concatenate { .. } => 2,
        _ => 1,
    };
    if inputs.len() != expected {
        return Err(format!("{} takes {expected} inputs, not {}", operator.name(), inputs.len()));
    }
    let Some(&input) = inputs.first() else { return Ok(own.clone()) };
    let bias = operator.weights().and_then(|(_, bias)| bias).map(|bias| bias.len());
    match operator {
        Operator::Input { .. } => Ok(own.clone()),
        Operator::Convolution { weights, window, .. } => {
            check_window(window, input)?;
            let per_output = window.taps() * input.channels();
            let channels = outputs(weights.len(), per_output, bias, input)?;
            windowed(window, input, channels)
        }
        Operator::Depthwise { weights, window, multiplier, .. } => {
            check_window(window, input)?;
            let taps = window.taps();
            let channels = input.channels().checked_mul(*multiplier).filter(|&channels| channels <= MOST_ELEMENTS);
            let channels = channels.filter(|&channels| channels > 0).ok_or_else(|| {
                format!("a depth multiplier of {multiplier} on {} channels is not possible", input.channels())
            })?;
            if weights.len() != taps * channels {
                let needed = taps * channels;
                return Err(format!(
                    "has {} weights, where {channels} channels of {} taps need {needed}",
                    weights.len(),
                    window.extents()
                ));
            }
            check_bias(bias, channels)?;
            windowed(window, input, channels)
        }
        Operator::Dense { weights, .. } => Ok(Shape(vec![outputs(weights.len(), input.elements(), bias, input)?])),
        Operator::PositionwiseDense { weights, .. } => {
            let channels = outputs(weights.len(), input.channels(), bias, input)?;
            let places = &input.0[..input.0.len() - 1];
            Ok(Shape(places.iter().copied().chain([channels]).collect()))
        }
        Operator::MaxPool { window } | Operator::AveragePool { window } => {
            check_window(window, input)?;
            windowed(window, input, input.channels())
        }
        Operator::GlobalAveragePool { keep_dims } | Operator::GlobalMaxPool { keep_dims } => {
            let mut extents = if *keep_dims { vec![1; input.0.len() - 1] } else { Vec::new() };
            extents.push(input.channels());
            Ok(Shape(extents))
        }
        Operator::Pairwise { function, constant, .. } => {
            let other = match constant {
                Some(Constant { shape, numbers, .. }) => {
                    check_numbers(shape, numbers)?;
                    shape
                }
                None => inputs[1],
            };
            let first = constant.as_ref().is_some_and(|constant| constant.first);
            let shapes = if first { [other, input] } else { [input, other] };
            input.broadcast(other).ok_or_else(|| {
                let [first, second] = shapes;
                format!(
                    "{} of the shapes {first} and {second}, which do not fit: extents are equal or 1, and there are as \
                     many of them, or there is one",
                    function.name()
                )
            })
        }
        Operator::Flatten => Ok(Shape(vec![input.elements()])),
        Operator::Pad { before, after, .. } => padded(input, before, after),
        Operator::Crop { before, shape } => cropped(input, before, shape),
        Operator::Transpose { axes } => transposed(input, axes),
        Operator::Concatenate { axis } => concatenated(input, inputs[1], *axis),
        Operator::Reshape { shape }
            if shape.0.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent))
                != Some(input.elements()) =>
        {
            Err(format!("makes {shape} of {input}, which has another number of values"))
        }
        Operator::Reshape { shape } => Ok(shape.clone()),
        &Operator::ResizeNearest { size: [rows, lines, width], .. } => match input.0[..] {
            [_, _, _, channels] => Ok(Shape(vec![rows, lines, width, channels])),
            [_, _, channels] if lines == 1 => Ok(Shape(vec![rows, width, channels])),
            [_, channels] if [lines, width] == [1, 1] => Ok(Shape(vec![rows, channels])),
            _ => Err(format!("can't resize {input} to {rows}x{lines}x{width}")),
        },
        &Operator::ResizeBilinear { size: [rows, width], .. } => match input.0[..] {
            [_, _, channels] => Ok(Shape(vec![rows, width, channels])),
            [_, channels] if width == 1 => Ok(Shape(vec![rows, channels])),
            _ => Err(format!("can't resize {input} to {rows}x{width}")),
        },
        Operator::ScaleShift { scale, shift } => {
            let channels = input.channels();
            if scale.len() != channels || shift.len() != channels {
                return Err(format!(
                    "has {} scales and {} shifts, where its input has {channels} channels",
                    scale.len(),
                    shift.len()
                ));
            }
            Ok(input.clone())
        }
        Operator::Activation(_) | Operator::Requantize { .. } | Operator::Softmax | Operator::Identity => {
            Ok(input.clone())
        }
    }
}

fn padded(input: &Shape, before: &[usize; 4], after: &[usize; 4]) -> Result<Shape, String> {
    let mut shape = input.clone();
    let mut left = [before, after].map(|around| around.iter().copied().fold(0, usize::saturating_add));
    for (index, axis) in Axis::ALL.into_iter().enumerate() {
        if let Some(place) = axis.place(input) {
            // No extent gets beyond what `within_bounds` refuses.
            shape.0[place] = shape.0[place].saturating_add(before[index]).saturating_add(after[index]);
            left = [left[0].wrapping_sub(before[index]), left[1].wrapping_sub(after[index])];
        }
    }
    if left != [0, 0] {
        return Err(format!("pads axes that its input of shape {input} does not have"));
    }
    Ok(shape)
}

fn cropped(input: &Shape, before: &[usize], shape: &Shape) -> Result<Shape, String> {
    let axes = input.0.len();
    let inside = |axis: usize| before[axis].saturating_add(shape.0[axis]) <= input.0[axis];
    match before.len() == axes && shape.0.len() == axes && (0..axes).all(inside) {
        true => Ok(shape.clone()),
        false => Err(format!("can't take {shape} behind {before:?} out of {input}")),
    }
}

fn transposed(input: &Shape, axes: &[usize]) -> Result<Shape, String> {
    match axes.len() == input.0.len() && (0..axes.len()).all(|axis| axes.contains(&axis)) {
        true => Ok(Shape(axes.iter().map(|&axis| input.0[axis]).collect())),
        false => Err(format!("{axes:?} is no order of the axes of {input}")),
    }
}

fn concatenated(first: &Shape, second: &Shape, axis: Axis) -> Result<Shape, String> {
    let mut shape = first.clone();
    let misfit = || format!("can't put {second} behind {first}");
    let place = axis.place(first).ok_or_else(misfit)?;
    if first.0.len() != second.0.len() {
        return Err(misfit());
    }
    if (0..first.0.len()).any(|other| other != place && first.0[other] != second.0[other]) {
        return Err(misfit());
    }
    shape.0[place] = shape.0[place].saturating_add(second.0[place]);
    Ok(shape)
}

/// The output channels of a layer with `weights` numbers, `per_output` for each channel.
fn outputs(weights: usize, per_output: usize, bias: Option<usize>, input: &Shape) -> Result<usize, String> {
    if weights == 0 || !weights.is_multiple_of(per_output) {
        return Err(format!(
            "has {weights} weights, where each output needs {per_output} for an input of shape {input}"
        ));
    }
    check_bias(bias, weights / per_output)?;
    Ok(weights / per_output)
}

fn check_bias(bias: Option<usize>, channels: usize) -> Result<(), String> {
    match bias {
        Some(bias) if bias != channels => Err(format!("has {bias} biases, where it makes {channels} channels")),
        _ => Ok(()),
    }
}

/// Errors unless a constant has as many numbers as its shape says.
fn check_numbers(shape: &Shape, numbers: &Numbers) -> Result<(), String> {
    let count = match numbers {
        Numbers::F32(values) => values.len(),
        Numbers::I8 { values, .. } => values.len(),
        Numbers::I16 { values, .. } => values.len(),
    };
    within_bounds(shape.clone())?;
    if count == shape.elements() { Ok(()) } else { Err(format!("has {count} numbers for a shape of {shape}")) }
}

fn check_window(window: &Window, input: &Shape) -> Result<(), String> {
    let mut numbers = [window.size, window.stride, window.dilation].concat();
    let mut around = match window.padding {
        Padding::Explicit { before, after } => [before, after].concat(),
        Padding::Valid | Padding::Same => Vec::new(),
    };
    if let Some(Taps { size, stride, dilation, before, after }) = window.depth {
        numbers.extend([size, stride, dilation]);
        around.extend([before, after]);
    }
    if around.iter().any(|&places| places > LARGEST_WINDOW) {
        return Err(format!("its padding of {around:?} is not possible"));
    }
    if numbers.iter().any(|&number| number == 0 || number > LARGEST_WINDOW) {
        return Err(format!(
            "its window of size {:?}, stride {:?}, dilation {:?}, depth {:?} is not possible",
            window.size, window.stride, window.dilation, window.depth
        ));
    }
    if window.pads_a_point() {
        return Err("a window of one place can't be padded: pad by a layer of its own".to_owned());
    }
    // A flat tensor is one pixel; a time series is one pixel wide; a volume is seen plane by plane or place by place.
    let axes = match (input.0.len(), window.depth) {
        (4, Some(_)) | (3, None) => 2,
        (2, None) => 1,
        (_, None) => 0,
        (_, Some(_)) => {
            return Err(format!("a window of {} does not slide over an input of shape {input}", window.extents()));
        }
    };
    let flat = |axis: usize| window.size[axis] == 1 && window.stride[axis] == 1;
    match (axes..2).find(|&axis| !flat(axis)) {
        Some(_) => Err(format!("a window of {} does not slide over an input of shape {input}", window.extents())),
        None => Ok(()),
    }
}

/// The shape after a window has gone over `input`.
fn windowed(window: &Window, input: &Shape, channels: usize) -> Result<Shape, String> {
    let spatial = &input.0[..input.0.len() - 1];
    let mut extents = Vec::with_capacity(input.0.len());
    for (place, &extent) in spatial.iter().enumerate() {
        let taps = window.slide(place, extent);
        let (outputs, reach) = (taps.outputs(extent), taps.reach());
        if outputs == 0 {
            return Err(format!(
                "its window reaches over {reach} places, but its input of shape {input} has only {extent}"
            ));
        }
        extents.push(outputs);
    }
    extents.push(channels);
    Ok(Shape(extents))
}

fn within_bounds(shape: Shape) -> Result<Shape, String> {
    if shape.0.is_empty() || shape.0.len() > 4 || shape.0.contains(&0) {
        return Err(format!("a shape of [{shape}] can't be run: one to four extents, all at least 1, are supported"));
    }
    let elements = shape
        .0
        .iter()
        .try_fold(1usize, |product, &extent| product.checked_mul(extent).filter(|&product| product <= MOST_ELEMENTS));
    elements.map(|_| shape.clone()).ok_or_else(|| format!("a tensor of {shape} values is too large"))
}
