//! What a model asks for that there is no layer for, found before anything else is done.

use std::collections::BTreeMap;

use super::message::Node;
use crate::error::Error;

/// Operators that become layers, or fall away.
const SUPPORTED: [&str; 55] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Flatten",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "QuantizeLinear",
    "ReduceMax",
    "ReduceMean",
    "ReduceProd",
    "Relu",
    "Reshape",
    "Resize",
    "Selu",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "Squeeze",
    "Sub",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
    "Transpose",
    "Unsqueeze",
];

/// Names of all that are read.
pub(in crate::read) fn operators() -> impl Iterator<Item = &'static str> {
    SUPPORTED.into_iter()
}

/// Errors unless there is a layer for each of the nodes.
pub(super) fn check(nodes: &[Node]) -> Result<(), Error> {
    let mut lacking: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in nodes {
        let standard = node.domain.is_empty() || node.domain == "ai.onnx";
        if !standard || !SUPPORTED.contains(&node.kind.as_str()) {
            let kind = if standard { node.kind.clone() } else { format!("{}.{}", node.domain, node.kind) };
            lacking.entry(kind.escape_debug().to_string()).or_default().push(format!("{:?}", node.title()));
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let lacking: Vec<String> = lacking.iter().map(|(kind, names)| format!("{kind} ({})", names.join(", "))).collect();
    Err(Error::model(format!(
        "uses operators that this version lacks, here with their nodes: {}; supported are {}",
        lacking.join(", "),
        SUPPORTED.join(", ")
    )))
}
