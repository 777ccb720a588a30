//! Scale and zero point of activations.

use crate::graph::{Element, Quantization};

/// Steps between the least and the greatest stored value.
const STEPS: f64 = 255.0;

/// The least and the greatest stored value.
const STORED: [f64; 2] = [-128.0, 127.0];

/// The greatest stored value of 16 bits.
const LARGEST_INT16: f64 = i16::MAX as f64;

/// Bits that a kernel has for a result in steps of its output, before it is cut to int8.
const HEADROOM: f64 = (1u32 << 29) as f64;

/// The scale of a tensor that is always zero.
const SCALE_OF_ZERO: f64 = 1.0 / 128.0;

/// Scale and zero point for a range `[least, greatest]` of real values, as TensorFlow Lite
/// chooses them: the range is widened to zero and cut into 255 steps; the zero point is the one
/// that follows from the end of the range with the smaller error, rounded.
///
/// `reach` is the largest magnitude that the layer can make before it is cut to the range. Steps so
/// small that 2^29 of them do not cover it would overflow a kernel's 32 bits, so they are made
/// larger; it takes a tensor that was nothing but zero in all frames to get there.
///
/// `None` when the scale is not an f32 number.
///
/// ```
/// use microception_codegen::quantize::activation_quantization;
/// let quantization = activation_quantization([0.0, 25.5], 0.0).unwrap();
/// assert_eq!((quantization.scale, quantization.zero_point), (0.1, -128));
/// ```
pub fn activation_quantization([least, greatest]: [f32; 2], reach: f64) -> Option<Quantization> {
    let (least, mut greatest) = (f64::from(least.min(0.0)), f64::from(greatest.max(0.0)));
    let of_range = (greatest - least) / STEPS;
    let mut scale = of_range.max(reach / HEADROOM);
    if of_range < f64::from(f32::MIN_POSITIVE) {
        scale = scale.max(SCALE_OF_ZERO);
    }
    if scale > of_range {
        greatest = least + STEPS * scale;
    }
    // TensorFlow Lite derives the zero point from the scale before it is rounded to f32.
    let [from_least, from_greatest] = [STORED[0] - least / scale, STORED[1] - greatest / scale];
    let [error_of_least, error_of_greatest] =
        [STORED[0].abs() + (least / scale).abs(), STORED[1].abs() + (greatest / scale).abs()];
    let zero_point = if error_of_least < error_of_greatest { from_least } else { from_greatest };
    let zero_point = zero_point.round().clamp(STORED[0], STORED[1]) as i32;
    let scale = scale as f32;
    scale.is_finite().then_some(Quantization { scale, zero_point })
}

/// Scale and zero point of an element type for a range.
pub fn quantization(element: Element, range: [f32; 2], reach: f64) -> Option<Quantization> {
    if element == Element::I16 { symmetric_quantization(range, reach) } else { activation_quantization(range, reach) }
}

/// As [`activation_quantization`], in 16 bits: the larger end of the range is 32767 steps from zero.
fn symmetric_quantization([least, greatest]: [f32; 2], reach: f64) -> Option<Quantization> {
    let largest = f64::from(greatest.abs().max(least.abs()));
    let mut scale = (largest / LARGEST_INT16).max(reach / HEADROOM);
    if scale < f64::from(f32::MIN_POSITIVE) {
        scale = SCALE_OF_ZERO / 256.0;
    }
    let scale = scale as f32;
    scale.is_finite().then_some(Quantization { scale, zero_point: 0 })
}

/// Scale and zero point in 16 bits for pixels `real = scale * pixel + offset`, of the exact range.
pub fn pixel_quantization_int16(scale: f32, offset: f32) -> Option<Quantization> {
    let ends = [offset, (STEPS * f64::from(scale) + f64::from(offset)) as f32];
    let usable = scale != 0.0 && ends.iter().all(|end| end.is_finite());
    usable.then(|| symmetric_quantization(ends, 0.0))?
}

/// Scale and zero point for pixels `real = scale * pixel + offset`: the pixel minus 128 where the
/// offset is a whole number of steps that leaves a zero point in int8, else the exact range.
///
/// `None` when the scale is no number or zero.
pub fn pixel_quantization(scale: f32, offset: f32) -> Option<Quantization> {
    let (exact_scale, exact_offset) = (f64::from(scale), f64::from(offset));
    let steps = exact_offset / exact_scale;
    let zero_point = STORED[0] - steps.round();
    if scale >= f32::MIN_POSITIVE
        && (steps - steps.round()).abs() < 1e-6 * steps.abs().max(1.0)
        && (STORED[0]..=STORED[1]).contains(&zero_point)
    {
        return Some(Quantization { scale, zero_point: zero_point as i32 });
    }
    let ends = [exact_offset as f32, (STEPS * exact_scale + exact_offset) as f32];
    let usable = exact_scale != 0.0 && ends.iter().all(|end| end.is_finite());
    usable.then(|| activation_quantization([ends[0].min(ends[1]), ends[0].max(ends[1])], 0.0))?
}

/// Whether steps of that scale cover what a layer can make before it is cut.
pub fn covers(quantization: Quantization, reach: f64) -> bool {
    f64::from(quantization.scale) * HEADROOM >= reach
}

/// The largest magnitude that a stored value of an element type stands for.
pub fn largest(element: Element, quantization: Quantization) -> f64 {
    if element == Element::I16 {
        return f64::from(quantization.scale) * (LARGEST_INT16 + 1.0);
    }
    let magnitudes = STORED.map(|stored| (stored - f64::from(quantization.zero_point)).abs());
    f64::from(quantization.scale) * magnitudes[0].max(magnitudes[1])
}
