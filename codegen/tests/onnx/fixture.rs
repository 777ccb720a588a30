//! Reads `tests/fixtures/onnx/*.npz`; its README has the format.

#[path = "../common/cases.rs"]
mod cases;

use std::path::{Path, PathBuf};

use crate::arrays::Arrays;
use cases::Cases;

/// A model, and what onnxruntime computed with it.
pub struct Model {
    pub name: String,
    /// The `.onnx` file.
    pub file: Vec<u8>,
    /// Frames, and what onnxruntime answered, channels last: the bytes of f32, or of int8 as they are stored.
    pub cases: Cases<u8>,
}

/// Where the groups are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/onnx")
}

/// The models of a group.
pub fn group(name: &str) -> Vec<Model> {
    let arrays = Arrays::open(&folder().join(name).with_extension("npz"));
    // Numbers that are missing are models that onnxruntime does not quantize.
    (0..100).filter_map(|index| load(&arrays, format!("{name}_{index:02}"))).collect()
}

fn load(arrays: &Arrays, name: String) -> Option<Model> {
    let cases = Cases::load(arrays, &name, |bytes| bytes)?;
    let file = arrays.bytes(&format!("{name}/onnx"));
    Some(Model { file, cases, name })
}
