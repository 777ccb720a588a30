//! Layers that keep every element where it is: scales and shifts, activations, functions of two tensors,
//! reshaping, and layers that do nothing at inference.

use super::activation::Activation;
use super::build::{Builder, Site};
use super::settings::Settings;
use super::variables::Wanted;
use crate::error::Error;
use crate::graph::{Constant, Function, Numbers, Operator, PairFunction, Shape, TensorId};

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

/// Whether a layer is a function of each element.
pub(super) fn is_function(class: &str) -> bool {
    let none = serde_json::Map::new();
    let settings = Settings::new(class, &none);
    Activation::of_layer(class, &settings).is_some() || Activation::of_operation(class, &settings).is_some()
}

/// A layer or an operation that is a function of each element.
pub(super) fn function(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let (class, settings) = (site.entry.class, &site.settings);
    let function = Activation::of_layer(class, settings).or_else(|| Activation::of_operation(class, settings));
    activation(builder, site, function.unwrap_or_else(|| Err(site.error("is not supported")))?)
}

/// `PReLU`: a slope for each element, or for all along the shared axes.
pub(super) fn prelu(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let shape = builder.shape(site.input()?).clone();
    let mut extents = shape.0.clone();
    for axis in site.settings.numbers("shared_axes")?.unwrap_or_default() {
        // Counted with the batch.
        let extent = (0..extents.len()).find(|&index| axis == (index + 1) as f64).map(|index| &mut extents[index]);
        *extent.ok_or_else(|| site.error(format!("shared_axes has {axis} for {} axes", shape.0.len())))? = 1;
    }
    let wanted = Wanted { name: "alpha", shape: extents.clone() };
    let numbers = Numbers::F32(builder.variables(site, &[wanted])?.into_iter().next().unwrap_or_default());
    let constant = Some(Constant { shape: Shape(extents), numbers, first: false });
    let operator = Operator::Pairwise { function: PairFunction::Prelu, constant, activation: None };
    builder.push(site.name(), operator, site.inputs.clone(), shape)
}

/// `Softmax` over the last axis.
pub(super) fn softmax(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    site.settings.expect_last_axis(builder.shape(site.input()?).0.len())?;
    activation(builder, site, Activation::Softmax)
}

/// An operation that TensorFlow's Keras 2 records where a layer's result goes through an operator or `tf.nn`.
pub(super) fn tensorflow_operation(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    let operation = site.settings.text("function")?.unwrap_or("?");
    match operation {
        "__operators__.add" | "math.add" => return pairwise(builder, site, PairFunction::Add),
        "math.subtract" => return pairwise(builder, site, PairFunction::Subtract),
        "math.multiply" => return pairwise(builder, site, PairFunction::Multiply),
        "math.maximum" => return pairwise(builder, site, PairFunction::Maximum),
        "math.minimum" => return pairwise(builder, site, PairFunction::Minimum),
        _ => {}
    }
    let name = operation.strip_prefix("nn.").or_else(|| operation.strip_prefix("math."));
    match name.and_then(Activation::of_name) {
        // The other arguments of leaky_relu and gelu are not among the settings.
        Some(Activation::Function(function)) if !matches!(function, Function::Gelu | Function::LeakyRelu { .. }) => {
            activation(builder, site, Activation::Function(function))
        }
        _ => Err(site.error(format!("the operation tf.{operation} is not supported"))),
    }
}

/// A function of two tensors; of more, a chain from the first on.
pub(super) fn pairwise(builder: &mut Builder, site: &Site, function: PairFunction) -> Result<TensorId, Error> {
    let name = function.name();
    let [first, rest @ ..] = site.inputs.as_slice() else {
        return Err(site.error(format!("{name} of nothing")));
    };
    if rest.is_empty() || site.call.constants {
        return Err(site.error(format!("{name} with a constant is not supported; supported are two or more layers")));
    }
    if function == PairFunction::Subtract && rest.len() > 1 {
        return Err(site.error(format!("subtracts {} tensors, expected two", site.inputs.len())));
    }
    let mut result = *first;
    for (position, &next) in rest.iter().enumerate() {
        let [shape, other] = [result, next].map(|tensor| builder.shape(tensor).clone());
        let Some(shape) = shape.broadcast(&other) else {
            return Err(site.error(format!("{name} of tensors of the shapes {shape} and {other}, which do not fit")));
        };
        let part = match position {
            0 => site.name().to_owned(),
            later => format!("{}/{}", site.name(), later + 1),
        };
        let operator = Operator::Pairwise { function, constant: None, activation: None };
        result = builder.push(&part, operator, vec![result, next], shape)?;
    }
    Ok(result)
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
