//! The model's inputs and outputs, where QUANTIZE and DEQUANTIZE fall away.

use std::collections::{HashMap, HashSet};

use flatbuffers::{ForwardsUOffset, Vector};

use super::format::{BuiltinOperator, Model, SubGraph, TensorMap, TensorType};
use super::tensors::Value;
use super::{Builder, Call};
use crate::error::Error;
use crate::graph::{Element, Operator, Quantization, TensorId};

/// From the numbers of uint8 to those of int8 with the same scale.
const TO_INT8: i32 = -128;

/// More inputs or outputs have their tensors' names.
const MOST_NAMED: usize = 256;

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
                Some(quantized)
                    if matches!(self.tensors.element(quantized)?, TensorType::INT8 | TensorType::INT16)
                        && self.same_real(index, &self.tensors.value(quantized)?)? =>
                {
                    self.quantized_input(index, quantized)?;
                }
                _ => {
                    let (operator, value) = match self.tensors.element(index)? {
                        TensorType::UINT8 => (self.pixels(index)?, self.in_int8(index)?),
                        _ => {
                            let value = self.tensors.value(index)?;
                            (Operator::Input { element: value.element, scale: 1.0, offset: 0.0 }, value)
                        }
                    };
                    let id = self.push(operator, Vec::new(), value)?;
                    self.made.insert(index, id);
                }
            }
        }
        Ok(())
    }

    /// An input of uint8.
    fn pixels(&self, index: i32) -> Result<Operator, Error> {
        let Quantization { scale, zero_point } = self.tensors.quantization(index, 0)?;
        Ok(Operator::Input { element: Element::U8, scale, offset: -(zero_point as f32) * scale })
    }

    /// The value of a tensor of uint8 in int8.
    fn in_int8(&self, index: i32) -> Result<Value, Error> {
        let Quantization { scale, zero_point } = self.tensors.quantization(index, 0)?;
        Ok(Value {
            name: self.tensors.name(index),
            shape: self.tensors.shape(index)?,
            element: Element::I8,
            quantization: Some(Quantization { scale, zero_point: zero_point + TO_INT8 }),
        })
    }

    /// An input whose numbers are those of the quantized tensor `quantized`, which alone reads it.
    fn quantized_input(&mut self, index: i32, quantized: i32) -> Result<(), Error> {
        let value = self.tensors.value(quantized)?;
        if self.tensors.shape(index)? != value.shape {
            return Err(self.tensors.error(quantized, "has another shape than what it is quantized from"));
        }
        let operator = match self.tensors.element(index)? {
            TensorType::UINT8 => self.pixels(index)?,
            _ => Operator::Input { element: value.element, scale: 1.0, offset: 0.0 },
        };
        let name = self.tensors.name(index);
        let id = self.push(operator, Vec::new(), Value { name, ..value })?;
        self.made.insert(quantized, id);
        Ok(())
    }

    /// Whether the numbers of the tensor at `index` stand for the same real numbers as those of a quantized value.
    fn same_real(&self, index: i32, value: &Value) -> Result<bool, Error> {
        let moved = match self.tensors.element(index)? {
            TensorType::FLOAT32 => return Ok(true),
            TensorType::UINT8 => self.in_int8(index)?.quantization,
            TensorType::INT8 | TensorType::INT16 => {
                let other = self.tensors.value(index)?;
                return Ok((other.element, other.quantization) == (value.element, value.quantization));
            }
            _ => return Ok(false),
        };
        Ok(value.element == Element::I8 && value.quantization == moved)
    }

    /// A QUANTIZE or DEQUANTIZE that is not the first that reads an input: it may be the model's last.
    pub(super) fn conversion(&mut self, call: &Call<'a>) -> Result<(), Error> {
        if self.made.contains_key(&call.output) {
            // It was taken into the model's input.
            return Ok(());
        }
        let between = call.input(0).and_then(|index| self.between.get(&index)).copied();
        if let Some((input, function)) = between
            && self.tensors.element(call.output)? == TensorType::INT8
        {
            let operator = Operator::Requantize { through: Some(function) };
            let id = self.push(operator, vec![input], self.value(call)?)?;
            self.made.insert(call.output, id);
            return Ok(());
        }
        if let Some(index) = call.input(0).filter(|&index| self.tensors.is_constant(index)) {
            let kind = self.tensors.element(index)?.variant_name().unwrap_or("an unknown type");
            let reason = format!(
                "is made of numbers of {kind} in the file, which is not supported; convert the model with full-integer \
                 quantization, or without quantization"
            );
            return Err(self.tensors.error(call.output, reason));
        }
        let input = self.read(call, 0)?;
        let tensor = self.graph.tensor(input);
        let value = Value {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            element: tensor.element,
            quantization: tensor.quantization,
        };
        if !self.keeps_extents(call)? {
            return Err(self.tensors.error(call.output, "has another shape than what it is quantized from"));
        }
        let id = match self.tensors.element(call.output)? {
            _ if value.element != Element::F32 && self.same_real(call.output, &value)? => input,
            TensorType::INT8 | TensorType::INT16 => {
                self.push(Operator::Requantize { through: None }, vec![input], self.value(call)?)?
            }
            TensorType::UINT8 => {
                let output = Value { shape: value.shape, ..self.in_int8(call.output)? };
                self.push(Operator::Requantize { through: None }, vec![input], output)?
            }
            _ => {
                let reason = "is not of int8, int16 or uint8, to which real numbers are quantized";
                return Err(self.tensors.error(call.output, reason));
            }
        };
        let axes = self.output_axes(call)?;
        self.set_axes(call.output, axes);
        // What is float or unsigned in the file may only be an output.
        let made = match self.tensors.element(call.output)? {
            TensorType::INT8 | TensorType::INT16 => &mut self.made,
            _ => &mut self.ends,
        };
        made.insert(call.output, id);
        Ok(())
    }

    /// The real numbers that a DEQUANTIZE makes, or a function between it and a QUANTIZE, for a layer that reads them as they
    /// are; `None` for other tensors.
    pub(super) fn real(&mut self, index: i32) -> Result<Option<TensorId>, Error> {
        let name = self.tensors.name(index);
        let (stored, function) = match (self.ends.get(&index), self.between.get(&index)) {
            (Some(&stored), _) if self.tensors.element(index)? == TensorType::FLOAT32 => (stored, None),
            (_, Some(&(stored, function))) => (stored, Some(function)),
            _ => return Ok(None),
        };
        let shape = self.graph.tensor(stored).shape.clone();
        let value = |name| Value { name, shape: shape.clone(), element: Element::F32, quantization: None };
        let dequantize = Operator::Requantize { through: None };
        let made = match function {
            None => self.push(dequantize, vec![stored], value(name))?,
            Some(function) => {
                let real = self.push(dequantize, vec![stored], value(format!("{name}/dequantize")))?;
                self.push(Operator::Activation(function), vec![real], value(name))?
            }
        };
        self.made.insert(index, made);
        Ok(Some(made))
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

    /// Gives several inputs, and several outputs, the names that the model's signature has for them, where it has one.
    pub(super) fn named(&mut self, model: &Model<'a>, subgraph: &SubGraph<'a>) {
        let Some(signatures) = model.signature_defs().filter(|signatures| signatures.len() == 1) else { return };
        let signature = signatures.get(0);
        let names = |indices: Option<Vector<'a, i32>>, maps: Option<Vector<'a, ForwardsUOffset<TensorMap<'a>>>>| {
            let (indices, maps) = (indices?, maps?);
            if !(2..=MOST_NAMED).contains(&indices.len()) || maps.len() > MOST_NAMED {
                return None;
            }
            let name = |index| maps.iter().find(|map| i32::try_from(map.tensor_index()) == Ok(index))?.name();
            let names: Vec<&str> = indices.iter().map(name).collect::<Option<_>>()?;
            let different = names.iter().collect::<HashSet<_>>().len() == names.len();
            different.then(|| names.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        if let Some(names) = names(subgraph.inputs(), signature.inputs()) {
            let free = |name: &String| !self.names.contains(name);
            if names.len() == self.graph.inputs().len() && names.iter().all(free) {
                for (index, name) in names.into_iter().enumerate() {
                    let layer = &mut self.graph.layers[index];
                    self.graph.tensors[layer.output.0].name.clone_from(&name);
                    layer.name = name;
                }
            }
        }
        if let Some(names) = names(subgraph.outputs(), signature.outputs()) {
            self.graph.output_names = names;
        }
    }
}
