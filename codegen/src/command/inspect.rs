//! `microception inspect`.

use std::path::PathBuf;

use clap::Args;
use microception_codegen::convert::{LayerFigures, Precision, parameters};
use microception_codegen::data::{Input, Output};
use microception_codegen::error::Error;
use microception_codegen::graph::Graph;
use microception_codegen::optimize::{Optimize, transformed};
use microception_codegen::{lower, passes, read};
use serde::Serialize;

use super::table;

/// Lists a model's layers as they will run, with batch normalization folded: shapes, parameters,
/// multiply-accumulates
#[derive(Debug, Args)]
pub struct Inspect {
    /// A trained model, recognised by its content: .keras, a legacy .h5, or .tflite
    model: PathBuf,
    /// Prints the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// A tensor that a caller sees.
#[derive(Debug, Serialize)]
struct End {
    shape: Vec<usize>,
    element: &'static str,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    precision: Precision,
    input: End,
    output: End,
    layers: Vec<LayerFigures>,
    parameters: usize,
    macs: u64,
}

impl Inspect {
    pub fn run(self) -> Result<String, Error> {
        let report = self.report().map_err(|error| error.in_file(&self.model))?;
        if self.json {
            return serde_json::to_string(&report).map_err(|error| Error::model(error.to_string()));
        }
        let shape = |end: &End| format!("{} {}", microception_codegen::graph::Shape(end.shape.clone()), end.element);
        Ok(format!(
            "{}: {} in, {} out\n{}",
            report.model,
            shape(&report.input),
            shape(&report.output),
            table::layers(&report.layers, false)
        ))
    }

    fn report(&self) -> Result<Report, Error> {
        let graph: Graph = passes::run(read::read(&self.model)?)?;
        let kernels = lower::kernels(&graph, &transformed(&graph, Optimize::default())?)?;
        let weight_bytes: Vec<usize> = kernels.iter().map(lower::Kernel::weight_bytes).collect();
        let layers = LayerFigures::of(&graph, &parameters(&graph), &weight_bytes);
        let (input, output) = (Input::of(&graph), Output::of(&graph));
        Ok(Report {
            precision: Precision::of(&graph),
            input: End { shape: input.shape.0, element: input.element.name() },
            output: End { shape: output.shape.0, element: output.element.name() },
            parameters: layers.iter().map(|layer| layer.parameters).sum(),
            macs: layers.iter().map(|layer| layer.macs).sum(),
            layers,
            model: graph.name,
        })
    }
}
