//! Functions of two operands: their integers as LiteRT prepares them, and which operand is repeated how.

use microception::layers::pairwise::Pair as _;
use microception::layers::{add, maximum, minimum, multiply, prelu, subtract};
use microception::quantized::Factor;

use super::{Kernel, Lowering, factor};
use crate::error::Error;
use crate::graph::{Constant, Element, Function, Numbers, PairFunction, Quantization, Shape};

/// Real values of one step of both operands and of what is made of them; the factors that LiteRT prepares of them.
pub(super) struct PairScales {
    pub(super) first: f32,
    pub(super) second: f32,
    pub(super) output: f32,
}

impl PairScales {
    /// Of a sum: those of the operands, over twice the larger scale, and that of the output; the operands' numbers are
    /// shifted by `left_shift` first.
    pub(super) fn of_sum(&self, left_shift: u32) -> ([Factor; 2], Factor) {
        let twice_larger = f64::from(2.0 * self.first.max(self.second));
        let operands = [self.first, self.second].map(|scale| factor(f64::from(scale) / twice_larger));
        (operands, factor(twice_larger / f64::from((1u32 << left_shift) as f32 * self.output)))
    }

    /// Of a product. Products and quotients of scales are rounded to f32.
    pub(super) fn of_product(&self) -> Factor {
        factor(f64::from(self.first * self.second / self.output))
    }

    /// Of the first operand alone, rounded likewise.
    pub(super) fn of_first(&self) -> Factor {
        factor(f64::from(self.first / self.output))
    }
}

/// A function of two operands, and where these come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairwise {
    /// What is made of two elements.
    pub pair: Pair,
    /// [`microception::layers::pairwise::broadcast`]; without it the operands are two inputs of one shape, and
    /// go through [`microception::layers::pairwise::same`] or, where they can, [`microception::layers::add::int8`].
    pub broadcast: Option<Broadcast>,
}

/// What is made of two elements. The variants are named after the runtime's types.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pair {
    /// [`microception::layers::add::F32`]
    AddF32(add::F32),
    /// [`microception::layers::add::Int8`]
    AddInt8(add::Int8),
    /// [`microception::layers::add::Int16`]
    AddInt16(add::Int16),
    /// [`microception::layers::subtract::F32`]
    SubtractF32(subtract::F32),
    /// [`microception::layers::subtract::Int8`]
    SubtractInt8(subtract::Int8),
    /// [`microception::layers::subtract::Int16`]
    SubtractInt16(subtract::Int16),
    /// [`microception::layers::multiply::F32`]
    MultiplyF32(multiply::F32),
    /// [`microception::layers::multiply::Int8`]
    MultiplyInt8(multiply::Int8),
    /// [`microception::layers::multiply::Int16`]
    MultiplyInt16(multiply::Int16),
    /// [`microception::layers::maximum::F32`]
    MaximumF32(maximum::F32),
    /// [`microception::layers::maximum::Int8`]
    MaximumInt8(maximum::Int8),
    /// [`microception::layers::maximum::Int16`]
    MaximumInt16(maximum::Int16),
    /// [`microception::layers::minimum::F32`]
    MinimumF32(minimum::F32),
    /// [`microception::layers::minimum::Int8`]
    MinimumInt8(minimum::Int8),
    /// [`microception::layers::minimum::Int16`]
    MinimumInt16(minimum::Int16),
    /// [`microception::layers::prelu::F32`]
    PreluF32(prelu::F32),
    /// [`microception::layers::prelu::Int8`]
    PreluInt8(prelu::Int8),
    /// [`microception::layers::prelu::Int16`]
    PreluInt16(prelu::Int16),
}

/// [`microception::layers::pairwise::Broadcast`] with its numbers owned.
#[derive(Debug, Clone, PartialEq)]
pub struct Broadcast {
    /// Pixels of an output row.
    pub width: u16,
    /// Channels of an output pixel.
    pub channels: u16,
    /// Of each operand: elements from one column to the next, and from one channel to the next.
    pub strides: [[u16; 2]; 2],
    /// The operand that the model holds.
    pub constant: Option<Held>,
}

/// [`microception::layers::pairwise::Constant`] with its numbers owned.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Stored as the element type has them.
    pub numbers: HeldNumbers,
    /// Elements from one row to the next.
    pub row: u32,
    /// Whether it is the first operand.
    pub first: bool,
}

/// The numbers of an operand that the model holds.
#[derive(Debug, Clone, PartialEq)]
pub enum HeldNumbers {
    /// Of an f32 layer.
    F32(Vec<f32>),
    /// Of an int8 layer.
    Int8(Vec<i8>),
    /// Of an int16 layer.
    Int16(Vec<i16>),
}

impl Pairwise {
    /// Whether [`microception::layers::add::int8`] computes it.
    pub fn is_short_sum(&self) -> bool {
        matches!(&self.pair, Pair::AddInt8(pair) if self.broadcast.is_none() && pair.is_short())
    }

    /// Bytes of numbers that it keeps in flash.
    pub fn weight_bytes(&self) -> usize {
        match self.broadcast.as_ref().and_then(|broadcast| broadcast.constant.as_ref()) {
            None => 0,
            Some(held) => match &held.numbers {
                HeldNumbers::F32(values) => 4 * values.len(),
                HeldNumbers::Int8(values) => values.len(),
                HeldNumbers::Int16(values) => 2 * values.len(),
            },
        }
    }
}

impl Pair {
    /// The result for two stored values; `None` in f32 and int16.
    pub fn of_int8(self, first: i8, second: i8) -> Option<i8> {
        match self {
            Pair::AddInt8(layer) => Some(layer.of(first, second)),
            Pair::SubtractInt8(layer) => Some(layer.of(first, second)),
            Pair::MultiplyInt8(layer) => Some(layer.of(first, second)),
            Pair::MaximumInt8(layer) => Some(layer.of(first, second)),
            Pair::MinimumInt8(layer) => Some(layer.of(first, second)),
            Pair::PreluInt8(layer) => Some(layer.of(first, second)),
            _ => None,
        }
    }
}

/// Extents of an operand's rows: rows, pixels, channels.
fn extents(shape: &Shape) -> [usize; 3] {
    [shape.rows(), shape.pixels(), shape.channels()]
}

impl Lowering<'_> {
    /// A function of two inputs, or of one and a constant.
    pub(super) fn pairwise(
        &self,
        function: PairFunction,
        constant: Option<&Constant>,
        activation: Option<Function>,
    ) -> Result<Kernel, Error> {
        let pair = match self.element() {
            Element::I8 => self.pair_int8(function, constant, activation)?,
            Element::I16 => self.pair_int16(function, constant, activation)?,
            _ => self.pair_f32(function, activation)?,
        };
        // A function of one stored value and a single constant is a function of one stored value.
        if let Some(Constant { numbers: Numbers::I8 { values, .. }, first, .. }) = constant
            && let [value] = values[..]
        {
            let table = std::array::from_fn(|index| {
                let input = (index as i32 - 128) as i8;
                let [first, second] = if *first { [value, input] } else { [input, value] };
                pair.of_int8(first, second).unwrap_or_default()
            });
            return Ok(Kernel::ActivationInt8(Box::new(table)));
        }
        let broadcast = match constant {
            None if self.input_shape()? == &self.graph.tensor(self.input(1)?).shape => None,
            constant => Some(self.broadcast(constant)?),
        };
        Ok(Kernel::Pairwise(Pairwise { pair, broadcast }))
    }

    fn pair_f32(&self, function: PairFunction, activation: Option<Function>) -> Result<Pair, Error> {
        let clamp = self.clamp_f32(activation)?;
        Ok(match function {
            PairFunction::Add => Pair::AddF32(add::F32 { clamp }),
            PairFunction::Subtract => Pair::SubtractF32(subtract::F32 { clamp }),
            PairFunction::Multiply => Pair::MultiplyF32(multiply::F32 { clamp }),
            PairFunction::Maximum => Pair::MaximumF32(maximum::F32 { clamp }),
            PairFunction::Minimum => Pair::MinimumF32(minimum::F32 { clamp }),
            PairFunction::Prelu => Pair::PreluF32(prelu::F32 { clamp }),
        })
    }

    /// As LiteRT prepares the operators.
    fn pair_int8(
        &self,
        function: PairFunction,
        constant: Option<&Constant>,
        activation: Option<Function>,
    ) -> Result<Pair, Error> {
        let [first, second] = self.operands(constant)?;
        let output = self.quantization(self.layer.output)?;
        let range = self.range(activation)?;
        let zero_points = [first.zero_point, second.zero_point];
        let scales = PairScales { first: first.scale, second: second.scale, output: output.scale };
        let same = || match [first, second] == [output, output] {
            true => Ok(range.clamp),
            false => Err(self.one_scale_needed(function)),
        };
        Ok(match function {
            PairFunction::Add => {
                let (factors, output_factor) = scales.of_sum(add::LEFT_SHIFT);
                Pair::AddInt8(add::Int8 { zero_points, factors, output_factor, range })
            }
            PairFunction::Subtract => {
                let (factors, output_factor) = scales.of_sum(add::LEFT_SHIFT);
                Pair::SubtractInt8(subtract::Int8 { zero_points, factors, output_factor, range })
            }
            PairFunction::Multiply => {
                Pair::MultiplyInt8(multiply::Int8 { zero_points, factor: scales.of_product(), range })
            }
            PairFunction::Maximum => Pair::MaximumInt8(maximum::Int8 { clamp: same()? }),
            PairFunction::Minimum => Pair::MinimumInt8(minimum::Int8 { clamp: same()? }),
            PairFunction::Prelu => Pair::PreluInt8(prelu::Int8 {
                zero_points,
                positive: scales.of_first(),
                negative: scales.of_product(),
                range,
            }),
        })
    }

    pub(super) fn one_scale_needed(&self, function: PairFunction) -> Error {
        let name = function.name();
        self.error(format!("its operands and its output have not one scale and zero point, which {name} needs"))
    }

    /// What the stored numbers of both operands stand for.
    pub(super) fn operands(&self, constant: Option<&Constant>) -> Result<[Quantization; 2], Error> {
        let input = self.quantization(self.input(0)?)?;
        match constant {
            None => Ok([input, self.quantization(self.input(1)?)?]),
            Some(Constant { numbers: Numbers::F32(_), .. }) => {
                Err(self.error("has a constant of real numbers among integers"))
            }
            Some(&Constant {
                numbers: Numbers::I8 { quantization, .. } | Numbers::I16 { quantization, .. },
                first,
                ..
            }) => Ok(if first { [quantization, input] } else { [input, quantization] }),
        }
    }

    fn broadcast(&self, constant: Option<&Constant>) -> Result<Broadcast, Error> {
        let [_, width, channels] = extents(self.output_shape());
        let first = self.input_shape()?;
        let shapes = match constant {
            None => [first, &self.graph.tensor(self.input(1)?).shape],
            Some(Constant { shape, first: true, .. }) => [shape, first],
            Some(Constant { shape, .. }) => [first, shape],
        };
        let whole = |shape: &&Shape| {
            let plane = [shape.lines(), shape.width()];
            plane == [1, 1] || plane == [self.output_shape().lines(), self.output_shape().width()]
        };
        if let Some(shape) = shapes.iter().find(|shape| !whole(shape)) {
            return Err(self.error(format!(
                "repeats {shape} along lines or columns of planes of {}: only whole planes or single places are possible",
                self.output_shape()
            )));
        }
        let [width, channels] = [self.narrow(width, "output width")?, self.narrow(channels, "number of channels")?];
        let stride = |shape: &Shape| {
            let [_, own_width, own_channels] = extents(shape);
            // Not above the output's channels.
            [if own_width == 1 { 0 } else { own_channels as u16 }, u16::from(own_channels != 1)]
        };
        Ok(Broadcast {
            width,
            channels,
            strides: shapes.map(stride),
            constant: constant.map(|constant| self.held(constant)).transpose()?,
        })
    }

    fn held(&self, constant: &Constant) -> Result<Held, Error> {
        let [rows, width, channels] = extents(&constant.shape);
        let numbers = match (&constant.numbers, self.element()) {
            (Numbers::F32(values), Element::F32) => HeldNumbers::F32(values.clone()),
            (Numbers::I8 { values, .. }, Element::I8) => HeldNumbers::Int8(values.clone()),
            (Numbers::I16 { values, .. }, Element::I16) => HeldNumbers::Int16(values.clone()),
            _ => return Err(self.error("has a constant of another type than its input")),
        };
        let row = if rows == 1 { 0 } else { self.narrow(width * channels, "row of constants")? };
        Ok(Held { numbers, row, first: constant.first })
    }
}
