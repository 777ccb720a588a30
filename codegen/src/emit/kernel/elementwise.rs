//! Functions of one number and of two as Rust text.

use microception::quantized::{Factor, Range};

use super::{Writer, clamp_f32, factor_text, float, range_text};
use crate::graph::Function;
use crate::lower::{Broadcast, HeldNumbers, Pair, Pairwise};

impl Writer<'_> {
    /// A layer of two operands.
    pub(super) fn pairwise(&mut self, layer: &Pairwise) -> String {
        let clamped = |clamp: [f32; 2]| format!("clamp: {}", clamp_f32(clamp));
        let (kind, fields) = match &layer.pair {
            Pair::AddF32(pair) => ("add::F32", clamped(pair.clamp)),
            Pair::SubtractF32(pair) => ("subtract::F32", clamped(pair.clamp)),
            Pair::MultiplyF32(pair) => ("multiply::F32", clamped(pair.clamp)),
            Pair::MaximumF32(pair) => ("maximum::F32", clamped(pair.clamp)),
            Pair::MinimumF32(pair) => ("minimum::F32", clamped(pair.clamp)),
            Pair::PreluF32(pair) => ("prelu::F32", clamped(pair.clamp)),
            Pair::MaximumInt8(pair) => ("maximum::Int8", format!("clamp: {:?}", pair.clamp)),
            Pair::MinimumInt8(pair) => ("minimum::Int8", format!("clamp: {:?}", pair.clamp)),
            Pair::MaximumInt16(pair) => ("maximum::Int16", format!("clamp: {:?}", pair.clamp)),
            Pair::MinimumInt16(pair) => ("minimum::Int16", format!("clamp: {:?}", pair.clamp)),
            Pair::AddInt16(pair) => ("add::Int16", sum_int16(pair.factors, pair.output_factor, pair.clamp)),
            Pair::SubtractInt16(pair) => ("subtract::Int16", sum_int16(pair.factors, pair.output_factor, pair.clamp)),
            Pair::MultiplyInt16(pair) => {
                ("multiply::Int16", format!("factor: {}, clamp: {:?}", factor_text(pair.factor), pair.clamp))
            }
            Pair::PreluInt16(pair) => {
                let [positive, negative] = [pair.positive, pair.negative].map(factor_text);
                let fields = format!("positive: {positive}, negative: {negative}, clamp: {:?}", pair.clamp);
                ("prelu::Int16", fields)
            }
            Pair::AddInt8(pair) => {
                let fields = sum_int8(pair.zero_points, pair.factors, pair.output_factor, &pair.range);
                ("add::Int8", fields)
            }
            Pair::SubtractInt8(pair) => {
                let fields = sum_int8(pair.zero_points, pair.factors, pair.output_factor, &pair.range);
                ("subtract::Int8", fields)
            }
            Pair::MultiplyInt8(pair) => {
                let (factor, range) = (factor_text(pair.factor), range_text(&pair.range));
                ("multiply::Int8", format!("zero_points: {:?}, factor: {factor}, range: {range}", pair.zero_points))
            }
            Pair::PreluInt8(pair) => {
                let fields = format!(
                    "zero_points: {:?}, positive: {}, negative: {}, range: {}",
                    pair.zero_points,
                    factor_text(pair.positive),
                    factor_text(pair.negative),
                    range_text(&pair.range)
                );
                ("prelu::Int8", fields)
            }
        };
        let element = match kind.rsplit("::").next() {
            Some("F32") => "f32",
            Some("Int16") => "i16",
            _ => "i8",
        };
        let operands = layer.broadcast.as_ref().map(|broadcast| self.broadcast(broadcast, element));
        self.layer(kind, &fields);
        match operands {
            None if layer.is_short_sum() => format!("add::int8(&{}, call)", self.name),
            None => format!("pairwise::same(&{}, call)", self.name),
            Some(operands) => format!("pairwise::broadcast(&{}, &{operands}, call)", self.name),
        }
    }

    /// A static of the operands of a layer; returns its name.
    fn broadcast(&mut self, operands: &Broadcast, element: &str) -> String {
        let name = format!("{}_OPERANDS", self.name);
        let constant = match &operands.constant {
            None => "::core::option::Option::None".to_owned(),
            Some(held) => {
                let numbers = match &held.numbers {
                    HeldNumbers::F32(values) => self.floats("CONSTANT", values),
                    HeldNumbers::Int8(values) => {
                        let constant = self.bytes("CONSTANT", values);
                        format!("must_cast_slice(&{constant}.0)")
                    }
                    HeldNumbers::Int16(values) => format!("&{}", self.shorts("CONSTANT", values)),
                };
                let (row, first) = (held.row, held.first);
                format!(
                    "::core::option::Option::Some(pairwise::Constant {{ numbers: {numbers}, row: {row}, first: {first} }})"
                )
            }
        };
        let Broadcast { width, channels, strides, .. } = operands;
        self.text.push_str(&format!(
            "static {name}: pairwise::Broadcast<'_, {element}> = pairwise::Broadcast {{\n    \
             width: {width}, channels: {channels}, strides: {strides:?},\n    constant: {constant}\n}};\n"
        ));
        name
    }
}

/// The fields of a sum or difference in int8.
fn sum_int8(zero_points: [i32; 2], factors: [Factor; 2], output_factor: Factor, range: &Range) -> String {
    let ([first, second], output, range) = (factors.map(factor_text), factor_text(output_factor), range_text(range));
    format!("zero_points: {zero_points:?}, factors: [{first}, {second}], output_factor: {output}, range: {range}")
}

/// The fields of a sum or difference in int16.
fn sum_int16(factors: [Factor; 2], output_factor: Factor, clamp: [i16; 2]) -> String {
    let ([first, second], output) = (factors.map(factor_text), factor_text(output_factor));
    format!("factors: [{first}, {second}], output_factor: {output}, clamp: {clamp:?}")
}

/// The expression of a function of one number.
pub(super) fn function_text(function: Function) -> String {
    let of = |name: &str, parameters: &[f32]| {
        let parameters: String = parameters.iter().map(|&parameter| format!(", {}", float(parameter))).collect();
        format!("|x| functions::{name}(x{parameters})")
    };
    match function {
        Function::Relu6 => of("clamp", &[0.0, 6.0]),
        Function::Clamp { least, greatest } => of("clamp", &[least, greatest]),
        Function::LeakyRelu { slope } => of("leaky_relu", &[slope]),
        Function::ThresholdRelu { slope, threshold, greatest } => of("threshold_relu", &[slope, threshold, greatest]),
        Function::Elu { alpha } => of("elu", &[alpha]),
        Function::HardSigmoid { slope } => of("hard_sigmoid", &[slope]),
        Function::Relu => "functions::relu".to_owned(),
        Function::Selu => "functions::selu".to_owned(),
        Function::Gelu => "functions::gelu".to_owned(),
        Function::GeluTanh => "functions::gelu_tanh".to_owned(),
        Function::Silu => "functions::silu".to_owned(),
        Function::Sigmoid => "functions::sigmoid".to_owned(),
        Function::HardSwish => "functions::hard_swish".to_owned(),
        Function::Tanh => "functions::tanh".to_owned(),
        Function::Softplus => "functions::softplus".to_owned(),
        Function::Softsign => "functions::softsign".to_owned(),
        Function::Exponential => "functions::exp".to_owned(),
        Function::Step => "functions::step".to_owned(),
    }
}
