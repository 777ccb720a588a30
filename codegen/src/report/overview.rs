//! The model as it runs: its layers, what was folded into each, its figures.

use serde::Serialize;

use crate::convert::{ModelFigures, Precision, Summary};
use crate::graph::{Function, Graph, Operator, Shape, Weights};

/// A model and its figures.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The model's name.
    pub model: String,
    /// Its arithmetic.
    pub precision: Precision,
    /// Its layers, in the order of execution.
    pub layers: Vec<Layer>,
    /// The indices of the layers that make its outputs.
    pub outputs: Vec<usize>,
    /// The classes' names, where they are known.
    pub labels: Vec<String>,
    /// What it has and takes.
    #[serde(flatten)]
    pub figures: ModelFigures,
    /// What the user should know though it went well.
    pub warnings: Vec<String>,
}

/// One layer.
#[derive(Debug, Clone, Serialize)]
pub struct Layer {
    /// Its name in the model.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// Extents of what it makes, channels last.
    pub shape: Vec<usize>,
    /// What it makes is in memory.
    pub element: &'static str,
    /// What its weights are in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<&'static str>,
    /// Indices of the layers that it reads.
    pub inputs: Vec<usize>,
    /// What it does beside that, in words: taps and strides, the function that is applied where results are written.
    pub facts: Vec<String>,
    /// Layers of the model file whose work it does.
    pub parts: Vec<Part>,
    /// Trained numbers, biases included.
    pub parameters: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Bytes of weights, biases, factors and tables.
    pub weight_bytes: usize,
}

/// A layer of the model file that was folded into another.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What it was.
    pub kind: &'static str,
}

impl Overview {
    /// Of a graph that has gone through the [passes](crate::passes), with the figures of its conversion.
    pub fn of(graph: &Graph, summary: &Summary) -> Overview {
        let maker = |tensor: &_| graph.maker(*tensor);
        let layers = graph.layers.iter().zip(&summary.layers).map(|(layer, figures)| {
            let tensor = graph.tensor(layer.output);
            Layer {
                name: layer.name.clone(),
                kind: figures.kind,
                shape: tensor.shape.0.clone(),
                element: tensor.element.name(),
                weights: layer.operator.weights().map(|(weights, _)| match weights {
                    Weights::F32(_) => "f32",
                    Weights::I8 { .. } => "i8",
                    Weights::I4 { .. } => "i4",
                }),
                inputs: layer.inputs.iter().filter_map(maker).collect(),
                facts: facts(&layer.operator),
                parts: layer.parts.iter().map(|part| Part { name: part.name.clone(), kind: part.kind }).collect(),
                parameters: figures.parameters,
                macs: figures.macs,
                weight_bytes: figures.weight_bytes,
            }
        });
        Overview {
            model: summary.model.clone(),
            precision: summary.precision,
            layers: layers.collect(),
            outputs: graph.outputs.iter().filter_map(maker).collect(),
            labels: summary.labels.clone(),
            figures: summary.figures,
            warnings: summary.warnings.clone(),
        }
    }

    /// The class's name, or its number.
    pub fn label(&self, class: usize) -> String {
        self.labels.get(class).cloned().unwrap_or_else(|| class.to_string())
    }
}

/// What an operator does, in words.
fn facts(operator: &Operator) -> Vec<String> {
    let mut facts = Vec::new();
    if let Operator::Convolution { window, .. }
    | Operator::Depthwise { window, .. }
    | Operator::MaxPool { window }
    | Operator::AveragePool { window } = operator
    {
        let pair = |[vertical, horizontal]: [usize; 2]| format!("{vertical}x{horizontal}");
        let depth = |of: fn(&crate::graph::Taps) -> usize| {
            window.depth.as_ref().map_or_else(String::new, |taps| format!("{}x", of(taps)))
        };
        facts.push(format!("kernel {}{}", depth(|taps| taps.size), pair(window.size)));
        if window.stride != [1, 1] || window.depth.is_some_and(|depth| depth.stride != 1) {
            facts.push(format!("stride {}{}", depth(|taps| taps.stride), pair(window.stride)));
        }
        if window.dilation != [1, 1] {
            facts.push(format!("dilation {}", pair(window.dilation)));
        }
    }
    match operator {
        Operator::Input { element, scale, offset } if element.bytes() == 1 => {
            facts.push(format!("real = {scale} * {} + {offset}", element.name()));
        }
        Operator::Concatenate { axis } => facts.push(format!("along {axis:?}").to_lowercase()),
        Operator::Reshape { shape } => facts.push(format!("to {shape}")),
        Operator::Transpose { axes } => facts.push(format!("axes {}", Shape(axes.clone()))),
        Operator::Activation(function) => facts.push(function.name().to_owned()),
        _ => {}
    }
    let fused: Option<Function> = operator.clone().activation_mut().and_then(|activation| *activation);
    facts.extend(fused.map(|function| format!("then {}", function.name())));
    facts
}
