//! Layers with trained numbers.

use super::format::TensorType;
use super::tensors::Value;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Bias, Element, Operator, TensorId, Weights};

impl<'a> Builder<'a> {
    /// `CONV_2D`.
    pub(super) fn convolution(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let options = self.options(call, call.operator.builtin_options_as_conv_2_doptions())?;
        let activation = self.activation(call, options.fused_activation_function())?;
        let input = self.read(call, 0)?;
        let [_, _, channels] = self.picture(call, input)?;
        let [outputs, height, width, inputs] = self.weight_shape(call)?;
        if inputs != channels {
            let reason = format!("has kernels of {inputs} channels for {channels}: groups are not supported");
            return Err(self.error(call, reason));
        }
        let stride = [options.stride_h(), options.stride_w()];
        let dilation = [options.dilation_h_factor(), options.dilation_w_factor()];
        let window = self.window(call, [height, width], stride, dilation, options.padding())?;
        let value = self.value(call)?;
        let weights = self.weights(call, &value, 0, outputs)?;
        let bias = self.bias(call, &value, outputs)?;
        self.push(Operator::Convolution { weights, bias, window, activation }, vec![input], value)
    }

    /// `DEPTHWISE_CONV_2D`.
    pub(super) fn depthwise(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let options = self.options(call, call.operator.builtin_options_as_depthwise_conv_2_doptions())?;
        let activation = self.activation(call, options.fused_activation_function())?;
        let input = self.read(call, 0)?;
        let [_, _, channels] = self.picture(call, input)?;
        let [first, height, width, outputs] = self.weight_shape(call)?;
        let multiplier = outputs / channels.max(1);
        if first != 1 || multiplier.checked_mul(channels) != Some(outputs) {
            let reason = format!("has kernels of {first}x{height}x{width}x{outputs} for {channels} channels");
            return Err(self.error(call, reason));
        }
        let stride = [options.stride_h(), options.stride_w()];
        let dilation = [options.dilation_h_factor(), options.dilation_w_factor()];
        let window = self.window(call, [height, width], stride, dilation, options.padding())?;
        let value = self.value(call)?;
        let weights = self.weights(call, &value, 3, outputs)?;
        let bias = self.bias(call, &value, outputs)?;
        self.push(Operator::Depthwise { weights, bias, window, multiplier, activation }, vec![input], value)
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
        self.budget.take(constant.bytes.len(), 1)?;
        match (value.element, constant.element, constant.float32()) {
            (Element::I8, TensorType::INT8, _) => {
                let scales = self.tensors.weight_scales(index, axis, channels)?;
                self.budget.take(scales.len(), size_of::<f32>())?;
                Ok(Weights::I8 { values: constant.bytes.iter().map(|byte| byte.cast_signed()).collect(), scales })
            }
            (Element::F32, _, Some(values)) => Ok(Weights::F32(values)),
            (Element::F32, TensorType::INT8, _) => Err(self.error(
                call,
                "is float with int8 weights (dynamic range quantization); convert the model with a representative \
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
            _ => constant.int32().map(Bias::I32),
        };
        bias.map(Some).ok_or_else(|| self.error(call, "has biases of another type than its weights need"))
    }
}
