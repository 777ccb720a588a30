//! From an f32 graph and the ranges of its activations to an int8 graph, after the TensorFlow Lite
//! 8-bit quantization specification.
//!
//! [`calibrate()`] runs the f32 graph over frames and notes each tensor's range ([`Ranges`], which
//! can be kept in a file), [`quantize`] applies them:
//!
//! - Activations are asymmetric per tensor. The range is widened to zero, for padding is zero and
//!   must be exact; what a fused activation can't leave is cut off.
//! - Weights are symmetric per output channel, biases `i32` in steps of
//!   `input scale * weight scale`.
//! - A max pool, an average pool and what only moves values pass on their input's scale and zero point; tensors that
//!   are put together have one, over the ranges of all. What only
//!   a max pool reads takes the range of what the pool makes: values below it never come through.
//! - Softmax and sigmoids have scale 1/256 and zero point -128, a hyperbolic tangent 1/128 and 0.
//! - A constant operand is asymmetric per tensor, of its own range. Maximum and minimum compare stored values:
//!   what they read is brought to their output's scale first.
//! - An input of pixels whose offset is a whole number of steps keeps them exactly: with
//!   Rescaling(1/255) the stored value is the pixel minus 128. Of any other the exact range is
//!   known without calibration.
//! - An input of f32 becomes one of int8: the caller hands over quantized values.
//!
//! Outputs stay int8, their scale and zero point are the output tensor's.
//!
//! What loses less, each by itself or together:
//!
//! - [`equalize()`] moves channels' scales between layers of the f32 graph, before it is calibrated.
//! - [`Method::Mse`] and [`Method::Percentile`] choose ranges that cut outliers off.
//! - Where the ranges have the [means](Ranges::mean) of the tensors' channels, what rounded weights add to the mean of a layer's
//!   output is taken out of its bias (bias correction, Nagel et al. 2019).
//!
//! int16x8 is the same with activations of 16 bits, symmetric around zero: their scale is the range's larger end over 32767,
//! that of softmax, sigmoids and a hyperbolic tangent 1/32768. Biases are `i64`. [`quantize_mixed`] gives each layer the
//! [element type](Elements) that is asked for, and converts between those that differ.

mod activations;
mod auto;
mod calibrate;
mod equalize;
mod mixed;
mod observe;
mod operands;
mod ranges;
mod shared;
mod weights;

use std::collections::{BTreeSet, HashSet};

pub use activations::activation_quantization;
pub use auto::{Chosen, choose};
pub use calibrate::calibrate;
pub use equalize::equalize;
pub use mixed::Elements;
pub use observe::Observer;
pub use ranges::{Method, Ranges};
pub use weights::{QuantizedWeights, quantize_weights, quantize_weights_int4};

use crate::error::Error;
use crate::graph::{Bias, Element, Function, Graph, Layer, Operator, Quantization, TensorId, Weights};
use crate::passes::channels::Channels;

/// The largest bias of an int16x8 layer: sums have 48 bits.
const LARGEST_WIDE_BIAS: f64 = (1u64 << 45) as f64;

/// Scale and zero point of probabilities: 0 to 255/256.
const PROBABILITY: Quantization = Quantization { scale: 1.0 / 256.0, zero_point: -128 };

/// Scale and zero point of a hyperbolic tangent: -1 to 127/128.
const TANH: Quantization = Quantization { scale: 1.0 / 128.0, zero_point: 0 };

/// Scale of what lies between -1 and 1 in 16 bits.
const UNIT: Quantization = Quantization { scale: 1.0 / 32768.0, zero_point: 0 };

/// Quantizes a graph that has gone through the [passes](crate::passes) to int8.
///
/// # Errors
/// When the ranges lack a tensor, two layers have one name, a layer is quantized already, or its
/// numbers are too large.
pub fn quantize(graph: &Graph, ranges: &Ranges) -> Result<Graph, Error> {
    quantize_mixed(graph, ranges, &Elements::all(Element::I8))
}

/// As [`quantize`], with [weights of four bits](quantize_weights_int4) in the layers with the indices `int4`.
///
/// # Errors
/// As [`quantize`].
pub fn quantize_with_int4(graph: &Graph, ranges: &Ranges, int4: &BTreeSet<usize>) -> Result<Graph, Error> {
    let mut elements = Elements::all(Element::I8);
    int4.iter().filter_map(|&index| graph.layers.get(index)).for_each(|layer| elements.shorten(&layer.name));
    quantize_mixed(graph, ranges, &elements)
}

/// As [`quantize`], with another element type for some layers or all.
///
/// # Errors
/// As [`quantize`], and when an element type is asked for a layer that there is not.
pub fn quantize_mixed(graph: &Graph, ranges: &Ranges, elements: &Elements) -> Result<Graph, Error> {
    graph.check()?;
    check_names(graph)?;
    let mut graph = graph.clone();
    mixed::assign(&mut graph, elements)?;
    let graph = &graph;
    let mut quantized = graph.clone();
    for (index, layer) in graph.layers.iter().enumerate() {
        let element = graph.tensor(layer.output).element;
        if !element.is_quantized() {
            continue;
        }
        let int4 = element == Element::I8 && elements.is_short(&layer.name);
        let quantizer = Quantizer { graph, ranges, quantized: &quantized, layer, element, int4 };
        let output = quantizer.output()?;
        let operator = quantizer.operator(output)?;
        quantized.layers[index].operator = operator;
        quantized.tensors[layer.output.0].quantization = Some(output);
    }
    operands::bring_to_one_scale(&mut quantized);
    Ok(quantized)
}

/// The layers whose weights lose little in four bits beside the flash that they save: all but depthwise ones, which have few,
/// and the first and the last that have any.
pub fn int4_layers(graph: &Graph) -> BTreeSet<usize> {
    let all = weighted(graph);
    let (first, last) = (all.first().copied(), all.last().copied());
    let is_depthwise = |layer: usize| matches!(graph.layers[layer].operator, Operator::Depthwise { .. });
    all.into_iter().filter(|&layer| Some(layer) != first && Some(layer) != last && !is_depthwise(layer)).collect()
}

/// The layers that have weights.
pub fn weighted(graph: &Graph) -> BTreeSet<usize> {
    let layers = graph.layers.iter().enumerate();
    layers.filter(|(_, layer)| layer.operator.weights().is_some()).map(|(index, _)| index).collect()
}

/// Ranges are found by name.
fn check_names(graph: &Graph) -> Result<(), Error> {
    let mut names = HashSet::new();
    match graph.layers.iter().find(|layer| !names.insert(graph.tensor(layer.output).name.as_str())) {
        Some(layer) => Err(Error::layer(&layer.name, "two layers have this name; int8 finds ranges by name")),
        None => Ok(()),
    }
}

/// One layer, and the graph whose layers before it are quantized already.
struct Quantizer<'a> {
    graph: &'a Graph,
    ranges: &'a Ranges,
    quantized: &'a Graph,
    layer: &'a Layer,
    /// What the layer makes: int8 or int16.
    element: Element,
    /// Whether its weights are of four bits.
    int4: bool,
}

impl Quantizer<'_> {
    fn error(&self, reason: impl Into<String>) -> Error {
        Error::layer(&self.layer.name, reason)
    }

    /// Scale and zero point of an input.
    fn input(&self, index: usize) -> Result<Quantization, Error> {
        let input = self.layer.inputs.get(index).and_then(|&input| self.quantized.tensor(input).quantization);
        input.ok_or_else(|| self.error("has too few inputs"))
    }

    /// Scale and zero point of the tensor that the layer makes.
    fn output(&self) -> Result<Quantization, Error> {
        match &self.layer.operator {
            Operator::Input { element: Element::I8 | Element::I16, .. } => Err(self.error("is quantized already")),
            &Operator::Input { element: Element::U8, scale, offset } => match self.element {
                Element::I16 => activations::pixel_quantization_int16(scale, offset),
                _ => activations::pixel_quantization(scale, offset),
            }
            .ok_or_else(|| self.error(format!("pixels times {scale} plus {offset} do not fit int8"))),
            Operator::Concatenate { .. } => self.calibrated(None),
            operator if shared::copies(operator) => self.input(0),
            Operator::Softmax
            | Operator::Activation(Function::Sigmoid | Function::HardSigmoid { .. } | Function::Tanh)
                if self.element == Element::I16 =>
            {
                Ok(UNIT)
            }
            Operator::Softmax | Operator::Activation(Function::Sigmoid | Function::HardSigmoid { .. }) => {
                Ok(PROBABILITY)
            }
            Operator::Activation(Function::Tanh) => Ok(TANH),
            Operator::Requantize { through: Some(_) } => Err(self.error("is quantized already")),
            Operator::ScaleShift { .. } | Operator::Identity => {
                Err(self.error(format!("{} should have been folded away", self.layer.operator.name())))
            }
            Operator::Convolution { activation, .. }
            | Operator::Depthwise { activation, .. }
            | Operator::Dense { activation, .. }
            | Operator::PositionwiseDense { activation, .. }
            | Operator::Pairwise { activation, .. } => self.calibrated(*activation),
            Operator::Activation(function) => self.calibrated(Some(*function)),
            _ => self.calibrated(None),
        }
    }

    /// Scale and zero point from the tensor's range, cut to what an activation leaves; of tensors that are put
    /// together, from all of theirs.
    fn calibrated(&self, activation: Option<Function>) -> Result<Quantization, Error> {
        let mut reach = self.reach()?;
        if let Some(ends) = activation.and_then(Function::clamps) {
            // Six, where a Relu6 cuts, is a number of steps too.
            reach = ends.into_iter().filter(|end| end.is_finite()).map(f64::from).map(f64::abs).fold(reach, f64::max);
        }
        let joined = shared::joined(self.graph, self.layer.output);
        let agreed =
            joined.iter().map(|&index| &self.graph.layers[index]).filter(|layer| !shared::has_its_own(&layer.operator));
        let agreed = agreed.filter_map(|layer| self.quantized.tensor(layer.output).quantization).next();
        if let Some(agreed) = agreed {
            return match activations::covers(agreed, reach) {
                true => Ok(agreed),
                false => {
                    Err(self.error("its values are too large for the scale of those that they are put together with"))
                }
            };
        }
        let mut range = self.cut(self.layer, activation)?;
        for &index in &joined {
            let layer = &self.graph.layers[index];
            let activation = match &layer.operator {
                Operator::Activation(function) => Some(*function),
                operator => operator.clone().activation_mut().copied().flatten(),
            };
            let [least, greatest] = self.cut(layer, activation)?;
            range = [range[0].min(least), range[1].max(greatest)];
        }
        let (element, name) = (self.element, self.element.name());
        activations::quantization(element, range, reach)
            .ok_or_else(|| self.error(format!("its values are too large for {name}")))
    }

    /// The range of what a layer makes, cut to what an activation leaves.
    fn cut(&self, layer: &Layer, activation: Option<Function>) -> Result<[f32; 2], Error> {
        let range = self.range(layer)?;
        let Some(function) = activation else { return Ok(range) };
        let [low, high] = function.bounds([f64::NEG_INFINITY, f64::INFINITY]);
        Ok(range.map(|end| f64::from(end).max(low).min(high) as f32))
    }

    /// The range of a layer's tensor; where only a max pool reads it, of what the pool makes.
    fn range(&self, layer: &Layer) -> Result<[f32; 2], Error> {
        // A conversion's range is that of what it converts.
        let converts = matches!(layer.operator, Operator::Requantize { .. });
        let mut tensor = layer.inputs.first().copied().filter(|_| converts).unwrap_or(layer.output);
        while let Some(pool) = self.only_max_pool(tensor) {
            tensor = pool.output;
        }
        let name = &self.graph.tensor(tensor).name;
        self.ranges.get(name).ok_or_else(|| {
            Error::layer(name, "the activation ranges have no entry for it: calibrate again, with this very model")
        })
    }

    /// The max pool that alone reads a tensor.
    fn only_max_pool(&self, tensor: TensorId) -> Option<&Layer> {
        let mut readers = self.graph.layers.iter().filter(|layer| layer.inputs.contains(&tensor));
        let reader = readers.next()?;
        let alone = readers.next().is_none() && !self.graph.outputs.contains(&tensor);
        (alone && matches!(reader.operator, Operator::MaxPool { .. })).then_some(reader)
    }

    /// The largest magnitude that the layer can make of any stored input, before a clamp.
    fn reach(&self) -> Result<f64, Error> {
        let largest = |index: usize| Ok(activations::largest(self.element, self.input(index)?));
        match &self.layer.operator {
            Operator::Input { .. } | Operator::Requantize { .. } => Ok(0.0),
            Operator::Pairwise { function, constant, .. } => self.reach_of_pair(*function, constant.as_ref()),
            operator => match self.channels(operator) {
                None => largest(0),
                Some(channels) => {
                    let (weights, bias) = self.trained(operator)?;
                    let mut reach: Vec<f64> = match bias {
                        Some(bias) => bias.iter().map(|&bias| f64::from(bias.abs())).collect(),
                        None => vec![0.0; channels.outputs],
                    };
                    let largest = largest(0)?;
                    for (index, &weight) in weights.iter().enumerate() {
                        reach[channels.output_of(index)] += f64::from(weight.abs()) * largest;
                    }
                    Ok(reach.into_iter().fold(0.0, f64::max))
                }
            },
        }
    }

    fn channels(&self, operator: &Operator) -> Option<Channels> {
        let inputs = self.graph.tensor(*self.layer.inputs.first()?).shape.channels();
        Channels::of(operator, inputs, self.graph.tensor(self.layer.output).shape.channels())
    }

    fn trained<'b>(&self, operator: &'b Operator) -> Result<(&'b [f32], Option<&'b [f32]>), Error> {
        match operator.weights() {
            Some((Weights::F32(weights), None)) => Ok((weights, None)),
            Some((Weights::F32(weights), Some(Bias::F32(bias)))) => Ok((weights, Some(bias))),
            Some(_) => Err(self.error("is quantized already")),
            None => Err(self.error("has no weights")),
        }
    }

    /// What the rounding of weights adds to each output channel in the mean, where the means of the input's channels are known.
    fn added_by_rounding(&self, channels: Channels, trained: &[f32], numbers: &QuantizedWeights) -> Vec<f64> {
        let mut added = vec![0f64; channels.outputs];
        let name = self.layer.inputs.first().map(|&input| self.source(input));
        let Some(means) = name.and_then(|name| self.ranges.mean(name)) else { return added };
        for (index, (&weight, &stored)) in trained.iter().zip(&numbers.values).enumerate() {
            let output = channels.output_of(index);
            let off = f64::from(numbers.scales[output]) * f64::from(stored) - f64::from(weight);
            added[output] += off * means.get(channels.input_of(index)).copied().map_or(0.0, f64::from);
        }
        added
    }

    /// The name of a tensor, or of what it is converted from.
    fn source(&self, tensor: TensorId) -> &str {
        let maker = self.graph.maker(tensor).map(|maker| &self.graph.layers[maker]);
        let converted = maker.filter(|layer| matches!(layer.operator, Operator::Requantize { .. }));
        let tensor = converted.and_then(|layer| layer.inputs.first()).copied().unwrap_or(tensor);
        &self.graph.tensor(tensor).name
    }

    /// The layer's operator with quantized weights.
    fn operator(&self, output: Quantization) -> Result<Operator, Error> {
        let mut operator = self.layer.operator.clone();
        match &mut operator {
            Operator::Input { element: element @ Element::F32, scale, offset } => {
                *element = self.element;
                *scale = output.scale;
                *offset = -output.scale * output.zero_point as f32;
            }
            Operator::Convolution { weights, bias, .. }
            | Operator::Depthwise { weights, bias, .. }
            | Operator::Dense { weights, bias, .. }
            | Operator::PositionwiseDense { weights, bias, .. } => {
                let channels = self.channels(&self.layer.operator).ok_or_else(|| self.error("has too few inputs"))?;
                let (trained, trained_bias) = self.trained(&self.layer.operator)?;
                let input_scale = self.input(0)?.scale;
                // A wide bias overflows with no scale.
                let narrow_bias = trained_bias.filter(|_| self.element == Element::I8);
                let of = if self.int4 { quantize_weights_int4 } else { quantize_weights };
                let output_of = |index| channels.output_of(index);
                let numbers = of(trained, narrow_bias, channels.outputs, input_scale, output_of);
                let mut real = trained_bias.map_or_else(
                    || vec![0.0; channels.outputs],
                    |bias| bias.iter().map(|&bias| f64::from(bias)).collect(),
                );
                let added = self.added_by_rounding(channels, trained, &numbers);
                real.iter_mut().zip(added).for_each(|(bias, added)| *bias -= added);
                let stored = real.iter().zip(&numbers.scales);
                let stored = stored.map(|(bias, &scale)| (bias / (f64::from(input_scale) * f64::from(scale))).round());
                *bias = Some(match self.element {
                    Element::I16 => Bias::I64(
                        stored.map(|steps| steps.clamp(-LARGEST_WIDE_BIAS, LARGEST_WIDE_BIAS) as i64).collect(),
                    ),
                    // `as` saturates, which an enlarged scale's own rounding could need.
                    _ => Bias::I32(stored.map(|steps| steps as i32).collect()),
                });
                let QuantizedWeights { values, scales, .. } = numbers;
                *weights = if self.int4 { Weights::I4 { values, scales } } else { Weights::I8 { values, scales } };
            }
            Operator::Pairwise { function, constant: Some(constant), .. } => {
                *constant = self.constant(*function, constant, output)?;
            }
            _ => {}
        }
        Ok(operator)
    }
}
