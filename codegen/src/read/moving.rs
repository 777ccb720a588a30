//! Layers that move values and compute none: padding, cropping, repeating, putting together, other extents.

use super::build::{Builder, Site};
use super::layout::Spatial;
use super::settings::count;
use crate::error::Error;
use crate::graph::{Axis, Nearest, Operator, Padding, Shape, TensorId, Window};

/// `ZeroPadding1D`, `ZeroPadding2D` and `ZeroPadding3D`.
pub(super) fn zero_padding(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, axes)?;
    let borders = site.settings.borders("padding", axes)?;
    let extents = std::array::from_fn(|axis| spatial.places[axis] + borders[axis][0] + borders[axis][1]);
    let around = |end: usize| {
        let [rows, lines, columns] = spatial.in_rows(borders.map(|border| border[end]), 0);
        [rows, lines, columns, 0]
    };
    let operator = Operator::Pad { before: around(0), after: around(1), value: 0.0 };
    let shape = spatial.shape(extents, spatial.channels);
    let result = builder.push(site.name(), operator, vec![spatial.input], shape)?;
    builder.back(site, &spatial, result)
}

/// `Cropping1D`, `Cropping2D` and `Cropping3D`.
pub(super) fn cropping(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, axes)?;
    let borders = site.settings.borders("cropping", axes)?;
    let mut extents = spatial.places;
    for (extent, [before, after]) in extents.iter_mut().zip(borders) {
        let left = extent.checked_sub(before + after).filter(|&left| left > 0);
        *extent = left.ok_or_else(|| {
            site.error(format!("crops {before} and {after} places of {extent}, which leaves nothing"))
        })?;
    }
    let shape = spatial.shape(extents, spatial.channels);
    let before = spatial.shape(borders.map(|[before, _]| before), 0).0;
    let operator = Operator::Crop { before, shape: shape.clone() };
    let result = builder.push(site.name(), operator, vec![spatial.input], shape)?;
    builder.back(site, &spatial, result)
}

/// `UpSampling1D`, `UpSampling2D` and `UpSampling3D`, nearest or, of images, bilinear.
pub(super) fn up_sampling(builder: &mut Builder, site: &Site, axes: usize) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, axes)?;
    let factors = site.settings.sizes("size", axes, Some(spatial.along(2)))?;
    let extents = std::array::from_fn(|axis| spatial.places[axis] * factors[axis]);
    let shape = spatial.shape(extents, spatial.channels);
    // Every copy of a place lies nearest to it, whatever f32 makes of the ratio.
    let nearest = Nearest { align_corners: false, half_pixel_centers: true };
    let operator = Operator::ResizeNearest { size: spatial.in_rows(extents, 1), nearest };
    let result = match site.settings.text("interpolation")?.unwrap_or("nearest") {
        "nearest" => builder.push(site.name(), operator, vec![spatial.input], shape)?,
        "bilinear" => {
            let repeated = builder.push(&format!("{}/repeated", site.name()), operator, vec![spatial.input], shape)?;
            bilinear(builder, site, &spatial, repeated, [factors[0], factors[1]])?
        }
        other => {
            return Err(site.error(format!("interpolation \"{other}\" is not supported, only nearest and bilinear")));
        }
    };
    builder.back(site, &spatial, result)
}

/// What linear interpolation makes, of repeated places: the mean of as many as each was repeated, around each. Of an
/// even number those at both ends count half, so that it is the mean of two such means. Beyond the border
/// lies nothing, and what exists of a window there is one value.
fn bilinear(
    builder: &mut Builder,
    site: &Site,
    spatial: &Spatial,
    repeated: TensorId,
    factors: [usize; 2],
) -> Result<TensorId, Error> {
    let even = factors.map(|factor| usize::from(factor.is_multiple_of(2)));
    let around = factors.map(|factor| factor / 2);
    let padding = Padding::Explicit { before: around, after: around };
    let window = Window { size: factors, padding, ..Window::POINT };
    let extents = builder.shape(repeated).0.clone();
    let size = [extents[0], if spatial.axes == 1 { 1 } else { extents[1] }];
    let more = spatial.shape([size[0] + even[0], size[1] + even[1], 1], spatial.channels);
    let name = if even == [0, 0] { site.name().to_owned() } else { format!("{}/means", site.name()) };
    let means = builder.push(&name, Operator::AveragePool { window }, vec![repeated], more)?;
    if even == [0, 0] {
        return Ok(means);
    }
    let window = Window { size: even.map(|even| even + 1), ..Window::POINT };
    builder.push(site.name(), Operator::AveragePool { window }, vec![means], Shape(extents))
}

/// `Flatten`.
pub(super) fn flatten(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let mut input = site.input()?;
    // Keras puts the channels last before it flattens.
    if site.settings.channels_first()? && builder.shape(input).0.len() > 1 {
        input = builder.moved_last(site, input, 0)?;
    }
    let shape = Shape(vec![builder.shape(input).elements()]);
    builder.push(site.name(), Operator::Flatten, vec![input], shape)
}

/// `Reshape`.
pub(super) fn reshape(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let input = builder.shape(site.input()?).clone();
    let target = site.settings.integers("target_shape")?;
    let misfit = || site.error(format!("makes {target:?} of {input}, which has another number of values"));
    let known: usize = target.iter().filter_map(|&extent| usize::try_from(extent).ok()).product();
    let open = input.elements().checked_div(known).unwrap_or(0);
    let extents: Vec<usize> = target.iter().map(|&extent| usize::try_from(extent).unwrap_or(open)).collect();
    let shape = Shape(extents);
    let several = target.iter().filter(|&&extent| extent < 0).count() > 1;
    if several || shape.0.iter().try_fold(1usize, |all, &extent| all.checked_mul(extent)) != Some(input.elements()) {
        return Err(misfit());
    }
    match shape.0.len() {
        1 => builder.push(site.name(), Operator::Flatten, site.inputs.clone(), shape),
        _ => builder.push(site.name(), Operator::Reshape { shape: shape.clone() }, site.inputs.clone(), shape),
    }
}

/// `Permute`, whose axes count from 1.
pub(super) fn permute(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let input = site.input()?;
    let axes = builder.shape(input).0.len();
    let dims = site.settings.integers("dims")?;
    let order: Vec<usize> = dims.iter().filter_map(|&axis| usize::try_from(axis - 1).ok()).collect();
    if dims.len() != axes || (0..axes).any(|axis| !order.contains(&axis)) {
        return Err(site.error(format!("dims {dims:?} are no order of the {axes} axes of its input")));
    }
    if order.is_sorted() {
        let shape = builder.shape(input).clone();
        return builder.push(site.name(), Operator::Identity, vec![input], shape);
    }
    builder.transposed(site.name(), input, order)
}

/// `Concatenate`, the layer and the operation; of more than two a chain.
pub(super) fn concatenate(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let [first, rest @ ..] = site.inputs.as_slice() else {
        return Err(site.error("puts nothing together"));
    };
    let axes = builder.shape(*first).0.len();
    let place = site.place(site.settings.number("axis")?.unwrap_or(-1.0), axes)?;
    let axis = Axis::ALL
        .into_iter()
        .find(|axis| axis.place(builder.shape(*first)) == Some(place))
        .ok_or_else(|| site.error(format!("can't put tensors of {axes} axes together")))?;
    if rest.is_empty() {
        let shape = builder.shape(*first).clone();
        return builder.push(site.name(), Operator::Identity, vec![*first], shape);
    }
    let mut result = *first;
    for (position, &next) in rest.iter().enumerate() {
        let [mut shape, other] = [result, next].map(|tensor| builder.shape(tensor).clone());
        let fits = shape.0.len() == other.0.len()
            && (0..axes).all(|other_axis| other_axis == place || shape.0[other_axis] == other.0[other_axis]);
        if !fits {
            return Err(
                site.error(format!("puts tensors of the shapes {shape} and {other} together, which do not fit"))
            );
        }
        shape.0[place] += other.0[place];
        let part = match position + 1 == rest.len() {
            true => site.name().to_owned(),
            false => format!("{}/{}", site.name(), position + 2),
        };
        result = builder.push(&part, Operator::Concatenate { axis }, vec![result, next], shape)?;
    }
    Ok(result)
}

/// `RandomCrop` crops from the middle at inference, which does nothing only to an image of its size.
pub(super) fn random_crop(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, 2)?;
    let [height, width, _] = spatial.places;
    let (cropped, narrowed) = (site.settings.count("height")?, site.settings.count("width")?);
    if [cropped, narrowed] != [height, width] {
        return Err(site.error(format!(
            "crops {height}x{width} to {cropped}x{narrowed} at inference too, which is not supported; crop in the \
             training data instead"
        )));
    }
    super::elementwise::identity(builder, site)
}

/// An extent, or a list of them, in which one may be open (-1).
pub(super) fn extent(value: &serde_json::Value) -> Option<i64> {
    match value.as_i64() {
        Some(-1) => Some(-1),
        _ => count(value).and_then(|extent| i64::try_from(extent).ok()),
    }
}
