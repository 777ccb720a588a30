//! Weights and biases of a layer in int8.

/// The largest stored weight: -128 is not used, so that the range is symmetric.
const LARGEST: f64 = 127.0;

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
    let bias_of = |output: usize| bias.map_or(0.0, |bias| f64::from(bias[output]));
    let mut largest = vec![0f32; outputs];
    for (index, weight) in weights.iter().enumerate() {
        let largest = &mut largest[output_of(index)];
        *largest = largest.max(weight.abs());
    }
    let scales: Vec<f32> = largest
        .iter()
        .enumerate()
        .map(|(output, &largest)| {
            let of_weights = f64::from(largest) / LARGEST;
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
            steps.round().clamp(-LARGEST, LARGEST) as i8
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
