//! The figures of a converted model.

use serde::Serialize;

use super::{Precision, Prepared};
use crate::emit::{Module, Stack};
use crate::graph::Graph;

/// The figures of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerFigures {
    /// The layer's name in the model.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// Extents of what it makes.
    pub output: Vec<usize>,
    /// Trained numbers, biases included, batch normalization folded.
    pub parameters: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Bytes of weights, biases, factors and tables.
    pub weight_bytes: usize,
}

/// What a whole model has and takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ModelFigures {
    /// Trained numbers of all layers.
    pub parameters: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Bytes of weights, biases, factors and tables.
    pub weight_bytes: usize,
    /// Bytes of the plan: steps, addresses, lengths of rows.
    pub step_bytes: usize,
    /// Bytes of constant data in flash: weights and plan. Code comes on top.
    pub flash_bytes: usize,
    /// Bytes of arena, scratch included.
    pub arena_bytes: usize,
}

/// A converted model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The model's name.
    pub model: String,
    /// Its arithmetic.
    pub precision: Precision,
    /// Each layer, in the order of execution.
    pub layers: Vec<LayerFigures>,
    /// All of them, and the plan.
    #[serde(flatten)]
    pub figures: ModelFigures,
    /// How much stack `predict` takes at most, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
    /// Steps of one inference; of an endless plan, all that are stored.
    pub steps: usize,
    /// Of an endless plan: input rows after which its steps repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_rows: Option<usize>,
    /// The classes' names.
    pub labels: Vec<String>,
    /// What the user should know though it went well.
    pub warnings: Vec<String>,
}

/// Trained numbers of each layer.
pub fn parameters(graph: &Graph) -> Vec<usize> {
    graph.layers.iter().map(|layer| graph.parameters(layer)).collect()
}

impl LayerFigures {
    /// Of each layer of a graph that has gone through the [passes](crate::passes), with its trained numbers and weight
    /// bytes.
    pub fn of(graph: &Graph, parameters: &[usize], weight_bytes: &[usize]) -> Vec<LayerFigures> {
        let layers = graph.layers.iter().zip(parameters).zip(weight_bytes);
        layers
            .map(|((layer, &parameters), &weight_bytes)| LayerFigures {
                name: layer.name.clone(),
                kind: layer.operator.name(),
                output: graph.tensor(layer.output).shape.0.clone(),
                parameters,
                macs: graph.macs(layer),
                weight_bytes,
            })
            .collect()
    }
}

impl Summary {
    /// Of a graph as it was planned, and the module that was made of it.
    pub(super) fn of(prepared: &Prepared, graph: &Graph, module: &Module) -> Summary {
        let layers = LayerFigures::of(graph, &prepared.parameters, &module.weight_bytes);
        let weight_bytes = module.weight_bytes.iter().sum();
        let figures = ModelFigures {
            parameters: layers.iter().map(|layer| layer.parameters).sum(),
            macs: layers.iter().map(|layer| layer.macs).sum(),
            weight_bytes,
            step_bytes: module.step_bytes,
            flash_bytes: weight_bytes + module.step_bytes,
            arena_bytes: module.plan.arena_bytes,
        };
        Summary {
            model: graph.name.clone(),
            precision: Precision::of(graph),
            layers,
            figures,
            stack: None,
            steps: module.plan.steps.len(),
            period_rows: module.plan.period.map(|period| period.rows),
            labels: graph.labels.clone(),
            warnings: prepared.warnings.clone(),
        }
    }
}
