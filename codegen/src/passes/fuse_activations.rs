//! Fuses clamps (Relu, Relu6 and their like) into the layer that makes their input, and removes those that
//! change nothing.
//!
//! - An activation fuses into a layer that can carry one when all that read the layer's output
//!   are that same activation; also back over max pools and what only moves values, if nobody else reads that, for the
//!   largest of clamped values is the clamped largest (in int8 the range before the pool is then
//!   smaller and its steps finer). Over a concatenation if each of its parts can carry it or lies in its range.
//! - One whose input lies in its range already vanishes, however many read that input: a Relu
//!   after a fused Relu, whose tensor a residual branch reads too, or after a pool or a sum of
//!   such tensors.
//! - A Relu6 after a Relu narrows it.
//!
//! A function that is no clamp stays a layer of its own.

use super::rewire::{fold_layer, is_float, only_readers};
use crate::error::Error;
use crate::graph::{Element, Function, Graph, Numbers, Operator, PairFunction, TensorId};

/// Least and greatest value that a tensor can have.
type Bounds = [f64; 2];

const UNBOUNDED: Bounds = [f64::NEG_INFINITY, f64::INFINITY];

/// Goes over the layers in their order, with the bounds of all tensors made so far.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut bounds = vec![UNBOUNDED; graph.tensors.len()];
    let mut index = 0;
    while index < graph.layers.len() {
        let layer = &graph.layers[index];
        let clamps = match layer.operator {
            Operator::Activation(function)
                if function.clamps().is_some() && is_float(graph, layer.inputs[0]) && is_float(graph, layer.output) =>
            {
                Some((function, layer.inputs[0]))
            }
            _ => None,
        };
        let carriers = clamps.and_then(|(function, input)| {
            if within(bounds[input.0], function) {
                return Some(graph.maker(input).into_iter().collect());
            }
            fuse(graph, input, function, &mut bounds)
        });
        if let Some(carriers) = carriers {
            fold_layer(graph, index, &carriers);
        } else {
            bounds[graph.layers[index].output.0] = bounds_of(graph, index, &bounds);
            index += 1;
        }
    }
    Ok(())
}

/// Makes the layers behind `tensor` apply `function`, if all of them can; their indices.
fn fuse(graph: &mut Graph, tensor: TensorId, function: Function, bounds: &mut [Bounds]) -> Option<Vec<usize>> {
    let mut crossed = vec![tensor];
    let mut carriers = Vec::new();
    let mut next = 0;
    while let Some(&tensor) = crossed.get(next) {
        if within(bounds[tensor.0], function) {
            next += 1;
            continue;
        }
        let maker = graph.maker(tensor)?;
        let readers = only_readers(graph, tensor)?;
        // Every reader must want the function: the first tensor's are activations, those further
        // back have one reader, which is the layer just crossed.
        let agreed = match next {
            0 => readers.iter().all(|&reader| graph.layers[reader].operator == Operator::Activation(function)),
            _ => readers.len() == 1,
        };
        if !agreed || !is_float(graph, tensor) {
            return None;
        }
        next += 1;
        let layer = &mut graph.layers[maker];
        match &mut layer.operator {
            Operator::MaxPool { .. }
            | Operator::GlobalMaxPool { .. }
            | Operator::Flatten
            | Operator::Reshape { .. }
            | Operator::Crop { .. }
            | Operator::Transpose { .. }
            | Operator::Concatenate { .. }
            | Operator::ResizeNearest { .. } => {
                let further = layer.inputs.iter().filter(|input| !crossed.contains(input)).copied().collect::<Vec<_>>();
                crossed.extend(further);
            }
            operator => carriers.push((maker, carried(operator, function)?)),
        }
    }
    for &(maker, one) in &carriers {
        match &mut graph.layers[maker].operator {
            Operator::Activation(own) => *own = one,
            operator => operator.activation_mut().into_iter().for_each(|own| *own = Some(one)),
        }
    }
    for tensor in crossed {
        bounds[tensor.0] = clamped(bounds[tensor.0], Some(function));
    }
    Some(carriers.into_iter().map(|(maker, _)| maker).collect())
}

/// What a layer applies that applies `function` too; `None` where it can't.
fn carried(operator: &mut Operator, function: Function) -> Option<Function> {
    let own = match operator {
        Operator::Activation(own) => Some(*own),
        operator => *operator.activation_mut()?,
    };
    own.map_or(Some(function), |earlier| both(earlier, function))
}

/// One clamp for two in a row; `None` where the first is none.
fn both(first: Function, second: Function) -> Option<Function> {
    let ([low, high], [least, greatest]) = (first.clamps()?, second.clamps()?);
    Some(Function::clamp([low.max(least).min(greatest), high.min(greatest).max(least)]))
}

fn within([least, greatest]: Bounds, function: Function) -> bool {
    function.clamps().is_some_and(|[low, high]| least >= f64::from(low) && greatest <= f64::from(high))
}

fn clamped(bounds: Bounds, function: Option<Function>) -> Bounds {
    function.map_or(bounds, |function| function.bounds(bounds))
}

/// The bounds of what the layer at `index` makes.
fn bounds_of(graph: &Graph, index: usize, bounds: &[Bounds]) -> Bounds {
    let layer = &graph.layers[index];
    let input = |index: usize| layer.inputs.get(index).map_or(UNBOUNDED, |input| bounds[input.0]);
    match &layer.operator {
        &Operator::Input { element: Element::U8, scale, offset } => {
            let ends = [f64::from(offset), 255.0 * f64::from(scale) + f64::from(offset)];
            [ends[0].min(ends[1]), ends[0].max(ends[1])]
        }
        Operator::Convolution { activation, .. }
        | Operator::Depthwise { activation, .. }
        | Operator::Dense { activation, .. }
        | Operator::PositionwiseDense { activation, .. } => clamped(UNBOUNDED, *activation),
        Operator::Concatenate { .. } => {
            let [first, second] = [input(0), input(1)];
            [first[0].min(second[0]), first[1].max(second[1])]
        }
        Operator::Pad { value, .. } => {
            let ([least, greatest], value) = (input(0), f64::from(*value));
            [least.min(value), greatest.max(value)]
        }
        Operator::Pairwise { function, constant, activation } => {
            let held = constant.as_ref().map(|constant| (constant.first, bounds_of_numbers(&constant.numbers)));
            let [first, second] = match held {
                None => [input(0), input(1)],
                Some((true, held)) => [held, input(0)],
                Some((false, held)) => [input(0), held],
            };
            clamped(bounds_of_pair(*function, first, second), *activation)
        }
        Operator::Activation(function) => clamped(input(0), Some(*function)),
        Operator::MaxPool { .. }
        | Operator::AveragePool { .. }
        | Operator::GlobalAveragePool { .. }
        | Operator::GlobalMaxPool { .. }
        | Operator::Flatten
        | Operator::Reshape { .. }
        | Operator::Crop { .. }
        | Operator::Transpose { .. }
        | Operator::ResizeNearest { .. }
        | Operator::ResizeBilinear { .. }
        | Operator::Identity => input(0),
        Operator::Requantize { through } => clamped(input(0), *through),
        Operator::Softmax => [0.0, 1.0],
        Operator::Input { .. } | Operator::ScaleShift { .. } => UNBOUNDED,
    }
}

/// The bounds of a function of two numbers; what is not known of infinite ones is unbounded.
fn bounds_of_pair(function: PairFunction, first: Bounds, second: Bounds) -> Bounds {
    let bounds = match function {
        PairFunction::Add => [first[0] + second[0], first[1] + second[1]],
        PairFunction::Subtract => [first[0] - second[1], first[1] - second[0]],
        PairFunction::Maximum => [first[0].max(second[0]), first[1].max(second[1])],
        PairFunction::Minimum => [first[0].min(second[0]), first[1].min(second[1])],
        // What is not negative stays as it is, or not negative.
        PairFunction::Prelu if first[0] >= 0.0 => first,
        PairFunction::Multiply if first[0] >= 0.0 && second[0] >= 0.0 => [0.0, f64::INFINITY],
        PairFunction::Multiply | PairFunction::Prelu => UNBOUNDED,
    };
    if bounds.iter().any(|bound| bound.is_nan()) { UNBOUNDED } else { bounds }
}

fn bounds_of_numbers(numbers: &Numbers) -> Bounds {
    match numbers {
        Numbers::F32(values) => values.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[least, greatest], &value| {
            [least.min(f64::from(value)), greatest.max(f64::from(value))]
        }),
        Numbers::I8 { .. } | Numbers::I16 { .. } => UNBOUNDED,
    }
}
