//! What a layer computes.

use super::{Axis, Bias, Constant, Element, Function, Linear, Nearest, PairFunction, Shape, Weights, Window};

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
        /// `[output][depth][vertical][horizontal][input]`.
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
    /// Places and channels of one value around the input, in the order of [`Axis::ALL`].
    Pad {
        /// Before the first row, above the first line of each plane, to the left, before the first channel.
        before: [usize; 4],
        /// Behind the last row, below the last line of each plane, to the right, after the last channel.
        after: [usize; 4],
        /// Real value of what is added.
        value: f32,
    },
    /// Some places and channels of a tensor.
    Crop {
        /// Along each axis, how many are left out in front.
        before: Vec<usize>,
        /// The extents of what is kept.
        shape: Shape,
    },
    /// Axes in another order: those of the output are these of the input.
    Transpose {
        /// Each axis once, counted from 0.
        axes: Vec<usize>,
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
        /// Rows, lines of each, and columns of the output.
        size: [usize; 3],
        /// What is near.
        nearest: Nearest,
    },
    /// Each place between the nearest, in proportion to how near they are.
    ResizeBilinear {
        /// Rows and columns of the output.
        size: [usize; 2],
        /// Where the places lie.
        linear: Linear,
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
            Operator::Convolution { window, .. } if window.taps() == 1 => "pointwise",
            Operator::Convolution { .. } => "conv",
            Operator::Depthwise { .. } => "depthwise",
            Operator::Dense { .. } => "dense",
            Operator::PositionwiseDense { .. } => "positionwise_dense",
            Operator::MaxPool { .. } => "max_pool",
            Operator::AveragePool { .. } => "average_pool",
            Operator::GlobalAveragePool { .. } => "global_average_pool",
            Operator::GlobalMaxPool { .. } => "global_max_pool",
            Operator::Pad { .. } => "pad",
            Operator::Crop { .. } => "crop",
            Operator::Transpose { .. } => "transpose",
            Operator::Concatenate { .. } => "concatenate",
            Operator::Reshape { .. } => "reshape",
            Operator::ResizeNearest { .. } => "resize_nearest",
            Operator::ResizeBilinear { .. } => "resize_bilinear",
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
