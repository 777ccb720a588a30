//! A graph that grows by layers with random numbers.

use microception_codegen::graph::{Bias, Graph, Operator, Shape, TensorId};

/// The graph so far, and where its numbers come from.
pub struct Source {
    pub random: fastrand::Rng,
    pub graph: Graph,
}

impl Source {
    /// Without layers yet. The same seed gives the same numbers.
    pub fn new(seed: u64, name: String) -> Source {
        Source { random: fastrand::Rng::with_seed(seed), graph: Graph::new(name) }
    }

    /// Appends a layer; shapes are tracked here only to draw layers that fit.
    pub fn push(&mut self, operator: Operator, inputs: Vec<TensorId>, shape: Shape) -> TensorId {
        let name = format!("{}_{}", operator.name(), self.graph.layers.len());
        self.graph.push(name, operator, inputs, shape)
    }

    pub fn shape(&self, tensor: TensorId) -> Shape {
        self.graph.tensor(tensor).shape.clone()
    }

    pub fn numbers(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| (self.random.f32() * 2.0 - 1.0) * scale).collect()
    }

    pub fn bias(&mut self, count: usize) -> Option<Bias> {
        self.random.bool().then(|| Bias::F32(self.numbers(count, 0.5)))
    }
}
