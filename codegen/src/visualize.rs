//! What a network looks for, and where in a picture it looks.
//!
//! - [`network`]: a float graph as operations that can be differentiated towards its input.
//! - [`ascent`]: pictures that excite a channel or a class most.
//! - [`saliency`]: which places of a given picture a class depends on.
//!
//! All of it computes with real values: of a model that takes pixels, with what its input makes of them
//! (`offset + scale * pixel`).

pub mod ascent;
pub mod network;
mod place;
pub mod saliency;

/// A number of the normal distribution (Box and Muller, A Note on the Generation of Random Normal Deviates, 1958).
fn normal(random: &mut fastrand::Rng) -> f32 {
    let (radius, angle) = ((-2.0 * (1.0 - random.f32()).ln()).sqrt(), std::f32::consts::TAU * random.f32());
    radius * angle.cos()
}
