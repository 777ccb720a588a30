//! Data: the frames that a model is calibrated, run and measured with.
//!
//! A source is recognised by its content, not its name: a NumPy array (`.npy`), named arrays (`.npz`), a
//! picture, a folder of pictures, or a folder with a folder of pictures per class. [`Examples`] gives frames
//! as the bytes of the model's [`Input`]; [`Output`] reads what the model answers.
//!
//! Files are not trusted: whatever the bytes, the answer is data or one [`Error`] that names the file.
//!
//! - [`mod@array`]: NumPy's files.
//! - [`picture`]: PNG, JPEG, BMP.
//! - [`mod@write`]: files that are there whole or not at all.

pub mod array;
mod folder;
mod input;
mod interface;
mod labels;
mod output;
pub mod picture;
pub mod write;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::error::Error;
use array::{Array, Npz};
pub use input::Input;
pub use interface::Interface;
use labels::Labels;
pub use labels::read as read_labels;
pub use output::Output;
use picture::Fit;

/// What data is for: it says which arrays of an `.npz` are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To find the ranges of activations: training data comes first, test data last.
    Calibration,
    /// To be run or measured: test data comes first.
    Measurement,
}

/// Names of arrays in an `.npz` that hold frames, each with the names that its labels have.
const NAMES: [(&str, &[&str]); 10] = [
    ("x_test", &["y_test"]),
    ("x", &["y"]),
    ("images", &["labels"]),
    ("image", &["label"]),
    ("data", &["labels", "label", "target"]),
    ("inputs", &["labels", "targets"]),
    ("input", &["label", "target"]),
    ("arr_0", &["arr_1"]),
    ("x_calibration", &["y_calibration"]),
    ("x_train", &["y_train"]),
];

/// Frames, with or without labels.
#[derive(Debug, Clone)]
pub struct Examples {
    source: PathBuf,
    frames: Frames,
    labels: Labels,
    listed: bool,
    warning: Option<String>,
}

#[derive(Debug, Clone)]
enum Frames {
    /// One after the other, in the model's input type.
    Bytes { bytes: Vec<u8>, frame_bytes: usize, count: usize },
    /// Decoded one by one when asked for: a training set of pictures need not fit into memory.
    Pictures { files: Vec<PathBuf>, input: Input, fit: Fit },
}

impl Examples {
    /// Opens the data at `path` for a model that takes `input`.
    ///
    /// # Errors
    /// When there is nothing usable there; the message names the file.
    pub fn open(path: &Path, input: &Input, purpose: Purpose, fit: Fit) -> Result<Examples, Error> {
        if path.is_dir() {
            let folder = folder::list(path)?;
            let (files, classes) = folder.pictures.into_iter().unzip();
            let labels =
                if folder.classes.is_empty() { Labels::None } else { Labels::Folders(folder.classes, classes) };
            let frames = Frames::Pictures { files, input: input.clone(), fit };
            return Ok(Examples { source: path.to_owned(), frames, labels, listed: true, warning: None });
        }
        let bytes = array::load(path)?;
        if picture::is_picture(&bytes) {
            let frames = Frames::Pictures { files: vec![path.to_owned()], input: input.clone(), fit };
            return Ok(Examples {
                source: path.to_owned(),
                frames,
                labels: Labels::None,
                listed: false,
                warning: None,
            });
        }
        Examples::arrays(path, &bytes, input, purpose).map_err(|reason| Error::file(path, reason))
    }

    /// Opens the data at `path` for a model that takes `inputs`, each with its name. Of several, an `.npz` has an array
    /// with the name of each, and a frame is that of the first, of the second and so on.
    ///
    /// # Errors
    /// As [`open`](Examples::open).
    pub fn open_all(path: &Path, inputs: &[(String, Input)], purpose: Purpose, fit: Fit) -> Result<Examples, Error> {
        if let [(_, input)] = inputs {
            return Examples::open(path, input, purpose, fit);
        }
        let names: Vec<String> = inputs.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let names = names.join(", ");
        if path.is_dir() {
            let reason =
                format!("is a folder, and the model has the inputs {names}: give it an .npz with an array for each");
            return Err(Error::file(path, reason));
        }
        let bytes = array::load(path)?;
        let of_file = |reason| Error::file(path, reason);
        if !array::is_zip(&bytes) {
            let reason = format!(
                "is one array or picture, and the model has the inputs {names}: give it an .npz with an \
                                  array for each"
            );
            return Err(of_file(reason));
        }
        Examples::named_arrays(path, &bytes, inputs).map_err(of_file)
    }

    fn named_arrays(path: &Path, bytes: &[u8], inputs: &[(String, Input)]) -> Result<Examples, String> {
        let mut npz = Npz::open(bytes)?;
        let held = npz.names();
        let mut parts: Vec<(Vec<u8>, usize)> = Vec::new();
        let mut counted: Option<(&str, usize, bool)> = None;
        for (name, input) in inputs {
            if !held.contains(name) {
                return Err(format!("has no array \"{name}\" for the input of that name; it has {}", held.join(", ")));
            }
            let Array { shape, numbers } = npz.array(name)?;
            let named = |reason: String| format!("array \"{name}\" {reason}");
            let (count, listed) = input.frames(&shape).map_err(named)?;
            match counted {
                _ if count == 0 => return Err(named("holds no frames".to_owned())),
                Some((first, others, _)) if others != count => {
                    return Err(named(format!("holds {count} frames, and \"{first}\" {others}")));
                }
                _ => counted = Some((name, count, listed || counted.is_some_and(|(.., listed)| listed))),
            }
            parts.push((input.encode(&numbers).map_err(named)?, input.frame_bytes()));
        }
        let (_, count, listed) = counted.ok_or("the model has no input")?;
        let bytes = (0..count)
            .flat_map(|index| parts.iter().flat_map(move |(bytes, frame)| &bytes[index * frame..(index + 1) * frame]))
            .copied()
            .collect();
        let is_input = |label: &str| inputs.iter().any(|(name, _)| name == label);
        let mut candidates = NAMES.iter().flat_map(|(_, labels)| *labels).copied();
        let labels = match candidates.find(|&label| !is_input(label) && held.iter().any(|name| name == label)) {
            Some(label) => Labels::Array(npz.array(label)?, label.to_owned()),
            None => Labels::None,
        };
        let frame_bytes = parts.iter().map(|(_, frame)| frame).sum();
        let frames = Frames::Bytes { bytes, frame_bytes, count };
        Ok(Examples { source: path.to_owned(), frames, labels, listed, warning: None })
    }

    fn arrays(path: &Path, bytes: &[u8], input: &Input, purpose: Purpose) -> Result<Examples, String> {
        let mut labels = Labels::None;
        let mut warning = None;
        let (name, array) = if array::is_npy(bytes) {
            (None, array::npy(bytes)?)
        } else if array::is_zip(bytes) {
            let mut npz = Npz::open(bytes)?;
            let (name, label_names) = frames_name(&npz.names(), purpose)?;
            if purpose == Purpose::Calibration && name == "x_test" {
                warning = Some(format!(
                    "{}: calibrates with the array \"x_test\": accuracy measured on the same pictures would flatter",
                    path.display()
                ));
            }
            let array = npz.array(&name)?;
            if let Some(name) = label_names {
                labels = Labels::Array(npz.array(&name)?, name);
            }
            (Some(name), array)
        } else if bytes.is_empty() {
            return Err("the file is empty".to_owned());
        } else {
            return Err("is not data that is known: .npy, .npz, PNG, JPEG, BMP, or a folder of pictures".to_owned());
        };
        let named = |reason: String| match &name {
            Some(name) => format!("array \"{name}\" {reason}"),
            None => reason,
        };
        let Array { shape, numbers } = array;
        let (count, listed) = input.frames(&shape).map_err(named)?;
        if count == 0 {
            return Err(named("holds no frames".to_owned()));
        }
        let bytes = input.encode(&numbers).map_err(named)?;
        let frames = Frames::Bytes { bytes, frame_bytes: input.frame_bytes(), count };
        Ok(Examples { source: path.to_owned(), frames, labels, listed, warning })
    }

    /// Where they come from.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// How many there are; at least one.
    pub fn len(&self) -> usize {
        match &self.frames {
            Frames::Bytes { count, .. } => *count,
            Frames::Pictures { files, .. } => files.len(),
        }
    }

    /// Never: data without frames is an error.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this is a list of frames, where it could be one frame alone.
    pub fn is_list(&self) -> bool {
        self.listed
    }

    /// Something a user should know, though the data is usable.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// What the frame at `index` is called, where it is a file of its own.
    pub fn file(&self, index: usize) -> Option<&Path> {
        match &self.frames {
            Frames::Bytes { .. } => None,
            Frames::Pictures { files, .. } => files.get(index).map(PathBuf::as_path),
        }
    }

    /// The frame at `index`, as bytes of the model's input.
    ///
    /// # Errors
    /// When its picture can't be used, or there is no such frame.
    pub fn frame(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
        let missing = || Error::file(&self.source, format!("has no frame {index}: it has {}", self.len()));
        match &self.frames {
            Frames::Bytes { bytes, frame_bytes, count } => {
                let frame = bytes.get(index * frame_bytes..(index + 1) * frame_bytes);
                frame.filter(|_| index < *count).map(Cow::Borrowed).ok_or_else(missing)
            }
            Frames::Pictures { files, input, fit } => {
                picture::frame(files.get(index).ok_or_else(missing)?, input, *fit).map(Cow::Owned)
            }
        }
    }

    /// The class of every frame, as an index of the model's output. `names` are the model's classes, where
    /// they are known: folders are matched to them, and else taken in alphabetical order.
    ///
    /// # Errors
    /// When there are no labels, or they do not fit the model.
    pub fn classes(&self, names: &[String], classes: usize) -> Result<Vec<usize>, Error> {
        self.labels.resolve(self.len(), names, classes).map_err(|reason| Error::file(&self.source, reason))
    }
}

/// The array of an `.npz` that holds the frames, and the one that holds the labels.
fn frames_name(names: &[String], purpose: Purpose) -> Result<(String, Option<String>), String> {
    let has = |name: &str| names.iter().any(|other| other == name);
    let mut candidates = NAMES.to_vec();
    if purpose == Purpose::Calibration {
        candidates.reverse();
    }
    let chosen = candidates.into_iter().find(|(frames, _)| has(frames));
    match (chosen, names) {
        (Some((frames, labels)), _) => {
            let labels = labels.iter().find(|name| has(name)).map(|&name| name.to_owned());
            Ok((frames.to_owned(), labels))
        }
        (None, [only]) => Ok((only.clone(), None)),
        (None, []) => Err("holds no arrays".to_owned()),
        (None, _) => Err(format!(
            "holds the arrays {}, and none is called {}",
            names.join(", "),
            NAMES.map(|(frames, _)| frames).join(", ")
        )),
    }
}
