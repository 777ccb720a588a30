//! What a model computes with.

use serde::Serialize;

use crate::graph::{Element, Graph, Operator, Weights};

/// The arithmetic of a converted model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// IEEE single precision.
    F32,
    /// Eight bits, as the TensorFlow Lite 8-bit specification has it.
    Int8,
    /// Activations of sixteen bits and weights of eight.
    Int16x8,
    /// As `Int8`, with weights of four bits, but for [some layers](crate::quantize::int4_layers).
    Int4,
    /// As `Int8`, with weights of four bits in every layer.
    #[serde(rename = "int4-all")]
    Int4All,
    /// Several of these, layer by layer. What a graph is in, not what it can be converted to.
    Mixed,
}

impl Precision {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Int8 => "int8",
            Precision::Int16x8 => "int16x8",
            Precision::Int4 => "int4",
            Precision::Int4All => "int4-all",
            Precision::Mixed => "mixed",
        }
    }

    /// What activations are in memory.
    pub(super) fn element(self) -> Element {
        match self {
            Precision::F32 => Element::F32,
            Precision::Int8 | Precision::Int4 | Precision::Int4All | Precision::Mixed => Element::I8,
            Precision::Int16x8 => Element::I16,
        }
    }

    /// What a graph is in.
    pub fn of(graph: &Graph) -> Precision {
        let mut elements: Vec<Element> = graph
            .layers
            .iter()
            .filter(|layer| !matches!(layer.operator, Operator::Requantize { .. }))
            .map(|layer| graph.tensor(layer.output).element)
            .collect();
        elements.dedup();
        match elements[..] {
            [Element::I8 | Element::U8] => {
                let mut weights =
                    graph.layers.iter().filter_map(|layer| layer.operator.weights()).map(|(weights, _)| weights);
                let is_int4 = |weights: &Weights| matches!(weights, Weights::I4 { .. });
                match (weights.clone().any(is_int4), weights.all(is_int4)) {
                    (false, _) => Precision::Int8,
                    (true, false) => Precision::Int4,
                    (true, true) => Precision::Int4All,
                }
            }
            [Element::I16] => Precision::Int16x8,
            [Element::F32] | [] => Precision::F32,
            _ => Precision::Mixed,
        }
    }
}
