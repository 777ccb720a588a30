//! The whole path from a model's file to a Rust module, as one call: for the command `microception convert`,
//! and for a `build.rs`.
//!
//! ```no_run
//! // build.rs
//! use microception_codegen::Convert;
//!
//! fn main() {
//!     Convert::new("model.keras").calibration("ranges.json").in_build_script("model.rs");
//! }
//! ```
//!
//! ```text
//! // src/main.rs
//! mod model {
//!     include!(concat!(env!("OUT_DIR"), "/model.rs"));
//! }
//! ```
//!
//! `codegen/examples/build_script` in the repository is a whole crate of this kind.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::data::picture::Fit;
use crate::data::{Examples, Input, Output, Purpose, read_labels, write};
use crate::emit::{self, Module, Sections};
use crate::error::Error;
use crate::graph::{Element, Graph, Operator, Weights};
use crate::optimize::{Goal, Optimize, planned_graph};
use crate::plan::Strategy;
use crate::quantize::{Elements, Method, Ranges, calibrate, choose, equalize, int4_layers, quantize_mixed, weighted};
use crate::{passes, read};

/// What is done where nothing is said.
const METHOD: Method = Method::MinMax;
const EQUALIZE: bool = true;
const CORRECT_BIAS: bool = true;

/// The arithmetic of a converted model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// IEEE single precision.
    F32,
    /// Eight bits, as the TensorFlow Lite 8-bit specification has it.
    Int8,
    /// Activations of sixteen bits and weights of eight.
    Int16x8,
    /// As `Int8`, with weights of four bits, but for [some layers](crate::quantize::int4_layers).
    Int4,
    /// As `Int8`, with weights of four bits in every layer.
    #[serde(rename = "int4-all")]
    Int4All,
    /// Several of these, layer by layer. What a graph is in, not what it can be converted to.
    Mixed,
}

impl Precision {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Int8 => "int8",
            Precision::Int16x8 => "int16x8",
            Precision::Int4 => "int4",
            Precision::Int4All => "int4-all",
            Precision::Mixed => "mixed",
        }
    }

    /// What activations are in memory.
    fn element(self) -> Element {
        match self {
            Precision::F32 => Element::F32,
            Precision::Int8 | Precision::Int4 | Precision::Int4All | Precision::Mixed => Element::I8,
            Precision::Int16x8 => Element::I16,
        }
    }

    /// What a graph is in.
    pub fn of(graph: &Graph) -> Precision {
        let mut elements: Vec<Element> = graph
            .layers
            .iter()
            .filter(|layer| !matches!(layer.operator, Operator::Requantize { .. }))
            .map(|layer| graph.tensor(layer.output).element)
            .collect();
        elements.dedup();
        match elements[..] {
            [Element::I8 | Element::U8] => {
                let mut weights =
                    graph.layers.iter().filter_map(|layer| layer.operator.weights()).map(|(weights, _)| weights);
                let is_int4 = |weights: &Weights| matches!(weights, Weights::I4 { .. });
                match (weights.clone().any(is_int4), weights.all(is_int4)) {
                    (false, _) => Precision::Int8,
                    (true, false) => Precision::Int4,
                    (true, true) => Precision::Int4All,
                }
            }
            [Element::I16] => Precision::Int16x8,
            [Element::F32] | [] => Precision::F32,
            _ => Precision::Mixed,
        }
    }
}

/// Told how many frames of how many calibration is through.
type Progress = Box<dyn Fn(usize, usize)>;

/// A conversion, to be set up and then done by [`to_file`](Convert::to_file),
/// [`to_out_dir`](Convert::to_out_dir) or one of the others.
pub struct Convert {
    model: PathBuf,
    precision: Option<Precision>,
    kept: Vec<(String, Precision)>,
    calibration: Option<PathBuf>,
    method: Option<Method>,
    equalize: Option<bool>,
    correct_bias: Option<bool>,
    auto_mixed: Option<f64>,
    save_ranges: Option<PathBuf>,
    labels: Option<PathBuf>,
    strategy: Option<Strategy>,
    optimize: Optimize,
    sections: Sections,
    progress: Option<Progress>,
}

/// A graph that is ready to be planned, and what was found on the way.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// After the passes, and quantized where that was asked for.
    pub graph: Graph,
    /// Trained numbers of each layer: quantization adds biases that are zero.
    pub parameters: Vec<usize>,
    /// The ranges that it was quantized with.
    pub ranges: Option<Ranges>,
    /// What the user should know though it went well.
    pub warnings: Vec<String>,
}

/// The figures of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerFigures {
    /// The layer's name in the model.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// Extents of what it makes.
    pub output: Vec<usize>,
    /// Trained numbers, biases included, batch normalization folded.
    pub parameters: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Bytes of weights, biases, factors and tables.
    pub weight_bytes: usize,
}

/// The figures of a converted model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The model's name.
    pub model: String,
    /// Its arithmetic.
    pub precision: Precision,
    /// Each layer, in the order of execution.
    pub layers: Vec<LayerFigures>,
    /// Trained numbers of all layers.
    pub parameters: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Bytes of weights, biases, factors and tables.
    pub weight_bytes: usize,
    /// Bytes of the plan: steps, addresses, lengths of rows.
    pub step_bytes: usize,
    /// Bytes of constant data in flash: weights and plan. Code comes on top.
    pub flash_bytes: usize,
    /// Bytes of arena, scratch included.
    pub arena_bytes: usize,
    /// Steps of one inference; of an endless plan, all that are stored.
    pub steps: usize,
    /// Of an endless plan: input rows after which its steps repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_rows: Option<usize>,
    /// The classes' names.
    pub labels: Vec<String>,
    /// What the user should know though it went well.
    pub warnings: Vec<String>,
}

impl Convert {
    /// A conversion of the model in that file. Without further settings: f32, kernels of the least flash
    /// ([`Optimize::Size`]) in a balanced plan, and the class names in `labels.txt` beside the model, if there is such a file.
    pub fn new(model: impl Into<PathBuf>) -> Convert {
        Convert {
            model: model.into(),
            precision: None,
            kept: Vec::new(),
            calibration: None,
            method: None,
            equalize: None,
            correct_bias: None,
            auto_mixed: None,
            save_ranges: None,
            labels: None,
            strategy: None,
            optimize: Optimize::default(),
            sections: Sections::default(),
            progress: None,
        }
    }

    /// The arithmetic: int8 where there is calibration data and nothing is said here, f32 otherwise.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Convert {
        self.precision = Some(precision);
        self
    }

    /// Another arithmetic for the layer of that name, with conversions around it: f32 or int16x8 among int8, say. What is fused
    /// with it goes with it, and so does what only moves or pools what it makes.
    #[must_use]
    pub fn keep(mut self, layer: impl Into<String>, precision: Precision) -> Convert {
        self.kept.push((layer.into(), precision));
        self
    }

    /// Keeps layers in more bits until less than so many points are lost: of 100 calibration frames, so many are taken for another
    /// class than in f32. The layers that lose most come first.
    #[must_use]
    pub fn auto_mixed(mut self, points: f64) -> Convert {
        self.auto_mixed = Some(points);
        self
    }

    /// Where the ranges of the activations come from, for int8 and int16x8: a ranges file, or data that the model is run on:
    /// `.npy`, `.npz`, or a folder of pictures; of a model with several inputs, an `.npz` with an array for each, by their
    /// names. Never the data that accuracy is measured with.
    #[must_use]
    pub fn calibration(mut self, source: impl Into<PathBuf>) -> Convert {
        self.calibration = Some(source.into());
        self
    }

    /// How ranges are chosen from calibration data; [`Method::MinMax`] where nothing is said.
    #[must_use]
    pub fn method(mut self, method: Method) -> Convert {
        self.method = Some(method);
        self
    }

    /// Whether channels' scales are moved between layers before calibration ([`equalize`](crate::quantize::equalize())).
    /// Ranges files say themselves whether theirs are of the equalized graph.
    #[must_use]
    pub fn equalize(mut self, equalize: bool) -> Convert {
        self.equalize = Some(equalize);
        self
    }

    /// Whether biases take back what rounded weights add in the mean, where calibration knows the means.
    #[must_use]
    pub fn correct_bias(mut self, correct_bias: bool) -> Convert {
        self.correct_bias = Some(correct_bias);
        self
    }

    /// Keeps the ranges in a file, which then serves as [`calibration`](Convert::calibration).
    #[must_use]
    pub fn save_ranges(mut self, path: impl Into<PathBuf>) -> Convert {
        self.save_ranges = Some(path.into());
        self
    }

    /// A file with the classes' names, one per line, in the order of the model's output.
    #[must_use]
    pub fn labels(mut self, path: impl Into<PathBuf>) -> Convert {
        self.labels = Some(path.into());
        self
    }

    /// What the plan is to be good at; where nothing is said, what goes with [`optimize`](Convert::optimize).
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Convert {
        self.strategy = Some(strategy);
        self
    }

    /// What the kernels are to be good at, where time and memory pull apart.
    #[must_use]
    pub fn optimize(mut self, optimize: Optimize) -> Convert {
        self.optimize = optimize;
        self
    }

    /// Where the linker puts weights, biases, factors and tables: a section that the program's linker script places, as
    /// in external flash. Where it is RAM, start-up code has to fill it.
    #[must_use]
    pub fn weights_section(mut self, name: impl Into<String>) -> Convert {
        self.sections.weights = Some(name.into());
        self
    }

    /// Where the linker puts the arena, as in fast RAM. The program declares it in the module's macro:
    ///
    /// ```text
    /// model::in_arena_section! {
    ///     static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());
    /// }
    /// ```
    ///
    /// The section has to hold zeros when the program begins; one whose name begins with `.bss.` takes no flash.
    #[must_use]
    pub fn arena_section(mut self, name: impl Into<String>) -> Convert {
        self.sections.arena = Some(name.into());
        self
    }

    /// What plan and kernels are to be good at: for [`crate::host`].
    pub fn goal(&self) -> Goal {
        let Goal { strategy, optimize } = self.optimize.into();
        Goal { strategy: self.strategy.unwrap_or(strategy), optimize }
    }

    /// Calls `progress` with the number of frames done and of all frames while it calibrates.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(usize, usize) + 'static) -> Convert {
        self.progress = Some(Box::new(progress));
        self
    }

    /// The model's file.
    pub fn model(&self) -> &Path {
        &self.model
    }

    /// Reads, rewrites and quantizes, without a plan: what [`crate::host`] runs.
    ///
    /// # Errors
    /// When the model, its labels or the calibration data can't be used.
    pub fn prepare(&self) -> Result<Prepared, Error> {
        let graph = read::read(&self.model)?;
        let mut warnings = Vec::new();
        let in_file = |error: Error| error.in_file(&self.model);
        let graph = passes::run(graph).map_err(in_file)?;
        let parameters = parameters(&graph);
        let (graph, ranges) = self.quantized(graph, &mut warnings).map_err(in_file)?;
        Ok(Prepared { graph, parameters, ranges, warnings })
    }

    fn quantized(&self, mut graph: Graph, warnings: &mut Vec<String>) -> Result<(Graph, Option<Ranges>), Error> {
        if let Some(file) = self.labels_file() {
            graph.labels = labels(&file, &Output::of(&graph))?;
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
            Precision::F32 if self.save_ranges.is_some() => {
                Err(Error::model("there are no ranges to save without calibration data (--calibration)"))
            }
            Precision::F32 if !self.kept.is_empty() => Err(Error::model(
                "is in f32 as a whole, and layers are kept in another precision than that of all: give --precision",
            )),
            Precision::F32 => Ok((graph, None)),
            Precision::Mixed => Err(Error::model("can be mixed by the layers that are kept (--keep) only")),
            Precision::Int8 | Precision::Int16x8 | Precision::Int4 | Precision::Int4All => {
                let (graph, ranges) = self.ranges(graph, warnings)?;
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
    fn ranges(&self, graph: Graph, warnings: &mut Vec<String>) -> Result<(Graph, Ranges), Error> {
        let Some(source) = &self.calibration else {
            return Err(Error::model(
                "int8 needs the ranges of the activations: give --calibration with training data (.npz, .npy, a folder \
                 of pictures) or a ranges file",
            ));
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

    /// The given file with class names, or the one beside the model.
    fn labels_file(&self) -> Option<PathBuf> {
        let beside = || Some(self.model.parent()?.join("labels.txt")).filter(|file| file.is_file());
        self.labels.clone().or_else(beside)
    }

    /// Makes the module's text, without writing a file.
    ///
    /// # Errors
    /// When anything given can't be used.
    pub fn to_module(&self) -> Result<(Module, Summary), Error> {
        let (module, summary, _) = self.module()?;
        Ok((module, summary))
    }

    /// Makes the module's text of a graph that [`prepare`](Convert::prepare) has made.
    ///
    /// # Errors
    /// When it can't be planned.
    pub fn to_module_of(&self, prepared: &Prepared) -> Result<(Module, Summary), Error> {
        let module = emit::module_in(&prepared.graph, self.goal(), &self.sections);
        let module = module.map_err(|error| error.in_file(&self.model))?;
        let graph = planned_graph(&prepared.graph, self.goal().strategy).map_err(|error| error.in_file(&self.model))?;
        let summary = Summary::of(prepared, &graph, &module);
        Ok((module, summary))
    }

    fn module(&self) -> Result<(Module, Summary, Option<Ranges>), Error> {
        let prepared = self.prepare()?;
        let (module, summary) = self.to_module_of(&prepared)?;
        Ok((module, summary, prepared.ranges))
    }

    /// Writes the module to a file. On any error the file is what it was before.
    ///
    /// # Errors
    /// When anything given can't be used, or the file can't be written.
    pub fn to_file(&self, path: impl AsRef<Path>) -> Result<Summary, Error> {
        let path = path.as_ref();
        // Calibration may take minutes: what can't be written is said before.
        let read = [Some(&*self.model), self.calibration.as_deref(), self.labels.as_deref()];
        for path in [Some(path), self.save_ranges.as_deref()].into_iter().flatten() {
            write::check(path)?;
            if read.into_iter().flatten().any(|read| write::is_same_file(path, read)) {
                return Err(Error::file(path, "cannot be written: the conversion reads it"));
            }
        }
        if self.save_ranges.as_deref() == Some(path) {
            return Err(Error::file(path, "cannot be both the module and the ranges"));
        }
        let (module, summary, ranges) = self.module()?;
        if let (Some(ranges), Some(file)) = (ranges, &self.save_ranges) {
            ranges.save(file)?;
        }
        write::whole(path, module.text.as_bytes())?;
        Ok(summary)
    }

    /// Writes the module to the file of that name in a build script's `OUT_DIR`, and tells cargo which files it
    /// depends on.
    ///
    /// # Errors
    /// As [`to_file`](Convert::to_file), and outside of a build script.
    pub fn to_out_dir(&self, name: &str) -> Result<Summary, Error> {
        let folder = std::env::var_os("OUT_DIR")
            .ok_or_else(|| Error::model("OUT_DIR is not set: to_out_dir is for build scripts, to_file for all else"))?;
        // Before anything can fail: a build that failed is repeated when a file changes.
        let files = [Some(self.model.clone()), self.calibration.clone(), self.labels_file()];
        for file in files.into_iter().flatten() {
            println!("cargo::rerun-if-changed={}", file.display());
        }
        let summary = self.to_file(Path::new(&folder).join(name))?;
        for warning in &summary.warnings {
            println!("cargo::warning={warning}");
        }
        Ok(summary)
    }

    /// [`to_out_dir`](Convert::to_out_dir) for a build script that does nothing else: where it fails, cargo says why, and the
    /// build ends.
    pub fn in_build_script(&self, name: &str) {
        if let Err(error) = self.to_out_dir(name) {
            // Cargo takes the first line alone.
            println!("cargo::error={}", error.to_string().replace('\n', " "));
            std::process::exit(1);
        }
    }
}

/// The names in a labels file, if they are as many as the model's classes.
fn labels(file: &Path, output: &Output) -> Result<Vec<String>, Error> {
    let names = read_labels(file)?;
    if names.len() == output.classes() {
        return Ok(names);
    }
    Err(Error::file(
        file,
        format!(
            "names {} classes, and the model tells {} apart; --labels names another file",
            names.len(),
            output.classes()
        ),
    ))
}

/// Whether a file holds ranges, which is JSON, where data never begins with a brace. What can't be read is left to
/// whoever reads all of it.
fn is_ranges_file(path: &Path) -> bool {
    let mut start = Vec::new();
    let file = path.is_file().then(|| File::open(path).ok()).flatten();
    file.is_some_and(|file| file.take(64).read_to_end(&mut start).is_ok()) && start.trim_ascii_start().starts_with(b"{")
}

/// Trained numbers of each layer.
pub fn parameters(graph: &Graph) -> Vec<usize> {
    graph.layers.iter().map(|layer| graph.parameters(layer)).collect()
}

impl LayerFigures {
    /// Of each layer of a graph that has gone through the [passes], with its trained numbers and weight bytes.
    pub fn of(graph: &Graph, parameters: &[usize], weight_bytes: &[usize]) -> Vec<LayerFigures> {
        let layers = graph.layers.iter().zip(parameters).zip(weight_bytes);
        layers
            .map(|((layer, &parameters), &weight_bytes)| LayerFigures {
                name: layer.name.clone(),
                kind: layer.operator.name(),
                output: graph.tensor(layer.output).shape.0.clone(),
                parameters,
                macs: graph.macs(layer),
                weight_bytes,
            })
            .collect()
    }
}

impl Summary {
    fn of(prepared: &Prepared, graph: &Graph, module: &Module) -> Summary {
        let layers = LayerFigures::of(graph, &prepared.parameters, &module.weight_bytes);
        let weight_bytes = module.weight_bytes.iter().sum();
        Summary {
            model: graph.name.clone(),
            precision: Precision::of(graph),
            parameters: layers.iter().map(|layer| layer.parameters).sum(),
            macs: layers.iter().map(|layer| layer.macs).sum(),
            weight_bytes,
            step_bytes: module.step_bytes,
            flash_bytes: weight_bytes + module.step_bytes,
            arena_bytes: module.plan.arena_bytes,
            steps: module.plan.steps.len(),
            period_rows: module.plan.period.map(|period| period.rows),
            labels: graph.labels.clone(),
            layers,
            warnings: prepared.warnings.clone(),
        }
    }
}
