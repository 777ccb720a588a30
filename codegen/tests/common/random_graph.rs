//! Small random graphs as a reader could make them: chains, residuals of unequal depth, several
//! readers of one tensor, batch norms before and after everything, odd extents.

#[path = "random_layers.rs"]
mod random_layers;

use microception_codegen::graph::{
    Axis, Constant, Element, Function, Graph, Linear, Nearest, Numbers, Operator, Padding, PairFunction, Shape,
    TensorId, Weights, Window,
};

use random_layers::Source;

/// A graph of a few layers, its last tensor the output. The same seed gives the same graph.
pub fn graph(seed: u64) -> Graph {
    let mut source = Source::new(seed, format!("random {seed}"));
    let shape = match source.random.u8(0..5) {
        0 => vec![source.random.usize(3..20), source.random.usize(1..4)],
        _ => vec![source.random.usize(3..12), source.random.usize(3..12), source.random.usize(1..4)],
    };
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let mut tensor = source.push(input, vec![], Shape(shape));
    if source.random.bool() {
        tensor = source.rescaling(tensor);
    }
    for _ in 0..source.random.usize(1..8) {
        tensor = source.block(tensor);
    }
    tensor = source.head(tensor);
    source.graph.outputs = vec![tensor];
    if source.random.u8(0..8) == 0 {
        // A tensor from the middle is an output too, and must not be folded into.
        let middle = TensorId(source.random.usize(1..source.graph.tensors.len()));
        source.graph.outputs.push(middle);
    }
    source.graph
}

/// Values from 0 to 255 for a graph's input.
pub fn pixels(graph: &Graph, seed: u64) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let elements: usize = graph.inputs().iter().map(|input| graph.tensor(input.output).shape.elements()).sum();
    (0..elements).map(|_| f64::from(random.u8(..))).collect()
}

impl Source {
    fn activation(&mut self) -> Option<Function> {
        [None, None, None, Some(Function::Relu), Some(Function::Relu6)][self.random.usize(0..5)]
    }

    fn rescaling(&mut self, tensor: TensorId) -> TensorId {
        let (scale, shift) = [(1.0 / 255.0, 0.0), (1.0 / 127.5, -1.0), (1.0 / 128.0, -1.0)][self.random.usize(0..3)];
        let shape = self.shape(tensor);
        let channels = shape.channels();
        self.push(
            Operator::ScaleShift { scale: vec![scale; channels], shift: vec![shift; channels] },
            vec![tensor],
            shape,
        )
    }

    fn batch_norm(&mut self, tensor: TensorId) -> TensorId {
        let shape = self.shape(tensor);
        let scale = self.numbers(shape.channels(), 2.0);
        let shift = if self.random.u8(0..3) == 0 { vec![0.0; scale.len()] } else { self.numbers(scale.len(), 1.0) };
        self.push(Operator::ScaleShift { scale, shift }, vec![tensor], shape)
    }

    /// A window that fits the shape; `None` for a flat tensor.
    fn window(&mut self, shape: &Shape) -> Option<(Window, Shape)> {
        let mut window = Window::POINT;
        window.padding = if self.random.bool() { Padding::Same } else { Padding::Valid };
        let axes = shape.0.len() - 1;
        if axes == 0 {
            return None;
        }
        for axis in 0..axes {
            window.size[axis] = self.random.usize(1..4);
            window.stride[axis] = [1, 1, 2, 3][self.random.usize(0..4)];
            window.dilation[axis] = if self.random.u8(0..4) == 0 { 2 } else { 1 };
        }
        let mut extents: Vec<usize> = (0..axes).map(|axis| window.outputs(axis, shape.0[axis])).collect();
        extents.push(shape.channels());
        (!extents.contains(&0)).then_some((window, Shape(extents)))
    }

    /// A layer with weights that keeps the spatial extents when `same` is set.
    fn weighted(&mut self, tensor: TensorId, same: bool) -> TensorId {
        let shape = self.shape(tensor);
        let Some((mut window, mut to)) = self.window(&shape) else { return tensor };
        if same || self.random.u8(0..4) == 0 {
            window = Window { size: window.size, padding: Padding::Same, ..Window::POINT };
            to = shape.clone();
        }
        let taps = window.size[0] * window.size[1];
        let activation = self.activation();
        if self.random.bool() && !same {
            let multiplier = if self.random.u8(0..4) == 0 { 2 } else { 1 };
            let channels = shape.channels() * multiplier;
            let weights = Weights::F32(self.numbers(taps * channels, 1.0));
            let bias = self.bias(channels);
            *to.0.last_mut().unwrap() = channels;
            return self.push(Operator::Depthwise { weights, bias, window, multiplier, activation }, vec![tensor], to);
        }
        let filters = if same { shape.channels() } else { self.random.usize(1..6) };
        let weights = Weights::F32(self.numbers(filters * taps * shape.channels(), 0.7));
        let bias = self.bias(filters);
        *to.0.last_mut().unwrap() = filters;
        self.push(Operator::Convolution { weights, bias, window, activation }, vec![tensor], to)
    }

    fn block(&mut self, tensor: TensorId) -> TensorId {
        let shape = self.shape(tensor);
        match self.random.u8(0..17) {
            11 => self.moved(tensor),
            12 => self.joined(tensor),
            13 => self.positionwise(tensor),
            14 => self.function(tensor),
            15 => self.with_constant(tensor),
            16 => self.repeated(tensor),
            0..=2 => self.weighted(tensor, false),
            3 | 4 => self.batch_norm(tensor),
            5 => {
                let function = if self.random.bool() { Function::Relu } else { Function::Relu6 };
                self.push(Operator::Activation(function), vec![tensor], shape)
            }
            6 => self.push(Operator::Identity, vec![tensor], shape),
            7 | 8 => match self.window(&shape) {
                Some((mut window, to)) => {
                    // A dilated pool can lie on padding with all its taps: nothing to pool.
                    window.dilation = [1, 1];
                    let (window, to) =
                        if self.window_fits(&window, &to, &shape) { (window, to) } else { (Window::POINT, shape) };
                    let average = self.random.bool();
                    self.push(
                        if average { Operator::AveragePool { window } } else { Operator::MaxPool { window } },
                        vec![tensor],
                        to,
                    )
                }
                None => tensor,
            },
            _ => {
                let mut branch = tensor;
                for _ in 0..self.random.usize(1..4) {
                    branch = match self.random.u8(0..4) {
                        0 => self.batch_norm(branch),
                        1 => self.push(Operator::Activation(Function::Relu), vec![branch], shape.clone()),
                        _ => self.weighted(branch, true),
                    };
                }
                let activation = self.activation();
                let inputs = if self.random.bool() { vec![branch, tensor] } else { vec![tensor, branch] };
                self.push(Operator::add(activation), inputs, shape)
            }
        }
    }

    /// Values at other places: padded, resized, in other rows.
    fn moved(&mut self, tensor: TensorId) -> TensorId {
        let shape = self.shape(tensor);
        match (self.random.u8(0..7), &shape.0[..]) {
            (6, &[height, width, channels]) => {
                let linear = Linear { align_corners: self.random.bool(), half_pixel_centers: false };
                let size = [height + 3, 2 * width];
                let to = Shape(vec![size[0], size[1], channels]);
                self.push(Operator::ResizeBilinear { size, linear }, vec![tensor], to)
            }
            (0, &[height, width, channels]) => {
                let nearest = Nearest { align_corners: false, half_pixel_centers: self.random.bool() };
                let size = [height * 2, 1, width * 2];
                let to = Shape(vec![height * 2, width * 2, channels]);
                self.push(Operator::ResizeNearest { size, nearest }, vec![tensor], to)
            }
            (1, &[height, width, channels]) => {
                let to = Shape(vec![width, height, channels]);
                self.push(Operator::Reshape { shape: to.clone() }, vec![tensor], to)
            }
            (2, &[height, width, channels]) => {
                let to = Shape(vec![height * width, channels]);
                self.push(Operator::Reshape { shape: to.clone() }, vec![tensor], to)
            }
            (3, extents) => {
                let mut axes: Vec<usize> = (0..extents.len()).collect();
                self.random.shuffle(&mut axes);
                let to = Shape(axes.iter().map(|&axis| extents[axis]).collect());
                self.push(Operator::Transpose { axes }, vec![tensor], to)
            }
            (4, extents) => {
                let before: Vec<usize> = extents.iter().map(|&extent| self.random.usize(0..extent.min(4))).collect();
                let left = before.iter().zip(extents).map(|(before, extent)| extent - before);
                let to = Shape(left.map(|left| self.random.usize(1.max(left.saturating_sub(3))..=left)).collect());
                self.push(Operator::Crop { before, shape: to.clone() }, vec![tensor], to)
            }
            _ => {
                let mut to = shape.clone();
                let mut around = [[0; 4]; 2];
                for axis in [Axis::Rows, Axis::Columns, Axis::Channels] {
                    let Some(place) = axis.place(&shape) else { continue };
                    for around in &mut around {
                        let most = if axis == Axis::Channels { 2 } else { 4 };
                        around[axis as usize] = self.random.usize(0..most);
                        to.0[place] += around[axis as usize];
                    }
                }
                let [before, after] = around;
                let value = if self.random.bool() { 0.0 } else { self.random.f32() };
                self.push(Operator::Pad { before, after, value }, vec![tensor], to)
            }
        }
    }

    /// A tensor and what a layer makes of it, one behind the other.
    fn joined(&mut self, tensor: TensorId) -> TensorId {
        let mut shape = self.shape(tensor);
        let axis = [Axis::Rows, Axis::Columns, Axis::Channels][self.random.usize(0..3)];
        let Some(place) = axis.place(&shape) else { return tensor };
        let branch = if self.random.bool() { self.weighted(tensor, true) } else { self.batch_norm(tensor) };
        shape.0[place] *= 2;
        let inputs = if self.random.bool() { vec![branch, tensor] } else { vec![tensor, branch] };
        self.push(Operator::Concatenate { axis }, inputs, shape)
    }

    fn positionwise(&mut self, tensor: TensorId) -> TensorId {
        let mut shape = self.shape(tensor);
        let (inputs, outputs) = (shape.channels(), self.random.usize(1..6));
        let weights = Weights::F32(self.numbers(inputs * outputs, 0.7));
        let (bias, activation) = (self.bias(outputs), self.activation());
        *shape.0.last_mut().unwrap() = outputs;
        self.push(Operator::PositionwiseDense { weights, bias, activation }, vec![tensor], shape)
    }

    /// Any function of one number.
    fn function(&mut self, tensor: TensorId) -> TensorId {
        let slope = self.random.f32();
        let function = [
            Function::Clamp { least: -slope, greatest: 1.0 },
            Function::LeakyRelu { slope },
            Function::ThresholdRelu { slope, threshold: 0.25, greatest: 2.0 },
            Function::Elu { alpha: 1.0 + slope },
            Function::Selu,
            Function::Gelu,
            Function::GeluTanh,
            Function::Silu,
            Function::HardSigmoid { slope: 0.2 },
            Function::HardSwish,
            Function::Tanh,
            Function::Softplus,
        ][self.random.usize(0..12)];
        let shape = self.shape(tensor);
        self.push(Operator::Activation(function), vec![tensor], shape)
    }

    /// A function of two numbers, whose other operand is repeated along some axes.
    fn with_constant(&mut self, tensor: TensorId) -> TensorId {
        let function = self.pair_function();
        let shape = self.shape(tensor);
        let extents: Vec<usize> = shape.0.iter().map(|&extent| if self.random.bool() { extent } else { 1 }).collect();
        let numbers = Numbers::F32(self.numbers(extents.iter().product(), 2.0));
        let first = function != PairFunction::Prelu && self.random.bool();
        let constant = Some(Constant { shape: Shape(extents), numbers, first });
        let activation = self.activation();
        self.push(Operator::Pairwise { function, constant, activation }, vec![tensor], shape)
    }

    /// A function of two numbers, whose other operand is a mean over all places or over some axes.
    fn repeated(&mut self, tensor: TensorId) -> TensorId {
        let function = self.pair_function();
        let shape = self.shape(tensor);
        let (operator, extents) = if self.random.bool() {
            let extents = [vec![1; shape.0.len() - 1], vec![shape.channels()]].concat();
            (Operator::GlobalAveragePool { keep_dims: true }, extents)
        } else {
            let mut window = Window::POINT;
            let mut extents = shape.0.clone();
            for (axis, extent) in extents.iter_mut().enumerate().take(shape.0.len() - 1) {
                if self.random.bool() {
                    (window.size[axis], *extent) = (*extent, 1);
                }
            }
            (Operator::AveragePool { window }, extents)
        };
        let mean = self.push(operator, vec![tensor], Shape(extents));
        let inputs = if self.random.bool() { vec![mean, tensor] } else { vec![tensor, mean] };
        let activation = self.activation();
        self.push(Operator::Pairwise { function, constant: None, activation }, inputs, shape)
    }

    fn pair_function(&mut self) -> PairFunction {
        [
            PairFunction::Add,
            PairFunction::Subtract,
            PairFunction::Multiply,
            PairFunction::Maximum,
            PairFunction::Minimum,
            PairFunction::Prelu,
        ][self.random.usize(0..6)]
    }

    fn window_fits(&self, window: &Window, to: &Shape, from: &Shape) -> bool {
        let spatial = from.0.len() - 1;
        (0..spatial).all(|axis| window.outputs(axis, from.0[axis]) == to.0[axis])
    }

    /// Perhaps a classifier's end.
    fn head(&mut self, tensor: TensorId) -> TensorId {
        let shape = self.shape(tensor);
        let mut flat = match self.random.u8(0..4) {
            0 => return tensor,
            1 => self.push(Operator::Flatten, vec![tensor], Shape(vec![shape.elements()])),
            keep => {
                let keep_dims = keep == 2;
                let extents = if keep_dims {
                    [vec![1; shape.0.len() - 1], vec![shape.channels()]].concat()
                } else {
                    vec![shape.channels()]
                };
                let largest = self.random.bool();
                let operator = match largest {
                    true => Operator::GlobalMaxPool { keep_dims },
                    false => Operator::GlobalAveragePool { keep_dims },
                };
                let pooled = self.push(operator, vec![tensor], Shape(extents));
                self.push(Operator::Flatten, vec![pooled], Shape(vec![shape.channels()]))
            }
        };
        if self.random.bool() {
            flat = self.batch_norm(flat);
        }
        if self.random.u8(0..4) > 0 {
            let (inputs, outputs) = (self.shape(flat).elements(), self.random.usize(1..6));
            let weights = Weights::F32(self.numbers(inputs * outputs, 0.5));
            let (bias, activation) = (self.bias(outputs), self.activation());
            flat = self.push(Operator::Dense { weights, bias, activation }, vec![flat], Shape(vec![outputs]));
        }
        let shape = self.shape(flat);
        match self.random.u8(0..3) {
            0 => self.push(Operator::Softmax, vec![flat], shape),
            1 => self.push(Operator::Activation(Function::Sigmoid), vec![flat], shape),
            _ => self.batch_norm(flat),
        }
    }
}
