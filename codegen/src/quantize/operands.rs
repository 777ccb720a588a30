//! Operands of functions of two numbers: constants in int8, and one scale where a kernel needs it.

use super::Quantizer;
use super::activations::{self, largest};
use crate::error::Error;
use crate::graph::{Constant, Element, Graph, Layer, Numbers, Operator, PairFunction, Quantization, Tensor, TensorId};

/// Whether a function compares stored numbers, which then must have one scale and zero point.
pub(super) fn compares(function: PairFunction) -> bool {
    matches!(function, PairFunction::Maximum | PairFunction::Minimum)
}

impl Quantizer<'_> {
    /// A constant in the layer's element type: of its own range, or in the numbers of the `output` that it is compared for.
    pub(super) fn constant(
        &self,
        function: PairFunction,
        constant: &Constant,
        output: Quantization,
    ) -> Result<Constant, Error> {
        let Numbers::F32(reals) = &constant.numbers else { return Err(self.error("is quantized already")) };
        let quantization = if compares(function) { output } else { self.constant_quantization(reals)? };
        let stored = |real: &f32| {
            let steps = (f64::from(*real) / f64::from(quantization.scale)).round();
            steps + f64::from(quantization.zero_point)
        };
        let stored = reals.iter().map(stored);
        // `as` saturates.
        let numbers = match self.element {
            Element::I16 => Numbers::I16 { values: stored.map(|value| value as i16).collect(), quantization },
            _ => Numbers::I8 { values: stored.map(|value| value as i8).collect(), quantization },
        };
        Ok(Constant { numbers, ..constant.clone() })
    }

    fn constant_quantization(&self, reals: &[f32]) -> Result<Quantization, Error> {
        let ends = [f32::INFINITY, f32::NEG_INFINITY];
        let range = reals.iter().fold(ends, |[least, greatest], &real| [least.min(real), greatest.max(real)]);
        let name = self.element.name();
        activations::quantization(self.element, range, 0.0)
            .ok_or_else(|| self.error(format!("its constants are too large for {name}")))
    }

    /// The largest magnitude that a function of two operands can make of any stored ones.
    pub(super) fn reach_of_pair(&self, function: PairFunction, constant: Option<&Constant>) -> Result<f64, Error> {
        let largest = |quantization| largest(self.element, quantization);
        let first = largest(self.input(0)?);
        let second = match constant.map(|constant| &constant.numbers) {
            None => largest(self.input(1)?),
            Some(Numbers::F32(reals)) => largest(self.constant_quantization(reals)?),
            Some(Numbers::I8 { .. } | Numbers::I16 { .. }) => return Err(self.error("is quantized already")),
        };
        Ok(match function {
            PairFunction::Add | PairFunction::Subtract => first + second,
            PairFunction::Multiply => first * second,
            PairFunction::Prelu => first * second.max(1.0),
            PairFunction::Maximum | PairFunction::Minimum => first.max(second),
        })
    }
}

/// Puts a layer before every input of a comparison or a concatenation that has other numbers than its output.
pub(super) fn bring_to_one_scale(graph: &mut Graph) {
    let mut index = 0;
    while index < graph.layers.len() {
        let needs_one = match graph.layers[index].operator {
            Operator::Pairwise { function, .. } => compares(function),
            Operator::Concatenate { .. } => true,
            _ => false,
        };
        let quantization = graph.tensor(graph.layers[index].output).quantization;
        for place in 0..graph.layers[index].inputs.len() {
            let input = graph.layers[index].inputs[place];
            if !needs_one || quantization.is_none() || graph.tensor(input).quantization == quantization {
                continue;
            }
            let name = format!("{}/input{}", graph.layers[index].name, place + 1);
            let output = TensorId(graph.tensors.len());
            let shape = graph.tensor(input).shape.clone();
            let element = graph.tensor(input).element;
            graph.tensors.push(Tensor { name: name.clone(), shape, element, quantization });
            graph.layers[index].inputs[place] = output;
            let operator = Operator::Requantize { through: None };
            graph.layers.insert(index, Layer { name, operator, inputs: vec![input], output, parts: Vec::new() });
            index += 1;
        }
        index += 1;
    }
}
