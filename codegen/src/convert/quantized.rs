//! From a float graph to the arithmetic that is asked for.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Convert, Precision, labels};
use crate::data::picture::Fit;
use crate::data::{Examples, Input, Output, Purpose};
use crate::error::Error;
use crate::graph::Graph;
use crate::quantize::{Elements, Method, Ranges, calibrate, choose, equalize, int4_layers, quantize_mixed, weighted};

/// What is done where nothing is said.
const METHOD: Method = Method::MinMax;
const EQUALIZE: bool = true;
const CORRECT_BIAS: bool = true;

impl Convert {
    /// The graph in the precision that is asked for, and the ranges that it was quantized with.
    pub(super) fn quantized(
        &self,
        mut graph: Graph,
        warnings: &mut Vec<String>,
    ) -> Result<(Graph, Option<Ranges>), Error> {
        if let Some(file) = self.labels_file() {
            graph.labels = labels(&file, self.labels.is_some(), &Output::of(&graph))?;
        }
        let choices = self.method.is_some() || self.equalize.is_some() || self.correct_bias.is_some();
        if choices && self.calibration.is_none() {
            let reason = "--range, --equalize and --correct-bias do nothing without calibration data (--calibration)";
            warnings.push(format!("{}: {reason}", self.model.display()));
        }
        let default = if self.calibration.is_some() { Precision::Int8 } else { Precision::F32 };
        let (found, asked) = (Precision::of(&graph), self.precision.unwrap_or(default));
        if found != Precision::F32 {
            if self.calibration.is_some() || !self.kept.is_empty() {
                return Err(Error::model(
                    "is quantized already, so there is nothing to calibrate, and no layer to keep",
                ));
            }
            return match self.precision {
                Some(Precision::F32) => Err(Error::model("is quantized already; its f32 weights are gone")),
                // A model with nothing but weights of four bits has no layers that could have others.
                Some(asked) if asked != found && (found, asked) != (Precision::Int4All, Precision::Int4) => {
                    let (found, asked) = (found.name(), asked.name());
                    Err(Error::model(format!("is quantized already, to {found}; only a float model becomes {asked}")))
                }
                _ => Ok((graph, None)),
            };
        }
        match asked {
            Precision::F32 if self.save_ranges.is_some() => Err(Error::model(match self.calibration {
                Some(_) => "f32 has no ranges to save: leave --save-ranges out, or give another --precision",
                None => "there are no ranges to save without calibration data (--calibration)",
            })),
            Precision::F32 if !self.kept.is_empty() => Err(Error::model(
                "is in f32 as a whole, and layers are kept in another precision than that of all: give --precision",
            )),
            Precision::F32 => Ok((graph, None)),
            Precision::Mixed => Err(Error::model("can be mixed by the layers that are kept (--keep) only")),
            Precision::Int8 | Precision::Int16x8 | Precision::Int4 | Precision::Int4All => {
                let (graph, ranges) = self.ranges(graph, asked, warnings)?;
                let mut elements = self.elements(&graph, asked);
                if let Some(points) = self.auto_mixed {
                    elements = self.mixed(&graph, &ranges, &elements, points, warnings)?;
                }
                Ok((quantize_mixed(&graph, &ranges, &elements)?, Some(ranges)))
            }
        }
    }

    /// What each layer computes with.
    fn elements(&self, graph: &Graph, precision: Precision) -> Elements {
        let mut elements = Elements::all(precision.element());
        let int4 = match precision {
            Precision::Int4 => int4_layers(graph),
            Precision::Int4All => weighted(graph),
            _ => BTreeSet::new(),
        };
        int4.into_iter().for_each(|index| elements.shorten(&graph.layers[index].name));
        for (layer, precision) in &self.kept {
            elements.keep(layer, precision.element());
        }
        elements
    }

    /// The layers that have to be kept for less than so many points to be lost on the calibration data.
    fn mixed(
        &self,
        graph: &Graph,
        ranges: &Ranges,
        elements: &Elements,
        points: f64,
        warnings: &mut Vec<String>,
    ) -> Result<Elements, Error> {
        let source = self.calibration.as_deref().filter(|source| !is_ranges_file(source));
        let source = source.ok_or_else(|| {
            Error::model("precision is mixed by itself on calibration data, of which a ranges file has none")
        })?;
        let examples = Examples::open_all(source, &Input::all(graph), Purpose::Calibration, Fit::Exact)?;
        let frames = (0..examples.len()).map(|index| examples.frame(index).map(|frame| frame.into_owned()));
        let frames: Vec<Vec<u8>> = frames.collect::<Result<_, _>>()?;
        let report = |done, total| {
            if let Some(progress) = &self.progress {
                progress(done, total);
            }
        };
        let chosen = choose(graph, ranges, elements, &frames, points, report)?;
        let kept: Vec<String> =
            chosen.elements.kept().map(|(layer, element)| format!("{layer} ({})", element.name())).collect();
        let kept = if kept.is_empty() { "no layer".to_owned() } else { kept.join(", ") };
        let (before, after) = (chosen.before, chosen.after);
        let short = if after < points { "" } else { ", no less with all that can be kept" };
        warnings.push(format!(
            "{before:.1} points are lost on the calibration data, {after:.1} with more bits for {kept}{short}"
        ));
        Ok(chosen.elements)
    }

    /// The ranges from their file, or from data that the graph is run on, and the graph that they are of.
    fn ranges(&self, graph: Graph, asked: Precision, warnings: &mut Vec<String>) -> Result<(Graph, Ranges), Error> {
        let Some(source) = &self.calibration else {
            return Err(Error::model(format!(
                "{} needs the ranges of the activations: give --calibration with training data (.npz, .npy, a folder \
                 of pictures) or a ranges file",
                asked.name()
            )));
        };
        if is_ranges_file(source) {
            if self.method.is_some() {
                return Err(Error::file(
                    source,
                    "holds ranges that are chosen already; --range goes with calibration data",
                ));
            }
            if self.equalize.is_some() {
                let reason =
                    "holds ranges of a graph that is equalized already or not; --equalize goes with calibration data";
                return Err(Error::file(source, reason));
            }
            let ranges = self.with_means(Ranges::load(source)?);
            return Ok((if ranges.equalized { equalize(&graph) } else { graph }, ranges));
        }
        let equalized = self.equalize.unwrap_or(EQUALIZE);
        let graph = if equalized { equalize(&graph) } else { graph };
        let examples = Examples::open_all(source, &Input::all(&graph), Purpose::Calibration, Fit::Exact)?;
        warnings.extend(examples.warning().map(str::to_owned));
        let total = examples.len();
        let report = |done| {
            if let Some(progress) = &self.progress {
                progress(done, total);
            }
        };
        let frames = (0..total).map(|index| examples.frame(index).map(|frame| frame.into_owned()));
        let mut ranges = calibrate(&graph, frames, self.method.unwrap_or(METHOD), report)?;
        ranges.equalized = equalized;
        ranges.source = source.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok((graph, self.with_means(ranges)))
    }

    /// The ranges with what biases are corrected by, where they are to be.
    fn with_means(&self, ranges: Ranges) -> Ranges {
        if self.correct_bias.unwrap_or(CORRECT_BIAS) { ranges } else { ranges.without_means() }
    }
}

/// Whether a file holds ranges, which is JSON, where data never begins with a brace. What can't be read is left to
/// whoever reads all of it.
fn is_ranges_file(path: &Path) -> bool {
    let mut start = Vec::new();
    let file = path.is_file().then(|| File::open(path).ok()).flatten();
    file.is_some_and(|file| file.take(64).read_to_end(&mut start).is_ok()) && start.trim_ascii_start().starts_with(b"{")
}
