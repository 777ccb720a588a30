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

mod precision;
mod quantized;
mod summary;

use std::path::{Path, PathBuf};

pub use precision::Precision;
pub use summary::{LayerFigures, ModelFigures, Summary, parameters};

use crate::data::{Output, read_labels, write};
use crate::emit::{self, Module, Sections, Stack};
use crate::error::Error;
use crate::graph::Graph;
use crate::optimize::{Goal, Optimize, planned_graph};
use crate::plan::Strategy;
use crate::quantize::{Method, Ranges};
use crate::{passes, read};

/// Told how many frames of how many calibration is through.
type Progress = Box<dyn Fn(usize, usize)>;

/// Builds a module somewhere and bounds the stack of `predict` there.
type BoundStack = Box<dyn Fn(&Module) -> Result<Stack, Error>>;

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
    bound_stack: Option<BoundStack>,
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
            bound_stack: None,
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

    /// States in the module how much stack `predict` takes at most, which `bound` finds out by building the module for a core: of the
    /// boards here, `device::stack::of_predict` does.
    #[must_use]
    pub fn bound_stack(mut self, bound: impl Fn(&Module) -> Result<Stack, Error> + 'static) -> Convert {
        self.bound_stack = Some(Box::new(bound));
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
    /// When it can't be planned, or its stack is to be stated and can't be bounded.
    pub fn to_module_of(&self, prepared: &Prepared) -> Result<(Module, Summary), Error> {
        let in_file = |error: Error| error.in_file(&self.model);
        let mut module = emit::module_in(&prepared.graph, self.goal(), &self.sections).map_err(in_file)?;
        let graph = planned_graph(&prepared.graph, self.goal().strategy).map_err(in_file)?;
        let stack = self.bound_stack.as_ref().map(|bound| bound(&module)).transpose()?;
        if let Some(stack) = &stack {
            module.state_stack(stack);
        }
        let summary = Summary { stack, ..Summary::of(prepared, &graph, &module) };
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
        let labels = self.labels_file();
        let read = [Some(&*self.model), self.calibration.as_deref(), labels.as_deref()];
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

/// The names in a labels file, if they are as many as the model's classes. `given` says whether the user named it, or it was found
/// beside the model.
fn labels(file: &Path, given: bool, output: &Output) -> Result<Vec<String>, Error> {
    let names = read_labels(file)?;
    if names.len() == output.classes() {
        return Ok(names);
    }
    let (named, told) = (names.len(), output.classes());
    Err(Error::file(
        file,
        match given {
            true => format!("names {named} classes, and the model tells {told} apart; --labels names another file"),
            false => format!(
                "lies beside the model and names {named} classes, and the model tells {told} apart; if it belongs to another \
                 model, move it away or name this one's with --labels"
            ),
        },
    ))
}
