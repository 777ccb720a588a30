//! Functions of each element, and layers that do nothing at inference.

use super::activation::Activation;
use super::build::{Builder, Site};
use super::merge::{divide, negative, pairwise};
use super::normalization::along;
use super::settings::Settings;
use super::variables::Wanted;
use crate::error::Error;
use crate::graph::{Function, Operator, PairFunction, Shape, TensorId};

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
    let wanted = Wanted::new("alpha", extents.clone());
    let slopes = builder.variables(site, &[wanted])?.into_iter().next().unwrap_or_default();
    let constant = Some(builder.on_planes(Shape(extents), slopes, &shape, false)?);
    let operator = Operator::Pairwise { function: PairFunction::Prelu, constant, activation: None };
    builder.push(site.name(), operator, site.inputs.clone(), shape)
}

/// `Softmax` over one axis.
pub(super) fn softmax(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    if site.settings.is_none("axis") {
        return Err(site.error("axis is None, so a softmax over all frames of a batch, which is not supported"));
    }
    let place = site.place(site.settings.number("axis")?.unwrap_or(-1.0), builder.shape(site.input()?).0.len())?;
    along(builder, site, place, |builder, input| {
        let shape = builder.shape(input).clone();
        builder.push(site.name(), Operator::Softmax, vec![input], shape)
    })
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
        "math.truediv" | "math.divide" => return divide(builder, site),
        "math.negative" => return negative(builder, site),
        _ => {}
    }
    let name = operation.strip_prefix("nn.").or_else(|| operation.strip_prefix("math."));
    match name.and_then(Activation::of_name) {
        // The other arguments of leaky_relu and gelu are not among the settings.
        Some(Activation::Function(function)) if !matches!(function, Function::Gelu | Function::LeakyRelu { .. }) => {
            // As silu's beta.
            if !site.call.constants.is_empty() {
                let reason = format!("the operation tf.{operation} with a number beside the tensor is not supported");
                return Err(site.error(reason));
            }
            activation(builder, site, Activation::Function(function))
        }
        _ => Err(site.error(format!("the operation tf.{operation} is not supported"))),
    }
}

/// A layer that passes its input on.
pub(super) fn identity(builder: &mut Builder, site: &Site) -> Result<TensorId, Error> {
    expect_inference(site)?;
    let shape = builder.shape(site.input()?).clone();
    builder.push(site.name(), Operator::Identity, site.inputs.clone(), shape)
}

/// Keras 2 keeps `training=True` of a call, and then also obeys it at inference.
pub(super) fn expect_inference(site: &Site) -> Result<(), Error> {
    if site.training {
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
