//! Which places of a picture a class depends on.

use candle_core::{DType, Tensor, Var};

use super::ascent::Target;
use super::network::{Network, failed};
use super::place::Place;
use crate::error::Error;

/// Frames that are computed at once, at most.
const MOST_AT_ONCE: usize = 32;

/// How a gradient is made smooth.
///
/// ```
/// use microception_codegen::visualize::saliency::Noise;
/// let once = Noise { copies: 1, deviation: 0.0, seed: 0 };
/// assert_ne!(once, Noise::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Copies of the frame, each with other noise; at least one.
    pub copies: usize,
    /// The standard deviation of what is added to every value, as a part of the frame's own range.
    pub deviation: f32,
    /// The same noise comes of the same seed.
    pub seed: u64,
}

impl Default for Noise {
    fn default() -> Noise {
        Noise { copies: 16, deviation: 0.1, seed: 1 }
    }
}

/// How much the logit of `class` changes with each place of `frame`: the largest magnitude of its gradient over the
/// place's channels, in logits per unit of real value, `[height][width]`; of a series per step.
///
/// It is the mean of those of noisy copies: Smilkov, Thorat, Kim, Viégas and Wattenberg, SmoothGrad: removing noise by
/// adding noise, 2017 (arXiv:1706.03825).
///
/// ```
/// use microception_codegen::visualize::network::Network;
/// use microception_codegen::visualize::saliency::{Noise, gradient};
/// use microception_codegen::{passes, read};
/// let file = concat!(env!("CARGO_MANIFEST_DIR"), "/models/xception_lite/xlite.keras");
/// let network = Network::new(&passes::run(read::read(file.as_ref())?)?)?;
/// let noise = Noise { copies: 2, ..Noise::default() };
/// let slopes = gradient(&network, &[0.5; 32 * 32 * 3], 3, &noise)?;
/// assert_eq!(slopes.len(), 32 * 32);
/// # Ok::<(), microception_codegen::error::Error>(())
/// ```
///
/// # Errors
/// When the network has several inputs, or one that is neither a picture nor a series, when the frame has not its
/// length or there is no such class.
pub fn gradient(network: &Network, frame: &[f32], class: usize, noise: &Noise) -> Result<Vec<f32>, Error> {
    let (place, target) = (Place::of(network)?, network.class(class)?);
    check(network, &place, frame)?;
    if noise.copies == 0 || !noise.deviation.is_finite() {
        let Noise { copies, deviation, .. } = noise;
        return Err(Error::model(format!("no gradient is the mean of {copies} copies with noise of {deviation}")));
    }
    let mut random = fastrand::Rng::with_seed(noise.seed);
    let [least, greatest] = extremes(frame);
    let deviation = noise.deviation * (greatest - least);
    let mut slopes = vec![0.0f32; place.height * place.width];
    let mut left = noise.copies;
    while left > 0 {
        let copies = left.min(MOST_AT_ONCE);
        left -= copies;
        let mut noisy = frame.repeat(copies);
        noisy.iter_mut().for_each(|value| *value += deviation * super::normal(&mut random));
        let gradient = slope(network, target, &noisy)?;
        for copy in gradient.chunks(place.elements()) {
            for (slope, channels) in slopes.iter_mut().zip(copy.chunks(place.channels)) {
                *slope += channels.iter().fold(0.0, |most: f32, channel| most.max(channel.abs())) / noise.copies as f32;
            }
        }
    }
    Ok(slopes)
}

/// The gradient of the sum of a target over all frames.
fn slope(network: &Network, target: Target, frames: &[f32]) -> Result<Vec<f32>, Error> {
    let error = || failed(network.name(target.layer));
    let variable = Var::from_tensor(&network.input(0, frames)?).map_err(error())?;
    let tensors = network.up_to(target.layer + 1, &[variable.as_tensor().clone()])?;
    let places = network.shape(target.layer).elements() / network.shape(target.layer).channels();
    let sum = tensors[target.layer].narrow(1, target.unit, 1).and_then(|channel| channel.sum_all());
    let gradients = sum.and_then(|sum| (sum / places as f64)?.backward()).map_err(error())?;
    let gradient = gradients.get(&variable);
    let gradient = gradient.ok_or_else(|| Error::layer(network.name(target.layer), "does not depend on the input"))?;
    gradient.to_dtype(DType::F32).and_then(|gradient| gradient.flatten_all()?.to_vec1()).map_err(error())
}

/// A square that slides over a picture.
///
/// ```
/// use microception_codegen::visualize::saliency::Square;
/// let square = Square { side: 8, stride: 4, grey: 0.5 };
/// assert_eq!(square.grid(32, 32), [7, 7]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Square {
    /// Pixels along each side, at least 1; no more than the picture has.
    pub side: usize,
    /// Pixels from one square to the next, at least 1.
    pub stride: usize,
    /// The real value of what it covers the picture with.
    pub grey: f32,
}

impl Square {
    /// How many squares there are in a picture of that size: rows and columns. Where the picture is lower or narrower
    /// than a square is, the square is cut to it.
    pub fn grid(&self, height: usize, width: usize) -> [usize; 2] {
        [height, width].map(|extent| extent.saturating_sub(self.side) / self.stride.max(1) + 1)
    }
}

/// How much the logit of `class` falls when a square covers a part of `frame`: `[rows][columns]` of [`Square::grid`].
/// Where the covered picture has more of the class it is negative.
///
/// Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014 (arXiv:1311.2901).
///
/// ```
/// use microception_codegen::visualize::network::Network;
/// use microception_codegen::visualize::saliency::{Square, occlusion};
/// use microception_codegen::{passes, read};
/// let file = concat!(env!("CARGO_MANIFEST_DIR"), "/models/xception_lite/xlite.keras");
/// let network = Network::new(&passes::run(read::read(file.as_ref())?)?)?;
/// let square = Square { side: 16, stride: 16, grey: 0.5 };
/// // A grey square changes nothing on a grey picture.
/// assert_eq!(occlusion(&network, &[0.5; 32 * 32 * 3], 3, &square)?, [0.0; 4]);
/// # Ok::<(), microception_codegen::error::Error>(())
/// ```
///
/// # Errors
/// As [`gradient`], and when the square has no side or stride.
pub fn occlusion(network: &Network, frame: &[f32], class: usize, square: &Square) -> Result<Vec<f32>, Error> {
    let (place, target) = (Place::of(network)?, network.class(class)?);
    check(network, &place, frame)?;
    let Square { side, stride, grey } = *square;
    if side == 0 || stride == 0 || !grey.is_finite() {
        return Err(Error::model(format!("no square has a side of {side}, a stride of {stride} and a grey of {grey}")));
    }
    let [rows, columns] = square.grid(place.height, place.width);
    let corners: Vec<[usize; 2]> =
        (0..rows * columns).map(|at| [at / columns * stride, at % columns * stride]).collect();
    let mut falls = Vec::with_capacity(corners.len());
    for corners in corners.chunks(MOST_AT_ONCE) {
        // The whole picture goes with them: alone it could be added up in another order.
        let mut covered = frame.repeat(corners.len() + 1);
        for (frame, &[top, left]) in covered.chunks_mut(place.elements()).skip(1).zip(corners) {
            for row in frame.chunks_mut(place.width * place.channels).skip(top).take(side) {
                let right = (left + side).min(place.width);
                row[left * place.channels..right * place.channels].fill(grey);
            }
        }
        if let [whole, covered @ ..] = &logits(network, target, &covered)?[..] {
            falls.extend(covered.iter().map(|logit| whole - logit));
        }
    }
    Ok(falls)
}

/// A target's activation for each of some frames.
fn logits(network: &Network, target: Target, frames: &[f32]) -> Result<Vec<f32>, Error> {
    let tensors = network.up_to(target.layer + 1, &[network.input(0, frames)?])?;
    let batch = frames.len() / network.shape(0).elements();
    let mean = |tensor: &Tensor| {
        let channel = tensor.narrow(1, target.unit, 1)?.contiguous()?;
        channel.reshape((batch, channel.elem_count() / batch))?.mean(1)?.to_dtype(DType::F32)?.to_vec1()
    };
    mean(&tensors[target.layer]).map_err(failed(network.name(target.layer)))
}

fn check(network: &Network, place: &Place, frame: &[f32]) -> Result<(), Error> {
    let (found, expected) = (frame.len(), place.elements());
    if found != expected {
        let reason = format!("takes frames of {expected} values, not {found}");
        return Err(Error::layer(network.name(0), reason));
    }
    Ok(())
}

/// Least and greatest value of a frame.
fn extremes(frame: &[f32]) -> [f32; 2] {
    let begin = [f32::INFINITY, f32::NEG_INFINITY];
    frame.iter().fold(begin, |[least, greatest], &value| [least.min(value), greatest.max(value)])
}
