//! Reads `tests/fixtures/conformance/*.npz`; its README has the format.

use std::path::{Path, PathBuf};

use crate::arrays::Arrays;

/// A Keras model, and what Keras computed with it.
pub struct Model {
    pub name: String,
    /// Its files, by their endings.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// Frames.
    pub cases: usize,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Model {
    /// What the model takes, `[row][column][channel]`.
    pub fn frame(&self, case: usize) -> &[f32] {
        part(&self.x, case, self.cases)
    }

    /// What Keras answered.
    pub fn answer(&self, case: usize) -> &[f32] {
        part(&self.y, case, self.cases)
    }
}

fn part(values: &[f32], case: usize, cases: usize) -> &[f32] {
    let length = values.len() / cases;
    &values[case * length..][..length]
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
    let (shape, x) = arrays.array(&format!("{name}/x"))?;
    let files = ["keras", "h5"].into_iter().filter_map(|ending| {
        let (_, bytes) = arrays.array(&format!("{name}.{ending}"))?;
        Some((ending, bytes))
    });
    let files = files.collect();
    let y = floats(&arrays.bytes(&format!("{name}/y")));
    Some(Model { files, cases: shape[0] as usize, x: floats(&x), y, name })
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}
