//! Functions of one number and of two, by the runtime.

use microception::functions;
use microception::layers::{activation, add, pairwise};
use microception::window::Call;

use crate::graph::Function;
use crate::lower::{Broadcast, Held, HeldNumbers, Pair, Pairwise};

/// A layer of two operands.
pub(super) fn pairwise(layer: &Pairwise, call: Call<'_>) {
    match &layer.pair {
        Pair::AddInt8(pair) if layer.is_short_sum() => add::int8(pair, call),
        _ => run(layer, Form::Apart, call),
    }
}

/// The same over the rows of an input.
pub(super) fn pairwise_in_place(layer: &Pairwise, input: usize, call: Call<'_>) {
    match &layer.pair {
        Pair::AddInt8(pair) if layer.is_short_sum() => add::int8_in_place(pair, input, call),
        _ => run(layer, Form::Over(input), call),
    }
}

/// Where the rows of a layer of two operands go.
#[derive(Clone, Copy)]
enum Form {
    /// Beside those of both inputs.
    Apart,
    /// Over those of one.
    Over(usize),
}

fn run(layer: &Pairwise, form: Form, call: Call<'_>) {
    let operands = layer.broadcast.as_ref();
    match &layer.pair {
        Pair::AddF32(pair) => run_pair(pair, operands, of_f32, form, call),
        Pair::AddInt8(pair) => run_pair(pair, operands, of_int8, form, call),
        Pair::SubtractF32(pair) => run_pair(pair, operands, of_f32, form, call),
        Pair::SubtractInt8(pair) => run_pair(pair, operands, of_int8, form, call),
        Pair::MultiplyF32(pair) => run_pair(pair, operands, of_f32, form, call),
        Pair::MultiplyInt8(pair) => run_pair(pair, operands, of_int8, form, call),
        Pair::MaximumF32(pair) => run_pair(pair, operands, of_f32, form, call),
        Pair::MaximumInt8(pair) => run_pair(pair, operands, of_int8, form, call),
        Pair::MinimumF32(pair) => run_pair(pair, operands, of_f32, form, call),
        Pair::MinimumInt8(pair) => run_pair(pair, operands, of_int8, form, call),
        Pair::PreluF32(pair) => run_pair(pair, operands, of_f32, form, call),
        Pair::PreluInt8(pair) => run_pair(pair, operands, of_int8, form, call),
        Pair::AddInt16(pair) => run_pair(pair, operands, of_int16, form, call),
        Pair::SubtractInt16(pair) => run_pair(pair, operands, of_int16, form, call),
        Pair::MultiplyInt16(pair) => run_pair(pair, operands, of_int16, form, call),
        Pair::MaximumInt16(pair) => run_pair(pair, operands, of_int16, form, call),
        Pair::MinimumInt16(pair) => run_pair(pair, operands, of_int16, form, call),
        Pair::PreluInt16(pair) => run_pair(pair, operands, of_int16, form, call),
    }
}

/// `numbers` gives those of the layer's element type; lowering leaves no others.
fn run_pair<T: bytemuck::Pod>(
    pair: &impl pairwise::Pair<T>,
    operands: Option<&Broadcast>,
    numbers: fn(&HeldNumbers) -> &[T],
    form: Form,
    call: Call<'_>,
) {
    let Some(&Broadcast { width, channels, strides, ref constant }) = operands else {
        return match form {
            Form::Apart => pairwise::same(pair, call),
            Form::Over(input) => pairwise::same_in_place(pair, input, call),
        };
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
        HeldNumbers::Int8(_) | HeldNumbers::Int16(_) => &[],
    }
}

fn of_int8(numbers: &HeldNumbers) -> &[i8] {
    match numbers {
        HeldNumbers::Int8(values) => values,
        HeldNumbers::F32(_) | HeldNumbers::Int16(_) => &[],
    }
}

fn of_int16(numbers: &HeldNumbers) -> &[i16] {
    match numbers {
        HeldNumbers::Int16(values) => values,
        HeldNumbers::F32(_) | HeldNumbers::Int8(_) => &[],
    }
}

/// A function of every element, in f32.
pub(super) fn activation(function: Function, call: Call<'_>) {
    activation::f32(|x| of(function, x), call);
}

/// The same over the input.
pub(super) fn activation_in_place(function: Function, call: Call<'_>) {
    activation::f32_in_place(|x| of(function, x), call);
}

fn of(function: Function, x: f32) -> f32 {
    match function {
        Function::Relu => functions::relu(x),
        Function::Relu6 => functions::clamp(x, 0.0, 6.0),
        Function::Clamp { least, greatest } => functions::clamp(x, least, greatest),
        Function::LeakyRelu { slope } => functions::leaky_relu(x, slope),
        Function::ThresholdRelu { slope, threshold, greatest } => {
            functions::threshold_relu(x, slope, threshold, greatest)
        }
        Function::Elu { alpha } => functions::elu(x, alpha),
        Function::Selu => functions::selu(x),
        Function::Gelu => functions::gelu(x),
        Function::GeluTanh => functions::gelu_tanh(x),
        Function::Silu => functions::silu(x),
        Function::Sigmoid => functions::sigmoid(x),
        Function::HardSigmoid { slope } => functions::hard_sigmoid(x, slope),
        Function::HardSwish => functions::hard_swish(x),
        Function::Tanh => functions::tanh(x),
        Function::Softplus => functions::softplus(x),
        Function::Softsign => functions::softsign(x),
        Function::Exponential => functions::exp(x),
        Function::Step => functions::step(x),
    }
}
