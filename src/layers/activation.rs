//! A function of one number, applied to every element, where it could not be fused into the layer
//! before. In f32 it is one of [`functions`](crate::functions); in int8 any such function, and any change of scale,
//! is a table of 256 answers, made by the code generator as LiteRT computes them.

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
