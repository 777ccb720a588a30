//! What can be wrong with a model or with data, in words that a user can act on.

use std::path::{Path, PathBuf};

/// A model or data that cannot be used: where, and why.
///
/// Shown as `file: layer "name": reason`, with what is not known left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The file, when one is to blame.
    pub file: Option<PathBuf>,
    /// The layer, by the name it has in the model.
    pub layer: Option<String>,
    /// What is wrong and, where it helps, what to do.
    pub reason: String,
}

impl Error {
    /// Something about the model as a whole.
    pub fn model(reason: impl Into<String>) -> Error {
        Error { file: None, layer: None, reason: reason.into() }
    }

    /// Something about one layer.
    pub fn layer(layer: impl Into<String>, reason: impl Into<String>) -> Error {
        Error { file: None, layer: Some(layer.into()), reason: reason.into() }
    }

    /// Something about a file that holds no layers (pictures, ranges, arrays), or that can't be read.
    pub fn file(file: impl AsRef<Path>, reason: impl Into<String>) -> Error {
        Error { file: Some(file.as_ref().to_owned()), layer: None, reason: reason.into() }
    }

    /// The same, with the file named, unless one is named already.
    #[must_use]
    pub fn in_file(mut self, file: impl AsRef<Path>) -> Error {
        self.file.get_or_insert_with(|| file.as_ref().to_owned());
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(formatter, "{}: ", file.display())?;
        }
        if let Some(layer) = &self.layer {
            write!(formatter, "layer \"{layer}\": ")?;
        }
        formatter.write_str(&self.reason)
    }
}

impl std::error::Error for Error {}
