//! Settings that several commands have: which model, in which arithmetic.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use microception_codegen::convert::{self, Convert, Prepared};
use microception_codegen::error::Error;
use microception_codegen::optimize::Optimize as Kernels;
use microception_codegen::plan::Strategy;
use microception_codegen::quantize::Method;

use super::progress;

/// The model and its arithmetic.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// A trained model, recognised by its content: .keras, a legacy .h5, .tflite, or .onnx
    pub model: PathBuf,
    /// The arithmetic; int8 where there is calibration, else f32
    #[arg(long, value_name = "PRECISION")]
    pub precision: Option<Precision>,
    /// Computes a layer in another precision than the rest, with conversions around it: f32 or int16 among int8. May be given
    /// several times; the names are those of microception inspect
    #[arg(long, value_names = ["f32|int16|int8", "LAYER"], num_args = 2)]
    pub keep: Vec<String>,
    /// Keeps the layers that lose most in int16, and then in f32, until less than so many points are lost: of 100 calibration
    /// frames, so many are taken for another class than in f32
    #[arg(long, value_name = "POINTS", requires = "calibration", value_parser = points, allow_negative_numbers = true)]
    pub auto_mixed: Option<f64>,
    /// Where int8 and int16x8 take the ranges of activations from: training data (.npz, .npy, a folder of pictures) or a ranges
    /// file
    #[arg(long, value_name = "DATA|RANGES.json")]
    pub calibration: Option<PathBuf>,
    /// How ranges are chosen from calibration data: minmax, mse, percentile (99.99), or percentile:P [default: minmax]
    #[arg(long, value_name = "METHOD", value_parser = method)]
    pub range: Option<Method>,
    /// Whether channels' scales are moved between layers before calibration, so that one scale serves all channels of a
    /// tensor; the model computes the same [default: on]
    #[arg(long, value_name = "on|off", value_parser = switch)]
    pub equalize: Option<bool>,
    /// Whether biases take back what rounded weights add in the mean [default: on]
    #[arg(long, value_name = "on|off", value_parser = switch)]
    pub correct_bias: Option<bool>,
    /// The classes' names, one per line; without it, labels.txt beside the model if there is one
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// What the plan is to be good at [default: balanced; with --optimize ram, smallest]
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<Plan>,
    /// What the kernels are to be good at, where time and memory pull apart. Results are the same [default: balanced for a
    /// Cortex-M4, M7 or M33 that --board or --target names, else size]
    #[arg(long, value_name = "GOAL")]
    pub optimize: Option<Optimize>,
}

/// The arithmetic of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// IEEE single precision
    F32,
    /// Eight bits, as in the TensorFlow Lite 8-bit specification
    Int8,
    /// Activations of sixteen bits, weights of eight
    #[value(alias = "int16")]
    Int16x8,
    /// The same, with weights of four bits; eight where four lose much: in depthwise layers, the first and the last
    Int4,
    /// The same, with weights of four bits in every layer
    Int4All,
}

/// What a plan is good at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Plan {
    /// Little memory, and several rows at once where they are short and that takes at most a quarter more
    Balanced,
    /// The least memory
    Smallest,
    /// Rows as early as they can be made: the shortest delay behind a camera
    Eager,
    /// Whole tensors, one after the other
    Whole,
    /// For a series that has no end: an output whenever a new row makes one possible. Windows must be causal or valid
    Endless,
}

/// What kernels are good at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Optimize {
    /// Flash for time where a byte saves 50 cycles of each inference: int8 convolutions of width 3 and stride 1 with
    /// 256 output pixels or more, in two thirds of the products (Winograd), as far as that adds an eighth to the weights
    Balanced,
    /// The least flash; on a Cortex-M3 and with Helium the least time too
    Size,
    /// The least time: all such convolutions, for 2.67 times their weights in flash
    Speed,
    /// The least arena; such convolutions where it stays the same
    Ram,
}

impl Precision {
    /// As the library has it.
    pub fn of_library(self) -> convert::Precision {
        match self {
            Precision::F32 => convert::Precision::F32,
            Precision::Int8 => convert::Precision::Int8,
            Precision::Int16x8 => convert::Precision::Int16x8,
            Precision::Int4 => convert::Precision::Int4,
            Precision::Int4All => convert::Precision::Int4All,
        }
    }
}

impl Optimize {
    fn kernels(self) -> Kernels {
        match self {
            Optimize::Balanced => Kernels::Balanced,
            Optimize::Size => Kernels::Size,
            Optimize::Speed => Kernels::Speed,
            Optimize::Ram => Kernels::Ram,
        }
    }
}

fn switch(text: &str) -> Result<bool, Error> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Error::model(format!("\"{text}\" is neither on nor off"))),
    }
}

/// Points that can be lost: with none to lose every layer would be tried, and no choice be good enough.
fn points(text: &str) -> Result<f64, Error> {
    match text.parse::<f64>() {
        Ok(points) if points > 0.0 && points.is_finite() => Ok(points),
        _ => Err(Error::model("points are a number above 0, as 1 or 0.5: of 100 frames, so many")),
    }
}

fn method(text: &str) -> Result<Method, Error> {
    if text == "minmax" { Ok(Method::MinMax) } else { text.parse() }
}

impl Settings {
    /// The conversion that they ask for. `optimize` is for the core that it is for, where they do not say.
    ///
    /// # Errors
    /// When a layer is to be kept in a precision that there is not.
    pub fn conversion(&self, optimize: Kernels) -> Result<Convert, Error> {
        let optimize = self.optimize.map_or(optimize, Optimize::kernels);
        let mut convert = Convert::new(&self.model).optimize(optimize).progress(progress::calibration());
        if let Some(precision) = self.precision {
            convert = convert.precision(precision.of_library());
        }
        for kept in self.keep.as_chunks::<2>().0 {
            let [precision, layer] = kept;
            let kept = Precision::from_str(precision, true).ok();
            // Which weights have four bits, --precision says.
            let kept = kept.filter(|kept| matches!(kept, Precision::F32 | Precision::Int16x8 | Precision::Int8));
            let kept = kept.ok_or_else(|| {
                Error::model(format!(
                    "can't keep \"{layer}\" in \"{precision}\": layers are kept in f32, int16 or int8"
                ))
            })?;
            convert = convert.keep(layer, kept.of_library());
        }
        if let Some(points) = self.auto_mixed {
            convert = convert.auto_mixed(points);
        }
        if let Some(plan) = self.plan {
            convert = convert.strategy(match plan {
                Plan::Balanced => Strategy::Balanced,
                Plan::Smallest => Strategy::Smallest,
                Plan::Eager => Strategy::Eager,
                Plan::Whole => Strategy::Whole,
                Plan::Endless => Strategy::Endless,
            });
        }
        if let Some(source) = &self.calibration {
            convert = convert.calibration(source);
        }
        if let Some(method) = self.range {
            convert = convert.method(method);
        }
        if let Some(equalize) = self.equalize {
            convert = convert.equalize(equalize);
        }
        if let Some(correct) = self.correct_bias {
            convert = convert.correct_bias(correct);
        }
        if let Some(file) = &self.labels {
            convert = convert.labels(file);
        }
        Ok(convert)
    }

    /// The same in another precision. In f32 there is none in which a layer could be kept.
    pub fn with_precision(&self, precision: Precision) -> Settings {
        let mut settings = Settings { precision: Some(precision), ..self.clone() };
        if precision == Precision::F32 {
            settings.keep.clear();
            settings.auto_mixed = None;
        }
        settings
    }

    /// The files that are read for them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.model), self.calibration.as_ref(), self.labels.as_ref()].into_iter().flatten().map(PathBuf::as_path)
    }

    /// The graph that they ask for, its warnings told.
    pub fn prepare(&self) -> Result<Prepared, Error> {
        let prepared = self.conversion(Kernels::default())?.prepare()?;
        warn(&prepared.warnings);
        Ok(prepared)
    }
}

/// Tells warnings, on standard error.
pub fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
