//! `PAD`, `PADV2`, `CONCATENATION`, `SLICE`, `STRIDED_SLICE`, `RESIZE_NEAREST_NEIGHBOR` and `RESIZE_BILINEAR`: values at
//! other places.

use super::format::{ActivationFunctionType, BuiltinOperator};
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Axis, Element, Linear, Nearest, Operator, Shape, TensorId};

impl<'a> Builder<'a> {
    /// Values around the input: its zero, or the one that is given.
    pub(super) fn pad(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let index = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let rank = self.extents(index)?.len();
        let around = call.input(1).ok_or_else(|| self.error(call, "has no paddings"))?;
        let around = self.tensors.constant(around)?.integers().unwrap_or_default();
        if around.len() != 2 * rank {
            return Err(self.error(call, format!("has {} paddings for {rank} axes", around.len())));
        }
        let around: Option<Vec<usize>> =
            around.into_iter().map(|places| usize::try_from(places).ok().filter(|&places| places < 1 << 31)).collect();
        let around = around.ok_or_else(|| self.error(call, "has a padding that is negative or too large"))?;
        let (pairs, _) = around.as_chunks::<2>();
        let padded: Vec<usize> = (0..rank).filter(|&axis| pairs[axis] != [0, 0]).collect();
        let axes = self.axes_of(index)?;
        let (input, axes) = if padded.iter().all(|axis| axes.contains(axis)) {
            (self.read(call, 0)?, axes)
        } else {
            let all: Vec<usize> = (1..rank).collect();
            (self.read_along(call, 0, &all)?, all)
        };
        let (mut before, mut after) = ([0; 4], [0; 4]);
        for axis in padded {
            let Some(place) = Self::graph_axis(&axes, axis) else {
                return Err(self.error(call, "pads the batch, which is not supported"));
            };
            [before[place as usize], after[place as usize]] = pairs[axis];
        }
        self.set_axes(call.output, axes);
        let value = self.value(call)?;
        self.same_scale(call, input, &value)?;
        let value_of_padding = match call.input(2) {
            None => 0.0,
            Some(constant) => {
                let constant = self.tensors.constant(constant)?;
                let stored = match (value.element, constant.bytes) {
                    (Element::I8, &[byte]) => value.quantization.map(|quantization| {
                        quantization.scale * (i32::from(byte.cast_signed()) - quantization.zero_point) as f32
                    }),
                    (Element::I16, &[low, high]) => value
                        .quantization
                        .map(|quantization| quantization.scale * f32::from(i16::from_le_bytes([low, high]))),
                    _ => constant.float32().and_then(|values| values.first().copied()),
                };
                stored.ok_or_else(|| self.error(call, "has no value to pad with"))?
            }
        };
        self.push(Operator::Pad { before, after, value: value_of_padding }, vec![input], value)
    }

    /// Tensors, one behind the other: a chain of pairs.
    pub(super) fn concatenation(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let options = self.options(call, call.operator.builtin_options_as_concatenation_options())?;
        if options.fused_activation_function() != ActivationFunctionType::NONE {
            return Err(self.error(call, "has an activation fused, which this operator does not have"));
        }
        let index = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let rank = self.extents(index)?.len();
        let axis = i64::from(options.axis());
        let axis = usize::try_from(if axis < 0 { axis + rank as i64 } else { axis });
        let axis = axis.ok().filter(|&axis| axis < rank);
        let axis = axis.ok_or_else(|| self.error(call, format!("is along axis {} of {rank}", options.axis())))?;
        let mut axes = self.axes_of(index)?;
        if !axes.contains(&axis) {
            axes = (1..rank).collect();
        }
        let place = Self::graph_axis(&axes, axis);
        let axis = place.ok_or_else(|| self.error(call, "is along the batch, which is not supported"))?;
        self.set_axes(call.output, axes.clone());
        let value = self.value(call)?;
        let count = call.inputs().count();
        let mut made: Option<TensorId> = None;
        for place in 0..count {
            let next = self.read_along(call, place, &axes)?;
            if self.graph.tensor(next).quantization != value.quantization {
                let name = self.graph.tensor(next).name.clone();
                let reason = format!("has another scale or zero point than \"{name}\", which it copies");
                return Err(self.error(call, reason));
            }
            made = Some(match made {
                None => next,
                Some(first) => {
                    let mut both = value.clone();
                    if place + 1 < count {
                        both.name = format!("{}/{place}", value.name);
                        both.shape = self.graph.tensor(first).shape.clone();
                        let of_next = &self.graph.tensor(next).shape;
                        if let Some(along) = axis.place(&both.shape) {
                            let more = of_next.0.get(along).copied().unwrap_or(0);
                            both.shape.0[along] = both.shape.0[along].saturating_add(more);
                        }
                    }
                    self.push(Operator::Concatenate { axis }, vec![first, next], both)?
                }
            });
        }
        made.ok_or_else(|| self.error(call, "has no inputs"))
    }

    /// Every place a copy of the nearest, or between the nearest.
    pub(super) fn resize(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let operator = call.operator;
        let bilinear = call.kind == BuiltinOperator::RESIZE_BILINEAR;
        let [align_corners, half_pixel_centers] = if bilinear {
            let options = self.options(call, operator.builtin_options_as_resize_bilinear_options())?;
            [options.align_corners(), options.half_pixel_centers()]
        } else {
            let options = self.options(call, operator.builtin_options_as_resize_nearest_neighbor_options())?;
            [options.align_corners(), options.half_pixel_centers()]
        };
        if bilinear && align_corners && half_pixel_centers {
            return Err(
                self.error(call, "has aligned corners and half pixels at once, which TensorFlow does not allow")
            );
        }
        let index = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let axes = self.axes_of(index)?;
        // A series stays one where its only column does.
        let extents = self.extents(call.output)?;
        let [_, height, width, _] = extents[..] else {
            return Err(self.error(call, "makes no batch, height, width and channels"));
        };
        let (input, [rows, columns]) = match axes[..] {
            [1, 3] if width == 1 => (self.read(call, 0)?, [height, 1]),
            [2, 3] if height == 1 => (self.read(call, 0)?, [width, 1]),
            _ => {
                let picture = vec![1, 2, 3];
                let input = self.read_along(call, 0, &picture)?;
                self.set_axes(call.output, picture);
                (input, [height, width])
            }
        };
        let value = self.value(call)?;
        self.same_scale(call, input, &value)?;
        debug_assert!(Axis::Rows.place(&value.shape).is_some(), "a picture or a series has rows");
        let operator = match bilinear {
            true => {
                let linear = Linear { align_corners, half_pixel_centers };
                Operator::ResizeBilinear { size: [rows, columns], linear }
            }
            false => {
                let nearest = Nearest { align_corners, half_pixel_centers };
                Operator::ResizeNearest { size: [rows, 1, columns], nearest }
            }
        };
        self.push(operator, vec![input], value)
    }

    /// `SLICE` and `STRIDED_SLICE`, the latter by steps of 1: some places and channels.
    pub(super) fn slice(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let index = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let from = self.extents(index)?;
        let begins = match call.kind {
            BuiltinOperator::SLICE => self.begins(call, &from)?,
            _ => self.begins_of_strided(call, &from)?,
        };
        // What one place is left of may be no axis any more.
        let made = self.extents(call.output)?;
        let kept: Vec<usize> = begins.iter().map(|&[_, extent]| extent).collect();
        let large = |extents: &[usize]| extents.iter().copied().filter(|&extent| extent != 1).collect::<Vec<_>>();
        if large(&made) != large(&kept) {
            return Err(self.error(call, format!("takes {} out, where the file says {}", Shape(kept), Shape(made))));
        }
        let cut: Vec<usize> = (0..from.len()).filter(|&axis| begins[axis] != [0, from[axis]]).collect();
        let mut axes = self.axes_of(index)?;
        let input = if cut.iter().all(|axis| axes.contains(axis)) {
            self.read(call, 0)?
        } else {
            axes = (1..from.len()).collect();
            self.read_along(call, 0, &axes)?
        };
        let along = |place: usize| axes.iter().map(|&axis| begins[axis][place]).collect::<Vec<usize>>();
        let (before, shape) = (along(0), Shape(along(1)));
        let alike = made.len() == from.len();
        let mut value = self.tensors.value_of_shape(call.output, shape.clone())?;
        self.same_scale(call, input, &value)?;
        let operator = if cut.is_empty() { Operator::Identity } else { Operator::Crop { before, shape } };
        if alike {
            self.set_axes(call.output, axes);
            return self.push(operator, vec![input], value);
        }
        value.name = format!("{}/cut", value.name);
        let cut = self.push(operator, vec![input], value)?;
        self.seen_as(call, cut)
    }

    /// First place and extent along each axis, as SLICE has them.
    fn begins(&self, call: &Call<'a>, from: &[usize]) -> Result<Vec<[usize; 2]>, Error> {
        let [begins, sizes] = [self.per_axis(call, 1, from)?, self.per_axis(call, 2, from)?];
        let places = begins.into_iter().zip(sizes).zip(from).map(|((begin, size), &extent)| {
            let begin = usize::try_from(begin).ok().filter(|&begin| begin < extent)?;
            let size = if size == -1 { extent - begin } else { usize::try_from(size).ok()? };
            (1..=extent - begin).contains(&size).then_some([begin, size])
        });
        places.collect::<Option<_>>().ok_or_else(|| self.error(call, "takes places out that its input does not have"))
    }

    /// First place and extent along each axis, as STRIDED_SLICE has them.
    fn begins_of_strided(&self, call: &Call<'a>, from: &[usize]) -> Result<Vec<[usize; 2]>, Error> {
        let options = self.options(call, call.operator.builtin_options_as_strided_slice_options())?;
        if options.ellipsis_mask() != 0 || options.new_axis_mask() != 0 {
            return Err(self.error(call, "has an ellipsis or new axes, which is not supported"));
        }
        let [begins, ends, strides] =
            [self.per_axis(call, 1, from)?, self.per_axis(call, 2, from)?, self.per_axis(call, 3, from)?];
        if strides.iter().any(|&stride| stride != 1) {
            return Err(self.error(call, format!("goes in steps of {strides:?}; supported are steps of 1")));
        }
        let place = |at: i64, extent: usize| {
            let extent = extent as i64;
            (if at < 0 { at.saturating_add(extent) } else { at }).clamp(0, extent) as usize
        };
        let places = from.iter().enumerate().map(|(axis, &extent)| {
            let masked = |mask: i32| mask >> axis & 1 != 0;
            let begin = if masked(options.begin_mask()) { 0 } else { place(begins[axis], extent) };
            let end = match (masked(options.shrink_axis_mask()), masked(options.end_mask())) {
                (true, _) => begin + 1,
                (false, true) => extent,
                (false, false) => place(ends[axis], extent),
            };
            (begin < end && end <= extent).then(|| [begin, end - begin])
        });
        places.collect::<Option<_>>().ok_or_else(|| self.error(call, "takes places out that its input does not have"))
    }

    /// The constant at `place`, which has a number for each axis.
    fn per_axis(&self, call: &Call<'a>, place: usize, from: &[usize]) -> Result<Vec<i64>, Error> {
        let index = call.input(place).ok_or_else(|| self.error(call, format!("has no input {place}")))?;
        let numbers = self.tensors.constant(index)?.integers().filter(|numbers| numbers.len() == from.len());
        numbers.ok_or_else(|| self.error(call, format!("has no whole number for each of {} axes", from.len())))
    }
}
