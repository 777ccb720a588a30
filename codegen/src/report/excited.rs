//! What a class or a channel looks for, and where in a frame the model looks.

use serde::Serialize;

use super::image::Image;

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
