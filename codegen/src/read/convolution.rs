//! Layers with a kernel. Keras stores `[vertical][horizontal][input][output]`; as a matrix with one
//! column per output, its transpose is the graph's `[output][vertical][horizontal][input]`.

use super::activation::Activation;
use super::build::{Builder, Site};
use super::variables::Wanted;
use crate::error::Error;
use crate::graph::{Bias, Operator, Shape, TensorId, Weights, Window};

/// `Conv2D`.
pub(super) fn full(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let image = builder.image(site)?;
    let settings = &site.settings;
    settings.expect_channels_last()?;
    match settings.count_or("groups", 1)? {
        1 => {}
        groups => {
            return Err(site.error(format!(
                "groups {groups} is not supported; a convolution of each channel by itself is a DepthwiseConv2D"
            )));
        }
    }
    let filters = settings.count("filters")?;
    let window = window(site)?;
    let shape = placed(&window, image, filters, site)?;
    let activation = Activation::of_setting(settings)?;
    let [vertical, horizontal] = window.size;
    let kernel = Wanted::new("kernel", [vertical, horizontal, image[2], filters]);
    let (weights, bias) = weights(builder, site, kernel, filters)?;
    let weights = Weights::F32(transposed(&weights, filters));
    let operator = Operator::Convolution { weights, bias, window, activation: None };
    builder.push_activated(site.name(), operator, site.inputs.clone(), shape, activation)
}

/// `DepthwiseConv2D`.
pub(super) fn depthwise(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let image = builder.image(site)?;
    site.settings.expect_channels_last()?;
    let multiplier = site.settings.count_or("depth_multiplier", 1)?;
    let window = window(site)?;
    let channels = multiplied(image[2], multiplier, site)?;
    let shape = placed(&window, image, channels, site)?;
    let activation = Activation::of_setting(&site.settings)?;
    let [vertical, horizontal] = window.size;
    let kernel = Wanted::new("kernel", [vertical, horizontal, image[2], multiplier]);
    let (weights, bias) = weights(builder, site, kernel, channels)?;
    // Keras's last two axes, read as one, are the output channel.
    let weights = Weights::F32(weights);
    let operator = Operator::Depthwise { weights, bias, window, multiplier, activation: None };
    builder.push_activated(site.name(), operator, site.inputs.clone(), shape, activation)
}

/// `SeparableConv2D`: a depthwise convolution without bias, then a pointwise one.
pub(super) fn separable(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let image = builder.image(site)?;
    let settings = &site.settings;
    settings.expect_channels_last()?;
    let multiplier = settings.count_or("depth_multiplier", 1)?;
    let filters = settings.count("filters")?;
    let window = window(site)?;
    let channels = multiplied(image[2], multiplier, site)?;
    let middle = placed(&window, image, channels, site)?;
    let shape = Shape(vec![middle.0[0], middle.0[1], filters]);
    let activation = Activation::of_setting(settings)?;
    let [vertical, horizontal] = window.size;
    let mut wanted = vec![
        Wanted::new("depthwise_kernel", [vertical, horizontal, image[2], multiplier]),
        Wanted::new("pointwise_kernel", [1, 1, channels, filters]),
    ];
    if settings.flag("use_bias", true)? {
        wanted.push(Wanted::new("bias", [filters]));
    }
    let mut variables = builder.variables(site, &wanted)?.into_iter();
    let (depthwise, pointwise) = (variables.next().unwrap_or_default(), variables.next().unwrap_or_default());
    let bias = variables.next().map(Bias::F32);

    let operator =
        Operator::Depthwise { weights: Weights::F32(depthwise), bias: None, window, multiplier, activation: None };
    let between = builder.push(&format!("{}/depthwise", site.name()), operator, site.inputs.clone(), middle)?;
    let weights = Weights::F32(transposed(&pointwise, filters));
    let operator = Operator::Convolution { weights, bias, window: Window::POINT, activation: None };
    builder.push_activated(&format!("{}/pointwise", site.name()), operator, vec![between], shape, activation)
}

/// `Dense`: on an image it works on every pixel, as a pointwise convolution.
pub(super) fn dense(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let Shape(mut extents) = builder.shape(site.input()?).clone();
    let units = site.settings.count("units")?;
    let activation = Activation::of_setting(&site.settings)?;
    let flat = extents.len() == 1;
    let Some(last) = extents.last_mut() else {
        return Err(site.error("its input has no shape"));
    };
    let inputs = std::mem::replace(last, units);
    let (weights, bias) = weights(builder, site, Wanted::new("kernel", [inputs, units]), units)?;
    let weights = Weights::F32(transposed(&weights, units));
    let operator = if flat {
        Operator::Dense { weights, bias, activation: None }
    } else {
        Operator::Convolution { weights, bias, window: Window::POINT, activation: None }
    };
    builder.push_activated(site.name(), operator, site.inputs.clone(), Shape(extents), activation)
}

/// The kernel, and the bias of `outputs` numbers if there is one.
fn weights(
    builder: &mut Builder,
    site: &Site,
    kernel: Wanted,
    outputs: usize,
) -> Result<(Vec<f32>, Option<Bias>), Error> {
    let mut wanted = vec![kernel];
    if site.settings.flag("use_bias", true)? {
        wanted.push(Wanted::new("bias", [outputs]));
    }
    let mut variables = builder.variables(site, &wanted)?.into_iter();
    Ok((variables.next().unwrap_or_default(), variables.next().map(Bias::F32)))
}

fn window(site: &Site) -> Result<Window, Error> {
    let settings = &site.settings;
    let size = settings.pair("kernel_size", None)?;
    let stride = settings.pair("strides", Some([1, 1]))?;
    settings.window(size, stride, settings.pair("dilation_rate", Some([1, 1]))?)
}

fn multiplied(channels: usize, multiplier: usize, site: &Site) -> Result<usize, Error> {
    channels.checked_mul(multiplier).ok_or_else(|| site.error(format!("depth_multiplier {multiplier} is too large")))
}

/// The shape that a window makes of an image.
pub(super) fn placed(
    window: &Window,
    [height, width, _]: [usize; 3],
    channels: usize,
    site: &Site,
) -> Result<Shape, Error> {
    let outputs = [window.outputs(0, height), window.outputs(1, width)];
    if outputs.contains(&0) {
        return Err(site.error(format!(
            "its window of {}x{} places does not fit into its input of {height}x{width}",
            window.reach(0),
            window.reach(1)
        )));
    }
    Ok(Shape(vec![outputs[0], outputs[1], channels]))
}

/// A matrix of `columns` columns with its rows and columns swapped.
fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn transposing_makes_columns_rows() {
        let matrix = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(super::transposed(&matrix, 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert!(super::transposed(&[], 3).is_empty());
    }
}
