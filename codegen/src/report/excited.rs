//! What a class or a channel looks for, and where in a frame the model looks.

use serde::Serialize;

use super::image::{Colours, Image};
use crate::error::Error;
use crate::graph::{Graph, Operator, Shape};
use crate::visualize::ascent::{Settings, Target, excite};
use crate::visualize::network::Network;
use crate::visualize::saliency::{Noise, Square, gradient, occlusion};

/// Squares that cover a picture, along each of its sides: half a square lies between one and the next.
const SQUARES: usize = 8;

/// Pictures made by gradient ascent, and maps of where a frame matters.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Excited {
    /// The classes' pictures, then those of the channels that were asked for.
    pub pictures: Vec<Exciting>,
    /// Of the frame of the feature maps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<LookedAt>,
}

/// The input that excites one class or channel most.
#[derive(Debug, Clone, Serialize)]
pub struct Exciting {
    /// The class's name, or the layer's and the channel's.
    pub name: String,
    /// The picture.
    pub image: Image,
    /// What the channel makes of it in the mean over its places; of a class, before softmax or sigmoid.
    pub activation: f32,
}

/// Where a frame matters for a class.
#[derive(Debug, Clone, Serialize)]
pub struct LookedAt {
    /// The class.
    pub class: String,
    /// The frame.
    pub frame: Image,
    /// How fast the class's value changes with each pixel (SmoothGrad).
    pub gradient: Image,
    /// How much the class's value falls where a square is covered: red, where it falls, blue, where it rises.
    pub occlusion: Image,
    /// By how much it falls at most.
    pub largest_fall: f32,
}

/// The real values of one frame of a graph with one input.
pub fn real_frame(graph: &Graph, bytes: &[u8]) -> Vec<f32> {
    match graph.layers.first().map(|layer| &layer.operator) {
        Some(&Operator::Input { element, scale, offset }) if element.bytes() == 1 => {
            bytes.iter().map(|&stored| scale * f32::from(stored) + offset).collect()
        }
        _ => bytes.as_chunks::<4>().0.iter().map(|word| f32::from_ne_bytes(*word)).collect(),
    }
}

/// Rows, columns and channels of an input as a picture; of a series one row. `None` of any other.
pub fn extents(shape: &Shape) -> Option<[usize; 3]> {
    match shape.0[..] {
        [height, width, channels] => Some([height, width, channels]),
        [steps, channels] => Some([1, steps, channels]),
        _ => None,
    }
}

impl Exciting {
    /// Pictures for targets with names, all at once. `progress` is told how many of how many steps are done.
    ///
    /// # Errors
    /// When the network takes neither a picture nor a series, or a target does not exist.
    pub fn all(
        network: &Network,
        targets: &[(String, Target)],
        settings: &Settings,
        progress: impl Fn(usize, usize),
    ) -> Result<Vec<Exciting>, Error> {
        let range = network.range(0).unwrap_or(settings.range);
        let wanted: Vec<Target> = targets.iter().map(|&(_, target)| target).collect();
        let pictures = excite(network, &wanted, settings, progress)?.into_iter().zip(targets);
        let named = pictures.map(|(picture, (name, _))| {
            let extents = extents(&picture.shape).unwrap_or([1, 1, picture.values.len()]);
            let image = Image::of_frame(&picture.values, extents, range);
            Exciting { name: name.clone(), image, activation: picture.activation }
        });
        Ok(named.collect())
    }
}

impl LookedAt {
    /// Where `frame`, real values in that range, matters for a class of that name.
    ///
    /// # Errors
    /// When the network takes neither a picture nor a series, or there is no such class.
    pub fn of(
        network: &Network,
        frame: &[f32],
        range: [f32; 2],
        (class, name): (usize, String),
    ) -> Result<LookedAt, Error> {
        let extents = extents(network.shape(0)).ok_or_else(|| Error::model("takes neither a picture nor a series"))?;
        let [height, width, _] = extents;
        let side = (2 * height.max(width) / SQUARES).clamp(1, height.min(width).max(width / SQUARES).max(1));
        let square = Square { side, stride: side.div_ceil(2), grey: (range[0] + range[1]) / 2.0 };
        let slopes = gradient(network, frame, class, &Noise::default())?;
        let falls = occlusion(network, frame, class, &square)?;
        let largest = |values: &[f32]| values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let largest_fall = falls.iter().fold(f32::NEG_INFINITY, |most, &fall| most.max(fall));
        Ok(LookedAt {
            class: name,
            frame: Image::of_frame(frame, extents, range),
            gradient: Image::of_map(&slopes, [height, width], Colours::Grey([0.0, largest(&slopes)])),
            occlusion: Image::of_map(&falls, square.grid(height, width), Colours::Signed(largest(&falls))),
            largest_fall,
        })
    }
}
