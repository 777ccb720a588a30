//! Reads `tests/fixtures/onnx/*.npz`; its README has the format.

use std::path::{Path, PathBuf};

use crate::arrays::Arrays;

/// A model, and what onnxruntime computed with it.
pub struct Model {
    pub name: String,
    /// The `.onnx` file.
    pub file: Vec<u8>,
    /// Frames.
    pub cases: usize,
    /// Of each input, channels last: f32, or int8 as they are stored.
    xs: Vec<Vec<u8>>,
    /// Of each output, likewise.
    ys: Vec<Vec<u8>>,
}

impl Model {
    /// What the inputs take, one behind the other.
    pub fn frame(&self, case: usize) -> Vec<u8> {
        self.xs.iter().flat_map(|x| part(x, case, self.cases)).copied().collect()
    }

    /// What onnxruntime answered, output by output.
    pub fn answers(&self, case: usize) -> Vec<&[u8]> {
        self.ys.iter().map(|y| part(y, case, self.cases)).collect()
    }
}

fn part(values: &[u8], case: usize, cases: usize) -> &[u8] {
    let length = values.len() / cases;
    &values[case * length..][..length]
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
    let (shape, _) = arrays.array(&format!("{name}/x"))?;
    let all = |letter: &str| {
        let numbers = std::iter::once(String::new()).chain((1..).map(|number: usize| number.to_string()));
        let arrays = numbers.map_while(|number| arrays.array(&format!("{name}/{letter}{number}")));
        arrays.map(|(_, bytes)| bytes).collect()
    };
    let (xs, ys) = (all("x"), all("y"));
    let file = arrays.bytes(&format!("{name}/onnx"));
    Some(Model { file, cases: shape[0] as usize, xs, ys, name })
}
