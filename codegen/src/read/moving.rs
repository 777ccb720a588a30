//! Layers that move values and compute none: padding, cropping, repeating, putting together, other extents.

use super::build::{Builder, Site};
use super::resizing::{resize_bilinear, resize_nearest};
use super::settings::count;
use crate::error::Error;
use crate::graph::{Axis, Operator, Shape, TensorId};

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
    let operator = match site.settings.text("interpolation")?.unwrap_or("nearest") {
        "nearest" => resize_nearest(&spatial, extents),
        "bilinear" if axes == 2 => resize_bilinear([extents[0], extents[1]]),
        other => {
            return Err(site
                .error(format!("interpolation \"{other}\" is not supported, only nearest and (of images) bilinear")));
        }
    };
    let result = builder.push(site.name(), operator, vec![spatial.input], shape)?;
    builder.back(site, &spatial, result)
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
    let target = match site.settings.get("newshape") {
        None => site.settings.integers("target_shape")?,
        Some(_) => behind_the_batch(site)?,
    };
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

/// What `keras.ops.reshape` makes, whose extents begin with the batch's.
fn behind_the_batch(site: &Site) -> Result<Vec<i64>, Error> {
    let extents = site.settings.integers("newshape")?;
    match extents.as_slice() {
        [-1, rest @ ..] if !rest.is_empty() && !rest.contains(&-1) => Ok(rest.to_vec()),
        _ => Err(site.error(format!("newshape is {extents:?}; supported is -1 for the batch, and then fixed extents"))),
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

/// An extent, or a list of them, in which one may be open (-1).
pub(super) fn extent(value: &serde_json::Value) -> Option<i64> {
    match value.as_i64() {
        Some(-1) => Some(-1),
        _ => count(value).and_then(|extent| i64::try_from(extent).ok()),
    }
}
