//! Operators become layers.

use super::format::{ActivationFunctionType, BuiltinOperator, Padding as PaddingType, TensorType};
use super::tensors::Value;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Element, Function, Operator, Padding, Quantization, TensorId, Window};

/// What LOGISTIC and SOFTMAX answer in int8, always.
const PROBABILITY: Quantization = Quantization { scale: 1.0 / 256.0, zero_point: -128 };

/// The same in int16.
const WIDE_PROBABILITY: Quantization = Quantization { scale: 1.0 / 32768.0, zero_point: 0 };

impl<'a> Builder<'a> {
    /// The layer of one operator.
    pub(super) fn layer(&mut self, call: &Call<'a>) -> Result<(), Error> {
        if self.within_phases(call)? {
            return Ok(());
        }
        self.carry_extents(call)?;
        if self.made.contains_key(&call.output) && call.kind != BuiltinOperator::QUANTIZE {
            return Err(self.error(call, "is made twice: damaged file"));
        }
        let made = match call.kind {
            BuiltinOperator::CONV_2D => self.convolution(call, None)?,
            BuiltinOperator::DEPTHWISE_CONV_2D => self.depthwise(call, None)?,
            BuiltinOperator::FULLY_CONNECTED => self.dense(call)?,
            BuiltinOperator::MAX_POOL_2D | BuiltinOperator::AVERAGE_POOL_2D => self.pool(call)?,
            // These compute shapes, whose results the file has.
            _ if self.is_of_shapes(call)? => return self.compute(call),
            BuiltinOperator::ADD
            | BuiltinOperator::SUB
            | BuiltinOperator::MUL
            | BuiltinOperator::MAXIMUM
            | BuiltinOperator::MINIMUM
            | BuiltinOperator::PRELU => self.pairwise(call)?,
            BuiltinOperator::MEAN | BuiltinOperator::REDUCE_MAX => self.reduce(call)?,
            BuiltinOperator::RESHAPE | BuiltinOperator::EXPAND_DIMS | BuiltinOperator::SQUEEZE => self.reshape(call)?,
            BuiltinOperator::TRANSPOSE => self.transpose(call)?,
            BuiltinOperator::PAD | BuiltinOperator::PADV2 => self.pad(call)?,
            BuiltinOperator::CONCATENATION => self.concatenation(call)?,
            BuiltinOperator::RESIZE_NEAREST_NEIGHBOR | BuiltinOperator::RESIZE_BILINEAR => self.resize(call)?,
            BuiltinOperator::SLICE | BuiltinOperator::STRIDED_SLICE => self.slice(call)?,
            BuiltinOperator::SPACE_TO_BATCH_ND => return self.space_to_batch(call),
            BuiltinOperator::BATCH_TO_SPACE_ND => self.batch_to_space(call)?,
            BuiltinOperator::RELU
            | BuiltinOperator::RELU6
            | BuiltinOperator::RELU_N1_TO_1
            | BuiltinOperator::RELU_0_TO_1
            | BuiltinOperator::LEAKY_RELU
            | BuiltinOperator::ELU
            | BuiltinOperator::GELU
            | BuiltinOperator::HARD_SWISH
            | BuiltinOperator::TANH => match self.function(call)? {
                Some(made) => made,
                None => return Ok(()),
            },
            BuiltinOperator::LOGISTIC => self.probability(call, Operator::Activation(Function::Sigmoid))?,
            BuiltinOperator::SOFTMAX => self.softmax(call)?,
            BuiltinOperator::QUANTIZE | BuiltinOperator::DEQUANTIZE => return self.conversion(call),
            kind => {
                let name = kind.variant_name().unwrap_or("its operator");
                return Err(self.error(call, format!("{name} is supported for shapes only")));
            }
        };
        let axes = self.output_axes(call)?;
        self.axes.insert(call.output, axes);
        self.made.insert(call.output, made);
        Ok(())
    }

    /// Whether an operator computes a shape.
    fn is_of_shapes(&self, call: &Call<'a>) -> Result<bool, Error> {
        Ok(matches!(self.tensors.element(call.output)?, TensorType::INT32 | TensorType::INT64))
    }

    /// An error about the layer of `call`.
    pub(super) fn error(&self, call: &Call<'a>, reason: impl Into<String>) -> Error {
        self.tensors.error(call.output, reason)
    }

    /// The value that `call` reads at `place`.
    pub(super) fn read(&mut self, call: &Call<'a>, place: usize) -> Result<TensorId, Error> {
        let index = call.input(place).ok_or_else(|| self.error(call, format!("has no input {place}")))?;
        let made = match self.made.get(&index) {
            Some(&made) => Some(made),
            None => self.real(index)?,
        };
        made.ok_or_else(|| {
            let name = self.tensors.name(index);
            let what = if self.ends.contains_key(&index) {
                format!("reads \"{name}\", which is uint8 inside the model: supported at its edges only")
            } else if self.tensors.is_constant(index) {
                format!("reads the constant \"{name}\", where only values that layers make are supported")
            } else {
                format!("reads \"{name}\", which no layer before it makes")
            };
            self.error(call, what)
        })
    }

    /// What the file says about the tensor that `call` makes.
    pub(super) fn value(&self, call: &Call<'a>) -> Result<Value, Error> {
        let shape = self.shape_along(call.output, &self.output_axes(call)?)?;
        self.tensors.value_of_shape(call.output, shape)
    }

    /// A positive number of an operator's options.
    pub(super) fn positive(&self, call: &Call<'a>, number: i32, what: &str) -> Result<usize, Error> {
        let positive = usize::try_from(number).ok().filter(|&number| number > 0);
        positive.ok_or_else(|| self.error(call, format!("has a {what} of {number}")))
    }

    /// A window of `size`, whose other numbers are as in the file, `[vertical, horizontal]`.
    pub(super) fn window(
        &self,
        call: &Call<'a>,
        size: [usize; 2],
        stride: [i32; 2],
        dilation: [i32; 2],
        padding: PaddingType,
    ) -> Result<Window, Error> {
        Ok(Window {
            size,
            stride: self.pair(call, stride, "stride")?,
            dilation: self.pair(call, dilation, "dilation")?,
            padding: self.padding(call, padding)?,
            depth: None,
        })
    }

    /// Two of these, vertical first.
    fn pair(&self, call: &Call<'a>, numbers: [i32; 2], what: &str) -> Result<[usize; 2], Error> {
        Ok([self.positive(call, numbers[0], what)?, self.positive(call, numbers[1], what)?])
    }

    fn padding(&self, call: &Call<'a>, padding: PaddingType) -> Result<Padding, Error> {
        match padding {
            PaddingType::SAME => Ok(Padding::Same),
            PaddingType::VALID => Ok(Padding::Valid),
            PaddingType(other) => Err(self.error(call, format!("has the padding number {other}, which is not known"))),
        }
    }

    pub(super) fn activation(
        &self,
        call: &Call<'a>,
        function: ActivationFunctionType,
    ) -> Result<Option<Function>, Error> {
        match function {
            ActivationFunctionType::NONE => Ok(None),
            ActivationFunctionType::RELU => Ok(Some(Function::Relu)),
            ActivationFunctionType::RELU6 => Ok(Some(Function::Relu6)),
            ActivationFunctionType::RELU_N1_TO_1 => Ok(Some(Function::Clamp { least: -1.0, greatest: 1.0 })),
            other => {
                let name = other.variant_name().unwrap_or("of an unknown number");
                Err(self.error(
                    call,
                    format!("has the activation {name} fused; supported are RELU, RELU6 and RELU_N1_TO_1"),
                ))
            }
        }
    }

    pub(super) fn options<T>(&self, call: &Call<'a>, options: Option<T>) -> Result<T, Error> {
        options.ok_or_else(|| self.error(call, "is made by an operator without options: damaged file"))
    }

    /// Errors unless a layer keeps the scale of what it reads.
    pub(super) fn same_scale(&self, call: &Call<'a>, input: TensorId, value: &Value) -> Result<(), Error> {
        if self.graph.tensor(input).quantization == value.quantization {
            return Ok(());
        }
        Err(self.error(call, "has another scale or zero point than its input, which this operator keeps"))
    }

    pub(super) fn unary(&mut self, call: &Call<'a>, operator: Operator) -> Result<TensorId, Error> {
        let input = self.read(call, 0)?;
        let value = self.value(call)?;
        self.push(operator, vec![input], value)
    }

    fn probability(&mut self, call: &Call<'a>, operator: Operator) -> Result<TensorId, Error> {
        let value = self.value(call)?;
        let (always, text) = match value.element {
            Element::I16 => (WIDE_PROBABILITY, "1/32768 and 0"),
            _ => (PROBABILITY, "1/256 and -128"),
        };
        if value.quantization.is_some_and(|quantization| quantization != always) {
            return Err(self.error(call, format!("has another scale or zero point than {text}, which it always has")));
        }
        self.unary(call, operator)
    }

    fn softmax(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let beta = self.options(call, call.operator.builtin_options_as_softmax_options())?.beta();
        if beta != 1.0 {
            return Err(self.error(call, format!("has a beta of {beta}; supported is 1")));
        }
        self.probability(call, Operator::Softmax)
    }

    fn pool(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let options = self.options(call, call.operator.builtin_options_as_pool_2_doptions())?;
        let size = self.pair(call, [options.filter_height(), options.filter_width()], "pool size")?;
        let stride = [options.stride_h(), options.stride_w()];
        let window = self.window(call, size, stride, [1, 1], options.padding())?;
        let activation = self.activation(call, options.fused_activation_function())?;
        let (input, window) = self.slide(call, window)?;
        let value = self.value(call)?;
        self.same_scale(call, input, &value)?;
        let pool = match call.kind {
            BuiltinOperator::MAX_POOL_2D => Operator::MaxPool { window },
            _ => Operator::AveragePool { window },
        };
        // A pool carries no activation here; one on the same scale is the same.
        self.activated(pool, vec![input], value, activation)
    }
}
