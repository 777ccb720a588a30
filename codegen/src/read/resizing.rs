//! Images of another size: `Resizing` and `CenterCrop`; `RandomCrop`.

use super::build::{Builder, Site};
use super::layout::Spatial;
use crate::error::Error;
use crate::graph::{Linear, Nearest, Operator, Shape, TensorId};

/// Every place a copy of the nearest, whatever f32 makes of the ratio: places stand in the middle of their values.
pub(super) fn resize_nearest(spatial: &Spatial, extents: [usize; 3]) -> Operator {
    let nearest = Nearest { align_corners: false, half_pixel_centers: true };
    Operator::ResizeNearest { size: spatial.in_rows(extents, 1), nearest }
}

/// Every place between the nearest, likewise.
pub(super) fn resize_bilinear(size: [usize; 2]) -> Operator {
    Operator::ResizeBilinear { size, linear: Linear { align_corners: false, half_pixel_centers: true } }
}

/// `Resizing`.
pub(super) fn resizing(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, 2)?;
    let settings = &site.settings;
    let size = size(site)?;
    let interpolation = settings.text("interpolation")?.unwrap_or("bilinear");
    if !["nearest", "bilinear"].contains(&interpolation) {
        let reason = format!("interpolation \"{interpolation}\" is not supported, only nearest and bilinear");
        return Err(site.error(reason));
    }
    let input = match (settings.flag("crop_to_aspect_ratio", false)?, settings.flag("pad_to_aspect_ratio", false)?) {
        (true, _) => cropped_to_ratio(builder, site, &spatial, size)?,
        (false, true) => padded_to_ratio(builder, site, &spatial, size)?,
        (false, false) => spatial.input,
    };
    let from = extents(builder, input);
    if settings.flag("antialias", false)? && interpolation == "bilinear" && (size[0] < from[0] || size[1] < from[1]) {
        return Err(site.error("makes images smaller with antialias, which is not supported"));
    }
    let result = resized(builder, site, &spatial, input, size, interpolation == "nearest")?;
    builder.back(site, &spatial, result)
}

/// `CenterCrop`: from the middle; of images that are too small, as large a part as has the ratio, resized.
pub(super) fn center_crop(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, 2)?;
    let size = size(site)?;
    let [height, width, _] = spatial.places;
    let result = match (height.checked_sub(size[0]), width.checked_sub(size[1])) {
        (Some(above), Some(left)) => cropped(builder, site, &spatial, site.name(), [above / 2, left / 2], size)?,
        _ => {
            let input = cropped_to_ratio(builder, site, &spatial, size)?;
            resized(builder, site, &spatial, input, size, false)?
        }
    };
    builder.back(site, &spatial, result)
}

/// `RandomCrop`, which does nothing to an image of its size. What it does to others at inference is another thing in
/// almost every version of Keras: up to 3.5 it crops to the ratio and resizes, in 3.15 it does nothing.
pub(super) fn random_crop(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let spatial = builder.spatial(site, 2)?;
    let ([height, width, _], [to_height, to_width]) = (spatial.places, size(site)?);
    if [height, width] != [to_height, to_width] {
        return Err(site.error(format!(
            "crops {height}x{width} to {to_height}x{to_width}, and what that is at inference depends on the version of \
             Keras; take CenterCrop or Resizing, or crop in the training data"
        )));
    }
    super::elementwise::identity(builder, site)
}

/// Height and width of what a layer makes.
fn size(site: &Site) -> Result<[usize; 2], Error> {
    Ok([site.settings.count("height")?, site.settings.count("width")?])
}

fn extents(builder: &Builder, tensor: TensorId) -> [usize; 2] {
    let extents = &builder.shape(tensor).0;
    [extents[0], extents[1]]
}

/// An image of another size, as the layer's result.
fn resized(
    builder: &mut Builder,
    site: &Site,
    spatial: &Spatial,
    input: TensorId,
    size: [usize; 2],
    nearest: bool,
) -> Result<TensorId, Error> {
    let places = [size[0], size[1], 1];
    let operator = match nearest {
        _ if extents(builder, input) == size => Operator::Identity,
        true => resize_nearest(spatial, places),
        false => resize_bilinear(size),
    };
    builder.push(site.name(), operator, vec![input], spatial.shape(places, spatial.channels))
}

/// `extent`, as far as it has the ratio of `to` and `other_to` to the other one.
fn in_ratio(other: usize, to: usize, other_to: usize) -> usize {
    ((other as f64 * to as f64) / other_to as f64) as usize
}

/// The largest part of the middle that has the ratio of `size`.
fn cropped_to_ratio(
    builder: &mut Builder,
    site: &Site,
    spatial: &Spatial,
    size: [usize; 2],
) -> Result<TensorId, Error> {
    let [height, width, _] = spatial.places;
    let part = [in_ratio(width, size[0], size[1]).clamp(1, height), in_ratio(height, size[1], size[0]).clamp(1, width)];
    let before = [(height - part[0]) / 2, (width - part[1]) / 2];
    cropped(builder, site, spatial, &format!("{}/part", site.name()), before, part)
}

/// A part of an image; the image itself, if that is all of it.
fn cropped(
    builder: &mut Builder,
    site: &Site,
    spatial: &Spatial,
    name: &str,
    before: [usize; 2],
    part: [usize; 2],
) -> Result<TensorId, Error> {
    let shape = spatial.shape([part[0], part[1], 1], spatial.channels);
    let operator = match part == [spatial.places[0], spatial.places[1]] {
        true if name != site.name() => return Ok(spatial.input),
        true => Operator::Identity,
        false => Operator::Crop { before: vec![before[0], before[1], 0], shape: shape.clone() },
    };
    builder.push(name, operator, vec![spatial.input], shape)
}

/// An image with as much of one value on both sides as gives it the ratio of `size`.
fn padded_to_ratio(builder: &mut Builder, site: &Site, spatial: &Spatial, size: [usize; 2]) -> Result<TensorId, Error> {
    let [height, width, _] = spatial.places;
    let above = (in_ratio(width, size[0], size[1]).max(height) - height) / 2;
    let left = (in_ratio(height, size[1], size[0]).max(width) - width) / 2;
    // As Keras does it: on two sides alone, and equally.
    let [above, left] = if above > 0 { [above, 0] } else { [0, left] };
    if [above, left] == [0, 0] {
        return Ok(spatial.input);
    }
    let around = [above, 0, left, 0];
    let value = site.settings.number("fill_value")?.unwrap_or(0.0) as f32;
    let operator = Operator::Pad { before: around, after: around, value };
    let shape = Shape(vec![height + 2 * above, width + 2 * left, spatial.channels]);
    builder.push(&format!("{}/padded", site.name()), operator, vec![spatial.input], shape)
}
