//! The same numbers in another element type: between layers of int8, int16 and f32. From int8 to int8 it is a table, see
//! [`activation`](super::activation).
//!
//! From one stored number to another as QUANTIZE of LiteRT's reference kernels requantizes, with two roundings; to f32 as
//! DEQUANTIZE and from it as QUANTIZE do, which divides by the scale and rounds to nearest, ties away from zero.

use bytemuck::Pod;

use crate::quantized::Factor;
use crate::window::Call;

/// A quantized number: int8 or int16.
pub trait Stored: Pod {
    /// The nearest number of the type, in 32 bits or fewer.
    fn saturated(value: i32) -> Self;
    /// In 32 bits.
    fn wide(self) -> i32;
}

impl Stored for i8 {
    #[inline]
    fn saturated(value: i32) -> i8 {
        crate::quantized::saturate(value, [i8::MIN, i8::MAX])
    }

    #[inline]
    fn wide(self) -> i32 {
        self.into()
    }
}

impl Stored for i16 {
    #[inline]
    fn saturated(value: i32) -> i16 {
        crate::quantized::saturate_i16(value, [i16::MIN, i16::MAX])
    }

    #[inline]
    fn wide(self) -> i32 {
        self.into()
    }
}

/// From one stored number to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Requantize {
    /// Zero points of input and output.
    pub zero_points: [i32; 2],
    /// The input's scale over the output's.
    pub factor: Factor,
}

/// Between stored numbers and real ones.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Scale {
    /// Real value of one step.
    pub scale: f32,
    /// The stored value that stands for zero.
    pub zero_point: i32,
}

/// Makes rows of the input's shape. Scratch: none.
///
/// ```
/// use microception::layers::requantize::{Requantize, requantize};
/// use microception::quantized::Factor;
/// use microception::window::Call;
/// // steps 256 times as fine
/// let layer = Requantize { zero_points: [-128, 0], factor: Factor { multiplier: 1 << 30, shift: 9 } };
/// let mut output = [0i16; 2];
/// requantize::<i8, i16>(&layer, Call::on_lines(&[0x81, 0], 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1));
/// assert_eq!(output, [256, 32767]);
/// ```
pub fn requantize<I: Stored, O: Stored>(layer: &Requantize, call: Call<'_>) {
    let Requantize { zero_points: [from, to], factor } = *layer;
    each::<I, O>(call, |value| O::saturated(factor.of(value.wide().wrapping_sub(from)).saturating_add(to)));
}

/// Makes rows of the input's shape. Scratch: none.
///
/// ```
/// use microception::layers::requantize::{Scale, dequantize};
/// use microception::window::Call;
/// let mut output = [0.0f32; 2];
/// let layer = Scale { scale: 0.5, zero_point: 1 };
/// dequantize::<i8>(&layer, Call::on_lines(&[3, 0], 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1));
/// assert_eq!(output, [1.0, -0.5]);
/// ```
pub fn dequantize<I: Stored>(layer: &Scale, call: Call<'_>) {
    let Scale { scale, zero_point } = *layer;
    each::<I, f32>(call, |value| scale * value.wide().wrapping_sub(zero_point) as f32);
}

/// Makes rows of the input's shape. Scratch: none.
///
/// ```
/// use microception::layers::requantize::{Scale, quantize};
/// use microception::window::Call;
/// let mut output = [0u8; 3];
/// let layer = Scale { scale: 0.5, zero_point: 1 };
/// quantize::<i8>(&layer, Call::on_lines(bytemuck::cast_slice(&[1.0f32, -0.25, 1e9]), 1, 0, &mut output, &mut [], 1));
/// assert_eq!(output, [3, 0, 127]);
/// ```
pub fn quantize<O: Stored>(layer: &Scale, call: Call<'_>) {
    let Scale { scale, zero_point } = *layer;
    each::<f32, O>(call, |value| O::saturated((libm::roundf(value / scale) as i32).saturating_add(zero_point)));
}

#[inline]
fn each<I: Pod, O: Pod>(call: Call<'_>, of: impl Fn(I) -> O) {
    let (window, output, _) = call.unary::<I, O>();
    for (output, &value) in output.iter_mut().zip(window.iter().flatten()) {
        *output = of(value);
    }
}
