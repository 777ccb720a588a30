//! What a model asks for that there is no layer for, found before anything else is done.

use std::collections::BTreeMap;

use super::Call;
use super::format::{BuiltinOperator, Model, OperatorCode, SubGraph};
use super::tensors::Tensors;
use crate::error::Error;
use crate::read::budget::Budget;

/// Operators that become layers, or fall away at a model's edges.
const SUPPORTED: [BuiltinOperator; 39] = [
    BuiltinOperator::ADD,
    BuiltinOperator::AVERAGE_POOL_2D,
    BuiltinOperator::BATCH_TO_SPACE_ND,
    BuiltinOperator::CONCATENATION,
    BuiltinOperator::CONV_2D,
    BuiltinOperator::DEPTHWISE_CONV_2D,
    BuiltinOperator::DEQUANTIZE,
    BuiltinOperator::ELU,
    BuiltinOperator::EXPAND_DIMS,
    BuiltinOperator::FULLY_CONNECTED,
    BuiltinOperator::GELU,
    BuiltinOperator::HARD_SWISH,
    BuiltinOperator::LEAKY_RELU,
    BuiltinOperator::LOGISTIC,
    BuiltinOperator::MAXIMUM,
    BuiltinOperator::MAX_POOL_2D,
    BuiltinOperator::MEAN,
    BuiltinOperator::MINIMUM,
    BuiltinOperator::MUL,
    BuiltinOperator::PAD,
    BuiltinOperator::PADV2,
    BuiltinOperator::PRELU,
    BuiltinOperator::QUANTIZE,
    BuiltinOperator::REDUCE_MAX,
    BuiltinOperator::RELU,
    BuiltinOperator::RELU6,
    BuiltinOperator::RELU_0_TO_1,
    BuiltinOperator::RELU_N1_TO_1,
    BuiltinOperator::RESHAPE,
    BuiltinOperator::RESIZE_BILINEAR,
    BuiltinOperator::RESIZE_NEAREST_NEIGHBOR,
    BuiltinOperator::SLICE,
    BuiltinOperator::SOFTMAX,
    BuiltinOperator::SPACE_TO_BATCH_ND,
    BuiltinOperator::SQUEEZE,
    BuiltinOperator::STRIDED_SLICE,
    BuiltinOperator::SUB,
    BuiltinOperator::TANH,
    BuiltinOperator::TRANSPOSE,
];

/// Operators that compute the shape that a RESHAPE is given, where the batch was free.
pub(super) const SHAPES: [BuiltinOperator; 4] =
    [BuiltinOperator::GATHER, BuiltinOperator::PACK, BuiltinOperator::REDUCE_PROD, BuiltinOperator::SHAPE];

/// Names of all that are read.
pub fn operators() -> impl Iterator<Item = &'static str> {
    SUPPORTED.iter().chain(&SHAPES).filter_map(|kind| kind.variant_name())
}

/// The operators of the model in their order, if there is a layer for each of them.
pub(super) fn calls<'a>(
    model: &Model<'a>,
    subgraph: &SubGraph<'a>,
    tensors: &Tensors<'a>,
    budget: &mut Budget,
) -> Result<Vec<Call<'a>>, Error> {
    let mut calls = Vec::new();
    let mut lacking: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for operator in subgraph.operators().into_iter().flatten() {
        let codes = model.operator_codes();
        let index = operator.opcode_index() as usize;
        let Some(code) = codes.filter(|codes| index < codes.len()).map(|codes| codes.get(index)) else {
            return Err(Error::model(format!("is damaged: an operator has the code {index}, which does not exist")));
        };
        let kind = kind(&code);
        let outputs = operator.outputs().unwrap_or_default();
        if !SUPPORTED.contains(&kind) && !SHAPES.contains(&kind) {
            let names = lacking.entry(name(kind, &code)).or_default();
            for output in outputs {
                let name = tensors.name(output);
                budget.take(name.len(), 2)?;
                names.push(format!("\"{name}\""));
            }
        } else if outputs.len() == 1 {
            calls.push(Call { kind, operator, output: outputs.get(0) });
        } else {
            let reason = format!("is damaged: {} has {} outputs", name(kind, &code), outputs.len());
            return Err(Error::model(reason));
        }
    }
    if lacking.is_empty() {
        return Ok(calls);
    }
    let lacking: Vec<String> = lacking.iter().map(|(kind, names)| format!("{kind} ({})", names.join(", "))).collect();
    let supported: Vec<&str> = SUPPORTED.iter().filter_map(|kind| kind.variant_name()).collect();
    Err(Error::model(format!(
        "uses operators that this version lacks, here with the tensors that they make: {}; supported are {}",
        lacking.join(", "),
        supported.join(", ")
    )))
}

/// Old files have the operator in a byte of its own, new ones in both places as far as it fits.
fn kind(code: &OperatorCode<'_>) -> BuiltinOperator {
    BuiltinOperator(code.builtin_code().0.max(i32::from(code.deprecated_builtin_code())))
}

fn name(kind: BuiltinOperator, code: &OperatorCode<'_>) -> String {
    match (kind, code.custom_code(), kind.variant_name()) {
        (BuiltinOperator::CUSTOM, Some(name), _) => format!("the custom operator \"{}\"", name.escape_debug()),
        (_, _, Some(name)) => name.to_owned(),
        (_, _, None) => format!("operator number {}", kind.0),
    }
}
