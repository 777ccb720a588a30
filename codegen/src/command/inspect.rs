//! `microception inspect`.

use std::path::PathBuf;

use clap::Args;
use microception_codegen::convert::{LayerFigures, Precision, parameters};
use microception_codegen::data::{Input, Output};
use microception_codegen::error::Error;
use microception_codegen::graph::{Element, Graph, Shape};
use microception_codegen::optimize::{Optimize, transformed};
use microception_codegen::{lower, passes, read};
use serde::Serialize;

use super::table;

/// Lists a model's layers as they will run, with batch normalization folded: shapes, parameters,
/// multiply-accumulates
#[derive(Debug, Args)]
pub struct Inspect {
    /// A trained model, recognised by its content: .keras, a legacy .h5, .tflite, or .onnx
    model: PathBuf,
    /// Prints the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// A tensor that a caller sees.
#[derive(Debug, Clone, Serialize)]
struct End {
    name: String,
    shape: Vec<usize>,
    element: &'static str,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    precision: Precision,
    /// Of one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<End>,
    inputs: Vec<End>,
    outputs: Vec<End>,
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
        let shape = |ends: &[End]| {
            let described = ends.iter().map(|End { name, shape, element }| {
                let name = if ends.len() > 1 { format!("\"{name}\" ") } else { String::new() };
                format!("{name}{} {element}", Shape(shape.clone()))
            });
            described.collect::<Vec<_>>().join(", ")
        };
        Ok(format!(
            "{}: {} in, {} out\n{}",
            report.model,
            shape(&report.inputs),
            shape(&report.outputs),
            table::layers(&report.layers, false)
        ))
    }

    fn report(&self) -> Result<Report, Error> {
        let graph: Graph = passes::run(read::read(&self.model)?)?;
        let kernels = lower::kernels(&graph, &transformed(&graph, Optimize::default())?)?;
        let weight_bytes: Vec<usize> = kernels.iter().map(lower::Kernel::weight_bytes).collect();
        let layers = LayerFigures::of(&graph, &parameters(&graph), &weight_bytes);
        let end = |name, shape: Shape, element: Element| End { name, shape: shape.0, element: element.name() };
        let inputs = Input::all(&graph).into_iter().map(|(name, input)| end(name, input.shape, input.element));
        let outputs = Output::all(&graph).into_iter().map(|(name, output)| end(name, output.shape, output.element));
        let (inputs, outputs): (Vec<End>, Vec<End>) = (inputs.collect(), outputs.collect());
        let alone = |ends: &[End]| if let [end] = ends { Some(end.clone()) } else { None };
        Ok(Report {
            precision: Precision::of(&graph),
            input: alone(&inputs),
            output: alone(&outputs),
            inputs,
            outputs,
            parameters: layers.iter().map(|layer| layer.parameters).sum(),
            macs: layers.iter().map(|layer| layer.macs).sum(),
            layers,
            model: graph.name,
        })
    }
}
