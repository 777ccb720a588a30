//! The model's inputs and outputs, where QUANTIZE and DEQUANTIZE fall away.

use std::collections::HashMap;

use super::format::{BuiltinOperator, SubGraph, TensorType};
use super::tensors::Value;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Element, Operator, Quantization};

/// From the numbers of uint8 to those of int8 with the same scale.
const TO_INT8: i32 = -128;

impl<'a> Builder<'a> {
    /// The model's inputs as layers.
    pub(super) fn inputs(&mut self, subgraph: &SubGraph<'a>, calls: &[Call<'a>]) -> Result<(), Error> {
        let mut readers: HashMap<i32, usize> = HashMap::new();
        let mut quantized: HashMap<i32, i32> = HashMap::new();
        for call in calls {
            for input in call.inputs() {
                *readers.entry(input).or_default() += 1;
                if call.kind == BuiltinOperator::QUANTIZE {
                    quantized.insert(input, call.output);
                }
            }
        }
        for index in subgraph.inputs().unwrap_or_default() {
            if self.made.contains_key(&index) {
                return Err(self.tensors.error(index, "is an input of the model twice"));
            }
            match quantized.get(&index).copied().filter(|_| readers.get(&index) == Some(&1)) {
                Some(quantized) if self.tensors.element(quantized)? == TensorType::INT8 => {
                    self.quantized_input(index, quantized)?;
                }
                _ => {
                    let value = self.tensors.value(index)?;
                    let operator = Operator::Input { element: value.element, scale: 1.0, offset: 0.0 };
                    let id = self.push(operator, Vec::new(), value)?;
                    self.made.insert(index, id);
                }
            }
        }
        Ok(())
    }

    /// An input that becomes the int8 tensor `quantized` before anything else reads it.
    fn quantized_input(&mut self, index: i32, quantized: i32) -> Result<(), Error> {
        let value = self.tensors.value(quantized)?;
        if self.tensors.shape(index)? != value.shape {
            return Err(self.tensors.error(quantized, "has another shape than what it is quantized from"));
        }
        let operator = match self.tensors.element(index)? {
            TensorType::FLOAT32 | TensorType::INT8 if self.same_real(index, &value)? => {
                Operator::Input { element: Element::I8, scale: 1.0, offset: 0.0 }
            }
            TensorType::UINT8 if self.same_real(index, &value)? => {
                let Quantization { scale, zero_point } = self.tensors.quantization(index, 0)?;
                Operator::Input { element: Element::U8, scale, offset: -(zero_point as f32) * scale }
            }
            _ => {
                let reason = "is an input that is quantized with other numbers than its own; convert the model with \
                              int8 or float32 inputs (inference_input_type)";
                return Err(self.tensors.error(index, reason));
            }
        };
        let name = self.tensors.name(index);
        let id = self.push(operator, Vec::new(), Value { name, ..value })?;
        self.made.insert(quantized, id);
        Ok(())
    }

    /// Whether the numbers of the tensor at `index` stand for the same real numbers as those of an int8 value.
    fn same_real(&self, index: i32, value: &Value) -> Result<bool, Error> {
        let moved = match self.tensors.element(index)? {
            TensorType::FLOAT32 => return Ok(true),
            TensorType::UINT8 => {
                let Quantization { scale, zero_point } = self.tensors.quantization(index, 0)?;
                Quantization { scale, zero_point: zero_point + TO_INT8 }
            }
            TensorType::INT8 => self.tensors.quantization(index, -128)?,
            _ => return Ok(false),
        };
        Ok(value.quantization == Some(moved))
    }

    /// A QUANTIZE or DEQUANTIZE that is not the first that reads an input: it may be the model's last.
    pub(super) fn conversion(&mut self, call: &Call<'a>) -> Result<(), Error> {
        if self.made.contains_key(&call.output) {
            // It was taken into the model's input.
            return Ok(());
        }
        let input = self.read(call, 0)?;
        let tensor = self.graph.tensor(input);
        let value = Value {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            element: tensor.element,
            quantization: tensor.quantization,
        };
        let same = value.element == Element::I8 && self.keeps_extents(call)? && self.same_real(call.output, &value)?;
        if !same {
            let reason = "is quantized again or from float inside the model, which is not supported; convert the \
                          whole model to int8 (full-integer quantization)";
            return Err(self.tensors.error(call.output, reason));
        }
        self.ends.insert(call.output, input);
        Ok(())
    }

    /// The model's outputs.
    pub(super) fn outputs(&mut self, subgraph: &SubGraph<'a>) -> Result<(), Error> {
        for index in subgraph.outputs().unwrap_or_default() {
            let made = self.ends.get(&index).or_else(|| self.made.get(&index));
            let id = *made.ok_or_else(|| self.tensors.error(index, "is an output that no operator makes"))?;
            self.graph.outputs.push(id);
        }
        Ok(())
    }
}
