//! A float graph as operations on a batch of inputs that can be differentiated towards these.
//!
//! A tensor is `[batch * places, channels]`, in memory as the runtime's: `[batch][row][column][channel]`. Where windows
//! lie comes from the graph's own types ([`Window`](crate::graph::Window) and its kin), as for the runtime's kernels.
//! Weights have no gradients, so that none are computed.
//!
//! `layer`: what each operator becomes. `windows`: tables of places. `sums`, `product`, `largest`, `elementwise`:
//! operations, each with its gradient.

pub(super) mod elementwise;
mod largest;
mod layer;
pub(super) mod product;
pub(super) mod sums;
mod windows;

use std::sync::Arc;

use candle_core::{CustomOp1, DType, Device, Tensor};

use crate::error::Error;
use crate::graph::{Element, Function, Graph, Operator, PairFunction, Shape};

/// A float graph, ready to be differentiated.
///
/// ```
/// use candle_core::Var;
/// use microception_codegen::visualize::network::Network;
/// use microception_codegen::{passes, read};
/// let file = concat!(env!("CARGO_MANIFEST_DIR"), "/models/xception_lite/xlite.keras");
/// let network = Network::new(&passes::run(read::read(file.as_ref())?)?)?;
/// let grey = Var::from_tensor(&network.input(0, &[0.5; 32 * 32 * 3])?)?;
/// let tensors = network.forward(&[grey.as_tensor().clone()])?;
///
/// let cat = network.class(3)?;
/// let logits = &tensors[cat.layer];
/// assert_eq!(logits.dims(), [1, 10]);
/// let gradients = logits.get(0)?.get(cat.unit)?.backward()?;
/// assert_eq!(gradients.get(&grey).expect("the logit depends on the picture").elem_count(), 32 * 32 * 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Network {
    steps: Vec<Step>,
    names: Vec<String>,
    shapes: Vec<Shape>,
    /// Of each input the least and greatest real value, where it is known.
    ranges: Vec<Option<[f32; 2]>>,
    outputs: Vec<usize>,
    logits: usize,
    precision: DType,
}

/// What a layer does, and with which layers' tensors.
#[derive(Debug, Clone)]
struct Step {
    inputs: Vec<usize>,
    work: Work,
}

#[derive(Debug, Clone)]
enum Work {
    /// The input of that number.
    Input(usize),
    /// On one tensor, one after the other; without any the same numbers in other extents.
    Chain(Vec<Stage>),
    /// Of two tensors of these extents, a list of blocks each: the blocks of both in turn.
    Concatenate([[usize; 2]; 2]),
    /// Of two tensors of these extents without the batch, which are as many.
    Pair { function: PairFunction, extents: [Vec<usize>; 2], constant: Option<(Tensor, bool)>, then: Option<Function> },
}

/// A stage of a chain.
#[derive(Clone)]
struct Stage {
    /// Into rows of so many numbers.
    channels: usize,
    operation: Arc<Box<dyn CustomOp1 + Send + Sync>>,
    /// Whether it is a function that only clamps.
    clamps: bool,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} of {}", self.operation.name(), self.channels)
    }
}

impl Network {
    /// Of a graph that has gone through the [passes](crate::passes), in single precision.
    ///
    /// # Errors
    /// When the graph is quantized, for what is rounded has no slope, or is no graph that the passes leave.
    pub fn new(graph: &Graph) -> Result<Network, Error> {
        Network::with_precision(graph, DType::F32)
    }

    /// As [`new`](Network::new), in single or double precision. In double precision gradients can be told from
    /// differences.
    ///
    /// # Errors
    /// As [`new`](Network::new), and of any other precision.
    pub fn with_precision(graph: &Graph, precision: DType) -> Result<Network, Error> {
        graph.check()?;
        let mut steps = Vec::with_capacity(graph.layers.len());
        for (index, layer) in graph.layers.iter().enumerate() {
            let tensor = graph.tensor(layer.output);
            if tensor.element != Element::F32 {
                let reason = format!("is quantized to {}: only a float model has gradients", tensor.element.name());
                return Err(Error::layer(&layer.name, reason));
            }
            let inputs: Option<Vec<usize>> = layer.inputs.iter().map(|&input| graph.maker(input)).collect();
            let inputs = inputs.ok_or_else(|| Error::layer(&layer.name, "reads a tensor that no layer makes"))?;
            let shapes: Vec<&Shape> = layer.inputs.iter().map(|&input| &graph.tensor(input).shape).collect();
            let work = match precision {
                DType::F32 => layer::work::<f32>(index, &layer.operator, &shapes, &tensor.shape),
                DType::F64 => layer::work::<f64>(index, &layer.operator, &shapes, &tensor.shape),
                other => Err(format!("can't be computed in {}: in f32 or f64", other.as_str())),
            };
            steps.push(Step { inputs, work: work.map_err(|reason| Error::layer(&layer.name, reason))? });
        }
        let range = |operator: &Operator| match *operator {
            Operator::Input { element: Element::U8, scale, offset } => {
                let [first, last] = [offset, offset + 255.0 * scale];
                Some([first.min(last), first.max(last)])
            }
            _ => None,
        };
        let outputs = crate::lower::outputs(graph)?;
        Ok(Network {
            steps,
            names: graph.layers.iter().map(|layer| layer.name.clone()).collect(),
            shapes: graph.layers.iter().map(|layer| graph.tensor(layer.output).shape.clone()).collect(),
            ranges: graph.inputs().iter().map(|input| range(&input.operator)).collect(),
            logits: logits(graph, outputs[0]),
            outputs,
            precision,
        })
    }

    /// How many inputs it has.
    pub fn inputs(&self) -> usize {
        self.ranges.len()
    }

    /// The layers that make the model's outputs.
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// How many layers it has, those of its inputs included: they are the first.
    pub fn layers(&self) -> usize {
        self.steps.len()
    }

    /// The layer of that name.
    pub fn layer(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|layer| layer == name)
    }

    /// A layer's name; nothing where there is no such layer.
    pub fn name(&self, layer: usize) -> &str {
        self.names.get(layer).map_or("", String::as_str)
    }

    /// The extents of what a layer makes, without the batch, channels last.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn shape(&self, layer: usize) -> &Shape {
        &self.shapes[layer]
    }

    /// Least and greatest real value that an input can have: of one that takes pixels. `None` of any other, and of one
    /// that does not exist.
    pub fn range(&self, input: usize) -> Option<[f32; 2]> {
        self.ranges.get(input).copied().flatten()
    }

    /// Precision of its numbers.
    pub fn precision(&self) -> DType {
        self.precision
    }

    /// What a class is decided by: the channel of what goes into the softmax or sigmoid at the first output, or of the
    /// output where there is none.
    ///
    /// # Errors
    /// When there are fewer classes.
    pub fn class(&self, class: usize) -> Result<super::ascent::Target, Error> {
        let classes = self.shapes[self.logits].channels();
        if class >= classes {
            return Err(Error::model(format!("has {classes} classes, and none with the number {class}")));
        }
        Ok(super::ascent::Target { layer: self.logits, unit: class })
    }

    /// Errors unless a target exists.
    pub(super) fn check(&self, super::ascent::Target { layer, unit }: super::ascent::Target) -> Result<(), Error> {
        match self.shapes.get(layer) {
            None => Err(Error::model(format!("has {} layers, and none with the number {layer}", self.layers()))),
            Some(shape) if unit >= shape.channels() => {
                let reason = format!("has {} channels, and none with the number {unit}", shape.channels());
                Err(Error::layer(&self.names[layer], reason))
            }
            Some(_) => Ok(()),
        }
    }

    /// Frames of real values, `[frame][row][column][channel]`, as a tensor for that input.
    ///
    /// # Errors
    /// When there is no such input, or these are no whole frames.
    pub fn input(&self, input: usize, values: &[f32]) -> Result<Tensor, Error> {
        let shape = self.shapes[..self.inputs()]
            .get(input)
            .ok_or_else(|| Error::model(format!("has {} inputs, and none with the number {input}", self.inputs())))?;
        if values.is_empty() || !values.len().is_multiple_of(shape.elements()) {
            let reason = format!("takes frames of {} values, not {} values", shape.elements(), values.len());
            return Err(Error::layer(&self.names[input], reason));
        }
        Tensor::from_slice(values, (values.len() / shape.channels(), shape.channels()), &Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(self.precision))
            .map_err(failed(&self.names[input]))
    }

    /// What every layer makes, in the order of the layers: `[batch * places, channels]`, on the host's processor.
    ///
    /// Each input holds real values, `[batch][row][column][channel]` in any extents, in the network's precision.
    ///
    /// # Errors
    /// When there are fewer or more inputs than the model's, or one is not of whole frames or not of as many as the
    /// others.
    pub fn forward(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        self.up_to(self.layers(), inputs)
    }

    /// What a layer would make without the clamp that it ends with, of the tensors before it; `None` where there is no
    /// clamp.
    pub(super) fn unclamped(&self, layer: usize, tensors: &[Tensor]) -> Result<Option<Tensor>, Error> {
        let Some(step) = self.steps[layer].unclamped() else { return Ok(None) };
        let batch = tensors[0].elem_count() / self.shapes[0].elements();
        let channels = self.shapes[layer].channels();
        let made = step.run(batch, &[], tensors);
        let made = made.and_then(|made| made.reshape((made.elem_count() / channels, channels)));
        made.map(Some).map_err(failed(&self.names[layer]))
    }

    /// The tensors of the first `layers`.
    pub(super) fn up_to(&self, layers: usize, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        if inputs.len() != self.inputs() {
            return Err(Error::model(format!("takes {} inputs, not {}", self.inputs(), inputs.len())));
        }
        let frames = |input: usize| inputs[input].elem_count() / self.shapes[input].elements();
        for (input, tensor) in inputs.iter().enumerate() {
            let elements = self.shapes[input].elements();
            if tensor.elem_count() == 0 || frames(input) * elements != tensor.elem_count() {
                let reason = format!("takes frames of {elements} values, not {} values", tensor.elem_count());
                return Err(Error::layer(&self.names[input], reason));
            }
            if frames(input) != frames(0) {
                let reason = format!("is given {} frames, where the first input has {}", frames(input), frames(0));
                return Err(Error::layer(&self.names[input], reason));
            }
            if tensor.dtype() != self.precision {
                let [found, expected] = [tensor.dtype(), self.precision].map(|precision| precision.as_str());
                return Err(Error::layer(&self.names[input], format!("takes {expected}, not {found}")));
            }
        }
        let mut tensors: Vec<Tensor> = Vec::with_capacity(layers);
        for (index, step) in self.steps.iter().take(layers).enumerate() {
            let channels = self.shapes[index].channels();
            let made = step.run(frames(0), inputs, &tensors);
            let made = made.and_then(|made| made.reshape((made.elem_count() / channels, channels)));
            tensors.push(made.map_err(failed(&self.names[index]))?);
        }
        Ok(tensors)
    }
}

impl Step {
    /// The same without the clamp that it ends with.
    fn unclamped(&self) -> Option<Step> {
        let mut step = self.clone();
        let clamps = |function: Function| function.clamps().is_some();
        match &mut step.work {
            Work::Chain(stages) => stages.pop_if(|stage| stage.clamps).is_some().then_some(step),
            Work::Pair { then, .. } => then.take_if(|function| clamps(*function)).is_some().then_some(step),
            Work::Input(_) | Work::Concatenate(_) => None,
        }
    }

    fn run(&self, batch: usize, inputs: &[Tensor], tensors: &[Tensor]) -> candle_core::Result<Tensor> {
        let read = |index: usize| &tensors[self.inputs[index]];
        match &self.work {
            Work::Input(index) => inputs[*index].contiguous(),
            Work::Chain(stages) => stages.iter().try_fold(read(0).clone(), |tensor, stage| {
                let rows = tensor.elem_count() / stage.channels;
                tensor.reshape((rows, stage.channels))?.contiguous()?.apply_op1_arc(Arc::clone(&stage.operation))
            }),
            Work::Concatenate([first, second]) => {
                let blocks =
                    |index: usize, [blocks, elements]: [usize; 2]| read(index).reshape((batch * blocks, elements));
                Tensor::cat(&[blocks(0, *first)?, blocks(1, *second)?], 1)
            }
            Work::Pair { function, extents, constant, then } => {
                let operand = |index: usize| read(index).reshape([&[batch], extents[index].as_slice()].concat());
                let first = operand(0)?;
                let made = match constant {
                    Some((constant, true)) => elementwise::pair(*function, constant, &first),
                    Some((constant, false)) => elementwise::pair(*function, &first, constant),
                    None => elementwise::pair(*function, &first, &operand(1)?),
                }?;
                match then {
                    Some(function) => made.contiguous()?.apply_op1(elementwise::Each(*function)),
                    None => Ok(made),
                }
            }
        }
    }
}

/// The layer whose channels are the classes' logits, of the layer that makes an output.
fn logits(graph: &Graph, output: usize) -> usize {
    let mut index = output;
    loop {
        let layer = &graph.layers[index];
        let Some(before) = layer.inputs.first().and_then(|&input| graph.maker(input)) else { return output };
        match layer.operator {
            Operator::Reshape { .. } | Operator::Flatten | Operator::Identity => index = before,
            Operator::Softmax | Operator::Activation(Function::Sigmoid | Function::HardSigmoid { .. }) => {
                let channels = |layer: usize| graph.tensor(graph.layers[layer].output).shape.channels();
                return if channels(before) == channels(output) { before } else { output };
            }
            _ => return output,
        }
    }
}

/// An error of the tensors' library, as one of a layer.
pub(super) fn failed(layer: &str) -> impl Fn(candle_core::Error) -> Error + '_ {
    move |error| Error::layer(layer, error.to_string())
}
