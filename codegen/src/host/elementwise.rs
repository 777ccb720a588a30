//! Functions of one number and of two, by the runtime.

use microception::functions;
use microception::layers::{activation, add, pairwise};
use microception::window::Call;

use crate::graph::Function;
use crate::lower::{Broadcast, Held, HeldNumbers, Pair, Pairwise};

/// A layer of two operands.
pub(super) fn pairwise(layer: &Pairwise, call: Call<'_>) {
    let operands = layer.broadcast.as_ref();
    match &layer.pair {
        Pair::AddF32(pair) => run(pair, operands, of_f32, call),
        Pair::AddInt8(pair) if layer.is_short_sum() => add::int8(pair, call),
        Pair::AddInt8(pair) => run(pair, operands, of_int8, call),
        Pair::SubtractF32(pair) => run(pair, operands, of_f32, call),
        Pair::SubtractInt8(pair) => run(pair, operands, of_int8, call),
        Pair::MultiplyF32(pair) => run(pair, operands, of_f32, call),
        Pair::MultiplyInt8(pair) => run(pair, operands, of_int8, call),
        Pair::MaximumF32(pair) => run(pair, operands, of_f32, call),
        Pair::MaximumInt8(pair) => run(pair, operands, of_int8, call),
        Pair::MinimumF32(pair) => run(pair, operands, of_f32, call),
        Pair::MinimumInt8(pair) => run(pair, operands, of_int8, call),
        Pair::PreluF32(pair) => run(pair, operands, of_f32, call),
        Pair::PreluInt8(pair) => run(pair, operands, of_int8, call),
    }
}

/// `numbers` gives those of the layer's element type; lowering leaves no others.
fn run<T: bytemuck::Pod>(
    pair: &impl pairwise::Pair<T>,
    operands: Option<&Broadcast>,
    numbers: fn(&HeldNumbers) -> &[T],
    call: Call<'_>,
) {
    let Some(&Broadcast { width, channels, strides, ref constant }) = operands else {
        return pairwise::same(pair, call);
    };
    let constant = constant.as_ref().map(|&Held { numbers: ref held, row, first }| pairwise::Constant {
        numbers: numbers(held),
        row,
        first,
    });
    pairwise::broadcast(pair, &pairwise::Broadcast { width, channels, strides, constant }, call);
}

fn of_f32(numbers: &HeldNumbers) -> &[f32] {
    match numbers {
        HeldNumbers::F32(values) => values,
        HeldNumbers::Int8(_) => &[],
    }
}

fn of_int8(numbers: &HeldNumbers) -> &[i8] {
    match numbers {
        HeldNumbers::Int8(values) => values,
        HeldNumbers::F32(_) => &[],
    }
}

/// A function of every element, in f32.
pub(super) fn activation(function: Function, call: Call<'_>) {
    match function {
        Function::Relu => activation::f32(functions::relu, call),
        Function::Relu6 => activation::f32(|x| functions::clamp(x, 0.0, 6.0), call),
        Function::Clamp { least, greatest } => activation::f32(|x| functions::clamp(x, least, greatest), call),
        Function::LeakyRelu { slope } => activation::f32(|x| functions::leaky_relu(x, slope), call),
        Function::ThresholdRelu { slope, threshold, greatest } => {
            activation::f32(|x| functions::threshold_relu(x, slope, threshold, greatest), call);
        }
        Function::Elu { alpha } => activation::f32(|x| functions::elu(x, alpha), call),
        Function::Selu => activation::f32(functions::selu, call),
        Function::Gelu => activation::f32(functions::gelu, call),
        Function::GeluTanh => activation::f32(functions::gelu_tanh, call),
        Function::Silu => activation::f32(functions::silu, call),
        Function::Sigmoid => activation::f32(functions::sigmoid, call),
        Function::HardSigmoid { slope } => activation::f32(|x| functions::hard_sigmoid(x, slope), call),
        Function::HardSwish => activation::f32(functions::hard_swish, call),
        Function::Tanh => activation::f32(functions::tanh, call),
        Function::Softplus => activation::f32(functions::softplus, call),
        Function::Softsign => activation::f32(functions::softsign, call),
        Function::Exponential => activation::f32(functions::exp, call),
        Function::Step => activation::f32(functions::step, call),
    }
}
