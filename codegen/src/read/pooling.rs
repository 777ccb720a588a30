//! Pooling layers, over one, two or three spatial axes.

use super::build::{Builder, Site};
use super::convolution::placed;
use crate::error::Error;
use crate::graph::{Operator, Shape, TensorId, Window};

/// `MaxPooling1D`, `MaxPooling2D` and `MaxPooling3D`. Padded places do not take part, as in Keras: they are not zeros.
pub(super) fn max(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    pool(builder, site, axes, |window| Operator::MaxPool { window })
}

/// `AveragePooling1D`, `AveragePooling2D` and `AveragePooling3D`.
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
    let size = settings.sizes("pool_size", axes, Some(spatial.along(2)))?;
    let stride = settings.sizes("strides", axes, Some(size))?;
    let window = settings.window(&spatial, size, stride, [1; 3])?;
    let shape = placed(&window, &spatial, spatial.channels, site)?;
    let result = builder.push(site.name(), operator(window), vec![spatial.input], shape)?;
    builder.back(site, &spatial, result)
}

/// `GlobalAveragePooling1D`, `GlobalAveragePooling2D` and `GlobalAveragePooling3D`.
pub(super) fn global_average(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    global(builder, site, axes, |keep_dims| Operator::GlobalAveragePool { keep_dims })
}

/// `GlobalMaxPooling1D`, `GlobalMaxPooling2D` and `GlobalMaxPooling3D`.
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
    let channels = spatial.channels;
    let keep_dims = site.settings.flag("keepdims", false)?;
    let shape = if keep_dims { spatial.shape([1; 3], channels) } else { Shape(vec![channels]) };
    let result = builder.push(site.name(), operator(keep_dims), vec![spatial.input], shape)?;
    if keep_dims { builder.back(site, &spatial, result) } else { Ok(result) }
}
