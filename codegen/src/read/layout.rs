//! Axes in the order that the graph has them: channels last.
//!
//! A layer of `channels_first` is the same layer with a transposition before and behind it; a pass takes those out
//! again that undo each other. What works along another axis than the last, a softmax or a batch normalization, too.

use super::build::{Builder, Site};
use crate::error::Error;
use crate::graph::{Operator, Shape, TensorId};

/// The input of a layer that slides over one, two or three spatial axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spatial {
    /// Channels last.
    pub(super) input: TensorId,
    /// Extents along the spatial axes, and ones behind them.
    pub(super) places: [usize; 3],
    /// Its channels.
    pub(super) channels: usize,
    /// Spatial axes: 1 of a series, 2 of an image, 3 of a volume.
    pub(super) axes: usize,
    /// Whether the layer's own tensors have their channels first.
    pub(super) channels_first: bool,
}

impl Spatial {
    /// The shape of `channels` at so many places.
    pub(super) fn shape(&self, places: [usize; 3], channels: usize) -> Shape {
        Shape([&places[..self.axes], &[channels]].concat())
    }

    /// One number for every spatial axis.
    pub(super) fn along(&self, number: usize) -> [usize; 3] {
        std::array::from_fn(|axis| if axis < self.axes { number } else { 1 })
    }

    /// Numbers of the spatial axes in the order of rows, lines and columns, with `other` for those that are lacking.
    pub(super) fn in_rows(&self, [first, second, third]: [usize; 3], other: usize) -> [usize; 3] {
        match self.axes {
            1 => [first, other, other],
            2 => [first, other, second],
            _ => [first, second, third],
        }
    }
}

impl Builder {
    /// The input of a layer that slides over `axes` spatial axes.
    pub(super) fn spatial(&mut self, site: &Site, axes: usize) -> Result<Spatial, Error> {
        let channels_first = site.settings.channels_first()?;
        let shape = self.shape(site.input()?);
        if shape.0.len() != axes + 1 {
            let kind = match axes {
                1 => "steps and channels",
                2 => "height, width and channels",
                _ => "depth, height, width and channels",
            };
            return Err(site.error(format!("needs an input of {kind}, its input is {shape}")));
        }
        let input = if channels_first { self.moved_last(site, site.input()?, 0)? } else { site.input()? };
        let extents = &self.shape(input).0;
        let places = std::array::from_fn(|axis| if axis < axes { extents[axis] } else { 1 });
        Ok(Spatial { input, places, channels: extents[axes], axes, channels_first })
    }

    /// What a layer of channels first makes, from the same with channels last.
    pub(super) fn back(&mut self, site: &Site, spatial: &Spatial, result: TensorId) -> Result<TensorId, Error> {
        if spatial.channels_first { self.moved_back(site, result, 0) } else { Ok(result) }
    }

    /// A tensor with the axis at `place` behind the others.
    pub(super) fn moved_last(&mut self, site: &Site, tensor: TensorId, place: usize) -> Result<TensorId, Error> {
        let axes = (0..self.shape(tensor).0.len()).filter(|&axis| axis != place).chain([place]).collect();
        self.transposed(&format!("{}/moved", site.name()), tensor, axes)
    }

    /// A tensor with its last axis at `place`.
    pub(super) fn moved_back(&mut self, site: &Site, tensor: TensorId, place: usize) -> Result<TensorId, Error> {
        let last = self.shape(tensor).0.len() - 1;
        let axes = (0..place).chain([last]).chain(place..last).collect();
        self.transposed(&format!("{}/back", site.name()), tensor, axes)
    }

    /// A tensor with its axes in another order, if it is another.
    pub(super) fn transposed(&mut self, name: &str, tensor: TensorId, axes: Vec<usize>) -> Result<TensorId, Error> {
        if axes.is_sorted() {
            return Ok(tensor);
        }
        let extents = &self.shape(tensor).0;
        let shape = Shape(axes.iter().map(|&axis| extents[axis]).collect());
        self.push(name, Operator::Transpose { axes }, vec![tensor], shape)
    }
}

impl Site<'_> {
    /// The place of an axis that Keras counts with the batch or from the end, among `axes` without the batch.
    pub(super) fn place(&self, axis: f64, axes: usize) -> Result<usize, Error> {
        let place = if axis < 0.0 { axis + axes as f64 } else { axis - 1.0 };
        (0..axes).find(|&index| index as f64 == place).ok_or_else(|| {
            self.error(format!("axis {axis} is not one of its input, which has {axes} beside the batch"))
        })
    }
}
