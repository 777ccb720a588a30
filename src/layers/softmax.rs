//! `exp(x) / sum(exp(x))` over the channels of each pixel. int8 follows SOFTMAX of LiteRT's
//! reference kernels: all in fixed point, the output's scale 1/256, its zero point -128.
//!
//! In the comments `Qn` is a signed 32-bit number with n bits before the point, as in gemmlowp,
//! where the polynomial and the constants come from.

use super::activation::interpolate;
use crate::functions::exp;
use crate::quantized::{Factor, doubling_high_product, rounding_shift, saturate};
use crate::window::Call;

/// A softmax in f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F32 {
    /// Channels of a pixel.
    pub channels: u16,
}

/// A softmax in int8.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8 {
    /// Channels of a pixel.
    pub channels: u16,
    /// Mantissa of the input's scale in Q5, in units of 2^-31.
    pub multiplier: i32,
    /// Its power of two, 0 to 30.
    pub shift: u8,
    /// Differences from the largest value below this one count as zero: -255 to 0 or less.
    pub least_difference: i32,
}

/// A softmax in int16, whose output's scale is 1/32768. It follows LiteRT's reference kernels, which interpolate between
/// exponentials and between reciprocals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16<'a> {
    /// Channels of a pixel.
    pub channels: u16,
    /// Takes the input to steps of which 65535 are 10.
    pub factor: Factor,
    /// `exp(x)` in units of 2^-15, for 513 numbers from -10 to 0.
    pub powers: &'a [i16; 513],
    /// `1 / (1 + x)` in units of 2^-15, for 513 numbers from 0 to 1.
    pub reciprocals: &'a [i16; 513],
}

/// Makes rows `[column][channel]`. Scratch: none; powers are kept in the output.
///
/// ```
/// use microception::layers::softmax;
/// use microception::quantized::Factor;
/// use microception::window::Call;
/// let step = |index: usize| index as f64 / 512.0;
/// let table = |of: &dyn Fn(f64) -> f64| core::array::from_fn(|index| (of(step(index)) * 32768.0).min(32767.0) as i16);
/// let (powers, reciprocals) = (table(&|step| (10.0 * step - 10.0).exp()), table(&|step| 1.0 / (1.0 + step)));
/// let factor = Factor { multiplier: 1 << 30, shift: 1 };
/// let layer = softmax::Int16 { channels: 2, factor, powers: &powers, reciprocals: &reciprocals };
/// let mut output = [0i16; 2];
/// let row = [500i16, 500];
/// softmax::int16(&layer, Call::on_lines(bytemuck::cast_slice(&row), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1));
/// assert_eq!(output, [1 << 14; 2]); // one half each
/// ```
pub fn int16(layer: &Int16<'_>, call: Call<'_>) {
    let (window, output, _) = call.unary::<i16, i16>();
    let channels = usize::from(layer.channels);
    let pixels = window.iter().flat_map(|line| line.chunks_exact(channels.max(1)));
    let saturated = |value: i32| crate::quantized::saturate_i16(value, [i16::MIN, i16::MAX]);
    for (output, pixel) in output.chunks_exact_mut(channels.max(1)).zip(pixels) {
        let largest = pixel.iter().fold(i16::MIN, |largest, &value| largest.max(value));
        let mut sum = 0i32;
        for (power, &value) in output.iter_mut().zip(pixel) {
            let difference = layer.factor.of(i32::from(value) - i32::from(largest));
            *power = interpolate(saturated(difference.saturating_add(32767)), layer.powers);
            sum = sum.wrapping_add((*power).into());
        }
        // The sum with its first bit where 2^30 is, of which one is taken away, in 2^-15ths from the middle of the table.
        let headroom = sum.leading_zeros();
        let shifted = i64::from(sum).wrapping_shl(headroom.wrapping_sub(1));
        let rest = ((shifted + (1 << 13)) >> 14) - (1 << 15) - (1 << 16);
        let reciprocal = i32::from(interpolate(saturated(rest as i32), layer.reciprocals));
        let shift = 31u32.wrapping_sub(headroom) & 31;
        let half = (1i32 << shift) >> 1;
        for power in output {
            let probability = i32::from(*power).wrapping_mul(reciprocal).wrapping_add(half) >> shift;
            *power = crate::quantized::saturate_i16(probability, [0, i16::MAX]);
        }
    }
}

/// Makes rows `[column][channel]`. Scratch: none.
///
/// ```
/// use microception::layers::softmax;
/// use microception::window::Call;
/// let mut output = [0.0f32; 2];
/// let row = [100.0f32, 100.0];
/// let call = Call::on_lines(bytemuck::cast_slice(&row), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1);
/// softmax::f32(&softmax::F32 { channels: 2 }, call);
/// assert_eq!(output, [0.5, 0.5]);
/// ```
pub fn f32(layer: &F32, call: Call<'_>) {
    let (window, output, _) = call.unary::<f32, f32>();
    let channels = usize::from(layer.channels);
    let pixels = window.iter().flat_map(|line| line.chunks_exact(channels.max(1)));
    for (output, pixel) in output.chunks_exact_mut(channels.max(1)).zip(pixels) {
        let largest = pixel.iter().fold(f32::MIN, |largest, &value| if value > largest { value } else { largest });
        let mut sum = 0.0;
        for (output, value) in output.iter_mut().zip(pixel) {
            *output = exp(value - largest);
            sum += *output;
        }
        for output in output {
            *output /= sum;
        }
    }
}

/// Makes rows `[column][channel]`. Scratch: none.
///
/// ```
/// use microception::layers::softmax;
/// use microception::window::Call;
/// // input scale 1/16: 2^-4 in Q5 is 2^22, that is 2^30 / 2^31 * 2^23
/// let layer = softmax::Int8 { channels: 2, multiplier: 1 << 30, shift: 23, least_difference: -248 };
/// let mut output = [0u8; 2];
/// softmax::int8(&layer, Call::on_lines(&[40, 40], 1, 0, &mut output, &mut [], 1));
/// assert_eq!(output.map(|byte| byte as i8), [0, 0]); // one half each
/// ```
pub fn int8(layer: &Int8, call: Call<'_>) {
    let (window, output, _) = call.unary::<i8, i8>();
    let channels = usize::from(layer.channels);
    let pixels = window.iter().flat_map(|line| line.chunks_exact(channels.max(1)));
    for (output, pixel) in output.chunks_exact_mut(channels.max(1)).zip(pixels) {
        let largest = pixel.iter().fold(i8::MIN, |largest, &value| largest.max(value));
        let power = |value: i8| {
            let difference = i32::from(value) - i32::from(largest);
            (difference >= layer.least_difference).then(|| {
                let shifted = difference.wrapping_mul(1i32 << (u32::from(layer.shift) & 31));
                exp_of_negative(doubling_high_product(shifted, layer.multiplier))
            })
        };
        // Q12
        let sum = pixel
            .iter()
            .filter_map(|&value| power(value))
            .fold(0i32, |sum, power| sum.wrapping_add(rounding_shift(power, 12)));
        let headroom = sum.leading_zeros();
        let reciprocal = one_over_one_plus(((sum as u32).wrapping_shl(headroom) as i32).wrapping_sub(i32::MIN));
        let exponent = 12u32.wrapping_sub(headroom).wrapping_add(31 - 8);
        for (output, &value) in output.iter_mut().zip(pixel) {
            *output = power(value).map_or(i8::MIN, |power| {
                let probability = rounding_shift(doubling_high_product(reciprocal, power), exponent);
                saturate(probability.wrapping_add(i32::from(i8::MIN)), [i8::MIN, i8::MAX])
            });
        }
    }
}

/// `e^x` in Q0 for a negative or zero `x` in Q5.
fn exp_of_negative(x: i32) -> i32 {
    const QUARTER: i32 = 1 << 24; // in Q5
    if x == 0 {
        return i32::MAX;
    }
    // x is a multiple of 1/4 plus a rest from -1/4 up to 0, excluded
    let rest = (x & (QUARTER - 1)) - QUARTER;
    let multiple = rest.wrapping_sub(x);
    let mut power = exp_near_zero(rest << 5);
    // e^-(2^k) in Q0, for k from -2 to 4
    for (bit, factor) in (24..).zip([1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242]) {
        if multiple & (1 << bit) != 0 {
            power = doubling_high_product(power, factor);
        }
    }
    power
}

/// `e^x` in Q0 for `x` in Q0 from -1/4 to 0: a Taylor polynomial around -1/8.
fn exp_near_zero(x: i32) -> i32 {
    const EXP_OF_MINUS_EIGHTH: i32 = 1895147668;
    const THIRD: i32 = 715827883;
    let x = x.wrapping_add(1 << 28);
    let x2 = doubling_high_product(x, x);
    let x3 = doubling_high_product(x2, x);
    let x4 = doubling_high_product(x2, x2);
    let cubic = doubling_high_product(rounding_shift(x4, 2).wrapping_add(x3), THIRD);
    let tail = rounding_shift(cubic.wrapping_add(x2), 1);
    EXP_OF_MINUS_EIGHTH.wrapping_add(doubling_high_product(EXP_OF_MINUS_EIGHTH, x.wrapping_add(tail)))
}

/// `1 / (1 + x)` in Q0 for `x` in Q0 from 0 to 1: Newton's iteration on half the denominator.
fn one_over_one_plus(x: i32) -> i32 {
    const FORTY_EIGHT_SEVENTEENTHS: i32 = 1515870810; // in Q2
    const MINUS_THIRTY_TWO_SEVENTEENTHS: i32 = -1010580540; // in Q2
    const ONE: i32 = 1 << 29; // in Q2
    // (x + 1) / 2, where 1 is 2^31 - 1; both are positive or zero
    let half_denominator = ((i64::from(x) + i64::from(i32::MAX) + 1) / 2) as i32;
    let mut quotient =
        FORTY_EIGHT_SEVENTEENTHS.wrapping_add(doubling_high_product(half_denominator, MINUS_THIRTY_TWO_SEVENTEENTHS));
    for _ in 0..3 {
        let error = ONE.wrapping_sub(doubling_high_product(half_denominator, quotient));
        quotient = quotient.wrapping_add(saturating_shift(doubling_high_product(quotient, error), 2));
    }
    saturating_shift(quotient, 1)
}

/// `x * 2^exponent`, at most 2^31 - 1 and at least -2^31.
fn saturating_shift(x: i32, exponent: u32) -> i32 {
    x.saturating_mul(1 << exponent)
}
