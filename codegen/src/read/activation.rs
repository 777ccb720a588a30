//! Activations, as a layer of their own or as a setting of another layer.

use serde_json::Value;

use super::settings::{Settings, excerpt};
use crate::error::Error;
use crate::graph::Function;

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
    /// The activation of a name, in the words of Keras or of `tf.nn`.
    pub(super) fn of_name(name: &str) -> Option<Activation> {
        match name {
            "linear" => Some(Activation::Linear),
            "relu" => Some(Activation::Function(Function::Relu)),
            "relu6" => Some(Activation::Function(Function::Relu6)),
            "sigmoid" => Some(Activation::Function(Function::Sigmoid)),
            // TensorFlow calls the function that Keras uses by its second name.
            "softmax" | "softmax_v2" => Some(Activation::Softmax),
            _ => None,
        }
    }

    /// The setting `activation`.
    pub(super) fn of_setting(settings: &Settings) -> Result<Activation, Error> {
        let unsupported = |name: &str| {
            settings.error(format!(
                "activation {name} is not supported; supported are linear, relu, relu6, sigmoid and softmax"
            ))
        };
        let named = |name: &str| Activation::of_name(name).ok_or_else(|| unsupported(&format!("\"{name}\"")));
        match settings.get("activation") {
            None => Ok(Activation::Linear),
            Some(Value::String(name)) => named(name),
            // A function, or a layer used as one, in Keras 3's way to write objects down.
            Some(value) => match (value.get("class_name").and_then(Value::as_str), value.get("config")) {
                (Some("function"), Some(Value::String(name))) => named(name),
                (Some("ReLU"), Some(Value::Object(fields))) => {
                    Activation::of_relu_layer(&Settings::new(&settings.layer, fields))
                }
                (Some(class), _) => Err(unsupported(&format!("of class \"{class}\""))),
                (None, _) => Err(unsupported(&excerpt(value))),
            },
        }
    }

    /// A `ReLU` layer, which has more settings than the function of its name.
    pub(super) fn of_relu_layer(settings: &Settings) -> Result<Activation, Error> {
        for key in ["negative_slope", "threshold"] {
            if let Some(number) = settings.number(key)?.filter(|&number| number != 0.0) {
                return Err(settings.error(format!("{key} {number} is not supported, only 0")));
            }
        }
        match settings.number("max_value")? {
            None => Ok(Activation::Function(Function::Relu)),
            Some(6.0) => Ok(Activation::Function(Function::Relu6)),
            Some(other) => Err(settings.error(format!("max_value {other} is not supported, only None and 6"))),
        }
    }
}
