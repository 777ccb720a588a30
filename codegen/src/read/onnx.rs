//! ONNX models.
//!
//! An `.onnx` file is a protobuf message: operators that name what they read and make, and numbers. Its tensors have their channels
//! first; the graph's have them last. Which axis of the graph's tensor is which of the file's is written down for each value
//! (`layout`), so that an operator that only moves axes makes no layer, and of a network of convolutions no transposition is left.
//!
//! Read are float models, as PyTorch and tf2onnx export them, and int8 models of the form QDQ, as onnxruntime's quantizer writes them:
//! numbers are real ones between a DequantizeLinear and a QuantizeLinear, and what stands there runs in int8. At a model's edges
//! both fall away: the model then takes and gives int8.
//!
//! - `message`: the file's messages, decoded where they are looked at.
//! - `node`: an operator's attributes. `tensors`: numbers of the file.
//! - `lacking`: operators that there is no layer for, all in one error.
//! - `layout`: which axes the graph's tensors have, and how they get others.
//! - `quantized`: where a node's numbers are int8, and how its layer rounds.
//! - `weights`, `pooling`, `elementwise`, `moving`, `resize`: nodes become layers.
//! - `gelu`: a function that comes in five nodes. `integers`: what the model computes of its own shapes.

mod elementwise;
mod gelu;
mod integers;
mod lacking;
mod layout;
mod message;
mod moving;
mod node;
mod pooling;
mod quantized;
mod resize;
mod tensors;
mod weights;

use std::collections::{HashMap, HashSet};

use prost::bytes::Bytes;

use super::budget::Budget;
use crate::error::Error;
use crate::graph::{Element, Graph, Operator, Quantization, Shape, TensorId};
use crate::passes::infer_shapes;
pub(super) use lacking::operators;
use layout::View;
use message::{Named, Node, OperatorSet, ValueInfo, decode as message};
use tensors::{Constant, FLOAT};

/// Versions of the operators that are read. In version 13 the axes of Softmax got their meaning.
const OPERATOR_SETS: std::ops::RangeInclusive<i64> = 13..=23;

/// Most axes of a model's input, the batch included.
const MOST_AXES: usize = 5;

/// The graph of the model in `bytes`; `name` becomes its name when it has none.
pub(super) fn decode(bytes: Vec<u8>, name: &str) -> Result<Graph, Error> {
    let mut budget = Budget::for_file(bytes.len());
    let model: message::Model = message(&Bytes::from(bytes))?;
    check_version(&model)?;
    let graph: message::Graph = message(&model.graph)?;
    if graph.nodes.is_empty() {
        return Err(Error::model("the model has no layers"));
    }
    budget.take(graph.nodes.len(), size_of::<Node>())?;
    let nodes = graph.nodes.iter().map(message).collect::<Result<Vec<Node>, Error>>()?;
    lacking::check(&nodes)?;
    let mut builder = Builder {
        graph: Graph::new(if graph.name.is_empty() || GENERIC.contains(&graph.name.as_str()) {
            name
        } else {
            &graph.name
        }),
        budget,
        nodes: &nodes,
        readers: HashMap::new(),
        makers: HashMap::new(),
        outputs: HashSet::new(),
        constants: HashMap::new(),
        values: HashMap::new(),
        done: HashSet::new(),
        names: HashSet::new(),
    };
    for bytes in &graph.initializers {
        let name = name_of_tensor(bytes)?;
        builder.constants.insert(name, Held::Bytes(bytes.clone()));
    }
    builder.wire(&graph)?;
    for bytes in &graph.inputs {
        builder.input(&message(bytes)?)?;
    }
    for node in nodes.iter().filter(|node| node.kind == "Constant") {
        builder.computes_integers(node)?;
    }
    let mut gelus = HashMap::new();
    for index in (0..nodes.len()).filter(|&index| nodes[index].kind == "Erf") {
        gelus.extend(builder.gelu_around(index)?.map(|gelu| (gelu.first, gelu)));
    }
    for (index, node) in nodes.iter().enumerate() {
        if node.kind == "Constant" || builder.done.contains(&index) {
            continue;
        }
        match gelus.get(&index) {
            Some(gelu) => builder.gelu(gelu)?,
            None => builder.layer(index, node)?,
        }
    }
    for bytes in &graph.outputs {
        let Named { name } = message(bytes)?;
        builder.output(&name)?;
    }
    builder.graph.check()?;
    Ok(builder.graph)
}

/// What exporters call every graph.
const GENERIC: [&str; 4] = ["main_graph", "main", "torch_jit", "tf2onnx"];

fn check_version(model: &message::Model) -> Result<(), Error> {
    for bytes in &model.operator_sets {
        let OperatorSet { domain, version } = message(bytes)?;
        if domain.is_empty() || domain == "ai.onnx" {
            return match OPERATOR_SETS.contains(&version) {
                true => Ok(()),
                false => Err(Error::model(format!(
                    "has operators of version {version} (opset), supported are {} to {}: export it with another opset_version, or \
                     use onnx.version_converter",
                    OPERATOR_SETS.start(),
                    OPERATOR_SETS.end()
                ))),
            };
        }
    }
    Err(Error::model("does not say the version of its operators (opset): damaged .onnx file"))
}

/// The name of a tensor of the file, without its numbers.
fn name_of_tensor(bytes: &Bytes) -> Result<String, Error> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Name {
        #[prost(string, tag = "8")]
        name: String,
    }
    message(bytes).map(|Name { name }| name)
}

/// A constant, decoded when it is looked at.
enum Held {
    Bytes(Bytes),
    Decoded(Constant),
}

/// What a name of the file stands for.
#[derive(Debug, Clone)]
struct Value {
    view: View,
    /// Whether these are the stored numbers of a quantized tensor, and not the real ones.
    stored: bool,
}

/// The graph as far as it is made.
struct Builder<'a> {
    graph: Graph,
    budget: Budget,
    nodes: &'a [Node],
    /// Which nodes read a value, each as often as it does.
    readers: HashMap<&'a str, Vec<usize>>,
    /// Which node makes a value.
    makers: HashMap<&'a str, usize>,
    /// The model's outputs.
    outputs: HashSet<String>,
    constants: HashMap<String, Held>,
    values: HashMap<String, Value>,
    /// Nodes that an earlier layer has taken in.
    done: HashSet<usize>,
    /// Names of layers so far.
    names: HashSet<String>,
}

impl<'a> Builder<'a> {
    /// Finds who reads and who makes what.
    fn wire(&mut self, graph: &message::Graph) -> Result<(), Error> {
        for (index, node) in self.nodes.iter().enumerate() {
            for input in &node.inputs {
                self.readers.entry(input.as_str()).or_default().push(index);
            }
            for output in &node.outputs {
                self.makers.entry(output).or_insert(index);
            }
        }
        for bytes in &graph.outputs {
            let Named { name } = message(bytes)?;
            self.outputs.insert(name);
        }
        Ok(())
    }

    /// The nodes that read a value.
    fn readers_of(&self, name: &str) -> &[usize] {
        self.readers.get(name).map_or(&[], Vec::as_slice)
    }

    /// An input of the model as a layer, unless it is one that the file has numbers for.
    fn input(&mut self, input: &ValueInfo) -> Result<(), Error> {
        let name = &input.name;
        if self.constants.contains_key(name) {
            return Ok(());
        }
        let wrong = |reason: String| Error::layer(name.escape_debug().to_string(), reason);
        let tensor = input.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        let tensor = tensor.ok_or_else(|| wrong("is an input that is no tensor".to_owned()))?;
        if tensor.element != FLOAT {
            return Err(wrong(format!(
                "is an input of the type {} (TensorProto.DataType); supported is float",
                tensor.element
            )));
        }
        let extents = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.extents);
        if extents.len() < 2 || extents.len() > MOST_AXES {
            return Err(wrong(format!(
                "is an input with {} axes; supported are a batch and one to four",
                extents.len()
            )));
        }
        let mut shape = Vec::with_capacity(extents.len());
        for (axis, bytes) in extents.iter().enumerate() {
            let message::Extent { number, word } = message(bytes)?;
            match (axis, number.and_then(|number| usize::try_from(number).ok()).filter(|&number| number > 0)) {
                (0, None | Some(1)) => {}
                (0, Some(batch)) => {
                    return Err(wrong(format!(
                        "is an input with a batch of {batch}; export the model for one at a time"
                    )));
                }
                (_, Some(extent)) => shape.push(extent),
                (_, None) => {
                    return Err(wrong(format!(
                        "is an input whose axis {axis} ({}) has no fixed extent; export the model for one size",
                        word.escape_debug()
                    )));
                }
            }
        }
        let axes: Vec<usize> = match self.wants_channels_last(name) {
            true => (1..shape.len()).chain([0]).collect(),
            false => (0..shape.len()).collect(),
        };
        let shape = Shape(axes.iter().map(|&axis| shape[axis]).collect());
        let quantization = self.quantized_input(name)?;
        let element = if quantization.is_some() { Element::I8 } else { Element::F32 };
        let operator = Operator::Input { element, scale: 1.0, offset: 0.0 };
        let id = self.push_of(name, operator, Vec::new(), shape, quantization)?;
        self.values.insert(name.clone(), Value { view: View::new(id, axes), stored: false });
        Ok(())
    }

    /// What the model answers with.
    fn output(&mut self, name: &str) -> Result<(), Error> {
        let Some(value) = self.values.get(name) else {
            return Err(Error::layer(name.escape_debug().to_string(), "is an output that no operator makes"));
        };
        let view = value.view.clone();
        let view = if view.is_flat() { self.in_order(name, &view)? } else { view.whole() };
        // As the rows lie: in the file's order, or with its first axis, the channels, last.
        let channels_last: Vec<usize> = (1..view.axes.len()).chain([0]).collect();
        let view = if view.axes.is_sorted() { view } else { self.along(name, &view, &channels_last)? };
        self.graph.outputs.push(view.id);
        self.graph.output_names.push(name.to_owned());
        Ok(())
    }

    /// Appends a layer whose tensor is quantized so, or real.
    fn push(
        &mut self,
        name: &str,
        operator: Operator,
        inputs: Vec<TensorId>,
        quantization: Option<Quantization>,
    ) -> Result<TensorId, Error> {
        let shapes: Vec<&Shape> = inputs.iter().map(|&input| &self.graph.tensor(input).shape).collect();
        let shape = infer_shapes::shape_of(&operator, &shapes, &Shape(Vec::new()))
            .map_err(|reason| Error::layer(name.escape_debug().to_string(), reason))?;
        self.push_of(name, operator, inputs, shape, quantization)
    }

    fn push_of(
        &mut self,
        name: &str,
        operator: Operator,
        inputs: Vec<TensorId>,
        shape: Shape,
        quantization: Option<Quantization>,
    ) -> Result<TensorId, Error> {
        let mut name = name.escape_debug().to_string();
        if self.names.contains(&name) {
            name = format!("{name}_{}", self.graph.layers.len());
        }
        // It stands at the layer, at the tensor, and here.
        self.budget.take(3, name.len())?;
        let element = if quantization.is_some() { Element::I8 } else { Element::F32 };
        if inputs.iter().any(|&input| self.graph.tensor(input).element != element) {
            let reason = "has both int8 and real numbers; quantize the whole model, or leave it real";
            return Err(Error::layer(name, reason));
        }
        self.names.insert(name.clone());
        let id = self.graph.push(name, operator, inputs, shape);
        self.graph.tensors[id.0].element = element;
        self.graph.tensors[id.0].quantization = quantization;
        Ok(id)
    }

    /// The layers of one node.
    fn layer(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        if self.computes_integers(node)? {
            return Ok(());
        }
        match node.kind.as_str() {
            "Conv" => self.convolution(index, node),
            "Gemm" => self.gemm(index, node),
            "MatMul" => self.matrix(index, node),
            "BatchNormalization" => self.batch_normalization(index, node),
            "MaxPool" | "AveragePool" => self.pool(index, node),
            "GlobalMaxPool" | "GlobalAveragePool" => self.global_pool(index, node),
            "ReduceMean" | "ReduceMax" => self.reduce(index, node),
            "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "PRelu" => self.pairwise(index, node),
            "Softmax" => self.softmax(index, node),
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.reshape(node),
            "Transpose" => self.transpose(node),
            "Concat" => self.concatenate(index, node),
            "Pad" => self.pad(index, node),
            "Slice" => self.slice(index, node),
            "Split" => self.split(node),
            "Resize" => self.resize(index, node),
            "Identity" | "Dropout" | "Cast" => self.pass_on(node),
            "QuantizeLinear" => self.quantize(node),
            "DequantizeLinear" => self.dequantize(node),
            _ => self.function(index, node),
        }
    }

    /// The real value that a node reads at `place`, in what axes it may be.
    fn read(&self, node: &Node, place: usize) -> Result<View, Error> {
        let name = node.input(place).ok_or_else(|| node.error(format!("has no input {place}")))?;
        match self.values.get(name) {
            Some(value) => Ok(value.view.clone()),
            None if self.constants.contains_key(name) => Err(node.error(format!(
                "reads the constant \"{}\", where only values that layers make are supported",
                name.escape_debug()
            ))),
            None => Err(node.error(format!("reads \"{}\", which no operator before it makes", name.escape_debug()))),
        }
    }

    /// The constant that a node reads at `place`; `None` where it reads none there.
    fn constant(&mut self, node: &Node, place: usize) -> Result<Option<Constant>, Error> {
        let Some(name) = node.input(place) else { return Ok(None) };
        self.held(name)
    }

    /// The constant of that name; `None` where the name is that of something else.
    fn held(&mut self, name: &str) -> Result<Option<Constant>, Error> {
        match self.constants.get(name) {
            Some(Held::Decoded(constant)) => {
                self.budget.take(constant.len(), size_of::<i64>())?;
                Ok(Some(constant.clone()))
            }
            Some(Held::Bytes(bytes)) => Constant::of(&message(bytes)?, name, &mut self.budget).map(Some),
            None => Ok(None),
        }
    }

    /// The constant that a node needs at `place`.
    fn needed(&mut self, node: &Node, place: usize, what: &str) -> Result<Constant, Error> {
        let constant = self.constant(node, place)?;
        constant
            .ok_or_else(|| node.error(format!("has {what} that are computed by the model; supported are constants")))
    }

    /// Whole numbers at `place`, or of the attribute of that name, as older operators have them.
    fn whole_numbers(&mut self, node: &Node, place: usize, attribute: &str) -> Result<Option<Vec<i64>>, Error> {
        if let Some(numbers) = node.integers(attribute)? {
            return Ok(Some(numbers));
        }
        if node.input(place).is_none() {
            return Ok(None);
        }
        let constant = self.needed(node, place, attribute)?;
        match constant.integers() {
            Some(numbers) => Ok(Some(numbers.to_vec())),
            None => Err(node.error(format!("has {attribute} that are no whole numbers"))),
        }
    }

    /// Says what a node has made.
    fn made(&mut self, name: &str, view: View) {
        self.values.insert(name.to_owned(), Value { view, stored: false });
    }
}
