//! A convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: how TensorFlow writes a dilated one.
//!
//! The first pads the input and deals its places out to a batch of pictures, so that places `block` apart become
//! neighbours; a convolution goes over each; the second puts the places back and crops. That is one convolution with
//! a dilation of `block` and explicit padding, and the same bits: what is padded is the zero point here as there.

use super::format::BuiltinOperator;
use super::tensors::Value;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Axis, Operator, Padding, Shape, TensorId, Window};

/// How a tensor was dealt out.
#[derive(Debug, Clone)]
pub(super) struct Dealt<'a> {
    /// The operator that did, and that reads the tensor.
    pub(super) source: Call<'a>,
    /// Places between two of a phase, along each axis after the batch.
    block: Vec<usize>,
    /// Padded places before and after, along each of these axes; what was cropped is off.
    padding: Vec<[usize; 2]>,
}

/// What is known of a tensor whose batch are the phases of a picture.
#[derive(Debug, Clone)]
pub(super) struct Phases<'a> {
    dealt: Dealt<'a>,
    /// The convolution over the phases, once there was one.
    convolution: Option<Call<'a>>,
}

impl<'a> Builder<'a> {
    /// `SPACE_TO_BATCH_ND`: remembered until the places are put back.
    pub(super) fn space_to_batch(&mut self, call: &Call<'a>) -> Result<(), Error> {
        self.read(call, 0)?;
        let (block, padding) = self.blocks(call, "paddings")?;
        let phases = Phases { dealt: Dealt { source: *call, block, padding }, convolution: None };
        self.phases.insert(call.output, phases);
        Ok(())
    }

    /// Whether `call` lies between the two operators; what it does is remembered.
    pub(super) fn within_phases(&mut self, call: &Call<'a>) -> Result<bool, Error> {
        let Some(phases) = call.input(0).and_then(|input| self.phases.get(&input)) else { return Ok(false) };
        let mut phases = phases.clone();
        match call.kind {
            BuiltinOperator::BATCH_TO_SPACE_ND => return Ok(false),
            BuiltinOperator::EXPAND_DIMS | BuiltinOperator::SQUEEZE | BuiltinOperator::RESHAPE
                if self.keeps_batch(call)? => {}
            BuiltinOperator::CONV_2D | BuiltinOperator::DEPTHWISE_CONV_2D if phases.convolution.is_none() => {
                phases.convolution = Some(*call);
            }
            kind => {
                let name = kind.variant_name().unwrap_or("an operator");
                let reason = format!(
                    "is made by {name} between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, where one convolution is supported"
                );
                return Err(self.error(call, reason));
            }
        }
        if self.phases.insert(call.output, phases).is_some() {
            return Err(self.error(call, "is made twice: damaged file"));
        }
        Ok(true)
    }

    /// Whether a reshape leaves the batch alone, and adds or removes axes of extent 1 only.
    fn keeps_batch(&self, call: &Call<'a>) -> Result<bool, Error> {
        let input = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let [before, after] = [self.extents(input)?, self.extents(call.output)?];
        let large = |extents: &[usize]| extents.iter().copied().filter(|&extent| extent != 1).collect::<Vec<_>>();
        Ok(before.first() == after.first() && large(&before) == large(&after))
    }

    /// `BATCH_TO_SPACE_ND`: the dilated convolution.
    pub(super) fn batch_to_space(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let unpaired =
            "puts back a batch that no SPACE_TO_BATCH_ND with a convolution dealt out, which is not supported";
        let phases = call.input(0).and_then(|input| self.phases.get(&input)).cloned();
        let phases = phases.ok_or_else(|| self.error(call, unpaired))?;
        let convolution = phases.convolution.ok_or_else(|| self.error(call, unpaired))?;
        let (block, crops) = self.blocks(call, "crops")?;
        let mut dealt = phases.dealt;
        if block != dealt.block {
            return Err(self.error(call, format!("puts back blocks of {block:?}, dealt out were {:?}", dealt.block)));
        }
        let [before, after] = [convolution.output, call.output]
            .map(|index| Ok(self.tensors.value_of_shape(index, Shape(vec![]))?.quantization));
        if before? != after? {
            return Err(self.error(call, "has another scale or zero point than its input, which this operator keeps"));
        }
        // A crop takes back what was padded.
        for (padding, crops) in dealt.padding.iter_mut().zip(&crops) {
            let left = padding[0].checked_sub(crops[0]).zip(padding[1].checked_sub(crops[1]));
            let (before, after) =
                left.ok_or_else(|| self.error(call, "crops more than was padded, which is not supported"))?;
            *padding = [before, after];
        }
        // The convolution, of what was dealt out, makes what is put back.
        let convolution = Call { output: call.output, ..convolution };
        match convolution.kind {
            BuiltinOperator::CONV_2D => self.convolution(&convolution, Some(&dealt)),
            _ => self.depthwise(&convolution, Some(&dealt)),
        }
    }

    /// What was dealt out, and the window of a convolution over the phases as one over it.
    pub(super) fn slide_dilated(
        &mut self,
        call: &Call<'a>,
        window: Window,
        dealt: &Dealt<'a>,
    ) -> Result<(TensorId, Window), Error> {
        let Dealt { source, block, padding } = dealt;
        if window.stride != [1, 1] || window.dilation != [1, 1] || window.padding != Padding::Valid {
            let reason = "has a stride, a dilation or padding of its own between SPACE_TO_BATCH_ND and \
                          BATCH_TO_SPACE_ND, which is not supported";
            return Err(self.error(call, reason));
        }
        let index = source.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let extents = self.extents(index)?;
        let axes = self.axes_of(index)?;
        // Along an axis of the file: taps, block and padding.
        let along = |axis: usize, size: usize| {
            let place = axis.wrapping_sub(1);
            (size, block.get(place).copied().unwrap_or(1), padding.get(place).copied().unwrap_or([0, 0]))
        };
        let [height, width] = window.size;
        // A series, whose convolution sees it as a picture of height 1 or width 1.
        let series = extents.len() == 3;
        let size = |axis: usize| match (series, axis) {
            (true, _) => height.max(width),
            (false, 1) => height,
            (false, _) => width,
        };
        let both = height != 1 && width != 1;
        let (input, vertical, horizontal) = match (axes.as_slice(), series) {
            ([1, 2], true) if !both => (self.read(source, 0)?, along(1, size(1)), (1, 1, [0, 0])),
            (&[axis @ (1 | 2), 3], false)
                if size(3 - axis) == 1 && along(3 - axis, 1).1 == 1 && along(3 - axis, 1).2 == [0, 0] =>
            {
                (self.read(source, 0)?, along(axis, size(axis)), (1, 1, [0, 0]))
            }
            (_, false) => {
                let picture = [1, 2, 3];
                let input = self.read_along(source, 0, &picture)?;
                self.set_axes(call.output, picture.to_vec());
                (input, along(1, height), along(2, width))
            }
            _ => return Err(self.error(call, "is a dilated convolution over other axes than rows and columns")),
        };
        if !self.axes.contains_key(&call.output) {
            self.set_axes(call.output, axes);
        }
        let [(rows, apart, above), (columns, beside, left)] = [vertical, horizontal];
        let (before, after) = ([above[0], left[0]], [above[1], left[1]]);
        let padding = Padding::Explicit { before, after };
        let dilated = Window { size: [rows, columns], dilation: [apart, beside], padding, ..Window::POINT };
        if dilated.pads_a_point() {
            let input = self.padded(call, input, before, after)?;
            return Ok((input, Window::POINT));
        }
        Ok((input, dilated))
    }

    /// `input` with zeros around it.
    fn padded(
        &mut self,
        call: &Call<'a>,
        input: TensorId,
        before: [usize; 2],
        after: [usize; 2],
    ) -> Result<TensorId, Error> {
        let tensor = self.graph.tensor(input);
        let mut shape = tensor.shape.clone();
        let name = format!("{}/pad", self.tensors.name(call.output));
        for (axis, extent) in [Axis::Rows, Axis::Columns].into_iter().zip([0, 1]) {
            if let Some(place) = axis.place(&shape) {
                shape.0[place] = shape.0[place].saturating_add(before[extent]).saturating_add(after[extent]);
            }
        }
        let value = Value { name, shape, element: tensor.element, quantization: tensor.quantization };
        let [above, left] = before;
        let [below, right] = after;
        let pad = Operator::Pad { before: [above, 0, left, 0], after: [below, 0, right, 0], value: 0.0 };
        self.push(pad, vec![input], value)
    }

    /// Blocks, and what is padded or cropped, along the axes after the batch.
    fn blocks(&self, call: &Call<'a>, what: &str) -> Result<(Vec<usize>, Vec<[usize; 2]>), Error> {
        let [block, around] = [1, 2].map(|place| {
            let index = call.input(place).ok_or_else(|| self.error(call, format!("has no blocks or {what}")))?;
            let numbers = self.tensors.constant(index)?.integers().unwrap_or_default();
            // An axis of the file at most, two numbers each.
            let numbers: Option<Vec<usize>> = (numbers.len() <= 4)
                .then(|| numbers.into_iter().map(|number| usize::try_from(number).ok()).collect())
                .flatten();
            numbers.ok_or_else(|| self.error(call, format!("has blocks or {what} that are not possible")))
        });
        let (block, around) = (block?, around?);
        let (pairs, rest) = around.as_chunks::<2>();
        if block.is_empty() || block.contains(&0) || pairs.len() != block.len() || !rest.is_empty() {
            return Err(self.error(call, format!("has {} blocks and {} {what}", block.len(), around.len())));
        }
        Ok((block, pairs.to_vec()))
    }
}
