//! Removes layers that pass their input on: dropout and augmentation at inference, and scales of
//! one with shifts of zero.

use super::rewire::fold_layer;
use crate::error::Error;
use crate::graph::{Graph, Layer, Operator};

/// Rewires the readers of every such layer, and the model's outputs, to what the layer reads.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let passes_on = |operator: &Operator| match operator {
        Operator::Identity => true,
        Operator::ScaleShift { scale, shift } => {
            scale.iter().all(|&scale| scale == 1.0) && shift.iter().all(|&shift| shift == 0.0)
        }
        _ => false,
    };
    let same_steps = |graph: &Graph, layer: &Layer| {
        graph.tensor(layer.inputs[0]).quantization == graph.tensor(layer.output).quantization
    };
    while let Some(index) = graph.layers.iter().position(|layer| passes_on(&layer.operator) && same_steps(graph, layer))
    {
        let maker = graph.maker(graph.layers[index].inputs[0]);
        fold_layer(graph, index, maker.as_slice());
    }
    Ok(())
}
