//! A layer's settings: the JSON object `config`, with errors that name the layer and the setting.

use serde_json::{Map, Value};

use super::layout::Spatial;
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

    /// Whether a setting is written down as None.
    pub(super) fn is_none(&self, key: &str) -> bool {
        self.fields.get(key).is_some_and(Value::is_null)
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

    /// One number for all of one or two spatial axes, or one for each: `[vertical, horizontal]`. Of one axis the second
    /// number is 1.
    pub(super) fn sizes(&self, key: &str, axes: usize, default: Option<[usize; 3]>) -> Result<[usize; 3], Error> {
        let Some(value) = self.get(key) else {
            return default.ok_or_else(|| self.error(format!("{key} is missing")));
        };
        let sizes: Option<Vec<usize>> = match value.as_array() {
            None => count(value).map(|all| vec![all; axes]),
            Some(list) if list.len() == axes => list.iter().map(count).collect(),
            Some(_) => None,
        };
        match sizes {
            Some(sizes) if sizes.iter().all(|&step| step <= LARGEST_STEP) => {
                Ok(std::array::from_fn(|axis| sizes.get(axis).copied().unwrap_or(1)))
            }
            _ => {
                let several = ["a whole number", "one or two whole numbers", "one or three whole numbers"];
                let several = several[axes.clamp(1, 3) - 1];
                Err(self.unexpected(key, value, &format!("{several} from 1 to {LARGEST_STEP}")))
            }
        }
    }

    /// Places at both ends of one or two spatial axes: `[[above, below], [left, right]]`, written as one number for
    /// all, one for each axis, or one for each end.
    pub(super) fn borders(&self, key: &str, axes: usize) -> Result<[[usize; 2]; 3], Error> {
        let value = self.get(key).ok_or_else(|| self.error(format!("{key} is missing")))?;
        let places = |value: &Value| match value.as_u64() {
            Some(0) => Some(0),
            _ => count(value).filter(|&places| places <= LARGEST_STEP),
        };
        let ends = |value: &Value| match value.as_array().map(Vec::as_slice) {
            None => places(value).map(|both| [both, both]),
            Some([before, after]) => places(before).zip(places(after)).map(<[usize; 2]>::from),
            Some(_) => None,
        };
        let borders: Option<Vec<[usize; 2]>> = match (axes, value.as_array()) {
            (1, _) => ends(value).map(|ends| vec![ends]),
            (_, None) => ends(value).map(|ends| vec![ends; axes]),
            (_, Some(list)) if list.len() == axes => list.iter().map(ends).collect(),
            _ => None,
        };
        let borders = borders.map(|borders| std::array::from_fn(|axis| borders.get(axis).copied().unwrap_or([0, 0])));
        borders.ok_or_else(|| self.unexpected(key, value, &format!("numbers of places from 0 to {LARGEST_STEP}")))
    }

    /// Extents or axes: whole numbers, and -1 for one that is open.
    pub(super) fn integers(&self, key: &str) -> Result<Vec<i64>, Error> {
        let value = self.get(key).ok_or_else(|| self.error(format!("{key} is missing")))?;
        let list = value.as_array().filter(|list| !list.is_empty());
        let extents = list.and_then(|list| list.iter().map(super::moving::extent).collect());
        extents.ok_or_else(|| self.unexpected(key, value, "a list of whole numbers"))
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

    /// As [`Settings::numbers`], of a list that may be empty.
    pub(super) fn numbers_or_none(&self, key: &str) -> Result<Vec<f64>, Error> {
        match self.get(key) {
            Some(Value::Array(list)) if list.is_empty() => Ok(Vec::new()),
            _ => Ok(self.numbers(key)?.unwrap_or_default()),
        }
    }

    /// Whether the layer's own tensors have their channels in front of the spatial axes.
    pub(super) fn channels_first(&self) -> Result<bool, Error> {
        match self.text("data_format")? {
            None | Some("channels_last") => Ok(false),
            Some("channels_first") => Ok(true),
            Some(other) => {
                Err(self
                    .error(format!("data_format \"{other}\" is not supported, only channels_last and channels_first")))
            }
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
    pub(super) fn window(
        &self,
        spatial: &Spatial,
        size: [usize; 3],
        stride: [usize; 3],
        dilation: [usize; 3],
    ) -> Result<Window, Error> {
        let padding = match self.text("padding")? {
            None => Padding::Valid,
            Some(text) if text.eq_ignore_ascii_case("valid") => Padding::Valid,
            Some(text) if text.eq_ignore_ascii_case("same") => Padding::Same,
            // Every output sees what came before it: all padding is in front of a series, and none behind.
            Some("causal") if spatial.axes == 1 => match (size[0] - 1) * dilation[0] {
                0 => Padding::Valid,
                before => Padding::Explicit { before: [before, 0], after: [0, 0] },
            },
            Some(other) => {
                return Err(self.error(format!(
                    "padding \"{other}\" is not supported, only same and valid, and causal of a series"
                )));
            }
        };
        let across = |first: usize| {
            let pair = |steps: [usize; 3]| [steps[first], steps[first + 1]];
            Window { size: pair(size), stride: pair(stride), dilation: pair(dilation), padding, depth: None }
        };
        // From plane to plane a window slides as from line to line.
        Ok(match spatial.axes {
            3 => Window { depth: Some(across(0).along(0, spatial.places[0])), ..across(1) },
            _ => across(0),
        })
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
