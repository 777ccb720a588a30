//! Cross-layer equalization: a channel's scale is moved from a layer into those that read it, until all channels of a tensor
//! have ranges that one scale serves. In eight bits no channel is left with a few steps. Factors are powers of two, so that the f32
//! graph computes the same to the bit.
//!
//! After Nagel et al. 2019, [Data-Free Quantization Through Weight Equalization and Bias Correction], for any number of readers
//! and through what keeps a channel's scale: a positive factor goes through ReLU and its leaky kin, and through pools.
//!
//! [Data-Free Quantization Through Weight Equalization and Bias Correction]: https://arxiv.org/abs/1906.04721

use crate::graph::{Bias, Function, Graph, Operator, TensorId};
use crate::passes::channels::{Channels, trained};

/// Rounds over all layers: each brings the ranges nearer to each other.
const ROUNDS: usize = 20;

/// No channel is scaled by more than this power of two, either way, in a round.
const LARGEST_EXPONENT: f64 = 20.0;

/// Equalizes what can be in an f32 graph that has gone through the [passes](crate::passes).
///
/// ```
/// use microception_codegen::quantize::equalize;
/// use microception_codegen::{passes, read};
/// let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/keras/sequential.keras");
/// let graph = passes::run(read::read(file.as_ref())?)?;
/// let equalized = equalize(&graph);
/// assert_eq!(equalized.layers.len(), graph.layers.len());
/// # Ok::<(), microception_codegen::error::Error>(())
/// ```
#[must_use]
pub fn equalize(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let edges: Vec<(usize, Vec<usize>)> = (0..graph.layers.len()).filter_map(|maker| edge(&graph, maker)).collect();
    for _ in 0..ROUNDS {
        edges.iter().for_each(|(maker, readers)| balance(&mut graph, *maker, readers));
    }
    graph
}

/// The layer with that index, if it has weights and a factor of its channels can go into all that reads it; and these.
fn edge(graph: &Graph, maker: usize) -> Option<(usize, Vec<usize>)> {
    let layer = &graph.layers[maker];
    let activation = layer.operator.clone().activation_mut().copied().flatten();
    let scalable = channels(graph, maker).is_some() && activation.is_none_or(is_homogeneous);
    let mut readers = Vec::new();
    (scalable && collect(graph, layer.output, &mut readers)).then_some((maker, readers))
}

/// Collects the layers with weights that read a tensor, directly or through what keeps a factor; whether there is nothing else.
fn collect(graph: &Graph, tensor: TensorId, readers: &mut Vec<usize>) -> bool {
    if graph.outputs.contains(&tensor) {
        return false;
    }
    let reading = || graph.layers.iter().enumerate().filter(|(_, layer)| layer.inputs.contains(&tensor));
    let all = |(index, layer): (usize, &crate::graph::Layer)| match &layer.operator {
        Operator::MaxPool { .. }
        | Operator::AveragePool { .. }
        | Operator::GlobalAveragePool { .. }
        | Operator::GlobalMaxPool { .. } => collect(graph, layer.output, readers),
        Operator::Activation(function) => is_homogeneous(*function) && collect(graph, layer.output, readers),
        _ => {
            readers.push(index);
            channels(graph, index).is_some()
        }
    };
    reading().count() > 0 && reading().all(all)
}

/// Whether `f(a * x) = a * f(x)` for every positive `a`.
fn is_homogeneous(function: Function) -> bool {
    matches!(function, Function::Relu | Function::LeakyRelu { .. })
}

fn channels(graph: &Graph, index: usize) -> Option<Channels> {
    let layer = &graph.layers[index];
    trained(&mut layer.operator.clone())?;
    let inputs = graph.tensor(*layer.inputs.first()?).shape.channels();
    Channels::of(&layer.operator, inputs, graph.tensor(layer.output).shape.channels())
}

/// Makes the largest weights of a channel as large in the layer that makes it as in those that read it.
fn balance(graph: &mut Graph, maker: usize, readers: &[usize]) {
    let Some(made) = channels(graph, maker) else { return };
    let of_maker = largest(graph, maker, made.outputs, |index| made.output_of(index));
    let mut of_readers = vec![0f64; made.outputs];
    for &reader in readers {
        let Some(read) = channels(graph, reader) else { return };
        let found = largest(graph, reader, made.outputs, |index| read.input_of(index));
        of_readers.iter_mut().zip(found).for_each(|(largest, found)| *largest = largest.max(found));
    }
    // The maker's channels are divided by these.
    let factors: Vec<f64> = of_maker
        .iter()
        .zip(&of_readers)
        .map(|(&made, &read)| if made > 0.0 && read > 0.0 { (made / read).sqrt().log2() } else { 0.0 })
        .map(|exponent| exponent.round().clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT).exp2())
        .collect();
    if let Some((weights, bias)) = trained(&mut graph.layers[maker].operator) {
        scale(weights, |index| factors[made.output_of(index)].recip());
        if let Some(Bias::F32(bias)) = bias {
            scale(bias, |channel| factors[channel].recip());
        }
    }
    for &reader in readers {
        let Some(read) = channels(graph, reader) else { return };
        if let Some((weights, _)) = trained(&mut graph.layers[reader].operator) {
            scale(weights, |index| factors[read.input_of(index)]);
        }
    }
}

/// The largest magnitude of the weights of each channel.
fn largest(graph: &Graph, layer: usize, channels: usize, channel_of: impl Fn(usize) -> usize) -> Vec<f64> {
    let mut largest = vec![0f64; channels];
    if let Some((weights, _)) = trained(&mut graph.layers[layer].operator.clone()) {
        for (index, weight) in weights.iter().enumerate() {
            let largest = &mut largest[channel_of(index)];
            *largest = largest.max(f64::from(weight.abs()));
        }
    }
    largest
}

fn scale(values: &mut [f32], factor: impl Fn(usize) -> f64) {
    for (index, value) in values.iter_mut().enumerate() {
        *value = (f64::from(*value) * factor(index)) as f32;
    }
}
