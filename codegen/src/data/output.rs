//! What a model answers with: from the bytes of its output to numbers and classes.

use crate::data::array::Numbers;
use crate::graph::{Element, Graph, Quantization, Shape, Tensor};

/// The output of a model, as a caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Extents, channels last.
    pub shape: Shape,
    /// What one number is in memory.
    pub element: Element,
    /// Of a quantized output.
    pub quantization: Option<Quantization>,
}

impl Output {
    /// The first output of a graph that has gone through the [passes](crate::passes).
    pub fn of(graph: &Graph) -> Output {
        match graph.outputs.first().map(|&output| graph.tensor(output)) {
            Some(tensor) => Output::of_tensor(tensor),
            None => Output { shape: Shape(Vec::new()), element: Element::F32, quantization: None },
        }
    }

    /// All outputs of such a graph, each with its name.
    pub fn all(graph: &Graph) -> Vec<(String, Output)> {
        let outputs = graph.outputs.iter().enumerate();
        let named = |(index, &output)| (graph.output_name(index).to_owned(), Output::of_tensor(graph.tensor(output)));
        outputs.map(named).collect()
    }

    /// Bytes of it.
    pub fn bytes(&self) -> usize {
        self.shape.elements() * self.element.bytes()
    }

    /// Any tensor of such a graph, as if the model answered with it.
    pub fn of_tensor(tensor: &Tensor) -> Output {
        Output {
            shape: tensor.shape.clone(),
            element: tensor.element,
            quantization: tensor.quantization.filter(|_| tensor.element.is_quantized()),
        }
    }

    /// Whether it is one value for each class, which labels are for.
    pub fn is_of_classes(&self) -> bool {
        self.shape.elements() == self.shape.channels()
    }

    /// How many classes the model tells apart: one unit, as a sigmoid's, tells two.
    pub fn classes(&self) -> usize {
        self.shape.channels().max(2)
    }

    /// The real numbers that an output stands for.
    pub fn real(&self, bytes: &[u8]) -> Vec<f32> {
        match self.element {
            Element::F32 => bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect(),
            Element::U8 => bytes.iter().map(|&value| f32::from(value)).collect(),
            Element::I8 => bytes.iter().map(|&byte| self.real_of(byte.cast_signed().into())).collect(),
            Element::I16 => {
                let values = bytes.as_chunks::<2>().0.iter().map(|&bytes| i16::from_ne_bytes(bytes));
                values.map(|value| self.real_of(value.into())).collect()
            }
        }
    }

    /// The stored numbers of some such outputs, or the real ones that they stand for.
    pub fn numbers<'a>(&self, outputs: impl Iterator<Item = &'a Vec<u8>>, dequantize: bool) -> Numbers {
        match self.element {
            Element::I16 if !dequantize => {
                let values = outputs.flat_map(|bytes| bytes.as_chunks::<2>().0);
                Numbers::I16(values.map(|&bytes| i16::from_ne_bytes(bytes)).collect())
            }
            Element::I8 | Element::U8 if !dequantize => {
                Numbers::I8(outputs.flatten().map(|byte| byte.cast_signed()).collect())
            }
            _ => Numbers::F32(outputs.flat_map(|bytes| self.real(bytes)).collect()),
        }
    }

    fn real_of(&self, stored: i32) -> f32 {
        let Quantization { scale, zero_point } =
            self.quantization.unwrap_or(Quantization { scale: 1.0, zero_point: 0 });
        scale * (stored - zero_point) as f32
    }

    /// Classes and their values, best first; of equal values the first class comes first. A single unit gives
    /// the value of class 1, and what is left to 1 is class 0's.
    pub fn ranked(&self, bytes: &[u8]) -> Vec<(usize, f32)> {
        let mut values = self.real(bytes);
        if let [value] = values[..] {
            // Exactly one half counts as class 1.
            let ranked = if value >= 0.5 { [(1, value), (0, 1.0 - value)] } else { [(0, 1.0 - value), (1, value)] };
            return ranked.to_vec();
        }
        values.truncate(self.classes());
        let mut ranked: Vec<(usize, f32)> = values.into_iter().enumerate().collect();
        ranked.sort_by(|(_, first), (_, second)| second.total_cmp(first));
        ranked
    }

    /// The class that an output stands for.
    pub fn class(&self, bytes: &[u8]) -> usize {
        self.ranked(bytes).first().map_or(0, |&(class, _)| class)
    }
}
