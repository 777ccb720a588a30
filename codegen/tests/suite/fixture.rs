//! Reads `tests/fixtures/tflite/*.npz`; its README has the format.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::arrays::Arrays;

/// A `.tflite` file, and what LiteRT's reference kernels computed with it.
pub struct Model {
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// Names of its operators, in their order.
    pub operators: Vec<String>,
    /// Tensors that flow.
    pub tensors: Vec<Stored>,
    /// Which of `tensors` is the input as this project takes it: after a QUANTIZE of float.
    frame: usize,
    /// Which of `tensors` is the output as this project gives it: before a conversion at the end.
    answer: usize,
}

/// One tensor of every case.
pub struct Stored {
    pub name: String,
    /// NumPy's name of its type.
    pub element: String,
    /// The cases, and the extents of each.
    pub shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    pub fn case(&self, case: usize) -> &[u8] {
        let length = self.bytes.len() / self.shape[0];
        &self.bytes[case * length..][..length]
    }
}

impl Model {
    pub fn cases(&self) -> usize {
        self.tensors[self.frame].shape[0]
    }

    /// Extents of a frame.
    pub fn frame_shape(&self) -> &[usize] {
        &self.tensors[self.frame].shape[1..]
    }

    pub fn frame(&self, case: usize) -> &[u8] {
        self.tensors[self.frame].case(case)
    }

    pub fn answer(&self) -> &Stored {
        &self.tensors[self.answer]
    }
}

/// Where the groups are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tflite")
}

/// The models of a group.
pub fn group(name: &str) -> Vec<Model> {
    let arrays = Arrays::open(&folder().join(name).with_extension("npz"));
    let models: Value = serde_json::from_slice(&arrays.bytes("models")).expect("JSON");
    list(&models).iter().map(|model| load(&arrays, model)).collect()
}

fn load(arrays: &Arrays, model: &Value) -> Model {
    let name = text(&model["name"]);
    let places: Vec<&Value> = list(&model["tensors"]).iter().map(|tensor| &tensor["place"]).collect();
    let at = |key: &str| places.iter().position(|&place| *place == model[key]).expect("one of the tensors");
    Model {
        bytes: arrays.bytes(&name),
        operators: list(&model["operators"]).iter().map(text).collect(),
        tensors: list(&model["tensors"]).iter().map(|tensor| stored(arrays, &name, tensor)).collect(),
        frame: at("frame"),
        answer: at("answer"),
        name,
    }
}

fn stored(arrays: &Arrays, model: &str, tensor: &Value) -> Stored {
    let (shape, bytes) = arrays.array(&format!("{model}/{}", tensor["place"])).expect("the values of every tensor");
    let shape = shape.iter().map(|&extent| extent as usize).collect();
    Stored { name: text(&tensor["name"]), element: text(&tensor["element"]), shape, bytes }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
