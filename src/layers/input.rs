//! From the caller's row to the model's first tensor.

use crate::simd;
use crate::window::Call;

/// Pixels to reals: `real = scale * pixel + offset`, as Keras's Rescaling has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// Real value of one step of brightness.
    pub scale: f32,
    /// Real value of black.
    pub offset: f32,
}

/// Takes a row as it is.
///
/// ```
/// use microception::layers::input;
/// use microception::window::Call;
/// let mut output = [0u8; 3];
/// input::copy(Call::on_lines(&[1, 2, 3], 1, 0, &mut output, &mut [], 1));
/// assert_eq!(output, [1, 2, 3]);
/// ```
pub fn copy(call: Call<'_>) {
    let (window, output, _) = call.unary::<u8, u8>();
    simd::copy(window.line(0).unwrap_or(&[]), output);
}

/// Takes a row of pixels to int8 with zero point -128: pixel minus 128.
///
/// ```
/// use microception::layers::input;
/// use microception::window::Call;
/// let mut output = [0u8; 3];
/// input::centre(Call::on_lines(&[0, 128, 255], 1, 0, &mut output, &mut [], 1));
/// assert_eq!(output.map(|byte| byte as i8), [-128, 0, 127]);
/// ```
pub fn centre(call: Call<'_>) {
    let (window, output, _) = call.unary::<u8, u8>();
    let ((words, rest), (pixels, pixel_rest)) =
        (output.as_chunks_mut::<4>(), window.line(0).unwrap_or(&[]).as_chunks::<4>());
    for (output, pixels) in words.iter_mut().zip(pixels) {
        *output = (u32::from_ne_bytes(*pixels) ^ 0x8080_8080).to_ne_bytes();
    }
    for (output, &pixel) in rest.iter_mut().zip(pixel_rest) {
        *output = pixel ^ 0x80;
    }
}

/// Takes a row of pixels to int8 or int16 by a table: `table[pixel]`.
pub fn lookup<T: bytemuck::Pod>(table: &[T; 256], call: Call<'_>) {
    let (window, output, _) = call.unary::<u8, T>();
    for (output, &pixel) in output.iter_mut().zip(window.line(0).unwrap_or(&[])) {
        *output = table[usize::from(pixel)];
    }
}

/// Takes a row of pixels to f32.
///
/// ```
/// use microception::layers::input;
/// use microception::window::Call;
/// let mut output = [0.0f32; 2];
/// let rescale = input::Rescale { scale: 0.5, offset: -1.0 };
/// input::rescale(&rescale, Call::on_lines(&[0, 255], 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1));
/// assert_eq!(output, [-1.0, 126.5]);
/// ```
pub fn rescale(layer: &Rescale, call: Call<'_>) {
    let (window, output, _) = call.unary::<u8, f32>();
    for (output, &pixel) in output.iter_mut().zip(window.line(0).unwrap_or(&[])) {
        *output = f32::from(pixel) * layer.scale + layer.offset;
    }
}
