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
    /// Of each input.
    xs: Vec<Vec<f32>>,
    /// Of each output.
    ys: Vec<Vec<f32>>,
}

impl Model {
    /// What each input takes, `[row][column][channel]`.
    pub fn frames(&self, case: usize) -> Vec<&[f32]> {
        self.xs.iter().map(|x| part(x, case, self.cases)).collect()
    }

    /// What the first input takes.
    pub fn frame(&self, case: usize) -> &[f32] {
        self.frames(case)[0]
    }

    /// What Keras answered at the first output.
    pub fn answer(&self, case: usize) -> &[f32] {
        self.answers(case)[0]
    }

    /// What Keras answered, output by output.
    pub fn answers(&self, case: usize) -> Vec<&[f32]> {
        self.ys.iter().map(|y| part(y, case, self.cases)).collect()
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
    let (shape, _) = arrays.array(&format!("{name}/x"))?;
    let all = |letter: &str| {
        let numbers = std::iter::once(String::new()).chain((1..).map(|number: usize| number.to_string()));
        let arrays = numbers.map_while(|number| arrays.array(&format!("{name}/{letter}{number}")));
        arrays.map(|(_, bytes)| floats(&bytes)).collect()
    };
    let (xs, ys) = (all("x"), all("y"));
    let files = ["keras", "h5"].into_iter().filter_map(|ending| {
        let (_, bytes) = arrays.array(&format!("{name}.{ending}"))?;
        Some((ending, bytes))
    });
    let files = files.collect();
    Some(Model { files, cases: shape[0] as usize, xs, ys, name })
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}
