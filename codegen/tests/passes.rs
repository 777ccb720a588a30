//! The passes: each where it must apply and where it must not, and on random graphs that none of
//! them changes what the model computes.

mod common;

use common::{naive, random_graph};
use microception_codegen::error::Error;
use microception_codegen::graph::{
    Bias, Element, Function, Graph, Operator, Padding, Quantization, Shape, TensorId, Weights, Window,
};
use microception_codegen::passes::{self, PASSES};

const SAME3: Window = Window { size: [3, 3], padding: Padding::Same, ..Window::POINT };
const VALID3: Window = Window { padding: Padding::Valid, ..SAME3 };
const POOL2: Window = Window { size: [2, 2], stride: [2, 2], ..Window::POINT };

/// Builds a chain, or anything else by keeping the ids.
struct Builder(Graph);

impl Builder {
    fn new(extents: &[usize]) -> (Builder, TensorId) {
        let mut builder = Builder(Graph::new("test"));
        let operator = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
        let input = builder.0.push("input", operator, vec![], Shape(extents.to_vec()));
        (builder, input)
    }

    fn layer(&mut self, name: &str, operator: Operator, inputs: &[TensorId]) -> TensorId {
        self.0.push(name, operator, inputs.to_vec(), Shape(vec![]))
    }

    fn finish(mut self, outputs: &[TensorId]) -> Graph {
        self.0.outputs = outputs.to_vec();
        self.0
    }
}

/// Weights that are all different.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7 + 3) % 11) as f32 * 0.25 - 1.0).collect()
}

fn conv(window: Window, inputs: usize, outputs: usize) -> Operator {
    let weights = Weights::F32(numbers(window.size[0] * window.size[1] * inputs * outputs));
    Operator::Convolution { weights, bias: None, window, activation: None }
}

fn depthwise(window: Window, channels: usize, multiplier: usize) -> Operator {
    let weights = Weights::F32(numbers(window.size[0] * window.size[1] * channels * multiplier));
    Operator::Depthwise { weights, bias: None, window, multiplier, activation: None }
}

fn dense(inputs: usize, outputs: usize) -> Operator {
    Operator::Dense { weights: Weights::F32(numbers(inputs * outputs)), bias: None, activation: None }
}

fn scale_shift(scale: &[f32], shift: &[f32]) -> Operator {
    Operator::ScaleShift { scale: scale.to_vec(), shift: shift.to_vec() }
}

fn relu() -> Operator {
    Operator::Activation(Function::Relu)
}

/// The passes' result, proven to compute the same.
fn run(graph: Graph) -> Graph {
    let after = passes::run(graph.clone()).unwrap();
    same_results(&graph, &after, 1).unwrap();
    after
}

fn same_results(before: &Graph, after: &Graph, seed: u64) -> Result<(), String> {
    let caller = random_graph::pixels(before, seed);
    let (expected, actual) = (naive::outputs(before, &caller), naive::outputs(after, &caller));
    assert_eq!(expected.len(), actual.len());
    expected.iter().zip(&actual).try_for_each(|(expected, actual)| naive::agree(expected, actual, 1e-4))
}

fn kinds(graph: &Graph) -> Vec<&'static str> {
    graph.layers.iter().map(|layer| layer.operator.name()).collect()
}

fn names(graph: &Graph) -> Vec<&str> {
    graph.layers.iter().map(|layer| layer.name.as_str()).collect()
}

fn activation(graph: &Graph, layer: &str) -> Option<Function> {
    let mut layer = graph.layers.iter().find(|candidate| candidate.name == layer).unwrap().clone();
    *layer.operator.activation_mut().unwrap()
}

fn reason(graph: Graph) -> Error {
    passes::run(graph).unwrap_err()
}

#[test]
fn every_pass_has_a_reason() {
    assert!(PASSES.iter().all(|pass| !pass.reason.is_empty()));
}

#[test]
fn random_graphs_compute_the_same_after_the_passes() {
    let mut kinds_seen = std::collections::BTreeSet::new();
    for seed in 0..600 {
        let before = random_graph::graph(seed);
        let after = passes::run(before.clone()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        same_results(&before, &after, seed)
            .unwrap_or_else(|difference| panic!("seed {seed}: {difference}\n{before:#?}"));
        after.check().unwrap();
        let caller = random_graph::pixels(&before, seed);
        for (layer, image) in after.layers.iter().zip(naive::run(&after, &caller)) {
            let tensor = after.tensor(layer.output);
            assert_eq!(tensor.shape.elements(), image.values.len(), "seed {seed}: {}", layer.name);
            assert_eq!(tensor.shape.channels(), image.channels, "seed {seed}: {}", layer.name);
            assert_eq!(tensor.name, layer.name);
            kinds_seen.insert(layer.operator.name());
        }
        assert!(after.layers.len() <= before.layers.len());
    }
    assert!(!kinds_seen.contains("scale_shift") && !kinds_seen.contains("identity"));
    assert_eq!(kinds_seen.len(), 26, "some operator was never drawn: {kinds_seen:?}");
}

#[test]
fn running_the_passes_again_changes_nothing() {
    for seed in 0..100 {
        let once = passes::run(random_graph::graph(seed)).unwrap();
        assert_eq!(passes::run(once.clone()).unwrap(), once, "seed {seed}");
    }
}

#[test]
fn identities_vanish_for_readers_and_outputs() {
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let dropped = builder.layer("dropout", Operator::Identity, &[input]);
    let convolved = builder.layer("conv", conv(SAME3, 2, 3), &[dropped]);
    let neutral = builder.layer("neutral", scale_shift(&[1.0; 3], &[0.0; 3]), &[convolved]);
    let last = builder.layer("last", Operator::Identity, &[neutral]);
    assert_eq!(names(&run(builder.finish(&[last]))), ["input", "conv"]);
}

#[test]
fn layers_without_a_reader_are_dropped() {
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let convolved = builder.layer("conv", conv(SAME3, 2, 2), &[input]);
    let unread = builder.layer("unread", conv(SAME3, 2, 2), &[convolved]);
    builder.layer("unread too", relu(), &[unread]);
    let normed = builder.layer("norm", scale_shift(&[2.0, 3.0], &[0.5, 0.0]), &[convolved]);
    // folds, for the unread layers are no readers
    assert_eq!(names(&run(builder.finish(&[normed]))), ["input", "conv"]);
}

#[test]
fn a_depthwise_layer_of_one_channel_is_a_convolution() {
    let chain = |channels: usize| {
        let (mut builder, input) = Builder::new(&[5, 6, channels]);
        let window = Window { size: [3, 2], stride: [2, 1], ..SAME3 };
        let made = builder.layer("depthwise", depthwise(window, channels, 3), &[input]);
        let kinds = kinds(&run(builder.finish(&[made])));
        kinds[1]
    };
    assert_eq!([chain(1), chain(2)], ["conv", "depthwise"]);
}

#[test]
fn a_rescaling_goes_into_the_input() {
    let (mut builder, input) = Builder::new(&[5, 5, 3]);
    let scaled = builder.layer("rescaling", scale_shift(&[1.0 / 127.5; 3], &[-1.0; 3]), &[input]);
    let convolved = builder.layer("conv", conv(SAME3, 3, 2), &[scaled]);
    let graph = run(builder.finish(&[convolved]));
    assert_eq!(graph.layers[0].operator, Operator::Input { element: Element::U8, scale: 1.0 / 127.5, offset: -1.0 });
    assert_eq!(graph.tensors[0].element, Element::F32);
    assert_eq!(kinds(&graph), ["input", "conv"]);
}

#[test]
fn two_rescalings_go_into_the_input() {
    let (mut builder, input) = Builder::new(&[5, 5, 3]);
    let first = builder.layer("first", scale_shift(&[1.0 / 255.0; 3], &[0.0; 3]), &[input]);
    let second = builder.layer("second", scale_shift(&[2.0; 3], &[-1.0; 3]), &[first]);
    let graph = run(builder.finish(&[second]));
    let Operator::Input { element: Element::U8, scale, offset: -1.0 } = graph.layers[0].operator else {
        panic!("{:?}", graph.layers[0])
    };
    assert!((scale - 2.0 / 255.0).abs() < 1e-9);
}

#[test]
fn what_is_no_rescaling_of_pixels_stays_out_of_the_input() {
    let stays = |extents: &[usize], operator: Operator| {
        let (mut builder, input) = Builder::new(extents);
        let scaled = builder.layer("scaled", operator, &[input]);
        let graph = run(builder.finish(&[scaled]));
        assert_eq!(graph.layers[0].operator, Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 });
        assert_eq!(kinds(&graph), ["input", "depthwise"]);
    };
    // channels differ
    stays(&[4, 4, 2], scale_shift(&[0.1, 0.2], &[0.0; 2]));
    // a batch norm of one channel
    stays(&[4, 4, 1], scale_shift(&[0.01234], &[-0.777]));
    // sound, and features that are no picture
    stays(&[9, 2], scale_shift(&[1.0 / 128.0; 2], &[0.0; 2]));
    stays(&[4, 4, 2], scale_shift(&[1.0 / 32768.0; 2], &[0.0; 2]));
    stays(&[4, 4, 2], scale_shift(&[255.0; 2], &[0.0; 2]));
}

#[test]
fn a_rescaling_stays_when_others_read_the_input() {
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let scaled = builder.layer("scaled", scale_shift(&[1.0 / 255.0; 2], &[0.0; 2]), &[input]);
    let sum = builder.layer("sum", Operator::add(None), &[scaled, input]);
    let graph = run(builder.finish(&[sum]));
    assert_eq!(kinds(&graph), ["input", "depthwise", "add"]);
}

#[test]
fn batch_norms_in_a_row_fold_backwards_by_hand() {
    let (mut builder, input) = Builder::new(&[4, 4, 1]);
    let pointwise = Operator::Convolution {
        weights: Weights::F32(vec![2.0, -3.0]),
        bias: Some(Bias::F32(vec![1.0, 0.0])),
        window: Window::POINT,
        activation: None,
    };
    let convolved = builder.layer("conv", pointwise, &[input]);
    let first = builder.layer("first", scale_shift(&[10.0, 0.5], &[1.0, 2.0]), &[convolved]);
    let second = builder.layer("second", scale_shift(&[2.0, 4.0], &[0.0, -1.0]), &[first]);
    let graph = run(builder.finish(&[second]));
    let (weights, bias) = graph.layers[1].operator.weights().unwrap();
    assert_eq!(weights, &Weights::F32(vec![40.0, -6.0]));
    assert_eq!(bias, Some(&Bias::F32(vec![22.0, 7.0])));
}

#[test]
fn a_scale_alone_makes_no_bias() {
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let convolved = builder.layer("depthwise", depthwise(SAME3, 2, 3), &[input]);
    let scaled = builder.layer("scale", scale_shift(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.0; 6]), &[convolved]);
    let graph = run(builder.finish(&[scaled]));
    assert_eq!(kinds(&graph), ["input", "depthwise"]);
    assert_eq!(graph.layers[1].operator.weights().unwrap().1, None);
}

#[test]
fn a_batch_norm_stays_behind_an_activation_or_a_second_reader() {
    // behind a fused activation
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let mut operator = conv(SAME3, 2, 2);
    *operator.activation_mut().unwrap() = Some(Function::Relu);
    let convolved = builder.layer("conv", operator, &[input]);
    let normed = builder.layer("norm", scale_shift(&[-1.0, 2.0], &[1.0, 0.0]), &[convolved]);
    assert_eq!(kinds(&run(builder.finish(&[normed]))), ["input", "conv", "depthwise"]);

    // someone else reads the convolution
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let convolved = builder.layer("conv", conv(SAME3, 2, 2), &[input]);
    let normed = builder.layer("norm", scale_shift(&[-1.0, 2.0], &[1.0, 0.0]), &[convolved]);
    let sum = builder.layer("sum", Operator::add(None), &[convolved, normed]);
    assert_eq!(kinds(&run(builder.finish(&[sum]))), ["input", "conv", "depthwise", "add"]);

    // the convolution is an output itself
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let convolved = builder.layer("conv", conv(SAME3, 2, 2), &[input]);
    let normed = builder.layer("norm", scale_shift(&[-1.0, 2.0], &[1.0, 0.0]), &[convolved]);
    assert_eq!(kinds(&run(builder.finish(&[convolved, normed]))), ["input", "conv", "depthwise"]);
}

#[test]
fn a_batch_norm_folds_forwards_only_where_padding_does_not_see_it() {
    let folded = |scale: [f32; 2], shift: [f32; 2], operator: Operator| {
        let (mut builder, input) = Builder::new(&[6, 6, 2]);
        let pooled = builder.layer("pool", Operator::MaxPool { window: POOL2 }, &[input]);
        let normed = builder.layer("norm", scale_shift(&scale, &shift), &[pooled]);
        let last = builder.layer("last", operator, &[normed]);
        kinds(&run(builder.finish(&[last]))).len() == 3
    };
    let (scale, shift) = ([2.0, -0.5], [1.0, 3.0]);
    assert!(folded(scale, shift, conv(VALID3, 2, 3)));
    assert!(folded(scale, shift, conv(Window::POINT, 2, 3)));
    assert!(folded(scale, shift, depthwise(VALID3, 2, 2)));
    assert!(!folded(scale, shift, conv(SAME3, 2, 3)));
    assert!(!folded(scale, shift, depthwise(SAME3, 2, 2)));
    // nothing is shifted: zeros around it stay zeros
    assert!(folded(scale, [0.0; 2], conv(SAME3, 2, 3)));
    assert!(folded(scale, [0.0; 2], depthwise(SAME3, 2, 2)));
    // same padding that pads nothing: one place in every three, of three
    assert!(folded(scale, shift, conv(Window { stride: [3, 3], ..SAME3 }, 2, 3)));
    assert!(!folded(scale, shift, Operator::Softmax));
}

#[test]
fn padding_with_zeros_goes_into_the_convolutions_after_it() {
    let with = |value: f32, channels: usize, operator: Operator| {
        let (mut builder, input) = Builder::new(&[6, 6, 2]);
        let pad = Operator::Pad { before: [2, 0, 1, 0], after: [0, 0, 1, channels], value };
        let padded = builder.layer("pad", pad, &[input]);
        let last = builder.layer("last", operator, &[padded]);
        kinds(&run(builder.finish(&[last])))
    };
    let strided = Window { stride: [2, 2], ..VALID3 };
    assert_eq!(with(0.0, 0, conv(strided, 2, 3)), ["input", "conv"]);
    assert_eq!(with(0.0, 0, depthwise(VALID3, 2, 2)), ["input", "depthwise"]);
    // other values, more channels, padding of the layer's own that depends on the extent; places that do not count
    assert_eq!(with(1.0, 0, conv(strided, 2, 3)), ["input", "pad", "conv"]);
    assert_eq!(with(0.0, 1, conv(strided, 3, 3)), ["input", "pad", "conv"]);
    assert_eq!(with(0.0, 0, conv(SAME3, 2, 3)), ["input", "pad", "conv"]);
    assert_eq!(with(0.0, 0, Operator::MaxPool { window: POOL2 }), ["input", "pad", "max_pool"]);
}

#[test]
fn a_batch_norm_folds_forwards_into_all_readers_or_none() {
    let with = |second: Operator| {
        let (mut builder, input) = Builder::new(&[6, 6, 2]);
        let normed = builder.layer("norm", scale_shift(&[2.0, -0.5], &[1.0, 3.0]), &[input]);
        let first = builder.layer("first", conv(Window::POINT, 2, 2), &[normed]);
        let second = builder.layer("second", second, &[normed]);
        let sum = builder.layer("sum", Operator::add(None), &[first, second]);
        kinds(&run(builder.finish(&[sum])))
    };
    assert_eq!(with(conv(Window::POINT, 2, 2)), ["input", "pointwise", "pointwise", "add"]);
    assert_eq!(with(conv(SAME3, 2, 2)), ["input", "depthwise", "pointwise", "conv", "add"]);
}

#[test]
fn scales_on_both_sides_of_a_flatten_fold_into_the_dense_layer() {
    let (mut builder, input) = Builder::new(&[4, 5, 2]);
    let pooled = builder.layer("pool", Operator::MaxPool { window: POOL2 }, &[input]);
    let before = builder.layer("before", scale_shift(&[2.0, -0.5], &[1.0, 3.0]), &[pooled]);
    let flat = builder.layer("flatten", Operator::Flatten, &[before]);
    let dense = builder.layer("dense", dense(8, 3), &[flat]);
    assert_eq!(names(&run(builder.finish(&[dense]))), ["input", "pool", "dense"]);

    let (mut builder, input) = Builder::new(&[4, 5, 2]);
    let pooled = builder.layer("pool", Operator::MaxPool { window: POOL2 }, &[input]);
    let flat = builder.layer("flatten", Operator::Flatten, &[pooled]);
    let after = builder.layer("after", scale_shift(&numbers(8), &numbers(8)), &[flat]);
    let dense = builder.layer("dense", self::dense(8, 3), &[after]);
    assert_eq!(names(&run(builder.finish(&[dense]))), ["input", "pool", "dense"]);
}

#[test]
fn a_flatten_stays_where_its_shape_is_seen() {
    let (mut builder, input) = Builder::new(&[2, 2, 2]);
    let flat = builder.layer("flatten", Operator::Flatten, &[input]);
    let softmax = builder.layer("softmax", Operator::Softmax, &[flat]);
    let dense = builder.layer("dense", dense(8, 3), &[flat]);
    assert_eq!(names(&run(builder.finish(&[softmax, dense]))), ["input", "flatten", "softmax", "dense"]);
}

#[test]
fn a_flatten_of_a_global_pool_or_a_flat_tensor_vanishes() {
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let pooled = builder.layer("pool", Operator::GlobalAveragePool { keep_dims: true }, &[input]);
    let flat = builder.layer("flatten", Operator::Flatten, &[pooled]);
    let again = builder.layer("again", Operator::Flatten, &[flat]);
    let softmax = builder.layer("softmax", Operator::Softmax, &[again]);
    let graph = run(builder.finish(&[softmax]));
    assert_eq!(names(&graph), ["input", "pool", "softmax"]);
    assert_eq!(graph.tensors[2].shape, Shape(vec![2]));
}

#[test]
fn activations_fuse_into_what_can_carry_them() {
    let (mut builder, input) = Builder::new(&[8, 8, 2]);
    let convolved = builder.layer("conv", conv(SAME3, 2, 2), &[input]);
    let normed = builder.layer("norm", scale_shift(&[-1.0, 2.0], &[1.0, 0.0]), &[convolved]);
    let pooled = builder.layer("pool", Operator::MaxPool { window: POOL2 }, &[normed]);
    // over the batch norm, which has folded, and the pool
    let first = builder.layer("first", relu(), &[pooled]);
    let sum = builder.layer("sum", Operator::add(None), &[first, first]);
    let second = builder.layer("second", Operator::Activation(Function::Relu6), &[sum]);
    let graph = run(builder.finish(&[second]));
    assert_eq!(names(&graph), ["input", "conv", "pool", "sum"]);
    assert_eq!(activation(&graph, "conv"), Some(Function::Relu));
    assert_eq!(activation(&graph, "sum"), Some(Function::Relu6));
}

#[test]
fn an_activation_stays_when_others_read_what_it_reads() {
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let convolved = builder.layer("conv", conv(SAME3, 2, 2), &[input]);
    let active = builder.layer("relu", relu(), &[convolved]);
    let sum = builder.layer("sum", Operator::add(None), &[convolved, active]);
    assert_eq!(names(&run(builder.finish(&[sum]))), ["input", "conv", "relu", "sum"]);

    // also when that is further back
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let convolved = builder.layer("conv", conv(SAME3, 2, 2), &[input]);
    let pooled = builder.layer("pool", Operator::MaxPool { window: POOL2 }, &[convolved]);
    let active = builder.layer("relu", relu(), &[pooled]);
    let graph = run(builder.finish(&[convolved, active]));
    assert_eq!(names(&graph), ["input", "conv", "pool", "relu"]);

    // and a sum of means is no place for it
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let convolved = builder.layer("conv", conv(SAME3, 2, 2), &[input]);
    let pooled = builder.layer("pool", Operator::AveragePool { window: POOL2 }, &[convolved]);
    let active = builder.layer("relu", relu(), &[pooled]);
    assert_eq!(names(&run(builder.finish(&[active]))), ["input", "conv", "pool", "relu"]);
}

#[test]
fn a_relu_of_what_is_not_negative_vanishes_whoever_reads_it() {
    // the first block of an Xception: its relu follows the stem's, and the residual reads the stem too
    let (mut builder, input) = Builder::new(&[8, 8, 2]);
    let stem = builder.layer("stem", conv(SAME3, 2, 2), &[input]);
    let active = builder.layer("stem relu", relu(), &[stem]);
    let block = builder.layer("block relu", relu(), &[active]);
    let separable = builder.layer("separable", depthwise(SAME3, 2, 1), &[block]);
    let pooled = builder.layer("pool", Operator::MaxPool { window: POOL2 }, &[separable]);
    let residual = builder.layer("residual", conv(Window { stride: [2, 2], ..Window::POINT }, 2, 2), &[active]);
    let sum = builder.layer("sum", Operator::add(None), &[pooled, residual]);
    // the second block's relu can't fuse: the second residual reads the sum
    let next = builder.layer("next relu", relu(), &[sum]);
    let last = builder.layer("last", Operator::add(None), &[next, sum]);
    let graph = run(builder.finish(&[last]));
    assert_eq!(names(&graph), ["input", "stem", "separable", "pool", "residual", "sum", "next relu", "last"]);
    assert_eq!(activation(&graph, "stem"), Some(Function::Relu));
    assert_eq!(activation(&graph, "sum"), None);
}

#[test]
fn clamps_in_a_row_merge() {
    for (first, second, fused) in [
        (Function::Relu, Function::Relu6, Function::Relu6),
        (Function::Relu6, Function::Relu, Function::Relu6),
        (Function::Relu, Function::Relu, Function::Relu),
    ] {
        let (mut builder, input) = Builder::new(&[4, 4, 2]);
        let convolved = builder.layer("conv", conv(SAME3, 2, 2), &[input]);
        let active = builder.layer("first", Operator::Activation(first), &[convolved]);
        let active = builder.layer("second", Operator::Activation(second), &[active]);
        let graph = run(builder.finish(&[active]));
        assert_eq!(names(&graph), ["input", "conv"]);
        assert_eq!(activation(&graph, "conv"), Some(fused));
    }
}

#[test]
fn two_relus_of_one_tensor_fuse_once() {
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let convolved = builder.layer("conv", conv(SAME3, 2, 2), &[input]);
    let [first, second] = ["first", "second"].map(|name| builder.layer(name, relu(), &[convolved]));
    let sum = builder.layer("sum", Operator::add(None), &[first, second]);
    assert_eq!(names(&run(builder.finish(&[sum]))), ["input", "conv", "sum"]);
}

#[test]
fn a_quantized_relu_stays_as_its_file_has_it() {
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let sum = builder.layer("sum", Operator::add(None), &[input, input]);
    let active = builder.layer("relu", relu(), &[sum]);
    let mut graph = builder.finish(&[active]);
    for tensor in &mut graph.tensors {
        tensor.element = Element::I8;
        tensor.quantization = Some(Quantization { scale: 0.5, zero_point: 3 });
    }
    let graph = passes::run(graph).unwrap();
    assert_eq!(names(&graph), ["input", "sum", "relu"]);
    assert_eq!(graph.tensors[2].quantization, Some(Quantization { scale: 0.5, zero_point: 3 }));
}

#[test]
fn misfits_name_their_layer() {
    let misfit = |extents: &[usize], operator: Operator| {
        let (mut builder, input) = Builder::new(extents);
        let bad = builder.layer("bad", operator, &[input]);
        let error = reason(builder.finish(&[bad]));
        assert_eq!(error.layer.as_deref(), Some("bad"), "{error}");
        error.reason
    };
    let window = |size: [usize; 2]| Window { size, ..VALID3 };
    assert!(misfit(&[4, 4, 2], conv(SAME3, 3, 3)).contains("81 weights, where each output needs 18"));
    assert!(misfit(&[4, 4, 2], Operator::MaxPool { window: window([5, 1]) }).contains("reaches over 5 places"));
    assert!(misfit(&[4, 4, 2], Operator::MaxPool { window: window([0, 1]) }).contains("not possible"));
    assert!(misfit(&[4, 2], Operator::MaxPool { window: window([2, 2]) }).contains("does not slide"));
    assert!(misfit(&[4], Operator::MaxPool { window: window([2, 1]) }).contains("does not slide"));
    assert!(misfit(&[4, 4, 2], depthwise(SAME3, 3, 1)).contains("27 weights, where 2 channels of 3x3 taps need 18"));
    assert!(misfit(&[4, 4, 2], depthwise(SAME3, 2, 0)).contains("depth multiplier of 0"));
    assert!(misfit(&[4, 4, 2], dense(31, 1)).contains("31 weights"));
    assert!(misfit(&[4, 4, 2], scale_shift(&[1.0; 3], &[1.0; 2])).contains("3 scales and 2 shifts"));
    assert!(misfit(&[4, 4, 2], Operator::add(None)).contains("takes 2 inputs, not 1"));
    assert!(misfit(&[4, 4, 2], scale_shift(&[1.0, f32::NAN], &[0.0; 2])).contains("number 2 of its 2 scales is NaN"));
    let mut biased = conv(SAME3, 2, 2);
    if let Operator::Convolution { bias, .. } = &mut biased {
        *bias = Some(Bias::F32(vec![0.0; 3]));
    }
    assert!(misfit(&[4, 4, 2], biased.clone()).contains("3 biases, where it makes 2 channels"));
    if let Operator::Convolution { bias, .. } = &mut biased {
        *bias = Some(Bias::F32(vec![0.0, f32::INFINITY]));
    }
    assert!(misfit(&[4, 4, 2], biased).contains("number 2 of its 2 biases is inf"));
}

#[test]
fn an_add_of_different_shapes_is_an_error() {
    let (mut builder, input) = Builder::new(&[4, 4, 2]);
    let pooled = builder.layer("pool", Operator::MaxPool { window: POOL2 }, &[input]);
    let sum = builder.layer("sum", Operator::add(None), &[input, pooled]);
    let error = reason(builder.finish(&[sum]));
    assert!(error.to_string().contains("\"sum\": add of the shapes 4x4x2 and 2x2x2, which do not fit"), "{error}");
}

#[test]
fn impossible_inputs_are_errors() {
    let input = |extents: &[usize]| {
        let (mut builder, input) = Builder::new(extents);
        let active = builder.layer("relu", relu(), &[input]);
        reason(builder.finish(&[active]))
    };
    assert!(input(&[]).reason.contains("one to four extents"));
    assert!(input(&[2, 0, 3]).reason.contains("all at least 1"));
    assert!(input(&[2, 2, 2, 2, 3]).reason.contains("one to four extents"));
    assert!(input(&[1 << 30, 1 << 30, 1 << 30]).reason.contains("too large"));
    assert!(input(&[70_000, 1, 1]).reason.contains("number of rows of 70000 is more than the runtime's 65535"));
}

#[test]
fn numbers_beyond_the_runtime_are_errors() {
    let error = |window: Window| {
        let (mut builder, input) = Builder::new(&[400, 400, 1]);
        let pooled = builder.layer("pool", Operator::MaxPool { window }, &[input]);
        reason(builder.finish(&[pooled])).to_string()
    };
    assert!(error(Window { size: [300, 1], ..VALID3 }).contains("\"pool\": its kernel height of 300"));
    assert!(error(Window { stride: [1, 256], ..VALID3 }).contains("horizontal stride of 256"));
    assert!(error(Window { dilation: [2, 1], size: [201, 1], ..SAME3 }).contains("padding above of 200"));
    assert!(error(Window { dilation: [1, 256], ..SAME3 }).contains("horizontal dilation of 256"));
    assert!(error(Window { dilation: [150, 1], ..VALID3 }).contains("window over rows of 301"));
}

#[test]
fn the_shipped_model_has_its_numbers() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xception_lite/xlite.keras");
    let read = microception_codegen::read::read(&file).unwrap();
    let graph = passes::run(read.clone()).unwrap();
    assert_eq!(graph.layers.iter().map(|layer| graph.parameters(layer)).sum::<usize>(), 75_842);
    assert_eq!(graph.layers.iter().map(|layer| graph.macs(layer)).sum::<u64>(), 7_387_968);
    assert_eq!(graph.layers[0].operator, Operator::Input { element: Element::U8, scale: 1.0 / 255.0, offset: 0.0 });
    // the second block's relu: the sum before it is read by the residual too
    assert_eq!(kinds(&graph).iter().filter(|&&kind| kind == "activation").count(), 1);
    same_results(&read, &graph, 5).unwrap();
}

#[test]
fn an_input_stays_though_nothing_reads_it() {
    let (mut builder, first) = Builder::new(&[4, 4, 2]);
    let operator = builder.0.layers[0].operator.clone();
    builder.0.push("second", operator.clone(), vec![], Shape(vec![4, 4, 2]));
    let active = builder.layer("active", relu(), &[first]);
    assert_eq!(names(&run(builder.finish(&[active]))), ["input", "second", "active"]);

    // But in front: the runtime counts them.
    let (mut builder, first) = Builder::new(&[4, 4, 2]);
    let active = builder.layer("active", relu(), &[first]);
    builder.0.push("late", operator, vec![], Shape(vec![4, 4, 2]));
    assert!(reason(builder.finish(&[active])).reason.contains("an input behind other layers"));
}
