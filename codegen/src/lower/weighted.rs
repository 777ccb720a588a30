//! Layers with trained weights: the kernel for each form that weights have, and their order in it. Of layers with values of 16 bits
//! `int16` says it.

use microception::layers::conv::winograd;
use microception::layers::depthwise;
use microception::simd;

use super::packed::{channel_by_channel, grouped, interleaved, interleaved_int4, packed, side_by_side};
use super::{Kernel, Lowering, WindowInt8, transform};
use crate::error::Error;
use crate::graph::{Bias, Function, Weights, Window};

impl Lowering<'_> {
    pub(super) fn convolution(
        &self,
        weights: &Weights,
        bias: Option<&Bias>,
        window: &Window,
        activation: Option<Function>,
    ) -> Result<Kernel, Error> {
        let per_channel = self.weights_per_channel(weights);
        let channel_of = |index| index / per_channel;
        let geometry = self.geometry(window)?;
        let run = per_channel / usize::from(geometry.kernel[0]).max(1);
        Ok(match weights {
            Weights::F32(weights) => {
                Kernel::ConvF32(self.window_f32(window, side_by_side(weights, per_channel), bias, activation)?)
            }
            Weights::I8 { values, scales } => {
                let stored = (&values[..], &scales[..]);
                if self.transformed && window.depth.is_none() && winograd::is_possible(&geometry) {
                    let transformed = |values: &[i8]| transform::transformed(values, per_channel, run);
                    let layer = self.window_int8(window, stored, bias, channel_of, transformed, activation)?;
                    if layer.bounded {
                        return Ok(Kernel::WinogradConvInt8(layer));
                    }
                }
                let interleaved = |values: &[i8]| interleaved(values, per_channel, run);
                let mut layer = self.window_int8(window, stored, bias, channel_of, interleaved, activation)?;
                // Two weights in 16 bits: -128 above a negative one does not fit.
                layer.bounded &= layer.largest_sum < simd::LARGEST_SUM && !values.contains(&i8::MIN);
                Kernel::ConvInt8(layer)
            }
            Weights::I4 { values, scales } => {
                let interleaved = |values: &[i8]| interleaved_int4(values, per_channel, run);
                let mut layer =
                    self.window_int8(window, (values, scales), bias, channel_of, interleaved, activation)?;
                layer.bounded &= layer.largest_sum < simd::LARGEST_SUM;
                Kernel::ConvInt4(layer)
            }
        })
    }

    pub(super) fn depthwise(
        &self,
        weights: &Weights,
        bias: Option<&Bias>,
        window: &Window,
        activation: Option<Function>,
    ) -> Result<Kernel, Error> {
        Ok(match weights {
            Weights::F32(weights) => {
                let weights = grouped(weights, self.output_shape().channels());
                Kernel::DepthwiseF32(self.window_f32(window, weights, bias, activation)?)
            }
            Weights::I8 { values, scales } => {
                match self.depthwise_window(window, (values, scales), bias, activation, |weights| weights)? {
                    (layer, true) => Kernel::Depthwise3x3Int8(layer),
                    (layer, false) => Kernel::DepthwiseInt8(layer),
                }
            }
            Weights::I4 { values, scales } => {
                match self.depthwise_window(window, (values, scales), bias, activation, |weights| packed(&weights))? {
                    (layer, true) => Kernel::Depthwise3x3Int4(layer),
                    (layer, false) => Kernel::DepthwiseInt4(layer),
                }
            }
        })
    }

    pub(super) fn dense(
        &self,
        weights: &Weights,
        bias: Option<&Bias>,
        activation: Option<Function>,
    ) -> Result<Kernel, Error> {
        let elements = self.input_shape()?.elements();
        let inputs = self.narrow(elements, "number of inputs")?;
        let channel_of = |index| index / elements;
        Ok(match weights {
            Weights::F32(weights) => Kernel::DenseF32 {
                inputs,
                weights: weights.clone(),
                bias: self.bias_f32(bias)?,
                clamp: self.clamp_f32(activation)?,
            },
            Weights::I8 { values, scales } => Kernel::DenseInt8 {
                inputs,
                weights: values.clone(),
                channels: self.channels(values, scales, bias, channel_of)?,
                range: self.range(activation)?,
            },
            Weights::I4 { values, scales } => Kernel::DenseInt4 {
                weights: values.chunks(self.input_shape()?.row_elements().max(1)).flat_map(packed).collect(),
                channels: self.channels(values, scales, bias, channel_of)?,
                range: self.range(activation)?,
            },
        })
    }

    /// A dense layer at every place: a convolution with a point's window.
    pub(super) fn positionwise_dense(
        &self,
        weights: &Weights,
        bias: Option<&Bias>,
        activation: Option<Function>,
    ) -> Result<Kernel, Error> {
        let (window, per_channel) = (&Window::POINT, self.weights_per_channel(weights));
        let channel_of = |index| index / per_channel;
        Ok(match weights {
            Weights::F32(weights) => {
                Kernel::ConvF32(self.window_f32(window, side_by_side(weights, per_channel), bias, activation)?)
            }
            Weights::I8 { values, scales } => {
                let interleaved = |values: &[i8]| interleaved(values, per_channel, per_channel);
                let layer = self.window_int8(window, (values, scales), bias, channel_of, interleaved, activation)?;
                Kernel::PositionwiseDenseInt8(layer)
            }
            Weights::I4 { values, scales } => {
                let interleaved = |values: &[i8]| interleaved_int4(values, per_channel, per_channel);
                let layer = self.window_int8(window, (values, scales), bias, channel_of, interleaved, activation)?;
                Kernel::PositionwiseDenseInt4(layer)
            }
        })
    }

    /// A depthwise layer, and whether it is for the runtime's kernel of 3x3 taps, which reads weights channel by channel;
    /// others read them in groups. `packed` makes of them what a kernel reads.
    fn depthwise_window<Weight>(
        &self,
        window: &Window,
        weights: (&[i8], &[f32]),
        bias: Option<&Bias>,
        activation: Option<Function>,
        packed: fn(Vec<i8>) -> Vec<Weight>,
    ) -> Result<(WindowInt8<Weight>, bool), Error> {
        let outputs = self.output_shape().channels();
        let lower = |order: fn(&[i8], usize) -> Vec<i8>| {
            let channel_of = |index| index % outputs;
            self.window_int8(window, weights, bias, channel_of, |values| packed(order(values, outputs)), activation)
        };
        let layer = lower(channel_by_channel)?;
        if layer.bounded && window.depth.is_none() && depthwise::is_3x3(&layer.geometry, outputs) {
            return Ok((layer, true));
        }
        Ok((lower(grouped)?, false))
    }

    fn weights_per_channel(&self, weights: &Weights) -> usize {
        (weights.len() / self.output_shape().channels().max(1)).max(1)
    }
}
