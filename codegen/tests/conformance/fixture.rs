//! Reads `tests/fixtures/conformance/*.npz`; its README has the format.

#[path = "../common/cases.rs"]
mod cases;

use std::path::{Path, PathBuf};

use crate::arrays::Arrays;
use cases::Cases;

/// A Keras model, and what Keras computed with it.
pub struct Model {
    pub name: String,
    /// Its files, by their endings.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// Frames, and what Keras answered.
    pub cases: Cases<f32>,
}

impl Model {
    /// What the first input takes.
    pub fn frame(&self, case: usize) -> &[f32] {
        self.cases.frames(case)[0]
    }

    /// What Keras answered at the first output.
    pub fn answer(&self, case: usize) -> &[f32] {
        self.cases.answers(case)[0]
    }
}

/// Where the groups are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/conformance")
}

/// The models of a group.
pub fn group(name: &str) -> Vec<Model> {
    let arrays = Arrays::open(&folder().join(name).with_extension("npz"));
    (0..).map_while(|index| load(&arrays, format!("{name}_{index:02}"))).collect()
}

fn load(arrays: &Arrays, name: String) -> Option<Model> {
    let cases = Cases::load(arrays, &name, floats)?;
    let files = ["keras", "h5"].into_iter().filter_map(|ending| {
        let (_, bytes) = arrays.array(&format!("{name}.{ending}"))?;
        Some((ending, bytes))
    });
    let files = files.collect();
    Some(Model { files, cases, name })
}

fn floats(bytes: Vec<u8>) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}
