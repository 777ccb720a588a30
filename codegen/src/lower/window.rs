//! Layers with a window: extents, biases, factors and ranges of their kernels.

use microception::layers::Geometry;
use microception::quantized::{Channel, Factor, Range};
use microception::window::planes::Planes;

use super::factor::{factor, vanishes};
use super::{Lowering, WindowF32, WindowInt8};
use crate::error::Error;
use crate::graph::{Bias, Function, Operator, Quantization, Taps, Window};

impl Lowering<'_> {
    pub(super) fn geometry(&self, window: &Window) -> Result<Geometry, Error> {
        let (input, output) = (self.input_shape()?, self.output_shape());
        // Where the window slides over planes, a line is one of theirs; elsewhere it is a whole row.
        let (width, output_width) = match window.depth {
            Some(_) => (input.width(), output.width()),
            None => (input.pixels(), output.pixels()),
        };
        let size = window.depth.map_or(window.size[0], |depth| depth.size * window.size[0]);
        let (vertical, dilation) = match window.depth {
            // The table of lines has strides and dilations in it.
            Some(_) => (size, 1),
            None => (window.stride[0], window.dilation[0]),
        };
        let pair = |[vertical, horizontal]: [usize; 2], what: &str| -> Result<[u8; 2], Error> {
            Ok([self.narrow(vertical, what)?, self.narrow(horizontal, what)?])
        };
        Ok(Geometry {
            width: self.narrow(width, "input width")?,
            channels: self.narrow(input.channels(), "number of input channels")?,
            output_width: self.narrow(output_width, "output width")?,
            kernel: pair([size, window.size[1]], "kernel size")?,
            stride: pair([vertical, window.stride[1]], "stride")?,
            dilation: pair([dilation, window.dilation[1]], "dilation")?,
            left: self.narrow(window.before(1, width), "padding on the left")?,
        })
    }

    /// How the layer's windows lie on planes, where it makes a volume line by line.
    pub(super) fn planes(&self) -> Result<Option<Planes>, Error> {
        let Some(&input) = self.layer.inputs.first() else { return Ok(None) };
        let input = &self.graph.tensor(input).shape;
        let planes = |depth: Taps, vertical: Taps| -> Result<Planes, Error> {
            let pair = |depth: usize, vertical: usize, what: &str| -> Result<[u8; 2], Error> {
                Ok([self.narrow(depth, what)?, self.narrow(vertical, what)?])
            };
            Ok(Planes {
                height: self.narrow(input.lines(), "height")?,
                output_height: self.narrow(self.output_shape().lines(), "output height")?,
                kernel: pair(depth.size, vertical.size, "kernel size")?,
                stride: pair(depth.stride, vertical.stride, "stride")?,
                dilation: pair(depth.dilation, vertical.dilation, "dilation")?,
                top: self.narrow(vertical.before, "padding above a plane")?,
            })
        };
        match &self.layer.operator {
            Operator::Convolution { window, .. }
            | Operator::Depthwise { window, .. }
            | Operator::MaxPool { window }
            | Operator::AveragePool { window } => {
                window.depth.map(|depth| planes(depth, window.along(0, input.lines()))).transpose()
            }
            // Without new columns or channels, a plane is one pixel with others around it.
            Operator::Pad { before: [_, _, before @ ..], after: [_, _, after @ ..], .. }
                if input.0.len() > 3 && [before, after] != [&[0; 2]; 2] =>
            {
                let Operator::Pad { before, after, .. } = &self.layer.operator else { return Ok(None) };
                let vertical = Taps { before: before[1], after: after[1], ..Taps::POINT };
                planes(Taps::POINT, vertical).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn window_f32(
        &self,
        window: &Window,
        weights: Vec<f32>,
        bias: Option<&Bias>,
        activation: Option<Function>,
    ) -> Result<WindowF32, Error> {
        Ok(WindowF32 {
            geometry: self.geometry(window)?,
            weights,
            bias: self.bias_f32(bias)?,
            clamp: self.clamp_f32(activation)?,
        })
    }

    /// `channel_of` says which output channel a weight of `values` belongs to, `packed` puts them in the order
    /// of the runtime's kernel.
    pub(super) fn window_int8<Weight>(
        &self,
        window: &Window,
        (values, scales): (&[i8], &[f32]),
        bias: Option<&Bias>,
        channel_of: impl Fn(usize) -> usize,
        packed: impl FnOnce(&[i8]) -> Vec<Weight>,
        activation: Option<Function>,
    ) -> Result<WindowInt8<Weight>, Error> {
        let padding = self.quantization(self.input(0)?)?.zero_point;
        let mut channels = self.channels(values, scales, bias, &channel_of)?;
        let mut largest: Vec<i64> = channels.iter().map(|channel| i64::from(channel.bias).abs()).collect();
        for (index, &value) in values.iter().enumerate() {
            largest[channel_of(index)] += 128 * i64::from(value).abs();
        }
        for (channel, &largest) in channels.iter_mut().zip(&largest) {
            if vanishes(channel.factor, largest) {
                channel.factor = Factor { multiplier: 0, shift: -1 };
            }
        }
        Ok(WindowInt8 {
            geometry: self.geometry(window)?,
            weights: packed(values),
            largest_sum: largest.iter().copied().max().unwrap_or(0),
            bounded: channels.iter().zip(largest).all(|(channel, largest)| channel.factor.is_bounded(largest)),
            channels,
            padding: i8::try_from(padding).map_err(|_| self.error("its input's zero point is not an int8"))?,
            range: self.range(activation)?,
        })
    }

    pub(super) fn bias_f32(&self, bias: Option<&Bias>) -> Result<Vec<f32>, Error> {
        match bias {
            Some(Bias::F32(values)) => Ok(values.clone()),
            Some(Bias::I32(_) | Bias::I64(_)) => Err(self.error("has float weights and an integer bias")),
            None => Ok(vec![0.0; self.output_shape().channels()]),
        }
    }

    pub(super) fn clamp_f32(&self, activation: Option<Function>) -> Result<[f32; 2], Error> {
        let Some(function) = activation else { return Ok([f32::NEG_INFINITY, f32::INFINITY]) };
        let misfit = || self.error(format!("{} can't be fused: it is a layer of its own", function.name()));
        function.clamps().ok_or_else(misfit)
    }

    /// The stored values that a fused activation leaves, as LiteRT computes them in f32.
    pub(super) fn range(&self, activation: Option<Function>) -> Result<Range, Error> {
        let Quantization { scale, zero_point } = self.quantization(self.layer.output)?;
        let stored = |real: f32| zero_point.saturating_add((real / scale).round() as i32).clamp(-128, 127) as i8;
        let [least, greatest] = self.clamp_f32(activation)?;
        let clamp = [
            if least.is_finite() { stored(least) } else { -128 },
            if greatest.is_finite() { stored(greatest) } else { 127 },
        ];
        Ok(Range { zero_point, clamp })
    }

    /// Bias with the input's zero point folded in, and factor, of each output channel.
    /// `channel_of` says which output channel a weight belongs to.
    pub(super) fn channels(
        &self,
        values: &[i8],
        scales: &[f32],
        bias: Option<&Bias>,
        channel_of: impl Fn(usize) -> usize,
    ) -> Result<Vec<Channel>, Error> {
        let outputs = self.output_shape().channels();
        let input = self.quantization(self.input(0)?)?;
        let output = self.quantization(self.layer.output)?;
        let mut sums = vec![0i64; outputs];
        for (index, &value) in values.iter().enumerate() {
            sums[channel_of(index)] += i64::from(value);
        }
        (0..outputs)
            .map(|channel| {
                let bias = match bias {
                    Some(Bias::I32(values)) => values.get(channel).copied().unwrap_or(0),
                    Some(Bias::I64(_)) => return Err(self.error("has values of 8 bits and biases of 64")),
                    Some(Bias::F32(_)) => return Err(self.error("has integer weights and a float bias")),
                    None => 0,
                };
                // One scale for all channels, or one each.
                let scale = if scales.len() == 1 { scales.first() } else { scales.get(channel) };
                let scale = scale.ok_or_else(|| self.error("has fewer weight scales than channels"))?;
                let real = f64::from(input.scale) * f64::from(*scale) / f64::from(output.scale);
                // Wraps as the accumulator does: the sum that counts is back in range.
                let folded = i64::from(bias) - i64::from(input.zero_point) * sums[channel];
                Ok(Channel { bias: folded as i32, factor: factor(real) })
            })
            .collect()
    }
}
