//! Dot products of dense layers.

/// `accumulator + sum(weights[i] * values[i])` over the shorter of the two, wrapping.
///
/// ```
/// assert_eq!(microception::simd::portable::dot_i8(&[1, -2], &[100, 50], 7), 7);
/// ```
#[inline]
pub fn dot_i8(weights: &[i8], values: &[i8], accumulator: i32) -> i32 {
    let products = weights.iter().zip(values).map(|(&weight, &value)| i32::from(weight) * i32::from(value));
    products.fold(accumulator, i32::wrapping_add)
}

/// `accumulator + sum(weights[i] * values[i])` over the shorter of the two, in four interleaved
/// partial sums, so that a long sum rounds less and an FPU's pipeline stays full.
///
/// ```
/// use microception::simd::portable::dot_f32;
/// assert_eq!(dot_f32(&[1.0, -2.0], &[100.0, 50.0], 7.0), 7.0);
/// assert_eq!(dot_f32(&[1.0; 7], &[1.0; 5], 0.0), 5.0);
/// ```
#[inline]
pub fn dot_f32(weights: &[f32], values: &[f32], accumulator: f32) -> f32 {
    let length = weights.len().min(values.len());
    let [weights, values] = [weights, values].map(|slice| slice.get(..length).unwrap_or(&[]));
    let [mut a, mut b, mut c, mut d] = [accumulator, 0.0, 0.0, 0.0];
    let (weight_quads, weight_rest) = weights.as_chunks::<4>();
    let (value_quads, value_rest) = values.as_chunks::<4>();
    for (weights, values) in weight_quads.iter().zip(value_quads) {
        a += weights[0] * values[0];
        b += weights[1] * values[1];
        c += weights[2] * values[2];
        d += weights[3] * values[3];
    }
    for (weight, value) in weight_rest.iter().zip(value_rest) {
        a += weight * value;
    }
    (a + b) + (c + d)
}
