//! Folds a scale and shift into the layers with weights after it: `W(xs + t) + b` is
//! `(Ws)x + (Wt + b)`.
//!
//! Only when every reader can take it. A padded place is zero after the scale and shift, so with
//! padding this is exact only where nothing is shifted.

use super::channels::{Channels, bias_of, biases, trained};
use super::rewire::{fold_layer, only_readers};
use crate::error::Error;
use crate::graph::{Graph, Layer, Operator, Shape, Window};

/// Folds every scale and shift that can be.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut index = 0;
    while index < graph.layers.len() {
        match takers(graph, index) {
            Some((readers, scale, shift)) => {
                let channels = scale.len();
                for &reader in &readers {
                    let outputs = graph.tensor(graph.layers[reader].output).shape.channels();
                    fold(&mut graph.layers[reader].operator, channels, outputs, &scale, &shift);
                }
                fold_layer(graph, index, &readers);
            }
            None => index += 1,
        }
    }
    Ok(())
}

/// The readers of the layer at `index`, its scale and its shift, when all of them can take it.
fn takers(graph: &mut Graph, index: usize) -> Option<(Vec<usize>, Vec<f32>, Vec<f32>)> {
    let layer = &graph.layers[index];
    let Operator::ScaleShift { scale, shift } = &layer.operator else { return None };
    let (scale, shift, output) = (scale.clone(), shift.clone(), layer.output);
    let shifted = shift.iter().any(|&shift| shift != 0.0);
    let input = graph.tensor(output).shape.clone();
    let readers = only_readers(graph, output)?;
    let takes =
        |layer: &mut Layer| trained(&mut layer.operator).is_some() && !(shifted && is_padded(&layer.operator, &input));
    let all = readers.iter().all(|&reader| takes(&mut graph.layers[reader]));
    (all && !readers.is_empty()).then_some((readers, scale, shift))
}

/// Whether some output of the operator sees a padded place.
fn is_padded(operator: &Operator, input: &Shape) -> bool {
    let sees_padding = |window: &Window| {
        input.0.iter().take(input.0.len().saturating_sub(1)).enumerate().any(|(place, &extent)| {
            let taps = window.slide(place, extent);
            let last_tap = (taps.outputs(extent).max(1) - 1) * taps.stride + taps.reach();
            last_tap > extent
        })
    };
    match operator {
        Operator::Convolution { window, .. } | Operator::Depthwise { window, .. } => sees_padding(window),
        _ => false,
    }
}

/// Multiplies a scale and shift of the input into an operator's weights and bias.
fn fold(operator: &mut Operator, inputs: usize, outputs: usize, scale: &[f32], shift: &[f32]) {
    let Some(channels) = Channels::of(operator, inputs, outputs) else { return };
    let Some((weights, bias)) = trained(operator) else { return };
    let mut biases = biases(bias.as_ref(), outputs);
    for (index, weight) in weights.iter_mut().enumerate() {
        let input = channels.input_of(index);
        biases[channels.output_of(index)] += f64::from(*weight) * f64::from(shift[input]);
        *weight = (f64::from(*weight) * f64::from(scale[input])) as f32;
    }
    *bias = bias_of(&biases, bias.as_ref());
}
