//! Every tolerance that the tests allow, with its reason.
#![allow(dead_code, reason = "each test takes what it needs of the table")]

/// f32 against Keras and against LiteRT's float kernels, as a part of the largest magnitude in the tensor: all
/// round every step to 24 bits but add in different orders, and a batch norm is folded before it is rounded.
pub const F32: f32 = 1e-5;

/// f32 against loops in f64, as a part of the sum of the magnitudes that are added up: where terms cancel, what
/// rounding each of them left is large beside the sum. 16 halves of the last bit.
pub const F32_SUM: f64 = 16.0 / (1u32 << 24) as f64;

/// int8 against exact sums times `factor`, in steps: rounded to the nearest, after a first rounding to no more than
/// twice the factor.
pub fn rounded_twice(factor: f64) -> f64 {
    0.5 + factor
}

/// int8, calibrated on the very inputs, against Keras in f32, in steps of the output: the greatest difference, and
/// the mean. Rounding input and weights to eight bits, and each layer's result to a step, leaves about half a step a
/// layer; the greatest of some thousand values is several times that, most where an activation is steep.
pub const INT8_STEPS: f32 = 6.0;

/// As [`INT8_STEPS`], of the mean.
pub const INT8_MEAN_STEPS: f32 = 1.5;

/// Models of the conformance suite that may have differences above [`INT8_STEPS`], of how many in a hundred values,
/// and how large.
pub const INT8_EXCEPTIONS: &[(&str, f32, f32)] = &[
    // A step of 255 steps: what is nearly zero before it may be on its other side.
    ("activations_16", 3.0, 255.0),
    // ReLU with thresholds that let values jump by a quarter and by a half of 1.5.
    ("activation_layers_03", 2.0, 32.0),
    ("activation_layers_04", 2.0, 64.0),
    // ReLU cut at 0.5: its steps are a fifth of those before it.
    ("activation_layers_01", 5.0, 16.0),
];

/// int8 against onnxruntime's QDQ models, in steps of the output: it dequantizes, computes in f32 and rounds, where
/// TensorFlow Lite's arithmetic rounds a product of integers.
pub const QDQ_STEPS: u32 = 1;

/// As [`QDQ_STEPS`], of a network of many layers, of which each may leave what the next reads a step aside: the
/// greatest difference, and the mean of an output. (TensorFlow Lite's own two sets of kernels differ by up to 44 steps
/// at the end of the shipped network. Against onnxruntime no layer of it is off to one side: differences grow from a
/// thousandth of a step in the mean to 1.2 behind 25 layers.)
pub const QDQ_STEPS_OF_A_NETWORK: u32 = 16;

/// As [`QDQ_STEPS_OF_A_NETWORK`], of the mean.
pub const QDQ_MEAN_STEPS_OF_A_NETWORK: f32 = 4.0;

/// Decibels by which the signal-to-noise ratio of 10,000 random numbers may differ from that of their distribution: the
/// mean of 10,000 squares is within 3% of what is expected, three standard deviations for either, and the range ends at
/// the largest number seen.
pub const SNR_DB: f64 = 0.2;

/// Slopes in f64 against differences over 2e-5, as a part of the largest of the input's. What the third derivative
/// leaves of a difference is 1e-10 times it, what rounding leaves 1e-11 times the sum; through several steep layers in
/// a row each is some thousand times that.
pub const SLOPE: f64 = 1e-6;

/// How far the slopes to both sides of a place may be from each other where there is no kink between, as a part of the
/// largest: 1e-5 times the second derivative, which through several layers is some hundred times the slope.
pub const SLOPE_OF_A_SIDE: f64 = 1e-2;

/// Bytes that the bound of a stack may be above what was in use: the deepest path through the code need not be one that
/// an inference takes.
pub const STACK_BYTES: u64 = 64;
