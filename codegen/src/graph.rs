//! The graph: what a model computes, without a word about files, memory or Rust text.
//!
//! Readers make it, passes and the quantizer rewrite it, the planner and the emitter read it.
//! Layers stand in an order in which every layer comes after those it reads from
//! ([`Graph::check`] says so), and each layer makes exactly one tensor.
//!
//! Shapes leave out the batch and are channels-last: `[depth, height, width, channels]` for a volume, `[height, width,
//! channels]` for an image, `[steps, channels]` for a time series, `[channels]` for a flat tensor.
//!
//! `tensor`: shapes, element types, weights. `window`: where on a tensor an operator looks. `operator`: what a layer
//! computes. `elementwise`: functions of one number and of two.

mod elementwise;
mod operator;
mod tensor;
mod window;

use std::collections::HashSet;

use crate::error::Error;

pub use elementwise::{Constant, Function, Numbers, PairFunction};
pub use operator::Operator;
pub use tensor::{Bias, Element, Quantization, Shape, Tensor, Weights};
pub use window::{Axis, Between, Linear, Nearest, Padding, Taps, Window};

/// Names a tensor of one [`Graph`]: its index in [`Graph::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// One layer: an operator, what it reads, what it makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// The name in the model file; parts of one layer have a suffix (`separable_conv2d/depthwise`).
    pub name: String,
    /// What it computes.
    pub operator: Operator,
    /// What it reads, in the operator's order.
    pub inputs: Vec<TensorId>,
    /// What it makes.
    pub output: TensorId,
    /// Layers of the file whose work it does beside its own: what passes folded and fused into it, in the order in which they did.
    pub parts: Vec<Part>,
}

/// A layer of the model file that is gone, for another does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name in the model file.
    pub name: String,
    /// Its operator's [name](Operator::name), or its function's.
    pub kind: &'static str,
}

/// A whole model.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The model's name.
    pub name: String,
    /// Every tensor, in no particular order.
    pub tensors: Vec<Tensor>,
    /// In the order of execution.
    pub layers: Vec<Layer>,
    /// What the model answers with.
    pub outputs: Vec<TensorId>,
    /// Their names in the model file, where these are not the tensors': empty, or one for each.
    pub output_names: Vec<String>,
    /// The classes' names in the order of the last axis of the output; empty when unknown.
    pub labels: Vec<String>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Graph {
        Graph {
            name: name.into(),
            tensors: Vec::new(),
            layers: Vec::new(),
            outputs: Vec::new(),
            output_names: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Appends a layer and the f32 tensor it makes, which gets the layer's name and `shape`
    /// (an empty shape where it is not known yet: [`crate::passes`] infers it).
    pub fn push(
        &mut self,
        name: impl Into<String>,
        operator: Operator,
        inputs: Vec<TensorId>,
        shape: Shape,
    ) -> TensorId {
        let name = name.into();
        let output = TensorId(self.tensors.len());
        self.tensors.push(Tensor { name: name.clone(), shape, element: Element::F32, quantization: None });
        self.layers.push(Layer { name, operator, inputs, output, parts: Vec::new() });
        output
    }

    /// The model's inputs in their order: the layers in front.
    pub fn inputs(&self) -> &[Layer] {
        let count = self.layers.iter().take_while(|layer| matches!(layer.operator, Operator::Input { .. })).count();
        &self.layers[..count]
    }

    /// The name of an output.
    pub fn output_name(&self, output: usize) -> &str {
        let tensor = || self.outputs.get(output).map_or("", |&output| &self.tensor(output).name);
        self.output_names.get(output).map_or_else(tensor, String::as_str)
    }

    /// The tensor of that id.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0]
    }

    /// The layer that makes a tensor.
    pub fn maker(&self, id: TensorId) -> Option<usize> {
        self.layers.iter().position(|layer| layer.output == id)
    }

    /// How often a tensor is read, the model's outputs included.
    pub fn readers(&self, id: TensorId) -> usize {
        let by_layers = self.layers.iter().flat_map(|layer| &layer.inputs).filter(|&&input| input == id).count();
        by_layers + self.outputs.iter().filter(|&&output| output == id).count()
    }

    /// Multiply-accumulates of one layer for one inference.
    pub fn macs(&self, layer: &Layer) -> u64 {
        let output = &self.tensor(layer.output).shape;
        let per_output = match &layer.operator {
            Operator::Convolution { weights, .. }
            | Operator::Dense { weights, .. }
            | Operator::PositionwiseDense { weights, .. } => weights.len() / output.channels().max(1),
            Operator::Depthwise { window, .. } => window.taps(),
            _ => 0,
        };
        output.elements() as u64 * per_output as u64
    }

    /// Trained numbers of one layer, biases included.
    pub fn parameters(&self, layer: &Layer) -> usize {
        match &layer.operator {
            Operator::ScaleShift { scale, shift } => scale.len() + shift.len(),
            Operator::Pairwise { constant, .. } => constant.as_ref().map_or(0, |constant| constant.shape.elements()),
            operator => operator.weights().map_or(0, |(weights, bias)| weights.len() + bias.map_or(0, Bias::len)),
        }
    }

    /// Errors unless the inputs stand in front, every layer reads only tensors that a layer before it makes, every
    /// tensor has one maker, and the outputs exist.
    pub fn check(&self) -> Result<(), Error> {
        let mut behind = self.layers[self.inputs().len()..].iter();
        if let Some(input) = behind.find(|layer| matches!(layer.operator, Operator::Input { .. })) {
            return Err(Error::layer(&input.name, "is an input behind other layers"));
        }
        let mut made = HashSet::new();
        for layer in &self.layers {
            for input in &layer.inputs {
                if !made.contains(input) {
                    return Err(Error::layer(&layer.name, "reads a tensor that no layer before it makes"));
                }
            }
            if layer.output.0 >= self.tensors.len() || !made.insert(layer.output) {
                return Err(Error::layer(&layer.name, "makes a tensor that is made twice or does not exist"));
            }
        }
        match self.outputs.iter().find(|output| !made.contains(output)) {
            _ if self.outputs.is_empty() => Err(Error::model("the model has no output")),
            Some(_) => Err(Error::model("an output of the model is made by no layer")),
            None => Ok(()),
        }
    }
}
