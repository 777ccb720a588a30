//! What a model was run on and what was answered, in the arrays of a fixture: those of a model's inputs are `NAME/x`,
//! `NAME/x1` and so on, those of its outputs `NAME/y`, `NAME/y1`, each with the cases as its first axis.

use crate::arrays::Arrays;

/// Every case of a model.
pub struct Cases<Number> {
    /// Frames.
    pub count: usize,
    /// Of each input.
    xs: Vec<Vec<Number>>,
    /// Of each output.
    ys: Vec<Vec<Number>>,
}

impl<Number> Cases<Number> {
    /// Of the model of that name, if there is one; `numbers` reads an array's bytes.
    pub fn load(arrays: &Arrays, name: &str, numbers: fn(Vec<u8>) -> Vec<Number>) -> Option<Cases<Number>> {
        let (shape, _) = arrays.array(&format!("{name}/x"))?;
        let all = |letter: &str| {
            let places = std::iter::once(String::new()).chain((1..).map(|place: usize| place.to_string()));
            let arrays = places.map_while(|place| arrays.array(&format!("{name}/{letter}{place}")));
            arrays.map(|(_, bytes)| numbers(bytes)).collect()
        };
        Some(Cases { count: shape[0] as usize, xs: all("x"), ys: all("y") })
    }

    /// What each input takes, `[row][column][channel]`.
    pub fn frames(&self, case: usize) -> Vec<&[Number]> {
        self.xs.iter().map(|x| self.part(x, case)).collect()
    }

    /// What was answered, output by output.
    pub fn answers(&self, case: usize) -> Vec<&[Number]> {
        self.ys.iter().map(|y| self.part(y, case)).collect()
    }

    fn part<'a>(&self, values: &'a [Number], case: usize) -> &'a [Number] {
        let length = values.len() / self.count;
        &values[case * length..][..length]
    }
}
