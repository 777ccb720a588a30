//! Layers that keep every element where it is: scales and shifts, activations, sums, reshaping, and
//! layers that do nothing at inference.

use super::activation::Activation;
use super::build::{Builder, Site};
use super::variables::Wanted;
use crate::error::Error;
use crate::graph::{Function, Operator, Shape, TensorId};

/// `Rescaling`: one scale and offset for all channels or one for each.
pub(super) fn rescaling(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let shape = builder.shape(site.input()?).clone();
    let channels = shape.channels();
    builder.take_numbers(channels.saturating_mul(2))?;
    let per_channel = |key: &str, default: f64| {
        let numbers = site.settings.numbers(key)?.unwrap_or_else(|| vec![default]);
        let numbers = match numbers[..] {
            [one] => vec![one as f32; channels],
            ref list if list.len() == channels => list.iter().map(|&number| number as f32).collect(),
            ref list => {
                return Err(site.error(format!(
                    "{key} has {} numbers for {channels} channels; supported are one, or one per channel",
                    list.len()
                )));
            }
        };
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(numbers)
        } else {
            Err(site.error(format!("{key} is too large for 32-bit floats")))
        }
    };
    let (scale, shift) = (per_channel("scale", 1.0)?, per_channel("offset", 0.0)?);
    builder.push(site.name(), Operator::ScaleShift { scale, shift }, site.inputs.clone(), shape)
}

/// `BatchNormalization` at inference, `gamma * (x - mean) / sqrt(variance + epsilon) + beta`.
pub(super) fn batch_normalization(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let settings = &site.settings;
    let shape = builder.shape(site.input()?).clone();
    let channels = shape.channels();
    expect_inference(site)?;
    settings.expect_last_axis(shape.0.len())?;
    if settings.flag("renorm", false)? {
        return Err(site.error("renorm is not supported"));
    }
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

    let mut scale = Vec::with_capacity(channels);
    let mut shift = Vec::with_capacity(channels);
    for channel in 0..channels {
        let factor = at(&gamma, channel, 1.0) / (at(&variance, channel, 1.0) + epsilon).sqrt();
        let offset = at(&beta, channel, 0.0) - at(&mean, channel, 0.0) * factor;
        if !(factor as f32).is_finite() || !(offset as f32).is_finite() {
            return Err(site.error(format!(
                "channel {channel} cannot be normalized: moving_variance {} + epsilon {epsilon}",
                at(&variance, channel, 1.0)
            )));
        }
        scale.push(factor as f32);
        shift.push(offset as f32);
    }
    builder.push(site.name(), Operator::ScaleShift { scale, shift }, site.inputs.clone(), shape)
}

/// An activation as a layer of its own.
pub(super) fn activation(builder: &mut Builder, site: &Site, activation: Activation) -> Result<TensorId, Error> {
    let operator = match activation {
        Activation::Linear => Operator::Identity,
        Activation::Function(function) => Operator::Activation(function),
        Activation::Softmax => Operator::Softmax,
    };
    let shape = builder.shape(site.input()?).clone();
    builder.push(site.name(), operator, site.inputs.clone(), shape)
}

/// `Softmax` over the last axis.
pub(super) fn softmax(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    site.settings.expect_last_axis(builder.shape(site.input()?).0.len())?;
    activation(builder, site, Activation::Softmax)
}

/// An operation that TensorFlow's Keras 2 records where a layer's result goes through `+` or `tf.nn`.
pub(super) fn tensorflow_operation(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    match site.settings.text("function")? {
        Some("__operators__.add" | "math.add") => add(builder, site),
        Some("nn.relu") => activation(builder, site, Activation::Function(Function::Relu)),
        Some("nn.relu6") => activation(builder, site, Activation::Function(Function::Relu6)),
        Some("math.sigmoid" | "nn.sigmoid") => activation(builder, site, Activation::Function(Function::Sigmoid)),
        function => Err(site.error(format!("the operation tf.{} is not supported", function.unwrap_or("?")))),
    }
}

/// `Add` of two tensors; of more, a chain of sums from the first on.
pub(super) fn add(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let [first, rest @ ..] = site.inputs.as_slice() else {
        return Err(site.error("adds nothing"));
    };
    if rest.is_empty() || site.call.constants {
        return Err(site.error("adds a constant, which is not supported; supported are sums of two or more layers"));
    }
    let shape = builder.shape(*first).clone();
    let mut sum = *first;
    for (position, &next) in rest.iter().enumerate() {
        let other = builder.shape(next);
        if *other != shape {
            return Err(
                site.error(format!("adds tensors of the shapes {shape} and {other}; supported are equal shapes only"))
            );
        }
        let name = match position {
            0 => site.name().to_owned(),
            later => format!("{}/{}", site.name(), later + 1),
        };
        sum = builder.push(&name, Operator::add(None), vec![sum, next], shape.clone())?;
    }
    Ok(sum)
}

/// `Flatten`.
pub(super) fn flatten(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    site.settings.expect_channels_last()?;
    let shape = Shape(vec![builder.shape(site.input()?).elements()]);
    builder.push(site.name(), Operator::Flatten, site.inputs.clone(), shape)
}

/// `RandomCrop` crops from the middle at inference, which does nothing only to an image of its size.
pub(super) fn random_crop(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let [height, width, _] = builder.image(site)?;
    let (cropped, narrowed) = (site.settings.count("height")?, site.settings.count("width")?);
    if [cropped, narrowed] != [height, width] {
        return Err(site.error(format!(
            "crops {height}x{width} to {cropped}x{narrowed} at inference too, which is not supported; crop in the \
             training data instead"
        )));
    }
    identity(builder, site)
}

/// A layer that passes its input on.
pub(super) fn identity(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    expect_inference(site)?;
    let shape = builder.shape(site.input()?).clone();
    builder.push(site.name(), Operator::Identity, site.inputs.clone(), shape)
}

/// Keras 2 keeps `training=True` of a call, and then also obeys it at inference.
fn expect_inference(site: &Site) -> Result<(), Error> {
    if site.call.training {
        return Err(site.error("is called with training=True, so that it works at inference too; rebuild it without"));
    }
    Ok(())
}

/// Whether a layer does something in training only, whatever its settings (`noise_shape`, `seed`, ..).
pub(super) fn only_in_training(class: &str) -> bool {
    const REGULARIZATION: [&str; 9] = [
        "ActivityRegularization",
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
    ];
    const AUGMENTATION: [&str; 26] = [
        "AugMix",
        "CutMix",
        "MixUp",
        "RandAugment",
        "RandomBrightness",
        "RandomColorDegeneration",
        "RandomColorJitter",
        "RandomContrast",
        "RandomElasticTransform",
        "RandomErasing",
        "RandomFlip",
        "RandomGaussianBlur",
        "RandomGrayscale",
        "RandomHeight",
        "RandomHue",
        "RandomInvert",
        "RandomPerspective",
        "RandomPosterization",
        "RandomRotation",
        "RandomSaturation",
        "RandomSharpness",
        "RandomShear",
        "RandomTranslation",
        "RandomWidth",
        "RandomZoom",
        "Solarization",
    ];
    REGULARIZATION.contains(&class) || AUGMENTATION.contains(&class)
}
