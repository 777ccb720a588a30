//! Labels: which class each frame is, and what the classes are called.

use std::path::Path;

use crate::data::array::{Array, Numbers};
use crate::error::Error;

/// More bytes than a list of names has.
const LONGEST_FILE: u64 = 1 << 20;

/// Where the classes of frames come from.
#[derive(Debug, Clone)]
pub(super) enum Labels {
    /// Nowhere.
    None,
    /// An array of that name.
    Array(Array, String),
    /// Names of class folders in alphabetical order, and the index of each frame's.
    Folders(Vec<String>, Vec<usize>),
}

impl Labels {
    /// The class of each of `frames` frames. The error is the reason alone.
    pub(super) fn resolve(&self, frames: usize, names: &[String], classes: usize) -> Result<Vec<usize>, String> {
        let indices = match self {
            Labels::None => {
                return Err("has no labels: they are the array y beside x in an .npz, or a folder of pictures per \
                            class"
                    .to_owned());
            }
            Labels::Array(array, name) => {
                from_array(array, frames, classes).map_err(|reason| format!("array \"{name}\" {reason}"))?
            }
            Labels::Folders(folders, of_frames) => {
                let of_folders = from_folders(folders, names, classes)?;
                of_frames.iter().map(|&folder| of_folders[folder]).collect()
            }
        };
        match indices.iter().position(|&class| class >= classes) {
            Some(frame) => Err(format!(
                "says that frame {frame} is class {}; the model has {classes}, counted from 0",
                indices[frame]
            )),
            None => Ok(indices),
        }
    }
}

/// Class numbers `[n]` or `[n, 1]`, or one value per class `[n, classes]` of which the largest counts.
fn from_array(array: &Array, frames: usize, classes: usize) -> Result<Vec<usize>, String> {
    match array.shape.as_slice() {
        [count] | [count, 1] if *count == frames => whole_numbers(&array.numbers),
        [] if frames == 1 => whole_numbers(&array.numbers),
        [count, values] if (*count, *values) == (frames, classes) => Ok(largest(&array.numbers, classes)),
        shape => Err(format!(
            "has the shape {shape:?}, where {frames} frames of a model with {classes} classes need [{frames}] or \
             [{frames}, {classes}]"
        )),
    }
}

fn whole_numbers(numbers: &Numbers) -> Result<Vec<usize>, String> {
    let class = |value: i64| usize::try_from(value).map_err(|_| format!("holds the class {value}"));
    match numbers {
        Numbers::U8(values) => Ok(values.iter().map(|&value| usize::from(value)).collect()),
        Numbers::I8(values) => values.iter().map(|&value| class(i64::from(value))).collect(),
        Numbers::I16(values) => values.iter().map(|&value| class(i64::from(value))).collect(),
        Numbers::I64(values) => values.iter().map(|&value| class(value)).collect(),
        Numbers::F32(values) => values
            .iter()
            .map(|&value| {
                let whole = value as i64;
                if whole as f32 == value { class(whole) } else { Err(format!("holds the class {value}")) }
            })
            .collect(),
    }
}

/// The place of the largest of every `classes` numbers, the first of equal ones.
fn largest(numbers: &Numbers, classes: usize) -> Vec<usize> {
    fn places<T: Copy + PartialOrd>(values: &[T], classes: usize) -> Vec<usize> {
        let best =
            |values: &[T]| (0..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best });
        values.chunks_exact(classes).map(best).collect()
    }
    match numbers {
        Numbers::U8(values) => places(values, classes),
        Numbers::I8(values) => places(values, classes),
        Numbers::I16(values) => places(values, classes),
        Numbers::I64(values) => places(values, classes),
        Numbers::F32(values) => places(values, classes),
    }
}

/// The class of each folder.
fn from_folders(folders: &[String], names: &[String], classes: usize) -> Result<Vec<usize>, String> {
    if !names.is_empty() {
        let class = |folder: &String| {
            names.iter().position(|name| name == folder).ok_or_else(|| {
                format!("has the folder \"{folder}\", which is none of the model's classes: {}", names.join(", "))
            })
        };
        return folders.iter().map(class).collect();
    }
    if folders.len() != classes {
        return Err(format!(
            "has {} class folders where the model has {classes} classes: name the classes with --labels",
            folders.len()
        ));
    }
    Ok((0..classes).collect())
}

/// Reads a file with one class name per line. Empty lines at the end do not count.
///
/// # Errors
/// When it can't be read, or is no list of different names.
pub fn read(path: &Path) -> Result<Vec<String>, Error> {
    let error = |reason: String| Error::file(path, reason);
    let about = std::fs::metadata(path).map_err(|reason| error(format!("cannot be read: {reason}")))?;
    if about.len() > LONGEST_FILE {
        return Err(error(format!("has {} bytes, which is no list of names", about.len())));
    }
    let text = std::fs::read(path).map_err(|reason| error(format!("cannot be read: {reason}")))?;
    let text = String::from_utf8(text)
        .map_err(|_| error("is not text in UTF-8; one class per line is needed, saved as UTF-8".to_owned()))?;
    // Editors of Windows put a mark in front, which is no part of the first name.
    let text = text.trim_start_matches('\u{feff}');
    let names: Vec<String> = text.trim_end().lines().map(|line| line.trim().to_owned()).collect();
    if text.trim().is_empty() {
        return Err(error("holds no names; one class per line is needed".to_owned()));
    }
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(error(format!("line {} is empty; one class per line is needed", index + 1)));
        }
        if names[..index].contains(name) {
            return Err(error(format!("names \"{name}\" twice")));
        }
    }
    Ok(names)
}
