//! The ranges of a model's activations, and the file that keeps them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;

use crate::data::write;
use crate::error::Error;

/// How a range is chosen from the values seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// From the least to the greatest.
    MinMax,
    /// So that this many percent of the values are below the upper end, and as many above the
    /// lower: a few outliers are cut off, and all others get finer steps.
    Percentile(f64),
    /// With the least mean square of what eight bits lose: by cutting, and by rounding what is not exactly zero.
    Mse,
}

impl Method {
    /// The percentile that is taken where none is given: one value in ten thousand at each end.
    pub const PERCENTILE: Method = Method::Percentile(99.99);
}

impl std::fmt::Display for Method {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Method::MinMax => formatter.write_str("min-max"),
            Method::Mse => formatter.write_str("mse"),
            Method::Percentile(percent) => write!(formatter, "percentile {percent}"),
        }
    }
}

impl std::str::FromStr for Method {
    type Err = Error;

    /// `min-max`, `mse`, `percentile`, or `percentile 99.9` (also with a colon for the space).
    fn from_str(text: &str) -> Result<Method, Error> {
        let misfit = || {
            Error::model(format!(
                "no method \"{text}\": use min-max, mse, percentile, or percentile:P with P from 50 to 100"
            ))
        };
        match text.split_once([' ', ':']) {
            None if text == "min-max" => Ok(Method::MinMax),
            None if text == "mse" => Ok(Method::Mse),
            None if text == "percentile" => Ok(Method::PERCENTILE),
            Some(("percentile", percent)) => match percent.trim().parse() {
                Ok(percent) if (50.0..=100.0).contains(&percent) => Ok(Method::Percentile(percent)),
                _ => Err(misfit()),
            },
            _ => Err(misfit()),
        }
    }
}

/// The least and greatest real value of each tensor, by the name of the layer that makes it.
///
/// As a file, one JSON object:
///
/// ```json
/// {
///   "method": "percentile 99.99",
///   "frames": 500,
///   "source": "500 pictures of the training set",
///   "ranges": {
///     "conv2d": [0.0, 3.25]
///   }
/// }
/// ```
///
/// Only `ranges` is needed; the rest says where they come from. With `"equalized": true` they are those of the equalized graph,
/// which is then quantized; with `means`, lists like that of ranges with a number for each channel, biases are corrected.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranges {
    /// How they were chosen.
    #[serde(default)]
    pub method: Option<String>,
    /// From how many frames.
    #[serde(default)]
    pub frames: Option<usize>,
    /// What the frames were.
    #[serde(default)]
    pub source: Option<String>,
    /// Whether they are those of the [equalized](super::equalize()) graph.
    #[serde(default)]
    pub equalized: bool,
    ranges: BTreeMap<String, [f32; 2]>,
    #[serde(default)]
    means: BTreeMap<String, Vec<f32>>,
}

impl Ranges {
    /// No ranges yet, to be chosen by that method from so many frames.
    pub fn of(method: Method, frames: usize) -> Ranges {
        Ranges { method: Some(method.to_string()), frames: Some(frames), ..Ranges::default() }
    }

    /// The range of a tensor.
    pub fn get(&self, tensor: &str) -> Option<[f32; 2]> {
        self.ranges.get(tensor).copied()
    }

    /// The mean of each channel of a tensor.
    pub fn mean(&self, tensor: &str) -> Option<&[f32]> {
        self.means.get(tensor).map(Vec::as_slice)
    }

    /// Sets the means of a tensor's channels.
    ///
    /// # Errors
    /// When one is not finite.
    pub fn set_mean(&mut self, tensor: impl Into<String>, mean: Vec<f32>) -> Result<(), Error> {
        let tensor = tensor.into();
        check_mean(&tensor, &mean)?;
        self.means.insert(tensor, mean);
        Ok(())
    }

    /// The same ranges without means: biases stay what they are.
    #[must_use]
    pub fn without_means(mut self) -> Ranges {
        self.means.clear();
        self
    }

    /// Sets the range of a tensor.
    ///
    /// # Errors
    /// When an end is not finite, or the least is above the greatest.
    pub fn set(&mut self, tensor: impl Into<String>, range: [f32; 2]) -> Result<(), Error> {
        let tensor = tensor.into();
        check(&tensor, range)?;
        self.ranges.insert(tensor, range);
        Ok(())
    }

    /// The names and ranges of all tensors, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, [f32; 2])> {
        self.ranges.iter().map(|(name, &range)| (name.as_str(), range))
    }

    /// From the text of a ranges file.
    ///
    /// # Errors
    /// When the text is not such an object, or a range is none.
    pub fn from_json(text: &str) -> Result<Ranges, Error> {
        let ranges: Ranges = serde_json::from_str(text).map_err(|error| {
            Error::model(format!("not activation ranges: {error}; expected {{\"ranges\": {{\"layer\": [min, max]}}}}"))
        })?;
        for (tensor, range) in ranges.iter() {
            check(tensor, range)?;
        }
        ranges.means.iter().try_for_each(|(tensor, mean)| check_mean(tensor, mean))?;
        Ok(ranges)
    }

    /// The text of a ranges file, a line for each tensor.
    pub fn to_json(&self) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut json = String::from("{\n");
        let facts = [
            ("method", self.method.as_deref().map(text)),
            ("frames", self.frames.map(|frames| frames.to_string())),
            ("source", self.source.as_deref().map(text)),
            ("equalized", self.equalized.then(|| "true".to_owned())),
        ];
        for (name, value) in facts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            json += &format!("  \"{name}\": {value},\n");
        }
        json += "  \"ranges\": {";
        for (index, (tensor, [least, greatest])) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a string can't fail. Debug keeps every bit of an f32, and its point.
            let _ = write!(json, "{comma}\n    {}: [{least:?}, {greatest:?}]", text(tensor));
        }
        json += "\n  }";
        for (index, (tensor, mean)) in self.means.iter().enumerate() {
            json += if index == 0 { ",\n  \"means\": {\n" } else { ",\n" };
            let _ = write!(json, "    {}: {mean:?}", text(tensor));
        }
        json += if self.means.is_empty() { "\n}\n" } else { "\n  }\n}\n" };
        json
    }

    /// Reads a ranges file.
    ///
    /// # Errors
    /// When the file can't be read, or is no ranges file; the error names it.
    pub fn load(file: impl AsRef<Path>) -> Result<Ranges, Error> {
        let file = file.as_ref();
        let text = std::fs::read_to_string(file).map_err(|error| Error::file(file, error.to_string()))?;
        Ranges::from_json(&text).map_err(|error| error.in_file(file))
    }

    /// Writes a ranges file, whole or not at all.
    ///
    /// # Errors
    /// When the file can't be written; the error names it.
    pub fn save(&self, file: impl AsRef<Path>) -> Result<(), Error> {
        write::whole(file.as_ref(), self.to_json().as_bytes())
    }
}

fn check_mean(tensor: &str, mean: &[f32]) -> Result<(), Error> {
    match mean.iter().find(|mean| !mean.is_finite()) {
        Some(mean) => Err(Error::layer(tensor, format!("has a channel with the mean {mean}"))),
        None => Ok(()),
    }
}

fn check(tensor: &str, [least, greatest]: [f32; 2]) -> Result<(), Error> {
    if !least.is_finite() || !greatest.is_finite() {
        return Err(Error::layer(tensor, format!("its activation range [{least}, {greatest}] is not finite")));
    }
    if least > greatest {
        return Err(Error::layer(tensor, format!("its activation range [{least}, {greatest}] ends before it begins")));
    }
    Ok(())
}
