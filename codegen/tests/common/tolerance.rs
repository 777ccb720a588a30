//! Every tolerance that the tests allow, with its reason.
#![allow(dead_code, reason = "each test takes what it needs of the table")]

/// f32 against Keras and against LiteRT's float kernels, as a part of the largest magnitude in the tensor: all
/// round every step to 24 bits but add in different orders, and a batch norm is folded before it is rounded.
pub const F32: f32 = 1e-5;

/// f32 against loops in f64, as a part of the sum of the magnitudes that are added up: where terms cancel, what
/// rounding each of them left is large beside the sum. 16 halves of the last bit.
pub const F32_SUM: f64 = 16.0 / (1u32 << 24) as f64;

/// int8 against exact sums times `factor`, in steps: rounded to the nearest, after a first rounding to no more than twice
/// the factor.
pub fn rounded_twice(factor: f64) -> f64 {
    0.5 + factor
}
