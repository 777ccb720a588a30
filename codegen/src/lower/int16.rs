//! Layers with values of 16 bits and weights of 8: their kernels, and their integers as LiteRT prepares them.

use microception::layers::activation::Straight;
use microception::layers::{Geometry, add, global_average_pool, maximum, minimum, multiply, prelu, subtract};
use microception::quantized::{Factor, WideChannel};
use microception::simd::int16::EXACT;

use super::factor::{divided, factor};
use super::packed::{grouped, paired};
use super::pairwise::PairScales;
use super::{Kernel, Lowering, Pair, table};
use crate::error::Error;
use crate::graph::{Bias, Constant, Function, Operator, PairFunction, Weights, Window};

/// The largest magnitude of a value.
const LARGEST: i64 = 1 << 15;

/// The least and the greatest stored value.
const STORED: [i16; 2] = [i16::MIN, i16::MAX];

/// Factors up to 2^7 are what LiteRT has for sums of 64 bits.
const LARGEST_SHIFT: i8 = 7;

/// Bits of a sum.
const LARGEST_SUM: i64 = 1 << 47;

/// Trained numbers and description of a layer with a window, in int16x8.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowInt16 {
    /// Window and widths.
    pub geometry: Geometry,
    /// In the order of the runtime's kernel.
    pub weights: Vec<i8>,
    /// Per output channel.
    pub channels: Vec<WideChannel>,
    /// The range that the fused activation leaves.
    pub clamp: [i16; 2],
    /// What its sums are, and how they become results.
    pub sums: Sums,
}

/// What the sums of an int16x8 layer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sums {
    /// Numbers of 32 bits, with every channel [bounded](WideChannel::is_bounded) for the largest that its weights can make.
    Bounded,
    /// Numbers of 48 bits.
    Wide,
    /// Numbers of 32 bits that wrap, because the biases have as many ([`WideChannel::store_twice`], or
    /// [`WideChannel::store_once_narrow`] of dense layers).
    Narrow,
}

/// [`microception::layers::activation::Curve`] with its table owned.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Of the sigmoid.
    pub table: Box<[u16; 256]>,
    /// The factor's mantissa.
    pub multiplier: i32,
    /// The factor's power of two, negated.
    pub shift: u8,
}

/// [`microception::layers::softmax::Int16`] with its tables owned.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxInt16 {
    /// Channels of a pixel.
    pub channels: u16,
    /// Takes the input to steps of which 65535 are 10.
    pub factor: Factor,
    /// Exponentials.
    pub powers: Box<[i16; 513]>,
    /// Reciprocals.
    pub reciprocals: Box<[i16; 513]>,
}

impl Lowering<'_> {
    /// The kernel of a layer that computes with 16 bits; `None` where the operator's kernel is that of all element types.
    pub(super) fn kernel_int16(&self) -> Result<Option<Kernel>, Error> {
        let outputs = self.output_shape().channels();
        let channels = || self.narrow::<u16>(outputs, "number of channels");
        Ok(Some(match &self.layer.operator {
            Operator::Convolution { weights: Weights::I8 { values, scales }, bias, window, activation } => {
                let per_channel = (values.len() / outputs.max(1)).max(1);
                let of = |index| index / per_channel;
                let layer = self.window_int16(window, (values, scales), bias.as_ref(), of, shortened, *activation)?;
                Kernel::ConvInt16(WindowInt16 { weights: paired(values, per_channel), ..layer })
            }
            Operator::PositionwiseDense { weights: Weights::I8 { values, scales }, bias, activation } => {
                let per_channel = (values.len() / outputs.max(1)).max(1);
                let (of, whole) = (|index| index / per_channel, |factor: Factor| factor.multiplier);
                let window = &Window::POINT;
                let layer = self.window_int16(window, (values, scales), bias.as_ref(), of, whole, *activation)?;
                Kernel::PositionwiseDenseInt16(WindowInt16 { weights: paired(values, per_channel), ..layer })
            }
            Operator::Depthwise { weights: Weights::I8 { values, scales }, bias, window, activation, .. } => {
                let of = |index| index % outputs;
                let layer = self.window_int16(window, (values, scales), bias.as_ref(), of, shortened, *activation)?;
                if layer.sums == Sums::Narrow {
                    return Err(
                        self.error("has values of 16 bits and biases of 32, for which there is no depthwise layer")
                    );
                }
                if layer.geometry.taps() > EXACT {
                    let taps = layer.geometry.taps();
                    return Err(self.error(format!("its window has {taps} taps, more than {EXACT} in int16")));
                }
                Kernel::DepthwiseInt16(WindowInt16 { weights: grouped(values, outputs), ..layer })
            }
            Operator::Dense { weights: Weights::I8 { values, scales }, bias, activation } => {
                let inputs = self.input_shape()?.elements();
                let of = |index| index / inputs.max(1);
                Kernel::DenseInt16 {
                    narrow: matches!(bias, Some(Bias::I32(_))),
                    inputs: self.narrow(inputs, "number of inputs")?,
                    channels: self.wide_channels(values, scales, bias.as_ref(), of, |factor| factor.multiplier)?.0,
                    weights: values.clone(),
                    clamp: self.clamp_int16(*activation)?,
                }
            }
            Operator::GlobalMaxPool { .. } => Kernel::GlobalMaxPoolInt16,
            Operator::MaxPool { window } => Kernel::MaxPoolInt16(self.geometry(window)?),
            Operator::AveragePool { window } => Kernel::AveragePoolInt16(self.geometry(window)?),
            Operator::GlobalAveragePool { .. } => {
                let places = self.input_shape()?.elements() / outputs.max(1);
                if places as i64 > i64::from(i32::MAX) / LARGEST {
                    return Err(self.error(format!("{places} places are more than a sum of 32 bits holds in int16")));
                }
                let [input, output] = [self.input(0)?, self.layer.output].map(|tensor| self.quantization(tensor));
                let real = f64::from(input?.scale) / f64::from(output?.scale);
                Kernel::GlobalAveragePoolInt16(global_average_pool::Int16 {
                    channels: channels()?,
                    factor: divided(factor(real), places as u64),
                })
            }
            Operator::Activation(function) => self.activation_int16(*function)?,
            Operator::Softmax => Kernel::SoftmaxInt16(self.softmax_int16(channels()?)?),
            _ => return Ok(None),
        }))
    }

    /// All but the weights of a layer with a window. `channel_of` says which output channel a weight belongs to.
    fn window_int16(
        &self,
        window: &Window,
        (values, scales): (&[i8], &[f32]),
        bias: Option<&Bias>,
        channel_of: impl Fn(usize) -> usize,
        multiplier: impl Fn(Factor) -> i32,
        activation: Option<Function>,
    ) -> Result<WindowInt16, Error> {
        let (channels, largest) = self.wide_channels(values, scales, bias, channel_of, multiplier)?;
        let bounded = || channels.iter().zip(largest).all(|(channel, largest)| channel.is_bounded(largest));
        Ok(WindowInt16 {
            geometry: self.geometry(window)?,
            weights: Vec::new(),
            sums: match bias {
                Some(Bias::I32(_)) => Sums::Narrow,
                _ if bounded() => Sums::Bounded,
                _ => Sums::Wide,
            },
            channels,
            clamp: self.clamp_int16(activation)?,
        })
    }

    /// Bias and factor of each output channel, and the largest sum of products that its weights can make. `multiplier` says
    /// what of a factor's mantissa counts.
    fn wide_channels(
        &self,
        values: &[i8],
        scales: &[f32],
        bias: Option<&Bias>,
        channel_of: impl Fn(usize) -> usize,
        multiplier: impl Fn(Factor) -> i32,
    ) -> Result<(Vec<WideChannel>, Vec<i64>), Error> {
        let outputs = self.output_shape().channels();
        let input = self.quantization(self.input(0)?)?;
        let output = self.quantization(self.layer.output)?;
        let mut largest = vec![0i64; outputs];
        for (index, &value) in values.iter().enumerate() {
            largest[channel_of(index)] += LARGEST * i64::from(value).abs();
        }
        let channel = |(channel, &largest): (usize, &i64)| {
            let (steps, narrow) = match bias {
                Some(Bias::I64(values)) => (values.get(channel).copied().unwrap_or(0), false),
                Some(Bias::I32(values)) => (values.get(channel).copied().map_or(0, i64::from), true),
                Some(Bias::F32(_)) => return Err(self.error("has integer weights and a float bias")),
                None => (0, false),
            };
            if steps.saturating_abs().saturating_add(largest) >= LARGEST_SUM {
                return Err(self.error(format!("its bias of {steps} makes sums of more than 48 bits")));
            }
            // One scale for all channels, or one each.
            let scale = if scales.len() == 1 { scales.first() } else { scales.get(channel) };
            let scale = scale.ok_or_else(|| self.error("has fewer weight scales than channels"))?;
            let real = factor(f64::from(input.scale) * f64::from(*scale) / f64::from(output.scale));
            if real.shift > LARGEST_SHIFT && !narrow {
                return Err(self.error("its output's scale is too small for its input's and its weights'"));
            }
            // Of a factor that is none any shift does.
            let shift = if real.multiplier == 0 { -2 } else { real.shift };
            let multiplier = if narrow { real.multiplier } else { multiplier(real) };
            Ok(WideChannel::new(steps, multiplier, shift))
        };
        let channels = largest.iter().enumerate().map(channel).collect::<Result<_, _>>()?;
        Ok((channels, largest))
    }

    /// The stored values that a fused activation leaves.
    pub(super) fn clamp_int16(&self, activation: Option<Function>) -> Result<[i16; 2], Error> {
        let scale = self.quantization(self.layer.output)?.scale;
        let ends = self.clamp_f32(activation)?;
        let stored = |real: f32, end: i16| if real.is_finite() { (real / scale).round() as i16 } else { end };
        Ok([stored(ends[0], STORED[0]), stored(ends[1], STORED[1])])
    }

    fn activation_int16(&self, function: Function) -> Result<Kernel, Error> {
        let [input, output] = [self.input(0)?, self.layer.output].map(|tensor| self.quantization(tensor));
        let (input, output) = (input?.scale, output?.scale);
        let plain = || factor(f64::from(input / output));
        Ok(match function {
            Function::Relu | Function::Relu6 | Function::Clamp { .. } => {
                Kernel::StraightInt16(Straight { factors: [plain(); 2], clamp: self.clamp_int16(Some(function))? })
            }
            Function::LeakyRelu { slope } => {
                let negative = table::signed_factor(f64::from(input * slope / output));
                Kernel::StraightInt16(Straight { factors: [negative, plain()], clamp: STORED })
            }
            Function::Sigmoid => Kernel::SigmoidInt16(self.curve(f64::from(input))?),
            Function::Tanh => Kernel::TanhInt16(self.curve(f64::from(input))?),
            function => Kernel::ActivationInt16(Box::new(function_table(input, output, |x| table::real(function, x)))),
        })
    }

    /// As LiteRT prepares LOGISTIC and TANH: an input of which 2^15 steps are 3 units of a table's 1/24 or 1/12, as many
    /// bits as fit 16.
    fn curve(&self, scale: f64) -> Result<Curve, Error> {
        // In units of 1/4096, of which 3 are 1/12288 each.
        let mut multiplier = scale * 4096.0 * 3.0;
        let mut shift = 0u8;
        while multiplier <= f64::from(i16::MAX) / 2.0 && shift <= 30 {
            shift += 1;
            multiplier *= 2.0;
        }
        if multiplier >= f64::from(i16::MAX) + 1.0 {
            return Err(self.error("its input's scale is too large"));
        }
        // The sigmoid of 24ths, each moved by half of what interpolation is off by in the middle of its step.
        let sigmoid = |place: f64| 65536.0 / (1.0 + libm::exp(-place / 24.0));
        let number = |index: usize| {
            let place = index as f64;
            let off = (sigmoid(place) + sigmoid(place + 1.0)) / 2.0 - sigmoid(place + 0.5);
            if index == 255 { u16::MAX } else { (sigmoid(place) - off / 2.0).round() as u16 }
        };
        Ok(Curve { table: Box::new(std::array::from_fn(number)), multiplier: multiplier as i32, shift })
    }

    /// As LiteRT prepares SOFTMAX with beta 1.
    fn softmax_int16(&self, channels: u16) -> Result<SoftmaxInt16, Error> {
        let scale = f64::from(self.quantization(self.input(0)?)?.scale);
        Ok(SoftmaxInt16 {
            channels,
            factor: factor(scale / (10.0 / 65535.0)),
            powers: Box::new(middled(|step| libm::exp(10.0 * step - 10.0))),
            reciprocals: Box::new(middled(|step| 1.0 / (1.0 + step))),
        })
    }

    /// A function of two operands, as LiteRT prepares the operators.
    pub(super) fn pair_int16(
        &self,
        function: PairFunction,
        constant: Option<&Constant>,
        activation: Option<Function>,
    ) -> Result<Pair, Error> {
        let [first, second] = self.operands(constant)?;
        let output = self.quantization(self.layer.output)?;
        let clamp = self.clamp_int16(activation)?;
        let scales = PairScales { first: first.scale, second: second.scale, output: output.scale };
        let same = || match [first, second] == [output, output] {
            true => Ok(clamp),
            false => Err(self.one_scale_needed(function)),
        };
        Ok(match function {
            PairFunction::Add => {
                let (factors, output_factor) = scales.of_sum(add::LEFT_SHIFT_INT16);
                Pair::AddInt16(add::Int16 { factors, output_factor, clamp })
            }
            PairFunction::Subtract => {
                let (factors, output_factor) = scales.of_sum(add::LEFT_SHIFT_INT16);
                Pair::SubtractInt16(subtract::Int16 { factors, output_factor, clamp })
            }
            PairFunction::Multiply => Pair::MultiplyInt16(multiply::Int16 { factor: scales.of_product(), clamp }),
            PairFunction::Maximum => Pair::MaximumInt16(maximum::Int16 { clamp: same()? }),
            PairFunction::Minimum => Pair::MinimumInt16(minimum::Int16 { clamp: same()? }),
            PairFunction::Prelu => {
                Pair::PreluInt16(prelu::Int16 { positive: scales.of_first(), negative: scales.of_product(), clamp })
            }
        })
    }
}

/// A factor's mantissa rounded to 16 bits, the lower 16 zero.
fn shortened(Factor { multiplier, .. }: Factor) -> i32 {
    const LARGEST: i32 = 0x7FFF_0000;
    multiplier.checked_add(1 << 15).map_or(LARGEST, |sum| (sum & !0xFFFF).min(LARGEST))
}

/// A table of 513 answers of a real function, as LiteRT makes them, every step rounded to f32: over the input's 65535 steps, each
/// moved by half of what interpolation is off by in the middle of its part.
fn function_table(input: f32, output: f32, function: impl Fn(f32) -> f32) -> [i16; 513] {
    let (least, greatest) = (input * -32768.0, input * 32767.0);
    let part = (greatest - least) / 512.0;
    let inverse = 65536.0 / (output * 32767.0 - output * -32768.0);
    let stored = |x: f32| (function(x) * inverse).round();
    std::array::from_fn(|index| {
        if index == 512 {
            return stored(greatest) as i16;
        }
        let from = least + index as f32 * part;
        let between = ((function(least + (index as f32 + 1.0) * part) * inverse + stored(from)) / 2.0).round();
        let off = between - stored(from + part / 2.0);
        (stored(from) - (off / 2.0).round()) as i16
    })
}

/// A table of a function of 0 to 1 in 512 steps, in units of 2^-15, as LiteRT makes them: each answer is moved by half of what
/// interpolation is off by in the middle of its step.
fn middled(of: impl Fn(f64) -> f64) -> [i16; 513] {
    let of = |step: f64| 32768.0 * of(step / 512.0);
    std::array::from_fn(|index| {
        let step = index as f64;
        let here = of(step).round();
        if index == 512 {
            return here as i16;
        }
        let between = ((of(step + 1.0) + here) / 2.0).round();
        let off = between - of(step + 0.5).round();
        (here - (off / 2.0).round()) as i16
    })
}
