//! A function of one number, applied to every element, where it could not be fused into the layer
//! before. In int8 any such function is a table of 256 answers, made by the code generator as
//! LiteRT computes them.

use crate::window::Call;

/// The functions in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum F32 {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

/// A function in int8: the answer to the stored value `v` stands at index `v + 128`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8<'a> {
    /// The answers for -128 to 127.
    pub table: &'a [i8; 256],
}

/// Makes rows of the input's shape. Scratch: none.
///
/// ```
/// use microception::layers::activation;
/// use microception::window::Call;
/// let mut output = [0.0f32; 2];
/// let input = [-1.0f32, 8.0];
/// activation::f32(activation::F32::Relu6, Call::on_lines(bytemuck::cast_slice(&input), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1));
/// assert_eq!(output, [0.0, 6.0]);
/// ```
pub fn f32(function: F32, call: Call<'_>) {
    let (window, output, _) = call.unary::<f32, f32>();
    for (output, &input) in output.iter_mut().zip(window.iter().flatten()) {
        *output = match function {
            F32::Relu => super::cut(input, [0.0, f32::MAX]),
            F32::Relu6 => super::cut(input, [0.0, 6.0]),
            F32::Sigmoid => sigmoid(input),
        };
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
    let (window, output, _) = call.unary::<u8, i8>();
    for (output, &input) in output.iter_mut().zip(window.iter().flatten()) {
        *output = layer.table[usize::from(input ^ 0x80)];
    }
}

/// The logistic function, without overflow for any input.
fn sigmoid(x: f32) -> f32 {
    let power = exp(if x < 0.0 { x } else { -x });
    let small = power / (1.0 + power);
    if x < 0.0 { small } else { 1.0 - small }
}

/// `e^x`: by libm within one unit in the last place.
#[cfg(not(feature = "micromath"))]
pub(crate) fn exp(x: f32) -> f32 {
    libm::expf(x)
}

/// `e^x`: by micromath's approximation, for x from -87 to 88 within a relative error of 2.5e-3, and 0 below.
#[cfg(feature = "micromath")]
pub(crate) fn exp(x: f32) -> f32 {
    if x < -87.0 { 0.0 } else { micromath::F32(x).exp().0 }
}
