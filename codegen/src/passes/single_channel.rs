//! Makes a depthwise convolution of a single input channel the convolution that it is.
//!
//! With one channel to read there is no difference but in the order of the weights, and a convolution's kernel
//! multiplies several columns with several filters at once. In int8 both round alike.

use crate::error::Error;
use crate::graph::{Graph, Operator};

/// Rewrites every such layer, but for those of one tap, which are a scale and a shift.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    for index in 0..graph.layers.len() {
        let layer = &graph.layers[index];
        let single = layer.inputs.first().is_some_and(|&input| graph.tensor(input).shape.channels() == 1);
        let Operator::Depthwise { weights, bias, window, multiplier, activation } = &layer.operator else { continue };
        if !single || window.taps() == 1 {
            continue;
        }
        // From `[vertical][horizontal][output]` to `[output][vertical][horizontal][1]`.
        let (count, outputs) = (weights.len(), *multiplier);
        let weights = weights.at((0..outputs).flat_map(|output| (output..count).step_by(outputs.max(1))));
        graph.layers[index].operator =
            Operator::Convolution { weights, bias: bias.clone(), window: *window, activation: *activation };
    }
    Ok(())
}
