//! `microception run`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{ArgGroup, Args};
use microception_codegen::convert::Prepared;
use microception_codegen::data::picture::Fit;
use microception_codegen::data::{Examples, Input, Output, Purpose, write};
use microception_codegen::error::Error;
use microception_codegen::graph::{Element, Shape};
use microception_codegen::optimize::planned_graph;
use microception_codegen::plan::Strategy;

use super::progress;
use super::runner::{self, Runner};
use super::settings::{Plan, Settings, warn};
use super::table::grouped;
use super::tensors;

/// How many classes are shown for a frame.
const BEST: usize = 3;

/// Runs a model on arrays or pictures
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("written").args(["output", "tensors"]).multiple(true)))]
pub struct Run {
    #[command(flatten)]
    settings: Settings,
    /// What it is run on: .npy, .npz (array x), a picture, or a folder of pictures. The numbers are the model's own
    /// input type, or real numbers that int8 models quantize. With --plan endless, an array of any number of rows
    #[arg(long, value_name = "DATA")]
    input: PathBuf,
    /// Where the output goes, with one more axis in front where the input is a list. Without it the best classes are
    /// shown
    #[arg(long, value_name = "FILE.npy")]
    output: Option<PathBuf>,
    /// Where every tensor goes that a layer makes, the input's and the output's among them: arrays with the tensors'
    /// names in the model (of several names that a .tflite joins by ";", the first), with one more axis in front where
    /// the input is a list. Of a float model these are the tensors after folding and fusing. On the host only: there
    /// memory is enough to keep them all, whatever the plan
    #[arg(long, value_name = "FILE.npz")]
    tensors: Option<PathBuf>,
    /// Writes real numbers, where an int8 model's tensors are int8 otherwise
    #[arg(long, requires = "written")]
    dequantize: bool,
    /// Turns pictures upright, cuts their centre out and resizes it, where they must have the model's size otherwise
    #[arg(long)]
    resize: bool,
    /// Where it runs
    #[arg(long, value_name = "BOARD", default_value = "host", value_parser = runner::names())]
    board: String,
}

impl Run {
    pub fn run(self) -> Result<String, Error> {
        self.check()?;
        let prepared = self.settings.prepare()?;
        if self.settings.plan == Some(Plan::Endless) {
            return self.stream(&prepared);
        }
        let graph = &prepared.graph;
        let fit = if self.resize { Fit::Resize } else { Fit::Exact };
        let examples = Examples::open(&self.input, &Input::of(graph), Purpose::Measurement, fit)?;
        warn(examples.warning().map(str::to_owned).as_slice());
        let tensors = match &self.tensors {
            Some(path) => Some(tensors::save(path, graph, &examples, self.dequantize)?),
            None => None,
        };
        if let (Some(text), None) = (&tensors, &self.output) {
            return Ok(text.clone());
        }
        let mut runner = Runner::new(&prepared, &self.settings, &self.board)?;
        let bar = progress::bar("running", examples.len());
        let outputs = runner.outputs(examples.len(), |index| examples.frame(index), || bar.inc(1));
        bar.finish_and_clear();
        let (output, outputs) = (Output::of(graph), outputs?);
        let text = match &self.output {
            Some(path) => self.save(path, &output, &outputs, examples.is_list())?,
            None => {
                let name = |index: usize| {
                    examples.file(index).map_or_else(|| index.to_string(), |file| file.display().to_string())
                };
                best(name, &output, &outputs, &graph.labels)
            }
        };
        Ok([tensors, Some(text)].into_iter().flatten().collect::<Vec<_>>().join("\n"))
    }

    /// Runs a series of any length through an endless plan: the outputs in their order.
    fn stream(&self, prepared: &Prepared) -> Result<String, Error> {
        let graph = planned_graph(&prepared.graph, Strategy::Endless);
        let graph = graph.map_err(|error| error.in_file(&self.settings.model))?;
        let (input, mut output) = (Input::of(&graph), Output::of(&graph));
        // Rows are what frames are to other plans.
        let row = Input { shape: Shape(input.shape.0[1..].to_vec()), ..input };
        let rows = Examples::open(&self.input, &row, Purpose::Measurement, Fit::Exact)?;
        warn(rows.warning().map(str::to_owned).as_slice());
        let mut series = Vec::new();
        for index in 0..rows.len() {
            series.extend_from_slice(&rows.frame(index)?);
        }
        let outputs = Runner::new(prepared, &self.settings, &self.board)?.stream(&series)?;
        if output.shape.0.len() > 1 {
            output.shape.0.remove(0);
        }
        match &self.output {
            Some(path) => {
                self.save(path, &output, &outputs, true)?;
                let shape = Shape([vec![outputs.len()], output.shape.0].concat());
                let rows = grouped(rows.len() as u64);
                Ok(format!("wrote {}: {shape}, of a series of {rows} rows", path.display()))
            }
            None => Ok(best(|index| index.to_string(), &output, &outputs, &graph.labels)),
        }
    }

    /// Says early what can't be done.
    fn check(&self) -> Result<(), Error> {
        if self.tensors.is_some() && self.settings.plan == Some(Plan::Endless) {
            let reason = "--tensors is for frames: an endless plan keeps the rows alone that are still needed";
            Run::augment_args(clap::Command::new("microception run")).error(ErrorKind::ArgumentConflict, reason).exit();
        }
        if self.tensors.is_some() && self.board != runner::HOST {
            let reason = format!(
                "--tensors is for the host: {} keeps a row only until its last reader has read it, and has no room for all",
                self.board
            );
            Run::augment_args(clap::Command::new("microception run")).error(ErrorKind::ArgumentConflict, reason).exit();
        }
        let read = [Some(&*self.settings.model), Some(&*self.input), self.settings.calibration.as_deref()];
        for path in [&self.output, &self.tensors].into_iter().flatten() {
            write::check(path)?;
            if read.into_iter().flatten().any(|read| write::is_same_file(path, read)) {
                return Err(Error::file(path, "cannot be written: it is read from"));
            }
        }
        match (&self.output, &self.tensors) {
            (Some(output), Some(tensors)) if output == tensors => {
                Err(Error::file(output, "cannot be both the output and the tensors"))
            }
            _ => Ok(()),
        }
    }

    fn save(&self, path: &Path, output: &Output, outputs: &[Vec<u8>], list: bool) -> Result<String, Error> {
        let mut shape = if list { vec![outputs.len()] } else { Vec::new() };
        shape.extend(&output.shape.0);
        let element = if self.dequantize || output.element == Element::F32 {
            write::npy(path, &shape, outputs.iter().flat_map(|bytes| output.real(bytes)))?;
            Element::F32
        } else {
            write::npy(path, &shape, outputs.iter().flatten().map(|byte| byte.cast_signed()))?;
            Element::I8
        };
        Ok(format!(
            "wrote {}: {} {}, {} frames",
            path.display(),
            Shape(shape),
            element.name(),
            grouped(outputs.len() as u64)
        ))
    }
}

/// The best classes of each frame, or row of outputs; `name` is what it is called.
fn best(name: impl Fn(usize) -> String, output: &Output, outputs: &[Vec<u8>], labels: &[String]) -> String {
    let mut text = String::new();
    for (index, bytes) in outputs.iter().enumerate() {
        if outputs.len() > 1 {
            let _ = writeln!(text, "{}", name(index));
        }
        for (class, value) in output.ranked(bytes).into_iter().take(BEST) {
            let name = labels.get(class).cloned().unwrap_or_else(|| format!("class {class}"));
            let _ = writeln!(text, "  {value:.4}  {name}");
        }
    }
    text
}
