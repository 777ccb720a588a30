//! Pictures that excite a channel or a class most, by gradient ascent.
//!
//! A picture is changed step by step along the gradient of what it excites. Left alone that finds noise; what keeps it
//! from there is of Olah, Mordvintsev and Schubert, Feature Visualization, Distill 2017 (doi:10.23915/distill.00007),
//! and of the program Lucid that goes with it: at every step the network sees the picture moved, turned and scaled a
//! little, and the steps are taken in other coordinates, those of frequencies and of uncorrelated colours.
//!
//! `canvas`: those coordinates. `motion`: moved, turned and scaled.

mod canvas;
mod motion;

use candle_core::{DType, Device, Tensor, Var};

use self::canvas::Canvas;
use super::network::{Network, failed};
use super::place::Place;
use crate::error::Error;
use crate::graph::Shape;

/// The most pictures that are made at once.
const MOST_AT_ONCE: usize = 32;

/// How much of what a ReLU leaves out is ascended nevertheless: where it leaves nothing there is no slope to begin
/// with.
const LEAK: f64 = 0.01;

/// What is to be excited: the mean over all places of one channel of a layer. [`Network::class`] has those of classes.
///
/// ```
/// use microception_codegen::visualize::ascent::Target;
/// // The sixth channel of what the fourth layer makes; the first is the input.
/// assert_eq!(Target { layer: 3, unit: 5 }.unit, 5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// The index of the layer.
    pub layer: usize,
    /// The channel of what it makes.
    pub unit: usize,
}

/// In which coordinates a picture is changed.
///
/// ```
/// use microception_codegen::visualize::ascent::{Coordinates, Settings};
/// let settings = Settings { coordinates: Coordinates::Pixels { blur: 0.1 }, ..Settings::default() };
/// assert_ne!(settings.coordinates, Settings::default().coordinates);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Coordinates {
    /// Pixel by pixel, and smoothed after every step. They want a tenfold [rate](Settings::rate).
    Pixels {
        /// Which part of each pixel is replaced with its neighbours' mean after a step, from 0 to 1.
        blur: f32,
    },
    /// Frequencies, the higher the less.
    Frequencies {
        /// The amplitude of a frequency is divided by this power of it, from 0 to 8: 1 as of natural pictures, less for
        /// finer structure.
        decay: f32,
    },
}

/// How pictures are made.
///
/// ```
/// use microception_codegen::visualize::ascent::Settings;
/// let quick = Settings { steps: 64, ..Settings::default() };
/// assert_eq!(quick.range, [0.0, 1.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Steps of the ascent.
    pub steps: usize,
    /// How far a step goes along every coordinate at most (Adam's rate, Kingma and Ba 2015).
    pub rate: f32,
    /// In which coordinates.
    pub coordinates: Coordinates,
    /// How many pixels the picture is moved at most, up, down, to the left and to the right, at each step.
    pub jitter: f32,
    /// By how many degrees it is turned at most, either way.
    pub rotation: f32,
    /// By which part of its size it grows or shrinks at most, from 0 to below 1.
    pub scaling: f32,
    /// Least and greatest real value of a pixel, where the model's input does not say so itself ([`Network::range`]).
    pub range: [f32; 2],
    /// Of all that is random: with the same settings come the same pictures.
    pub seed: u64,
}

/// As for pictures of 32 by 32 pixels: in these the shipped network's classes can be recognised. Larger ones want more
/// jitter.
impl Default for Settings {
    fn default() -> Settings {
        Settings {
            steps: 512,
            rate: 0.005,
            coordinates: Coordinates::Frequencies { decay: 1.5 },
            jitter: 3.0,
            rotation: 5.0,
            scaling: 0.1,
            range: [0.0, 1.0],
            seed: 1,
        }
    }
}

/// A picture that excites its target.
///
/// ```
/// use microception_codegen::graph::Shape;
/// use microception_codegen::visualize::ascent::Picture;
/// let values = vec![0.0, 0.5, 1.0, 0.25, 0.25, 0.25];
/// let picture = Picture { shape: Shape(vec![1, 2, 3]), values, activation: 7.5 };
/// let bytes: Vec<u8> = picture.values.iter().map(|value| (value * 255.0).round() as u8).collect();
/// assert_eq!(bytes, [0, 128, 255, 64, 64, 64]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// `[height, width, channels]`; of a series the height is 1 and the width its steps.
    pub shape: Shape,
    /// Real values within the input's range, `[row][column][channel]`.
    pub values: Vec<f32>,
    /// The mean of the target's channel for this very picture, neither moved nor turned nor scaled.
    pub activation: f32,
}

/// For each target a picture that excites it. `progress` is told how many of how many steps are done.
///
/// ```
/// use microception_codegen::visualize::ascent::{Settings, excite};
/// use microception_codegen::visualize::network::Network;
/// use microception_codegen::{passes, read};
/// let file = concat!(env!("CARGO_MANIFEST_DIR"), "/models/xception_lite/xlite.keras");
/// let network = Network::new(&passes::run(read::read(file.as_ref())?)?)?;
/// let settings = Settings { steps: 2, ..Settings::default() };
/// let pictures = excite(&network, &[network.class(3)?, network.class(5)?], &settings, |_, _| ())?;
/// assert_eq!(pictures[1].shape.0, [32, 32, 3]);
/// assert!(pictures[1].values.iter().all(|value| (0.0..=1.0).contains(value)));
/// # Ok::<(), microception_codegen::error::Error>(())
/// ```
///
/// # Errors
/// When the network has several inputs, or one that is neither a picture nor a series, when a target does not exist, or
/// the settings make no sense.
pub fn excite(
    network: &Network,
    targets: &[Target],
    settings: &Settings,
    progress: impl Fn(usize, usize),
) -> Result<Vec<Picture>, Error> {
    let picture = Place::of(network)?;
    settings.check()?;
    for target in targets {
        network.check(*target)?;
    }
    let of = settings.steps * targets.len().div_ceil(MOST_AT_ONCE);
    let mut pictures = Vec::with_capacity(targets.len());
    for (index, targets) in targets.chunks(MOST_AT_ONCE).enumerate() {
        let done = index * settings.steps;
        pictures.extend(ascend(network, &picture, targets, settings, |step| progress(done + step, of))?);
    }
    Ok(pictures)
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        let Settings { rate, jitter, rotation, scaling, range: [least, greatest], .. } = *self;
        let coordinate = match self.coordinates {
            Coordinates::Pixels { blur } => ("blur", blur, 1.0),
            Coordinates::Frequencies { decay } => ("decay", decay, 8.0),
        };
        let numbers = [
            coordinate,
            ("rate", rate, f32::MAX),
            ("jitter", jitter, f32::MAX),
            ("rotation", rotation, 360.0),
            ("scaling", scaling, 0.99),
        ];
        if let Some((name, number, most)) =
            numbers.into_iter().find(|(_, number, most)| !(0.0..=*most).contains(number))
        {
            return Err(Error::model(format!("a {name} of {number} is not possible: it is from 0 to {most}")));
        }
        if !(least < greatest && (greatest - least).is_finite()) {
            return Err(Error::model(format!("pixels from {least} to {greatest} have no range")));
        }
        Ok(())
    }
}

/// Pictures for targets that are not too many, all moved in the same way.
fn ascend(
    network: &Network,
    place: &Place,
    targets: &[Target],
    settings: &Settings,
    progress: impl Fn(usize),
) -> Result<Vec<Picture>, Error> {
    let error = || failed(network.name(0));
    let mut random = fastrand::Rng::with_seed(settings.seed);
    let range = network.range(0).unwrap_or(settings.range);
    let canvas = Canvas::new(place, targets.len(), settings.coordinates, range).map_err(error())?;
    let objective = Objective::new(network, targets)?;
    let mut numbers = canvas.begin(&mut random);
    let mut adam = Adam::new(numbers.len(), settings.rate);
    for step in 0..settings.steps {
        let variable = Var::from_slice(&numbers, numbers.len(), &Device::Cpu).map_err(error())?;
        let pixels = canvas.picture(&variable).map_err(error())?;
        let moved = motion::Motion::random(&mut random, settings, place).apply(&pixels, place).map_err(error())?;
        let tensors = network.up_to(objective.layers(), &[moved.to_dtype(network.precision()).map_err(error())?])?;
        let gradients = objective.of(&tensors)?.backward().map_err(error())?;
        let Some(gradient) = gradients.get(&variable) else {
            return Err(Error::layer(network.name(targets[0].layer), "does not depend on the input"));
        };
        adam.step(&mut numbers, &gradient.to_vec1().map_err(error())?);
        canvas.smooth(&mut numbers).map_err(error())?;
        progress(step + 1);
    }
    let variable = Tensor::from_slice(&numbers, numbers.len(), &Device::Cpu).map_err(error())?;
    let pixels = canvas.picture(&variable).map_err(error())?;
    let tensors = network.up_to(objective.layers(), &[pixels.to_dtype(network.precision()).map_err(error())?])?;
    let activations = objective.activations(&tensors).map_err(error())?;
    let values: Vec<f32> = pixels.flatten_all().and_then(|pixels| pixels.to_vec1()).map_err(error())?;
    let [least, greatest] = range;
    let pictures = values.chunks(place.elements()).zip(activations).map(|(values, activation)| Picture {
        shape: place.shape(),
        // The last bit of a product may be beyond.
        values: values.iter().map(|value| value.clamp(least, greatest)).collect(),
        activation,
    });
    Ok(pictures.collect())
}

/// What is ascended: the sum of every picture's target.
struct Objective<'a> {
    network: &'a Network,
    targets: &'a [Target],
    /// Each layer with targets, and which channel of which picture counts there: `[picture][1][channel]`.
    masks: Vec<(usize, Tensor)>,
}

impl Objective<'_> {
    fn new<'a>(network: &'a Network, targets: &'a [Target]) -> Result<Objective<'a>, Error> {
        let mut layers: Vec<usize> = targets.iter().map(|target| target.layer).collect();
        layers.sort_unstable();
        layers.dedup();
        let mask = |layer: usize| {
            let shape = network.shape(layer);
            let (channels, places) = (shape.channels(), shape.elements() / shape.channels());
            let mut mask = vec![0.0f32; targets.len() * channels];
            for (picture, target) in targets.iter().enumerate().filter(|(_, target)| target.layer == layer) {
                mask[picture * channels + target.unit] = 1.0 / places as f32;
            }
            let mask = Tensor::from_vec(mask, (targets.len(), 1, channels), &Device::Cpu)
                .and_then(|mask| mask.to_dtype(network.precision()))
                .map_err(failed(network.name(layer)))?;
            Ok((layer, mask))
        };
        let masks = layers.into_iter().map(mask).collect::<Result<_, Error>>()?;
        Ok(Objective { network, targets, masks })
    }

    /// How many layers it depends on.
    fn layers(&self) -> usize {
        self.masks.last().map_or(0, |&(layer, _)| layer + 1)
    }

    fn of(&self, tensors: &[Tensor]) -> Result<Tensor, Error> {
        let mut parts = Vec::with_capacity(self.masks.len());
        for (layer, mask) in &self.masks {
            let unclamped = self.network.unclamped(*layer, tensors)?;
            let part = || {
                let (pictures, _, channels) = mask.dims3()?;
                let mut tensor = tensors[*layer].clone();
                if let Some(unclamped) = unclamped {
                    tensor = (tensor + (unclamped * LEAK)?)?;
                }
                let places = tensor.elem_count() / (pictures * channels);
                tensor.reshape((pictures, places, channels))?.broadcast_mul(mask)?.sum_all()
            };
            parts.push(part().map_err(failed(self.network.name(*layer)))?);
        }
        Tensor::stack(&parts, 0).and_then(|parts| parts.sum_all()).map_err(failed(self.network.name(0)))
    }

    /// Of each picture its target's.
    fn activations(&self, tensors: &[Tensor]) -> candle_core::Result<Vec<f32>> {
        let activation = |(picture, target): (usize, &Target)| {
            let tensor = &tensors[target.layer];
            let places = tensor.dim(0)? / self.targets.len();
            let channel = tensor.narrow(0, picture * places, places)?.narrow(1, target.unit, 1)?;
            channel.mean_all()?.to_dtype(DType::F32)?.to_scalar()
        };
        self.targets.iter().enumerate().map(activation).collect()
    }
}

/// Adam, upwards (Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015).
struct Adam {
    rate: f32,
    /// Running means of the gradient and of its square.
    means: Vec<[f32; 2]>,
    /// What the means of so many steps still lack: powers of both decays.
    lacking: [f32; 2],
}

impl Adam {
    const DECAYS: [f32; 2] = [0.9, 0.999];

    fn new(numbers: usize, rate: f32) -> Adam {
        Adam { rate, means: vec![[0.0; 2]; numbers], lacking: [1.0; 2] }
    }

    fn step(&mut self, numbers: &mut [f32], gradient: &[f32]) {
        let [first, second] = Adam::DECAYS;
        self.lacking = [self.lacking[0] * first, self.lacking[1] * second];
        for ((number, [mean, square]), &slope) in numbers.iter_mut().zip(&mut self.means).zip(gradient) {
            *mean += (1.0 - first) * (slope - *mean);
            *square += (1.0 - second) * (slope * slope - *square);
            let [mean, square] = [*mean / (1.0 - self.lacking[0]), *square / (1.0 - self.lacking[1])];
            // The square root of a gradient that is none would divide by zero.
            *number += self.rate * mean / (square.sqrt() + 1e-12);
        }
    }
}
