//! Layers with trained numbers.

use super::axes::product;
use super::dilation::Dealt;
use super::format::{FullyConnectedOptionsWeightsFormat, TensorType};
use super::tensors::Value;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Axis, Bias, Element, Operator, Shape, TensorId, Weights, Window};
use crate::read::groups;

/// As much memory as the layers that a group becomes take, without their names.
const BYTES_OF_A_GROUP: usize = 2048;

impl<'a> Builder<'a> {
    /// `CONV_2D`, of what it reads or of what was `dealt` out to it.
    pub(super) fn convolution(&mut self, call: &Call<'a>, dealt: Option<&Dealt<'a>>) -> Result<TensorId, Error> {
        let options = self.options(call, call.operator.builtin_options_as_conv_2_doptions())?;
        let activation = self.activation(call, options.fused_activation_function())?;
        let channels = self.input_channels(dealt.map_or(call, |dealt| &dealt.source))?;
        let [outputs, height, width, inputs] = self.weight_shape(call)?;
        // A group for each channel: a depthwise convolution, which rounds alike.
        let alone = inputs == 1 && channels > 1 && outputs.is_multiple_of(channels);
        let groups = channels / inputs.max(1);
        if groups.checked_mul(inputs) != Some(channels) || groups == 0 || !outputs.is_multiple_of(groups) {
            let reason =
                format!("has {outputs} kernels of {inputs} channels for {channels}, which are no equal groups");
            return Err(self.error(call, reason));
        }
        let stride = [options.stride_h(), options.stride_w()];
        let dilation = [options.dilation_h_factor(), options.dilation_w_factor()];
        let window = self.window(call, [height, width], stride, dilation, options.padding())?;
        let (input, window) = self.slide_over(call, dealt, window)?;
        let value = self.value(call)?;
        let weights = self.weights(call, &value, 0, outputs)?;
        let bias = self.bias(call, &value, outputs)?;
        if alone {
            // From `[output][tap]` to `[tap][output]`.
            let (count, taps) = (weights.len(), height * width);
            let weights = weights.at((0..taps).flat_map(|tap| (tap..count).step_by(taps.max(1))));
            let multiplier = outputs / channels;
            return self.push(
                Operator::Depthwise { weights, bias, window, multiplier, activation },
                vec![input],
                value,
            );
        }
        if groups > 1 {
            return self.grouped(input, value, groups, (weights, bias), |weights, bias| Operator::Convolution {
                weights,
                bias,
                window,
                activation,
            });
        }
        self.push(Operator::Convolution { weights, bias, window, activation }, vec![input], value)
    }

    /// What `call` reads or what was `dealt` out to it, and its window over that.
    fn slide_over(
        &mut self,
        call: &Call<'a>,
        dealt: Option<&Dealt<'a>>,
        window: Window,
    ) -> Result<(TensorId, Window), Error> {
        match dealt {
            None => self.slide(call, window),
            Some(dealt) => self.slide_dilated(call, window, dealt),
        }
    }

    /// A convolution in groups, as [`groups`] has it.
    fn grouped(
        &mut self,
        input: TensorId,
        value: Value,
        groups: usize,
        (weights, bias): (Weights, Option<Bias>),
        convolution: impl Fn(Weights, Option<Bias>) -> Operator,
    ) -> Result<TensorId, Error> {
        // A few layers a group, and a copy of the weights.
        self.budget.take(groups, BYTES_OF_A_GROUP)?;
        self.budget.take(weights.len(), size_of::<f32>())?;
        let source = self.graph.tensor(input).clone();
        let [channels, filters] = [source.shape.channels() / groups, value.shape.channels() / groups];
        let mut parts = Vec::with_capacity(groups);
        for group in 0..groups {
            let name = format!("{}/group{}", value.name, group + 1);
            let shape = source.shape.with_channels(channels);
            let own = Value {
                name: format!("{}/channels{}", value.name, group + 1),
                shape: shape.clone(),
                element: source.element,
                quantization: source.quantization,
            };
            let own = self.push(groups::own_channels(group, shape), vec![input], own)?;
            let (weights, bias) = groups::part(&weights, bias.as_ref(), group, groups);
            let made = Value { name, shape: value.shape.with_channels(filters), ..value.clone() };
            parts.push(self.push(convolution(weights, bias), vec![own], made)?);
        }
        groups::joined(parts, &value.name, |name, pair| {
            let channels = pair.iter().map(|&part| self.graph.tensor(part).shape.channels()).sum();
            let both = Value { name, shape: value.shape.with_channels(channels), ..value.clone() };
            self.push(Operator::Concatenate { axis: Axis::Channels }, pair.to_vec(), both)
        })
    }

    /// `DEPTHWISE_CONV_2D`, likewise.
    pub(super) fn depthwise(&mut self, call: &Call<'a>, dealt: Option<&Dealt<'a>>) -> Result<TensorId, Error> {
        let options = self.options(call, call.operator.builtin_options_as_depthwise_conv_2_doptions())?;
        let activation = self.activation(call, options.fused_activation_function())?;
        let channels = self.input_channels(dealt.map_or(call, |dealt| &dealt.source))?;
        let [first, height, width, outputs] = self.weight_shape(call)?;
        let multiplier = outputs / channels.max(1);
        if first != 1 || multiplier.checked_mul(channels) != Some(outputs) {
            let reason = format!("has kernels of {first}x{height}x{width}x{outputs} for {channels} channels");
            return Err(self.error(call, reason));
        }
        let stride = [options.stride_h(), options.stride_w()];
        let dilation = [options.dilation_h_factor(), options.dilation_w_factor()];
        let window = self.window(call, [height, width], stride, dilation, options.padding())?;
        let (input, window) = self.slide_over(call, dealt, window)?;
        let value = self.value(call)?;
        let weights = self.weights(call, &value, 3, outputs)?;
        let bias = self.bias(call, &value, outputs)?;
        self.push(Operator::Depthwise { weights, bias, window, multiplier, activation }, vec![input], value)
    }

    /// `FULLY_CONNECTED`: every output reads every number of the input, or every channel of its own place.
    pub(super) fn dense(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let options = self.options(call, call.operator.builtin_options_as_fully_connected_options())?;
        let activation = self.activation(call, options.fused_activation_function())?;
        if options.weights_format() != FullyConnectedOptionsWeightsFormat::DEFAULT {
            return Err(self.error(call, "has shuffled weights, which are not supported"));
        }
        let input = self.read(call, 0)?;
        let [outputs, inputs] = self.weight_shape(call)?;
        let shape = self.graph.tensor(input).shape.clone();
        let places = shape.elements() / inputs.max(1);
        if self.extents(call.output)?.len() == 2 {
            self.set_extents(call.output, vec![places, outputs])?;
        }
        let extents = self.extents(call.output)?;
        let all = places.checked_mul(outputs).filter(|_| inputs > 0 && shape.elements().is_multiple_of(inputs));
        if all.is_none() || product(&extents) != all {
            let reason = format!(
                "makes {} of {shape} with weights of {outputs}x{inputs}, which is not supported",
                Shape(extents)
            );
            return Err(self.error(call, reason));
        }
        let mut value = self.tensors.value_of_shape(call.output, Shape(vec![outputs]))?;
        let weights = self.weights(call, &value, 0, outputs)?;
        let bias = self.bias(call, &value, outputs)?;
        if places == 1 {
            self.set_axes(call.output, vec![extents.len().saturating_sub(1)]);
            return self.push(Operator::Dense { weights, bias, activation }, vec![input], value);
        }
        let input = if shape.channels() == inputs {
            input
        } else {
            self.reshaped(input, Shape(vec![places, inputs]), format!("{}/input", value.name))?
        };
        value.shape = self.graph.tensor(input).shape.with_channels(outputs);
        let operator = match weights {
            Weights::F32(_) => Operator::Convolution { weights, bias, window: Window::POINT, activation },
            Weights::I8 { .. } | Weights::I4 { .. } => Operator::PositionwiseDense { weights, bias, activation },
        };
        let dense = self.push(operator, vec![input], value)?;
        self.seen_as(call, dense)
    }

    fn weights_index(&self, call: &Call<'a>) -> Result<i32, Error> {
        call.input(1).ok_or_else(|| self.error(call, "has no weights"))
    }

    /// The extents of a layer's weights.
    pub(super) fn weight_shape<const AXES: usize>(&self, call: &Call<'a>) -> Result<[usize; AXES], Error> {
        let shape = self.tensors.constant(self.weights_index(call)?)?.shape;
        let axes = shape.len();
        <[usize; AXES]>::try_from(shape)
            .map_err(|_| self.error(call, format!("has weights with {axes} axes, expected {AXES}")))
    }

    /// Weights in the file's order, which is the graph's, for `channels` along `axis`.
    pub(super) fn weights(
        &mut self,
        call: &Call<'a>,
        value: &Value,
        axis: usize,
        channels: usize,
    ) -> Result<Weights, Error> {
        let index = self.weights_index(call)?;
        let constant = self.tensors.constant(index)?;
        self.budget.take(constant.bytes.len(), if constant.element == TensorType::INT4 { 2 } else { 1 })?;
        match (value.element, constant.element, constant.float32()) {
            (Element::I8, TensorType::INT4, _) => {
                let scales = self.tensors.weight_scales(index, axis, channels)?;
                self.budget.take(scales.len(), size_of::<f32>())?;
                Ok(Weights::I4 { values: constant.int4(), scales })
            }
            (Element::I8 | Element::I16, TensorType::INT8, _) => {
                let scales = self.tensors.weight_scales(index, axis, channels)?;
                self.budget.take(scales.len(), size_of::<f32>())?;
                Ok(Weights::I8 { values: constant.bytes.iter().map(|byte| byte.cast_signed()).collect(), scales })
            }
            (Element::F32, _, Some(values)) => Ok(Weights::F32(values)),
            (Element::F32, TensorType::INT8 | TensorType::INT4, _) => Err(self.error(
                call,
                "is float with int8 or int4 weights (dynamic range quantization); convert the model with a representative \
                 dataset (full-integer quantization), or without quantization",
            )),
            _ => Err(self.error(call, "has weights of another type than its values")),
        }
    }

    /// The bias for `channels`, where there is one.
    pub(super) fn bias(&mut self, call: &Call<'a>, value: &Value, channels: usize) -> Result<Option<Bias>, Error> {
        let Some(index) = call.input(2) else { return Ok(None) };
        let constant = self.tensors.constant(index)?;
        if constant.shape.iter().product::<usize>() != channels {
            let reason = format!("has biases of shape {:?} for {channels} channels", constant.shape);
            return Err(self.error(call, reason));
        }
        self.budget.take(constant.bytes.len(), 1)?;
        let bias = match value.element {
            Element::F32 => constant.float32().map(Bias::F32),
            // LiteRT adds up in as many bits as the biases have.
            Element::I16 => constant.int64().map(Bias::I64).or_else(|| constant.int32().map(Bias::I32)),
            _ => constant.int32().map(Bias::I32),
        };
        bias.map(Some).ok_or_else(|| self.error(call, "has biases of another type than its weights need"))
    }
}
