//! Windows and their padding: pools, and what takes one value for all places.

use super::Builder;
use super::layout::View;
use super::message::Node;
use crate::error::Error;
use crate::graph::{Operator, Padding, Taps, Window};

/// The largest kernel, stride, dilation or padding that is looked at; the runtime's own limit is lower.
const LARGEST: i64 = 1 << 15;

/// What pads a value before its window slides over it.
#[derive(Clone, Copy)]
pub(super) struct Around(f32);

impl<'a> Builder<'a> {
    /// The window of a node with these taps, and what it slides over: with `around`, or where a window of one place is padded, the
    /// value with its padding.
    pub(super) fn padded_window(
        &mut self,
        node: &'a Node,
        view: View,
        taps: &[usize],
        around: Option<Around>,
    ) -> Result<(View, Window), Error> {
        let axes = taps.len();
        let shape = self.graph.tensor(view.id).shape.clone();
        if taps.iter().any(|&size| size == 0 || size as u64 > LARGEST as u64) {
            return Err(node.error(format!("has a window of {taps:?} places")));
        }
        let strides = self.along_window(node, "strides", axes)?;
        let dilations = self.along_window(node, "dilations", axes)?;
        let ceil = node.integer("ceil_mode", 0)? != 0;
        let (mut before, mut after) = (vec![0; axes], vec![0; axes]);
        match node.text("auto_pad", "NOTSET")?.as_str() {
            "NOTSET" => {
                let pads = node.integers("pads")?.unwrap_or_else(|| vec![0; 2 * axes]);
                let pads: Option<Vec<usize>> =
                    pads.iter().map(|&places| usize::try_from(places).ok().filter(|_| places <= LARGEST)).collect();
                let pads = pads.filter(|pads| pads.len() == 2 * axes);
                let pads = pads.ok_or_else(|| node.error(format!("has pads that are not {} places", 2 * axes)))?;
                before.copy_from_slice(&pads[..axes]);
                after.copy_from_slice(&pads[axes..]);
            }
            "VALID" => {}
            which @ ("SAME_UPPER" | "SAME_LOWER") => {
                for axis in 0..axes {
                    let outputs = shape.0[axis].div_ceil(strides[axis]);
                    let reach = (taps[axis].max(1) - 1) * dilations[axis] + 1;
                    let lacking = ((outputs.max(1) - 1) * strides[axis] + reach).saturating_sub(shape.0[axis]);
                    let less = lacking / 2;
                    (before[axis], after[axis]) =
                        if which == "SAME_UPPER" { (less, lacking - less) } else { (lacking - less, less) };
                }
            }
            other => return Err(node.error(format!("has the auto_pad {:?}", other.escape_debug().to_string()))),
        }
        if ceil {
            after = self.round_up(node, &shape.0, taps, [&strides, &dilations, &before, &after], around.is_some())?;
        }
        let apart = around.is_some() || taps.iter().all(|&size| size == 1);
        let view = match around.unwrap_or(Around(0.0)) {
            Around(value) if apart && before.iter().chain(&after).any(|&places| places > 0) => {
                let operator = Operator::Pad { before: in_rows(&before, 0), after: in_rows(&after, 0), value };
                let id = self.keep(&format!("{}/padded", node.title()), operator, view.id)?;
                before.fill(0);
                after.fill(0);
                view.of(id)
            }
            _ => view,
        };
        let depth = (axes == 3).then(|| Taps {
            size: taps[0],
            stride: strides[0],
            dilation: dilations[0],
            before: before[0],
            after: after[0],
        });
        let pair = |numbers: &[usize], other: usize| match *numbers {
            [first] => [first, other],
            [.., first, second] => [first, second],
            [] => [other; 2],
        };
        let padding = match before.iter().chain(&after).all(|&places| places == 0) {
            true => Padding::Valid,
            false => Padding::Explicit { before: pair(&before, 0), after: pair(&after, 0) },
        };
        let window =
            Window { size: pair(taps, 1), stride: pair(&strides, 1), dilation: pair(&dilations, 1), padding, depth };
        Ok((view, window))
    }

    /// Numbers of a window, one along each axis; ones where the node says nothing.
    fn along_window(&self, node: &Node, name: &str, axes: usize) -> Result<Vec<usize>, Error> {
        let numbers = node.integers(name)?.unwrap_or_else(|| vec![1; axes]);
        let positive = |&number: &i64| usize::try_from(number).ok().filter(|_| (1..=LARGEST).contains(&number));
        let numbers: Option<Vec<usize>> = numbers.iter().map(positive).collect();
        let numbers = numbers.filter(|numbers| numbers.len() == axes);
        numbers.ok_or_else(|| node.error(format!("has {name} that are not {axes} places")))
    }

    /// With ceil_mode an output more where the last window would end outside, as long as it begins inside.
    fn round_up(
        &self,
        node: &Node,
        extents: &[usize],
        taps: &[usize],
        [strides, dilations, before, after]: [&Vec<usize>; 4],
        counted: bool,
    ) -> Result<Vec<usize>, Error> {
        let mut after = after.clone();
        for axis in 0..taps.len() {
            let reach = (taps[axis].max(1) - 1) * dilations[axis] + 1;
            let padded = extents[axis] + before[axis] + after[axis];
            let rest = padded.saturating_sub(reach) % strides[axis];
            let last = padded.saturating_sub(reach) - rest + strides[axis];
            if padded >= reach && rest > 0 && last < extents[axis] + before[axis] {
                if counted {
                    return Err(
                        node.error("has both ceil_mode and count_include_pad with pads, which is not supported")
                    );
                }
                after[axis] += strides[axis] - rest;
            }
        }
        Ok(after)
    }

    /// MaxPool and AveragePool.
    pub(super) fn pool(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.channels_last(node, &view)?;
        let axes = view.axes.len() - 1;
        if !(1..=3).contains(&axes) {
            return Err(node.error(format!("slides over {axes} axes")));
        }
        let taps = match node.integers("kernel_shape")? {
            Some(_) => self.along_window(node, "kernel_shape", axes)?,
            None => return Err(node.error("has no kernel_shape")),
        };
        if node.outputs.iter().skip(1).any(|output| !output.is_empty()) {
            return Err(node.error("also says where the largest values stand, which is not supported"));
        }
        let pads = node.integers("pads")?.unwrap_or_default();
        if let Some((pad, size)) = pads.iter().zip(taps.iter().cycle()).find(|(pad, size)| **pad >= **size as i64) {
            let reason = format!("pads by {pad} places for a window of {size}: a window of padding alone has no value");
            return Err(node.error(reason));
        }
        let largest = node.kind == "MaxPool";
        // Zeros that count are there before the window comes.
        let around = (!largest && node.integer("count_include_pad", 0)? != 0).then_some(Around(0.0));
        let (view, window) = self.padded_window(node, view, &taps, around)?;
        let operator = if largest { Operator::MaxPool { window } } else { Operator::AveragePool { window } };
        self.emit(index, node, operator, vec![view.id], view)
    }

    /// GlobalMaxPool and GlobalAveragePool, which keep their axes.
    pub(super) fn global_pool(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.channels_last(node, &view)?;
        let operator = match node.kind.as_str() {
            "GlobalMaxPool" => Operator::GlobalMaxPool { keep_dims: true },
            _ => Operator::GlobalAveragePool { keep_dims: true },
        };
        self.emit(index, node, operator, vec![view.id], view)
    }

    /// ReduceMean and ReduceMax over all axes but one.
    pub(super) fn reduce(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.with_axes(node, view)?;
        let axes = view.axes.len();
        let numbers = self.whole_numbers(node, 1, "axes")?;
        let numbers = numbers.ok_or_else(|| node.error("is over all axes, the batch among them"))?;
        let over: Vec<usize> = numbers.iter().map(|&number| self.axis(node, number, axes)).collect::<Result<_, _>>()?;
        let left: Vec<usize> = (0..axes).filter(|axis| !over.contains(axis)).collect();
        let &[kept] = &left[..] else {
            return Err(node.error(format!(
                "is over {} of {axes} axes beside the batch; supported is all but one",
                axes - left.len()
            )));
        };
        let view = self.with_last(node, &view, kept)?;
        let keep_dims = node.integer("keepdims", 1)? != 0;
        let operator = match node.kind.as_str() {
            "ReduceMax" => Operator::GlobalMaxPool { keep_dims },
            _ => Operator::GlobalAveragePool { keep_dims },
        };
        let view = if keep_dims { view } else { View::in_order(view.id, 1) };
        self.emit(index, node, operator, vec![view.id], view)
    }
}

/// Numbers along spatial axes in the order of rows, lines, columns and channels.
fn in_rows(numbers: &[usize], other: usize) -> [usize; 4] {
    match *numbers {
        [rows] => [rows, other, other, other],
        [rows, columns] => [rows, other, columns, other],
        [rows, lines, columns, ..] => [rows, lines, columns, other],
        [] => [other; 4],
    }
}
