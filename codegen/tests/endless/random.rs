//! Random models of time series, as far as such a model can go on without an end: strides, dilation, causal and valid
//! windows, pools, separable convolutions, residual sums, channels put side by side; sometimes rows of several columns.

#[path = "../common/random_layers.rs"]
mod random_layers;

use microception_codegen::graph::{
    Axis, Constant, Element, Function, Graph, Numbers, Operator, Padding, PairFunction, Shape, TensorId, Weights,
    Window,
};

use random_layers::Source;

/// Input rows of the graphs as they are read: enough for every window that is drawn.
pub const ROWS: usize = 400;

/// A graph of about `size` blocks, in f32, before the passes. The same numbers give the same graph.
pub fn graph(seed: u64, size: usize) -> Graph {
    let mut source = Source::new(seed, format!("series {seed}"));
    let mut shape = vec![ROWS, source.random.usize(1..6)];
    if source.random.u8(0..4) == 0 {
        shape.insert(1, source.random.usize(2..5));
    }
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let mut tensor = source.push(input, vec![], Shape(shape));
    for _ in 0..size {
        tensor = source.block(tensor);
    }
    source.graph.outputs = vec![tensor];
    source.graph
}

/// Which padding a window may have.
#[derive(Clone, Copy, PartialEq)]
enum Above {
    /// So that there is a row for each row of the input: causal.
    All,
    /// None, some, or all.
    Any,
}

impl Source {
    fn window(&mut self, shape: &Shape, above: Above, stride: usize) -> Window {
        let mut window = Window::POINT;
        window.size[0] = self.random.usize(1..6);
        window.stride[0] = stride;
        window.dilation[0] = [1, 1, 1, 2, 3][self.random.usize(0..5)];
        let mut before = [window.reach(0) - 1, 0];
        let mut after = [0, 0];
        if above == Above::Any {
            before[0] = [0, self.random.usize(0..=before[0]), before[0]][self.random.usize(0..3)];
        }
        if shape.0.len() > 2 {
            window.size[1] = self.random.usize(1..=2);
            (before[1], after[1]) = if window.size[1] > 1 { (self.random.usize(0..2), 1) } else { (0, 0) };
        }
        if before != [0, 0] || after != [0, 0] {
            window.padding = Padding::Explicit { before, after };
        }
        window
    }

    fn after(window: &Window, shape: &Shape, channels: usize) -> Shape {
        let spatial = &shape.0[..shape.0.len() - 1];
        let mut extents: Vec<usize> =
            spatial.iter().enumerate().map(|(axis, &extent)| window.outputs(axis, extent)).collect();
        extents.push(channels);
        Shape(extents)
    }

    fn convolution(&mut self, tensor: TensorId, window: Window, channels: usize) -> TensorId {
        let shape = self.shape(tensor);
        let inputs = window.size[0] * window.size[1] * shape.channels();
        let weights = Weights::F32(self.numbers(inputs * channels, 1.5 / (inputs as f32).sqrt()));
        let bias = self.bias(channels);
        let activation = [None, Some(Function::Relu), Some(Function::Relu6)][self.random.usize(0..3)];
        let to = Source::after(&window, &shape, channels);
        self.push(Operator::Convolution { weights, bias, window, activation }, vec![tensor], to)
    }

    fn depthwise(&mut self, tensor: TensorId, window: Window) -> TensorId {
        let shape = self.shape(tensor);
        let multiplier = [1, 1, 2][self.random.usize(0..3)];
        let channels = shape.channels() * multiplier;
        let weights = Weights::F32(self.numbers(window.size[0] * window.size[1] * channels, 1.0));
        let bias = self.bias(channels);
        let to = Source::after(&window, &shape, channels);
        self.push(Operator::Depthwise { weights, bias, window, multiplier, activation: None }, vec![tensor], to)
    }

    fn weighted(&mut self, tensor: TensorId, above: Above, stride: usize, channels: usize) -> TensorId {
        let window = self.window(&self.shape(tensor).clone(), above, stride);
        match self.random.u8(0..3) {
            0 => self.convolution(tensor, window, channels),
            1 => {
                let separate = self.depthwise(tensor, window);
                self.convolution(separate, Window::POINT, channels)
            }
            _ => {
                let point = self.convolution(tensor, Window { stride: [1, 1], ..Window::POINT }, channels);
                let window = self.window(&self.shape(point).clone(), above, stride);
                self.convolution(point, window, channels)
            }
        }
    }

    /// A window behind rows of padding that are a layer of their own: of no zeros, which would be folded into it.
    fn padded(&mut self, tensor: TensorId) -> TensorId {
        let mut shape = self.shape(tensor);
        let channels = shape.channels();
        let mut window = self.window(&shape, Above::All, 1);
        window.padding = Padding::Valid;
        window.size = [window.size[0].max(2), 1];
        let rows = self.random.usize(1..window.reach(0));
        shape.0[0] += rows;
        let pad = Operator::Pad { before: [rows, 0, 0, 0], after: [0; 4], value: 0.25 };
        let padded = self.push(pad, vec![tensor], shape.clone());
        if self.random.bool() {
            return self.convolution(padded, window, channels);
        }
        window.dilation = [1, 1];
        window.size[0] = rows + 1;
        let to = Source::after(&window, &shape, channels);
        self.push(Operator::MaxPool { window }, vec![padded], to)
    }

    fn block(&mut self, tensor: TensorId) -> TensorId {
        let shape = self.shape(tensor);
        let channels = shape.channels();
        let stride = [1, 1, 1, 1, 2, 3][self.random.usize(0..6)];
        // The rows that are left must suffice for the windows to come.
        let stride = if shape.rows() < ROWS / 4 { 1 } else { stride };
        match self.random.u8(0..12) {
            0..=2 => {
                let to = self.random.usize(1..8);
                self.weighted(tensor, Above::Any, stride, to)
            }
            3 => {
                let mut window = self.window(&shape, Above::Any, stride);
                window.dilation = [1, 1];
                if shape.0.len() > 2 {
                    (window.size[1], window.padding) = (1, Padding::Valid);
                } else if let Padding::Explicit { before, .. } = &mut window.padding {
                    before[0] = before[0].min(window.size[0] - 1);
                }
                if window.pads_a_point() || self.random.bool() {
                    window.padding = Padding::Valid;
                }
                let operator =
                    if self.random.bool() { Operator::AveragePool { window } } else { Operator::MaxPool { window } };
                let to = Source::after(&window, &shape, channels);
                self.push(operator, vec![tensor], to)
            }
            4 if self.random.bool() => self.push(Operator::Activation(Function::Tanh), vec![tensor], shape),
            4 => self.padded(tensor),
            5 => {
                let scale = self.numbers(channels, 2.0);
                let shift = self.numbers(channels, 1.0);
                self.push(Operator::ScaleShift { scale, shift }, vec![tensor], shape)
            }
            6 => {
                let numbers = Numbers::F32(self.numbers(channels, 1.0));
                let constant = Some(Constant { shape: Shape(vec![channels]), numbers, first: false });
                let function = [PairFunction::Prelu, PairFunction::Multiply][self.random.usize(0..2)];
                self.push(Operator::Pairwise { function, constant, activation: None }, vec![tensor], shape)
            }
            7 => self.push(Operator::Softmax, vec![tensor], shape),
            8 => {
                let (branch, other) = (
                    self.weighted(tensor, Above::All, stride, channels),
                    if stride == 1 { tensor } else { self.weighted(tensor, Above::All, stride, channels) },
                );
                let (mut columns, other_columns) = (self.shape(branch).0, self.shape(other).0);
                if columns != other_columns {
                    return branch;
                }
                *columns.last_mut().unwrap() += channels;
                self.push(Operator::Concatenate { axis: Axis::Channels }, vec![other, branch], Shape(columns))
            }
            _ => {
                let mut branch = self.weighted(tensor, Above::All, stride, channels);
                if self.random.bool() {
                    branch = self.weighted(branch, Above::All, 1, channels);
                }
                let other = match stride {
                    1 => tensor,
                    _ => {
                        let window = Window { stride: [stride, 1], ..Window::POINT };
                        self.convolution(tensor, window, channels)
                    }
                };
                if self.shape(branch) != self.shape(other) {
                    return branch;
                }
                let to = self.shape(branch);
                let inputs = if self.random.bool() { vec![branch, other] } else { vec![other, branch] };
                self.push(Operator::add(None), inputs, to)
            }
        }
    }
}
