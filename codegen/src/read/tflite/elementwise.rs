//! Operators that work element by element: functions of one value, and of two of which the file may hold one.

use super::format::{BuiltinOperator, TensorType};
use super::tensors::Value;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Constant, Element, Function, Numbers, Operator, PairFunction, Shape, TensorId};
use crate::read::constant::scale_shift;

impl<'a> Builder<'a> {
    /// A function of one value; `None` for one of real numbers between a DEQUANTIZE and a QUANTIZE, as the converter
    /// leaves ELU, which becomes a layer with the latter.
    pub(super) fn function(&mut self, call: &Call<'a>) -> Result<Option<TensorId>, Error> {
        let function = self.function_of(call)?;
        // In int8 the others have an arithmetic of their own, which gives other numbers than real ones do.
        let real = matches!(function, Function::Elu { .. } | Function::Gelu | Function::GeluTanh | Function::Tanh);
        let stored = call.input(0).and_then(|index| self.ends.get(&index)).copied();
        if let Some(stored) = stored.filter(|&stored| real && self.graph.tensor(stored).element == Element::I8) {
            self.between.insert(call.output, (stored, function));
            return Ok(None);
        }
        self.unary(call, Operator::Activation(function)).map(Some)
    }

    fn function_of(&self, call: &Call<'a>) -> Result<Function, Error> {
        Ok(match call.kind {
            BuiltinOperator::RELU => Function::Relu,
            BuiltinOperator::RELU6 => Function::Relu6,
            BuiltinOperator::RELU_N1_TO_1 => Function::Clamp { least: -1.0, greatest: 1.0 },
            BuiltinOperator::RELU_0_TO_1 => Function::Clamp { least: 0.0, greatest: 1.0 },
            BuiltinOperator::LEAKY_RELU => {
                let slope = self.options(call, call.operator.builtin_options_as_leaky_relu_options())?.alpha();
                if !slope.is_finite() {
                    return Err(self.error(call, format!("has an alpha of {slope}")));
                }
                Function::LeakyRelu { slope }
            }
            BuiltinOperator::ELU => Function::Elu { alpha: 1.0 },
            BuiltinOperator::GELU => {
                match self.options(call, call.operator.builtin_options_as_gelu_options())?.approximate() {
                    true => Function::GeluTanh,
                    false => Function::Gelu,
                }
            }
            BuiltinOperator::HARD_SWISH => Function::HardSwish,
            _ => Function::Tanh,
        })
    }

    /// A function of two values.
    pub(super) fn pairwise(&mut self, call: &Call<'a>) -> Result<TensorId, Error> {
        let operator = call.operator;
        let (function, fused) = match call.kind {
            BuiltinOperator::ADD => {
                let options = self.options(call, operator.builtin_options_as_add_options())?;
                (PairFunction::Add, Some(options.fused_activation_function()))
            }
            BuiltinOperator::SUB => {
                let options = self.options(call, operator.builtin_options_as_sub_options())?;
                (PairFunction::Subtract, Some(options.fused_activation_function()))
            }
            BuiltinOperator::MUL => {
                let options = self.options(call, operator.builtin_options_as_mul_options())?;
                (PairFunction::Multiply, Some(options.fused_activation_function()))
            }
            BuiltinOperator::MAXIMUM => (PairFunction::Maximum, None),
            BuiltinOperator::MINIMUM => (PairFunction::Minimum, None),
            _ => (PairFunction::Prelu, None),
        };
        let activation = fused.map_or(Ok(None), |fused| self.activation(call, fused))?;
        let held = [0, 1].map(|place| call.input(place).is_some_and(|index| self.holds(index)));
        let axes = self.pair_axes(call)?;
        self.set_axes(call.output, axes.clone());
        let value = self.value(call)?;
        let (inputs, constant) = match held {
            // Two constants: reading says which it can't take.
            [false, false] | [true, true] => (vec![self.operand(call, 0, &axes)?, self.operand(call, 1, &axes)?], None),
            [first, _] => {
                let input = self.operand(call, usize::from(first), &axes)?;
                (vec![input], Some(self.constant_operand(call, usize::from(!first), &axes, &value)?))
            }
        };
        let of_channels = match &constant {
            Some(constant) => scale_shift(function, constant, &value.shape, &mut self.budget)?,
            None => None,
        };
        match of_channels {
            Some(scale_shift) => self.activated(scale_shift, inputs, value, activation),
            None => self.push(Operator::Pairwise { function, constant, activation }, inputs, value),
        }
    }

    /// A layer that carries no activation here, and the layer of one.
    pub(super) fn activated(
        &mut self,
        operator: Operator,
        inputs: Vec<TensorId>,
        value: Value,
        activation: Option<Function>,
    ) -> Result<TensorId, Error> {
        let Some(function) = activation else { return self.push(operator, inputs, value) };
        let name = format!("{}/{}", value.name, operator.name());
        let made = self.push(operator, inputs, Value { name, ..value.clone() })?;
        self.push(Operator::Activation(function), vec![made], value)
    }

    /// Whether the file holds the numbers of a tensor.
    fn holds(&self, index: i32) -> bool {
        !self.made.contains_key(&index) && self.tensors.is_constant(index)
    }

    /// The operand at `place`, which a layer makes, with these axes of the output's where it has as many; with
    /// fewer it is flat, or does not fit.
    fn operand(&mut self, call: &Call<'a>, place: usize, axes: &[usize]) -> Result<TensorId, Error> {
        let id = self.read(call, place)?;
        let extents = call.input(place).map_or(Ok(Vec::new()), |index| self.extents(index))?;
        if extents.len() == self.extents(call.output)?.len() { self.read_along(call, place, axes) } else { Ok(id) }
    }

    /// The operand at `place`, whose numbers are in the file, along these axes of the output.
    fn constant_operand(
        &mut self,
        call: &Call<'a>,
        place: usize,
        axes: &[usize],
        value: &Value,
    ) -> Result<Constant, Error> {
        let index = call.input(place).ok_or_else(|| self.error(call, format!("has no input {place}")))?;
        let constant = self.tensors.constant(index)?;
        // Axes are counted from the last; those that it has not are of extent 1.
        let more = self.extents(call.output)?.len().checked_sub(constant.shape.len());
        let extent = |axis: &usize| more.and_then(|more| axis.checked_sub(more)).map_or(1, |axis| constant.shape[axis]);
        let shape = Shape(axes.iter().map(extent).collect());
        if more.is_none() || shape.elements() != constant.shape.iter().product::<usize>() {
            let shape = Shape(constant.shape.clone());
            return Err(
                self.error(call, format!("has a constant of the shape {shape}, which does not fit {}", value.shape))
            );
        }
        self.budget.take(constant.bytes.len(), 1)?;
        let numbers = match (value.element, constant.element, constant.float32()) {
            (Element::F32, _, Some(values)) => Numbers::F32(values),
            (Element::I8, TensorType::INT8, _) => Numbers::I8 {
                values: constant.bytes.iter().map(|byte| byte.cast_signed()).collect(),
                quantization: self.tensors.quantization(index, -128)?,
            },
            (Element::I16, TensorType::INT16, _) => Numbers::I16 {
                values: constant.int16().unwrap_or_default(),
                quantization: self.tensors.symmetric(index)?,
            },
            _ => return Err(self.error(call, "has a constant of another type than its values")),
        };
        Ok(Constant { shape, numbers, first: place == 0 })
    }
}
