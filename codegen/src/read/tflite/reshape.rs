//! `RESHAPE`, `EXPAND_DIMS` and `SQUEEZE`: the same numbers in the same order; `TRANSPOSE`, in another.

use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Operator, TensorId};

impl<'a> Builder<'a> {
    /// The numbers in another shape, which the file states beside the operator.
    pub(super) fn reshape(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let input = self.moved(call)?;
        self.seen_as(call, input)
    }

    /// Where only axes of extent 1 move the others stay in their order, and so do the numbers.
    pub(super) fn transpose(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let input = self.moved(call)?;
        let index = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let extents = self.extents(index)?;
        let order = call.input(1).ok_or_else(|| self.error(call, "has no order of axes"))?;
        let order: Vec<usize> = self
            .tensors
            .constant(order)?
            .integers()
            .unwrap_or_default()
            .into_iter()
            .take(extents.len() + 1)
            .filter_map(|axis| usize::try_from(axis).ok())
            .collect();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..extents.len()) {
            return Err(self.error(call, format!("has the order of axes {order:?} for {} axes", extents.len())));
        }
        let large: Vec<usize> = order.iter().copied().filter(|&axis| extents[axis] != 1).collect();
        if !large.is_sorted() {
            return self.turned(call, &order);
        }
        // Where the graph's axes went, if they are still in their order.
        let axes = self.axes_of(index)?;
        let places: Option<Vec<usize>> = axes.iter().map(|axis| order.iter().position(|other| other == axis)).collect();
        match places {
            Some(places) if places.is_sorted() && places.last().is_some_and(|&last| last + 1 == extents.len()) => {
                self.set_axes(call.output, places);
                self.value(call)?;
                Ok(input)
            }
            _ => self.seen_as(call, input),
        }
    }

    /// The values in another order.
    fn turned(&mut self, call: &Call<'a>, order: &[usize]) -> Result<TensorId, Error> {
        if order.first() != Some(&0) {
            return Err(self.error(call, format!("moves the batch: its order of axes is {order:?}")));
        }
        let all: Vec<usize> = (1..order.len()).collect();
        let input = self.read_along(call, 0, &all)?;
        self.set_axes(call.output, all);
        let value = self.value(call)?;
        let axes = order[1..].iter().map(|axis| axis - 1).collect();
        self.push(Operator::Transpose { axes }, vec![input], value)
    }

    /// What `call` reads, if its numbers are those that it makes.
    pub(super) fn moved(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let input = self.read(call, 0)?;
        self.reshape_to(call, self.graph.tensor(input).shape.elements())?;
        let elements = super::axes::product(&self.extents(call.output)?);
        let tensor = self.graph.tensor(input);
        if elements != Some(tensor.shape.elements()) {
            return Err(self.error(call, format!("makes another number of values than the {} it reads", tensor.shape)));
        }
        let shape = tensor.shape.clone();
        let value = self.tensors.value_of_shape(call.output, shape)?;
        if self.element_of(input) != value.element {
            return Err(self.error(call, "has another type than its input, which this operator keeps"));
        }
        self.same_scale(call, input, &value)?;
        Ok(input)
    }
}
