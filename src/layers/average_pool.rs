//! The mean of each channel over the places of a window that exist. int8 follows
//! AVERAGE_POOL_2D: input and output have one scale, and the mean is rounded to nearest, ties
//! away from zero.

use super::Geometry;
use crate::simd;
use crate::window::{Call, Window};

/// A pool's window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AveragePool {
    /// Pool size as the kernel, and widths.
    pub geometry: Geometry,
}

/// Makes rows `[column][channel]`. Scratch: one i32 per channel.
///
/// ```
/// use microception::layers::{Geometry, average_pool};
/// use microception::window::Call;
/// let geometry = Geometry { width: 2, channels: 1, output_width: 1, kernel: [1, 2], stride: [2, 2], dilation: [1, 1], left: 0 };
/// let (mut output, mut sums) = ([0u8], [0u32]);
/// let layer = average_pool::AveragePool { geometry };
/// average_pool::int8(&layer, Call::on_lines(&[3, 4], 1, 0, &mut output, bytemuck::cast_slice_mut(&mut sums), 1));
/// assert_eq!(output, [4]);
/// ```
pub fn int8(layer: &AveragePool, call: Call<'_>) {
    let rows = call.rows;
    let (window, output, scratch) = call.unary::<i8, i8>();
    let sums: &mut [i32] = bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut []);
    let mut pixels = output.chunks_exact_mut(usize::from(layer.geometry.channels).max(1));
    for row in 0..rows {
        for (column, output) in (0..usize::from(layer.geometry.output_width)).zip(&mut pixels) {
            sums.fill(0);
            let places = each_run(&layer.geometry, &window, row, column, |pixels| simd::add_pixels(pixels, sums));
            for (output, &sum) in output.iter_mut().zip(&*sums) {
                *output = rounded_mean(sum, places) as i8;
            }
        }
    }
}

/// As [`int8`], in int16.
pub fn int16(layer: &AveragePool, call: Call<'_>) {
    let rows = call.rows;
    let (window, output, scratch) = call.unary::<i16, i16>();
    let sums: &mut [i32] = bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut []);
    let mut pixels = output.chunks_exact_mut(usize::from(layer.geometry.channels).max(1));
    for row in 0..rows {
        for (column, output) in (0..usize::from(layer.geometry.output_width)).zip(&mut pixels) {
            sums.fill(0);
            let places = each_run(&layer.geometry, &window, row, column, |pixels| simd::add_pixels_i16(pixels, sums));
            for (output, &sum) in output.iter_mut().zip(&*sums) {
                *output = rounded_mean(sum, places) as i16;
            }
        }
    }
}

/// As [`int8`], in f32. Scratch: none; sums are kept in the output.
///
/// A window without any place gives 0, as in TensorFlow.js's pools of volumes, and not the NaN of 0 / 0:
///
/// ```
/// use microception::layers::{Geometry, average_pool};
/// use microception::window::Call;
/// let geometry = Geometry { width: 1, channels: 1, output_width: 4, kernel: [1, 2], stride: [1, 1], dilation: [1, 1], left: 2 };
/// let mut output = [f32::NAN; 4];
/// let layer = average_pool::AveragePool { geometry };
/// let line = bytemuck::bytes_of(&-3.0f32);
/// average_pool::f32(&layer, Call::on_lines(line, 1, 0, bytemuck::bytes_of_mut(&mut output), &mut [], 1));
/// assert_eq!(output, [0.0, -3.0, -3.0, 0.0]);
/// ```
pub fn f32(layer: &AveragePool, call: Call<'_>) {
    let rows = call.rows;
    let (window, output, _) = call.unary::<f32, f32>();
    let mut pixels = output.chunks_exact_mut(usize::from(layer.geometry.channels).max(1));
    for row in 0..rows {
        for (column, sums) in (0..usize::from(layer.geometry.output_width)).zip(&mut pixels) {
            sums.fill(0.0);
            let places = each_run(&layer.geometry, &window, row, column, |pixels| simd::add_pixels_f32(pixels, sums));
            for sum in sums {
                *sum /= places.max(1) as f32;
            }
        }
    }
}

/// `sum / places`, rounded to nearest, ties away from zero; 0 for no places.
#[inline]
pub(crate) fn rounded_mean(sum: i32, places: i32) -> i32 {
    let half = if sum > 0 { places / 2 } else { -(places / 2) };
    sum.wrapping_add(half).checked_div(places).unwrap_or(0)
}

/// Calls `run` for the input pixels `[pixel][channel]` that exist under an output pixel's window, line by line;
/// returns how many.
#[inline]
fn each_run<T: bytemuck::Pod>(
    geometry: &Geometry,
    window: &Window<'_, T>,
    row: usize,
    column: usize,
    mut run: impl FnMut(&[T]),
) -> i32 {
    let mut elements = 0usize;
    for tap in 0..usize::from(geometry.kernel[0]) {
        if let Some(line) = geometry.line(window, row, tap) {
            geometry.each_run(line, column, |pixels| {
                run(pixels);
                elements = elements.wrapping_add(pixels.len());
            });
        }
    }
    // At most 255 by 255.
    elements.checked_div(usize::from(geometry.channels)).unwrap_or(0) as i32
}
