//! A layer's settings: the JSON object `config`, with errors that name the layer and the setting.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::graph::{Padding, Window};

/// Largest extent and largest count of channels. Products of two stay far below what `usize` holds.
const LARGEST_COUNT: u64 = i32::MAX as u64;

/// Largest size, stride or dilation of a window, so that its reach stays within a count.
const LARGEST_STEP: usize = 32_767;

/// The settings of one layer. A `null` counts as absent, as in Keras.
#[derive(Debug, Clone)]
pub(super) struct Settings<'a> {
    /// The layer's name, for errors.
    pub(super) layer: String,
    fields: &'a Map<String, Value>,
}

impl<'a> Settings<'a> {
    /// Settings from an object of the architecture.
    pub(super) fn new(layer: impl Into<String>, fields: &'a Map<String, Value>) -> Settings<'a> {
        Settings { layer: layer.into(), fields }
    }

    /// The same settings, for errors that name the layer differently.
    pub(super) fn named(&self, layer: &str) -> Settings<'a> {
        Settings { layer: layer.to_owned(), fields: self.fields }
    }

    /// An error of this layer.
    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        Error::layer(&self.layer, reason)
    }

    fn unexpected(&self, key: &str, value: &Value, expected: &str) -> Error {
        self.error(format!("{key} is {}, expected {expected}", excerpt(value)))
    }

    /// A setting as it stands.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    /// A positive number of things, such as filters.
    pub(super) fn count(&self, key: &str) -> Result<usize, Error> {
        let value = self.get(key).ok_or_else(|| self.error(format!("{key} is missing")))?;
        count(value).ok_or_else(|| self.unexpected(key, value, "a positive whole number"))
    }

    /// As [`Settings::count`], with a default.
    pub(super) fn count_or(&self, key: &str, default: usize) -> Result<usize, Error> {
        if self.get(key).is_some() { self.count(key) } else { Ok(default) }
    }

    /// One number for both axes, or one for each: `[vertical, horizontal]`.
    pub(super) fn pair(&self, key: &str, default: Option<[usize; 2]>) -> Result<[usize; 2], Error> {
        let Some(value) = self.get(key) else {
            return default.ok_or_else(|| self.error(format!("{key} is missing")));
        };
        let pair = match value.as_array().map(Vec::as_slice) {
            None => count(value).map(|both| [both, both]),
            Some([vertical, horizontal]) => count(vertical).zip(count(horizontal)).map(<[usize; 2]>::from),
            Some(_) => None,
        };
        match pair {
            Some(pair) if pair.iter().all(|&step| step <= LARGEST_STEP) => Ok(pair),
            _ => Err(self.unexpected(key, value, &format!("one or two whole numbers from 1 to {LARGEST_STEP}"))),
        }
    }

    /// Yes or no.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool, Error> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.unexpected(key, other, "true or false")),
        }
    }

    /// Text.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.unexpected(key, other, "text")),
        }
    }

    /// One number, or a list of them; also as Keras stores numpy arrays.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let plain = plain(value);
        let numbers = match plain.as_array() {
            None => plain.as_f64().map(|number| vec![number]),
            Some(list) => list.iter().map(Value::as_f64).collect(),
        };
        match numbers {
            Some(numbers) if !numbers.is_empty() => Ok(Some(numbers)),
            _ => Err(self.unexpected(key, value, "a number or a list of numbers")),
        }
    }

    /// One number.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, Error> {
        match self.numbers(key)?.as_deref() {
            None => Ok(None),
            Some([number]) => Ok(Some(*number)),
            Some(_) => Err(self.error(format!("{key} has several numbers, expected one"))),
        }
    }

    /// Errors unless `axis` (or its default, -1) is the last one of a tensor with `rank` axes without its batch.
    pub(super) fn expect_last_axis(&self, rank: usize) -> Result<(), Error> {
        match self.number("axis")? {
            Some(axis) if axis != -1.0 && axis != rank as f64 => {
                Err(self.error(format!("axis {axis} is not supported, only the last one (-1)")))
            }
            _ => Ok(()),
        }
    }

    /// Errors unless the layer reads and makes channels-last tensors.
    pub(super) fn expect_channels_last(&self) -> Result<(), Error> {
        match self.text("data_format")? {
            None | Some("channels_last") => Ok(()),
            Some(other) => Err(self.error(format!(
                "data_format \"{other}\" is not supported; rebuild the model with data_format=\"channels_last\""
            ))),
        }
    }

    /// Errors when Keras has quantized the layer's weights.
    pub(super) fn expect_float(&self) -> Result<(), Error> {
        let policy = match self.get("dtype") {
            Some(Value::Object(policy)) => policy.get("config").and_then(|config| config.get("name")),
            other => other,
        };
        match policy.and_then(Value::as_str) {
            Some(name) if name.contains("_from_") => Err(self.error(format!(
                "its weights were quantized by Keras (\"{name}\"); save the model before quantizing it"
            ))),
            _ => Ok(()),
        }
    }

    /// Strides and padding, with the given size and dilation.
    pub(super) fn window(&self, size: [usize; 2], stride: [usize; 2], dilation: [usize; 2]) -> Result<Window, Error> {
        let padding = match self.text("padding")? {
            None => Padding::Valid,
            Some(text) if text.eq_ignore_ascii_case("valid") => Padding::Valid,
            Some(text) if text.eq_ignore_ascii_case("same") => Padding::Same,
            Some(other) => return Err(self.error(format!("padding \"{other}\" is not supported, only same and valid"))),
        };
        if stride != [1, 1] && dilation != [1, 1] {
            return Err(self.error("strides and dilation_rate are both above 1, which Keras does not allow either"));
        }
        Ok(Window { size, stride, dilation, padding, depth: None })
    }
}

/// A positive whole number. Keras writes some as floats (`3.0`).
pub(super) fn count(value: &Value) -> Option<usize> {
    let number = value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|float| float.fract() == 0.0 && (1.0..=LARGEST_COUNT as f64).contains(float));
        float.map(|float| float as u64)
    })?;
    (1..=LARGEST_COUNT).contains(&number).then_some(number as usize)
}

/// The number or list inside what Keras makes of a numpy value: `{"class_name": "__numpy__", "config": {"value":
/// ..}}` (Keras 3) or `{"type": "ndarray", "value": ..}` (Keras 2).
fn plain(value: &Value) -> &Value {
    value.get("config").unwrap_or(value).get("value").unwrap_or(value)
}

/// A value for an error message, cut where it gets long.
pub(super) fn excerpt(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Object(fields) if fields.len() > 2 => "an object".to_owned(),
        Value::Array(list) if list.len() > 8 => "a long list".to_owned(),
        _ => {
            let text = value.to_string();
            if text.chars().count() > LONGEST {
                text.chars().take(LONGEST).chain("...".chars()).collect()
            } else {
                text
            }
        }
    }
}
