//! What each operator becomes.

use std::sync::Arc;

use candle_core::{CustomOp1, Device, Tensor, WithDType};

use super::elementwise::{Each, Softmax};
use super::largest::Largest;
use super::product::Product;
use super::sums::{Factors, Sums, Table};
use super::windows::{self, Moved, places};
use super::{Stage, Work};
use crate::graph::{Bias, Constant, Function, Numbers, Operator, PairFunction, Shape, Weights};

/// The work of the layer with that index, in the precision of `T`, or why there is none.
pub(super) fn work<T: WithDType>(
    index: usize,
    operator: &Operator,
    inputs: &[&Shape],
    output: &Shape,
) -> Result<Work, String> {
    let fits = crate::passes::infer_shapes::shape_of(operator, inputs, output)?;
    if fits != *output {
        return Err(format!("makes {fits}, where the graph says {output}"));
    }
    let Some(&input) = inputs.first() else { return Ok(Work::Input(index)) };
    let mut chain = Chain::default();
    match operator {
        Operator::Input { .. } => return Ok(Work::Input(index)),
        Operator::Convolution { weights, bias, window, activation } => {
            let table = windows::gathered(window, input);
            if !table.is_identity() {
                chain.push(input.channels(), Sums::<T>::new(table, input.channels(), Factors::One));
            }
            chain.product::<T>(window.taps() * input.channels(), weights, bias.as_ref())?;
            chain.function(output.channels(), *activation);
        }
        Operator::Depthwise { weights, bias, window, multiplier, activation } => {
            let mut seen = input.clone();
            if let (Some(channels), 2..) = (seen.0.last_mut(), *multiplier) {
                let copies = Table::copies(*channels, (0..*channels * multiplier).map(|to| Some(to / multiplier)));
                chain.push(*channels, Sums::<T>::new(copies, 1, Factors::One));
                *channels *= multiplier;
            }
            let factors = Factors::PerChannel(real::<T>(weights)?.into());
            let sums = Sums::new(windows::window(window, &seen), seen.channels(), factors);
            chain.push(seen.channels(), sums.with_bias(biases(bias.as_ref())?));
            chain.function(output.channels(), *activation);
        }
        Operator::Dense { weights, bias, activation } => {
            chain.product::<T>(input.elements(), weights, bias.as_ref())?;
            chain.function(output.channels(), *activation);
        }
        Operator::PositionwiseDense { weights, bias, activation } => {
            chain.product::<T>(input.channels(), weights, bias.as_ref())?;
            chain.function(output.channels(), *activation);
        }
        Operator::MaxPool { window } => chain.largest(windows::window(window, input), input),
        Operator::GlobalMaxPool { .. } => chain.largest(windows::global(input), input),
        Operator::AveragePool { window } => {
            let most = window.taps();
            let parts = (0..=most).map(|count| T::from_f64(1.0 / count.max(1) as f64)).collect();
            chain.push(
                input.channels(),
                Sums::new(windows::counted(window, input), input.channels(), Factors::Shared(parts)),
            );
        }
        Operator::GlobalAveragePool { .. } => {
            let part = Factors::Shared(Arc::from([T::from_f64(1.0 / places(input) as f64)]));
            chain.push(input.channels(), Sums::new(windows::global(input), input.channels(), part));
        }
        Operator::Pad { before, after, value } => {
            let (table, channels) = windows::pad(before, after, input, output);
            let added =
                |place: usize| if table.entries(place).is_empty() { T::from_f64(f64::from(*value)) } else { T::zero() };
            let bias = (0..table.outputs()).flat_map(|place| std::iter::repeat_n(added(place), channels)).collect();
            chain.push(channels, Sums::new(table, channels, Factors::One).with_bias(bias));
        }
        Operator::Crop { before, .. } => chain.moved::<T>(windows::crop(before, input, output)),
        Operator::Transpose { axes } => chain.moved::<T>(windows::transpose(axes, input)),
        Operator::ResizeNearest { nearest, .. } => {
            chain.moved::<T>((windows::resize_nearest(*nearest, input, output), input.channels()));
        }
        Operator::ResizeBilinear { linear, .. } => {
            let (table, weights) = windows::resize_bilinear(*linear, input, output);
            let weights = weights.into_iter().map(|weight| T::from_f64(f64::from(weight))).collect();
            chain.push(input.channels(), Sums::new(table, input.channels(), Factors::Shared(weights)));
        }
        Operator::Concatenate { axis } => {
            let blocks = |shape: &Shape| {
                let place = axis.place(shape).ok_or_else(|| format!("can't put anything behind {shape}"))?;
                Ok::<_, String>([shape.0[..place].iter().product(), shape.0[place..].iter().product()])
            };
            return Ok(Work::Concatenate([blocks(input)?, blocks(inputs[1])?]));
        }
        Operator::Pairwise { function, constant, activation } => {
            return pair::<T>(*function, constant.as_ref(), *activation, inputs);
        }
        Operator::Activation(function) => chain.function(output.channels(), Some(*function)),
        Operator::Requantize { through } => chain.function(output.channels(), *through),
        Operator::Softmax => chain.push(output.channels(), Softmax),
        Operator::ScaleShift { scale, shift } => {
            let factors = Factors::PerChannel(numbers::<T>(scale).into());
            let sums = Sums::new(Table::copies(1, [Some(0)]), input.channels(), factors);
            chain.push(input.channels(), sums.with_bias(numbers(shift)));
        }
        // The same numbers in other extents.
        Operator::Reshape { .. } | Operator::Flatten | Operator::Identity => {}
    }
    Ok(Work::Chain(chain.0))
}

/// Stages as they are found.
#[derive(Default)]
struct Chain(Vec<Stage>);

impl Chain {
    fn push(&mut self, channels: usize, operation: impl CustomOp1 + Send + Sync + 'static) {
        self.0.push(Stage { channels, operation: Arc::new(Box::new(operation)), clamps: false });
    }

    fn function(&mut self, channels: usize, function: Option<Function>) {
        if let Some(function) = function {
            let operation: Arc<Box<dyn CustomOp1 + Send + Sync>> = Arc::new(Box::new(Each(function)));
            self.0.push(Stage { channels, operation, clamps: function.clamps().is_some() });
        }
    }

    fn product<T: WithDType>(&mut self, inputs: usize, weights: &Weights, bias: Option<&Bias>) -> Result<(), String> {
        self.push(inputs, Product::new(real::<T>(weights)?, inputs, biases(bias)?));
        Ok(())
    }

    fn largest(&mut self, table: Table, input: &Shape) {
        self.push(input.channels(), Largest::new(table, input.channels()));
    }

    fn moved<T: WithDType>(&mut self, (table, channels): Moved) {
        self.push(channels, Sums::<T>::new(table, channels, Factors::One));
    }
}

fn pair<T: WithDType>(
    function: PairFunction,
    constant: Option<&Constant>,
    then: Option<Function>,
    inputs: &[&Shape],
) -> Result<Work, String> {
    let first = inputs[0];
    let second = constant.map_or_else(|| inputs[1], |constant| &constant.shape);
    let axes = first.0.len().max(second.0.len());
    let extents = [first, second].map(|shape| [vec![1; axes - shape.0.len()], shape.0.clone()].concat());
    let constant = match constant {
        Some(Constant { numbers: Numbers::F32(values), first, .. }) => {
            let shape = [&[1], extents[1].as_slice()].concat();
            let tensor =
                Tensor::from_vec(numbers::<T>(values), shape, &Device::Cpu).map_err(|error| error.to_string())?;
            Some((tensor, *first))
        }
        Some(_) => return Err("holds a quantized operand: only a float model has gradients".to_owned()),
        None => None,
    };
    Ok(Work::Pair { function, extents, constant, then })
}

fn numbers<T: WithDType>(values: &[f32]) -> Vec<T> {
    values.iter().map(|&value| T::from_f64(f64::from(value))).collect()
}

fn real<T: WithDType>(weights: &Weights) -> Result<Vec<T>, String> {
    match weights {
        Weights::F32(values) => Ok(numbers(values)),
        Weights::I8 { .. } | Weights::I4 { .. } => {
            Err("has quantized weights: only a float model has gradients".to_owned())
        }
    }
}

fn biases<T: WithDType>(bias: Option<&Bias>) -> Result<Vec<T>, String> {
    match bias {
        Some(Bias::F32(values)) => Ok(numbers(values)),
        Some(Bias::I32(_) | Bias::I64(_)) => Err("has an integer bias: only a float model has gradients".to_owned()),
        None => Ok(Vec::new()),
    }
}
