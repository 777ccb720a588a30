//! Nodes with trained numbers: Conv, Gemm, MatMul, BatchNormalization.

use super::Builder;
use super::layout::View;
use super::message::Node;
use super::quantized::{Stored, StoredNumbers};
use super::tensors::Constant;
use crate::error::Error;
use crate::graph::{Bias, Operator, Quantization, Shape, Weights, Window};

/// Weights of the file, in its order, and the scales of their outputs where they are stored ones.
pub(super) struct Trained {
    pub(super) extents: Vec<usize>,
    pub(super) numbers: Weights,
}

impl<'a> Builder<'a> {
    /// Conv, over one, two or three spatial axes.
    pub(super) fn convolution(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.channels_last(node, &view)?;
        let spatial = view.axes.len() - 1;
        let Trained { extents, numbers } = self.trained(node, 1, 0)?;
        let &[outputs, inputs, ref taps @ ..] = extents.as_slice() else {
            return Err(node.error(format!("has weights of the extents {extents:?}")));
        };
        if taps.len() != spatial || !(1..=3).contains(&spatial) {
            return Err(
                node.error(format!("has weights of the extents {extents:?} for an input of {spatial} spatial axes"))
            );
        }
        if let Some(declared) = node.integers("kernel_shape")?
            && !declared.iter().map(|&size| usize::try_from(size).ok()).eq(taps.iter().map(|&size| Some(size)))
        {
            return Err(node.error("has a kernel_shape that its weights do not have"));
        }
        let channels = self.graph.tensor(view.id).shape.channels();
        let groups = usize::try_from(node.integer("group", 1)?).unwrap_or(0);
        let fits = groups > 0 && inputs.checked_mul(groups) == Some(channels) && outputs.is_multiple_of(groups);
        if !fits {
            let reason = format!(
                "has {outputs} kernels of {inputs} channels in {groups} groups for an input of {channels} channels"
            );
            return Err(node.error(reason));
        }
        let (view, window) = self.padded_window(node, view, taps, None)?;
        let bias = self.bias(node, 2, &view, &numbers, outputs)?;
        let count: usize = taps.iter().product();
        // From [output][input][tap] to the layouts of the operators.
        let operator = if groups == channels && inputs == 1 && channels > 1 {
            let multiplier = outputs / channels;
            let weights = reordered(&numbers, |place| place % outputs * count + place / outputs);
            Operator::Depthwise { weights, bias, window, multiplier, activation: None }
        } else if groups == 1 {
            let filter = (inputs * count).max(1);
            let weights = reordered(&numbers, |place| {
                let within = place % filter;
                place - within + within % inputs * count + within / inputs
            });
            Operator::Convolution { weights, bias, window, activation: None }
        } else {
            return Err(node.error(format!(
                "is a convolution in {groups} groups of {channels} channels; supported are one group, and one for each channel"
            )));
        };
        self.emit(index, node, operator, vec![view.id], view)
    }

    /// Gemm: a dense layer.
    pub(super) fn gemm(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        if node.integer("transA", 0)? != 0 {
            return Err(node.error("transposes what it reads (transA), which is not supported"));
        }
        let transposed = node.integer("transB", 0)? != 0;
        let factor = node.float("alpha", 1.0)?;
        let factor_of_bias = node.float("beta", 1.0)?;
        let view = self.read(node, 0)?;
        if self.extents(&view).len() != 1 {
            return Err(node.error("reads a value with several axes beside the batch"));
        }
        let trained = self.trained(node, 1, if transposed { 0 } else { 1 })?;
        let weights = self.matrix_of(node, trained, transposed)?;
        let outputs = weights.extents[0];
        let mut bias = self.bias(node, 2, &view, &weights.numbers, outputs)?;
        let mut numbers = weights.numbers;
        if let (Weights::F32(numbers), true) = (&mut numbers, factor != 1.0) {
            numbers.iter_mut().for_each(|number| *number *= factor);
        }
        if let (Some(Bias::F32(numbers)), true) = (&mut bias, factor_of_bias != 1.0) {
            numbers.iter_mut().for_each(|number| *number *= factor_of_bias);
        }
        if matches!(numbers, Weights::I8 { .. }) && [factor, factor_of_bias] != [1.0; 2] {
            return Err(node.error("multiplies int8 by an alpha or beta, which is not supported"));
        }
        if view.is_of_places() {
            return self.at_every_place(index, node, view, numbers, bias);
        }
        self.dense(index, node, &view, numbers, bias)
    }

    /// MatMul by a matrix of the file.
    pub(super) fn matrix(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let trained = self.trained(node, 1, 1)?;
        let Trained { extents, numbers } = self.matrix_of(node, trained, false)?;
        if view.is_of_places() {
            return self.at_every_place(index, node, view, numbers, None);
        }
        if self.extents(&view).len() == 1 {
            return self.dense(index, node, &view, numbers, None);
        }
        let last = self.extents(&view).len() - 1;
        let view = self.with_last(node, &view, last)?;
        if self.graph.tensor(view.id).shape.channels() != extents[1] {
            return Err(node.error(format!("has weights of the extents {extents:?} for another number of channels")));
        }
        self.at_every_place(index, node, view, numbers, None)
    }

    /// A dense layer over the last axis of the graph's tensor, at every place of the others.
    fn at_every_place(
        &mut self,
        index: usize,
        node: &'a Node,
        view: View,
        weights: Weights,
        bias: Option<Bias>,
    ) -> Result<(), Error> {
        let operator = match weights {
            Weights::F32(_) => Operator::Convolution { weights, bias, window: Window::POINT, activation: None },
            Weights::I8 { .. } | Weights::I4 { .. } => Operator::PositionwiseDense { weights, bias, activation: None },
        };
        self.emit(index, node, operator, vec![view.id], view)
    }

    /// A dense layer over all numbers of a value, which the weights have in the file's order.
    fn dense(
        &mut self,
        index: usize,
        node: &'a Node,
        view: &View,
        weights: Weights,
        bias: Option<Bias>,
    ) -> Result<(), Error> {
        let inputs = self.graph.tensor(view.id).shape.elements();
        if inputs == 0 || weights.is_empty() || !weights.len().is_multiple_of(inputs) {
            return Err(node.error(format!("has {} weights for {inputs} inputs", weights.len())));
        }
        self.budget.take(inputs, 2 * size_of::<usize>())?;
        let order = Shape(self.extents(&view.clone().whole())).order(&view.axes);
        let weights = reordered(&weights, |place| place - place % inputs + order[place % inputs]);
        let operator = Operator::Dense { weights, bias, activation: None };
        self.emit(index, node, operator, vec![view.id], View::in_order(view.id, 1))
    }

    /// A matrix as `[output][input]`.
    fn matrix_of(&mut self, node: &Node, trained: Trained, outputs_first: bool) -> Result<Trained, Error> {
        let Trained { extents, numbers } = trained;
        let &[first, second] = extents.as_slice() else {
            return Err(node.error(format!("has weights of the extents {extents:?}; supported is a matrix")));
        };
        if first == 0 || second == 0 {
            return Err(node.error("has no weights"));
        }
        if outputs_first {
            return Ok(Trained { extents, numbers });
        }
        let numbers = reordered(&numbers, |place| place % first * second + place / first);
        Ok(Trained { extents: vec![second, first], numbers })
    }

    /// The weights at `place`, whose outputs are along `axis` of the file.
    fn trained(&mut self, node: &'a Node, place: usize, axis: usize) -> Result<Trained, Error> {
        let name = node.input(place).ok_or_else(|| node.error("has no weights"))?;
        let int8 = self.read(node, 0).is_ok_and(|view| self.graph.tensor(view.id).quantization.is_some());
        if let (true, Some(dequantize)) = (int8, self.stored_constant(name)) {
            let Stored { extents, numbers, scales, zero_points, axis: along } = self.stored_numbers(dequantize)?;
            let StoredNumbers::Int8(values) = numbers else {
                return Err(dequantize.error("has weights of int32, expected int8"));
            };
            if zero_points.iter().any(|&zero_point| zero_point != 0) {
                return Err(dequantize.error(
                    "has weights with a zero point, which int8 weights do not have: quantize with weight_type=QuantType.QInt8 \
                     (symmetric)",
                ));
            }
            let outputs = extents.get(axis).copied().unwrap_or(0);
            if scales.len() != 1 && (scales.len() != outputs || along != axis) {
                return Err(dequantize.error(format!(
                    "has {} scales along axis {along} for {outputs} outputs along axis {axis}",
                    scales.len()
                )));
            }
            return Ok(Trained { extents, numbers: Weights::I8 { values, scales } });
        }
        if int8 {
            return Err(node.error("reads int8 and has real weights: quantize the whole model"));
        }
        let Some(constant) = self.real(name)? else {
            return Err(node.error("has weights that the model computes; supported are constants"));
        };
        let Constant { extents, .. } = &constant;
        let numbers = constant.floats().ok_or_else(|| node.error("has weights that are no real numbers"))?;
        Ok(Trained { extents: extents.clone(), numbers: Weights::F32(numbers.to_vec()) })
    }

    /// The real numbers of a constant, dequantized where they are stored.
    pub(super) fn real(&mut self, name: &str) -> Result<Option<Constant>, Error> {
        if let Some(dequantize) = self.stored_constant(name) {
            let stored = self.stored_numbers(dequantize)?;
            self.budget.take(stored.len(), size_of::<f64>())?;
            let numbers = super::tensors::Numbers::Float(stored.real().map(|number| number as f32).collect());
            return Ok(Some(Constant { extents: stored.extents, numbers }));
        }
        self.held(name)
    }

    /// The bias at `place` for so many outputs.
    fn bias(
        &mut self,
        node: &'a Node,
        place: usize,
        view: &View,
        weights: &Weights,
        outputs: usize,
    ) -> Result<Option<Bias>, Error> {
        let Some(name) = node.input(place) else { return Ok(None) };
        let wrong = |count: usize| node.error(format!("has {count} biases for {outputs} outputs"));
        let Weights::I8 { scales, .. } = weights else {
            let Some(constant) = self.real(name)? else {
                return Err(node.error("has biases that the model computes; supported are constants"));
            };
            let numbers = constant.floats().ok_or_else(|| node.error("has biases that are no real numbers"))?;
            return match numbers {
                &[number] if outputs > 1 => {
                    self.budget.take(outputs, size_of::<f32>())?;
                    Ok(Some(Bias::F32(vec![number; outputs])))
                }
                numbers if numbers.len() == outputs => Ok(Some(Bias::F32(numbers.to_vec()))),
                numbers => Err(wrong(numbers.len())),
            };
        };
        let input = self.graph.tensor(view.id).quantization.map_or(1.0, |quantization| quantization.scale);
        let step = |output: usize| f64::from(input) * f64::from(scales[output % scales.len()]);
        let real: Vec<f64> = match self.stored_constant(name) {
            Some(dequantize) => {
                let stored = self.stored_numbers(dequantize)?;
                stored.real().collect()
            }
            None => match self.held(name)?.as_ref().and_then(Constant::floats) {
                Some(numbers) => numbers.iter().map(|&number| f64::from(number)).collect(),
                None => return Err(node.error("has biases that are no real numbers of the file")),
            },
        };
        if real.len() != outputs {
            return Err(wrong(real.len()));
        }
        self.budget.take(outputs, size_of::<i32>())?;
        // A number that is stored in these steps is itself again.
        let stored = real.iter().enumerate().map(|(output, real)| (real / step(output)).round() as i32);
        Ok(Some(Bias::I32(stored.collect())))
    }

    /// BatchNormalization as it is after training.
    pub(super) fn batch_normalization(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        if node.integer("training_mode", 0)? != 0 {
            return Err(node.error("is in training mode: export the model for inference (model.eval())"));
        }
        let epsilon = f64::from(node.float("epsilon", 1e-5)?);
        let view = self.read(node, 0)?;
        let view = if self.extents(&view).len() == 1 { self.in_order(node.title(), &view)? } else { view };
        let view = self.channels_last(node, &view)?;
        let channels = self.graph.tensor(view.id).shape.channels();
        let mut numbers = Vec::with_capacity(4);
        for (place, what) in [(1, "scales"), (2, "shifts"), (3, "means"), (4, "variances")] {
            let constant = node.input(place).map_or(Ok(None), |name| self.real(name))?;
            let of_channels = constant.as_ref().and_then(Constant::floats).filter(|numbers| numbers.len() == channels);
            let of_channels = of_channels
                .ok_or_else(|| node.error(format!("has {what} that are not {channels} real numbers of the file")))?;
            numbers.push(of_channels.to_vec());
        }
        let scale = |channel: usize| f64::from(numbers[0][channel]) / (f64::from(numbers[3][channel]) + epsilon).sqrt();
        let shift = |channel: usize| f64::from(numbers[1][channel]) - f64::from(numbers[2][channel]) * scale(channel);
        let operator = match self.quantization(&view) {
            None => Operator::ScaleShift {
                scale: (0..channels).map(|channel| scale(channel) as f32).collect(),
                shift: (0..channels).map(|channel| shift(channel) as f32).collect(),
            },
            Some(input) => scaled_in_int8(channels, input, scale, shift),
        };
        self.emit(index, node, operator, vec![view.id], view)
    }
}

/// As many weights, each place with the one from where `source` says.
fn reordered(weights: &Weights, source: impl Fn(usize) -> usize) -> Weights {
    weights.at((0..weights.len()).map(source))
}

/// A scale and a shift for each channel of int8: a depthwise layer of one tap, whose weight is as large as one can be.
fn scaled_in_int8(
    channels: usize,
    input: Quantization,
    scale: impl Fn(usize) -> f64,
    shift: impl Fn(usize) -> f64,
) -> Operator {
    const LARGEST: f64 = 127.0;
    // Steps of a bias without a scale beside it, as fine as those beside one usually are.
    const STEPS_OF_A_BIAS: f64 = 1e6;
    let step = |channel: usize| match scale(channel).abs() / LARGEST {
        step if step > 0.0 => step,
        _ => shift(channel).abs().max(f64::from(f32::MIN_POSITIVE)) / STEPS_OF_A_BIAS / f64::from(input.scale),
    };
    let weight = |channel: usize| (scale(channel) / step(channel)).round() as i8;
    let bias = |channel: usize| (shift(channel) / (step(channel) * f64::from(input.scale))).round() as i32;
    Operator::Depthwise {
        weights: Weights::I8 {
            values: (0..channels).map(weight).collect(),
            scales: (0..channels).map(|channel| step(channel) as f32).collect(),
        },
        bias: Some(Bias::I32((0..channels).map(bias).collect())),
        window: Window::POINT,
        multiplier: 1,
        activation: None,
    }
}
