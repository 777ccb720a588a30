//! The course's Xception at its full size: 180x180 pixels, blocks of 128, 256, 512 and 728 channels, 1,024 at the end.
//! Weights and ranges are made up; what is tested holds whatever they are.

use microception_codegen::graph::{
    Bias, Element, Function, Graph, Operator, Padding, Shape, TensorId, Weights, Window,
};
use microception_codegen::optimize::{Optimize, lowered};
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::quantize::{Ranges, quantize};

/// Multiply-accumulates of the network, by hand.
const MACS: u64 = {
    let stem = 90 * 90 * (9 * 3 * 32 + 9 * 32 * 64);
    // Extent of a block's input, channels before it and in it.
    let blocks: [[u64; 3]; 4] = [[90, 64, 128], [45, 128, 256], [23, 256, 512], [12, 512, 728]];
    let mut sum = stem;
    let mut index = 0;
    while index < blocks.len() {
        let [extent, before, channels] = blocks[index];
        let pooled = extent.div_ceil(2);
        let separable = 9 * before + before * channels + 9 * channels + channels * channels;
        sum += extent * extent * separable + pooled * pooled * before * channels;
        index += 1;
    }
    sum + 6 * 6 * (9 * 728 + 728 * 1024) + 1024 * 10
};

/// Elements alive at once with whole tensors in the best order of layers: a block's 90x90x128 twice, and beside them the
/// residual's 45x45x128.
const WHOLE: usize = 90 * 90 * 128 * 2 + 45 * 45 * 128;

struct Builder {
    graph: Graph,
    random: fastrand::Rng,
}

impl Builder {
    fn push(&mut self, name: String, operator: Operator, inputs: &[TensorId]) -> TensorId {
        self.graph.push(name, operator, inputs.to_vec(), Shape(vec![]))
    }

    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.random.f32() - 0.5).collect()
    }

    /// A convolution with a bias, as a batch normalization leaves it.
    fn convolution(&mut self, name: &str, input: TensorId, [before, after]: [usize; 2], window: Window) -> TensorId {
        let weights = Weights::F32(self.numbers(after * window.size[0] * window.size[1] * before));
        let bias = Some(Bias::F32(self.numbers(after)));
        self.push(name.to_owned(), Operator::Convolution { weights, bias, window, activation: None }, &[input])
    }

    fn separable(&mut self, name: &str, input: TensorId, [before, after]: [usize; 2]) -> TensorId {
        let weights = Weights::F32(self.numbers(9 * before));
        let depthwise =
            Operator::Depthwise { weights, bias: None, window: same(3, 1), multiplier: 1, activation: None };
        let depthwise = self.push(format!("{name}/depthwise"), depthwise, &[input]);
        self.convolution(&format!("{name}/pointwise"), depthwise, [before, after], Window::POINT)
    }

    fn relu(&mut self, name: &str, input: TensorId) -> TensorId {
        self.push(format!("{name}/relu"), Operator::Activation(Function::Relu), &[input])
    }
}

fn same(size: usize, stride: usize) -> Window {
    Window { size: [size; 2], stride: [stride; 2], padding: Padding::Same, ..Window::POINT }
}

fn network() -> Graph {
    let mut builder = Builder { graph: Graph::new("xception"), random: fastrand::Rng::with_seed(1) };
    let input = Operator::Input { element: Element::U8, scale: 1.0 / 255.0, offset: 0.0 };
    let mut tensor = builder.push("image".to_owned(), input, &[]);
    for (name, channels, stride) in [("stem_1", [3, 32], 2), ("stem_2", [32, 64], 1)] {
        tensor = builder.convolution(name, tensor, channels, same(3, stride));
        tensor = builder.relu(name, tensor);
    }
    let mut before = 64;
    for channels in [128, 256, 512, 728] {
        let shortcut = tensor;
        for (half, before) in [(1, before), (2, channels)] {
            let name = format!("block_{channels}_{half}");
            tensor = builder.relu(&name, tensor);
            tensor = builder.separable(&name, tensor, [before, channels]);
        }
        let name = format!("block_{channels}");
        tensor = builder.push(format!("{name}/pool"), Operator::MaxPool { window: same(3, 2) }, &[tensor]);
        let residual = builder.convolution(&format!("{name}/residual"), shortcut, [before, channels], same(1, 2));
        tensor = builder.push(format!("{name}/add"), Operator::add(None), &[tensor, residual]);
        before = channels;
    }
    tensor = builder.separable("last", tensor, [before, 1024]);
    tensor = builder.relu("last", tensor);
    tensor = builder.push("mean".to_owned(), Operator::GlobalAveragePool { keep_dims: false }, &[tensor]);
    let weights = Weights::F32(builder.numbers(1024 * 10));
    let bias = Some(Bias::F32(builder.numbers(10)));
    tensor = builder.push("classes".to_owned(), Operator::Dense { weights, bias, activation: None }, &[tensor]);
    tensor = builder.push("softmax".to_owned(), Operator::Softmax, &[tensor]);
    let mut graph = builder.graph;
    graph.outputs = vec![tensor];
    graph.tensors[0].shape = Shape(vec![180, 180, 3]);
    passes::run(graph).expect("passes")
}

#[test]
fn the_full_xception_fits_a_microcontroller_by_rows() {
    let graph = network();
    assert_eq!(graph.layers.iter().map(|layer| graph.macs(layer)).sum::<u64>(), MACS);
    let names = graph.tensors.iter().map(|tensor| (tensor.name.clone(), serde_json::json!([-4.0, 4.0])));
    let ranges = serde_json::json!({ "ranges": names.collect::<serde_json::Map<_, _>>() });
    let int8 = quantize(&graph, &Ranges::from_json(&ranges.to_string()).expect("ranges")).expect("quantized");
    for (graph, bytes) in [(&graph, 4), (&int8, 1)] {
        let plan = lowered(graph, Strategy::Smallest).expect("a plan").plan;
        let (arena, alive) = (plan.arena_bytes, plan.floor_bytes);
        assert!(arena * 7 < WHOLE * bytes, "{arena} bytes");
        // Addresses take an eighth more at most than what is alive at once: rows that are written over others live long.
        assert!(arena <= alive + alive / 8, "{arena} of {alive}");
    }
    // Winograd's weights fit as well.
    assert_eq!(lowered(&int8, Optimize::Speed).expect("a plan").kernels.len(), int8.layers.len());
}
