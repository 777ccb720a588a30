//! Layers that are a scale and a shift per channel.

use super::build::{Builder, Site};
use super::variables::Wanted;
use crate::error::Error;
use crate::graph::{Operator, PairFunction, Shape, TensorId};

/// What Keras divides by at least.
const LEAST_DEVIATION: f64 = 1e-7;

/// `Rescaling`: one scale and offset for all channels or one for each.
pub(super) fn rescaling(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let input = site.input()?;
    let channels = builder.shape(input).channels();
    builder.take_numbers(channels.saturating_mul(2))?;
    let scale = per_channel(site, "scale", channels)?.unwrap_or_else(|| vec![1.0; channels]);
    let shift = per_channel(site, "offset", channels)?.unwrap_or_else(|| vec![0.0; channels]);
    scale_shift(builder, site, input, channels, |channel| (scale[channel], shift[channel]))
}

/// `BatchNormalization` at inference, `gamma * (x - mean) / sqrt(variance + epsilon) + beta`.
pub(super) fn batch_normalization(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let settings = &site.settings;
    // A frozen one does as at inference, whatever it is told.
    if settings.flag("trainable", true)? {
        super::elementwise::expect_inference(site)?;
    }
    if settings.flag("renorm", false)? {
        return Err(site.error("renorm is not supported"));
    }
    let place = axis(builder, site, settings.number("axis")?.unwrap_or(-1.0))?;
    let channels = builder.shape(site.input()?).0[place];
    let epsilon = settings.number("epsilon")?.unwrap_or(1e-3);
    let (has_gamma, has_beta) = (settings.flag("scale", true)?, settings.flag("center", true)?);
    let names = [(has_gamma, "gamma"), (has_beta, "beta"), (true, "moving_mean"), (true, "moving_variance")];
    let wanted: Vec<Wanted> =
        names.iter().filter(|(present, _)| *present).map(|(_, name)| Wanted::new(name, [channels])).collect();
    let mut variables = builder.variables(site, &wanted)?.into_iter();
    let mut next = |present: bool| if present { variables.next() } else { None };
    let (gamma, beta, mean, variance) = (next(has_gamma), next(has_beta), next(true), next(true));
    let at = |numbers: &Option<Vec<f32>>, channel: usize, default: f64| {
        numbers.as_ref().and_then(|numbers| numbers.get(channel)).map_or(default, |&number| f64::from(number))
    };
    along(builder, site, place, |builder, input| {
        scale_shift(builder, site, input, channels, |channel| {
            let factor = at(&gamma, channel, 1.0) / (at(&variance, channel, 1.0) + epsilon).sqrt();
            (factor, at(&beta, channel, 0.0) - at(&mean, channel, 0.0) * factor)
        })
    })
}

/// `Normalization` by mean and variance that are among the settings or were adapted: `(x - mean) / sqrt(variance)`, or
/// that inverted.
pub(super) fn normalization(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let settings = &site.settings;
    let input = site.input()?;
    let place = match settings.numbers_or_none("axis")?[..] {
        [] => None,
        [one] => Some(axis(builder, site, one)?),
        ref several => return normalized_along(builder, site, several),
    };
    let channels = place.map_or(1, |place| builder.shape(input).0[place]);
    let (mean, variance) = match (per_channel(site, "mean", channels)?, per_channel(site, "variance", channels)?) {
        (Some(mean), Some(variance)) => (mean, variance),
        _ => {
            let shape: Vec<usize> = place.map(|_| channels).into_iter().collect();
            let (mean, variance) = adapted(builder, site, &shape)?;
            (mean.into_iter().map(f64::from).collect(), variance.into_iter().map(f64::from).collect())
        }
    };
    let invert = settings.flag("invert", false)?;
    let numbers = move |channel: usize| {
        let channel = if mean.len() == 1 { 0 } else { channel };
        factor_and_summand(mean[channel], variance[channel], invert)
    };
    let Some(place) = place else {
        let channels = builder.shape(input).channels();
        builder.take_numbers(channels.saturating_mul(2))?;
        return scale_shift(builder, site, input, channels, numbers);
    };
    along(builder, site, place, |builder, input| scale_shift(builder, site, input, channels, numbers))
}

/// `Normalization` by a mean and a variance for each place along several axes: a product and a sum.
fn normalized_along(builder: &mut Builder, site: &Site, axes: &[f64]) -> Result<TensorId, Error> {
    let input = site.input()?;
    let shape = builder.shape(input).clone();
    let mut kept = Vec::new();
    for &one in axes {
        kept.push(axis(builder, site, one)?);
    }
    let extents = (0..shape.0.len()).map(|place| if kept.contains(&place) { shape.0[place] } else { 1 });
    let own = Shape(extents.collect());
    kept.sort_unstable();
    let kept: Vec<usize> = kept.iter().map(|&place| shape.0[place]).collect();
    let (mean, variance) = match (builder.given(site, "mean", &kept)?, builder.given(site, "variance", &kept)?) {
        (Some(mean), Some(variance)) => (mean, variance),
        _ => adapted(builder, site, &kept)?,
    };
    let invert = site.settings.flag("invert", false)?;
    builder.take_numbers(mean.len().saturating_mul(2))?;
    let numbers = mean.iter().zip(&variance);
    let numbers = numbers.map(|(&mean, &variance)| factor_and_summand(mean.into(), variance.into(), invert));
    let (scale, shift): (Vec<f32>, Vec<f32>) = numbers.map(|(scale, shift)| (scale as f32, shift as f32)).unzip();
    let mut result = input;
    for (name, function, numbers) in [
        (format!("{}/scaled", site.name()), PairFunction::Multiply, scale),
        (site.name().to_owned(), PairFunction::Add, shift),
    ] {
        let constant = Some(builder.on_planes(own.clone(), numbers, &shape, false)?);
        let operator = Operator::Pairwise { function, constant, activation: None };
        result = builder.push(&name, operator, vec![result], shape.clone())?;
    }
    Ok(result)
}

/// Mean and variance of these extents that were found in data, and are among the weights.
fn adapted(builder: &mut Builder, site: &Site, extents: &[usize]) -> Result<(Vec<f32>, Vec<f32>), Error> {
    let trained = |name: &'static str| Wanted::new(name, extents.to_vec());
    let wanted = [trained("mean"), trained("variance"), Wanted::unread("count")];
    let mut variables = builder.variables(site, &wanted)?.into_iter();
    Ok((variables.next().unwrap_or_default(), variables.next().unwrap_or_default()))
}

/// What a value is multiplied by, and what is then added.
fn factor_and_summand(mean: f64, variance: f64, invert: bool) -> (f64, f64) {
    let deviation = variance.sqrt().max(LEAST_DEVIATION);
    if invert { (deviation, mean) } else { (1.0 / deviation, -mean / deviation) }
}

/// The place of an axis of a layer's input.
fn axis(builder: &Builder, site: &Site, axis: f64) -> Result<usize, Error> {
    site.place(axis, builder.shape(site.input()?).0.len())
}

/// What `make` makes of the layer's input with the axis at `place` as its last, with that axis where it was.
pub(super) fn along(
    builder: &mut Builder,
    site: &Site,
    place: usize,
    make: impl FnOnce(&mut Builder, TensorId) -> Result<TensorId, Error>,
) -> Result<TensorId, Error> {
    let moved = builder.moved_last(site, site.input()?, place)?;
    let result = make(builder, moved)?;
    builder.moved_back(site, result, place)
}

/// A scale and a shift for each of `channels`.
pub(super) fn scale_shift(
    builder: &mut Builder,
    site: &Site,
    input: TensorId,
    channels: usize,
    numbers: impl Fn(usize) -> (f64, f64),
) -> Result<TensorId, Error> {
    let (mut scale, mut shift) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    for channel in 0..channels {
        let (factor, offset) = numbers(channel);
        let (factor, offset) = (factor as f32, offset as f32);
        if !factor.is_finite() || !offset.is_finite() {
            let reason = format!("channel {channel} would be multiplied by {factor}, and {offset} be added to it");
            return Err(site.error(reason));
        }
        scale.push(factor);
        shift.push(offset);
    }
    let shape = builder.shape(input).clone();
    builder.push(site.name(), Operator::ScaleShift { scale, shift }, vec![input], shape)
}

/// A setting of one number for all channels or one for each.
fn per_channel(site: &Site, key: &str, channels: usize) -> Result<Option<Vec<f64>>, Error> {
    match site.settings.numbers(key)? {
        None => Ok(None),
        Some(numbers) if numbers.len() == channels => Ok(Some(numbers)),
        Some(numbers) if numbers.len() == 1 => Ok(Some(vec![numbers[0]; channels])),
        Some(numbers) => Err(site.error(format!(
            "{key} has {} numbers for {channels} channels; supported are one, or one per channel",
            numbers.len()
        ))),
    }
}
