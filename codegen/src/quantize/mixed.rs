//! Which element type each layer computes with, and conversions where two layers differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::shared::copies;
use crate::error::Error;
use crate::graph::{Element, Graph, Layer, Operator, Tensor, TensorId};

/// The element types of a graph's layers.
///
/// ```
/// use microception_codegen::graph::Element;
/// use microception_codegen::quantize::Elements;
/// let mut elements = Elements::all(Element::I8);
/// elements.keep("conv2d", Element::F32);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elements {
    base: Element,
    kept: BTreeMap<String, Element>,
    short: BTreeSet<String>,
}

impl Elements {
    /// One for all layers: int8, int16 (with weights of 8 bits) or f32.
    pub fn all(base: Element) -> Elements {
        Elements { base, kept: BTreeMap::new(), short: BTreeSet::new() }
    }

    /// Another for the layer of that name.
    pub fn keep(&mut self, layer: impl Into<String>, element: Element) {
        self.kept.insert(layer.into(), element);
    }

    /// [Weights of four bits](super::quantize_weights_int4) for the layer of that name, where it computes in int8.
    pub fn shorten(&mut self, layer: impl Into<String>) {
        self.short.insert(layer.into());
    }

    /// Whether the layer of that name has weights of four bits where it computes in int8.
    pub(super) fn is_short(&self, layer: &str) -> bool {
        self.short.contains(layer)
    }

    /// That of layers that are not named.
    pub fn base(&self) -> Element {
        self.base
    }

    /// The layers that have another, by name.
    pub fn kept(&self) -> impl Iterator<Item = (&str, Element)> {
        self.kept.iter().map(|(name, &element)| (name.as_str(), element))
    }

    /// That of each layer: what only copies values has its input's, and an input that of all its readers, if they agree.
    ///
    /// # Errors
    /// When a name is no layer's.
    fn of(&self, graph: &Graph) -> Result<Vec<Element>, Error> {
        if let Some(name) = self.kept.keys().find(|&name| graph.layers.iter().all(|layer| layer.name != *name)) {
            let names: Vec<&str> = graph.layers.iter().map(|layer| layer.name.as_str()).collect();
            return Err(Error::model(format!(
                "has no layer \"{name}\" of its own that could be kept (those that are fused are named after the one that \
                 does their work): {}",
                names.join(", ")
            )));
        }
        let mut elements: Vec<Element> = Vec::with_capacity(graph.layers.len());
        for layer in &graph.layers {
            let follows = || layer.inputs.first().filter(|_| copies(&layer.operator));
            let followed = || follows().and_then(|&input| graph.maker(input)).map(|maker| elements[maker]);
            let element = self.kept.get(&layer.name).copied().or_else(followed).unwrap_or(self.base);
            elements.push(element);
        }
        for (index, layer) in graph.layers.iter().enumerate() {
            if !matches!(layer.operator, Operator::Input { .. }) || self.kept.contains_key(&layer.name) {
                continue;
            }
            let mut readers =
                graph.layers.iter().zip(&elements).filter(|(reader, _)| reader.inputs.contains(&layer.output));
            if let Some((_, &element)) = readers.next()
                && readers.all(|(_, &other)| other == element)
            {
                elements[index] = element;
            }
        }
        Ok(elements)
    }
}

/// Sets the element type of every tensor, and puts a layer that converts before each that reads another than it makes. The
/// graph is one in f32 still, and its conversions change nothing in it.
pub(super) fn assign(graph: &mut Graph, elements: &Elements) -> Result<(), Error> {
    let of_layers = elements.of(graph)?;
    for (layer, &element) in graph.layers.iter().zip(&of_layers) {
        graph.tensors[layer.output.0].element = element;
    }
    let mut converted: HashMap<(TensorId, Element), TensorId> = HashMap::new();
    let layers = std::mem::take(&mut graph.layers);
    for (mut layer, element) in layers.into_iter().zip(of_layers) {
        for input in &mut layer.inputs {
            let from = graph.tensor(*input);
            if from.element == element {
                continue;
            }
            let next = TensorId(graph.tensors.len());
            let output = *converted.entry((*input, element)).or_insert(next);
            if output == next {
                let name = format!("{}/{}", from.name, element.name());
                let shape = from.shape.clone();
                graph.tensors.push(Tensor { name: name.clone(), shape, element, quantization: None });
                let operator = Operator::Requantize { through: None };
                graph.layers.push(Layer { name, operator, inputs: vec![*input], output, parts: Vec::new() });
            }
            *input = output;
        }
        graph.layers.push(layer);
    }
    Ok(())
}
