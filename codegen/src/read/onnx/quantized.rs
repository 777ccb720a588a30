//! QuantizeLinear and DequantizeLinear, and how what stands between them rounds.
//!
//! `real = scale * (stored - zero_point)`, where stored numbers of uint8 are those of int8 with 128 more.

use super::layout::View;
use super::message::Node;
use super::tensors::Numbers;
use super::{Builder, Held, Value};
use crate::error::Error;
use crate::graph::{Function, Operator, Quantization, TensorId};

/// From the numbers of uint8 to those of int8 with the same scale.
const TO_INT8: i32 = -128;

/// What Sigmoid and Softmax answer in int8, always.
const PROBABILITY: Quantization = Quantization { scale: 1.0 / 256.0, zero_point: -128 };

/// What Tanh answers in int8.
const FROM_MINUS_ONE_TO_ONE: Quantization = Quantization { scale: 1.0 / 128.0, zero_point: 0 };

/// Scales of values lie within a factor of this around 1, so that no quotient of two leaves f32.
const LARGEST_SCALE: f32 = 1e18;

/// What a node of int8 is to make.
struct Wanted {
    /// The file's name of it.
    name: String,
    /// Applied to the result.
    activation: Option<Function>,
    /// How it is stored; `None` where the file does not say.
    quantization: Option<Quantization>,
}

impl<'a> Builder<'a> {
    /// Appends the layer of a node, and says that its tensor, seen as `like`, is what the node makes. Of int8 it is stored as the
    /// file says, by a layer of its own where the operator can't.
    pub(super) fn emit(
        &mut self,
        index: usize,
        node: &'a Node,
        mut operator: Operator,
        inputs: Vec<TensorId>,
        like: View,
    ) -> Result<(), Error> {
        let stored = inputs.first().and_then(|&input| self.graph.tensor(input).quantization);
        let Some(stored) = stored else {
            let id = self.push(node.title(), operator, inputs, None)?;
            self.made(node.output()?, like.of(id));
            return Ok(());
        };
        let carries = operator.activation_mut().is_some();
        let wanted = self.wanted(index, node, carries)?;
        let own = match &operator {
            Operator::Softmax => PROBABILITY,
            Operator::Activation(Function::Sigmoid) if wanted.quantization.is_none() => PROBABILITY,
            // Where the file leaves it open, what such a function can answer at most.
            &Operator::Activation(function @ (Function::Tanh | Function::Softsign | Function::HardSigmoid { .. }))
                if wanted.quantization.is_none() =>
            {
                operator = Operator::Requantize { through: Some(function) };
                if matches!(function, Function::HardSigmoid { .. }) { PROBABILITY } else { FROM_MINUS_ONE_TO_ONE }
            }
            Operator::Activation(function) => {
                let quantization = wanted.quantization.ok_or_else(|| self.not_quantized(node))?;
                operator = Operator::Requantize { through: Some(*function) };
                quantization
            }
            _ if carries || matches!(operator, Operator::GlobalAveragePool { .. }) => {
                wanted.quantization.ok_or_else(|| self.not_quantized(node))?
            }
            _ => stored,
        };
        if let Some(activation) = operator.activation_mut() {
            *activation = wanted.activation;
        }
        let id = self.push(node.title(), operator, inputs, Some(own))?;
        let id = self.requantized(node, id, wanted.quantization.unwrap_or(own))?;
        self.made(&wanted.name, like.of(id));
        Ok(())
    }

    /// The numbers of an int8 tensor, stored so.
    pub(super) fn requantized(&mut self, node: &Node, id: TensorId, wanted: Quantization) -> Result<TensorId, Error> {
        if self.graph.tensor(id).quantization == Some(wanted) {
            return Ok(id);
        }
        let name = format!("{}/requantized", node.title());
        self.push(&name, Operator::Requantize { through: None }, vec![id], Some(wanted))
    }

    /// How what a node makes of int8 is to be stored: as its reader says, or as what it reads first; `None` of real numbers.
    pub(super) fn stored_as(&mut self, index: usize, node: &'a Node) -> Result<Option<Quantization>, Error> {
        let view = self.read(node, 0)?;
        match self.quantization(&view) {
            Some(own) => Ok(Some(self.wanted(index, node, false)?.quantization.unwrap_or(own))),
            None => Ok(None),
        }
    }

    /// How the tensor of a value is stored; `None` where it is real.
    pub(super) fn quantization(&self, view: &View) -> Option<Quantization> {
        self.graph.tensor(view.id).quantization
    }

    fn not_quantized(&self, node: &Node) -> Error {
        node.error(
            "reads int8 and makes real numbers that no QuantizeLinear follows: quantize the whole model, its outputs too",
        )
    }

    /// How a node's output is stored: as the QuantizeLinear says that reads it, behind a clamp that the layer can carry.
    fn wanted(&mut self, index: usize, node: &'a Node, carries: bool) -> Result<Wanted, Error> {
        let mut name = node.output()?;
        let mut activation = None;
        if carries
            && let [reader] = *self.readers_of(name)
            && reader != index
            && !self.outputs.contains(name)
        {
            let clamp = &self.nodes[reader];
            let function = match clamp.kind.as_str() {
                "Relu" | "Clip" => self.function_of(clamp)?,
                _ => None,
            };
            if let Some(function) = function.filter(|function| function.clamps().is_some()) {
                activation = Some(function);
                name = clamp.output()?;
                self.done.insert(reader);
            }
        }
        let mut quantization = None;
        let readers = self.readers_of(name).to_vec();
        for reader in readers {
            let reader = &self.nodes[reader];
            if reader.kind == "QuantizeLinear" && reader.input(0) == Some(name) {
                let of_reader = self.parameters(reader)?;
                if quantization.is_some_and(|quantization| quantization != of_reader) {
                    // Each reader makes its own of the first.
                    break;
                }
                quantization = Some(of_reader);
            }
        }
        Ok(Wanted { name: name.to_owned(), activation, quantization })
    }

    /// How the model's input of that name is stored, where nothing but one QuantizeLinear reads it.
    pub(super) fn quantized_input(&mut self, name: &str) -> Result<Option<Quantization>, Error> {
        let nodes = self.nodes;
        let &[reader] = self.readers_of(name) else { return Ok(None) };
        match nodes[reader].kind.as_str() {
            "QuantizeLinear" => self.parameters(&nodes[reader]).map(Some),
            _ => Ok(None),
        }
    }

    /// The one scale and zero point of a QuantizeLinear or DequantizeLinear of a value.
    fn parameters(&mut self, node: &Node) -> Result<Quantization, Error> {
        let scale = self.needed(node, 1, "scales")?;
        let &[scale] = scale.floats().unwrap_or_default() else {
            return Err(node.error(format!("has {} scales, where a value has one", scale.len())));
        };
        if !(LARGEST_SCALE.recip()..=LARGEST_SCALE).contains(&scale) {
            return Err(node.error(format!("has the scale {scale}, which is not possible")));
        }
        let zero_point = match self.constant(node, 2)?.map(|constant| constant.numbers) {
            None => TO_INT8,
            Some(Numbers::Int8(numbers)) if numbers.len() == 1 => i32::from(numbers[0]),
            Some(Numbers::Uint8(numbers)) if numbers.len() == 1 => i32::from(numbers[0]) + TO_INT8,
            Some(_) => return Err(node.error("has a zero point that is neither int8 nor uint8, or several")),
        };
        Ok(Quantization { scale, zero_point })
    }

    /// QuantizeLinear: of numbers that are stored so already, nothing.
    pub(super) fn quantize(&mut self, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let quantization = self.parameters(node)?;
        if self.graph.tensor(view.id).quantization.is_none() {
            return Err(node.error(
                "quantizes real numbers that a layer makes: quantize the whole model, or leave it real and give \
                 convert --calibration",
            ));
        }
        let id = self.requantized(node, view.id, quantization)?;
        let view = view.of(id);
        self.values.insert(node.output()?.to_owned(), Value { view, stored: true });
        Ok(())
    }

    /// DequantizeLinear: of a value the same tensor; of a constant real numbers, if they are not looked at as they are stored.
    pub(super) fn dequantize(&mut self, node: &'a Node) -> Result<(), Error> {
        let Some(name) = node.input(0) else { return Err(node.error("has no input 0")) };
        if self.constants.contains_key(name) {
            // Whoever reads it asks for the numbers behind it.
            return Ok(());
        }
        let view = self.read(node, 0)?;
        if !self.values.get(name).is_some_and(|value| value.stored) {
            return Err(node.error("reads numbers that are not stored ones"));
        }
        let quantization = self.parameters(node)?;
        if self.quantization(&view) != Some(quantization) {
            return Err(node.error("has another scale or zero point than the QuantizeLinear before it"));
        }
        self.made(node.output()?, view);
        Ok(())
    }

    /// The DequantizeLinear of a constant that makes the value of that name.
    pub(super) fn stored_constant(&self, name: &str) -> Option<&'a Node> {
        let node = &self.nodes[*self.makers.get(name)?];
        let held = node.input(0).is_some_and(|name| self.constants.contains_key(name));
        (node.kind == "DequantizeLinear" && held).then_some(node)
    }

    /// Stored numbers of a constant, their extents, their scales, and the file's axis that these are along.
    pub(super) fn stored_numbers(&mut self, node: &'a Node) -> Result<Stored, Error> {
        let constant = self.needed(node, 0, "numbers")?;
        let scales = self.needed(node, 1, "scales")?;
        let scales = scales.floats().unwrap_or_default().to_vec();
        if scales.is_empty() || scales.iter().any(|&scale| !(scale.is_finite() && scale > 0.0)) {
            return Err(node.error("has scales that are not possible"));
        }
        let zero_points: Vec<i32> = match self.constant(node, 2)?.map(|constant| constant.numbers) {
            // The 0 of their type.
            None if matches!(constant.numbers, Numbers::Uint8(_)) => vec![TO_INT8; scales.len()],
            None => Vec::new(),
            Some(Numbers::Int8(numbers)) => numbers.into_iter().map(i32::from).collect(),
            Some(Numbers::Uint8(numbers)) => numbers.into_iter().map(|number| i32::from(number) + TO_INT8).collect(),
            Some(Numbers::Integer(numbers)) if numbers.iter().all(|&number| number == 0) => Vec::new(),
            Some(_) => return Err(node.error("has a zero point of real numbers, or not 0 for int32")),
        };
        let axis = node.integer("axis", 1)?;
        let axis = if axis < 0 { axis + constant.extents.len() as i64 } else { axis };
        let numbers = match constant.numbers {
            Numbers::Int8(numbers) => StoredNumbers::Int8(numbers),
            Numbers::Uint8(numbers) => {
                StoredNumbers::Int8(numbers.into_iter().map(|number| (i32::from(number) + TO_INT8) as i8).collect())
            }
            Numbers::Integer(numbers) => {
                let numbers: Result<Vec<i32>, _> = numbers.into_iter().map(i32::try_from).collect();
                StoredNumbers::Int32(numbers.map_err(|_| node.error("has numbers beyond 32 bits"))?)
            }
            Numbers::Float(_) => return Err(node.error("dequantizes real numbers")),
        };
        Ok(Stored { extents: constant.extents, numbers, scales, zero_points, axis: usize::try_from(axis).unwrap_or(0) })
    }

    /// Whether the file holds the numbers of that name, as they are or stored.
    pub(super) fn is_held(&self, name: &str) -> bool {
        !self.values.contains_key(name) && (self.constants.contains_key(name) || self.stored_constant(name).is_some())
    }

    /// Makes numbers that the model computes of its shapes a constant.
    pub(super) fn hold(&mut self, name: &str, constant: super::Constant) {
        self.constants.insert(name.to_owned(), Held::Decoded(constant));
    }
}

/// Stored numbers of a constant, as int8 has them.
pub(super) struct Stored {
    pub(super) extents: Vec<usize>,
    pub(super) numbers: StoredNumbers,
    /// One, or one for each place along the axis.
    pub(super) scales: Vec<f32>,
    /// As many, or none where they are 0.
    pub(super) zero_points: Vec<i32>,
    pub(super) axis: usize,
}

pub(super) enum StoredNumbers {
    Int8(Vec<i8>),
    Int32(Vec<i32>),
}

impl Stored {
    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        match &self.numbers {
            StoredNumbers::Int8(numbers) => numbers.len(),
            StoredNumbers::Int32(numbers) => numbers.len(),
        }
    }

    /// The real numbers that they stand for.
    pub(super) fn real(&self) -> impl Iterator<Item = f64> + '_ {
        let behind: usize = self.extents.iter().skip(self.axis + 1).product();
        let real = move |place: usize| {
            let channel = place / behind.max(1);
            let stored = match &self.numbers {
                StoredNumbers::Int8(numbers) => i64::from(numbers[place]),
                StoredNumbers::Int32(numbers) => i64::from(numbers[place]),
            };
            let zero_point = match self.zero_points.len() {
                0 => 0,
                count => self.zero_points[channel % count],
            };
            (stored - i64::from(zero_point)) as f64 * f64::from(self.scales[channel % self.scales.len()])
        };
        (0..self.len()).map(real)
    }

    /// The one quantization of an operand's numbers.
    pub(super) fn quantization(&self) -> Option<Quantization> {
        let &[scale] = &self.scales[..] else { return None };
        match self.zero_points[..] {
            [] => Some(Quantization { scale, zero_point: 0 }),
            [zero_point] => Some(Quantization { scale, zero_point }),
            _ => None,
        }
    }
}
