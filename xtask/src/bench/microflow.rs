//! The models that the crate microflow brings, by us and by microflow, on the emulated Cortex-M4.
//!
//! Its program is the package `xtask/microflow`. Both answer inputs whose answers by LiteRT's reference kernels are in
//! `tests/fixtures/microflow`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use microception_codegen::data::array::{Npz, Numbers, load};
use microception_codegen::device::board::Board;
use microception_codegen::device::firmware::{self, Program};
use microception_codegen::device::qemu::{self, Clock, Device};
use microception_codegen::device::size;
use microception_codegen::device::toolchain::Toolchain;
use microception_codegen::error::Error;
use microception_protocol::Tick;
use serde_json::Value;

use super::Run;
use super::record::{Figures, INSTRUCTIONS, Record};
use crate::model;
use crate::setup::board;
use crate::{root, work_folder};

/// The models.
const MODELS: [&str; 3] = ["person_detect", "sine", "speech"];

/// The package of microflow's programs.
const PACKAGE: &str = "xtask/microflow";

/// How long answering all inputs of a model may take: 22 inferences of 415 million instructions.
const PATIENCE: Duration = Duration::from_secs(600);

/// A model by us and by microflow.
pub struct Beside {
    pub name: &'static str,
    pub ours: Run,
    pub theirs: Run,
    pub answers: Alike,
}

/// How many answers are LiteRT's, number by number.
pub struct Alike {
    pub inputs: usize,
    pub ours: usize,
    pub theirs: usize,
    /// How many of theirs have at least the class that LiteRT's have; `None` for a model without classes.
    pub classes_of_theirs: Option<usize>,
}

impl Beside {
    /// We have LiteRT's bits.
    pub fn failure(&self) -> Option<String> {
        let Alike { inputs, ours, .. } = self.answers;
        (ours != inputs).then(|| format!("{}: only {ours} of {inputs} answers are LiteRT's", self.ours.model))
    }
}

/// Measures all models, by us and by microflow.
pub fn beside(record: &Record) -> Result<Vec<Beside>, Error> {
    let models = models()?;
    MODELS.into_iter().map(|name| one(record, &models, name)).collect()
}

fn one(record: &Record, models: &Path, name: &'static str) -> Result<Beside, Error> {
    let board = board()?;
    let known = Known::read(&fixture(name))?;
    let converted = model::given(&models.join(format!("{name}.tflite")), None)?;
    let ours = Run::new(record, &converted, board)?;
    let our_answers = answers_by_us(&converted.module, board, &known)?;

    let model = format!("{name} by microflow");
    eprintln!("{model} on {} ...", board.name);
    let (new, their_answers) = by_microflow(models, name, board, &known)?;
    let old = record.get(&model, board.name).cloned();
    let theirs = Run { model, board: board.name, macs: ours.macs, layers: Vec::new(), new, old };
    let answers = Alike {
        inputs: known.outputs.len(),
        ours: known.alike(&our_answers),
        theirs: known.alike(&their_answers),
        classes_of_theirs: known.alike_in_class(&their_answers),
    };
    Ok(Beside { name, ours, theirs, answers })
}

fn answers_by_us(module: &Path, board: &'static Board, known: &Known) -> Result<Vec<Vec<i8>>, Error> {
    let elf = firmware::build(module, board, Program::Serve)?;
    let mut device = Device::start(board, elf.path(), Clock::Host)?;
    let mut answers = Vec::new();
    for input in &known.inputs {
        let bytes: Vec<u8> = input.iter().map(|&number| number as u8).collect();
        let answer = device.link.infer(&bytes)?;
        answers.push(answer.into_iter().map(|byte| byte as i8).collect());
    }
    Ok(answers)
}

/// Microflow's figures, and its answers as the numbers that stand for them.
fn by_microflow(models: &Path, name: &str, board: &Board, known: &Known) -> Result<(Figures, Vec<Vec<i8>>), Error> {
    let inputs = work_folder()?.join("microflow");
    fs::create_dir_all(&inputs).map_err(|error| Error::file(&inputs, error.to_string()))?;
    known.write_inputs(&inputs.join(format!("{name}.i8")))?;
    let build = |feature| build(board, name, feature, models, &inputs);
    // Each takes the last one's place.
    let inference = size::of_program(&build(Some("inference"))?)?;
    let empty = size::of_program(&build(Some("empty"))?)?;
    let elf = build(None)?;
    let finished = qemu::run(board, &elf, Clock::Instructions, PATIENCE)?;
    let printed = if finished.code == Some(0) { Printed::read(&finished.output) } else { None };
    let printed = printed.ok_or_else(|| {
        Error::file(&elf, format!("measured nothing in QEMU:\n{}{}", finished.output, finished.errors))
    })?;
    let answers: Vec<Vec<i8>> = printed.outputs.iter().map(|output| known.quantized(output)).collect();
    if answers.len() != known.outputs.len() {
        return Err(Error::file(&elf, format!("answers {} of {} inputs", answers.len(), known.outputs.len())));
    }
    let figures = [
        (INSTRUCTIONS, printed.instructions),
        ("stack_bytes", printed.stack_bytes),
        ("static_bytes", inference.ram.saturating_sub(empty.ram)),
        ("flash_bytes", inference.flash.saturating_sub(empty.flash)),
        ("unlike_litert", (answers.len() - known.alike(&answers)) as u64),
    ];
    let figures = figures.map(|(name, figure)| (name.to_owned(), figure)).into();
    let compiler = Toolchain::find(board.target)?.version()?;
    Ok((Figures { compiler, figures, ..Figures::default() }, answers))
}

/// Builds the program of a model: what measures or, with the feature, what is weighed.
fn build(board: &Board, name: &str, feature: Option<&str>, models: &Path, inputs: &Path) -> Result<PathBuf, Error> {
    let target_dir = root().join("target/microflow");
    let mut command = cargo("build", board, &target_dir, models, inputs)?;
    command.args(["--quiet", "--bin", name]);
    if let Some(feature) = feature {
        command.args(["--features", feature]);
    }
    let output = command.output().map_err(|error| Error::model(format!("cargo does not start: {error}")))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        return Err(Error::model(format!("the program {name} by microflow does not build:\n{}", messages.trim_end())));
    }
    Ok(target_dir.join(board.target).join("release").join(name))
}

/// Cargo for microflow's programs.
fn cargo(subcommand: &str, board: &Board, target_dir: &Path, models: &Path, inputs: &Path) -> Result<Command, Error> {
    let mut command = Toolchain::find(board.target)?.cargo(subcommand, target_dir);
    command.args(["--release", "--locked"]).current_dir(root().join(PACKAGE));
    command.env("MICROFLOW_MODELS", models).env("MICROFLOW_INPUTS", inputs);
    Ok(command)
}

/// Cargo's `check` of microflow's programs, those that measure and those that are weighed.
pub fn checks(board: &Board) -> Result<Vec<Command>, Error> {
    let (models, inputs) = (models()?, work_folder()?.join("microflow"));
    fs::create_dir_all(&inputs).map_err(|error| Error::file(&inputs, error.to_string()))?;
    for name in MODELS {
        let known = Known::read(&fixture(name))?;
        known.write_inputs(&inputs.join(format!("{name}.i8")))?;
    }
    let features: [&[&str]; 2] = [&[], &["--features", "inference"]];
    let check = |features: &[&str]| {
        let mut command = cargo("check", board, &root().join("target/microflow"), &models, &inputs)?;
        command.args(features);
        Ok(command)
    };
    features.into_iter().map(check).collect()
}

/// The folder of the models in microflow's package, wherever cargo keeps it.
fn models() -> Result<PathBuf, Error> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", board()?.target]);
    command.arg("--manifest-path").arg(root().join(PACKAGE).join("Cargo.toml"));
    let output = command.output().map_err(|error| Error::model(format!("cargo does not start: {error}")))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        return Err(Error::model(format!("cargo can't fetch microflow:\n{}", messages.trim_end())));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::model(format!("cargo's metadata can't be read: {error}")))?;
    let packages = metadata["packages"].as_array();
    let package = packages.and_then(|packages| packages.iter().find(|package| package["name"] == "microflow"));
    let manifest = package.and_then(|package| package["manifest_path"].as_str()).map(Path::new);
    let folder = manifest.and_then(Path::parent).map(|folder| folder.join("models"));
    folder.ok_or_else(|| Error::model("cargo's metadata have no package microflow"))
}

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/microflow").join(format!("{name}.npz"))
}

/// Inputs, and what LiteRT's reference kernels answer.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    inputs: Vec<Vec<i8>>,
    outputs: Vec<Vec<i8>>,
    /// What a number of an output stands for.
    scale: f32,
    zero_point: i8,
}

impl Known {
    fn read(path: &Path) -> Result<Known, Error> {
        let bytes = load(path)?;
        Known::of(&bytes).map_err(|reason| Error::file(path, reason))
    }

    fn of(bytes: &[u8]) -> Result<Known, String> {
        let mut npz = Npz::open(bytes)?;
        let mut numbers = |name: &str| match npz.array(name)?.numbers {
            Numbers::I8(numbers) => Ok(numbers),
            _ => Err(format!("array \"{name}\" is not of int8")),
        };
        let [inputs, outputs, zero_point] = [numbers("inputs")?, numbers("outputs")?, numbers("zero_point")?];
        let array = npz.array("inputs")?;
        let Numbers::F32(scale) = npz.array("scale")?.numbers else { return Err("has no scale".to_owned()) };
        let count = array.shape.first().copied().filter(|&count| count != 0).ok_or("has no inputs")?;
        let split = |numbers: Vec<i8>| -> Vec<Vec<i8>> {
            numbers.chunks((numbers.len() / count).max(1)).map(<[i8]>::to_vec).collect()
        };
        let (Some(&scale), Some(&zero_point)) = (scale.first(), zero_point.first()) else {
            return Err("has no scale and zero point".to_owned());
        };
        Ok(Known { inputs: split(inputs), outputs: split(outputs), scale, zero_point })
    }

    /// Writes the inputs one after the other, if they are not what is there.
    fn write_inputs(&self, path: &Path) -> Result<(), Error> {
        let bytes: Vec<u8> = self.inputs.iter().flatten().map(|&number| number as u8).collect();
        if fs::read(path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        fs::write(path, bytes).map_err(|error| Error::file(path, error.to_string()))
    }

    /// The numbers that stand for these.
    fn quantized(&self, output: &[f32]) -> Vec<i8> {
        output.iter().map(|value| ((value / self.scale).round() + f32::from(self.zero_point)) as i8).collect()
    }

    /// How many answers are LiteRT's.
    fn alike(&self, answers: &[Vec<i8>]) -> usize {
        answers.iter().zip(&self.outputs).filter(|(answer, output)| answer == output).count()
    }

    /// How many answers are largest where LiteRT's are; `None` where there is nothing to choose from.
    fn alike_in_class(&self, answers: &[Vec<i8>]) -> Option<usize> {
        let classes = self.outputs.first().map_or(0, Vec::len);
        let class = |output: &[i8]| (0..output.len()).rev().max_by_key(|&class| output[class]);
        let alike = || answers.iter().zip(&self.outputs).filter(|(answer, output)| class(answer) == class(output));
        (classes > 1).then(|| alike().count())
    }
}

/// What microflow's program prints.
#[derive(Debug, Clone, PartialEq)]
struct Printed {
    instructions: u64,
    stack_bytes: u64,
    outputs: Vec<Vec<f32>>,
}

impl Printed {
    fn read(text: &str) -> Option<Printed> {
        let values = |name: &'static str| {
            text.lines().filter_map(move |line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')))
        };
        let number = |name| values(name).next()?.parse::<u64>().ok();
        let tick = Tick::Time { hz: number("ticks_per_second")?.try_into().ok()? };
        let output = |line: &str| line.split(' ').map(str::parse).collect::<Result<_, _>>().ok();
        Some(Printed {
            instructions: qemu::instructions(number("ticks")?, tick)?,
            stack_bytes: number("stack_bytes")?,
            outputs: values("output").map(output).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_prints_is_read() {
        // 25 MHz and 256 ns an instruction: 6.4 ticks each.
        let text = "ticks_per_second 25000000\nticks 640\nstack_bytes 396\noutput 0 0.5\noutput 1 -0.25\n";
        let outputs = vec![vec![0.0, 0.5], vec![1.0, -0.25]];
        assert_eq!(Printed::read(text), Some(Printed { instructions: 100, stack_bytes: 396, outputs }));
        assert_eq!(Printed::read("ticks_per_second 25000000\nticks 640\noutput 0\n"), None);
        assert_eq!(Printed::read(&text.replace("0.5", "half")), None);
    }

    #[test]
    fn answers_are_held_against_litert_number_by_number() {
        let known =
            Known { inputs: Vec::new(), outputs: vec![vec![3, -128], vec![127, 0]], scale: 0.5, zero_point: -1 };
        assert_eq!(known.quantized(&[2.0, -63.5]), [3, -128]);
        assert_eq!(known.quantized(&[64.0, 0.5]), [127, 0]);
        assert_eq!(known.alike(&[vec![3, -128], vec![127, 0]]), 2);
        assert_eq!(known.alike(&[vec![3, -127], vec![127, 0]]), 1);
        assert_eq!(known.alike(&[vec![-128, 3], vec![0, 127]]), 0);
        assert_eq!(known.alike_in_class(&[vec![4, 3], vec![-2, -1]]), Some(1));
        assert_eq!(known.alike_in_class(&[vec![3, 3], vec![7, 7]]), Some(2), "of equal ones the first");
        let sine = Known { outputs: vec![vec![1], vec![2]], ..known };
        assert_eq!(sine.alike_in_class(&[vec![1], vec![1]]), None);
    }

    #[test]
    fn the_known_answers_are_as_many_as_the_inputs_and_begin_with_the_pattern_of_the_bench() {
        for (name, numbers, classes) in [("person_detect", 96 * 96, 2), ("sine", 1, 1), ("speech", 49 * 40, 4)] {
            let known = Known::read(&fixture(name)).unwrap();
            assert!(known.inputs.len() >= 8 && known.inputs.len() == known.outputs.len(), "{name}");
            assert!(known.inputs.iter().all(|input| input.len() == numbers), "{name}");
            assert!(known.outputs.iter().all(|output| output.len() == classes), "{name}");
            let pattern = (0..numbers).map(|place| (37 * place) as u8 as i8);
            assert!(known.inputs[0].iter().copied().eq(pattern), "{name}");
        }
    }
}
