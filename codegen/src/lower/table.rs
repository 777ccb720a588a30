//! The answers of a function of one number to all 256 stored values, as LiteRT's reference kernels compute them.

use microception::quantized::{Factor, rounding_shift};

use super::{Lowering, factor};
use crate::error::Error;
use crate::graph::{Function, Quantization};

/// The answers to -128 to 127.
pub(super) type Table = [i8; 256];

/// A table of the answers to what is above the input's zero point.
fn of_each(input: Quantization, answer: impl Fn(i32) -> i8) -> Table {
    std::array::from_fn(|index| answer(index as i32 - 128 - input.zero_point))
}

impl Lowering<'_> {
    /// The answers of a function.
    pub(super) fn table(&self, function: Function) -> Result<Table, Error> {
        let input = self.quantization(self.input(0)?)?;
        let output = self.quantization(self.layer.output)?;
        Ok(match function {
            Function::Relu | Function::Relu6 | Function::Clamp { .. } => {
                let range = self.range(Some(function))?;
                let factor = factor(f64::from(input.scale / output.scale));
                of_each(input, |value| range.requantize(value, factor))
            }
            Function::LeakyRelu { slope } => {
                let range = self.range(None)?;
                let positive = factor(f64::from(input.scale / output.scale));
                let negative = signed_factor(f64::from(input.scale * slope / output.scale));
                of_each(input, |value| range.requantize(value, if value >= 0 { positive } else { negative }))
            }
            Function::HardSwish => self.hard_swish(input, output)?,
            function => of_real(input, output, |x| real(function, x)),
        })
    }

    /// The same numbers with the output's scale and zero point, or what a function makes of them as real numbers.
    pub(super) fn requantized(&self, through: Option<Function>) -> Result<Table, Error> {
        let input = self.quantization(self.input(0)?)?;
        let range = self.range(None)?;
        let output = self.quantization(self.layer.output)?;
        if let Some(function) = through {
            // QUANTIZE divides, where the kernels that have a table multiply by the inverse.
            return Ok(of_each(input, |value| {
                let stored = (real(function, input.scale * value as f32) / output.scale).round();
                range.store(stored as i32)
            }));
        }
        let factor = factor(f64::from(input.scale) / f64::from(output.scale));
        Ok(of_each(input, |value| range.requantize(value, factor)))
    }

    /// HARD_SWISH, whose arithmetic has 16 bits: the input on a scale of 1/128 steps, once on the output's scale
    /// and once as the ramp from 0 at -3 to 1 at 3, and the product of both.
    fn hard_swish(&self, input: Quantization, output: Quantization) -> Result<Table, Error> {
        const RAMP_SCALE: f32 = 3.0 / 32768.0;
        let fine_scale = input.scale / 128.0;
        let [to_output, to_ramp] = [output.scale, RAMP_SCALE].map(|scale| short(factor(f64::from(fine_scale / scale))));
        if to_output.shift > 0 {
            return Err(self.error("its output's scale is less than 1/128 of its input's, which LiteRT refuses too"));
        }
        let range = self.range(None)?;
        Ok(of_each(input, |value| {
            let fine = (value << 7).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            let on_output_scale = high_product(fine, to_output.multiplier);
            let shift = to_ramp.shift;
            let mut ramp = if shift > 0 { saturating_shift(fine, shift - 1) } else { fine };
            ramp = high_product(ramp, to_ramp.multiplier);
            if shift > 0 {
                ramp = saturating_shift(ramp, 1);
            } else if shift < 0 {
                ramp = rounded(ramp, shift.unsigned_abs());
            }
            // From [-1, 1] to [0, 1].
            let ramp = ((i32::from(ramp) + (1 << 15)) >> 1) as i16;
            // The one product here that is cut off, not rounded.
            let product = (i32::from(ramp) * i32::from(on_output_scale) / (1 << 15)) as i16;
            range.store(rounded(product, to_output.shift.unsigned_abs()).into())
        }))
    }
}

/// The answers of a real function. Every step is rounded to f32, as LiteRT does it; what needs an exponential is
/// computed by one in pure Rust, which is the same on every machine, and rounded once.
fn of_real(input: Quantization, output: Quantization, function: impl Fn(f32) -> f32) -> Table {
    of_each(input, |value| {
        let stored = (function(input.scale * value as f32) * (1.0 / output.scale)).round();
        (stored as i32).saturating_add(output.zero_point).clamp(-128, 127) as i8
    })
}

/// A function of a real number.
pub(super) fn real(function: Function, x: f32) -> f32 {
    let exact = f64::from(x);
    let elu = |alpha: f32| if x < 0.0 { (f64::from(alpha) * f64::from(libm::expm1(exact) as f32)) as f32 } else { x };
    let sigmoid = || 1.0 / (1.0 + libm::exp(-exact) as f32);
    let clamp = |x: f32, [least, greatest]: [f32; 2]| x.max(least).min(greatest);
    match function {
        Function::Relu | Function::Relu6 | Function::Clamp { .. } => {
            clamp(x, function.clamps().unwrap_or([f32::NEG_INFINITY, f32::INFINITY]))
        }
        Function::LeakyRelu { slope } => {
            if x < 0.0 {
                slope * x
            } else {
                x
            }
        }
        Function::ThresholdRelu { slope, threshold, greatest } => {
            if x > threshold {
                clamp(x, [0.0, greatest])
            } else {
                slope * (x - threshold)
            }
        }
        Function::Elu { alpha } => elu(alpha),
        Function::Selu => {
            const ALPHA: f64 = 1.673_263_242_354_377_2;
            const FACTOR: f64 = 1.050_700_987_355_480_5;
            (FACTOR * if x < 0.0 { ALPHA * libm::expm1(exact) } else { exact }) as f32
        }
        Function::Gelu => 0.5 * x * libm::erfc(f64::from(x * -std::f32::consts::FRAC_1_SQRT_2)) as f32,
        Function::GeluTanh => {
            const SQRT_2_OVER_PI: f32 = 0.797_884_6;
            let inner = SQRT_2_OVER_PI * (x + 0.044715 * x * x * x);
            0.5 * x * (1.0 + libm::tanh(f64::from(inner)) as f32)
        }
        Function::Silu => (exact / (1.0 + libm::exp(-exact))) as f32,
        Function::Sigmoid => sigmoid(),
        Function::HardSigmoid { slope } => clamp(slope * x + 0.5, [0.0, 1.0]),
        Function::HardSwish => x * clamp(x + 3.0, [0.0, 6.0]) / 6.0,
        Function::Tanh => libm::tanh(exact) as f32,
        Function::Softplus => (exact.max(0.0) + libm::log1p(libm::exp(-exact.abs()))) as f32,
        Function::Softsign => x / (1.0 + x.abs()),
        Function::Exponential => libm::exp(exact) as f32,
        Function::Step => {
            if x < 0.0 {
                0.0
            } else {
                1.0
            }
        }
    }
}

/// A factor that may be negative.
pub(super) fn signed_factor(real: f64) -> Factor {
    let Factor { multiplier, shift } = factor(real.abs());
    Factor { multiplier: if real < 0.0 { -multiplier } else { multiplier }, shift }
}

/// A factor `multiplier / 2^15 * 2^shift`.
#[derive(Debug, Clone, Copy)]
struct Short {
    multiplier: i16,
    shift: i8,
}

/// The same factor with a mantissa of 16 bits.
fn short(Factor { multiplier, shift }: Factor) -> Short {
    const HALF: i32 = 1 << 15;
    let rounded = multiplier.checked_add(HALF).map_or(i16::MAX, |sum| (sum >> 16).min(i16::MAX.into()) as i16);
    Short { multiplier: rounded, shift }
}

/// The high half of `2 * a * b`, rounded to nearest, ties away from zero.
fn high_product(a: i16, b: i16) -> i16 {
    let product = i32::from(a) * i32::from(b);
    let nudge = if product >= 0 { 1 << 14 } else { 1 - (1 << 14) };
    ((product + nudge) / (1 << 15)).min(i16::MAX.into()) as i16
}

/// `x * 2^exponent`, cut to 16 bits.
fn saturating_shift(x: i16, exponent: i8) -> i16 {
    let shifted = i64::from(x) << exponent.clamp(0, 40);
    shifted.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// `x / 2^exponent`, rounded to nearest, ties away from zero.
fn rounded(x: i16, exponent: u8) -> i16 {
    if exponent == 0 { x } else { rounding_shift(x.into(), exponent.into()) as i16 }
}
