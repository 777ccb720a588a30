//! `PAD`, `PADV2`, `CONCATENATION` and `RESIZE_NEAREST_NEIGHBOR`: values at other places.

use super::format::ActivationFunctionType;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Axis, Element, Nearest, Operator, TensorId};

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

    /// Every place a copy of the nearest.
    pub(super) fn resize_nearest(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let options = call.operator.builtin_options_as_resize_nearest_neighbor_options();
        let options = self.options(call, options)?;
        let nearest =
            Nearest { align_corners: options.align_corners(), half_pixel_centers: options.half_pixel_centers() };
        let index = call.input(0).ok_or_else(|| self.error(call, "has no input"))?;
        let axes = self.axes_of(index)?;
        // A series stays one where its only column does.
        let extents = self.extents(call.output)?;
        let [_, height, width, _] = extents[..] else {
            return Err(self.error(call, "makes no batch, height, width and channels"));
        };
        let (input, size) = match axes[..] {
            [1, 3] if width == 1 => (self.read(call, 0)?, [height, 1, 1]),
            [2, 3] if height == 1 => (self.read(call, 0)?, [width, 1, 1]),
            _ => {
                let picture = vec![1, 2, 3];
                let input = self.read_along(call, 0, &picture)?;
                self.set_axes(call.output, picture);
                (input, [height, 1, width])
            }
        };
        let value = self.value(call)?;
        self.same_scale(call, input, &value)?;
        debug_assert!(Axis::Rows.place(&value.shape).is_some(), "a picture or a series has rows");
        self.push(Operator::ResizeNearest { size, nearest }, vec![input], value)
    }
}
