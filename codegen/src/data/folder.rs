//! Folders of pictures: flat, or with a folder per class.

use std::path::{Path, PathBuf};

use crate::data::picture::is_picture_name;
use crate::error::Error;

/// The pictures of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// Files, each with the index of its class in `classes`. Classes take turns, so that any number of
    /// pictures from the front is a mixture.
    pub pictures: Vec<(PathBuf, usize)>,
    /// The class folders' names in alphabetical order; empty for a flat folder.
    pub classes: Vec<String>,
}

/// Lists the pictures in the folder at `path`.
///
/// # Errors
/// When it can't be listed, holds no pictures, or both pictures and folders of them.
pub(super) fn list(path: &Path) -> Result<Folder, Error> {
    let (files, folders) = entries(path)?;
    let mut classes = Vec::new();
    let mut by_class = Vec::new();
    let mut deeper = None;
    for folder in folders {
        let (files, inner) = entries(&folder)?;
        deeper = deeper.or_else(|| (files.is_empty() && !inner.is_empty()).then(|| folder.clone()));
        classes.push(folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
        by_class.push(files);
    }
    let labelled = by_class.iter().any(|files| !files.is_empty());
    match (files.is_empty(), labelled) {
        (true, true) => Ok(Folder { pictures: taking_turns(by_class), classes }),
        (false, false) => {
            Ok(Folder { pictures: files.into_iter().map(|file| (file, 0)).collect(), classes: Vec::new() })
        }
        (false, true) => Err(Error::file(
            path,
            "holds pictures as well as folders of pictures; give a folder of pictures, or one with a folder per class",
        )),
        (true, false) => Err(Error::file(
            path,
            match deeper {
                Some(folder) => format!(
                    "holds no pictures, but folders of folders; give one of them, as {}",
                    path.join(folder.file_name().unwrap_or_default()).display()
                ),
                None => "holds no pictures (png, jpg, jpeg, bmp), nor folders with pictures".to_owned(),
            },
        )),
    }
}

/// Pictures and folders in a folder, each in alphabetical order; hidden ones are left out.
fn entries(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Error> {
    let unreadable = |error: std::io::Error| Error::file(path, format!("cannot be listed: {error}"));
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let entry = entry.path();
        if entry.is_dir() {
            folders.push(entry);
        } else if is_picture_name(&entry) {
            files.push(entry);
        }
    }
    files.sort();
    folders.sort();
    Ok((files, folders))
}

/// The first of each class, the second of each, and so on.
fn taking_turns(by_class: Vec<Vec<PathBuf>>) -> Vec<(PathBuf, usize)> {
    let mut queues: Vec<_> = by_class.into_iter().map(Vec::into_iter).collect();
    let mut pictures = Vec::new();
    loop {
        let before = pictures.len();
        for (class, queue) in queues.iter_mut().enumerate() {
            pictures.extend(queue.next().map(|file| (file, class)));
        }
        if pictures.len() == before {
            return pictures;
        }
    }
}
