//! Makes a scale and shift behind a concatenation of channels one of each part, where every part can take it.
//!
//! So a batch norm behind a convolution in groups, or behind branches of convolutions, folds into them. Where
//! some part could not take its own it would be computed there, and nothing is gained.

use super::channels::trained;
use super::rewire::only_readers;
use crate::error::Error;
use crate::graph::{Axis, Graph, Layer, Operator, Tensor, TensorId};

/// Splits every such scale and shift.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut index = 0;
    while index < graph.layers.len() {
        // Its parts may be concatenations, and stand in front of it.
        index = split(graph, index).unwrap_or(index + 1);
    }
    Ok(())
}

/// Splits the layer at `index`, and returns where the parts begin.
fn split(graph: &mut Graph, index: usize) -> Option<usize> {
    let layer = &graph.layers[index];
    let Operator::ScaleShift { scale, shift } = layer.operator.clone() else { return None };
    let (name, source, output) = (layer.name.clone(), layer.inputs[0], layer.output);
    let joint = graph.maker(source)?;
    if graph.layers[joint].operator != (Operator::Concatenate { axis: Axis::Channels }) || !takes(graph, source, index)
    {
        return None;
    }
    let (mut first, parts) = (0, graph.layers[joint].inputs.clone());
    for (place, &part) in parts.iter().enumerate() {
        let tensor = graph.tensor(part).clone();
        let channels = first..first + tensor.shape.channels();
        first = channels.end;
        let operator =
            Operator::ScaleShift { scale: scale[channels.clone()].to_vec(), shift: shift[channels].to_vec() };
        let own = TensorId(graph.tensors.len());
        let name = format!("{name}/part{}", place + 1);
        graph.tensors.push(Tensor { name: name.clone(), ..tensor });
        graph.layers[joint + place].inputs[place] = own;
        graph
            .layers
            .insert(joint + place, Layer { name, operator, inputs: vec![part], output: own, parts: Vec::new() });
    }
    // The concatenation makes what the scale and shift made.
    graph.layers[joint + parts.len()].output = output;
    graph.layers.remove(index + parts.len());
    Some(joint)
}

/// Whether the layers that make a tensor, over concatenations, take a scale and shift that `reader` alone reads it for.
fn takes(graph: &mut Graph, tensor: TensorId, reader: usize) -> bool {
    let Some(maker) = graph.maker(tensor) else { return false };
    if only_readers(graph, tensor).as_deref() != Some(&[reader]) {
        return false;
    }
    let layer = &mut graph.layers[maker];
    if layer.operator == (Operator::Concatenate { axis: Axis::Channels }) {
        let inputs = layer.inputs.clone();
        return inputs[0] != inputs[1] && inputs.into_iter().all(|input| takes(graph, input, maker));
    }
    let carries = layer.operator.activation_mut().is_some_and(|activation| activation.is_none());
    carries && trained(&mut layer.operator).is_some()
}
