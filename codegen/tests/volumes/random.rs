//! Random operators on random volumes.

use microception_codegen::graph::{
    Axis, Bias, Nearest, Operator, Padding, PairFunction, Shape, Taps, TensorId, Weights, Window,
};

use crate::naive;

/// Draws operators that fit.
pub struct Source {
    pub random: fastrand::Rng,
}

impl Source {
    pub fn new(seed: u64) -> Source {
        Source { random: fastrand::Rng::with_seed(seed) }
    }

    /// Depth, height, width and channels, odd ones and those of one place among them.
    pub fn extents(&mut self) -> [usize; 4] {
        [1..7, 1..7, 1..8, 1..6].map(|range| self.random.usize(range))
    }

    pub fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.random.f32() * 2.0 - 1.0).collect()
    }

    /// A window that fits; a pool's has no padding of which it could see nothing else.
    pub fn window(&mut self, extents: [usize; 4], pools: bool) -> Window {
        loop {
            let mut steps = |most: usize| [(); 3].map(|()| self.random.usize(1..=most));
            let (size, stride, mut dilation) = (steps(4), steps(3), steps(2));
            if pools {
                dilation = [1; 3];
            }
            let kind = self.random.u8(0..3);
            let mut around = [[0; 3]; 2].map(|places| places.map(|_: usize| self.random.usize(0..3)));
            let padding = match kind {
                0 => Padding::Valid,
                1 if !pools => {
                    Padding::Explicit { before: [around[0][1], around[0][2]], after: [around[1][1], around[1][2]] }
                }
                _ => Padding::Same,
            };
            match padding {
                Padding::Valid => (around[0][0], around[1][0]) = (0, 0),
                Padding::Explicit { .. } => {}
                Padding::Same => {
                    let last_tap = (extents[0].div_ceil(stride[0]) - 1) * stride[0] + (size[0] - 1) * dilation[0];
                    let needed = (last_tap + 1).saturating_sub(extents[0]);
                    (around[0][0], around[1][0]) = (needed / 2, needed - needed / 2);
                }
            }
            let depth = Taps {
                size: size[0],
                stride: stride[0],
                dilation: dilation[0],
                before: around[0][0],
                after: around[1][0],
            };
            let pair = |steps: [usize; 3]| [steps[1], steps[2]];
            let window = Window {
                size: pair(size),
                stride: pair(stride),
                dilation: pair(dilation),
                padding,
                depth: Some(depth),
            };
            if naive::outputs(&window, extents).is_some() && !window.pads_a_point() {
                return window;
            }
        }
    }

    /// A convolution or a depthwise one, in real numbers.
    pub fn weighted(&mut self, extents: [usize; 4]) -> Operator {
        let window = self.window(extents, false);
        let channels = extents[3];
        let outputs = self.random.usize(1..9);
        let multiplier = self.random.usize(1..3);
        let depthwise = self.random.bool();
        let count = if depthwise { multiplier * channels } else { outputs };
        let bias = self.random.bool().then(|| Bias::F32(self.numbers(count)));
        if depthwise {
            let weights = Weights::F32(self.numbers(window.taps() * count));
            Operator::Depthwise { weights, bias, window, multiplier, activation: None }
        } else {
            let weights = Weights::F32(self.numbers(window.taps() * channels * outputs));
            Operator::Convolution { weights, bias, window, activation: None }
        }
    }

    /// An operator of one input that computes nothing new, or compares.
    pub fn moving(&mut self, extents: [usize; 4], value: f32) -> Operator {
        match self.random.u8(0..4) {
            0 => {
                let [before, after] = [(); 2].map(|()| {
                    let mut places = [0; 4];
                    for (axis, places) in places.iter_mut().enumerate() {
                        // Often none: then planes, lines and columns go different ways.
                        *places =
                            if self.random.bool() { 0 } else { self.random.usize(0..if axis == 3 { 2 } else { 4 }) };
                    }
                    places
                });
                Operator::Pad { before, after, value }
            }
            1 => {
                let [planes, lines, columns, _] = extents;
                let size = [planes, lines, columns].map(|extent| extent * self.random.usize(1..4));
                let nearest = Nearest { align_corners: false, half_pixel_centers: self.random.bool() };
                Operator::ResizeNearest { size, nearest }
            }
            2 => Operator::GlobalMaxPool { keep_dims: self.random.bool() },
            _ => Operator::MaxPool { window: self.window(extents, true) },
        }
    }

    /// An operator of one or two of the tensors so far, whose shapes these are, and what it reads.
    pub fn layer(&mut self, tensors: &[[usize; 4]]) -> (Operator, Vec<TensorId>) {
        let last = TensorId(tensors.len() - 1);
        let extents = tensors[last.0];
        match self.random.u8(0..9) {
            0..=3 => (self.weighted(extents), vec![last]),
            4 => (Operator::AveragePool { window: self.window(extents, true) }, vec![last]),
            5 | 6 => match self.moving(extents, 0.5) {
                // It would end the chain.
                Operator::GlobalMaxPool { .. } => {
                    (Operator::MaxPool { window: self.window(extents, true) }, vec![last])
                }
                operator => (operator, vec![last]),
            },
            7 => {
                let axis = Axis::ALL[self.random.usize(0..4)];
                (Operator::Concatenate { axis }, vec![last, last])
            }
            _ => {
                let alike = |other: &&[usize; 4]| **other == extents || other[..3] == [1; 3] && other[3] == extents[3];
                let other = tensors.iter().find(alike).copied().unwrap_or(extents);
                let other = tensors.iter().position(|&extents| extents == other).unwrap_or(last.0);
                let functions = [PairFunction::Add, PairFunction::Multiply, PairFunction::Maximum];
                let function = functions[self.random.usize(0..3)];
                (Operator::Pairwise { function, constant: None, activation: None }, vec![last, TensorId(other)])
            }
        }
    }
}

/// The shape of a volume, or of what a global pool leaves of one.
pub fn shape(extents: [usize; 4]) -> Shape {
    Shape(extents.to_vec())
}
