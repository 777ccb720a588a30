//! Drops the layers that no output of the model depends on.

use std::collections::HashSet;

use crate::error::Error;
use crate::graph::Graph;

/// Goes from the outputs backwards and keeps what it meets.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut needed: HashSet<_> = graph.outputs.iter().copied().collect();
    for layer in graph.layers.iter().rev() {
        if needed.contains(&layer.output) {
            needed.extend(&layer.inputs);
        }
    }
    graph.layers.retain(|layer| needed.contains(&layer.output));
    Ok(())
}
