//! What a board says of itself and of its model.

use microception_protocol::{Element, Quantization, Tick};

use crate::graph;

/// An input or output of the model on a board.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// Its name; empty where there is one.
    pub name: String,
    /// Extents, channels last, without the batch.
    pub shape: Vec<usize>,
    /// Element type.
    pub element: Element,
    /// What its elements stand for.
    pub quantization: Quantization,
    /// Bytes of the whole tensor.
    pub bytes: usize,
    /// Bytes of a row, of an input.
    pub row_bytes: usize,
}

impl End {
    /// The element type, as the rest of this library has it.
    pub fn element(&self) -> graph::Element {
        match self.element {
            Element::U8 => graph::Element::U8,
            Element::I8 => graph::Element::I8,
            Element::I16 => graph::Element::I16,
            Element::F32 => graph::Element::F32,
        }
    }

    /// What the numbers of a quantized tensor stand for.
    pub(super) fn quantization(&self) -> Option<graph::Quantization> {
        let Quantization { scale, zero_point } = self.quantization;
        matches!(self.element, Element::I8 | Element::I16)
            .then_some(graph::Quantization { scale, zero_point: zero_point as i32 })
    }
}

/// What a board is and what runs on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// The board.
    pub board: String,
    /// The model.
    pub model: String,
    /// The inputs: none without a model.
    pub inputs: Vec<End>,
    /// The outputs.
    pub outputs: Vec<End>,
    /// Bytes of arena, scratch included.
    pub arena_bytes: usize,
    /// Bytes of weights.
    pub weight_bytes: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Layers of the plan.
    pub layers: usize,
    /// How many classes have a label.
    pub labels: usize,
    /// What one tick is.
    pub tick: Tick,
}

impl Info {
    /// As the board says it; of several inputs or outputs none.
    pub(super) fn of(info: &microception_protocol::Info<'_>) -> Info {
        let alone = |count: u8, shape: &[u32], element, quantization, bytes: u32, row_bytes: u32| {
            let (name, shape) = (String::new(), extents(shape));
            let (bytes, row_bytes) = (bytes as usize, row_bytes as usize);
            // Of several, each is asked for.
            (count == 1).then_some(End { name, shape, element, quantization, bytes, row_bytes }).into_iter().collect()
        };
        let (input, output) = (info.input_quantization, info.output_quantization);
        Info {
            board: info.board.to_owned(),
            model: info.model.to_owned(),
            inputs: alone(info.inputs, &info.input_shape, info.input, input, info.frame_bytes, info.row_bytes),
            outputs: alone(info.outputs, &info.output_shape, info.output, output, info.output_bytes, 0),
            arena_bytes: info.arena_bytes as usize,
            weight_bytes: info.weight_bytes as usize,
            macs: info.macs,
            layers: usize::from(info.layers),
            labels: usize::from(info.labels),
            tick: info.tick,
        }
    }
}

/// Extents as the rest of this library has them.
pub(super) fn extents(shape: &[u32]) -> Vec<usize> {
    shape.iter().map(|&extent| extent as usize).collect()
}

/// What [`Link::bench`](super::Link::bench) measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// Ticks of one inference in one go, rows pushed one by one.
    pub ticks: u64,
    /// Of each step of another inference the layer and the ticks, each measured by itself.
    pub steps: Vec<(usize, u64)>,
    /// Bytes of stack that one inference needs; `None` where the board can't tell.
    pub stack_bytes: Option<usize>,
}

/// A layer of the model on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name in the model, of a long one the [beginning](microception_protocol::NAME_BYTES).
    pub name: String,
    /// What it is.
    pub kind: String,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
}

/// The sums over each of `layers` layers of what its `steps` took.
pub fn by_layer(layers: usize, steps: impl IntoIterator<Item = (usize, u64)>) -> Vec<u64> {
    let mut sums = vec![0; layers];
    for (layer, count) in steps {
        if let Some(sum) = sums.get_mut(layer) {
            *sum += count;
        }
    }
    sums
}
