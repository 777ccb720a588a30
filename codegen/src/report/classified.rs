//! How labelled data is classified: accuracy, which classes are taken for which, and the frames that went most wrong.

use serde::Serialize;

use super::image::Image;
use crate::convert::Precision;
use crate::data::Output;

/// How many frames that went wrong are shown.
pub const SHOWN: usize = 24;

/// A model, in one or two precisions, on labelled data.
#[derive(Debug, Clone, Serialize)]
pub struct Classified {
    /// The data's name.
    pub data: String,
    /// Each precision; that of the report comes last.
    pub runs: Vec<Run>,
    /// The frames that went most wrong in the precision of the report: those whose class got least.
    pub worst: Vec<Wrong>,
}

/// One precision.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Which.
    pub precision: Precision,
    /// Frames that were taken for what they are.
    pub correct: usize,
    /// Frames.
    pub total: usize,
    /// The one over the other.
    pub accuracy: f64,
    /// Per class, and per class that it was taken for, how many frames.
    pub confusion: Vec<Vec<usize>>,
}

/// A frame that was taken for something else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wrong {
    /// Its index in the data.
    pub frame: usize,
    /// The class that it is of.
    pub class: usize,
    /// What that class got.
    pub value: f32,
    /// The class that it was taken for.
    pub taken_for: usize,
    /// What that one got.
    pub taken_value: f32,
    /// The frame, where it is a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<Image>,
}

impl Run {
    /// Of the outputs' bytes and the classes of the frames.
    pub fn of(precision: Precision, output: &Output, outputs: &[Vec<u8>], classes: &[usize]) -> Run {
        let count = output.classes();
        let mut confusion = vec![vec![0; count]; count];
        for (bytes, &class) in outputs.iter().zip(classes) {
            confusion[class][output.class(bytes)] += 1;
        }
        let correct = (0..count).map(|class| confusion[class][class]).sum();
        let total = outputs.len();
        Run { precision, correct, total, accuracy: correct as f64 / total.max(1) as f64, confusion }
    }
}

/// The frames that went most wrong: those whose class got least come first, at most [`SHOWN`].
///
/// ```
/// use microception_codegen::data::Output;
/// use microception_codegen::graph::{Element, Shape};
/// use microception_codegen::report::classified::worst;
/// let output = Output { shape: Shape(vec![2]), element: Element::F32, quantization: None };
/// let bytes = |values: [f32; 2]| values.into_iter().flat_map(f32::to_ne_bytes).collect::<Vec<_>>();
/// let outputs = [bytes([0.6, 0.4]), bytes([0.9, 0.1]), bytes([0.8, 0.2])];
/// let wrong = worst(&output, &outputs, &[1, 1, 0]);
/// assert_eq!(wrong.iter().map(|wrong| (wrong.frame, wrong.taken_for)).collect::<Vec<_>>(), [(1, 0), (0, 0)]);
/// ```
pub fn worst(output: &Output, outputs: &[Vec<u8>], classes: &[usize]) -> Vec<Wrong> {
    let wrong = outputs.iter().zip(classes).enumerate().filter_map(|(frame, (bytes, &class))| {
        let ranked = output.ranked(bytes);
        let &(taken_for, taken_value) = ranked.first()?;
        let value = ranked.iter().find(|(other, _)| *other == class).map_or(0.0, |&(_, value)| value);
        (taken_for != class).then_some(Wrong { frame, class, value, taken_for, taken_value, picture: None })
    });
    let mut wrong: Vec<Wrong> = wrong.collect();
    let margin = |wrong: &Wrong| wrong.value - wrong.taken_value;
    wrong.sort_by(|first, second| {
        first
            .value
            .total_cmp(&second.value)
            .then(margin(first).total_cmp(&margin(second)))
            .then(first.frame.cmp(&second.frame))
    });
    wrong.truncate(SHOWN);
    wrong
}
