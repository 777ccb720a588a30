//! A function of one number, applied to every element, where it could not be fused into the layer
//! before. In f32 it is one of [`functions`](crate::functions); in int8 any such function, and any change of scale,
//! is a table of 256 answers, made by the code generator as LiteRT computes them.
//!
//! In int16 what is straight on either side of zero is two factors ([`Straight`]), a sigmoid and a hyperbolic tangent are
//! what LiteRT's reference kernels interpolate of one table ([`Curve`]), and all others are [interpolated](interpolate) between
//! 513 answers.

use crate::quantized::{Factor, saturate_i16};
use crate::window::Call;

/// A function in int8: the answer to the stored value `v` stands at index `v + 128`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8<'a> {
    /// The answers for -128 to 127.
    pub table: &'a [i8; 256],
}

/// Makes rows of the input's shape. Scratch: none.
///
/// ```
/// use microception::functions;
/// use microception::layers::activation;
/// use microception::window::Call;
/// let mut output = [0.0f32; 2];
/// let input = [-1.0f32, 8.0];
/// let call = Call::on_lines(bytemuck::cast_slice(&input), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1);
/// activation::f32(|x| functions::leaky_relu(x, 0.5), call);
/// assert_eq!(output, [-0.5, 8.0]);
/// ```
pub fn f32(function: impl Fn(f32) -> f32, call: Call<'_>) {
    let (window, output, _) = call.unary::<f32, f32>();
    for (output, &input) in output.iter_mut().zip(window.iter().flatten()) {
        *output = function(input);
    }
}

/// As [`f32()`], over the input.
///
/// ```
/// use microception::functions;
/// use microception::layers::activation;
/// use microception::window::Call;
/// let mut values = [-1.0f32, 8.0];
/// let call = Call::on_lines(&[], 0, 0, bytemuck::cast_slice_mut(&mut values), &mut [], 1);
/// activation::f32_in_place(functions::relu, call);
/// assert_eq!(values, [0.0, 8.0]);
/// ```
pub fn f32_in_place(function: impl Fn(f32) -> f32, call: Call<'_>) {
    let (_, values, _) = call.unary::<f32, f32>();
    for value in values {
        *value = function(*value);
    }
}

/// Makes rows of the input's shape. Scratch: none.
///
/// ```
/// use microception::layers::activation;
/// use microception::window::Call;
/// let mut table = [0; 256];
/// table[128 + 5] = 42;
/// let mut output = [0u8];
/// activation::int8(&activation::Int8 { table: &table }, Call::on_lines(&[5], 1, 0, &mut output, &mut [], 1));
/// assert_eq!(output, [42]);
/// ```
pub fn int8(layer: &Int8<'_>, call: Call<'_>) {
    let (window, mut output, _) = call.unary::<u8, i8>();
    for line in window.iter() {
        let (row, rest) = output.split_at_mut_checked(line.len()).unwrap_or_default();
        output = rest;
        let ((words, rest), (inputs, input_rest)) = (row.as_chunks_mut::<4>(), line.as_chunks::<4>());
        for (output, input) in words.iter_mut().zip(inputs) {
            *output = layer.answers(*input);
        }
        for (output, &input) in rest.iter_mut().zip(input_rest) {
            *output = layer.answer(input ^ 0x80);
        }
    }
}

/// As [`int8`], over the input.
///
/// ```
/// use microception::layers::activation;
/// use microception::window::Call;
/// let mut table = [0; 256];
/// table[128 + 5] = 42;
/// let mut values = [5u8];
/// activation::int8_in_place(&activation::Int8 { table: &table }, Call::on_lines(&[], 0, 0, &mut values, &mut [], 1));
/// assert_eq!(values, [42]);
/// ```
pub fn int8_in_place(layer: &Int8<'_>, call: Call<'_>) {
    let (_, values, _) = call.unary::<u8, u8>();
    let (words, rest) = values.as_chunks_mut::<4>();
    for values in words {
        *values = layer.answers(*values).map(i8::cast_unsigned);
    }
    for value in rest {
        *value = layer.answer(*value ^ 0x80).cast_unsigned();
    }
}

/// A function in int16, from its values at every 128th stored number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16<'a> {
    /// The answers for -32768, -32640 and so on to 32768.
    pub table: &'a [i16; 513],
}

/// Makes rows of the input's shape. Scratch: none.
///
/// ```
/// use microception::layers::activation;
/// use microception::window::Call;
/// let mut table = [0; 513];
/// (table[256], table[257]) = (100, 228);
/// let mut output = [0i16; 2];
/// let call = Call::on_lines(bytemuck::cast_slice(&[0i16, 64]), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1);
/// activation::int16(&activation::Int16 { table: &table }, call);
/// assert_eq!(output, [100, 164]);
/// ```
pub fn int16(layer: &Int16<'_>, call: Call<'_>) {
    each_int16(call, |value| interpolate(value, layer.table));
}

/// As [`int16`], over the input.
pub fn int16_in_place(layer: &Int16<'_>, call: Call<'_>) {
    each_int16_in_place(call, |value| interpolate(value, layer.table));
}

/// A stored number's answer, between those of the two that are multiples of 128 around it.
///
/// ```
/// let mut table = [0; 513];
/// (table[0], table[1]) = (-1000, 0);
/// assert_eq!(microception::layers::activation::interpolate(-32768 + 32, &table), -750);
/// ```
#[inline]
pub fn interpolate(value: i16, table: &[i16; 513]) -> i16 {
    let (index, part) = (usize::from(value.cast_unsigned() ^ 0x8000) >> 7, i32::from(value & 127));
    let [from, to] = [index, index + 1].map(|index| table.get(index).copied().map_or(0, i32::from));
    from.wrapping_add((to.wrapping_sub(from).wrapping_mul(part).wrapping_add(64)) >> 7) as i16
}

/// A function in int16 that is straight on either side of zero: a ReLU, a leaky one, a clamp. It follows RELU and LEAKY_RELU
/// of LiteRT's reference kernels.
///
/// ```
/// use microception::layers::activation;
/// use microception::quantized::Factor;
/// use microception::window::Call;
/// let [half, tenth] = [Factor { multiplier: 1 << 30, shift: 0 }, Factor { multiplier: 1717986918, shift: -3 }];
/// let layer = activation::Straight { factors: [tenth, half], clamp: [-50, 6000] };
/// let mut values = [400i16, -400, -4000, 20_000];
/// let call = Call::on_lines(&[], 0, 0, bytemuck::cast_slice_mut(&mut values), &mut [], 1);
/// activation::straight_int16_in_place(&layer, call);
/// assert_eq!(values, [200, -40, -50, 6000]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Straight {
    /// What negative numbers are multiplied with, and all others.
    pub factors: [Factor; 2],
    /// The least and greatest stored value of the result.
    pub clamp: [i16; 2],
}

impl Straight {
    #[inline]
    fn of(&self, value: i16) -> i16 {
        let [negative, positive] = self.factors;
        saturate_i16((if value < 0 { negative } else { positive }).of(value.into()), self.clamp)
    }
}

/// Makes rows of the input's shape. Scratch: none.
pub fn straight_int16(layer: &Straight, call: Call<'_>) {
    each_int16(call, |value| layer.of(value));
}

/// As [`straight_int16`], over the input.
pub fn straight_int16_in_place(layer: &Straight, call: Call<'_>) {
    each_int16_in_place(call, |value| layer.of(value));
}

/// A sigmoid or a hyperbolic tangent in int16, whose output's scale is 1/32768. It follows LOGISTIC and TANH of LiteRT's
/// reference kernels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve<'a> {
    /// `sigmoid(n / 24)` in units of 2^-16, at most 65535.
    pub table: &'a [u16; 256],
    /// `multiplier / 2^shift` takes the input to units of 1/12288 for a sigmoid, or 1/6144 for a tangent.
    pub multiplier: i32,
    /// 0 to 30.
    pub shift: u8,
}

impl Curve<'_> {
    /// The input's magnitude in steps of the table with `fraction` bits behind the point, the table's number there with as
    /// many, and whether the input is negative.
    #[inline]
    fn at(&self, value: i16, fraction: u32) -> (u32, bool) {
        let shift = u32::from(self.shift) & 31;
        let half = (1i32 << shift) >> 1;
        let scaled = i32::from(value).wrapping_mul(self.multiplier).wrapping_add(half) >> shift;
        let magnitude = scaled.unsigned_abs();
        let index = (magnitude >> fraction) as usize;
        let number = match (self.table.get(index), self.table.get(index.wrapping_add(1))) {
            (Some(&from), Some(&to)) => {
                let part = magnitude & ((1 << fraction) - 1);
                (u32::from(from) << fraction).wrapping_add(part.wrapping_mul(u32::from(to).wrapping_sub(from.into())))
            }
            _ => 0xFFFF << fraction,
        };
        (number, scaled < 0)
    }

    #[inline]
    fn sigmoid(&self, value: i16) -> i16 {
        let (number, negative) = self.at(value, 9);
        // Saturated, the answer is 32767.
        let number = number.min(0x7FFF << 10);
        let rounded = if negative { (1 << 25) + (1 << 9) - 1 - number.min(1 << 25) } else { number + (1 << 9) };
        (rounded >> 10) as i16
    }

    #[inline]
    fn tanh(&self, value: i16) -> i16 {
        let (number, negative) = self.at(value, 8);
        let above = number.wrapping_sub(1 << 23) as i32;
        let rounded = if negative { (1 << 7) - 1 - above } else { above + (1 << 7) };
        (rounded >> 8) as i16
    }
}

/// Makes rows of the input's shape. Scratch: none.
pub fn sigmoid_int16(layer: &Curve<'_>, call: Call<'_>) {
    each_int16(call, |value| layer.sigmoid(value));
}

/// As [`sigmoid_int16`], over the input.
pub fn sigmoid_int16_in_place(layer: &Curve<'_>, call: Call<'_>) {
    each_int16_in_place(call, |value| layer.sigmoid(value));
}

/// Makes rows of the input's shape. Scratch: none.
pub fn tanh_int16(layer: &Curve<'_>, call: Call<'_>) {
    each_int16(call, |value| layer.tanh(value));
}

/// As [`tanh_int16`], over the input.
pub fn tanh_int16_in_place(layer: &Curve<'_>, call: Call<'_>) {
    each_int16_in_place(call, |value| layer.tanh(value));
}

#[inline]
fn each_int16(call: Call<'_>, of: impl Fn(i16) -> i16) {
    let (window, output, _) = call.unary::<i16, i16>();
    for (output, &value) in output.iter_mut().zip(window.iter().flatten()) {
        *output = of(value);
    }
}

#[inline]
fn each_int16_in_place(call: Call<'_>, of: impl Fn(i16) -> i16) {
    let (_, values, _) = call.unary::<i16, i16>();
    for value in values {
        *value = of(*value);
    }
}

impl Int8<'_> {
    /// The answer to a stored value less -128.
    #[inline]
    fn answer(&self, biased: u8) -> i8 {
        self.table[usize::from(biased)]
    }

    /// The answers to four stored values, biased in one word.
    #[inline]
    fn answers(&self, values: [u8; 4]) -> [i8; 4] {
        (u32::from_ne_bytes(values) ^ 0x8080_8080).to_ne_bytes().map(|biased| self.answer(biased))
    }
}
