//! Which axes of the file's tensors are rows: series in the clothes of pictures, and dilation written as batches.

use microception_codegen::graph::{Axis, Graph, Operator, Padding, Shape, Window};
use microception_codegen::read::read_bytes;

use crate::build::{ActivationFunctionType, BuiltinOperator, Model, Options, TensorType};

const CONVOLUTION: Options = Options::Convolution { stride: 1, activation: ActivationFunctionType::NONE };

fn graph(model: &Model) -> Graph {
    read_bytes(&model.bytes(), "model").expect("read")
}

fn numbers(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A convolution of kernels `kernel` with one output; gives what it makes.
fn convolve(model: &mut Model, input: i32, kernel: [i32; 3], output: &[i32]) -> i32 {
    let [height, width, channels] = kernel;
    let weights = vec![1; (height * width * channels) as usize];
    let weights = model.constant("weights", TensorType::INT8, &[1, height, width, channels], &weights);
    let output = model.value("sums", TensorType::INT8, output);
    model.call(BuiltinOperator::CONV_2D, &[input, weights], output, CONVOLUTION);
    output
}

/// A model of every operator that moves values, ending in a series.
pub fn gallery() -> Model {
    let mut model = Model::default();
    let series = model.value("series", TensorType::INT8, &[1, 12, 2]);
    let paddings = model.constant("paddings", TensorType::INT32, &[3, 2], &numbers(&[0, 0, 2, 2, 0, 0]));
    let padded = model.value("padded", TensorType::INT8, &[1, 16, 2]);
    model.call(BuiltinOperator::PAD, &[series, paddings], padded, Options::None);
    let block = model.constant("block", TensorType::INT32, &[1], &numbers(&[2]));
    let around = model.constant("around", TensorType::INT32, &[1, 2], &numbers(&[2, 2]));
    let crops = model.constant("crops", TensorType::INT32, &[1, 2], &numbers(&[0, 0]));
    let dealt = model.value("dealt", TensorType::INT8, &[2, 10, 2]);
    model.call(BuiltinOperator::SPACE_TO_BATCH_ND, &[padded, block, around], dealt, Options::None);
    let axis = model.constant("axis", TensorType::INT32, &[], &numbers(&[1]));
    let picture = model.value("picture", TensorType::INT8, &[2, 1, 10, 2]);
    model.call(BuiltinOperator::EXPAND_DIMS, &[dealt, axis], picture, Options::None);
    let sums = convolve(&mut model, picture, [1, 3, 2], &[2, 1, 8, 1]);
    let squeezed = model.value("squeezed", TensorType::INT8, &[2, 8, 1]);
    model.call(BuiltinOperator::SQUEEZE, &[sums], squeezed, Options::None);
    let whole = model.value("whole", TensorType::INT8, &[1, 16, 1]);
    model.call(BuiltinOperator::BATCH_TO_SPACE_ND, &[squeezed, block, crops], whole, Options::None);
    let both = model.value("both", TensorType::INT8, &[1, 16, 5]);
    model.call(BuiltinOperator::CONCATENATION, &[padded, whole, padded], both, Options::Concatenation { axis: -1 });
    let order = model.constant("order", TensorType::INT32, &[3], &numbers(&[1, 0, 2]));
    let turned = model.value("turned", TensorType::INT8, &[16, 1, 5]);
    model.call(BuiltinOperator::TRANSPOSE, &[both, order], turned, Options::None);
    let shape = model.constant("shape", TensorType::INT32, &[4], &numbers(&[1, 8, 2, 5]));
    let square = model.value("square", TensorType::INT8, &[1, 8, 2, 5]);
    model.call(BuiltinOperator::RESHAPE, &[turned, shape], square, Options::None);
    let size = model.constant("size", TensorType::INT32, &[2], &numbers(&[4, 6]));
    let resized = model.value("resized", TensorType::INT8, &[1, 4, 6, 5]);
    model.call(BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, &[square, size], resized, Options::ResizeNearest);
    let axes = model.constant("axes", TensorType::INT32, &[1], &numbers(&[2]));
    let largest = model.value("largest", TensorType::INT8, &[1, 4, 5]);
    model.call(BuiltinOperator::REDUCE_MAX, &[resized, axes], largest, Options::Mean { keep_dims: false });
    Model { inputs: vec![series], outputs: vec![largest], ..model }
}

#[test]
fn a_series_in_the_clothes_of_a_picture_stays_a_series() {
    for picture in [[1, 1, 6, 2], [1, 6, 1, 2]] {
        let mut model = Model::default();
        let series = model.value("series", TensorType::INT8, &[1, 6, 2]);
        let dressed = model.value("dressed", TensorType::INT8, &picture);
        model.call(BuiltinOperator::RESHAPE, &[series], dressed, Options::None);
        let [kernel, made] = if picture[1] == 1 { [[1, 3, 2], [1, 4, 1]] } else { [[3, 1, 2], [4, 1, 1]] };
        let sums = convolve(&mut model, dressed, kernel, &[1, made[0], made[1], made[2]]);
        let undressed = model.value("undressed", TensorType::INT8, &[1, 4, 1]);
        model.call(BuiltinOperator::SQUEEZE, &[sums], undressed, Options::None);
        let graph = graph(&Model { inputs: vec![series], outputs: vec![undressed], ..model });
        let [input, convolution] = &graph.layers[..] else { panic!("{:?}", graph.layers) };
        assert_eq!(graph.tensor(input.output).shape, Shape(vec![6, 2]));
        assert_eq!(graph.tensor(convolution.output).shape, Shape(vec![4, 1]));
        let Operator::Convolution { window, .. } = convolution.operator else { panic!("{:?}", convolution.operator) };
        assert_eq!(window, Window { size: [3, 1], ..Window::POINT });
    }
}

#[test]
fn a_picture_of_height_1_stays_a_picture() {
    let mut model = Model::default();
    let picture = model.value("picture", TensorType::INT8, &[1, 1, 6, 2]);
    let sums = convolve(&mut model, picture, [1, 3, 2], &[1, 1, 4, 1]);
    let graph = graph(&Model { inputs: vec![picture], outputs: vec![sums], ..model });
    assert_eq!(graph.tensor(graph.outputs[0]).shape, Shape(vec![1, 4, 1]));
}

#[test]
fn dilation_written_as_batches_is_dilation() {
    let graph = graph(&gallery());
    let kinds: Vec<&str> = graph.layers.iter().map(|layer| layer.operator.name()).collect();
    let expected =
        ["input", "pad", "conv", "concatenate", "concatenate", "reshape", "resize_nearest", "max_pool", "reshape"];
    assert_eq!(kinds, expected);
    let Operator::Convolution { window, .. } = graph.layers[2].operator else { panic!("no convolution") };
    let padding = Padding::Explicit { before: [2, 0], after: [2, 0] };
    assert_eq!(window, Window { size: [3, 1], dilation: [2, 1], padding, ..Window::POINT });
    assert_eq!(graph.layers[3].operator, Operator::Concatenate { axis: Axis::Channels });
    assert_eq!(graph.tensor(graph.outputs[0]).shape, Shape(vec![4, 5]));
}

#[test]
fn values_that_would_move_are_refused() {
    let refused = |change: fn(&mut Model), expected: &str| {
        let mut model = gallery();
        change(&mut model);
        let error = read_bytes(&model.bytes(), "model").expect_err("it was read").to_string();
        assert!(error.contains(expected), "{error}");
    };
    let named = |model: &mut Model, name: &str| model.tensors.iter().position(|tensor| tensor.name == name).unwrap();
    assert_eq!(named(&mut gallery(), "order"), 14);
    refused(|model| model.tensors[14].data = numbers(&[2, 1, 0]), "moves the batch: its order of axes is [2, 1, 0]");
    refused(|model| model.tensors[14].data = numbers(&[1, 1, 2]), "has the order of axes [1, 1, 2] for 3 axes");
    refused(|model| model.tensors[1].data = numbers(&[0, 1, 2, 2, 0, 0]), "pads the batch");
    refused(|model| model.tensors[1].data = numbers(&[0, 0, -1, 2, 0, 0]), "has a padding that is negative");
    refused(|model| model.tensors[2].scales = vec![0.25], "\"padded\": has another scale or zero point than its input");
    refused(|model| model.tensors[5].data = numbers(&[3, 0]), "crops more than was padded");
    refused(|model| model.tensors[3].data = numbers(&[3]), "can't put 14x1 behind 16x2");
}
