//! Makes one of two scales and shifts in a row.

use super::rewire::{fold_layer, only_readers};
use crate::error::Error;
use crate::graph::{Graph, Operator};

/// Merges each scale and shift whose output only another one reads into that one.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut index = 0;
    while index < graph.layers.len() {
        match merged(graph, index) {
            Some((next, operator)) => {
                graph.layers[next].operator = operator;
                fold_layer(graph, index, &[next]);
            }
            None => index += 1,
        }
    }
    Ok(())
}

/// The only reader of the layer at `index`, and what it becomes when both are one.
fn merged(graph: &Graph, index: usize) -> Option<(usize, Operator)> {
    let layer = &graph.layers[index];
    let Operator::ScaleShift { scale: first_scale, shift: first_shift } = &layer.operator else { return None };
    let readers = only_readers(graph, layer.output)?;
    let &[next] = readers.as_slice() else { return None };
    let Operator::ScaleShift { scale, shift } = &graph.layers[next].operator else { return None };
    let scales = first_scale.iter().zip(scale).map(|(&first, &second)| f64::from(first) * f64::from(second));
    let shifts = first_shift
        .iter()
        .zip(scale.iter().zip(shift))
        .map(|(&first, (&scale, &shift))| f64::from(first) * f64::from(scale) + f64::from(shift));
    let operator = Operator::ScaleShift {
        scale: scales.map(|scale| scale as f32).collect(),
        shift: shifts.map(|shift| shift as f32).collect(),
    };
    Some((next, operator))
}
