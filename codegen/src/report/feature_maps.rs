//! What every channel of every layer makes of one frame, in float, quantized, and the difference.

use serde::Serialize;

use super::image::{Colours, Image, Sheet};
use crate::data::Output;
use crate::error::Error;
use crate::graph::{Graph, TensorId};
use crate::host::Machine;
use crate::plan::Strategy;

/// The layers' channels for one frame.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureMaps {
    /// What the frame is called.
    pub frame: String,
    /// The frame itself, where it is a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<Image>,
    /// The layers, in the order of execution.
    pub layers: Vec<LayerMaps>,
}

/// The channels of one layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerMaps {
    /// Its name in the model.
    pub name: String,
    /// Extents of what it makes, channels last.
    pub shape: Vec<usize>,
    /// Least and greatest value: black and white.
    pub range: [f32; 2],
    /// How many tiles are shown: channels, of a volume planes of channels, else one.
    pub tiles: usize,
    /// In float, or, of a model that is quantized already, as it is.
    pub sheet: Image,
    /// Quantized, with the same black and white.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantized: Option<Image>,
    /// Quantized less float: blue is too little, red too much, of full colour at the largest difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Image>,
    /// The largest difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_difference: Option<f32>,
}

impl FeatureMaps {
    /// Runs a graph over a frame, and beside it the one that was quantized from it over the same frame in its own bytes.
    ///
    /// # Errors
    /// When a graph can't be planned, or the frame is none of the model's.
    pub fn of(
        frame: String,
        picture: Option<Image>,
        (graph, bytes): (&Graph, &[u8]),
        quantized: Option<(&Graph, &[u8])>,
    ) -> Result<FeatureMaps, Error> {
        let tensors = tensors(graph, bytes)?;
        let others = quantized.map(|(graph, bytes)| self::tensors(graph, bytes)).transpose()?;
        let mut layers = Vec::new();
        for (layer, (name, values)) in graph.layers.iter().zip(tensors) {
            let shape = &graph.tensor(layer.output).shape;
            let ends = |ends: [f32; 2], &value: &f32| [ends[0].min(value), ends[1].max(value)];
            let range = values.iter().fold([f32::INFINITY, f32::NEG_INFINITY], ends);
            let grey = Colours::Grey(range);
            let Sheet { image: sheet, tiles } = Sheet::of(&values, shape, grey);
            let other = others.as_ref().and_then(|others| others.iter().find(|(other, _)| *other == name));
            let other = other.map(|(_, other)| other).filter(|other| other.len() == values.len());
            let difference: Option<Vec<f32>> =
                other.map(|other| other.iter().zip(&values).map(|(other, value)| other - value).collect());
            let largest = difference.as_ref().map(|all| all.iter().fold(0f32, |largest, one| largest.max(one.abs())));
            layers.push(LayerMaps {
                name,
                shape: shape.0.clone(),
                range,
                tiles,
                sheet,
                quantized: other.map(|other| Sheet::of(other, shape, grey).image),
                difference: difference
                    .zip(largest)
                    .map(|(all, largest)| Sheet::of(&all, shape, Colours::Signed(largest)).image),
                largest_difference: largest,
            });
        }
        Ok(FeatureMaps { frame, picture, layers })
    }
}

/// The real numbers of every layer's tensor, by the layer's name.
fn tensors(graph: &Graph, frame: &[u8]) -> Result<Vec<(String, Vec<f32>)>, Error> {
    let mut machine = Machine::new(graph, Strategy::Everything)?;
    machine.run(frame)?;
    let values = |tensor: TensorId| {
        let bytes = machine.tensor(graph, tensor).ok_or_else(|| Error::model("the plan does not keep every tensor"))?;
        Ok(Output::of_tensor(graph.tensor(tensor)).real(bytes))
    };
    graph.layers.iter().map(|layer| Ok((layer.name.clone(), values(layer.output)?))).collect()
}
