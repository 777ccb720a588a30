//! The runtime's kernels with their numbers owned, and which of them a layer runs.

use microception::layers::Geometry;
use microception::layers::activation::Straight;
use microception::layers::concatenate::Parts;
use microception::layers::crop::Crop;
use microception::layers::input::Rescale;
use microception::layers::pad::Pad;
use microception::layers::requantize::{Requantize, Scale};
use microception::layers::resize_bilinear::Column;
use microception::layers::transpose::Transpose;
use microception::layers::{global_average_pool, softmax};
use microception::quantized::{Channel, Range, WideChannel};
use microception::simd;
use microception::window::planes::Planes;

use super::factor::{divided, factor};
use super::{Curve, Lowering, Pairwise, SoftmaxInt16, WindowInt16};
use crate::error::Error;
use crate::graph::{Element, Function, Operator};

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
    /// Whether every channel's factor is [bounded](microception::quantized::Factor::is_bounded) for the largest sum that its weights
    /// and bias can make.
    pub bounded: bool,
}

/// The same with weights of four bits, [packed](simd::int4).
pub type WindowInt4 = WindowInt8<u32>;

/// [`microception::layers::resize_bilinear::ResizeBilinear`] with its tables owned.
#[derive(Debug, Clone, PartialEq)]
pub struct Bilinear<Weight> {
    /// Channels of a pixel.
    pub channels: u16,
    /// Per output row: the lower one's part.
    pub rows: Vec<Weight>,
    /// Per output column: between which it lies.
    pub columns: Vec<Column<Weight>>,
}

impl<Weight> Bilinear<Weight> {
    fn weight_bytes(&self) -> usize {
        size_of_val(self.rows.as_slice()) + size_of_val(self.columns.as_slice())
    }
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
    /// [`microception::layers::input::lookup`]
    InputLookupInt16(Box<[i16; 256]>),
    /// [`microception::layers::input::rescale`]
    InputRescale(Rescale),
    /// [`microception::layers::conv::f32`]
    ConvF32(WindowF32),
    /// [`microception::layers::conv::int8`], or `int8_literal`
    ConvInt8(WindowInt8),
    /// [`microception::layers::conv::int16`], or `int16_literal` or `int16_narrow`
    ConvInt16(WindowInt16),
    /// [`microception::layers::conv::winograd::int8`]
    WinogradConvInt8(WindowInt8<simd::Pair>),
    /// [`microception::layers::conv::int4::int4`], or `literal`
    ConvInt4(WindowInt4),
    /// [`microception::layers::depthwise::f32`]
    DepthwiseF32(WindowF32),
    /// [`microception::layers::depthwise::int8`]
    DepthwiseInt8(WindowInt8),
    /// [`microception::layers::depthwise::int8_3x3`]
    Depthwise3x3Int8(WindowInt8),
    /// [`microception::layers::depthwise::int16`], or `int16_literal`
    DepthwiseInt16(WindowInt16),
    /// [`microception::layers::depthwise::int4`]
    DepthwiseInt4(WindowInt4),
    /// [`microception::layers::depthwise::int4_3x3`]
    Depthwise3x3Int4(WindowInt4),
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
    /// [`microception::layers::dense::int16`], or `int16_narrow`
    DenseInt16 {
        /// Whether the biases have 32 bits.
        narrow: bool,
        /// Inputs in all.
        inputs: u32,
        /// `[output][input]`.
        weights: Vec<i8>,
        /// Per output.
        channels: Vec<WideChannel>,
        /// The range that the fused activation leaves.
        clamp: [i16; 2],
    },
    /// [`microception::layers::dense::positionwise_int8`]
    PositionwiseDenseInt8(WindowInt8),
    /// [`microception::layers::dense::positionwise_int16`], or `positionwise_int16_narrow`
    PositionwiseDenseInt16(WindowInt16),
    /// [`microception::layers::dense::int4`]
    DenseInt4 {
        /// `[output][row][input of the row]`, of each row whole words.
        weights: Vec<u32>,
        /// Per output.
        channels: Vec<Channel>,
        /// The output's zero point and range.
        range: Range,
    },
    /// [`microception::layers::dense::positionwise_int4`]
    PositionwiseDenseInt4(WindowInt4),
    /// [`microception::layers::max_pool::f32`]
    MaxPoolF32(Geometry),
    /// [`microception::layers::max_pool::int8`]
    MaxPoolInt8(Geometry),
    /// [`microception::layers::max_pool::int16`]
    MaxPoolInt16(Geometry),
    /// [`microception::layers::average_pool::f32`]
    AveragePoolF32(Geometry),
    /// [`microception::layers::average_pool::int8`]
    AveragePoolInt8(Geometry),
    /// [`microception::layers::average_pool::int16`]
    AveragePoolInt16(Geometry),
    /// [`microception::layers::global_average_pool::f32`]
    GlobalAveragePoolF32(global_average_pool::F32),
    /// [`microception::layers::global_average_pool::int8`]
    GlobalAveragePoolInt8(global_average_pool::Int8),
    /// [`microception::layers::global_average_pool::int16`]
    GlobalAveragePoolInt16(global_average_pool::Int16),
    /// [`microception::layers::global_max_pool::f32`]
    GlobalMaxPoolF32,
    /// [`microception::layers::global_max_pool::int8`]
    GlobalMaxPoolInt8,
    /// [`microception::layers::global_max_pool::int16`]
    GlobalMaxPoolInt16,
    /// [`microception::layers::pad::pad`]
    PadF32(Pad<f32>),
    /// [`microception::layers::pad::pad`]
    PadInt8(Pad<i8>),
    /// [`microception::layers::pad::pad`]
    PadInt16(Pad<i16>),
    /// [`microception::layers::crop::crop`]
    Crop(Crop),
    /// [`microception::layers::transpose::transpose`]
    TransposeF32(Transpose),
    /// [`microception::layers::transpose::transpose`]
    TransposeInt8(Transpose),
    /// [`microception::layers::transpose::transpose`]
    TransposeInt16(Transpose),
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
    /// [`microception::layers::resize_bilinear::f32`]
    ResizeBilinearF32(Bilinear<f32>),
    /// [`microception::layers::resize_bilinear::int8`]
    ResizeBilinearInt8(Bilinear<i16>),
    /// [`microception::layers::resize_bilinear::int16`]
    ResizeBilinearInt16(Bilinear<i16>),
    /// [`microception::layers::pairwise::same`] or [`microception::layers::pairwise::broadcast`]
    Pairwise(Pairwise),
    /// [`microception::layers::activation::f32`] of the function in [`microception::functions`]
    ActivationF32(Function),
    /// [`microception::layers::activation::int8`]
    ActivationInt8(Box<[i8; 256]>),
    /// [`microception::layers::activation::int16`]
    ActivationInt16(Box<[i16; 513]>),
    /// [`microception::layers::activation::straight_int16`]
    StraightInt16(Straight),
    /// [`microception::layers::activation::sigmoid_int16`]
    SigmoidInt16(Curve),
    /// [`microception::layers::activation::tanh_int16`]
    TanhInt16(Curve),
    /// [`microception::layers::requantize::requantize`]
    Requantize {
        /// The input's element type.
        from: Element,
        /// The output's.
        to: Element,
        /// Zero points and factor.
        layer: Requantize,
    },
    /// [`microception::layers::requantize::dequantize`]
    Dequantize {
        /// The input's element type.
        from: Element,
        /// What its numbers stand for.
        layer: Scale,
    },
    /// [`microception::layers::requantize::quantize`]
    Quantize {
        /// The output's element type.
        to: Element,
        /// What its numbers stand for.
        layer: Scale,
    },
    /// [`microception::layers::softmax::f32`]
    SoftmaxF32(softmax::F32),
    /// [`microception::layers::softmax::int8`]
    SoftmaxInt8(softmax::Int8),
    /// [`microception::layers::softmax::int16`]
    SoftmaxInt16(SoftmaxInt16),
    /// [`microception::layers::flatten::flatten`]
    Flatten,
    /// [`microception::window::planes::by_lines`]
    ByLines {
        /// How windows lie on planes.
        planes: Planes,
        /// What makes the lines of a plane.
        kernel: Box<Kernel>,
    },
    /// The form of a kernel whose name ends in `in_place`
    InPlace {
        /// The kernel: of all the variants those for which [`LayerRows::in_place`](crate::plan::LayerRows::in_place) says that rows
        /// can be written over others.
        kernel: Box<Kernel>,
        /// The input whose rows are written over.
        input: usize,
    },
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
            Kernel::ConvInt4(WindowInt8 { weights, channels, .. })
            | Kernel::DepthwiseInt4(WindowInt8 { weights, channels, .. })
            | Kernel::Depthwise3x3Int4(WindowInt8 { weights, channels, .. })
            | Kernel::PositionwiseDenseInt4(WindowInt8 { weights, channels, .. })
            | Kernel::DenseInt4 { weights, channels, .. } => {
                size_of_val(weights.as_slice()) + size_of_val(channels.as_slice())
            }
            Kernel::WinogradConvInt8(WindowInt8 { weights, channels, .. }) => {
                size_of_val(weights.as_slice()) + size_of_val(channels.as_slice())
            }
            Kernel::ConvInt16(WindowInt16 { weights, channels, .. })
            | Kernel::DepthwiseInt16(WindowInt16 { weights, channels, .. })
            | Kernel::PositionwiseDenseInt16(WindowInt16 { weights, channels, .. })
            | Kernel::DenseInt16 { weights, channels, .. } => weights.len() + size_of_val(channels.as_slice()),
            Kernel::InputLookupInt16(table) => size_of_val(&**table),
            Kernel::ActivationInt16(table) => size_of_val(&**table),
            Kernel::SigmoidInt16(curve) | Kernel::TanhInt16(curve) => size_of_val(&*curve.table),
            Kernel::SoftmaxInt16(layer) => size_of_val(&*layer.powers) + size_of_val(&*layer.reciprocals),
            Kernel::InputLookup(table) | Kernel::ActivationInt8(table) => table.len(),
            Kernel::ResizeNearest { columns, .. } => size_of_val(columns.as_slice()),
            Kernel::ResizeBilinearF32(layer) => layer.weight_bytes(),
            Kernel::ResizeBilinearInt8(layer) | Kernel::ResizeBilinearInt16(layer) => layer.weight_bytes(),
            Kernel::Pairwise(layer) => layer.weight_bytes(),
            Kernel::ByLines { kernel, .. } | Kernel::InPlace { kernel, .. } => kernel.weight_bytes(),
            _ => 0,
        }
    }
}

impl Lowering<'_> {
    pub(super) fn kernel(&self) -> Result<Kernel, Error> {
        let kernel = self.kernel_of_lines()?;
        Ok(match self.planes()? {
            Some(planes) => Kernel::ByLines { planes, kernel: Box::new(kernel) },
            None => kernel,
        })
    }

    /// The kernel of a row, or of the lines of a plane.
    pub(super) fn kernel_of_lines(&self) -> Result<Kernel, Error> {
        if self.element() == Element::I16
            && let Some(kernel) = self.kernel_int16()?
        {
            return Ok(kernel);
        }
        let int8 = self.element() == Element::I8;
        let channels = || self.narrow::<u16>(self.output_shape().channels(), "number of channels");
        Ok(match &self.layer.operator {
            Operator::Input { element, scale, offset } => self.input_kernel(*element, *scale, *offset)?,
            Operator::Convolution { weights, bias, window, activation } => {
                self.convolution(weights, bias.as_ref(), window, *activation)?
            }
            Operator::Depthwise { weights, bias, window, activation, .. } => {
                self.depthwise(weights, bias.as_ref(), window, *activation)?
            }
            Operator::Dense { weights, bias, activation } => self.dense(weights, bias.as_ref(), *activation)?,
            Operator::PositionwiseDense { weights, bias, activation } => {
                self.positionwise_dense(weights, bias.as_ref(), *activation)?
            }
            Operator::GlobalMaxPool { .. } if int8 => Kernel::GlobalMaxPoolInt8,
            Operator::GlobalMaxPool { .. } => Kernel::GlobalMaxPoolF32,
            Operator::Pad { .. }
            | Operator::Crop { .. }
            | Operator::Transpose { .. }
            | Operator::Concatenate { .. }
            | Operator::Reshape { .. }
            | Operator::ResizeNearest { .. }
            | Operator::ResizeBilinear { .. } => self.moving_kernel()?,
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
            Operator::Requantize { through } => self.requantize_kernel(*through)?,
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
            (Element::U8, Element::I16) => {
                let to = f64::from(self.quantization(self.layer.output)?.scale);
                let stored = |pixel: usize| ((f64::from(scale) * pixel as f64 + f64::from(offset)) / to).round() as i16;
                Ok(Kernel::InputLookupInt16(Box::new(std::array::from_fn(stored))))
            }
            (from, to) if from == to => Ok(Kernel::InputCopy),
            (from, to) => Err(self.error(format!("its {} can't become {}", from.name(), to.name()))),
        }
    }

    /// From one element type to another, or one scale to another.
    fn requantize_kernel(&self, through: Option<Function>) -> Result<Kernel, Error> {
        let (input, output) = (self.input(0)?, self.layer.output);
        let (from, to) = (self.graph.tensor(input).element, self.element());
        let scale = |tensor| self.quantization(tensor).map(|to| Scale { scale: to.scale, zero_point: to.zero_point });
        Ok(match (from, to) {
            (Element::I8, Element::I8) => Kernel::ActivationInt8(Box::new(self.requantized(through)?)),
            _ if through.is_some() => {
                return Err(self.error("a function between two element types is possible in int8 only"));
            }
            (Element::I8 | Element::I16, Element::F32) => Kernel::Dequantize { from, layer: scale(input)? },
            (Element::F32, Element::I8 | Element::I16) => Kernel::Quantize { to, layer: scale(output)? },
            (Element::I8 | Element::I16, Element::I8 | Element::I16) => {
                let [input, output] = [self.quantization(input)?, self.quantization(output)?];
                let factor = factor(f64::from(input.scale) / f64::from(output.scale));
                let zero_points = [input.zero_point, output.zero_point];
                Kernel::Requantize { from, to, layer: Requantize { zero_points, factor } }
            }
            (from, to) => return Err(self.error(format!("its {} can't become {}", from.name(), to.name()))),
        })
    }

    /// As LiteRT prepares SOFTMAX with beta 1.
    fn softmax(&self, channels: u16, scale: f32) -> Result<softmax::Int8, Error> {
        let factor = factor((f64::from(scale) * f64::from(1 << 26)).min(f64::from(i32::MAX)));
        let shift = u8::try_from(factor.shift).map_err(|_| self.error("its input's scale is too small"))?;
        let least_difference = -((31.0 * f64::from(1 << 26) / (1u64 << shift) as f64).floor() as i32);
        Ok(softmax::Int8 { channels, multiplier: factor.multiplier, shift, least_difference })
    }
}
