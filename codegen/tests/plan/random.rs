//! Random graphs, the same for the same seed on every machine.

use microception_codegen::graph::{
    Axis, Bias, Constant, Element, Function, Graph, Layer, Linear, Nearest, Numbers, Operator, Padding, PairFunction,
    Quantization, Shape, TensorId, Weights, Window,
};

use crate::demand::window_outputs;

/// What is given, then Marsaglia's xorshift with a multiplied output: plenty for choosing shapes.
struct Random<'a> {
    given: &'a [u8],
    state: u64,
}

impl<'a> Random<'a> {
    fn new(given: &'a [u8], seed: u64) -> Random<'a> {
        // A first state far from those of neighbouring seeds, and never zero.
        Random { given, state: (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn next(&mut self) -> u64 {
        if let Some((&first, rest)) = self.given.split_first() {
            self.given = rest;
            return first.into();
        }
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    /// A number from `low` to `high`, both included.
    fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.next() as usize % (high - low + 1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.within(1, 100) <= percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.within(0, from.len() - 1)]
    }
}

struct Builder<'a> {
    graph: Graph,
    random: Random<'a>,
}

/// A graph of about `size` layers or blocks of layers.
pub fn graph(seed: u64, size: usize) -> Graph {
    chosen(&[], seed, size)
}

/// As [`graph`], where `given` are the first choices.
pub fn chosen(given: &[u8], seed: u64, size: usize) -> Graph {
    let mut random = Random::new(given, seed);
    let height = match random.within(0, 9) {
        0 => random.within(1, 2),
        1..=5 => random.within(3, 17),
        // More than three times the largest window: 5 taps, 2 apart.
        _ => random.within(18, 41),
    };
    let mut shape = vec![height, random.within(1, 6), random.within(1, 4)];
    if random.chance(15) {
        // A time series: no width.
        shape.remove(1);
    }
    let mut builder = Builder { graph: Graph::new(format!("random {seed}")), random };
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let mut current = builder.push(input.clone(), vec![], shape.clone());
    // More inputs and outputs have choices of their own.
    let mut ends = Random::new(&[], seed + (1 << 32));
    let mut second = ends.chance(30).then(|| {
        let shape =
            if ends.chance(70) { shape } else { vec![ends.within(1, 20), ends.within(1, 6), ends.within(1, 4)] };
        builder.push(input, vec![], shape)
    });
    for _ in 0..builder.random.within(1, size) {
        if let Some(other) = second.filter(|&other| builder.shape(other) == builder.shape(current) && ends.chance(40)) {
            current = builder.sum(current, other);
            second = None;
        }
        current = builder.block(current);
    }
    let mut outputs = vec![builder.tail(current)];
    if let Some(mut other) = second {
        for _ in 0..ends.within(0, 2) {
            other = builder.block(other);
        }
        if builder.shape(outputs[0]) == builder.shape(other) {
            outputs[0] = builder.sum(outputs[0], other);
        } else {
            outputs.push(builder.tail(other));
        }
    }
    if ends.chance(25) {
        outputs.push(TensorId(ends.within(0, builder.graph.tensors.len() - 1)));
    }
    let Builder { graph, mut random } = builder;
    let mut graph = reachable(&graph, &outputs);
    if random.chance(60) {
        for tensor in &mut graph.tensors {
            tensor.element = Element::I8;
            tensor.quantization = Some(Quantization { scale: 1.0, zero_point: 0 });
        }
        let int4 = random.chance(30);
        graph.layers.iter_mut().for_each(|layer| quantize(layer, int4));
    }
    graph
}

/// Gives convolutions weights in int8 or int4, which other kernels than f32's take, and constants numbers of their operand's
/// kind.
fn quantize(layer: &mut Layer, int4: bool) {
    match &mut layer.operator {
        Operator::Convolution { weights, bias, window, .. } | Operator::Depthwise { weights, bias, window, .. } => {
            let taps = window.size[0] * window.size[1];
            let channels = bias.as_ref().map_or(weights.len() / taps, Bias::len);
            let (values, scales) = (vec![0; weights.len()], vec![1.0 / 256.0; channels]);
            *weights = if int4 { Weights::I4 { values, scales } } else { Weights::I8 { values, scales } };
            *bias = bias.as_ref().map(|bias| Bias::I32(vec![0; bias.len()]));
        }
        Operator::Pairwise { constant: Some(constant), .. } => {
            let values = vec![0; constant.shape.elements()];
            constant.numbers = Numbers::I8 { values, quantization: Quantization { scale: 1.0, zero_point: 0 } };
        }
        _ => {}
    }
}

impl Builder<'_> {
    fn push(&mut self, operator: Operator, inputs: Vec<TensorId>, shape: Vec<usize>) -> TensorId {
        let name = format!("{}_{}", operator.name(), self.graph.layers.len());
        self.graph.push(name, operator, inputs, Shape(shape))
    }

    fn sum(&mut self, first: TensorId, second: TensorId) -> TensorId {
        let operator = Operator::Pairwise { function: PairFunction::Add, constant: None, activation: None };
        let shape = self.shape(first);
        self.push(operator, vec![first, second], shape)
    }

    fn shape(&self, tensor: TensorId) -> Vec<usize> {
        self.graph.tensor(tensor).shape.0.clone()
    }

    fn activation(&mut self) -> Option<Function> {
        self.random.pick(&[None, Some(Function::Relu), Some(Function::Relu6)])
    }

    /// A window that fits a tensor of `shape`, with pools' dilation of 1 unless `dilated`.
    fn window(&mut self, shape: &[usize], dilated: bool) -> Window {
        let random = &mut self.random;
        let stride = random.pick(&[1, 1, 1, 2, 2, 3]);
        let mut window = Window {
            size: [random.within(1, 5), random.within(1, 5)],
            stride: [stride, stride],
            dilation: [1, 1],
            padding: random.pick(&[Padding::Same, Padding::Same, Padding::Valid]),
            depth: None,
        };
        if random.chance(50) {
            window.size[1] = window.size[0];
        }
        if random.chance(10) {
            window.stride[1] = random.within(1, 3);
        }
        if dilated && random.chance(20) {
            window.dilation = [random.within(1, 2), random.within(1, 2)];
        }
        if random.chance(10) {
            let mut places = || [random.within(0, 3), random.within(0, 3)];
            window.padding = Padding::Explicit { before: places(), after: places() };
        }
        if let Padding::Explicit { before, after } = &mut window.padding {
            // A pool has no mean of nothing.
            if !dilated || window.size == [1, 1] {
                window.padding = Padding::Same;
            } else if shape.len() < 3 {
                (before[1], after[1]) = (0, 0);
            }
        }
        if shape.len() < 3 {
            (window.size[1], window.stride[1], window.dilation[1]) = (1, 1, 1);
        }
        if (0..shape.len() - 1).any(|axis| window_outputs(&window, axis, shape[axis]) == 0) {
            window.padding = Padding::Same;
        }
        window
    }

    fn convolution(&mut self, input: TensorId, window: Window, channels: usize) -> TensorId {
        let shape = self.shape(input);
        let [vertical, horizontal] = window.size;
        let operator = Operator::Convolution {
            weights: zeros(channels * vertical * horizontal * shape[shape.len() - 1]),
            bias: Some(Bias::F32(vec![0.0; channels])),
            window,
            activation: self.activation(),
        };
        self.push(operator, vec![input], sliding(&shape, &window, channels))
    }

    fn depthwise(&mut self, input: TensorId, window: Window) -> TensorId {
        let shape = self.shape(input);
        let multiplier = if self.random.chance(20) { 2 } else { 1 };
        let channels = shape[shape.len() - 1] * multiplier;
        let operator = Operator::Depthwise {
            weights: zeros(window.size[0] * window.size[1] * channels),
            bias: None,
            window,
            multiplier,
            activation: self.activation(),
        };
        self.push(operator, vec![input], sliding(&shape, &window, channels))
    }

    fn pool(&mut self, input: TensorId, window: Window) -> TensorId {
        let shape = self.shape(input);
        let operator =
            if self.random.chance(60) { Operator::MaxPool { window } } else { Operator::AveragePool { window } };
        let channels = shape[shape.len() - 1];
        self.push(operator, vec![input], sliding(&shape, &window, channels))
    }

    /// A pool of largest values, some windows of which hold nothing but padding.
    fn pool_with_padding(&mut self, input: TensorId) -> TensorId {
        let shape = self.shape(input);
        let mut window = Window { padding: Padding::Valid, ..self.window(&shape, false) };
        let is_flat = shape.len() < 3;
        let mut places = || [self.random.within(0, 9), if is_flat { 0 } else { self.random.within(0, 9) }];
        let padded = Window { padding: Padding::Explicit { before: places(), after: places() }, ..window };
        let fits = (0..shape.len() - 1).all(|axis| window_outputs(&padded, axis, shape[axis]) > 0);
        window.padding = if fits { padded.padding } else { Padding::Same };
        let channels = shape[shape.len() - 1];
        self.push(Operator::MaxPool { window }, vec![input], sliding(&shape, &window, channels))
    }

    fn add(&mut self, left: TensorId, right: TensorId) -> TensorId {
        let activation = self.activation();
        self.push(Operator::add(activation), vec![left, right], self.shape(left))
    }

    /// Often whole words of bytes.
    fn channels(&mut self) -> usize {
        if self.random.chance(40) { 4 } else { self.random.within(1, 6) }
    }

    /// One layer, or a residual block.
    fn block(&mut self, input: TensorId) -> TensorId {
        let shape = self.shape(input);
        // What makes tensors larger is for small ones.
        let last = if shape.iter().product::<usize>() > 150 { 13 } else { 17 };
        match self.random.within(0, last) {
            14 => self.pad(input),
            15 => self.concatenate(input),
            16 => self.reshape(input),
            17 => self.resize(input),
            12 => self.repeated(input),
            13 => self.constant(input),
            0 | 1 => {
                let (window, channels) = (self.window(&shape, true), self.channels());
                self.convolution(input, window, channels)
            }
            2 => {
                let channels = self.channels();
                self.convolution(input, Window::POINT, channels)
            }
            3 => {
                let window = self.window(&shape, true);
                self.depthwise(input, window)
            }
            4 => {
                let (window, channels) = (self.window(&shape, true), self.channels());
                let filtered = self.depthwise(input, window);
                self.convolution(filtered, Window::POINT, channels)
            }
            5 if self.random.chance(20) => self.pool_with_padding(input),
            5 => {
                let window = self.window(&shape, false);
                self.pool(input, window)
            }
            6 => self.push(Operator::Activation(Function::Relu), vec![input], shape),
            7 => self.push(Operator::Softmax, vec![input], shape),
            8 => self.add_of_equals(input),
            9 => self.chain_of_additions(input),
            _ => self.residual(input),
        }
    }

    /// The sum with any tensor of the same shape: often one from far before, and at times itself.
    fn add_of_equals(&mut self, input: TensorId) -> TensorId {
        let shape = self.shape(input);
        let equals: Vec<TensorId> =
            (0..self.graph.tensors.len()).map(TensorId).filter(|&other| self.shape(other) == shape).collect();
        let other = self.random.pick(&equals);
        if self.random.chance(50) { self.add(input, other) } else { self.add(other, input) }
    }

    fn pad(&mut self, input: TensorId) -> TensorId {
        let mut shape = self.shape(input);
        let mut around = [[0; 4]; 2];
        for axis in [Axis::Rows, Axis::Columns, Axis::Channels] {
            let Some(place) = axis.place(&Shape(shape.clone())) else { continue };
            for around in &mut around {
                around[axis as usize] = self.random.pick(&[0, 0, 1, 2, 3]);
                shape[place] += around[axis as usize];
            }
        }
        let [before, after] = around;
        self.push(Operator::Pad { before, after, value: 0.0 }, vec![input], shape)
    }

    /// Behind a tensor that differs along one axis at most: often itself.
    fn concatenate(&mut self, input: TensorId) -> TensorId {
        let mut shape = self.shape(input);
        let axis = self.random.pick(&[Axis::Rows, Axis::Rows, Axis::Columns, Axis::Channels]);
        let Some(place) = axis.place(&Shape(shape.clone())).filter(|&place| shape[place] < 40) else { return input };
        let alike = |other: &[usize]| {
            other.len() == shape.len() && (0..shape.len()).all(|axis| axis == place || other[axis] == shape[axis])
        };
        let others: Vec<TensorId> =
            (0..self.graph.tensors.len()).map(TensorId).filter(|&other| alike(&self.shape(other))).collect();
        let other = self.random.pick(&others);
        shape[place] += self.shape(other)[place];
        let inputs = if self.random.chance(50) { vec![input, other] } else { vec![other, input] };
        self.push(Operator::Concatenate { axis }, inputs, shape)
    }

    /// The elements as a series or a picture of some other extents.
    fn reshape(&mut self, input: TensorId) -> TensorId {
        let elements: usize = self.shape(input).iter().product();
        let divisors =
            |number: usize| (1..=number.min(60)).filter(|divisor| number.is_multiple_of(*divisor)).collect::<Vec<_>>();
        let rows = self.random.pick(&divisors(elements));
        let width = self.random.pick(&divisors(elements / rows));
        let channels = elements / rows / width;
        let shape = if self.random.chance(30) { vec![rows, width * channels] } else { vec![rows, width, channels] };
        self.push(Operator::Reshape { shape: Shape(shape.clone()) }, vec![input], shape)
    }

    /// Rows and columns repeated, or every other left out.
    fn resize(&mut self, input: TensorId) -> TensorId {
        let shape = self.shape(input);
        let [height, width, channels] = shape[..] else { return input };
        let resized = |extent: usize, random: &mut Random| match random.within(0, 2) {
            0 if extent.is_multiple_of(2) => extent / 2,
            1 => extent,
            _ => extent * 2,
        };
        let size = [resized(height, &mut self.random), 1, resized(width, &mut self.random)];
        let half_pixel_centers = self.random.chance(50);
        if self.random.chance(50) {
            let linear = Linear { align_corners: false, half_pixel_centers };
            let operator = Operator::ResizeBilinear { size: [size[0], size[2]], linear };
            return self.push(operator, vec![input], vec![size[0], size[2], channels]);
        }
        let nearest = Nearest { align_corners: false, half_pixel_centers };
        self.push(Operator::ResizeNearest { size, nearest }, vec![input], vec![size[0], size[2], channels])
    }

    /// A product with what has one row, one column or one place for all, as in squeeze-and-excite.
    fn repeated(&mut self, input: TensorId) -> TensorId {
        let shape = self.shape(input);
        let channels = shape[shape.len() - 1];
        let small = if self.random.chance(60) {
            let keep_dims = self.random.chance(50);
            let mut extents = if keep_dims { vec![1; shape.len() - 1] } else { Vec::new() };
            extents.push(channels);
            let mean = self.push(Operator::GlobalAveragePool { keep_dims }, vec![input], extents);
            if keep_dims { self.convolution(mean, Window::POINT, channels) } else { self.dense_to(mean, channels) }
        } else {
            // All rows, or all columns.
            let mut size = [shape[0], 1];
            if shape.len() == 3 && self.random.chance(50) {
                size = [1, shape[1]];
            }
            self.pool(input, Window { size, ..Window::POINT })
        };
        let function = self.random.pick(&[PairFunction::Multiply, PairFunction::Subtract, PairFunction::Maximum]);
        let inputs = if self.random.chance(50) { vec![input, small] } else { vec![small, input] };
        self.push(Operator::Pairwise { function, constant: None, activation: None }, inputs, shape)
    }

    /// A difference with a constant, one for each row or for all.
    fn constant(&mut self, input: TensorId) -> TensorId {
        let shape = self.shape(input);
        let mut extents = shape.clone();
        if self.random.chance(50) {
            extents[0] = 1;
        }
        let numbers = Numbers::F32(vec![0.0; extents.iter().product()]);
        let constant = Some(Constant { shape: Shape(extents), numbers, first: self.random.chance(50) });
        let operator = Operator::Pairwise { function: PairFunction::Subtract, constant, activation: self.activation() };
        self.push(operator, vec![input], shape)
    }

    /// Several sums over tensors that all stay alive.
    fn chain_of_additions(&mut self, input: TensorId) -> TensorId {
        let channels = *self.shape(input).last().expect("a shape has extents");
        let mut sum = input;
        for _ in 0..self.random.within(1, 3) {
            let branch = self.same(input, 1, channels);
            sum = self.add(sum, branch);
        }
        sum
    }

    /// A layer with same padding, whose places the stride alone decides.
    fn same(&mut self, input: TensorId, stride: usize, channels: usize) -> TensorId {
        let shape = self.shape(input);
        let mut window = self.window(&shape, stride == 1);
        window.padding = Padding::Same;
        window.stride = if shape.len() < 3 { [stride, 1] } else { [stride, stride] };
        let unchanged = channels == shape[shape.len() - 1];
        match self.random.within(0, 2) {
            0 if unchanged => {
                window.dilation = [1, 1];
                self.pool(input, window)
            }
            1 => {
                let filtered = self.depthwise(input, window);
                self.convolution(filtered, Window::POINT, channels)
            }
            _ => self.convolution(input, window, channels),
        }
    }

    /// Two branches of unequal depth that are added, as in Xception: a chain that ends in a
    /// strided layer, and a strided pointwise convolution or nothing.
    fn residual(&mut self, input: TensorId) -> TensorId {
        let shape = self.shape(input);
        let stride = self.random.pick(&[1, 2, 2, 3]);
        let plain = stride == 1 && self.random.chance(50);
        let channels = if plain { shape[shape.len() - 1] } else { self.channels() };
        let mut branch = input;
        for _ in 0..self.random.within(0, 3) {
            branch = self.same(branch, 1, channels);
        }
        branch = self.same(branch, stride, channels);
        let shortcut = if plain {
            input
        } else {
            let stride = if shape.len() < 3 { [stride, 1] } else { [stride, stride] };
            self.convolution(input, Window { stride, padding: Padding::Same, ..Window::POINT }, channels)
        };
        if self.random.chance(50) { self.add(branch, shortcut) } else { self.add(shortcut, branch) }
    }

    fn dense(&mut self, input: TensorId) -> TensorId {
        let units = self.random.within(1, 7);
        self.dense_to(input, units)
    }

    fn dense_to(&mut self, input: TensorId, units: usize) -> TensorId {
        let elements: usize = self.shape(input).iter().product();
        let operator = Operator::Dense { weights: zeros(units * elements), bias: None, activation: self.activation() };
        self.push(operator, vec![input], vec![units])
    }

    /// How the model ends: with rows, or with one flat answer.
    fn tail(&mut self, input: TensorId) -> TensorId {
        let shape = self.shape(input);
        let channels = shape[shape.len() - 1];
        match self.random.within(0, 7) {
            0 | 1 => {
                let mean = self.push(Operator::GlobalAveragePool { keep_dims: false }, vec![input], vec![channels]);
                let scores = self.dense(mean);
                let shape = self.shape(scores);
                self.push(Operator::Softmax, vec![scores], shape)
            }
            2 => self.push(Operator::GlobalAveragePool { keep_dims: false }, vec![input], vec![channels]),
            5 if self.random.chance(50) => {
                self.push(Operator::GlobalMaxPool { keep_dims: false }, vec![input], vec![channels])
            }
            // Over all rows, whose Flatten a pass has taken away.
            3 => self.dense(input),
            4 => {
                let flat = self.push(Operator::Flatten, vec![input], vec![shape.iter().product()]);
                self.dense(flat)
            }
            _ => input,
        }
    }
}

fn zeros(count: usize) -> Weights {
    Weights::F32(vec![0.0; count])
}

fn sliding(shape: &[usize], window: &Window, channels: usize) -> Vec<usize> {
    let places = shape[..shape.len() - 1].iter().enumerate();
    places.map(|(axis, &places)| window_outputs(window, axis, places)).chain([channels]).collect()
}

/// The layers that `outputs` depend on, and the inputs.
fn reachable(graph: &Graph, outputs: &[TensorId]) -> Graph {
    let mut wanted = vec![false; graph.tensors.len()];
    outputs.iter().for_each(|output| wanted[output.0] = true);
    graph.inputs().iter().for_each(|input| wanted[input.output.0] = true);
    for layer in graph.layers.iter().rev() {
        if wanted[layer.output.0] {
            layer.inputs.iter().for_each(|input| wanted[input.0] = true);
        }
    }
    let mut kept = Graph::new(graph.name.clone());
    let mut renamed = vec![TensorId(0); graph.tensors.len()];
    for layer in graph.layers.iter().filter(|layer| wanted[layer.output.0]) {
        let inputs = layer.inputs.iter().map(|input| renamed[input.0]).collect();
        let shape = graph.tensor(layer.output).shape.clone();
        renamed[layer.output.0] = kept.push(layer.name.clone(), layer.operator.clone(), inputs, shape);
    }
    kept.outputs = outputs.iter().map(|output| renamed[output.0]).collect();
    kept
}
