//! Weights and biases of a layer in int8, or with weights in int4.

/// The largest stored weight: -128 is not used, so that the range is symmetric.
const LARGEST: f64 = 127.0;

/// The same of four bits: -8 is not used.
const LARGEST_INT4: f64 = 7.0;

/// Scales of four bits that are tried, from the largest weight's own downwards.
const SCALES: u32 = 128;

/// The largest stored bias: half of i32, so that products have room beside it.
const LARGEST_BIAS: f64 = (1u32 << 30) as f64;

/// Trained numbers as an int8 layer stores them.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedWeights {
    /// In the order of the trained ones, -127 to 127.
    pub values: Vec<i8>,
    /// Real value of one step, per output channel.
    pub scales: Vec<f32>,
    /// In steps of `input scale * weight scale`, per output channel; zeros where there is none.
    pub bias: Vec<i32>,
}

/// Quantizes weights symmetrically per output channel: the scale is the largest magnitude over 127,
/// numbers are rounded to nearest, ties away from zero. `output_of` says which of the `outputs`
/// channels a weight belongs to.
///
/// A channel's scale is enlarged when its bias would be more than 2^30 steps: weights that are so
/// small beside the bias lose precision instead of the bias overflowing, as in TensorFlow Lite.
/// A channel of zeros gets its scale that way too.
///
/// ```
/// use microception_codegen::quantize::quantize_weights;
/// let quantized = quantize_weights(&[1.27, -0.5, 0.0, 254.0], Some(&[0.3, 1.0]), 2, 0.1, |index| index / 2);
/// assert_eq!(quantized.values, [127, -50, 0, 127]);
/// assert_eq!(quantized.scales, [0.01, 2.0]);
/// assert_eq!(quantized.bias, [300, 5]);
/// ```
pub fn quantize_weights(
    weights: &[f32],
    bias: Option<&[f32]>,
    outputs: usize,
    input_scale: f32,
    output_of: impl Fn(usize) -> usize,
) -> QuantizedWeights {
    let input_scale = f64::from(input_scale);
    let own =
        largest_of(weights, outputs, &output_of).into_iter().map(|largest| f64::from(largest) / LARGEST).collect();
    stored(weights, bias, own, LARGEST, input_scale, output_of)
}

/// As [`quantize_weights`], in four bits: -7 to 7. The scale of a channel is not the largest magnitude over 7 but the one
/// with which the squares of what rounding and cutting take off its weights have the least sum, of `SCALES` up to that.
///
/// ```
/// use microception_codegen::quantize::quantize_weights_int4;
/// // one weight is far from the others: it is cut, since they are many
/// let weights: Vec<f32> = [1.4].into_iter().chain((0..980).map(|index| 0.1 * (index % 7) as f32)).collect();
/// let quantized = quantize_weights_int4(&weights, None, 1, 0.1, |_| 0);
/// assert_eq!(quantized.values[..8], [7, 0, 1, 2, 3, 4, 5, 6]);
/// ```
pub fn quantize_weights_int4(
    weights: &[f32],
    bias: Option<&[f32]>,
    outputs: usize,
    input_scale: f32,
    output_of: impl Fn(usize) -> usize,
) -> QuantizedWeights {
    let mut of_outputs = vec![Vec::new(); outputs];
    for (index, &weight) in weights.iter().enumerate() {
        of_outputs[output_of(index)].push(f64::from(weight));
    }
    let own = of_outputs.iter().map(|weights| best_scale(weights)).collect();
    stored(weights, bias, own, LARGEST_INT4, f64::from(input_scale), output_of)
}

/// The scale of four bits that takes the least off these weights.
fn best_scale(weights: &[f64]) -> f64 {
    let most = weights.iter().fold(0.0, |largest: f64, weight| largest.max(weight.abs())) / LARGEST_INT4;
    let error = |scale: f64| {
        let lost = |weight: &f64| weight - scale * (weight / scale).round().clamp(-LARGEST_INT4, LARGEST_INT4);
        weights.iter().map(lost).map(|lost| lost * lost).sum::<f64>()
    };
    if most < f64::from(f32::MIN_POSITIVE) {
        return most;
    }
    let scales = (SCALES / 4..=SCALES).rev().map(|part| most * f64::from(part) / f64::from(SCALES));
    let best = scales.map(|scale| (scale, error(scale))).min_by(|(_, one), (_, other)| one.total_cmp(other));
    best.map_or(most, |(scale, _)| scale)
}

/// The largest magnitude of each channel.
fn largest_of(weights: &[f32], outputs: usize, output_of: impl Fn(usize) -> usize) -> Vec<f32> {
    let mut largest = vec![0f32; outputs];
    for (index, weight) in weights.iter().enumerate() {
        let largest = &mut largest[output_of(index)];
        *largest = largest.max(weight.abs());
    }
    largest
}

/// Weights in steps of their channel's scale `own`, enlarged where its bias asks for it, up to `most` steps.
fn stored(
    weights: &[f32],
    bias: Option<&[f32]>,
    own: Vec<f64>,
    most: f64,
    input_scale: f64,
    output_of: impl Fn(usize) -> usize,
) -> QuantizedWeights {
    let bias_of = |output: usize| bias.map_or(0.0, |bias| f64::from(bias[output]));
    let scales: Vec<f32> = own
        .into_iter()
        .enumerate()
        .map(|(output, of_weights)| {
            let of_bias = bias_of(output).abs() / (input_scale * LARGEST_BIAS);
            let scale = of_weights.max(of_bias) as f32;
            // All is zero: any scale does.
            if scale < f32::MIN_POSITIVE { 1.0 } else { scale.min(f32::MAX) }
        })
        .collect();
    let values = weights
        .iter()
        .enumerate()
        .map(|(index, &weight)| {
            let steps = f64::from(weight) / f64::from(scales[output_of(index)]);
            steps.round().clamp(-most, most) as i8
        })
        .collect();
    let bias = scales
        .iter()
        .enumerate()
        // `as` saturates, which an enlarged scale's own rounding could need.
        .map(|(output, &scale)| (bias_of(output) / (input_scale * f64::from(scale))).round() as i32)
        .collect();
    QuantizedWeights { values, scales, bias }
}
