//! `microception eval`.

use std::path::{Path, PathBuf};

use clap::Args;
use microception_codegen::convert::Precision;
use microception_codegen::data::{Interface, write};
use microception_codegen::error::Error;
use serde::Serialize;

use super::frames::LabelledFrames;
use super::progress;
use super::runner::{Place, Runner};
use super::settings::{Plan, Settings};
use super::side_by_side::SideBySide;
use super::table::grouped;

/// Labelled data.
#[derive(Debug, Args)]
pub struct Labelled {
    /// Labelled data: an .npz with x_test and y_test, x and y, or images and labels; or a folder with a folder of
    /// pictures per class
    #[arg(long, value_name = "DATA")]
    data: PathBuf,
    /// Takes only so many, from the front
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Where the number of the class that each frame is taken for goes
    #[arg(long, value_name = "FILE.npy")]
    predictions: Option<PathBuf>,
}

/// How many frames were taken for what they are.
#[derive(Debug, Clone, Serialize)]
pub struct Accuracy {
    correct: usize,
    total: usize,
    accuracy: f64,
}

/// Measures a model's accuracy on labelled data
#[derive(Debug, Args)]
pub struct Eval {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    labelled: Labelled,
    #[command(flatten)]
    place: Place,
    /// Shows f32, int8, int16x8 and int4 beside each other, with what they take; with an emulated --board, which then counts
    /// instructions and leaves the data to the host, these too
    #[arg(long, conflicts_with_all = ["precision", "predictions"], requires = "calibration")]
    side_by_side: bool,
    /// Prints the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    accuracy: Accuracy,
    precision: Precision,
    board: String,
}

impl Eval {
    pub fn run(self) -> Result<String, Error> {
        self.labelled.check(self.settings.files())?;
        if self.settings.plan == Some(Plan::Endless) {
            return Err(Error::model("--plan endless has no frames to count: microception run takes a series with it"));
        }
        if self.side_by_side {
            let measured = SideBySide::measure(&self.settings, &self.labelled, &self.place)?;
            return match self.json {
                true => serde_json::to_string(&measured).map_err(|error| Error::model(error.to_string())),
                false => Ok(measured.text()),
            };
        }
        let prepared = self.settings.prepare()?;
        let interface = Interface::of(&prepared.graph);
        let in_file = |error: Error| error.in_file(&self.settings.model);
        let frames = self.labelled.open(&interface).map_err(in_file)?;
        let mut runner = Runner::new(&prepared, &self.settings, &self.place)?;
        let accuracy = self.labelled.measure(&frames, 1, &mut runner, |_| Ok(()))?;
        let precision = Precision::of(&prepared.graph);
        if self.json {
            let report = Report { accuracy, precision, board: self.place.board };
            return serde_json::to_string(&report).map_err(|error| Error::model(error.to_string()));
        }
        Ok(format!("{}, {} on {}", accuracy.text(), precision.name(), self.place.board))
    }
}

impl Accuracy {
    /// How many of how many, and in percent.
    pub fn cells(&self) -> [String; 2] {
        let Accuracy { correct, total, accuracy } = *self;
        let of = format!("{} of {}", grouped(correct as u64), grouped(total as u64));
        [of, format!("{:.2}%", 100.0 * accuracy)]
    }

    /// In words.
    pub fn text(&self) -> String {
        let [of, percent] = self.cells();
        format!("{of} right: {percent}")
    }
}

impl Labelled {
    /// Says early what can't be written. The data and what else there is to `read` stay as they are.
    pub fn check<'a>(&'a self, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
        let Some(predictions) = &self.predictions else { return Ok(()) };
        write::check_apart(predictions, [&*self.data].into_iter().chain(read))
    }

    /// The data, for a model that answers with one value per class.
    pub fn open(&self, interface: &Interface) -> Result<LabelledFrames, Error> {
        let Some(output) = interface.output_of_classes() else {
            return Err(Error::model(match interface.outputs.as_slice() {
                [(_, output)] => format!("answers with {}, not with one value per class", output.shape),
                outputs => format!("has {} outputs, and labels are for one", outputs.len()),
            }));
        };
        LabelledFrames::open(&self.data, interface, output, self.limit)
    }

    /// Has it run, in so many `parts`, and `after` called behind each.
    pub fn measure(
        &self,
        LabelledFrames { examples, classes, output, count: total }: &LabelledFrames,
        parts: usize,
        runner: &mut Runner,
        mut after: impl FnMut(&mut Runner) -> Result<(), Error>,
    ) -> Result<Accuracy, Error> {
        let total = *total;
        let bar = progress::bar("measuring", total);
        let mut predicted: Vec<usize> = Vec::new();
        while predicted.len() < total {
            let first = predicted.len();
            let count = total.div_ceil(parts).min(total - first);
            let outputs = runner.outputs(count, |index| examples.frame(first + index), || bar.inc(1))?;
            predicted.extend(outputs.iter().map(|bytes| output.class(bytes)));
            after(runner)?;
        }
        bar.finish_and_clear();
        if let Some(path) = &self.predictions {
            write::npy(path, &[total], predicted.iter().map(|&class| class as i64))?;
        }
        let correct = predicted.iter().zip(classes).filter(|(predicted, class)| predicted == class).count();
        Ok(Accuracy { correct, total, accuracy: correct as f64 / total as f64 })
    }
}
