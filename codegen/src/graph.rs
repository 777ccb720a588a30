//! The graph: what a model computes, without a word about files, memory or Rust text.
//!
//! Readers make it, passes and the quantizer rewrite it, the planner and the emitter read it.
//! Layers stand in an order in which every layer comes after those it reads from
//! ([`Graph::check`] says so), and each layer makes exactly one tensor.
//!
//! Shapes leave out the batch and are channels-last: `[height, width, channels]` for an image,
//! `[steps, channels]` for a time series, `[channels]` for a flat tensor.

mod elementwise;

use std::collections::HashSet;

use crate::error::Error;

pub use elementwise::{Constant, Function, Numbers, PairFunction};

/// Names a tensor of one [`Graph`]: its index in [`Graph::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// The element type of a tensor in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE single precision.
    F32,
    /// Quantized to eight bits, see [`Quantization`].
    I8,
    /// Pixels as a camera gives them, 0 to 255. Only a model's input has this type.
    U8,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::I8 | Element::U8 => 1,
        }
    }

    /// The type's name in Rust.
    pub fn name(self) -> &'static str {
        match self {
            Element::F32 => "f32",
            Element::I8 => "i8",
            Element::U8 => "u8",
        }
    }
}

/// How an int8 tensor stands for real numbers: `real = scale * (stored - zero_point)`,
/// as in the TensorFlow Lite 8-bit quantization specification.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantization {
    /// Real value of one step; positive and finite.
    pub scale: f32,
    /// The stored value that stands for zero, -128 to 127.
    pub zero_point: i32,
}

/// The extents of a tensor without its batch, channels last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(pub Vec<usize>);

impl Shape {
    /// Elements in all.
    pub fn elements(&self) -> usize {
        self.0.iter().product()
    }

    /// Rows: the extent of the first spatial axis; one for a flat tensor.
    pub fn rows(&self) -> usize {
        if self.0.len() > 1 { self.0[0] } else { 1 }
    }

    /// Elements of one row.
    pub fn row_elements(&self) -> usize {
        self.0[usize::from(self.0.len() > 1)..].iter().product()
    }

    /// Width of an image's row in pixels; one for a time series or a flat tensor.
    pub fn width(&self) -> usize {
        if self.0.len() > 2 { self.0[1] } else { 1 }
    }

    /// The last extent.
    pub fn channels(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let extents: Vec<String> = self.0.iter().map(usize::to_string).collect();
        formatter.write_str(&extents.join("x"))
    }
}

/// A value that flows between layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The name of the layer that makes it.
    pub name: String,
    /// Extents without the batch. Readers set the input's; [`crate::passes`] infers the others.
    pub shape: Shape,
    /// Element type; [`Element::F32`] until the graph is quantized.
    pub element: Element,
    /// Set when `element` is [`Element::I8`].
    pub quantization: Option<Quantization>,
}

/// Trained numbers of a layer, in the layout that its [`Operator`] states.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// As trained.
    F32(Vec<f32>),
    /// Symmetric (zero point 0), with one scale per output channel.
    I8 {
        /// The quantized numbers.
        values: Vec<i8>,
        /// Real value of one step, per output channel.
        scales: Vec<f32>,
    },
}

impl Weights {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Weights::F32(values) => values.len(),
            Weights::I8 { values, .. } => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One number per output channel, added to the accumulator.
#[derive(Debug, Clone, PartialEq)]
pub enum Bias {
    /// As trained.
    F32(Vec<f32>),
    /// In steps of `input scale * weight scale` of the channel.
    I32(Vec<i32>),
}

impl Bias {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Bias::F32(values) => values.len(),
            Bias::I32(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How the border of an image is treated by a layer with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// The window stays inside; the output shrinks.
    Valid,
    /// As many places around the input as the output needs to have `ceil(input / stride)`
    /// places; an odd one goes after the input (below, to the right), as in Keras.
    Same,
    /// As many places as are said, whatever the input. Every pair is `[vertical, horizontal]`.
    Explicit {
        /// Above and to the left.
        before: [usize; 2],
        /// Below and to the right.
        after: [usize; 2],
    },
}

/// A window that slides over rows and columns. Every pair is `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Taps.
    pub size: [usize; 2],
    /// Places between two outputs.
    pub stride: [usize; 2],
    /// Places between two taps; 1 is a dense window.
    pub dilation: [usize; 2],
    /// Border treatment.
    pub padding: Padding,
}

impl Window {
    /// A window of one place, as of a pointwise convolution.
    pub const POINT: Window = Window { size: [1, 1], stride: [1, 1], dilation: [1, 1], padding: Padding::Valid };

    /// Whether it is one place with padding around: a convolution reads it where it lies, and can't.
    pub fn pads_a_point(&self) -> bool {
        self.size == [1, 1]
            && matches!(self.padding, Padding::Explicit { before, after } if [before, after] != [[0; 2]; 2])
    }

    /// Places from the first tap to the last, both included, along `axis` (0 vertical).
    pub fn reach(&self, axis: usize) -> usize {
        (self.size[axis] - 1) * self.dilation[axis] + 1
    }

    /// Outputs along `axis` for an input of `extent` places; 0 when the window does not fit.
    pub fn outputs(&self, axis: usize, extent: usize) -> usize {
        let inside = |extent: usize| (extent + self.stride[axis]).saturating_sub(self.reach(axis)) / self.stride[axis];
        match self.padding {
            Padding::Valid => inside(extent),
            Padding::Same => extent.div_ceil(self.stride[axis]),
            Padding::Explicit { before, after } => inside(extent + before[axis] + after[axis]),
        }
    }

    /// Padded places before the first along `axis` for an input of `extent` places.
    pub fn before(&self, axis: usize, extent: usize) -> usize {
        match self.padding {
            Padding::Valid => 0,
            Padding::Same => {
                let outputs = self.outputs(axis, extent);
                ((outputs.max(1) - 1) * self.stride[axis] + self.reach(axis)).saturating_sub(extent) / 2
            }
            Padding::Explicit { before, .. } => before[axis],
        }
    }
}

/// An axis of a shape. A time series has no columns, a flat tensor channels alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Axis {
    /// The first of several.
    Rows,
    /// The second of three.
    Columns,
    /// The last.
    Channels,
}

impl Axis {
    /// Its place among the extents of a shape, where the shape has it.
    pub fn place(self, shape: &Shape) -> Option<usize> {
        let axes = shape.0.len();
        match self {
            Axis::Rows => (axes > 1).then_some(0),
            Axis::Columns => (axes > 2).then_some(1),
            Axis::Channels => axes.checked_sub(1),
        }
    }
}

/// Which place of an axis is nearest when the axis is resized, in the three ways of TensorFlow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nearest {
    /// First and last places of both lie on each other.
    pub align_corners: bool,
    /// A place stands in the middle of its value.
    pub half_pixel_centers: bool,
}

impl Nearest {
    /// The input place, of `inputs`, that output place `place`, of `outputs`, is a copy of: as
    /// RESIZE_NEAREST_NEIGHBOR of LiteRT's reference kernels computes it, in f32.
    ///
    /// ```
    /// use microception_codegen::graph::Nearest;
    /// let nearest = Nearest { align_corners: false, half_pixel_centers: true };
    /// assert_eq!((0..6).map(|place| nearest.source(place, 6, 3)).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2]);
    /// ```
    pub fn source(self, place: usize, outputs: usize, inputs: usize) -> usize {
        let last = inputs.saturating_sub(1);
        let scale = if self.align_corners && outputs > 1 {
            last as f32 / (outputs - 1) as f32
        } else {
            inputs as f32 / outputs as f32
        };
        let offset = if self.half_pixel_centers { 0.5 } else { 0.0 };
        let near = (place as f32 + offset) * scale;
        let near = if self.align_corners { near.round() } else { near.floor() };
        // Never negative, never a NaN.
        (near as usize).min(last)
    }
}

/// What a layer computes. Weight layouts are in memory order, the last index running fastest.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// The model's input; has no inputs of its own. `real = scale * stored + offset` says how
    /// the caller's element becomes the tensor's real value (scale 1, offset 0 as read;
    /// a pass absorbs a Rescaling here).
    Input {
        /// Element type that the caller hands over.
        element: Element,
        /// Real value of one step of the caller's element.
        scale: f32,
        /// Real value of the caller's zero.
        offset: f32,
    },
    /// Convolution over all input channels; a pointwise one has [`Window::POINT`].
    Convolution {
        /// `[output][vertical][horizontal][input]`.
        weights: Weights,
        /// Per output channel.
        bias: Option<Bias>,
        /// Taps, strides, padding.
        window: Window,
        /// Applied to the result.
        activation: Option<Function>,
    },
    /// Convolution of each channel by itself. Output channel `c * multiplier + m` reads input
    /// channel `c`.
    Depthwise {
        /// `[vertical][horizontal][output]`.
        weights: Weights,
        /// Per output channel.
        bias: Option<Bias>,
        /// Taps, strides, padding.
        window: Window,
        /// Output channels per input channel.
        multiplier: usize,
        /// Applied to the result.
        activation: Option<Function>,
    },
    /// Every output reads every channel of the last axis of a flat tensor.
    Dense {
        /// `[output][input]`.
        weights: Weights,
        /// Per output.
        bias: Option<Bias>,
        /// Applied to the result.
        activation: Option<Function>,
    },
    /// A dense layer at every place of a picture or a series by itself: every output reads every
    /// channel of its place. What a pointwise convolution is, but in int8 rounded as a dense layer.
    PositionwiseDense {
        /// `[output][input]`.
        weights: Weights,
        /// Per output.
        bias: Option<Bias>,
        /// Applied to the result.
        activation: Option<Function>,
    },
    /// The largest value of each channel in the window; padded places do not take part.
    MaxPool {
        /// Pool size, strides, padding.
        window: Window,
    },
    /// The mean of each channel over the places of the window that exist.
    AveragePool {
        /// Pool size, strides, padding.
        window: Window,
    },
    /// The mean of each channel over all places.
    GlobalAveragePool {
        /// Whether the output keeps its spatial axes, with extent 1.
        keep_dims: bool,
    },
    /// The largest value of each channel over all places.
    GlobalMaxPool {
        /// Whether the output keeps its spatial axes, with extent 1.
        keep_dims: bool,
    },
    /// Places and channels of one value around the input. All are `[rows, columns, channels]`.
    Pad {
        /// Above, to the left, before the first channel.
        before: [usize; 3],
        /// Below, to the right, after the last channel.
        after: [usize; 3],
        /// Real value of what is added.
        value: f32,
    },
    /// Two tensors, one behind the other along an axis.
    Concatenate {
        /// The only one in which they may differ.
        axis: Axis,
    },
    /// Every element in the same order, in other extents.
    Reshape {
        /// The extents.
        shape: Shape,
    },
    /// Each place a copy of the nearest.
    ResizeNearest {
        /// Rows and columns of the output.
        size: [usize; 2],
        /// What is near.
        nearest: Nearest,
    },
    /// A function of two operands, element by element. Extents of 1 are repeated, and a flat operand is one
    /// pixel for all places.
    Pairwise {
        /// What is made of two elements.
        function: PairFunction,
        /// The operand that the model holds; without it the layer has two inputs.
        constant: Option<Constant>,
        /// Applied to the result.
        activation: Option<Function>,
    },
    /// A function of its own, where it could not be fused into the layer before.
    Activation(Function),
    /// The same numbers in int8 of another scale or zero point.
    Requantize {
        /// What is made of the real numbers in between; without it they never are.
        through: Option<Function>,
    },
    /// `exp(x) / sum(exp(x))` over the last axis.
    Softmax,
    /// Every element in the same order, as one flat tensor.
    Flatten,
    /// `x * scale + shift` per channel of the last axis: a batch normalization or a Rescaling
    /// at inference. Folded by a pass; where it can't fold it becomes a depthwise layer.
    ScaleShift {
        /// Per channel.
        scale: Vec<f32>,
        /// Per channel.
        shift: Vec<f32>,
    },
    /// Passes its input on: a layer that only works in training (dropout, augmentation).
    ///
    /// Dropout sets a part `rate` of its input to zero in training and multiplies the rest by `1 / (1 - rate)`. On average every
    /// number stays what it is, so that after training there is nothing to drop and nothing to scale:
    ///
    /// ```
    /// let rate = 0.75; // of four numbers three become zero
    /// let scale = 1.0 / (1.0 - rate);
    /// assert_eq!(scale, 4.0);
    ///
    /// let input = [4.0, 5.0, 4.0, 4.0];
    /// let kept = |one: usize| (0..4).map(move |index| if index == one { input[index] * scale } else { 0.0 });
    /// assert_eq!(kept(1).collect::<Vec<_>>(), [0.0, 20.0, 0.0, 0.0]);
    /// let average: Vec<f64> = (0..4).map(|index| (0..4).filter_map(|one| kept(one).nth(index)).sum::<f64>() / 4.0).collect();
    /// assert_eq!(average, input);
    ///
    /// // a model with Dropout, SpatialDropout2D, GaussianDropout and GaussianNoise among its layers
    /// use microception_codegen::graph::{Graph, Operator};
    /// use microception_codegen::{passes, read};
    /// let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/keras/dropouts.keras");
    /// let graph = read::read(file.as_ref())?;
    /// let dropped = |graph: &Graph| graph.layers.iter().filter(|layer| layer.operator == Operator::Identity).count();
    /// assert_eq!(dropped(&graph), 5);
    /// assert_eq!(dropped(&passes::run(graph)?), 0);
    /// # Ok::<(), microception_codegen::error::Error>(())
    /// ```
    Identity,
}

impl Operator {
    /// The sum of two tensors.
    pub fn add(activation: Option<Function>) -> Operator {
        Operator::Pairwise { function: PairFunction::Add, constant: None, activation }
    }

    /// The operator's name in tables and in the layout of `src/layers`.
    pub fn name(&self) -> &'static str {
        match self {
            Operator::Input { .. } => "input",
            Operator::Convolution { window, .. } if window.size == [1, 1] => "pointwise",
            Operator::Convolution { .. } => "conv",
            Operator::Depthwise { .. } => "depthwise",
            Operator::Dense { .. } => "dense",
            Operator::PositionwiseDense { .. } => "positionwise_dense",
            Operator::MaxPool { .. } => "max_pool",
            Operator::AveragePool { .. } => "average_pool",
            Operator::GlobalAveragePool { .. } => "global_average_pool",
            Operator::GlobalMaxPool { .. } => "global_max_pool",
            Operator::Pad { .. } => "pad",
            Operator::Concatenate { .. } => "concatenate",
            Operator::Reshape { .. } => "reshape",
            Operator::ResizeNearest { .. } => "resize_nearest",
            Operator::Pairwise { function, .. } => function.name(),
            Operator::Activation(_) => "activation",
            Operator::Requantize { .. } => "requantize",
            Operator::Softmax => "softmax",
            Operator::Flatten => "flatten",
            Operator::ScaleShift { .. } => "scale_shift",
            Operator::Identity => "identity",
        }
    }

    /// The fused activation's place, for the operators that can carry one.
    pub fn activation_mut(&mut self) -> Option<&mut Option<Function>> {
        match self {
            Operator::Convolution { activation, .. }
            | Operator::Depthwise { activation, .. }
            | Operator::Dense { activation, .. }
            | Operator::PositionwiseDense { activation, .. }
            | Operator::Pairwise { activation, .. } => Some(activation),
            _ => None,
        }
    }

    /// Weights and bias, for the operators that have them.
    pub fn weights(&self) -> Option<(&Weights, Option<&Bias>)> {
        match self {
            Operator::Convolution { weights, bias, .. }
            | Operator::Depthwise { weights, bias, .. }
            | Operator::Dense { weights, bias, .. }
            | Operator::PositionwiseDense { weights, bias, .. } => Some((weights, bias.as_ref())),
            _ => None,
        }
    }
}

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
    /// The classes' names in the order of the last axis of the output; empty when unknown.
    pub labels: Vec<String>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Graph {
        Graph { name: name.into(), tensors: Vec::new(), layers: Vec::new(), outputs: Vec::new(), labels: Vec::new() }
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
        self.layers.push(Layer { name, operator, inputs, output });
        output
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
            Operator::Depthwise { window, .. } => window.size[0] * window.size[1],
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

    /// Errors unless every layer reads only tensors that a layer before it makes, every tensor
    /// has one maker, and the outputs exist.
    pub fn check(&self) -> Result<(), Error> {
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
