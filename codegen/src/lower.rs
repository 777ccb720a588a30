//! From a graph to the runtime's kernels: the same descriptions that generated modules hold,
//! with their arrays owned. [`crate::host`] runs them as they are, [`crate::emit`] writes them
//! down. The only place that knows how real scales become the integers of a kernel.
//!
//! `kernel`: which kernel a layer runs. `rows`: what the planner has to know of it. `weighted`: layers with trained weights.
//! `window`: extents, biases and factors of layers with a window. `moving`: operators that move values, or mix neighbours.
//! `pairwise`: functions of two operands. `table`: functions of one stored value. `int16`: layers with values of 16 bits. `factor`:
//! real factors in integers. `flip`: a bit of their numbers. `packed`: weights in the kernels' order. `transform`: weights for
//! Winograd's algorithm.

mod factor;
mod flip;
mod int16;
mod kernel;
mod moving;
mod packed;
mod pairwise;
mod rows;
mod table;
mod transform;
mod weighted;
mod window;

use std::collections::BTreeSet;

use crate::error::Error;
use crate::graph::{Element, Graph, Layer, Quantization, Shape, TensorId};
use crate::plan::LayerRows;

pub use factor::factor;
pub use int16::{Curve, SoftmaxInt16, Sums, WindowInt16};
pub use kernel::{Bilinear, Kernel, WindowF32, WindowInt4, WindowInt8};
pub use pairwise::{Broadcast, Held, HeldNumbers, Pair, Pairwise};
pub use transform::transformable;

/// The kernels of a graph after [passes](crate::passes), in the order of its layers. The layers with the indices
/// `transformed` run by Winograd's algorithm where they [can](transformable).
///
/// # Errors
/// When a layer can't run as it stands: an operator that the passes should have removed, numbers
/// beyond the runtime's, or element types that do not fit together.
pub fn kernels(graph: &Graph, transformed: &BTreeSet<usize>) -> Result<Vec<Kernel>, Error> {
    each_layer(graph, transformed).map(|layer| layer.kernel()).collect()
}

/// What the planner has to know of each layer of a graph, in the order of its layers; `transformed` as in [`kernels`].
///
/// # Errors
/// As [`kernels`].
pub fn rows(graph: &Graph, transformed: &BTreeSet<usize>) -> Result<Vec<LayerRows>, Error> {
    each_layer(graph, transformed).map(|layer| layer.rows()).collect()
}

fn each_layer<'a>(graph: &'a Graph, transformed: &'a BTreeSet<usize>) -> impl Iterator<Item = Lowering<'a>> {
    let layers = graph.layers.iter().enumerate();
    layers.map(|(index, layer)| Lowering { graph, layer, transformed: transformed.contains(&index) })
}

/// The indices of the layers that make the model's outputs, in the order of these.
///
/// # Errors
/// When there is no output, or no layer makes one.
pub fn outputs(graph: &Graph) -> Result<Vec<usize>, Error> {
    if graph.outputs.is_empty() {
        return Err(Error::model("the model has no output"));
    }
    let maker = |&output| graph.maker(output).ok_or_else(|| Error::model("no layer makes an output of the model"));
    graph.outputs.iter().map(maker).collect()
}

struct Lowering<'a> {
    graph: &'a Graph,
    layer: &'a Layer,
    /// Whether it runs by Winograd's algorithm if it can.
    transformed: bool,
}

impl Lowering<'_> {
    fn error(&self, reason: impl Into<String>) -> Error {
        Error::layer(&self.layer.name, reason)
    }

    fn input(&self, index: usize) -> Result<TensorId, Error> {
        self.layer.inputs.get(index).copied().ok_or_else(|| self.error("has too few inputs"))
    }

    fn input_shape(&self) -> Result<&Shape, Error> {
        Ok(&self.graph.tensor(self.input(0)?).shape)
    }

    fn output_shape(&self) -> &Shape {
        &self.graph.tensor(self.layer.output).shape
    }

    fn element(&self) -> Element {
        self.graph.tensor(self.layer.output).element
    }

    fn quantization(&self, tensor: TensorId) -> Result<Quantization, Error> {
        let tensor = self.graph.tensor(tensor);
        tensor.quantization.ok_or_else(|| self.error(format!("tensor \"{}\" has no scale and zero point", tensor.name)))
    }

    fn narrow<T: TryFrom<usize>>(&self, value: usize, what: &str) -> Result<T, Error> {
        let most = (1u64 << (8 * size_of::<T>() as u32)) - 1;
        T::try_from(value).map_err(|_| self.error(format!("its {what} of {value} is more than the runtime's {most}")))
    }
}
