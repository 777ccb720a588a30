//! Functions of one number and of two, and the operand that a model may hold for the latter.

use super::{Quantization, Shape};

/// A function of one number, applied to every element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `min(max(x, least), greatest)`: a ReLU to another end, or the clamp from -1 to 1.
    Clamp {
        /// Not above `greatest`.
        least: f32,
        /// May be infinite.
        greatest: f32,
    },
    /// `x`, or `slope * x` where `x` is negative.
    LeakyRelu {
        /// Of what is negative.
        slope: f32,
    },
    /// Keras's ReLU with all its settings: above the threshold `min(max(x, 0), greatest)`, below it
    /// `slope * (x - threshold)`.
    ThresholdRelu {
        /// Of what lies below the threshold.
        slope: f32,
        /// What is kept lies above it.
        threshold: f32,
        /// May be infinite.
        greatest: f32,
    },
    /// `x`, or `alpha * (exp(x) - 1)` where `x` is negative.
    Elu {
        /// What it tends to, with the sign changed.
        alpha: f32,
    },
    /// An ELU with alpha 1.6732632, times 1.050701.
    Selu,
    /// `x * (1 + erf(x / sqrt(2))) / 2`.
    Gelu,
    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`.
    GeluTanh,
    /// `x / (1 + exp(-x))`, also called swish.
    Silu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `min(max(slope * x + 1/2, 0), 1)`.
    HardSigmoid {
        /// 1/6 in Keras 3, 1/5 in Keras 2.
        slope: f32,
    },
    /// `x * min(max(x + 3, 0), 6) / 6`, also called hard silu.
    HardSwish,
    /// The hyperbolic tangent.
    Tanh,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `exp(x)`.
    Exponential,
    /// 1 where `x` is not negative, else 0.
    Step,
}

impl Function {
    /// Keras's name of it, or of the nearest that it has.
    pub fn name(self) -> &'static str {
        match self {
            Function::Relu | Function::ThresholdRelu { .. } => "relu",
            Function::Relu6 => "relu6",
            Function::Clamp { .. } => "clip",
            Function::LeakyRelu { .. } => "leaky_relu",
            Function::Elu { .. } => "elu",
            Function::Selu => "selu",
            Function::Gelu | Function::GeluTanh => "gelu",
            Function::Silu => "silu",
            Function::Sigmoid => "sigmoid",
            Function::HardSigmoid { .. } => "hard_sigmoid",
            Function::HardSwish => "hard_silu",
            Function::Tanh => "tanh",
            Function::Softplus => "softplus",
            Function::Softsign => "softsign",
            Function::Exponential => "exponential",
            Function::Step => "step",
        }
    }

    /// Least and greatest value that it leaves, where it does nothing else: then it can be fused. `None`
    /// for all other functions.
    pub fn clamps(self) -> Option<[f32; 2]> {
        match self {
            Function::Relu => Some([0.0, f32::INFINITY]),
            Function::Relu6 => Some([0.0, 6.0]),
            Function::Clamp { least, greatest } => Some([least, greatest]),
            _ => None,
        }
    }

    /// The function that leaves those from `least` to `greatest`.
    pub fn clamp([least, greatest]: [f32; 2]) -> Function {
        match [least, greatest] {
            [0.0, f32::INFINITY] => Function::Relu,
            [0.0, 6.0] => Function::Relu6,
            _ => Function::Clamp { least, greatest },
        }
    }

    /// Least and greatest value that it can have of inputs from `least` to `greatest`.
    pub fn bounds(self, [least, greatest]: [f64; 2]) -> [f64; 2] {
        let all = [f64::NEG_INFINITY, f64::INFINITY];
        match self {
            Function::Sigmoid | Function::HardSigmoid { .. } | Function::Step => [0.0, 1.0],
            Function::Tanh | Function::Softsign => [-1.0, 1.0],
            Function::Softplus | Function::Exponential => [0.0, f64::INFINITY],
            function => match function.clamps() {
                Some(range) => {
                    let [low, high] = range.map(f64::from);
                    [least.max(low).min(high), greatest.max(low).min(high)]
                }
                None => all,
            },
        }
    }
}

/// A function of two numbers, applied to every element of one operand and its counterpart in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PairFunction {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// The larger of both.
    Maximum,
    /// The smaller of both.
    Minimum,
    /// `a`, or `a * b` where `a` is negative: a ReLU with trained slopes.
    Prelu,
}

impl PairFunction {
    /// The name of its file in the runtime's `src/layers`.
    pub fn name(self) -> &'static str {
        match self {
            PairFunction::Add => "add",
            PairFunction::Subtract => "subtract",
            PairFunction::Multiply => "multiply",
            PairFunction::Maximum => "maximum",
            PairFunction::Minimum => "minimum",
            PairFunction::Prelu => "prelu",
        }
    }
}

/// An operand that a model holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// Its extents, counted from the last one as the other operand's; those of 1 are repeated.
    pub shape: Shape,
    /// As many as the shape says.
    pub numbers: Numbers,
    /// Whether it is the first operand, as the 2 of `2 - x`.
    pub first: bool,
}

/// Numbers in the place of a tensor that flows.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Real numbers.
    F32(Vec<f32>),
    /// Quantized as tensors are.
    I8 {
        /// The stored numbers.
        values: Vec<i8>,
        /// What they stand for.
        quantization: Quantization,
    },
    /// The same in sixteen bits.
    I16 {
        /// The stored numbers.
        values: Vec<i16>,
        /// What they stand for.
        quantization: Quantization,
    },
}

impl Shape {
    /// The shape of what a function makes of operands of these shapes: extents of 1 are repeated to the
    /// other's, and a flat operand is one pixel for all places. `None` where they do not fit.
    ///
    /// ```
    /// use microception_codegen::graph::Shape;
    /// let shapes = [[6, 5, 3], [1, 1, 3]].map(|extents| Shape(extents.to_vec()));
    /// assert_eq!(shapes[0].broadcast(&shapes[1]), Some(Shape(vec![6, 5, 3])));
    /// ```
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let (longer, shorter) = if self.0.len() < other.0.len() { (other, self) } else { (self, other) };
        if shorter.0.len() != longer.0.len() && shorter.0.len() != 1 {
            return None;
        }
        let mut extents = longer.0.clone();
        for (extent, &other) in extents.iter_mut().rev().zip(shorter.0.iter().rev()) {
            *extent = match (*extent, other) {
                (extent, other) if extent == other => extent,
                (1, other) => other,
                (extent, 1) => extent,
                _ => return None,
            };
        }
        Some(Shape(extents))
    }
}
