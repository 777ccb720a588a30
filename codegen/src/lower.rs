//! From a graph to the runtime's kernels: the same descriptions that generated modules hold,
//! with their arrays owned. [`crate::host`] runs them as they are, [`crate::emit`] writes them
//! down. The only place that knows how real scales become the integers of a kernel.
//!
//! `moving`: operators that move values and compute none. `pairwise`: functions of two operands. `table`: functions
//! of one stored value. `transform`: weights for Winograd's algorithm.

mod moving;
mod pairwise;
mod table;
mod transform;

use std::collections::BTreeSet;

use microception::layers::Geometry;
use microception::layers::concatenate::Parts;
use microception::layers::conv::winograd;
use microception::layers::input::Rescale;
use microception::layers::pad::Pad;
use microception::layers::{conv, depthwise, global_average_pool, softmax};
use microception::quantized::{Channel, Factor, Range};
use microception::simd::{self, float::FILTERS};

use crate::error::Error;
use crate::graph::{Bias, Element, Function, Graph, Layer, Operator, Quantization, Shape, TensorId, Weights, Window};
use crate::plan::flow::Flow;
use crate::plan::{Batch, LayerRows};

pub use transform::transformable;

pub use pairwise::{Broadcast, Held, HeldNumbers, Pair, Pairwise};

/// Trained numbers and description of a layer with a window, in f32.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowF32 {
    /// Window and widths.
    pub geometry: Geometry,
    /// In the order of the runtime's kernel.
    pub weights: Vec<f32>,
    /// Per output channel.
    pub bias: Vec<f32>,
    /// The range that the fused activation leaves.
    pub clamp: [f32; 2],
}

/// Trained numbers and description of a layer with a window, in int8.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowInt8<Weight = i8> {
    /// Window and widths.
    pub geometry: Geometry,
    /// In the order of the runtime's kernel.
    pub weights: Vec<Weight>,
    /// Per output channel.
    pub channels: Vec<Channel>,
    /// What a padded place holds.
    pub padding: i8,
    /// The output's zero point and range.
    pub range: Range,
    /// No sum is larger, nor smaller than its negative.
    pub largest_sum: i64,
    /// Whether every channel's factor is [bounded](Factor::is_bounded) for the largest sum that its weights
    /// and bias can make.
    pub bounded: bool,
}

/// One layer as the runtime runs it. The variants are named after the runtime's functions.
#[derive(Debug, Clone, PartialEq)]
pub enum Kernel {
    /// [`microception::layers::input::copy`]
    InputCopy,
    /// [`microception::layers::input::centre`]
    InputCentre,
    /// [`microception::layers::input::lookup`]
    InputLookup(Box<[i8; 256]>),
    /// [`microception::layers::input::rescale`]
    InputRescale(Rescale),
    /// [`microception::layers::conv::f32`]
    ConvF32(WindowF32),
    /// [`microception::layers::conv::int8`], or `int8_literal`
    ConvInt8(WindowInt8),
    /// [`microception::layers::conv::winograd::int8`]
    WinogradConvInt8(WindowInt8<simd::Pair>),
    /// [`microception::layers::depthwise::f32`]
    DepthwiseF32(WindowF32),
    /// [`microception::layers::depthwise::int8`]
    DepthwiseInt8(WindowInt8),
    /// [`microception::layers::depthwise::int8_3x3`]
    Depthwise3x3Int8(WindowInt8),
    /// [`microception::layers::dense::f32`]
    DenseF32 {
        /// Inputs in all.
        inputs: u32,
        /// `[output][input]`.
        weights: Vec<f32>,
        /// Per output.
        bias: Vec<f32>,
        /// The range that the fused activation leaves.
        clamp: [f32; 2],
    },
    /// [`microception::layers::dense::int8`]
    DenseInt8 {
        /// Inputs in all.
        inputs: u32,
        /// `[output][input]`.
        weights: Vec<i8>,
        /// Per output.
        channels: Vec<Channel>,
        /// The output's zero point and range.
        range: Range,
    },
    /// [`microception::layers::dense::positionwise_int8`]
    PositionwiseDenseInt8(WindowInt8),
    /// [`microception::layers::max_pool::f32`]
    MaxPoolF32(Geometry),
    /// [`microception::layers::max_pool::int8`]
    MaxPoolInt8(Geometry),
    /// [`microception::layers::average_pool::f32`]
    AveragePoolF32(Geometry),
    /// [`microception::layers::average_pool::int8`]
    AveragePoolInt8(Geometry),
    /// [`microception::layers::global_average_pool::f32`]
    GlobalAveragePoolF32(global_average_pool::F32),
    /// [`microception::layers::global_average_pool::int8`]
    GlobalAveragePoolInt8(global_average_pool::Int8),
    /// [`microception::layers::global_max_pool::f32`]
    GlobalMaxPoolF32,
    /// [`microception::layers::global_max_pool::int8`]
    GlobalMaxPoolInt8,
    /// [`microception::layers::pad::pad`]
    PadF32(Pad<f32>),
    /// [`microception::layers::pad::pad`]
    PadInt8(Pad<i8>),
    /// [`microception::layers::concatenate::within_rows`]
    ConcatenateWithinRows(Parts),
    /// [`microception::layers::concatenate::rows`]
    ConcatenateRows,
    /// [`microception::layers::reshape::reshape`]
    Reshape,
    /// [`microception::layers::resize_nearest::resize_nearest`]
    ResizeNearest {
        /// Bytes of a pixel.
        pixel_bytes: u32,
        /// Per output column: the input column.
        columns: Vec<u16>,
    },
    /// [`microception::layers::pairwise::same`] or [`microception::layers::pairwise::broadcast`]
    Pairwise(Pairwise),
    /// [`microception::layers::activation::f32`] of the function in [`microception::functions`]
    ActivationF32(Function),
    /// [`microception::layers::activation::int8`]
    ActivationInt8(Box<[i8; 256]>),
    /// [`microception::layers::softmax::f32`]
    SoftmaxF32(softmax::F32),
    /// [`microception::layers::softmax::int8`]
    SoftmaxInt8(softmax::Int8),
    /// [`microception::layers::flatten::flatten`]
    Flatten,
}

impl Kernel {
    /// Bytes of weights, biases, factors and tables that it keeps in flash.
    pub fn weight_bytes(&self) -> usize {
        match self {
            Kernel::ConvF32(WindowF32 { weights, bias, .. })
            | Kernel::DepthwiseF32(WindowF32 { weights, bias, .. })
            | Kernel::DenseF32 { weights, bias, .. } => 4 * (weights.len() + bias.len()),
            Kernel::ConvInt8(WindowInt8 { weights, channels, .. })
            | Kernel::DepthwiseInt8(WindowInt8 { weights, channels, .. })
            | Kernel::PositionwiseDenseInt8(WindowInt8 { weights, channels, .. })
            | Kernel::Depthwise3x3Int8(WindowInt8 { weights, channels, .. })
            | Kernel::DenseInt8 { weights, channels, .. } => weights.len() + size_of_val(channels.as_slice()),
            Kernel::WinogradConvInt8(WindowInt8 { weights, channels, .. }) => {
                size_of_val(weights.as_slice()) + size_of_val(channels.as_slice())
            }
            Kernel::InputLookup(table) | Kernel::ActivationInt8(table) => table.len(),
            Kernel::ResizeNearest { columns, .. } => size_of_val(columns.as_slice()),
            Kernel::Pairwise(layer) => layer.weight_bytes(),
            _ => 0,
        }
    }
}

/// The kernels of a graph after [passes](crate::passes), in the order of its layers. The layers with the indices
/// `transformed` run by Winograd's algorithm where they [can](transformable).
///
/// # Errors
/// When a layer can't run as it stands: an operator that the passes should have removed, numbers
/// beyond the runtime's, or element types that do not fit together.
pub fn kernels(graph: &Graph, transformed: &BTreeSet<usize>) -> Result<Vec<Kernel>, Error> {
    each_layer(graph, transformed).map(|layer| layer.kernel()).collect()
}

/// What the planner has to know of each layer of a graph, in the order of its layers; `transformed` as in [`kernels`].
///
/// # Errors
/// As [`kernels`].
pub fn rows(graph: &Graph, transformed: &BTreeSet<usize>) -> Result<Vec<LayerRows>, Error> {
    each_layer(graph, transformed).map(|layer| layer.rows()).collect()
}

fn each_layer<'a>(graph: &'a Graph, transformed: &'a BTreeSet<usize>) -> impl Iterator<Item = Lowering<'a>> {
    let layers = graph.layers.iter().enumerate();
    layers.map(|(index, layer)| Lowering { graph, layer, transformed: transformed.contains(&index) })
}

/// The index of the layer that makes the model's only output.
///
/// # Errors
/// When there are several outputs.
pub fn output(graph: &Graph) -> Result<usize, Error> {
    match graph.outputs.as_slice() {
        [output] => graph.maker(*output).ok_or_else(|| Error::model("no layer makes the model's output")),
        outputs => Err(Error::model(format!("the model has {} outputs; one is supported", outputs.len()))),
    }
}

/// The tallest window whose rows are taken one at a time: the place of a step's first tap is an `i8`.
const MOST_FOLDED: usize = 128;

struct Lowering<'a> {
    graph: &'a Graph,
    layer: &'a Layer,
    /// Whether it runs by Winograd's algorithm if it can.
    transformed: bool,
}

impl Lowering<'_> {
    fn error(&self, reason: impl Into<String>) -> Error {
        Error::layer(&self.layer.name, reason)
    }

    fn input(&self, index: usize) -> Result<TensorId, Error> {
        self.layer.inputs.get(index).copied().ok_or_else(|| self.error("has too few inputs"))
    }

    fn input_shape(&self) -> Result<&Shape, Error> {
        Ok(&self.graph.tensor(self.input(0)?).shape)
    }

    fn output_shape(&self) -> &Shape {
        &self.graph.tensor(self.layer.output).shape
    }

    fn element(&self) -> Element {
        self.graph.tensor(self.layer.output).element
    }

    fn quantization(&self, tensor: TensorId) -> Result<Quantization, Error> {
        let tensor = self.graph.tensor(tensor);
        tensor.quantization.ok_or_else(|| self.error(format!("tensor \"{}\" has no scale and zero point", tensor.name)))
    }

    fn narrow<T: TryFrom<usize>>(&self, value: usize, what: &str) -> Result<T, Error> {
        let most = (1u64 << (8 * size_of::<T>() as u32)) - 1;
        T::try_from(value).map_err(|_| self.error(format!("its {what} of {value} is more than the runtime's {most}")))
    }

    fn rows(&self) -> Result<LayerRows, Error> {
        let output = self.output_shape();
        let bytes = self.element().bytes();
        let channels = output.channels();
        let int8 = self.element() == Element::I8;
        let window_flow = |window: &Window| -> Result<Flow, Error> {
            let before = window.before(0, self.input_shape()?.rows());
            Ok(Flow::Window { size: window.size[0], stride: window.stride[0], dilation: window.dilation[0], before })
        };
        let transformed = self.transformed && matches!(self.kernel()?, Kernel::WinogradConvInt8(_));
        let (flow, scratch_bytes) = match &self.layer.operator {
            Operator::Input { .. } => (Flow::Input, 0),
            Operator::Convolution { window, .. } => {
                let geometry = self.geometry(window)?;
                let scratch = match int8 {
                    true if transformed => winograd::int8_scratch_bytes(&geometry),
                    true => conv::int8_scratch_bytes(&geometry),
                    false => conv::f32_scratch_bytes(&geometry),
                };
                (window_flow(window)?, scratch)
            }
            Operator::Depthwise { window, .. } => {
                let geometry = self.geometry(window)?;
                let scratch = match self.kernel()? {
                    Kernel::Depthwise3x3Int8(_) => depthwise::int8_3x3_scratch_bytes(&geometry),
                    Kernel::DepthwiseInt8(_) => depthwise::int8_scratch_bytes(&geometry, channels),
                    _ => depthwise::f32_scratch_bytes(&geometry),
                };
                (window_flow(window)?, scratch)
            }
            Operator::MaxPool { window } => (window_flow(window)?, 0),
            Operator::AveragePool { window } => (window_flow(window)?, if int8 { 4 * channels } else { 0 }),
            Operator::PositionwiseDense { .. } => {
                let geometry = self.geometry(&Window::POINT)?;
                let scratch =
                    if int8 { conv::int8_scratch_bytes(&geometry) } else { conv::f32_scratch_bytes(&geometry) };
                (Flow::RowByRow, scratch)
            }
            Operator::Dense { .. } | Operator::GlobalAveragePool { .. } => (Flow::Running, 4 * channels),
            Operator::GlobalMaxPool { .. } => (Flow::Running, bytes * channels),
            Operator::Pad { .. }
            | Operator::Concatenate { .. }
            | Operator::Reshape { .. }
            | Operator::ResizeNearest { .. } => (self.moving_flow()?, 0),
            Operator::Flatten => (Flow::Running, output.elements() * bytes),
            Operator::Pairwise { .. } | Operator::Activation(_) | Operator::Requantize { .. } | Operator::Softmax => {
                (Flow::RowByRow, 0)
            }
            operator @ (Operator::ScaleShift { .. } | Operator::Identity) => {
                return Err(self.error(format!("{} should have been folded away", operator.name())));
            }
        };
        let inputs = self
            .layer
            .inputs
            .iter()
            .map(|&input| self.graph.maker(input).ok_or_else(|| self.error("reads a tensor that no layer makes")));
        Ok(LayerRows {
            name: self.layer.name.clone(),
            inputs: inputs.collect::<Result<_, _>>()?,
            flow,
            rows: output.rows(),
            row_bytes: output.row_elements() * bytes,
            scratch_bytes,
            folds: matches!(&self.layer.operator, Operator::MaxPool { window } if (2..=MOST_FOLDED).contains(&window.size[0])),
            batch: self.batch(transformed),
        })
    }

    /// As many rows as fill the lanes of a convolution, whose tiles go on from row to row, with whole words of bytes in
    /// a row, so that the next one is aligned.
    /// Of a `transformed` one, a lane makes two pixels.
    fn batch(&self, transformed: bool) -> Batch {
        let (output, lanes) = (self.output_shape(), simd::LANES);
        let width = if transformed { output.width().div_ceil(simd::winograd::OUTPUTS) } else { output.width() };
        let tiled = matches!(&self.layer.operator, Operator::Convolution { .. } | Operator::PositionwiseDense { .. });
        let whole = (output.row_elements() * self.element().bytes()).is_multiple_of(4);
        let idle = width.next_multiple_of(lanes) - width;
        if !tiled || !whole || idle == 0 || output.rows() == 1 {
            return Batch::ONE;
        }
        let rows = (1..=lanes).find(|rows| (rows * width).is_multiple_of(lanes)).unwrap_or(lanes);
        let macs = self.graph.macs(self.layer);
        Batch { rows: rows.min(output.rows()), saves: macs * idle as u64 / width.max(1) as u64 }
    }

    fn geometry(&self, window: &Window) -> Result<Geometry, Error> {
        let (input, output) = (self.input_shape()?, self.output_shape());
        let pair = |[vertical, horizontal]: [usize; 2], what: &str| -> Result<[u8; 2], Error> {
            Ok([self.narrow(vertical, what)?, self.narrow(horizontal, what)?])
        };
        Ok(Geometry {
            width: self.narrow(input.width(), "input width")?,
            channels: self.narrow(input.channels(), "number of input channels")?,
            output_width: self.narrow(output.width(), "output width")?,
            kernel: pair(window.size, "kernel size")?,
            stride: pair(window.stride, "stride")?,
            dilation: pair(window.dilation, "dilation")?,
            left: self.narrow(window.before(1, input.width()), "padding on the left")?,
        })
    }

    fn window_f32(
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
    fn window_int8<Weight>(
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

    fn bias_f32(&self, bias: Option<&Bias>) -> Result<Vec<f32>, Error> {
        match bias {
            Some(Bias::F32(values)) => Ok(values.clone()),
            Some(Bias::I32(_)) => Err(self.error("has float weights and an integer bias")),
            None => Ok(vec![0.0; self.output_shape().channels()]),
        }
    }

    fn clamp_f32(&self, activation: Option<Function>) -> Result<[f32; 2], Error> {
        let Some(function) = activation else { return Ok([f32::NEG_INFINITY, f32::INFINITY]) };
        let misfit = || self.error(format!("{} can't be fused: it is a layer of its own", function.name()));
        function.clamps().ok_or_else(misfit)
    }

    /// The stored values that a fused activation leaves, as LiteRT computes them in f32.
    fn range(&self, activation: Option<Function>) -> Result<Range, Error> {
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
    fn channels(
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

    fn kernel(&self) -> Result<Kernel, Error> {
        let int8 = self.element() == Element::I8;
        let channels = || self.narrow::<u16>(self.output_shape().channels(), "number of channels");
        Ok(match &self.layer.operator {
            Operator::Input { element, scale, offset } => self.input_kernel(*element, *scale, *offset)?,
            Operator::Convolution { weights, bias, window, activation } => match weights {
                Weights::F32(weights) => {
                    let per_channel = weights.len() / self.output_shape().channels().max(1);
                    let weights = side_by_side(weights, per_channel);
                    Kernel::ConvF32(self.window_f32(window, weights, bias.as_ref(), *activation)?)
                }
                Weights::I8 { values, scales } => {
                    let per_channel = (values.len() / self.output_shape().channels().max(1)).max(1);
                    let run = per_channel / window.size[0].max(1);
                    if self.transformed && winograd::is_possible(&self.geometry(window)?) {
                        let layer = self.window_int8(
                            window,
                            (values, scales),
                            bias.as_ref(),
                            |index| index / per_channel,
                            |values| transform::transformed(values, per_channel, run),
                            *activation,
                        )?;
                        if layer.bounded {
                            return Ok(Kernel::WinogradConvInt8(layer));
                        }
                    }
                    let mut layer = self.window_int8(
                        window,
                        (values, scales),
                        bias.as_ref(),
                        |index| index / per_channel,
                        |values| interleaved(values, per_channel, run),
                        *activation,
                    )?;
                    // Two weights in 16 bits: -128 above a negative one does not fit.
                    layer.bounded &= layer.largest_sum < simd::LARGEST_SUM && !values.contains(&i8::MIN);
                    Kernel::ConvInt8(layer)
                }
            },
            Operator::Depthwise { weights, bias, window, activation, .. } => match weights {
                Weights::F32(weights) => {
                    let weights = grouped(weights, self.output_shape().channels());
                    Kernel::DepthwiseF32(self.window_f32(window, weights, bias.as_ref(), *activation)?)
                }
                Weights::I8 { values, scales } => {
                    let outputs = self.output_shape().channels();
                    let lower = |packed: fn(&[i8], usize) -> Vec<i8>| {
                        self.window_int8(
                            window,
                            (values, scales),
                            bias.as_ref(),
                            |index| index % outputs,
                            |values| packed(values, outputs),
                            *activation,
                        )
                    };
                    let layer = lower(channel_by_channel)?;
                    if layer.bounded && depthwise::is_3x3(&layer.geometry, outputs) {
                        Kernel::Depthwise3x3Int8(layer)
                    } else {
                        Kernel::DepthwiseInt8(lower(grouped)?)
                    }
                }
            },
            Operator::Dense { weights, bias, activation } => {
                let elements = self.input_shape()?.elements();
                let inputs = self.narrow(elements, "number of inputs")?;
                match weights {
                    Weights::F32(weights) => Kernel::DenseF32 {
                        inputs,
                        weights: weights.clone(),
                        bias: self.bias_f32(bias.as_ref())?,
                        clamp: self.clamp_f32(*activation)?,
                    },
                    Weights::I8 { values, scales } => Kernel::DenseInt8 {
                        inputs,
                        weights: values.clone(),
                        channels: self.channels(values, scales, bias.as_ref(), |index| index / elements)?,
                        range: self.range(*activation)?,
                    },
                }
            }
            Operator::PositionwiseDense { weights: Weights::F32(weights), bias, activation } => {
                let weights = side_by_side(weights, weights.len() / self.output_shape().channels().max(1));
                Kernel::ConvF32(self.window_f32(&Window::POINT, weights, bias.as_ref(), *activation)?)
            }
            Operator::PositionwiseDense { weights: Weights::I8 { values, scales }, bias, activation } => {
                let per_channel = (values.len() / self.output_shape().channels().max(1)).max(1);
                Kernel::PositionwiseDenseInt8(self.window_int8(
                    &Window::POINT,
                    (values, scales),
                    bias.as_ref(),
                    |index| index / per_channel,
                    |values| interleaved(values, per_channel, per_channel),
                    *activation,
                )?)
            }
            Operator::GlobalMaxPool { .. } if int8 => Kernel::GlobalMaxPoolInt8,
            Operator::GlobalMaxPool { .. } => Kernel::GlobalMaxPoolF32,
            Operator::Pad { .. }
            | Operator::Concatenate { .. }
            | Operator::Reshape { .. }
            | Operator::ResizeNearest { .. } => self.moving_kernel()?,
            Operator::MaxPool { window } if int8 => Kernel::MaxPoolInt8(self.geometry(window)?),
            Operator::MaxPool { window } => Kernel::MaxPoolF32(self.geometry(window)?),
            Operator::AveragePool { window } if int8 => Kernel::AveragePoolInt8(self.geometry(window)?),
            Operator::AveragePool { window } => Kernel::AveragePoolF32(self.geometry(window)?),
            Operator::GlobalAveragePool { .. } => {
                let places = self.input_shape()?.elements() / self.output_shape().channels().max(1);
                if int8 {
                    let input = self.quantization(self.input(0)?)?;
                    let output = self.quantization(self.layer.output)?;
                    Kernel::GlobalAveragePoolInt8(global_average_pool::Int8 {
                        channels: channels()?,
                        bias: -input.zero_point * places as i32,
                        factor: divided(factor(f64::from(input.scale) / f64::from(output.scale)), places as u64),
                        range: self.range(None)?,
                    })
                } else {
                    let places = self.narrow(places, "number of places")?;
                    Kernel::GlobalAveragePoolF32(global_average_pool::F32 { channels: channels()?, places })
                }
            }
            Operator::Pairwise { function, constant, activation } => {
                self.pairwise(*function, constant.as_ref(), *activation)?
            }
            Operator::Activation(function) if int8 => Kernel::ActivationInt8(Box::new(self.table(*function)?)),
            Operator::Activation(function) => Kernel::ActivationF32(*function),
            Operator::Requantize { through } => Kernel::ActivationInt8(Box::new(self.requantized(*through)?)),
            Operator::Softmax if int8 => {
                let scale = self.quantization(self.input(0)?)?.scale;
                Kernel::SoftmaxInt8(self.softmax(channels()?, scale)?)
            }
            Operator::Softmax => Kernel::SoftmaxF32(softmax::F32 { channels: channels()? }),
            Operator::Flatten => Kernel::Flatten,
            operator @ (Operator::ScaleShift { .. } | Operator::Identity) => {
                return Err(self.error(format!("{} should have been folded away", operator.name())));
            }
        })
    }

    fn input_kernel(&self, element: Element, scale: f32, offset: f32) -> Result<Kernel, Error> {
        match (element, self.element()) {
            (Element::U8, Element::F32) => Ok(Kernel::InputRescale(Rescale { scale, offset })),
            (Element::U8, Element::I8) => {
                let to = self.quantization(self.layer.output)?;
                let stored = |pixel: usize| {
                    let real = f64::from(scale) * pixel as f64 + f64::from(offset);
                    ((real / f64::from(to.scale)).round() as i32).saturating_add(to.zero_point).clamp(-128, 127) as i8
                };
                let table: [i8; 256] = std::array::from_fn(stored);
                let centred = table.iter().enumerate().all(|(pixel, &value)| i32::from(value) == pixel as i32 - 128);
                Ok(if centred { Kernel::InputCentre } else { Kernel::InputLookup(Box::new(table)) })
            }
            (from, to) if from == to => Ok(Kernel::InputCopy),
            (from, to) => Err(self.error(format!("its {} can't become {}", from.name(), to.name()))),
        }
    }

    /// As LiteRT prepares SOFTMAX with beta 1.
    fn softmax(&self, channels: u16, scale: f32) -> Result<softmax::Int8, Error> {
        let factor = factor((f64::from(scale) * f64::from(1 << 26)).min(f64::from(i32::MAX)));
        let shift = u8::try_from(factor.shift).map_err(|_| self.error("its input's scale is too small"))?;
        let least_difference = -((31.0 * f64::from(1 << 26) / (1u64 << shift) as f64).floor() as i32);
        Ok(softmax::Int8 { channels, multiplier: factor.multiplier, shift, least_difference })
    }
}

/// The largest factor that there is.
const LARGEST_FACTOR: Factor = Factor { multiplier: i32::MAX, shift: 30 };

/// A real factor as mantissa and shift, as the TensorFlow Lite specification has it: zero below
/// 2^-32, the largest that there is above 2^31.
pub fn factor(real: f64) -> Factor {
    if real == 0.0 {
        return Factor { multiplier: 0, shift: 0 };
    }
    if !real.is_finite() {
        return LARGEST_FACTOR;
    }
    // real = mantissa * 2^exponent with the mantissa from 1/2 to 1, excluded
    let mut exponent = 0i32;
    let mut mantissa = real;
    while mantissa >= 1.0 {
        mantissa /= 2.0;
        exponent += 1;
    }
    while mantissa < 0.5 {
        mantissa *= 2.0;
        exponent -= 1;
    }
    let mut fixed = (mantissa * (1u64 << 31) as f64).round() as i64;
    if fixed == 1 << 31 {
        fixed /= 2;
        exponent += 1;
    }
    match exponent {
        ..-31 => Factor { multiplier: 0, shift: 0 },
        31.. => LARGEST_FACTOR,
        _ => Factor { multiplier: fixed as i32, shift: exponent as i8 },
    }
}

/// Whether a factor takes all numbers from `-largest` to `largest` to zero.
fn vanishes(Factor { multiplier, shift }: Factor, largest: i64) -> bool {
    let product = (i128::from(largest) * i128::from(multiplier) + (1 << 30)) >> 31;
    multiplier == 0 || shift < 0 && product < 1 << (-i32::from(shift) - 1)
}

/// Filters that a core multiplies at once, at most: two by two, and two pairs on those with DSP instructions.
const GROUP: usize = 2 * simd::FILTERS;

/// Filters of `length` elements each, a line of the window having `run` of them, as [`simd::multiply_tile`] reads
/// them: two by two in one 16-bit number, filled up with zeros to whole quads of each line and whole groups of filters.
fn interleaved(weights: &[i8], length: usize, run: usize) -> Vec<i8> {
    let mut filters: Vec<&[i8]> = weights.chunks(length.max(1)).collect();
    filters.resize(filters.len().next_multiple_of(GROUP), &[]);
    let mut interleaved = Vec::with_capacity(weights.len());
    for pair in filters.chunks(simd::FILTERS) {
        for line in (0..length).step_by(run.max(1)) {
            for quad in (0..run).step_by(simd::QUAD) {
                for &element in simd::PAIRS.as_flattened() {
                    let place = quad + element;
                    let of = |filter: usize| pair.get(filter)?.get(line + place).copied().filter(|_| place < run);
                    let [first, second] = [0, 1].map(|filter| of(filter).unwrap_or(0));
                    interleaved.extend([first, second.wrapping_sub(i8::from(first < 0))]);
                }
            }
        }
    }
    interleaved
}

/// Filters of `length` elements each, as the kernel in f32 reads them: four side by side, filled up with zeros.
fn side_by_side(weights: &[f32], length: usize) -> Vec<f32> {
    let mut together = Vec::with_capacity(weights.len());
    let filters: Vec<&[f32]> = weights.chunks(length.max(1)).collect();
    for filters in filters.chunks(FILTERS) {
        for element in 0..length {
            together.extend((0..FILTERS).map(|filter| filters.get(filter).map_or(0.0, |filter| filter[element])));
        }
    }
    together
}

/// Weights `[tap][channel]` as the depthwise kernel reads them: by passes of taps, in each by groups
/// of four channels, filled up with zeros.
fn grouped<T: Copy + Default>(weights: &[T], channels: usize) -> Vec<T> {
    let mut grouped = Vec::with_capacity(weights.len().next_multiple_of(4));
    for pass in weights.chunks(channels.max(1) * simd::TAPS) {
        for group in (0..channels).step_by(4) {
            for tap in pass.chunks(channels) {
                grouped.extend((group..group + 4).map(|channel| tap.get(channel).copied().unwrap_or_default()));
            }
        }
    }
    grouped
}

/// Weights `[tap][channel]` of a 3x3 window in the order of [`simd::TAPS_3X3`], channel by channel.
fn channel_by_channel(weights: &[i8], channels: usize) -> Vec<i8> {
    let of = |channel: usize, [vertical, horizontal]: [usize; 2]| {
        weights.get((vertical * 3 + horizontal) * channels + channel).copied().unwrap_or(0)
    };
    let taps = |channel: usize| simd::TAPS_3X3.map(|tap| tap.map_or(0, |tap| of(channel, tap)));
    (0..channels).flat_map(taps).collect()
}

/// A factor divided by a count, as LiteRT's MEAN does it: in integers, with as many bits as fit.
fn divided(factor: Factor, count: u64) -> Factor {
    let shift = (63 - count.leading_zeros().cast_signed()).min(32).min(31 + i32::from(factor.shift));
    let multiplier = (i64::from(factor.multiplier) << shift) / count as i64;
    Factor { multiplier: multiplier as i32, shift: factor.shift - shift as i8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_mantissa_and_shift() {
        assert_eq!(factor(1.0), Factor { multiplier: 1 << 30, shift: 1 });
        assert_eq!(factor(0.75), Factor { multiplier: 3 << 29, shift: 0 });
        assert_eq!(factor(2f64.powi(-40)), Factor { multiplier: 0, shift: 0 });
        // products of f32 may be more than f32 holds
        assert_eq!(factor(f64::INFINITY), factor(2f64.powi(40)));
        // rounds up to a power of two
        assert_eq!(factor(1.0 - 1e-12), Factor { multiplier: 1 << 30, shift: 1 });
    }

    #[test]
    fn a_factor_vanishes_where_no_sum_rounds_to_one() {
        let half = |shift| Factor { multiplier: 1 << 30, shift };
        assert!(vanishes(Factor { multiplier: 0, shift: 0 }, i64::MAX));
        for (factor, largest) in [(half(-2), 2), (half(-10), 1022), (half(-31), 1 << 30)] {
            assert!(vanishes(factor, largest) && factor.of(largest as i32) == 0);
        }
        for (factor, largest) in [(half(-1), 1), (half(-10), 1023), (half(0), 1)] {
            assert!(!vanishes(factor, largest) && factor.of(largest as i32) == 1);
        }
    }

    #[test]
    fn interleaved_filters_have_whole_quads_in_every_line() {
        // three filters of two lines of three weights
        let mut weights: Vec<i8> = (1..=18).collect();
        weights[1] = -2;
        let first = [1, 7, 3, 9, -2, 7, 0, 0, 4, 10, 6, 12, 5, 11, 0, 0];
        let second = [13, 0, 15, 0, 14, 0, 0, 0, 16, 0, 18, 0, 17, 0, 0, 0];
        assert_eq!(interleaved(&weights, 6, 3), [first, second].concat());
        // A pair of zeros makes a group of a fifth filter alone.
        let fifth = interleaved(&[1, 1, 1, 1, 9], 1, 1);
        assert_eq!(fifth[16..], [[9, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat());
    }

    #[test]
    fn a_mean_of_three_thirds_its_factor() {
        let Factor { multiplier, shift } = divided(factor(1.0), 3);
        let real = f64::from(multiplier) / 2f64.powi(31) * 2f64.powi(i32::from(shift));
        assert!((real - 1.0 / 3.0).abs() < 1e-9, "{real}");
    }
}
