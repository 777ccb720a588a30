//! Layers with a kernel. Keras stores `[vertical][horizontal][input][output]`, of a series without `[horizontal]`, of
//! a volume with `[depth]` in front; as a matrix with one column per output, its transpose is the graph's
//! `[output][depth][vertical][horizontal][input]`.

use super::activation::Activation;
use super::build::{Builder, Site};
use super::groups;
use super::layout::Spatial;
use super::variables::Wanted;
use crate::error::Error;
use crate::graph::{Axis, Bias, Operator, Shape, Taps, TensorId, Weights, Window};

/// `Conv1D`, `Conv2D` and `Conv3D`.
pub(super) fn full(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, axes)?;
    let settings = &site.settings;
    let channels = spatial.channels;
    let (filters, groups) = (settings.count("filters")?, settings.count_or("groups", 1)?);
    if !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
        return Err(site.error(format!("{groups} groups do not divide its {channels} channels and {filters} filters")));
    }
    let (size, window) = window(site, &spatial)?;
    let taps = taps(&window, &spatial);
    // A depthwise or separable one may have both.
    if taps.iter().any(|taps| taps.stride != 1) && taps.iter().any(|taps| taps.dilation != 1) {
        return Err(site.error("strides and dilation_rate are both above 1, which Keras does not allow either"));
    }
    let shape = placed(&window, &spatial, filters, site)?;
    let activation = Activation::of_setting(settings)?;
    let kernel = kernel(&spatial, "kernel", size, [channels / groups, filters]);
    let (weights, bias) = weights(builder, site, kernel, filters)?;
    if groups > 1 && groups == channels {
        let weights = Weights::F32(weights);
        let operator = Operator::Depthwise { weights, bias, window, multiplier: filters / groups, activation: None };
        return builder.push_spatial(site, &spatial, operator, shape, activation);
    }
    let weights = Weights::F32(transposed(&weights, filters));
    if groups > 1 {
        return grouped(builder, site, &spatial, &Filters { weights, bias, window, groups }, shape, activation);
    }
    let operator = Operator::Convolution { weights, bias, window, activation: None };
    builder.push_spatial(site, &spatial, operator, shape, activation)
}

/// Four bytes each: as much memory as the layers that a group becomes take, and their names.
const NUMBERS_OF_A_GROUP: usize = 512;

/// The filters of a convolution in groups.
struct Filters {
    /// `[output][depth][vertical][horizontal][input of the group]`.
    weights: Weights,
    bias: Option<Bias>,
    window: Window,
    groups: usize,
}

/// A convolution in groups, as [`groups`] has it.
fn grouped(
    builder: &mut Builder,
    site: &Site,
    spatial: &Spatial,
    Filters { weights, bias, window, groups }: &Filters,
    shape: Shape,
    activation: Activation,
) -> Result<TensorId, Error> {
    let (channels, filters) = (spatial.channels / groups, shape.channels() / groups);
    // A few layers a group, and a copy of the weights.
    builder.take_numbers(groups.saturating_mul(NUMBERS_OF_A_GROUP).saturating_add(weights.len()))?;
    let fused = activation.fused();
    let mut parts = Vec::with_capacity(*groups);
    for group in 0..*groups {
        let name = format!("{}/group{}", site.name(), group + 1);
        let extents = spatial.shape(spatial.places, channels);
        let crop = groups::own_channels(group, extents.clone());
        let own = builder.push(&format!("{name}/channels"), crop, vec![spatial.input], extents)?;
        let (weights, bias) = groups::part(weights, bias.as_ref(), group, *groups);
        let operator = Operator::Convolution { weights, bias, window: *window, activation: fused };
        parts.push(builder.push(&name, operator, vec![own], shape.with_channels(filters))?);
    }
    let all = groups::joined(parts, site.name(), |name, pair| {
        let shape = shape.with_channels(pair.iter().map(|&part| builder.shape(part).channels()).sum());
        builder.push(&name, Operator::Concatenate { axis: Axis::Channels }, pair.to_vec(), shape)
    })?;
    let rest = if fused.is_some() { Activation::Linear } else { activation };
    builder.activated(site, spatial, all, rest)
}

/// `DepthwiseConv1D` and `DepthwiseConv2D`.
pub(super) fn depthwise(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, axes)?;
    let multiplier = site.settings.count_or("depth_multiplier", 1)?;
    let (size, window) = window(site, &spatial)?;
    let inputs = spatial.channels;
    let channels = multiplied(inputs, multiplier, site)?;
    let shape = placed(&window, &spatial, channels, site)?;
    let activation = Activation::of_setting(&site.settings)?;
    let kernel = kernel(&spatial, "kernel", size, [inputs, multiplier]);
    let (weights, bias) = weights(builder, site, kernel, channels)?;
    // Keras's last two axes, read as one, are the output channel.
    let weights = Weights::F32(weights);
    let operator = Operator::Depthwise { weights, bias, window, multiplier, activation: None };
    builder.push_spatial(site, &spatial, operator, shape, activation)
}

/// `SeparableConv1D` and `SeparableConv2D`: a depthwise convolution without bias, then a pointwise one. Over volumes Keras
/// has none, and a layer of the user's own named SeparableConv3D is the same.
pub(super) fn separable(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, axes)?;
    let settings = &site.settings;
    let multiplier = settings.count_or("depth_multiplier", 1)?;
    let filters = settings.count("filters")?;
    let (size, window) = window(site, &spatial)?;
    let inputs = spatial.channels;
    let channels = multiplied(inputs, multiplier, site)?;
    let middle = placed(&window, &spatial, channels, site)?;
    let shape = placed(&window, &spatial, filters, site)?;
    let activation = Activation::of_setting(settings)?;
    let mut wanted = vec![
        kernel(&spatial, "depthwise_kernel", size, [inputs, multiplier]),
        kernel(&spatial, "pointwise_kernel", [1; 3], [channels, filters]),
    ];
    if settings.flag("use_bias", true)? {
        wanted.push(Wanted::new("bias", [filters]));
    }
    let mut variables = builder.variables(site, &wanted)?.into_iter();
    let (depthwise, pointwise) = (variables.next().unwrap_or_default(), variables.next().unwrap_or_default());
    let bias = variables.next().map(Bias::F32);

    let operator =
        Operator::Depthwise { weights: Weights::F32(depthwise), bias: None, window, multiplier, activation: None };
    let between = builder.push(&format!("{}/depthwise", site.name()), operator, vec![spatial.input], middle)?;
    let weights = Weights::F32(transposed(&pointwise, filters));
    let operator = Operator::Convolution { weights, bias, window: Window::POINT, activation: None };
    let spatial = Spatial { input: between, ..spatial };
    builder.push_spatial_as(&format!("{}/pointwise", site.name()), site, &spatial, operator, shape, activation)
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

/// A kernel's variable: the window, then what Keras has behind it.
fn kernel(spatial: &Spatial, name: &'static str, size: [usize; 3], behind: [usize; 2]) -> Wanted {
    Wanted::new(name, [&size[..spatial.axes], &behind].concat())
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

/// The extents of a layer's kernel, and its window.
fn window(site: &Site, spatial: &Spatial) -> Result<([usize; 3], Window), Error> {
    let (settings, axes) = (&site.settings, spatial.axes);
    let size = settings.sizes("kernel_size", axes, None)?;
    let stride = settings.sizes("strides", axes, Some([1; 3]))?;
    let dilation = settings.sizes("dilation_rate", axes, Some([1; 3]))?;
    Ok((size, settings.window(spatial, size, stride, dilation)?))
}

fn multiplied(channels: usize, multiplier: usize, site: &Site) -> Result<usize, Error> {
    channels.checked_mul(multiplier).ok_or_else(|| site.error(format!("depth_multiplier {multiplier} is too large")))
}

/// How a window slides along each spatial axis.
fn taps(window: &Window, spatial: &Spatial) -> [Taps; 3] {
    std::array::from_fn(|place| window.slide(place, spatial.places[place]))
}

/// The shape that a window makes of a layer's input.
pub(super) fn placed(window: &Window, spatial: &Spatial, channels: usize, site: &Site) -> Result<Shape, Error> {
    let taps = taps(window, spatial);
    let outputs = std::array::from_fn(|place| taps[place].outputs(spatial.places[place]));
    if outputs.contains(&0) {
        // A series is told as what it is run as, an image of width 1.
        let told = spatial.axes.max(2);
        return Err(site.error(format!(
            "its window of {} places does not fit into its input of {}",
            Shape(taps[..told].iter().map(Taps::reach).collect()),
            Shape(spatial.places[..told].to_vec())
        )));
    }
    Ok(spatial.shape(outputs, channels))
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
