//! Turns the scales and shifts that no neighbour could take into layers that the runtime has.

use crate::error::Error;
use crate::graph::{Bias, Graph, Operator, Weights, Window};

/// Makes a 1x1 depthwise layer of every scale and shift that is left.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    for layer in &mut graph.layers {
        if let Operator::ScaleShift { scale, shift } = &mut layer.operator {
            layer.operator = Operator::Depthwise {
                weights: Weights::F32(std::mem::take(scale)),
                bias: Some(Bias::F32(std::mem::take(shift))),
                window: Window::POINT,
                multiplier: 1,
                activation: None,
            };
        }
    }
    Ok(())
}
