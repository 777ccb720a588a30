//! What a model takes and answers with, wherever it runs.

use super::{Input, Output};
use crate::graph::Graph;

/// The inputs and outputs of a model and the names of its classes: all that frames and answers need, of a graph or of
/// what a board says.
#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    /// The inputs, each with its name.
    pub inputs: Vec<(String, Input)>,
    /// The outputs, each with its name.
    pub outputs: Vec<(String, Output)>,
    /// The names of the classes, in their order; none where they are not known.
    pub labels: Vec<String>,
}

impl Interface {
    /// Of a graph that has gone through the [passes](crate::passes).
    pub fn of(graph: &Graph) -> Interface {
        Interface { inputs: Input::all(graph), outputs: Output::all(graph), labels: graph.labels.clone() }
    }

    /// The output that labels are for: the only one, where it is one value for each class.
    pub fn output_of_classes(&self) -> Option<&Output> {
        match self.outputs.as_slice() {
            [(_, output)] if output.is_of_classes() => Some(output),
            _ => None,
        }
    }
}
