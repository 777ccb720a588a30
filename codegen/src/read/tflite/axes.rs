//! Which axes of the file's tensors are the graph's rows, columns and channels.
//!
//! Operators of TensorFlow Lite slide over pictures `[batch, height, width, channels]`. A time series comes to them in
//! the clothes of a picture of height 1 (or width 1), by an EXPAND_DIMS or RESHAPE before, and takes these off by a
//! SQUEEZE or RESHAPE after. The graph has the series all the time, in rows of one time step, so that it streams:
//! such an operator only changes which axes of the file's tensor the graph's tensor has. All other axes have extent 1.
//!
//! The rule: where a RESHAPE, EXPAND_DIMS, SQUEEZE or TRANSPOSE leaves all extents of a graph's tensor of several rows
//! in their order, with its channels last, and adds or removes axes of extent 1, it is the same tensor. What is a
//! picture of height 1 without one of these, as the model's input, stays a picture.

use super::tensors::Value;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Axis, Element, Operator, Padding, Shape, TensorId, Window};

/// Most axes of a shape of the graph.
const MOST_AXES: usize = 3;

/// All numbers of these extents.
pub(super) fn product(extents: &[usize]) -> Option<usize> {
    extents.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent))
}

/// The axes of a shape of the file where nothing else is known: all but the batch.
fn all_but_batch(extents: &[usize]) -> Vec<usize> {
    let batch = usize::from(extents.len() > 1 && extents[0] == 1);
    (batch..extents.len()).collect()
}

/// Where the extents of a shape stand among `extents`, in their order and the last at the end, if all
/// others there are 1.
fn places_in(shape: &Shape, extents: &[usize]) -> Option<Vec<usize>> {
    let mut places = Vec::new();
    let mut end = extents.len();
    for &extent in shape.0.iter().rev() {
        let place = extents[..end].iter().rposition(|&other| other == extent)?;
        if extents[place + 1..end].iter().any(|&other| other != 1) {
            return None;
        }
        places.push(place);
        end = place;
    }
    places.reverse();
    let channels_last = places.last().is_some_and(|&last| last + 1 == extents.len());
    (channels_last && extents[..end].iter().all(|&other| other == 1)).then_some(places)
}

impl<'a> Builder<'a> {
    /// The axes of the tensor at `index` that the graph's tensor has.
    pub(super) fn axes_of(&self, index: i32) -> Result<Vec<usize>, Error> {
        match self.axes.get(&index) {
            Some(axes) => Ok(axes.clone()),
            None => Ok(all_but_batch(&self.extents(index)?)),
        }
    }

    /// Says what is known about a tensor before its layer is made.
    pub(super) fn set_axes(&mut self, index: i32, axes: Vec<usize>) {
        self.axes.insert(index, axes);
    }

    /// The axes of what `call` makes: those of its first input, where both have as many.
    pub(super) fn output_axes(&self, call: &Call<'a>) -> Result<Vec<usize>, Error> {
        if let Some(axes) = self.axes.get(&call.output) {
            return Ok(axes.clone());
        }
        let extents = self.extents(call.output)?;
        let flowing = call.inputs().find(|input| self.made.contains_key(input));
        if let Some(input) = flowing
            && self.extents(input)?.len() == extents.len()
        {
            return self.axes_of(input);
        }
        Ok(all_but_batch(&extents))
    }

    /// The extents of the tensor at `index` along `axes`.
    pub(super) fn shape_along(&self, index: i32, axes: &[usize]) -> Result<Shape, Error> {
        let extents = self.extents(index)?;
        let along: Option<Vec<usize>> = axes.iter().map(|&axis| extents.get(axis).copied()).collect();
        match along {
            Some(along) if !along.is_empty() && along.len() <= MOST_AXES && product(&along) == product(&extents) => {
                Ok(Shape(along))
            }
            _ if extents.len() == MOST_AXES + 1 && extents[0] != 1 => {
                let reason = format!("has a batch of {}; convert the model for one input at a time", extents[0]);
                Err(self.tensors.error(index, reason))
            }
            _ => {
                let reason =
                    format!("has the shape {}, which is not one of rows, columns and channels", Shape(extents));
                Err(self.tensors.error(index, reason))
            }
        }
    }

    /// The tensor that `call` reads at `place`, with these axes of the file's: in other rows where it has not.
    pub(super) fn read_along(&mut self, call: &Call<'a>, place: usize, axes: &[usize]) -> Result<TensorId, Error> {
        let id = self.read(call, place)?;
        let index = call.input(place).ok_or_else(|| self.error(call, format!("has no input {place}")))?;
        let shape = self.shape_along(index, axes)?;
        let name = format!("{}/reshape", self.tensors.name(index));
        self.reshaped(id, shape, name)
    }

    /// A tensor in another shape; itself where it has that.
    pub(super) fn reshaped(&mut self, id: TensorId, shape: Shape, name: String) -> Result<TensorId, Error> {
        let tensor = self.graph.tensor(id);
        if tensor.shape == shape {
            return Ok(id);
        }
        let value = Value { name, shape: shape.clone(), element: tensor.element, quantization: tensor.quantization };
        let operator = if shape.0.len() == 1 { Operator::Flatten } else { Operator::Reshape { shape } };
        self.push(operator, vec![id], value)
    }

    /// The tensor `id`, which holds the numbers of what `call` makes, in the shape that the file says: the same
    /// tensor where that only adds or removes axes of extent 1.
    pub(super) fn seen_as(&mut self, call: &Call<'a>, id: TensorId) -> Result<TensorId, Error> {
        let extents = self.extents(call.output)?;
        let shape = &self.graph.tensor(id).shape;
        // One row says nothing about what the axes are for.
        let several = shape.0.len() > 1;
        if let Some(axes) = places_in(shape, &extents).filter(|_| several) {
            self.set_axes(call.output, axes);
            return Ok(id);
        }
        let axes = all_but_batch(&extents);
        let shape = self.shape_along(call.output, &axes)?;
        self.set_axes(call.output, axes);
        self.reshaped(id, shape, self.tensors.name(call.output))
    }

    /// The axes of what `call` makes of two operands, whose axes are counted from the last: those of an operand,
    /// where all extents are along them, else all.
    pub(super) fn pair_axes(&self, call: &Call<'a>) -> Result<Vec<usize>, Error> {
        let extents = self.extents(call.output)?;
        for operand in call.inputs().filter(|operand| self.made.contains_key(operand)) {
            let axes = self.axes_of(operand)?;
            let alike = self.extents(operand)?.len() == extents.len();
            if alike && self.shape_along(call.output, &axes).is_ok() {
                return Ok(axes);
            }
        }
        Ok(all_but_batch(&extents))
    }

    /// Channels of the picture that `call` reads.
    pub(super) fn input_channels(&mut self, call: &Call<'a>) -> Result<usize, Error> {
        let input = self.read(call, 0)?;
        Ok(self.graph.tensor(input).shape.channels())
    }

    /// What `call` reads, and its window over a picture as a window over the graph's rows and columns.
    pub(super) fn slide(&mut self, call: &Call<'a>, window: Window) -> Result<(TensorId, Window), Error> {
        let input = self.read(call, 0)?;
        let index = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let extents = self.extents(index)?;
        if extents.len() != 4 {
            let reason = format!("reads {}, expected batch, height, width and channels", Shape(extents));
            return Err(self.error(call, reason));
        }
        let axes = self.axes_of(index)?;
        // Along an axis that the graph has not, one place is seen once.
        let alone = |axis: usize| window.size[axis] == 1;
        match axes[..] {
            [1, 3] if alone(1) => Ok((input, along_rows(&window, 0))),
            [2, 3] if alone(0) => Ok((input, along_rows(&window, 1))),
            [1, 2, 3] => Ok((input, window)),
            _ => {
                let picture = vec![1, 2, 3];
                let input = self.read_along(call, 0, &picture)?;
                self.set_axes(call.output, picture);
                Ok((input, window))
            }
        }
    }

    /// Whether what `call` makes has the extents of what it reads.
    pub(super) fn keeps_extents(&self, call: &Call<'a>) -> Result<bool, Error> {
        let input = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        Ok(self.extents(input)? == self.extents(call.output)?)
    }

    /// The axis of the graph's tensor that is the axis `axis` of a file's tensor with these axes.
    pub(super) fn graph_axis(axes: &[usize], axis: usize) -> Option<Axis> {
        match (axes.iter().position(|&other| other == axis)?, axes.len()) {
            (place, count) if place + 1 == count => Some(Axis::Channels),
            (0, _) => Some(Axis::Rows),
            _ => Some(Axis::Columns),
        }
    }

    /// What the numbers of the tensor at `index` are in the graph.
    pub(super) fn element_of(&self, id: TensorId) -> Element {
        self.graph.tensor(id).element
    }
}

/// What a window does along one axis, as a window over rows of one pixel.
fn along_rows(window: &Window, axis: usize) -> Window {
    Window {
        size: [window.size[axis], 1],
        stride: [window.stride[axis], 1],
        dilation: [window.dilation[axis], 1],
        padding: match window.padding {
            Padding::Explicit { before, after } => {
                Padding::Explicit { before: [before[axis], 0], after: [after[axis], 0] }
            }
            padding => padding,
        },
        depth: None,
    }
}
