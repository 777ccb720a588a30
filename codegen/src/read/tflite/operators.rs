//! Operators become layers.

use super::format::{
    ActivationFunctionType, BuiltinOperator, FullyConnectedOptionsWeightsFormat, Padding as PaddingType, TensorType,
};
use super::lacking::SHAPES;
use super::tensors::Value;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Function, Operator, Padding, Quantization, Shape, TensorId, Window};

/// Places over which a mean is taken: more, and its sum could leave 32 bits.
const MOST_PLACES: usize = 1 << 23;

/// What LOGISTIC and SOFTMAX answer in int8, always.
const PROBABILITY: Quantization = Quantization { scale: 1.0 / 256.0, zero_point: -128 };

impl<'a> Builder<'a> {
    /// The layer of one operator.
    pub(super) fn layer(&mut self, call: &Call<'a>) -> Result<(), Error> {
        if self.made.contains_key(&call.output) && call.kind != BuiltinOperator::QUANTIZE {
            return Err(self.error(call, "is made twice: damaged file"));
        }
        let made = match call.kind {
            BuiltinOperator::CONV_2D => self.convolution(call)?,
            BuiltinOperator::DEPTHWISE_CONV_2D => self.depthwise(call)?,
            BuiltinOperator::FULLY_CONNECTED => self.dense(call)?,
            BuiltinOperator::MAX_POOL_2D | BuiltinOperator::AVERAGE_POOL_2D => self.pool(call)?,
            BuiltinOperator::ADD => self.add(call)?,
            BuiltinOperator::MEAN => self.mean(call)?,
            BuiltinOperator::RESHAPE => self.reshape(call)?,
            BuiltinOperator::RELU => self.unary(call, Operator::Activation(Function::Relu))?,
            BuiltinOperator::RELU6 => self.unary(call, Operator::Activation(Function::Relu6))?,
            BuiltinOperator::LOGISTIC => self.probability(call, Operator::Activation(Function::Sigmoid))?,
            BuiltinOperator::SOFTMAX => self.softmax(call)?,
            BuiltinOperator::QUANTIZE | BuiltinOperator::DEQUANTIZE => return self.conversion(call),
            // These compute shapes. The file says what shape comes out; what else reads their
            // results finds them lacking.
            kind if SHAPES.contains(&kind) && self.tensors.element(call.output)? == TensorType::INT32 => {
                return Ok(());
            }
            kind => {
                let name = kind.variant_name().unwrap_or("its operator");
                return Err(self.error(call, format!("{name} is supported for shapes only")));
            }
        };
        self.made.insert(call.output, made);
        Ok(())
    }

    /// An error about the layer of `call`.
    pub(super) fn error(&self, call: &Call<'a>, reason: impl Into<String>) -> Error {
        self.tensors.error(call.output, reason)
    }

    /// The value that `call` reads at `place`.
    pub(super) fn read(&self, call: &Call<'a>, place: usize) -> Result<TensorId, Error> {
        let index = call.input(place).ok_or_else(|| self.error(call, format!("has no input {place}")))?;
        self.made.get(&index).copied().ok_or_else(|| {
            let name = self.tensors.name(index);
            let what = if self.tensors.is_constant(index) {
                format!("reads the constant \"{name}\", where only values that layers make are supported")
            } else {
                format!("reads \"{name}\", which no layer before it makes")
            };
            self.error(call, what)
        })
    }

    /// What the file says about the tensor that `call` makes.
    pub(super) fn value(&self, call: &Call<'a>) -> Result<Value, Error> {
        self.tensors.value(call.output)
    }

    /// A positive number of an operator's options.
    pub(super) fn positive(&self, call: &Call<'a>, number: i32, what: &str) -> Result<usize, Error> {
        let positive = usize::try_from(number).ok().filter(|&number| number > 0);
        positive.ok_or_else(|| self.error(call, format!("has a {what} of {number}")))
    }

    /// Two of these, vertical first.
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
        })
    }

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
            other => {
                let name = other.variant_name().unwrap_or("of an unknown number");
                Err(self.error(call, format!("has the activation {name} fused; supported are RELU and RELU6")))
            }
        }
    }

    pub(super) fn options<T>(&self, call: &Call<'a>, options: Option<T>) -> Result<T, Error> {
        options.ok_or_else(|| self.error(call, "is made by an operator without options: damaged file"))
    }

    /// Errors unless a layer keeps the scale of what it reads.
    fn same_scale(&self, call: &Call<'a>, input: TensorId, value: &Value) -> Result<(), Error> {
        if self.graph.tensor(input).quantization == value.quantization {
            return Ok(());
        }
        Err(self.error(call, "has another scale or zero point than its input, which this operator keeps"))
    }

    /// Errors unless the layer reads a picture; gives its extents.
    pub(super) fn picture(&self, call: &Call<'a>, input: TensorId) -> Result<[usize; 3], Error> {
        let shape = &self.graph.tensor(input).shape;
        let extents = <[usize; 3]>::try_from(shape.0.as_slice());
        extents.map_err(|_| self.error(call, format!("reads {shape}, expected height, width and channels")))
    }

    fn unary(&mut self, call: &Call<'a>, operator: Operator) -> Result<TensorId, Error> {
        let input = self.read(call, 0)?;
        let value = self.value(call)?;
        self.push(operator, vec![input], value)
    }

    fn probability(&mut self, call: &Call<'a>, operator: Operator) -> Result<TensorId, Error> {
        if self.value(call)?.quantization.is_some_and(|quantization| quantization != PROBABILITY) {
            return Err(self.error(call, "has another scale or zero point than 1/256 and -128, which it always has"));
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
        let input = self.read(call, 0)?;
        self.picture(call, input)?;
        let value = self.value(call)?;
        self.same_scale(call, input, &value)?;
        let pool = match call.kind {
            BuiltinOperator::MAX_POOL_2D => Operator::MaxPool { window },
            _ => Operator::AveragePool { window },
        };
        // A pool carries no activation here; one on the same scale is the same.
        let Some(function) = activation else { return self.push(pool, vec![input], value) };
        let name = format!("{}/{}", value.name, pool.name());
        let pooled = self.push(pool, vec![input], Value { name, ..value.clone() })?;
        self.push(Operator::Activation(function), vec![pooled], value)
    }

    fn add(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let options = self.options(call, call.operator.builtin_options_as_add_options())?;
        let activation = self.activation(call, options.fused_activation_function())?;
        let inputs = vec![self.read(call, 0)?, self.read(call, 1)?];
        let value = self.value(call)?;
        self.push(Operator::Add { activation }, inputs, value)
    }

    fn mean(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let keep_dims = self.options(call, call.operator.builtin_options_as_reducer_options())?.keep_dims();
        let input = self.read(call, 0)?;
        let [height, width, _] = self.picture(call, input)?;
        let axes = call.input(1).ok_or_else(|| self.error(call, "has no axes"))?;
        let axes = self.tensors.constant(axes)?.int32().unwrap_or_default();
        // Counted with the batch, or from the end.
        let mut axes: Vec<i32> = axes.into_iter().take(3).map(|axis| if axis < 0 { axis + 4 } else { axis }).collect();
        axes.sort_unstable();
        if axes != [1, 2] {
            return Err(self.error(call, "is a mean over other axes than height and width, which is not supported"));
        }
        if height.saturating_mul(width) > MOST_PLACES {
            return Err(self.error(call, format!("is a mean over {height}x{width} places, which is too many")));
        }
        let value = self.value(call)?;
        self.push(Operator::GlobalAveragePool { keep_dims }, vec![input], value)
    }

    /// To a flat tensor, or to the shape that it has: the numbers stay.
    fn reshape(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let input = self.read(call, 0)?;
        let value = self.value(call)?;
        let tensor = self.graph.tensor(input);
        if tensor.element != value.element {
            return Err(self.error(call, "has another type than its input, which this operator keeps"));
        }
        self.same_scale(call, input, &value)?;
        if tensor.shape == value.shape {
            return Ok(input);
        }
        if value.shape.0.len() != 1 {
            let from = &tensor.shape;
            let reason = format!("is {from} in the shape {}; supported are flat ones", value.shape);
            return Err(self.error(call, reason));
        }
        self.push(Operator::Flatten, vec![input], value)
    }

    /// Every output reads every number of the input.
    fn dense(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let options = self.options(call, call.operator.builtin_options_as_fully_connected_options())?;
        let activation = self.activation(call, options.fused_activation_function())?;
        if options.weights_format() != FullyConnectedOptionsWeightsFormat::DEFAULT {
            return Err(self.error(call, "has shuffled weights, which are not supported"));
        }
        let input = self.read(call, 0)?;
        let value = self.value(call)?;
        let [outputs, inputs] = self.weight_shape(call)?;
        let shape = &self.graph.tensor(input).shape;
        let elements = shape.0.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
        if elements != Some(inputs) || value.shape != Shape(vec![outputs]) {
            let reason =
                format!("makes {} of {shape} with weights of {outputs}x{inputs}, which is not supported", value.shape);
            return Err(self.error(call, reason));
        }
        let weights = self.weights(call, &value, 0, outputs)?;
        let bias = self.bias(call, &value, outputs)?;
        self.push(Operator::Dense { weights, bias, activation }, vec![input], value)
    }
}
