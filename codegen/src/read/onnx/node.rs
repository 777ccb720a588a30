//! A call of an operator, and its attributes.

use super::message::{Attribute, Node, Tensor, decode};
use crate::error::Error;

impl Node {
    /// Its name in errors and in the graph: its own, or that of what it makes.
    pub(super) fn title(&self) -> &str {
        match (self.name.as_str(), self.outputs.first()) {
            ("", Some(output)) => output,
            (name, _) => name,
        }
    }

    /// An error about it.
    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        Error::layer(self.title().escape_debug().to_string(), format!("({}) {}", self.kind, reason.into()))
    }

    /// The name of its input at `place`, where it has one.
    pub(super) fn input(&self, place: usize) -> Option<&str> {
        self.inputs.get(place).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The name of what it makes.
    pub(super) fn output(&self) -> Result<&str, Error> {
        let output = self.outputs.first().filter(|name| !name.is_empty());
        output.map(String::as_str).ok_or_else(|| self.error("makes nothing: damaged file"))
    }

    fn attribute(&self, name: &str) -> Result<Option<Attribute>, Error> {
        for bytes in &self.attributes {
            let attribute: Attribute = decode(bytes)?;
            if attribute.name == name {
                return Ok(Some(attribute));
            }
        }
        Ok(None)
    }

    /// A whole number.
    pub(super) fn integer(&self, name: &str, otherwise: i64) -> Result<i64, Error> {
        Ok(self.attribute(name)?.map_or(otherwise, |attribute| attribute.integer))
    }

    /// A real number.
    pub(super) fn float(&self, name: &str, otherwise: f32) -> Result<f32, Error> {
        let number = self.attribute(name)?.map_or(otherwise, |attribute| attribute.float);
        if number.is_finite() { Ok(number) } else { Err(self.error(format!("has a {name} of {number}"))) }
    }

    /// Whole numbers, where it has any of that name.
    pub(super) fn integers(&self, name: &str) -> Result<Option<Vec<i64>>, Error> {
        Ok(self.attribute(name)?.map(|attribute| attribute.integers))
    }

    /// A word.
    pub(super) fn text(&self, name: &str, otherwise: &str) -> Result<String, Error> {
        let text = self.attribute(name)?.map(|attribute| String::from_utf8_lossy(&attribute.text).into_owned());
        Ok(text.unwrap_or_else(|| otherwise.to_owned()))
    }

    /// Numbers of several extents.
    pub(super) fn tensor(&self, name: &str) -> Result<Option<Tensor>, Error> {
        self.attribute(name)?
            .filter(|attribute| !attribute.tensor.is_empty())
            .map(|attribute| decode(&attribute.tensor))
            .transpose()
    }

    /// What an attribute of real numbers holds, one or several.
    pub(super) fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, Error> {
        Ok(self.attribute(name)?.map(|attribute| match attribute.floats.is_empty() {
            true => vec![attribute.float],
            false => attribute.floats,
        }))
    }
}
