//! Nodes that put values at other places: Reshape and its kin, Transpose, Concat, Pad, Slice, Split.

use super::layout::View;
use super::message::Node;
use super::{Builder, Value};
use crate::error::Error;
use crate::graph::{Axis, Operator, Shape};

/// The largest padding that is looked at; the runtime's own limit is lower.
const LARGEST: i64 = 1 << 31;

impl<'a> Builder<'a> {
    /// Reshape, Flatten, Squeeze and Unsqueeze: the same numbers in other extents.
    pub(super) fn reshape(&mut self, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let channels = self.extents(&view);
        let whole = if view.is_of_places() { view.clone().whole() } else { view.clone() };
        let extents = self.extents(&whole);
        let all = match view.is_of_places() {
            true => vec![extents.iter().product::<usize>() / channels[0].max(1), channels[0]],
            false => [&[1], &extents[..]].concat(),
        };
        let wanted = self.reshaped_extents(node, &all)?;
        let view = match wanted.as_slice() {
            [1, rest @ ..] if !rest.is_empty() => self.with_extents(node, whole, &extents, rest.to_vec())?,
            // A dense layer at every place has them along the batch.
            &[_, last] if extents.len() > 1 && extents.last() == Some(&last) => {
                self.with_last(node, &whole, extents.len() - 1)?.of_places()
            }
            _ => return Err(node.error(format!("makes {wanted:?}, whose first extent is not that of the batch, 1"))),
        };
        self.pass(node, view)
    }

    /// Says that a node makes the numbers that it reads, stored as those are.
    fn pass(&mut self, node: &'a Node, view: View) -> Result<(), Error> {
        let stored = node.input(0).and_then(|name| self.values.get(name)).is_some_and(|value| value.stored);
        self.values.insert(node.output()?.to_owned(), Value { view, stored });
        Ok(())
    }

    /// The extents that a node makes of these, the first of which is the batch's.
    fn reshaped_extents(&mut self, node: &Node, all: &[usize]) -> Result<Vec<usize>, Error> {
        let extents = &all[1..];
        let count: usize = all.iter().product();
        let made: Vec<usize> = match node.kind.as_str() {
            "Flatten" => {
                let axis = node.integer("axis", 1)?;
                let axis = if axis < 0 { axis + all.len() as i64 } else { axis };
                let axis = usize::try_from(axis).ok().filter(|&axis| axis <= all.len());
                let axis = axis.ok_or_else(|| node.error("is along an axis that its input does not have"))?;
                vec![all[..axis].iter().product(), all[axis..].iter().product()]
            }
            "Squeeze" => {
                let axes = self.whole_numbers(node, 1, "axes")?;
                let axes = axes.ok_or_else(|| node.error("is over all axes, the batch among them"))?;
                let axes =
                    axes.iter().map(|&axis| self.axis(node, axis, extents.len())).collect::<Result<Vec<_>, _>>()?;
                let kept =
                    |&(place, extent): &(usize, usize)| place == 0 || !axes.contains(&(place - 1)) || extent != 1;
                all.iter().copied().enumerate().filter(kept).map(|(_, extent)| extent).collect()
            }
            "Unsqueeze" => {
                let axes = self.whole_numbers(node, 1, "axes")?.unwrap_or_default();
                let more = all.len() - 1 + axes.len();
                let mut axes = axes.iter().map(|&axis| self.axis(node, axis, more)).collect::<Result<Vec<_>, _>>()?;
                axes.sort_unstable();
                let mut made = all.to_vec();
                for axis in axes {
                    made.insert((axis + 1).min(made.len()), 1);
                }
                made
            }
            _ => {
                let target = self.whole_numbers(node, 1, "shape")?.unwrap_or_default();
                let keeps = node.integer("allowzero", 0)? == 0;
                let known = target.iter().enumerate().map(|(place, &number)| match number {
                    0 if keeps => all.get(place).copied(),
                    number => usize::try_from(number).ok(),
                });
                let known: Vec<Option<usize>> = known.collect();
                if known.iter().zip(&target).filter(|(known, number)| known.is_none() && **number != -1).count() > 0
                    || known.iter().filter(|known| known.is_none()).count() > 1
                {
                    return Err(node.error(format!("makes the extents {target:?}")));
                }
                let product = known.iter().flatten().try_fold(1usize, |product, &extent| product.checked_mul(extent));
                let product = product.filter(|&product| product > 0 && count.is_multiple_of(product));
                let product = product.ok_or_else(|| node.error(format!("makes {target:?} of {count} numbers")))?;
                known.into_iter().map(|extent| extent.unwrap_or(count / product)).collect()
            }
        };
        if made.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent)) != Some(count) {
            return Err(node.error(format!("makes {made:?} of {count} numbers")));
        }
        Ok(made)
    }

    /// The value, which has the file's `extents`, with those that are `wanted`.
    fn with_extents(
        &mut self,
        node: &'a Node,
        view: View,
        extents: &[usize],
        wanted: Vec<usize>,
    ) -> Result<View, Error> {
        if extents == wanted {
            return Ok(view);
        }
        // A dense layer takes the numbers as they lie, whatever is flat.
        if wanted.len() == 1 {
            return Ok(view.flattened());
        }
        let view = self.with_axes(node, view)?;
        let name = format!("{}/reshaped", node.title());
        let places: usize = extents.iter().skip(1).product();
        let channels_last: Vec<usize> = (1..view.axes.len()).chain([0]).collect();
        // All places along one axis, as they lie.
        if view.axes == channels_last && wanted == [extents[0], places] {
            let shape = Shape(vec![places, extents[0]]);
            let id = self.keep(&name, Operator::Reshape { shape }, view.id)?;
            return Ok(View::new(id, vec![1, 0]));
        }
        // Only axes of extent 1 come or go: the others stay where they are.
        let several =
            |extents: &[usize]| -> Vec<usize> { (0..extents.len()).filter(|&axis| extents[axis] > 1).collect() };
        let (old, new) = (several(extents), several(&wanted));
        if old.iter().map(|&axis| extents[axis]).eq(new.iter().map(|&axis| wanted[axis])) {
            let ones = (0..wanted.len()).filter(|&axis| wanted[axis] == 1);
            let kept =
                view.axes.iter().filter_map(|axis| old.iter().position(|other| other == axis)).map(|place| new[place]);
            let axes: Vec<usize> = ones.chain(kept).collect();
            let shape = Shape(axes.iter().map(|&axis| wanted[axis]).collect());
            let id = self.keep(&name, Operator::Reshape { shape }, view.id)?;
            return Ok(View::new(id, axes));
        }
        let in_order = view.axes.iter().filter(|&&axis| extents[axis] > 1).is_sorted();
        let view = if in_order { view } else { self.in_order(node.title(), &view)? };
        let axes = wanted.len();
        let id = self.keep(&name, Operator::Reshape { shape: Shape(wanted) }, view.id)?;
        Ok(View::in_order(id, axes))
    }

    /// Transpose: nothing moves until somebody asks for axes at another place.
    pub(super) fn transpose(&mut self, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.with_axes(node, view)?;
        let axes = view.axes.len();
        let order = node.integers("perm")?.unwrap_or_else(|| (0..=axes as i64).rev().collect());
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..=axes as i64) || order[0] != 0 {
            return Err(node.error(format!(
                "puts {} axes into the order {order:?}; supported are orders of all axes that leave the batch first",
                axes + 1
            )));
        }
        // The file's new axis `place` is the one that was `order[place + 1] - 1`.
        let place = |axis: usize| order.iter().position(|&other| other == axis as i64 + 1).unwrap_or(1) - 1;
        let moved = View::new(view.id, view.axes.iter().map(|&axis| place(axis)).collect());
        self.pass(node, moved)
    }

    /// Concat of values, two by two.
    pub(super) fn concatenate(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let first = self.read(node, 0)?;
        let first = self.with_axes(node, first)?;
        let axis = self.axis(node, node.integer("axis", 0)?, first.axes.len())?;
        let mut inputs = vec![first.id];
        for place in 1..node.inputs.len() {
            let next = self.read(node, place)?;
            let next = self.with_axes(node, next)?;
            inputs.push(self.along(node.title(), &next, &first.axes)?.id);
        }
        let quantization = self.stored_as(index, node)?;
        if let Some(quantization) = quantization {
            for input in &mut inputs {
                *input = self.requantized(node, *input, quantization)?;
            }
        }
        let shape = &self.graph.tensor(first.id).shape;
        let place = first.place(axis);
        let axis = Axis::ALL.into_iter().find(|axis| axis.place(shape) == place);
        let axis = axis.ok_or_else(|| node.error("is along an axis that its inputs do not have"))?;
        let mut made = inputs[0];
        for (count, &next) in inputs.iter().enumerate().skip(1) {
            let name = match count + 1 == inputs.len() {
                true => node.title().to_owned(),
                false => format!("{}/joined{count}", node.title()),
            };
            made = self.push(&name, Operator::Concatenate { axis }, vec![made, next], quantization)?;
        }
        self.made(node.output()?, View::new(made, first.axes));
        Ok(())
    }

    /// Pad by one value.
    pub(super) fn pad(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.with_axes(node, view)?;
        let axes = view.axes.len();
        match node.text("mode", "constant")?.as_str() {
            "constant" => {}
            other => {
                return Err(
                    node.error(format!("pads by {:?}; supported is constant", other.escape_debug().to_string()))
                );
            }
        }
        let numbers = self.whole_numbers(node, 1, "pads")?.unwrap_or_default();
        let value = match node.input(2) {
            None => 0.0,
            Some(name) => self.scalar(name)?.ok_or_else(|| node.error("pads by what is no number of the file"))?,
        };
        // Of all axes, or of those that are named.
        let over: Vec<Option<usize>> = match self.whole_numbers(node, 3, "axes")? {
            Some(axes_of_pads) => {
                axes_of_pads.iter().map(|&number| self.axis(node, number, axes).map(Some)).collect::<Result<_, _>>()?
            }
            None => [None].into_iter().chain((0..axes).map(Some)).collect(),
        };
        if numbers.len() != 2 * over.len() {
            return Err(node.error(format!("has {} pads for {} axes", numbers.len(), over.len())));
        }
        let shape = self.graph.tensor(view.id).shape.clone();
        let (mut before, mut after) = ([0; 4], [0; 4]);
        for (place, axis) in over.iter().enumerate() {
            let pads = [numbers[place], numbers[over.len() + place]];
            let Some(axis) = axis.filter(|_| pads.iter().all(|pad| (0..LARGEST).contains(pad))) else {
                match pads {
                    [0, 0] => continue,
                    _ => return Err(node.error(format!("pads by {pads:?}, the batch or less than nothing"))),
                }
            };
            let of_graph = view.place(axis);
            let which = Axis::ALL.into_iter().position(|axis| axis.place(&shape) == of_graph);
            let which = which.ok_or_else(|| node.error("pads an axis that its input does not have"))?;
            (before[which], after[which]) = (pads[0] as usize, pads[1] as usize);
        }
        self.emit(index, node, Operator::Pad { before, after, value }, vec![view.id], view)
    }

    /// Slice, by steps of one.
    pub(super) fn slice(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.with_axes(node, view)?;
        let count = view.axes.len();
        let starts = self.whole_numbers(node, 1, "starts")?.unwrap_or_default();
        let ends = self.whole_numbers(node, 2, "ends")?.unwrap_or_default();
        let axes = self.whole_numbers(node, 3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = self.whole_numbers(node, 4, "steps")?.unwrap_or_default();
        if steps.iter().any(|&step| step != 1) {
            return Err(node.error(format!("takes places by the steps {steps:?}; supported are steps of 1")));
        }
        if [ends.len(), axes.len()] != [starts.len(); 2] {
            return Err(node.error("has starts, ends and axes of different lengths"));
        }
        let mut shape = self.graph.tensor(view.id).shape.clone();
        let mut before = vec![0; count];
        for ((&start, &end), &axis) in starts.iter().zip(&ends).zip(&axes) {
            // All of the batch.
            if (axis == 0 || axis == -(count as i64) - 1) && start == 0 && end >= 1 {
                continue;
            }
            let axis = self.axis(node, axis, count)?;
            let place = view.place(axis).ok_or_else(|| node.error("takes places of an axis that is not there"))?;
            let extent = shape.0[place] as i64;
            let inside =
                |number: i64| (if number < 0 { number.saturating_add(extent) } else { number }).clamp(0, extent);
            let (start, end) = (inside(start), inside(end));
            if start >= end {
                return Err(node.error("takes no places"));
            }
            (before[place], shape.0[place]) = (start as usize, (end - start) as usize);
        }
        if shape == self.graph.tensor(view.id).shape {
            return self.pass(node, view);
        }
        self.emit(index, node, Operator::Crop { before, shape }, vec![view.id], view)
    }

    /// Split: a part for each output.
    pub(super) fn split(&mut self, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.with_axes(node, view)?;
        let axis = self.axis(node, node.integer("axis", 0)?, view.axes.len())?;
        let place = view.place(axis).ok_or_else(|| node.error("splits an axis that is not there"))?;
        let whole = self.graph.tensor(view.id).shape.clone();
        let extent = whole.0[place];
        let parts: Vec<usize> = match self.whole_numbers(node, 1, "split")? {
            Some(parts) => parts.iter().map(|&part| usize::try_from(part).unwrap_or(0)).collect(),
            None => {
                let count = node.outputs.len().max(1);
                let each = extent.div_ceil(count);
                (0..count).map(|part| each.min(extent.saturating_sub(part * each))).collect()
            }
        };
        let all = parts.iter().try_fold(0usize, |sum, &part| sum.checked_add(part));
        if parts.len() != node.outputs.len() || all != Some(extent) || parts.contains(&0) {
            return Err(node.error(format!("splits {extent} places into {parts:?} for {} outputs", node.outputs.len())));
        }
        let mut from = 0;
        for (part, name) in parts.into_iter().zip(&node.outputs) {
            let mut before = vec![0; view.axes.len()];
            let mut shape = whole.clone();
            (before[place], shape.0[place]) = (from, part);
            let id = self.keep(&format!("{}/{name}", node.title()), Operator::Crop { before, shape }, view.id)?;
            self.made(name, View::new(id, view.axes.clone()));
            from += part;
        }
        Ok(())
    }
}
