//! Pooling layers.

use super::build::{Builder, Site};
use super::convolution::placed;
use crate::error::Error;
use crate::graph::{Operator, Shape, TensorId, Window};

/// `MaxPooling2D`.
pub(super) fn max(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    pool(builder, site, |window| Operator::MaxPool { window })
}

/// `AveragePooling2D`.
pub(super) fn average(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    pool(builder, site, |window| Operator::AveragePool { window })
}

fn pool(builder: &mut Builder, site: &Site, operator: impl Fn(Window) -> Operator) -> Result<TensorId, Error> {
    let image = builder.image(site)?;
    let settings = &site.settings;
    settings.expect_channels_last()?;
    let size = settings.pair("pool_size", Some([2, 2]))?;
    let window = settings.window(size, settings.pair("strides", Some(size))?, [1, 1])?;
    let shape = placed(&window, image, image[2], site)?;
    builder.push(site.name(), operator(window), site.inputs.clone(), shape)
}

/// `GlobalAveragePooling2D`.
pub(super) fn global_average(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let [_, _, channels] = builder.image(site)?;
    site.settings.expect_channels_last()?;
    let keep_dims = site.settings.flag("keepdims", false)?;
    let shape = Shape(if keep_dims { vec![1, 1, channels] } else { vec![channels] });
    builder.push(site.name(), Operator::GlobalAveragePool { keep_dims }, site.inputs.clone(), shape)
}
