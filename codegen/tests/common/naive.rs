//! What a graph computes, once more and as plainly as can be: whole tensors, f64, a loop for every
//! axis. The tests' oracle for everything that must not change what a model computes.
//!
//! It works on graphs as read (with `ScaleShift` and `Identity`) and after the passes, and infers
//! shapes by itself.

use std::f64::consts::PI;

use microception_codegen::graph::{
    Axis, Bias, Constant, Function, Graph, Numbers, Operator, Padding, PairFunction, Weights, Window,
};

use super::tolerance;

/// A tensor: height, width, channels, and the values `[row][column][channel]`. A time series has
/// width 1, a flat tensor also height 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub values: Vec<f64>,
    /// The largest sum of magnitudes that a dense layer adds up for a value: terms that cancel leave their rounding.
    pub reach: f64,
}

impl Image {
    fn zeros(height: usize, width: usize, channels: usize) -> Image {
        Image { height, width, channels, values: vec![0.0; height * width * channels], reach: 0.0 }
    }

    /// The image of these extents, as in a graph's shapes.
    pub fn of(extents: &[usize], values: Vec<f64>) -> Image {
        let (height, width, channels) = match *extents {
            [height, width, channels] => (height, width, channels),
            [steps, channels] => (steps, 1, channels),
            [channels] => (1, 1, channels),
            _ => panic!("no image has the extents {extents:?}"),
        };
        assert_eq!(values.len(), height * width * channels, "as many values as places");
        Image { height, width, channels, values, reach: 0.0 }
    }

    fn at(&self, row: usize, column: usize, channel: usize) -> f64 {
        self.values[(row * self.width + column) * self.channels + channel]
    }

    fn set(&mut self, row: usize, column: usize, channel: usize, value: f64) {
        self.values[(row * self.width + column) * self.channels + channel] = value;
    }

    fn map(&self, function: impl Fn(f64) -> f64) -> Image {
        Image { values: self.values.iter().map(|&value| function(value)).collect(), ..self.clone() }
    }
}

/// Every layer's tensor, in the order of the layers, for what the caller hands over: of several inputs one after the other.
pub fn run(graph: &Graph, caller: &[f64]) -> Vec<Image> {
    let mut made: Vec<Option<Image>> = vec![None; graph.tensors.len()];
    let mut images = Vec::new();
    let mut caller = caller;
    for layer in &graph.layers {
        let inputs: Vec<&Image> = layer.inputs.iter().map(|input| made[input.0].as_ref().unwrap()).collect();
        let image = match &layer.operator {
            Operator::Input { scale, offset, .. } => {
                let extents = &graph.tensor(layer.output).shape.0;
                let (values, behind) = caller.split_at(extents.iter().product());
                caller = behind;
                Image::of(extents, values.to_vec()).map(|value| value * f64::from(*scale) + f64::from(*offset))
            }
            operator => compute(operator, &inputs),
        };
        made[layer.output.0] = Some(image.clone());
        images.push(image);
    }
    assert!(caller.is_empty(), "as many values as the inputs take");
    images
}

/// What the model answers with.
pub fn outputs(graph: &Graph, caller: &[f64]) -> Vec<Image> {
    let images = run(graph, caller);
    graph.outputs.iter().map(|&output| images[graph.maker(output).unwrap()].clone()).collect()
}

/// The extents and the first tap's distance from the first place, along one axis, in Keras's words.
fn along(window: &Window, axis: usize, extent: usize) -> (usize, i64) {
    let span = (window.size[axis] - 1) * window.dilation[axis] + 1;
    match window.padding {
        Padding::Valid => ((extent - span) / window.stride[axis] + 1, 0),
        Padding::Explicit { before, after } => {
            ((before[axis] + extent + after[axis] - span) / window.stride[axis] + 1, before[axis] as i64)
        }
        Padding::Same => {
            let outputs = extent.div_ceil(window.stride[axis]);
            let padding = ((outputs - 1) * window.stride[axis] + span).saturating_sub(extent);
            (outputs, (padding / 2) as i64)
        }
    }
}

/// Calls `place` with the input places under an output's window that exist, and their tap.
fn each_place(
    window: &Window,
    input: &Image,
    row: usize,
    column: usize,
    mut place: impl FnMut(usize, usize, usize, usize),
) {
    let (_, above) = along(window, 0, input.height);
    let (_, left) = along(window, 1, input.width);
    for vertical in 0..window.size[0] {
        for horizontal in 0..window.size[1] {
            let y = (row * window.stride[0] + vertical * window.dilation[0]) as i64 - above;
            let x = (column * window.stride[1] + horizontal * window.dilation[1]) as i64 - left;
            if (0..input.height as i64).contains(&y) && (0..input.width as i64).contains(&x) {
                place(vertical, horizontal, y as usize, x as usize);
            }
        }
    }
}

fn apply(function: Function, x: f64) -> f64 {
    match function {
        Function::Relu => x.max(0.0),
        Function::Relu6 => x.clamp(0.0, 6.0),
        Function::Clamp { least, greatest } => x.clamp(f64::from(least), f64::from(greatest)),
        Function::LeakyRelu { slope } => x.max(0.0) + f64::from(slope) * x.min(0.0),
        Function::ThresholdRelu { slope, threshold, greatest } => match x - f64::from(threshold) {
            below if below <= 0.0 => f64::from(slope) * below,
            _ => x.max(0.0).min(f64::from(greatest)),
        },
        Function::Elu { alpha } => x.max(0.0) + f64::from(alpha) * (x.min(0.0).exp() - 1.0),
        Function::Selu => 1.0507009873554805 * (x.max(0.0) + 1.6732632423543772 * (x.min(0.0).exp() - 1.0)),
        Function::Gelu => x * normal_below(x),
        Function::GeluTanh => 0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()),
        Function::Silu => x / (1.0 + (-x).exp()),
        Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Function::HardSigmoid { slope } => (f64::from(slope) * x + 0.5).clamp(0.0, 1.0),
        Function::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        Function::Tanh => x.tanh(),
        Function::Softplus if x > 30.0 => x,
        Function::Softplus => (1.0 + x.exp()).ln(),
        Function::Softsign => x / (1.0 + x.abs()),
        Function::Exponential => x.exp(),
        Function::Step => f64::from(u8::from(x >= 0.0)),
    }
}

/// The probability that a normal number is below `x`: its density integrated by Simpson's rule.
fn normal_below(x: f64) -> f64 {
    const HALVES: usize = 400;
    let x = x.clamp(-9.0, 9.0);
    let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * PI).sqrt();
    let width = x / (2 * HALVES) as f64;
    let inner = (1..2 * HALVES).map(|index| density(index as f64 * width) * if index % 2 == 1 { 4.0 } else { 2.0 });
    0.5 + width / 3.0 * (density(0.0) + inner.sum::<f64>() + density(x))
}

fn real_weights(weights: &Weights) -> &[f32] {
    match weights {
        Weights::F32(values) => values,
        Weights::I8 { .. } | Weights::I4 { .. } => panic!("the oracle runs f32 graphs"),
    }
}

fn real_bias(bias: &Option<Bias>, channel: usize) -> f64 {
    match bias {
        None => 0.0,
        Some(Bias::F32(values)) => f64::from(values[channel]),
        Some(Bias::I32(_) | Bias::I64(_)) => panic!("the oracle runs f32 graphs"),
    }
}

fn activated(image: Image, activation: Option<Function>) -> Image {
    match activation {
        None => image,
        Some(function) => image.map(|x| apply(function, x)),
    }
}

fn compute(operator: &Operator, inputs: &[&Image]) -> Image {
    let input = inputs[0];
    match operator {
        Operator::Input { .. } => unreachable!("an input has no inputs"),
        Operator::Convolution { weights, bias, window, activation } => {
            let weights = real_weights(weights);
            let filters = weights.len() / (window.size[0] * window.size[1] * input.channels);
            let mut output = Image::zeros(along(window, 0, input.height).0, along(window, 1, input.width).0, filters);
            for row in 0..output.height {
                for column in 0..output.width {
                    for filter in 0..filters {
                        let mut sum = real_bias(bias, filter);
                        each_place(window, input, row, column, |vertical, horizontal, y, x| {
                            for channel in 0..input.channels {
                                let tap = (filter * window.size[0] + vertical) * window.size[1] + horizontal;
                                sum += f64::from(weights[tap * input.channels + channel]) * input.at(y, x, channel);
                            }
                        });
                        output.set(row, column, filter, sum);
                    }
                }
            }
            activated(output, *activation)
        }
        Operator::Depthwise { weights, bias, window, multiplier, activation } => {
            let weights = real_weights(weights);
            let channels = input.channels * multiplier;
            let mut output = Image::zeros(along(window, 0, input.height).0, along(window, 1, input.width).0, channels);
            for row in 0..output.height {
                for column in 0..output.width {
                    for channel in 0..channels {
                        let mut sum = real_bias(bias, channel);
                        each_place(window, input, row, column, |vertical, horizontal, y, x| {
                            let tap = vertical * window.size[1] + horizontal;
                            sum += f64::from(weights[tap * channels + channel]) * input.at(y, x, channel / multiplier);
                        });
                        output.set(row, column, channel, sum);
                    }
                }
            }
            activated(output, *activation)
        }
        Operator::Dense { weights, bias, activation } => {
            let weights = real_weights(weights);
            let outputs = weights.len() / input.values.len();
            let mut output = Image::zeros(1, 1, outputs);
            for index in 0..outputs {
                let weights = &weights[index * input.values.len()..][..input.values.len()];
                let products = weights.iter().zip(&input.values).map(|(&weight, value)| f64::from(weight) * value);
                output.reach = output.reach.max(products.clone().map(f64::abs).sum());
                output.values[index] = real_bias(bias, index) + products.sum::<f64>();
            }
            activated(output, *activation)
        }
        Operator::PositionwiseDense { weights, bias, activation } => {
            let weights = real_weights(weights);
            let outputs = weights.len() / input.channels;
            let mut output = Image::zeros(input.height, input.width, outputs);
            for row in 0..input.height {
                for column in 0..input.width {
                    for index in 0..outputs {
                        let products = (0..input.channels).map(|channel| {
                            f64::from(weights[index * input.channels + channel]) * input.at(row, column, channel)
                        });
                        output.set(row, column, index, real_bias(bias, index) + products.sum::<f64>());
                    }
                }
            }
            activated(output, *activation)
        }
        Operator::GlobalMaxPool { .. } => {
            let mut output = Image::zeros(1, 1, input.channels);
            for (channel, largest) in output.values.iter_mut().enumerate() {
                *largest = input.values.iter().skip(channel).step_by(input.channels).copied().fold(f64::MIN, f64::max);
            }
            output
        }
        Operator::Pad { before, after, value } => {
            let [height, width, channels] = [input.height, input.width, input.channels];
            let around = |axis: usize| before[axis] + after[axis];
            let mut output = Image::zeros(height + around(0), width + around(2), channels + around(3));
            output.values.fill(f64::from(*value));
            each(input, |row, column, channel, value| {
                output.set(row + before[0], column + before[2], channel + before[3], value);
            });
            output
        }
        Operator::Concatenate { axis } => {
            let second = inputs[1];
            let mut extents = [input.height, input.width, input.channels];
            let mut behind = [0; 3];
            let place = match axis {
                Axis::Rows => 0,
                Axis::Columns => 1,
                Axis::Channels => 2,
                Axis::Lines => panic!("no image has lines in its rows"),
            };
            behind[place] = extents[place];
            extents[place] += [second.height, second.width, second.channels][place];
            let mut output = Image::zeros(extents[0], extents[1], extents[2]);
            each(input, |row, column, channel, value| output.set(row, column, channel, value));
            each(second, |row, column, channel, value| {
                output.set(row + behind[0], column + behind[1], channel + behind[2], value);
            });
            output
        }
        Operator::Crop { before, shape } => {
            let mut output = Image::of(&shape.0, vec![0.0; shape.elements()]);
            let [row, column, channel] = places(before);
            for (place, value) in output.values.iter_mut().enumerate() {
                let [_, width, channels] = [output.height, output.width, output.channels];
                let (pixel, last) = (place / channels, place % channels);
                *value = input.at(row + pixel / width, column + pixel % width, channel + last);
            }
            output
        }
        Operator::Transpose { axes } => {
            let extents = match axes.len() {
                2 => vec![input.height, input.channels],
                _ => vec![input.height, input.width, input.channels],
            };
            let shape: Vec<usize> = axes.iter().map(|&axis| extents[axis]).collect();
            let mut output = Image::of(&shape, vec![0.0; input.values.len()]);
            each(input, |row, column, channel, value| {
                let from = if axes.len() == 2 { vec![row, channel] } else { vec![row, column, channel] };
                let [row, column, channel] = places(&axes.iter().map(|&axis| from[axis]).collect::<Vec<_>>());
                output.set(row, column, channel, value);
            });
            output
        }
        Operator::Reshape { shape } => Image::of(&shape.0, input.values.clone()),
        Operator::ResizeNearest { size: [height, _, width], nearest } => {
            // TensorFlow's three ways, without its rounding to f32.
            let near = |place: usize, outputs: usize, inputs: usize| match (
                nearest.align_corners && outputs > 1,
                nearest.half_pixel_centers,
            ) {
                (true, _) => (2 * place * (inputs - 1) + outputs - 1) / (2 * (outputs - 1)),
                (false, true) => (2 * place + 1) * inputs / (2 * outputs),
                (false, false) => place * inputs / outputs,
            };
            let mut output = Image::zeros(*height, *width, input.channels);
            for row in 0..*height {
                for column in 0..*width {
                    let (y, x) = (near(row, *height, input.height), near(column, *width, input.width));
                    for channel in 0..input.channels {
                        output.set(row, column, channel, input.at(y, x, channel));
                    }
                }
            }
            output
        }
        Operator::ResizeBilinear { size: [height, width], linear } => {
            // Where a place lies, as a fraction of two whole numbers; and its neighbours, with how much each counts.
            let between = |place: usize, outputs: usize, inputs: usize| {
                let at = match (linear.align_corners && outputs > 1, linear.half_pixel_centers) {
                    (true, _) => (place * (inputs - 1)) as f64 / (outputs - 1) as f64,
                    (false, true) => (2 * place + 1) as f64 * inputs as f64 / (2 * outputs) as f64 - 0.5,
                    (false, false) => (place * inputs) as f64 / outputs as f64,
                };
                let at = at.clamp(0.0, (inputs - 1) as f64);
                [(at.floor() as usize, 1.0 - at.fract()), (at.ceil() as usize, at.fract())]
            };
            let mut output = Image::zeros(*height, *width, input.channels);
            for row in 0..*height {
                for column in 0..*width {
                    for channel in 0..input.channels {
                        let mut sum = 0.0;
                        for (y, part) in between(row, *height, input.height) {
                            for (x, of_it) in between(column, *width, input.width) {
                                sum += part * of_it * input.at(y, x, channel);
                            }
                        }
                        output.set(row, column, channel, sum);
                    }
                }
            }
            output
        }
        Operator::MaxPool { window } => pool(window, input, |places| places.iter().copied().fold(f64::MIN, f64::max)),
        Operator::AveragePool { window } => {
            pool(window, input, |places| places.iter().sum::<f64>() / places.len() as f64)
        }
        Operator::GlobalAveragePool { .. } => {
            let mut output = Image::zeros(1, 1, input.channels);
            for row in 0..input.height {
                for column in 0..input.width {
                    for channel in 0..input.channels {
                        output.values[channel] += input.at(row, column, channel) / (input.height * input.width) as f64;
                    }
                }
            }
            output
        }
        Operator::Pairwise { function, constant, activation } => {
            let held = constant.as_ref().map(|Constant { shape, numbers, .. }| match numbers {
                Numbers::F32(values) => Image::of(&shape.0, values.iter().map(|&value| f64::from(value)).collect()),
                Numbers::I8 { .. } | Numbers::I16 { .. } => panic!("the oracle runs f32 graphs"),
            });
            let other = held.as_ref().unwrap_or_else(|| inputs[1]);
            let first = constant.as_ref().is_some_and(|constant| constant.first);
            let [first, second] = if first { [other, input] } else { [input, other] };
            activated(pairwise(*function, first, second), *activation)
        }
        Operator::Activation(function) => input.map(|x| apply(*function, x)),
        Operator::Requantize { .. } => panic!("the oracle runs f32 graphs"),
        Operator::Softmax => {
            let mut output = input.clone();
            for pixel in output.values.chunks_mut(input.channels) {
                let largest = pixel.iter().copied().fold(f64::MIN, f64::max);
                let sum: f64 = pixel.iter().map(|x| (x - largest).exp()).sum();
                for x in pixel {
                    *x = (*x - largest).exp() / sum;
                }
            }
            output
        }
        Operator::Flatten => Image { height: 1, width: 1, channels: input.values.len(), ..input.clone() },
        Operator::ScaleShift { scale, shift } => {
            let mut output = input.clone();
            for pixel in output.values.chunks_mut(input.channels) {
                for ((x, &scale), &shift) in pixel.iter_mut().zip(scale).zip(shift) {
                    *x = *x * f64::from(scale) + f64::from(shift);
                }
            }
            output
        }
        Operator::Identity => input.clone(),
    }
}

fn each(image: &Image, mut value: impl FnMut(usize, usize, usize, f64)) {
    for row in 0..image.height {
        for column in 0..image.width {
            for channel in 0..image.channels {
                value(row, column, channel, image.at(row, column, channel));
            }
        }
    }
}

/// Every place of the output, with the operands' places of which there is one pinned to it.
fn pairwise(function: PairFunction, first: &Image, second: &Image) -> Image {
    let longer = |a: usize, b: usize| {
        assert!(a == b || a == 1 || b == 1, "extents of {a} and {b}");
        a.max(b)
    };
    let mut output = Image::zeros(
        longer(first.height, second.height),
        longer(first.width, second.width),
        longer(first.channels, second.channels),
    );
    let at = |operand: &Image, row: usize, column: usize, channel: usize| {
        operand.at(row % operand.height, column % operand.width, channel % operand.channels)
    };
    for row in 0..output.height {
        for column in 0..output.width {
            for channel in 0..output.channels {
                let (a, b) = (at(first, row, column, channel), at(second, row, column, channel));
                let value = match function {
                    PairFunction::Add => a + b,
                    PairFunction::Subtract => a - b,
                    PairFunction::Multiply => a * b,
                    PairFunction::Maximum => a.max(b),
                    PairFunction::Minimum => a.min(b),
                    PairFunction::Prelu => a.max(0.0) + b * a.min(0.0),
                };
                output.set(row, column, channel, value);
            }
        }
    }
    output
}

fn pool(window: &Window, input: &Image, of: impl Fn(&[f64]) -> f64) -> Image {
    let (height, width) = (along(window, 0, input.height).0, along(window, 1, input.width).0);
    let mut output = Image::zeros(height, width, input.channels);
    for row in 0..height {
        for column in 0..width {
            for channel in 0..input.channels {
                let mut places = Vec::new();
                each_place(window, input, row, column, |_, _, y, x| places.push(input.at(y, x, channel)));
                output.set(row, column, channel, of(&places));
            }
        }
    }
    output
}

/// Errors with the first difference beyond `part` of the largest value, and beyond what rounding leaves.
#[allow(dead_code, reason = "each test takes what it needs of the shared oracle")]
pub fn agree(expected: &Image, actual: &Image, part: f64) -> Result<(), String> {
    if expected.values.len() != actual.values.len() {
        return Err(format!("{} values became {}", expected.values.len(), actual.values.len()));
    }
    let largest = expected.values.iter().fold(1e-6, |largest: f64, value| largest.max(value.abs()));
    let allowed = (part * largest).max(tolerance::F32_SUM * expected.reach);
    for (index, (expected, actual)) in expected.values.iter().zip(&actual.values).enumerate() {
        let difference = (expected - actual).abs();
        if difference.is_nan() || difference > allowed {
            return Err(format!("value {index} is {actual}, not {expected}, where the largest is {largest}"));
        }
    }
    Ok(())
}

/// Row, column and channel of a place in a tensor of one to three axes.
fn places(place: &[usize]) -> [usize; 3] {
    match *place {
        [row, column, channel] => [row, column, channel],
        [row, channel] => [row, 0, channel],
        _ => [0, 0, place[0]],
    }
}
