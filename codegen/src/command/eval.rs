//! `microception eval`.

use std::path::PathBuf;

use clap::Args;
use microception_codegen::convert::Precision;
use microception_codegen::data::picture::Fit;
use microception_codegen::data::{Examples, Input, Output, Purpose, write};
use microception_codegen::error::Error;
use serde::Serialize;

use super::progress;
use super::runner::{self, Runner};
use super::settings::{Plan, Settings, warn};
use super::table::grouped;

/// Measures a model's accuracy on labelled data
#[derive(Debug, Args)]
pub struct Eval {
    #[command(flatten)]
    settings: Settings,
    /// Labelled data: an .npz with x_test and y_test, x and y, or images and labels; or a folder with a folder of
    /// pictures per class
    #[arg(long, value_name = "DATA")]
    data: PathBuf,
    /// Takes only so many, from the front
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Where it runs
    #[arg(long, value_name = "BOARD", default_value = "host", value_parser = runner::names())]
    board: String,
    /// Where the number of the class that each frame is taken for goes
    #[arg(long, value_name = "FILE.npy")]
    predictions: Option<PathBuf>,
    /// Prints the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    correct: usize,
    total: usize,
    accuracy: f64,
    precision: Precision,
    board: String,
}

impl Eval {
    pub fn run(self) -> Result<String, Error> {
        if let Some(path) = &self.predictions {
            write::check(path)?;
        }
        if self.settings.plan == Some(Plan::Endless) {
            return Err(Error::model("--plan endless has no frames to count: microception run takes a series with it"));
        }
        let prepared = self.settings.prepare()?;
        let graph = &prepared.graph;
        if graph.outputs.len() > 1 {
            let reason = format!("has {} outputs, and labels are for one", graph.outputs.len());
            return Err(Error::file(&self.settings.model, reason));
        }
        let output = Output::of(graph);
        if output.shape.elements() != output.shape.channels() {
            let reason = format!("answers with {}, not with one value per class", output.shape);
            return Err(Error::file(&self.settings.model, reason));
        }
        let examples = Examples::open_all(&self.data, &Input::all(graph), Purpose::Measurement, Fit::Exact)?;
        warn(examples.warning().map(str::to_owned).as_slice());
        let classes = examples.classes(&graph.labels, output.classes())?;
        let limit = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let total = examples.len().min(limit);
        let mut runner = Runner::new(&prepared, &self.settings, &self.board)?;
        let bar = progress::bar("measuring", total);
        let outputs = runner.outputs(total, |index| examples.frame(index), || bar.inc(1));
        bar.finish_and_clear();
        let predicted: Vec<usize> = outputs?.iter().map(|bytes| output.class(bytes)).collect();
        if let Some(path) = &self.predictions {
            write::npy(path, &[total], predicted.iter().map(|&class| class as i64))?;
        }
        let correct = predicted.iter().zip(&classes).filter(|(predicted, class)| predicted == class).count();
        let accuracy = correct as f64 / total as f64;
        let precision = Precision::of(graph);
        if self.json {
            let report = Report { correct, total, accuracy, precision, board: self.board };
            return serde_json::to_string(&report).map_err(|error| Error::model(error.to_string()));
        }
        Ok(format!(
            "{} of {} right: {:.2}%, {} on {}",
            grouped(correct as u64),
            grouped(total as u64),
            100.0 * accuracy,
            precision.name(),
            self.board
        ))
    }
}
