//! Frames for a model, with or without labels, and what it answers to them.

use std::path::Path;

use microception_codegen::data::picture::Fit;
use microception_codegen::data::{Examples, Interface, Output, Purpose};
use microception_codegen::error::Error;

use super::progress;
use super::runner::Runner;
use super::settings::warn;

/// The frames at `path`, what is to be said of them told.
pub fn open(path: &Path, interface: &Interface, fit: Fit) -> Result<Examples, Error> {
    let examples = Examples::open_all(path, &interface.inputs, Purpose::Measurement, fit)?;
    warn(examples.warning().map(str::to_owned).as_slice());
    Ok(examples)
}

/// How many of so many frames a `--limit` leaves.
pub fn limited(frames: usize, limit: Option<u64>) -> usize {
    frames.min(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// What is answered to the first `count` frames, each one's bytes; a bar of that `title` shows how far it is.
pub fn answers(
    runner: &mut Runner,
    examples: &Examples,
    count: usize,
    title: &'static str,
) -> Result<Vec<Vec<u8>>, Error> {
    let bar = progress::bar(title, count);
    let answers = runner.outputs(count, |index| examples.frame(index), || bar.inc(1));
    bar.finish_and_clear();
    answers
}

/// Frames that one model is measured on, the class of each, and the output that says it.
#[derive(Debug)]
pub struct LabelledFrames {
    /// All there are.
    pub examples: Examples,
    /// The class of each.
    pub classes: Vec<usize>,
    /// One value per class.
    pub output: Output,
    /// How many are measured, from the front.
    pub count: usize,
}

impl LabelledFrames {
    /// The data at `path`, for an `output` of classes.
    pub fn open(
        path: &Path,
        interface: &Interface,
        output: &Output,
        limit: Option<u64>,
    ) -> Result<LabelledFrames, Error> {
        let examples = open(path, interface, Fit::Exact)?;
        let classes = examples.classes(&interface.labels, output.classes())?;
        let count = limited(examples.len(), limit);
        Ok(LabelledFrames { examples, classes, output: output.clone(), count })
    }
}
