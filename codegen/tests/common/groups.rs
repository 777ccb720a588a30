//! The groups of a folder of fixtures: one `.npz` file each.

use std::path::Path;

/// Their names, in order.
pub fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("the fixtures are in the repository");
    let files = files.map(|entry| entry.expect("readable").path());
    let mut names: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "npz"))
        .map(|file| file.file_stem().expect("a file").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
