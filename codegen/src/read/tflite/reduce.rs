//! `MEAN` and `REDUCE_MAX`: one value for all places of some axes.

use super::format::BuiltinOperator;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Operator, Shape, TensorId, Window};

/// Places over which a mean is taken: more, and its sum could leave 32 bits.
const MOST_PLACES: usize = 1 << 23;

impl<'a> Builder<'a> {
    /// Over all places, over rows, or (the largest) over columns.
    pub(super) fn reduce(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let keep_dims = self.options(call, call.operator.builtin_options_as_reducer_options())?.keep_dims();
        let input = self.read(call, 0)?;
        let reduced = self.reduced_axes(call)?;
        let shape = self.graph.tensor(input).shape.clone();
        let places = shape.elements() / shape.channels().max(1);
        if places > MOST_PLACES {
            return Err(self.error(call, format!("is over {shape}, which are too many places")));
        }
        let largest = call.kind == BuiltinOperator::REDUCE_MAX;
        let whole = |keep_dims: bool| match largest {
            true => Operator::GlobalMaxPool { keep_dims },
            false => Operator::GlobalAveragePool { keep_dims },
        };
        let flat = |channels: usize| Shape(vec![channels]);
        let named = |name: String, what: &str| format!("{name}/{what}");
        let rank = self.extents(call.output)?.len();
        let value = self.tensors.value_of_shape(call.output, flat(shape.channels()))?;
        if largest {
            self.same_scale(call, input, &value)?;
        }
        let spatial = &shape.0[..shape.0.len() - 1];
        let over = |axis: usize| reduced.contains(&axis) || spatial[axis] == 1;
        if reduced.contains(&spatial.len()) && shape.channels() > 1 {
            return Err(self.error(call, "is over channels, which is not supported"));
        }
        let over: Vec<bool> = (0..spatial.len()).map(over).collect();
        match over[..] {
            [] | [true] | [true, true] if keep_dims => {
                let value = self.value(call)?;
                self.push(whole(shape.0.len() > 1), vec![input], value)
            }
            [] | [true] | [true, true] => {
                self.set_axes(call.output, vec![rank.saturating_sub(1)]);
                self.push(whole(false), vec![input], value)
            }
            // Over rows: what is a pixel and what a channel does not matter.
            [true, false] => {
                let row = shape.row_elements();
                let pixels = Shape(vec![shape.rows(), row]);
                let pixels = self.reshaped(input, pixels, named(value.name.clone(), "rows"))?;
                let mut reduced = value.clone();
                (reduced.name, reduced.shape) = (named(value.name, "row"), flat(row));
                let reduced = self.push(whole(false), vec![pixels], reduced)?;
                self.seen_as(call, reduced)
            }
            [false, true] if largest => {
                let window = Window { size: [1, shape.width()], ..Window::POINT };
                let mut reduced = value.clone();
                (reduced.name, reduced.shape) =
                    (named(value.name, "column"), Shape(vec![shape.rows(), 1, shape.channels()]));
                let reduced = self.push(Operator::MaxPool { window }, vec![input], reduced)?;
                self.seen_as(call, reduced)
            }
            _ => Err(self.error(
                call,
                "is over other axes than height and width, height alone or (REDUCE_MAX) width alone, which is not \
                 supported",
            )),
        }
    }

    /// The axes of the graph's tensor that the file says, counted among these.
    fn reduced_axes(&self, call: &Call<'a>) -> Result<Vec<usize>, Error> {
        let index = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let rank = self.extents(index)?.len() as i64;
        let axes = call.input(1).ok_or_else(|| self.error(call, "has no axes"))?;
        let numbers = self.tensors.constant(axes)?.integers();
        let numbers = numbers.filter(|numbers| numbers.len() as i64 <= rank);
        let numbers = numbers.ok_or_else(|| self.error(call, "has axes that are not so many whole numbers"))?;
        let of_file = self.axes_of(index)?;
        let mut reduced = Vec::new();
        for axis in numbers {
            // Counted from the front, or from the end.
            let axis = usize::try_from(if axis < 0 { axis + rank } else { axis });
            let axis = axis.ok().filter(|&axis| (axis as i64) < rank);
            let axis = axis.ok_or_else(|| self.error(call, "is over an axis that does not exist"))?;
            reduced.extend(of_file.iter().position(|&other| other == axis));
        }
        Ok(reduced)
    }
}
