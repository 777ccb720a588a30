//! `microception run`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{ArgGroup, Args};
use microception_codegen::data::picture::Fit;
use microception_codegen::data::write::{self, Npz};
use microception_codegen::data::{Examples, Input, Interface, Output, Purpose};
use microception_codegen::error::Error;
use microception_codegen::graph::{Element, Shape};
use microception_codegen::optimize::planned_graph;
use microception_codegen::plan::Strategy;

use super::frames;
use super::runner::{HOST, Place, Runner};
use super::settings::{Plan, Settings, warn};
use super::table::grouped;
use super::tensors;

/// How many classes are shown for a frame.
const BEST: usize = 3;

/// What a model is run on, and where its answers go.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("written").args(["output"]).multiple(true)))]
pub struct Frames {
    /// What it is run on: .npy, .npz (array x), a picture, or a folder of pictures; for several inputs an .npz with an
    /// array for each, by their names. The numbers are the model's own input type, or real numbers that int8 models
    /// quantize. Of an endless plan, an array of any number of rows
    #[arg(long, value_name = "DATA")]
    input: PathBuf,
    /// Where the output goes, with one more axis in front where the input is a list; into an .npz by its name, which is where
    /// several outputs go. Without it the best classes are shown
    #[arg(long, value_name = "FILE.npy|FILE.npz")]
    output: Option<PathBuf>,
    /// Writes real numbers, where an int8 model's tensors are int8 otherwise
    #[arg(long, requires = "written")]
    dequantize: bool,
    /// Turns pictures upright, cuts their centre out and resizes it, where they must have the model's size otherwise
    #[arg(long)]
    resize: bool,
}

/// Runs a model on arrays or pictures
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    frames: Frames,
    /// Where every tensor goes that a layer makes, the input's and the output's among them: arrays with the tensors'
    /// names in the model (of several names that a .tflite joins by ";", the first), with one more axis in front where
    /// the input is a list. Of a float model these are the tensors after folding and fusing. On the host only: there
    /// memory is enough to keep them all, whatever the plan
    #[arg(long, value_name = "FILE.npz", group = "written")]
    tensors: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Run {
    pub fn run(self) -> Result<String, Error> {
        self.check()?;
        let prepared = self.settings.prepare()?;
        if self.settings.plan == Some(Plan::Endless) {
            let graph = planned_graph(&prepared.graph, Strategy::Endless);
            let graph = graph.map_err(|error| error.in_file(&self.settings.model))?;
            return self.frames.stream(&Interface::of(&graph), || Runner::new(&prepared, &self.settings, &self.place));
        }
        let interface = Interface::of(&prepared.graph);
        let examples = self.frames.open(&interface)?;
        let tensors = match &self.tensors {
            Some(path) => Some(tensors::save(path, &prepared.graph, &examples, self.frames.dequantize)?),
            None => None,
        };
        if let (Some(text), None) = (&tensors, &self.frames.output) {
            return Ok(text.clone());
        }
        let mut runner = Runner::new(&prepared, &self.settings, &self.place)?;
        let text = self.frames.answer(&interface, &examples, &mut runner)?;
        Ok([tensors, Some(text)].into_iter().flatten().collect::<Vec<_>>().join("\n"))
    }

    /// Says early what can't be done.
    fn check(&self) -> Result<(), Error> {
        if self.tensors.is_some() && self.settings.plan == Some(Plan::Endless) {
            let reason = "--tensors is for frames: an endless plan keeps the rows alone that are still needed";
            Run::augment_args(clap::Command::new("microception run")).error(ErrorKind::ArgumentConflict, reason).exit();
        }
        if self.tensors.is_some() && self.place.board != HOST {
            let reason = format!(
                "--tensors is for the host: {} keeps a row only until its last reader has read it, and has no room for all",
                self.place.board
            );
            Run::augment_args(clap::Command::new("microception run")).error(ErrorKind::ArgumentConflict, reason).exit();
        }
        self.frames.check(self.tensors.as_deref(), self.settings.files())?;
        match (&self.frames.output, &self.tensors) {
            (Some(output), Some(tensors)) if output == tensors => {
                Err(Error::file(output, "cannot be both the output and the tensors"))
            }
            _ => Ok(()),
        }
    }
}

impl Frames {
    /// Says early which files can't be written: the output, and `others`. The input and what else there is to `read` stay as they
    /// are.
    pub fn check<'a>(&'a self, others: Option<&Path>, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
        let read: Vec<&Path> = [&*self.input].into_iter().chain(read).collect();
        for path in [self.output.as_deref(), others].into_iter().flatten() {
            write::check_apart(path, read.iter().copied())?;
        }
        Ok(())
    }

    /// What goes in.
    pub fn open(&self, interface: &Interface) -> Result<Examples, Error> {
        let fit = if self.resize { Fit::Resize } else { Fit::Exact };
        frames::open(&self.input, interface, fit)
    }

    /// Has all of it run: the best classes, or what was written.
    pub fn answer(&self, interface: &Interface, examples: &Examples, runner: &mut Runner) -> Result<String, Error> {
        if let (Some(path), [_, _, ..]) = (&self.output, interface.outputs.as_slice())
            && path.extension().is_some_and(|ending| ending == "npy")
        {
            let outputs = interface.outputs.len();
            let reason = format!("is for one array, and the model has {outputs} outputs: name an .npz");
            return Err(Error::file(path, reason));
        }
        let outputs = frames::answers(runner, examples, examples.len(), "running")?;
        let answers = split(interface.outputs.clone(), &outputs);
        let name =
            |index: usize| examples.file(index).map_or_else(|| index.to_string(), |file| file.display().to_string());
        match (&self.output, answers.as_slice()) {
            (Some(path), answers) => self.save(path, answers, examples.is_list()),
            (None, [(_, output, values)]) => Ok(best(name, output, values, &interface.labels)),
            (None, _) => Ok(answers.iter().fold(String::new(), |text, (title, output, values)| {
                let one_place = output.shape.elements() == output.shape.channels();
                let shown = if one_place { best(name, output, values, &[]) } else { String::new() };
                text + &format!("{title}, {}\n", output.shape) + &shown
            })),
        }
    }

    /// Runs a series of any length through an endless plan: the outputs in their order.
    pub fn stream(
        &self,
        interface: &Interface,
        runner: impl FnOnce() -> Result<Runner, Error>,
    ) -> Result<String, Error> {
        let ([(_, input)], [(name, output)]) = (interface.inputs.as_slice(), interface.outputs.as_slice()) else {
            return Err(Error::model("a series goes into a model of one input and one output"));
        };
        let mut output = output.clone();
        // Rows are what frames are to other plans.
        let row = Input { shape: Shape(input.shape.0.iter().skip(1).copied().collect()), ..input.clone() };
        let rows = Examples::open(&self.input, &row, Purpose::Measurement, Fit::Exact)?;
        warn(rows.warning().map(str::to_owned).as_slice());
        let mut series = Vec::new();
        for index in 0..rows.len() {
            series.extend_from_slice(&rows.frame(index)?);
        }
        let outputs = runner()?.stream(&series)?;
        if output.shape.0.len() > 1 {
            output.shape.0.remove(0);
        }
        match &self.output {
            Some(path) => {
                let shape = Shape([&[outputs.len()], &output.shape.0[..]].concat());
                self.save(path, &[(name.clone(), output, outputs)], true)?;
                let rows = grouped(rows.len() as u64);
                Ok(format!("wrote {}: {shape}, of a series of {rows} rows", path.display()))
            }
            None => Ok(best(|index| index.to_string(), &output, &outputs, &interface.labels)),
        }
    }

    /// One output as an array, unless the file's name asks for arrays with names; several always as these.
    fn save(&self, path: &Path, answers: &[Answer], list: bool) -> Result<String, Error> {
        match answers {
            [(_, output, values)] if path.extension().is_none_or(|ending| ending != "npz") => {
                self.save_array(path, output, values, list)
            }
            _ => self.save_archive(path, answers, list),
        }
    }

    /// Outputs as arrays with their names.
    fn save_archive(&self, path: &Path, answers: &[Answer], list: bool) -> Result<String, Error> {
        let mut npz = Npz::new();
        let mut written = Vec::new();
        for (name, output, values) in answers {
            let mut shape = if list { vec![values.len()] } else { Vec::new() };
            shape.extend(&output.shape.0);
            let saved = npz.numbers(name, &shape, output.numbers(values.iter(), self.dequantize));
            written.push(format!("{} {}", saved.map_err(|error| error.in_file(path))?, Shape(shape)));
        }
        npz.write(path)?;
        Ok(format!("wrote {}: {}", path.display(), written.join(", ")))
    }

    fn save_array(&self, path: &Path, output: &Output, outputs: &[Vec<u8>], list: bool) -> Result<String, Error> {
        let mut shape = if list { vec![outputs.len()] } else { Vec::new() };
        shape.extend(&output.shape.0);
        let element = if self.dequantize { Element::F32 } else { output.element };
        write::numbers(path, &shape, output.numbers(outputs.iter(), self.dequantize))?;
        Ok(format!(
            "wrote {}: {} {}, {} frames",
            path.display(),
            Shape(shape),
            element.name(),
            grouped(outputs.len() as u64)
        ))
    }
}

/// An output's name, what it is, and its bytes for each frame.
type Answer = (String, Output, Vec<Vec<u8>>);

/// The outputs of all frames, one by one.
fn split(outputs: Vec<(String, Output)>, frames: &[Vec<u8>]) -> Vec<Answer> {
    let mut from = 0;
    let mut answer = |(name, output): (String, Output)| {
        let place = from..from + output.bytes();
        from = place.end;
        let values = frames.iter().map(|bytes| bytes.get(place.clone()).unwrap_or_default().to_vec());
        (name, output, values.collect())
    };
    outputs.into_iter().map(&mut answer).collect()
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
