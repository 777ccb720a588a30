//! Pooling layers, over one or two spatial axes.

use super::build::{Builder, Site};
use super::convolution::placed;
use crate::error::Error;
use crate::graph::{Operator, Shape, TensorId, Window};

/// `MaxPooling1D` and `MaxPooling2D`. Padded places do not take part, as in Keras: they are not zeros.
pub(super) fn max(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    pool(builder, site, axes, |window| Operator::MaxPool { window })
}

/// `AveragePooling1D` and `AveragePooling2D`.
pub(super) fn average(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    pool(builder, site, axes, |window| Operator::AveragePool { window })
}

fn pool(
    builder: &mut Builder,
    site: &Site,
    axes: usize,
    operator: impl Fn(Window) -> Operator,
) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, axes)?;
    let settings = &site.settings;
    let size = settings.sizes("pool_size", axes, Some(if axes == 1 { [2, 1] } else { [2, 2] }))?;
    let window = settings.window(size, settings.sizes("strides", axes, Some(size))?, [1, 1])?;
    let shape = placed(&window, &spatial, spatial.image[2], site)?;
    let result = builder.push(site.name(), operator(window), vec![spatial.input], shape)?;
    builder.back(site, &spatial, result)
}

/// `GlobalAveragePooling1D` and `GlobalAveragePooling2D`.
pub(super) fn global_average(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    global(builder, site, axes, |keep_dims| Operator::GlobalAveragePool { keep_dims })
}

/// `GlobalMaxPooling1D` and `GlobalMaxPooling2D`.
pub(super) fn global_max(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    global(builder, site, axes, |keep_dims| Operator::GlobalMaxPool { keep_dims })
}

fn global(
    builder: &mut Builder,
    site: &Site,
    axes: usize,
    operator: impl Fn(bool) -> Operator,
) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, axes)?;
    let [_, _, channels] = spatial.image;
    let keep_dims = site.settings.flag("keepdims", false)?;
    let shape = if keep_dims { spatial.shape([1, 1], channels) } else { Shape(vec![channels]) };
    let result = builder.push(site.name(), operator(keep_dims), vec![spatial.input], shape)?;
    if keep_dims { builder.back(site, &spatial, result) } else { Ok(result) }
}
