//! Activations, as a layer of their own or as a setting of another layer.

use serde_json::Value;

use super::settings::{Settings, excerpt};
use crate::error::Error;
use crate::graph::{Function, Graph, Operator};

/// What a layer's result goes through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Activation {
    /// Nothing.
    Linear,
    /// A function of each element.
    Function(Function),
    /// Softmax over the last axis.
    Softmax,
}

impl Activation {
    /// The activation of a name, in the words of Keras or of `tf.nn`, with the parameters that it has there.
    pub(super) fn of_name(name: &str) -> Option<Activation> {
        let function = match name {
            "linear" => return Some(Activation::Linear),
            // TensorFlow calls the function that Keras uses by its second name.
            "softmax" | "softmax_v2" => return Some(Activation::Softmax),
            "relu" => Function::Relu,
            "relu6" => Function::Relu6,
            "leaky_relu" => Function::LeakyRelu { slope: 0.2 },
            "elu" => Function::Elu { alpha: 1.0 },
            "selu" => Function::Selu,
            "gelu" => Function::Gelu,
            "silu" | "swish" => Function::Silu,
            "sigmoid" => Function::Sigmoid,
            "hard_sigmoid" => HARD_SIGMOID,
            "hard_silu" | "hard_swish" => Function::HardSwish,
            "tanh" => Function::Tanh,
            "softplus" => Function::Softplus,
            "softsign" => Function::Softsign,
            "exponential" => Function::Exponential,
            // Keras has no such function: a registered one of that name, with or without its package in front.
            name if matches!(name.rsplit('>').next(), Some("step" | "heaviside")) => Function::Step,
            _ => return None,
        };
        Some(Activation::Function(function))
    }

    /// The function, where a layer can have it as a field of its own.
    pub(super) fn fused(self) -> Option<Function> {
        match self {
            Activation::Function(function) if function.clamps().is_some() => Some(function),
            _ => None,
        }
    }

    /// The operator, and what a layer of it is called behind another.
    pub(super) fn layer(self) -> Option<(&'static str, Operator)> {
        match self {
            Activation::Linear => None,
            Activation::Function(function) => Some((function.name(), Operator::Activation(function))),
            Activation::Softmax => Some(("softmax", Operator::Softmax)),
        }
    }

    /// The setting `activation`.
    pub(super) fn of_setting(settings: &Settings) -> Result<Activation, Error> {
        let unsupported = |name: &str| {
            settings.error(format!(
                "activation {name} is not supported; supported are elu, exponential, gelu, hard_sigmoid, hard_silu, \
                 leaky_relu, linear, relu, relu6, selu, sigmoid, silu, softmax, softplus, softsign, tanh, and a registered \
                 function named step or heaviside"
            ))
        };
        let named = |name: &str| Activation::of_name(name).ok_or_else(|| unsupported(&format!("\"{name}\"")));
        match settings.get("activation") {
            None => Ok(Activation::Linear),
            Some(Value::String(name)) => named(name),
            // A function, or a layer used as one, in Keras 3's way to write objects down.
            Some(value) => match (value.get("class_name").and_then(Value::as_str), value.get("config")) {
                (Some("function"), Some(Value::String(name))) => named(name),
                (Some(class), Some(Value::Object(fields))) => {
                    let own = Settings::new(&settings.layer, fields);
                    match class {
                        "Activation" => Activation::of_setting(&own),
                        "Softmax" if own.number("axis")?.is_none_or(|axis| axis == -1.0) => Ok(Activation::Softmax),
                        _ => Activation::of_layer(class, &own)
                            .unwrap_or_else(|| Err(unsupported(&format!("of class \"{class}\"")))),
                    }
                }
                (Some(class), _) => Err(unsupported(&format!("of class \"{class}\""))),
                (None, _) => Err(unsupported(&excerpt(value))),
            },
        }
    }

    /// An activation layer with settings of its own; `None` for other layers.
    pub(super) fn of_layer(class: &str, settings: &Settings) -> Option<Result<Activation, Error>> {
        let function = match class {
            "ReLU" => relu(settings),
            "LeakyReLU" => {
                parameter(settings, &["negative_slope", "alpha"], 0.3).map(|slope| Function::LeakyRelu { slope })
            }
            "ELU" => parameter(settings, &["alpha"], 1.0).map(|alpha| Function::Elu { alpha }),
            _ => return None,
        };
        Some(function.map(Activation::Function))
    }

    /// An operation of `keras.ops`, which Keras 3 records where a layer's result goes through one; `None` for
    /// other layers.
    pub(super) fn of_operation(class: &str, settings: &Settings) -> Option<Result<Activation, Error>> {
        let function = match class {
            "Relu" => Ok(Function::Relu),
            "Relu6" => Ok(Function::Relu6),
            "LeakyRelu" => parameter(settings, &["negative_slope"], 0.2).map(|slope| Function::LeakyRelu { slope }),
            "Elu" => parameter(settings, &["alpha"], 1.0).map(|alpha| Function::Elu { alpha }),
            "Selu" => Ok(Function::Selu),
            "Gelu" => settings
                .flag("approximate", true)
                .map(|approximate| if approximate { Function::GeluTanh } else { Function::Gelu }),
            "Silu" => Ok(Function::Silu),
            "Sigmoid" => Ok(Function::Sigmoid),
            "HardSigmoid" => Ok(HARD_SIGMOID),
            "HardSilu" => Ok(Function::HardSwish),
            "Tanh" => Ok(Function::Tanh),
            "Softplus" => Ok(Function::Softplus),
            "Softsign" => Ok(Function::Softsign),
            "Exp" => Ok(Function::Exponential),
            _ => return None,
        };
        Some(function.map(Activation::Function))
    }
}

/// Keras 3's; see [`as_in_keras_2`].
const HARD_SIGMOID: Function = Function::HardSigmoid { slope: 1.0 / 6.0 };

/// Hard sigmoids are another function in a model of Keras 2.
pub(super) fn as_in_keras_2(graph: &mut Graph) {
    for layer in &mut graph.layers {
        if let Operator::Activation(Function::HardSigmoid { slope }) = &mut layer.operator {
            *slope = 0.2;
        }
    }
}

/// A `ReLU` layer, which has more settings than the function of its name.
fn relu(settings: &Settings) -> Result<Function, Error> {
    let slope = parameter(settings, &["negative_slope"], 0.0)?;
    let threshold = parameter(settings, &["threshold"], 0.0)?;
    let greatest = match settings.get("max_value") {
        None => f32::INFINITY,
        Some(_) => parameter(settings, &["max_value"], 0.0)?,
    };
    if greatest < 0.0 {
        return Err(settings.error(format!("max_value is {greatest}, which Keras does not allow either")));
    }
    Ok(match (slope, threshold) {
        (0.0, 0.0) => Function::clamp([0.0, greatest]),
        (_, 0.0) if greatest == f32::INFINITY => Function::LeakyRelu { slope },
        _ => Function::ThresholdRelu { slope, threshold, greatest },
    })
}

/// A number of a function: the first of the settings that is there.
fn parameter(settings: &Settings, keys: &[&str], default: f64) -> Result<f32, Error> {
    let number = keys.iter().find_map(|key| settings.number(key).transpose()).unwrap_or(Ok(default))? as f32;
    if number.is_finite() { Ok(number) } else { Err(settings.error(format!("{} is too large", keys.join(" or ")))) }
}
