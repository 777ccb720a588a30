//! Folds a scale and shift into the layer with weights before it: `(Wx + b) * s + t` is
//! `(Ws)x + (bs + t)`, whatever the padding.
//!
//! Not across an activation, and not when someone else reads what the layer makes.

use super::channels::{Channels, bias_of, biases, trained};
use super::rewire::{fold_layer, only_readers};
use crate::error::Error;
use crate::graph::{Graph, Operator};

/// Folds every scale and shift that can be.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut index = 0;
    while index < graph.layers.len() {
        if let Some(maker) = fold(graph, index) {
            fold_layer(graph, index, &[maker]);
        } else {
            index += 1;
        }
    }
    Ok(())
}

/// Multiplies the layer at `index`, when it is a scale and shift, into its maker, which it returns.
fn fold(graph: &mut Graph, index: usize) -> Option<usize> {
    let layer = &graph.layers[index];
    let Operator::ScaleShift { scale, shift } = layer.operator.clone() else { return None };
    let source = layer.inputs[0];
    let maker = graph.maker(source)?;
    if only_readers(graph, source)?.as_slice() != [index] {
        return None;
    }
    let inputs = graph.tensor(*graph.layers[maker].inputs.first()?).shape.channels();
    let outputs = graph.tensor(source).shape.channels();
    let operator = &mut graph.layers[maker].operator;
    if operator.activation_mut()?.is_some() {
        return None;
    }
    let channels = Channels::of(operator, inputs, outputs)?;
    let (weights, bias) = trained(operator)?;
    for (index, weight) in weights.iter_mut().enumerate() {
        *weight = (f64::from(*weight) * f64::from(scale[channels.output_of(index)])) as f32;
    }
    let mut biases = biases(bias.as_ref(), outputs);
    for ((bias, &scale), &shift) in biases.iter_mut().zip(&scale).zip(&shift) {
        *bias = *bias * f64::from(scale) + f64::from(shift);
    }
    *bias = bias_of(&biases, bias.as_ref());
    Some(maker)
}
