//! Takes transpositions out where they undo each other.
//!
//! A layer of channels first is read as the layer with a transposition before and behind it. Each is moved
//! towards the output, over layers that compute element by element, until it meets the next: of a model of such
//! layers none is left, and every row is one of channels last.
//!
//! - Two in a row are one, or none.
//! - Over a function of each element, over a scale and a shift that are the same for all channels, over a function of
//!   two tensors that are both transposed so, or of one and a constant, over a concatenation.
//! - Into the weights of the dense layers behind a Flatten.
//! - One that only moves axes of extent 1 is a Reshape.

use super::channels::trained;
use super::rewire::{is_float, only_readers, remove_layer};
use crate::error::Error;
use crate::graph::{Axis, Constant, Graph, Layer, Numbers, Operator, Shape, Tensor, TensorId};

/// Moves each as far as it gets; none where more would be left than there were, since copies for several readers got
/// to places apart.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    if !graph.layers.iter().any(|layer| matches!(layer.operator, Operator::Transpose { .. })) {
        return Ok(());
    }
    let mut moved = graph.clone();
    alone(&mut moved);
    while (0..moved.layers.len()).any(|index| step(&mut moved, index)) {}
    together(&mut moved);
    if moved.layers.len() <= graph.layers.len() {
        *graph = moved;
    }
    for layer in &mut graph.layers {
        let Operator::Transpose { axes } = &layer.operator else { continue };
        let input = &graph.tensors[layer.inputs[0].0].shape;
        if axes.iter().filter(|&&axis| input.0[axis] > 1).is_sorted() {
            layer.operator = Operator::Reshape { shape: graph.tensors[layer.output.0].shape.clone() };
        }
    }
    Ok(())
}

/// The order of the axes, where the layer at `index` is a transposition of numbers that are not quantized.
fn axes_of(graph: &Graph, index: usize) -> Option<Vec<usize>> {
    match &graph.layers[index].operator {
        Operator::Transpose { axes } if is_float(graph, graph.layers[index].output) => Some(axes.clone()),
        _ => None,
    }
}

/// Gives every reader of a transposition one of its own.
fn alone(graph: &mut Graph) {
    let mut index = 0;
    while index < graph.layers.len() {
        let output = graph.layers[index].output;
        let readers = only_readers(graph, output).unwrap_or_default();
        if axes_of(graph, index).is_some() {
            for (copy, &reader) in readers.iter().enumerate().skip(1) {
                // Those before this one have moved the readers behind them by one each.
                let reader = reader + copy - 1;
                let layer = &graph.layers[index];
                let (name, operator, inputs) =
                    (format!("{}/{copy}", layer.name), layer.operator.clone(), layer.inputs.clone());
                let tensor = Tensor { name: name.clone(), ..graph.tensor(output).clone() };
                let own = TensorId(graph.tensors.len());
                graph.tensors.push(tensor);
                graph.layers[reader].inputs.iter_mut().filter(|input| **input == output).for_each(|input| *input = own);
                graph.layers.insert(index + copy, Layer { name, operator, inputs, output: own, parts: Vec::new() });
            }
        }
        index += 1;
    }
}

/// Puts those that read one tensor in one order together again.
fn together(graph: &mut Graph) {
    let mut index = 0;
    while index < graph.layers.len() {
        let layer = &graph.layers[index];
        let same = |other: &&Layer| other.operator == layer.operator && other.inputs == layer.inputs;
        let earlier = axes_of(graph, index).and_then(|_| graph.layers[..index].iter().find(same));
        match earlier.map(|earlier| earlier.output) {
            Some(earlier) => {
                graph.layers[index].inputs[0] = earlier;
                remove_layer(graph, index);
            }
            None => index += 1,
        }
    }
}

/// Moves the transposition at `index` over its reader, if it can be.
fn step(graph: &mut Graph, index: usize) -> bool {
    let Some(axes) = axes_of(graph, index) else { return false };
    let (input, output) = (graph.layers[index].inputs[0], graph.layers[index].output);
    let Some(&[reader]) = only_readers(graph, output).as_deref() else { return false };
    match graph.layers[reader].operator.clone() {
        Operator::Transpose { axes: second } => {
            let both: Vec<usize> = second.iter().map(|&axis| axes[axis]).collect();
            graph.layers[reader].operator = Operator::Transpose { axes: both.clone() };
            graph.layers[reader].inputs[0] = input;
            graph.layers.remove(index);
            if both.is_sorted() {
                remove_layer(graph, reader - 1);
            }
            true
        }
        Operator::Activation(_) | Operator::Identity => swap(graph, index, reader),
        Operator::ScaleShift { scale, shift } => {
            let channels = graph.tensor(input).shape.channels();
            let last = axes.len() - 1;
            let numbers = match (axes[last] == last, uniform(&scale).zip(uniform(&shift))) {
                (true, _) => (scale, shift),
                (false, Some((scale, shift))) => (vec![scale; channels], vec![shift; channels]),
                (false, None) => return false,
            };
            graph.layers[reader].operator = Operator::ScaleShift { scale: numbers.0, shift: numbers.1 };
            swap(graph, index, reader)
        }
        Operator::Pairwise { constant: None, .. } => both_transposed(graph, index, reader, &axes),
        Operator::Pairwise { function, constant: Some(constant), activation } => {
            let shape = &graph.tensor(output).shape;
            let Some(constant) =
                before(&constant, &axes).filter(|_| shape == &graph.tensor(graph.layers[reader].output).shape)
            else {
                return false;
            };
            graph.layers[reader].operator = Operator::Pairwise { function, constant: Some(constant), activation };
            swap(graph, index, reader)
        }
        Operator::Concatenate { axis } => {
            let shape = &graph.tensor(output).shape;
            let Some(place) = axis.place(shape) else { return false };
            let before = axes[place];
            let shape = graph.tensor(input).shape.clone();
            let moved = Axis::ALL.into_iter().find(|axis| axis.place(&shape) == Some(before));
            let Some(axis) = moved.filter(|_| both_transposed(graph, index, reader, &axes)) else { return false };
            let made = graph.layers.iter_mut().find(|layer| layer.output == output);
            made.into_iter().for_each(|layer| layer.operator = Operator::Concatenate { axis });
            true
        }
        Operator::Flatten => into_dense(graph, index, reader, &axes),
        _ => false,
    }
}

/// The number that all are.
fn uniform(numbers: &[f32]) -> Option<f32> {
    let &first = numbers.first()?;
    numbers.iter().all(|&number| number == first).then_some(first)
}

/// Exchanges a transposition with its only reader.
fn swap(graph: &mut Graph, index: usize, reader: usize) -> bool {
    let mut transposition = graph.layers.remove(index);
    let reader = reader - 1;
    let layer = &mut graph.layers[reader];
    let (input, between, result) = (transposition.inputs[0], transposition.output, layer.output);
    for place in layer.inputs.iter_mut().filter(|place| **place == between) {
        *place = input;
    }
    layer.output = between;
    transposition.inputs = vec![between];
    transposition.output = result;
    if let Operator::Transpose { axes } = &transposition.operator {
        let mut extents = vec![1; axes.len()];
        for (&axis, &extent) in axes.iter().zip(&graph.tensor(result).shape.0) {
            extents[axis] = extent;
        }
        graph.tensors[between.0].shape = Shape(extents);
    }
    graph.layers.insert(reader + 1, transposition);
    true
}

/// As [`swap`] with a function of two tensors, if the other one is transposed as this, or can be by a Reshape.
fn both_transposed(graph: &mut Graph, index: usize, reader: usize, axes: &[usize]) -> bool {
    let output = graph.layers[index].output;
    let Some(place) = graph.layers[reader].inputs.iter().position(|&input| input != output) else {
        return swap(graph, index, reader);
    };
    let other = graph.layers[reader].inputs[place];
    let maker = graph.maker(other);
    let same = maker.filter(|&maker| axes_of(graph, maker).as_deref() == Some(axes) && graph.readers(other) == 1);
    if let Some(maker) = same {
        let source = graph.layers[maker].inputs[0];
        graph.layers[reader].inputs[place] = source;
        graph.layers.remove(maker);
        let [index, reader] = [index, reader].map(|index| index - usize::from(index > maker));
        return swap(graph, index, reader);
    }
    let shape = graph.tensor(other).shape.clone();
    let concatenates = matches!(graph.layers[reader].operator, Operator::Concatenate { .. });
    let single = shape.0.iter().filter(|&&extent| extent > 1).count() <= 1;
    if concatenates || !single || shape.0.len() != axes.len() {
        return false;
    }
    let mut extents = vec![1; axes.len()];
    for (&axis, &extent) in axes.iter().zip(&shape.0) {
        extents[axis] = extent;
    }
    let shape = Shape(extents);
    let name = format!("{}/operand", graph.layers[reader].name);
    let own = TensorId(graph.tensors.len());
    graph.tensors.push(Tensor { name: name.clone(), shape: shape.clone(), ..graph.tensor(other).clone() });
    graph.layers[reader].inputs[place] = own;
    graph.layers.insert(
        reader,
        Layer { name, operator: Operator::Reshape { shape }, inputs: vec![other], output: own, parts: Vec::new() },
    );
    swap(graph, index, reader + 1)
}

/// Puts the weights of the dense layers behind a Flatten into the order that its input has without the transposition.
fn into_dense(graph: &mut Graph, index: usize, flatten: usize, axes: &[usize]) -> bool {
    let Some(readers) = only_readers(graph, graph.layers[flatten].output) else { return false };
    let is_dense = |&reader: &usize| matches!(graph.layers[reader].operator, Operator::Dense { .. });
    if readers.is_empty() || !readers.iter().all(is_dense) {
        return false;
    }
    let shape = graph.tensor(graph.layers[index].inputs[0]).shape.clone();
    let order = shape.order(axes);
    for reader in readers {
        let Some((weights, _)) = trained(&mut graph.layers[reader].operator) else { return false };
        for weights in weights.chunks_exact_mut(order.len()) {
            let transposed = weights.to_vec();
            for (&place, weight) in order.iter().zip(transposed) {
                weights[place] = weight;
            }
        }
    }
    remove_layer(graph, index);
    true
}

/// What becomes this constant by a transposition.
fn before(constant: &Constant, axes: &[usize]) -> Option<Constant> {
    let Numbers::F32(numbers) = &constant.numbers else { return None };
    let lacking = axes.len().checked_sub(constant.shape.0.len())?;
    let mut extents = vec![1; axes.len()];
    for (&axis, &extent) in axes.iter().skip(lacking).zip(&constant.shape.0) {
        extents[axis] = extent;
    }
    let shape = Shape(extents);
    let mut moved = vec![0.0; numbers.len()];
    for (place, &number) in shape.order(axes).into_iter().zip(numbers) {
        moved[place] = number;
    }
    Some(Constant { shape, numbers: Numbers::F32(moved), first: constant.first })
}
