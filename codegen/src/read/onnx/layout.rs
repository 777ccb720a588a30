//! Which axes of the file's tensors the graph's tensors have.

use super::{Builder, Node};
use crate::error::Error;
use crate::graph::{Operator, Shape, TensorId};

/// A tensor of the graph as the file sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    pub(super) id: TensorId,
    /// For each axis of the graph's tensor the file's, counted without the batch.
    pub(super) axes: Vec<usize>,
    seen: Seen,
}

/// What of these axes the file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// All of them.
    Axes,
    /// All numbers along one, in the order of these axes of its own.
    Flat,
    /// The last, and the places of all others along its batch: as exporters write a dense layer at every place.
    Places,
}

impl View {
    pub(super) fn new(id: TensorId, axes: Vec<usize>) -> View {
        View { id, axes, seen: Seen::Axes }
    }

    /// With as many axes as the file's, in its order.
    pub(super) fn in_order(id: TensorId, axes: usize) -> View {
        View::new(id, (0..axes).collect())
    }

    /// As the file sees a tensor with the same axes.
    pub(super) fn of(self, id: TensorId) -> View {
        View { id, ..self }
    }

    /// The same tensor, of which the file sees all numbers along one axis.
    pub(super) fn flattened(self) -> View {
        View { seen: Seen::Flat, ..self }
    }

    /// The same tensor, of which the file sees the places along its batch.
    pub(super) fn of_places(self) -> View {
        View { seen: Seen::Places, ..self }
    }

    /// The same tensor with all its axes.
    pub(super) fn whole(self) -> View {
        View { seen: Seen::Axes, ..self }
    }

    /// Whether its places are along the file's batch.
    pub(super) fn is_of_places(&self) -> bool {
        self.seen == Seen::Places
    }

    pub(super) fn is_flat(&self) -> bool {
        self.seen == Seen::Flat
    }

    /// Which axis of the graph's tensor the file's is.
    pub(super) fn place(&self, axis: usize) -> Option<usize> {
        self.axes.iter().position(|&other| other == axis).filter(|_| self.seen == Seen::Axes)
    }
}

/// Operators that know which axis the channels are.
const OF_CHANNELS: [&str; 9] = [
    "Conv",
    "MaxPool",
    "AveragePool",
    "GlobalMaxPool",
    "GlobalAveragePool",
    "BatchNormalization",
    "ReduceMean",
    "ReduceMax",
    "Resize",
];

/// Operators that change where the axes are.
const OF_AXES: [&str; 5] = ["Transpose", "Reshape", "Flatten", "MatMul", "Gemm"];

impl Builder<'_> {
    /// Whether what first asks for the channels of a value has them in front.
    pub(super) fn wants_channels_last(&self, name: &str) -> bool {
        let mut names = vec![name];
        let mut seen = vec![false; self.nodes.len()];
        while let Some(name) = names.pop() {
            for &reader in self.readers_of(name) {
                if std::mem::replace(&mut seen[reader], true) {
                    continue;
                }
                let node = &self.nodes[reader];
                match node.kind.as_str() {
                    kind if OF_CHANNELS.contains(&kind) => return true,
                    kind if OF_AXES.contains(&kind) => {}
                    _ => names.extend(node.outputs.iter().map(String::as_str)),
                }
            }
        }
        false
    }

    /// The extents that the file sees, without the batch.
    pub(super) fn extents(&self, view: &View) -> Vec<usize> {
        let shape = &self.graph.tensor(view.id).shape;
        match view.seen {
            Seen::Axes => {}
            Seen::Flat => return vec![shape.elements()],
            Seen::Places => return vec![shape.channels()],
        }
        let mut extents = vec![1; shape.0.len()];
        for (&axis, &extent) in view.axes.iter().zip(&shape.0) {
            extents[axis] = extent;
        }
        extents
    }

    /// The value with the graph's axes as the file's.
    pub(super) fn in_order(&mut self, name: &str, view: &View) -> Result<View, Error> {
        let axes: Vec<usize> = (0..view.axes.len()).collect();
        let ordered = self.along(name, &view.clone().whole(), &axes)?;
        if !view.is_flat() || axes.len() == 1 {
            return Ok(ordered);
        }
        let id = self.keep(&format!("{name}/flat"), Operator::Flatten, ordered.id)?;
        Ok(View::in_order(id, 1))
    }

    /// The value with the axes in this order.
    pub(super) fn along(&mut self, name: &str, view: &View, axes: &[usize]) -> Result<View, Error> {
        if view.axes == axes && view.seen == Seen::Axes {
            return Ok(view.clone());
        }
        let shape = self.graph.tensor(view.id).shape.clone();
        let order: Option<Vec<usize>> = axes.iter().map(|&axis| view.place(axis)).collect();
        let order = order.filter(|order| order.len() == shape.0.len());
        let order = order
            .ok_or_else(|| Error::layer(name.escape_debug().to_string(), "reads values of other axes: damaged file"))?;
        let moved = Shape(order.iter().map(|&place| shape.0[place]).collect());
        // Where only axes of extent 1 change places, no number does.
        let operator = match order.iter().filter(|&&place| shape.0[place] > 1).is_sorted() {
            true => Operator::Reshape { shape: moved },
            false => Operator::Transpose { axes: order },
        };
        let id = self.keep(&format!("{name}/axes"), operator, view.id)?;
        Ok(View::new(id, axes.to_vec()))
    }

    /// The value with the file's first axis, the channels, as the graph's last.
    pub(super) fn channels_last(&mut self, node: &Node, view: &View) -> Result<View, Error> {
        self.with_last(node, view, 0)
    }

    /// The value with this axis of the file as the graph's last.
    pub(super) fn with_last(&mut self, node: &Node, view: &View, axis: usize) -> Result<View, Error> {
        if view.axes.last() == Some(&axis) && view.seen == Seen::Axes {
            return Ok(view.clone());
        }
        let view = self.with_axes(node, view.clone())?;
        if axis >= view.axes.len() {
            return Err(node.error(format!("is along axis {} of a value with {}", axis + 1, view.axes.len() + 1)));
        }
        let axes: Vec<usize> = (0..view.axes.len()).filter(|&other| other != axis).chain([axis]).collect();
        self.along(node.title(), &view, &axes)
    }

    /// A value whose axes are the file's: what only the file sees flat becomes flat.
    pub(super) fn with_axes(&mut self, node: &Node, view: View) -> Result<View, Error> {
        match view.seen {
            Seen::Axes => Ok(view),
            Seen::Flat => self.in_order(node.title(), &view),
            Seen::Places => Err(node.error(
                "reads places that a Reshape has put along the batch, which is supported for dense layers and functions of \
                 each element",
            )),
        }
    }

    /// As [`with_axes`](Self::with_axes), for what works element by element, wherever they are.
    pub(super) fn with_elements(&mut self, node: &Node, view: View) -> Result<View, Error> {
        if view.is_of_places() { Ok(view) } else { self.with_axes(node, view) }
    }

    /// A layer that leaves numbers what they are.
    pub(super) fn keep(&mut self, name: &str, operator: Operator, input: TensorId) -> Result<TensorId, Error> {
        let quantization = self.graph.tensor(input).quantization;
        self.push(name, operator, vec![input], quantization)
    }

    /// The axis that a number says, counted with the batch and from the front or the end, among `axes` without the batch.
    pub(super) fn axis(&self, node: &Node, number: i64, axes: usize) -> Result<usize, Error> {
        let all = axes as i64 + 1;
        let axis = if number < 0 { number + all } else { number };
        match usize::try_from(axis) {
            Ok(0) => Err(node.error("works along the batch, which is not supported")),
            Ok(axis) if axis <= axes => Ok(axis - 1),
            _ => Err(node.error(format!("works along axis {number} of a value with {all}"))),
        }
    }
}
