//! Functions of one number in f32: activations, and what they are made of.
//!
//! Exponentials and what follows from them are libm's, within a unit or two in the last place. With the feature
//! `micromath` they are made of its approximations of `exp` and `ln`: smaller and faster, and off by as much as
//! each function states.

/// `max(x, 0)`.
#[inline]
pub fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// `x` brought into `[least, greatest]`.
///
/// ```
/// use microception::functions::clamp;
/// assert_eq!([-2.0, 2.0, 8.0].map(|x| clamp(x, 0.0, 6.0)), [0.0, 2.0, 6.0]);
/// ```
#[inline]
pub fn clamp(x: f32, least: f32, greatest: f32) -> f32 {
    if x < least {
        least
    } else if x > greatest {
        greatest
    } else {
        x
    }
}

/// `x`, or `slope * x` where that is negative.
#[inline]
pub fn leaky_relu(x: f32, slope: f32) -> f32 {
    if x < 0.0 { slope * x } else { x }
}

/// Keras's ReLU with all its settings: `x` above the threshold, but at most `greatest`; below it
/// `slope * (x - threshold)`.
///
/// ```
/// use microception::functions::threshold_relu;
/// assert_eq!([-1.0, 2.0, 8.0].map(|x| threshold_relu(x, 0.5, 1.0, 6.0)), [-1.0, 2.0, 6.0]);
/// ```
#[inline]
pub fn threshold_relu(x: f32, slope: f32, threshold: f32, greatest: f32) -> f32 {
    if x > threshold { clamp(x, 0.0, greatest) } else { slope * (x - threshold) }
}

/// `x`, or `alpha * (exp(x) - 1)` where that is negative.
///
/// ```
/// use microception::functions::elu;
/// assert_eq!(elu(3.0, 1.0), 3.0);
/// assert!((elu(-1.0, 2.0) + 1.2642411).abs() < 1e-2);
/// ```
#[inline]
pub fn elu(x: f32, alpha: f32) -> f32 {
    if x < 0.0 { alpha * exp_minus_one(x) } else { x }
}

/// An [`elu`] with the alpha and the factor that keep mean and variance of normal inputs
/// (Klambauer et al. 2017).
#[inline]
pub fn selu(x: f32) -> f32 {
    const ALPHA: f32 = 1.673_263_2;
    const FACTOR: f32 = 1.050_701;
    FACTOR * elu(x, ALPHA)
}

/// `x` times the probability that a normal number is below it: `x * (1 + erf(x / sqrt(2))) / 2`.
#[inline]
pub fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * core::f32::consts::FRAC_1_SQRT_2))
}

/// [`gelu`] as first approximated: `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`.
#[inline]
pub fn gelu_tanh(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    0.5 * x * (1.0 + tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)))
}

/// `x * sigmoid(x)`, also called swish.
#[inline]
pub fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// `slope * x + 1/2`, brought into `[0, 1]`. Keras 3 has a slope of 1/6, Keras 2 one of 1/5.
#[inline]
pub fn hard_sigmoid(x: f32, slope: f32) -> f32 {
    clamp(slope * x + 0.5, 0.0, 1.0)
}

/// `x * min(max(x + 3, 0), 6) / 6`, also called hard silu.
#[inline]
pub fn hard_swish(x: f32) -> f32 {
    x * clamp(x + 3.0, 0.0, 6.0) / 6.0
}

/// `ln(1 + exp(x))`.
#[inline]
pub fn softplus(x: f32) -> f32 {
    relu(x) + ln_one_plus(exp(if x < 0.0 { x } else { -x }))
}

/// `x / (1 + |x|)`.
///
/// ```
/// assert_eq!(microception::functions::softsign(-3.0), -0.75);
/// ```
#[inline]
pub fn softsign(x: f32) -> f32 {
    x / (1.0 + if x < 0.0 { -x } else { x })
}

/// 1 where `x` is not negative, else 0: the unit step of Heaviside.
#[inline]
pub fn step(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { 1.0 }
}

/// `1 / (1 + exp(-x))`, without overflow for any input. With `micromath` within a relative error of 2.5e-3.
pub fn sigmoid(x: f32) -> f32 {
    let power = exp(if x < 0.0 { x } else { -x });
    let small = power / (1.0 + power);
    if x < 0.0 { small } else { 1.0 - small }
}

/// The hyperbolic tangent.
#[cfg(not(feature = "micromath"))]
pub fn tanh(x: f32) -> f32 {
    libm::tanhf(x)
}

/// The hyperbolic tangent, within 2.5e-3.
#[cfg(feature = "micromath")]
pub fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

/// `e^x`.
#[cfg(not(feature = "micromath"))]
pub fn exp(x: f32) -> f32 {
    libm::expf(x)
}

/// `e^x`: for x from -87 to 88 within a relative error of 2.5e-3, and 0 below.
#[cfg(feature = "micromath")]
pub fn exp(x: f32) -> f32 {
    if x < -87.0 { 0.0 } else { micromath::F32(x).exp().0 }
}

/// `e^x - 1`.
#[cfg(not(feature = "micromath"))]
pub fn exp_minus_one(x: f32) -> f32 {
    libm::expm1f(x)
}

/// `e^x - 1`, for negative x within 2.5e-3.
#[cfg(feature = "micromath")]
pub fn exp_minus_one(x: f32) -> f32 {
    exp(x) - 1.0
}

/// `ln(1 + x)`.
#[cfg(not(feature = "micromath"))]
pub fn ln_one_plus(x: f32) -> f32 {
    libm::log1pf(x)
}

/// `ln(1 + x)`, for x from 0 to 1 within 2.5e-3.
#[cfg(feature = "micromath")]
pub fn ln_one_plus(x: f32) -> f32 {
    micromath::F32(1.0 + x).ln().0
}
