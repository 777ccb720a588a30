//! The models that run on the target, with inputs and expected outputs: a fixture's, by its name.

use std::fmt::Debug;
use std::path::Path;

use microception_codegen::error::Error;
use microception_codegen::graph::{
    Element, Function, Graph, Operator, PairFunction, Quantization, Shape, TensorId, Weights, Window,
};
use microception_codegen::host::Machine;
use microception_codegen::optimize::{Goal, Optimize, lowered, transformed};
use microception_codegen::plan::{Plan, Step, Strategy};
use microception_codegen::quantize::{Elements, Method, calibrate, quantize, quantize_mixed};
use microception_codegen::{host, passes, read};

use crate::arrays::Arrays;
use crate::{conformance, litert, suite, tolerance, volume};

/// Fixtures of `tests/fixtures/litert`: int8, answers to the bit.
const LITERT: &[&str] = &[
    "add_03",
    "add_07",
    "average_pool_03",
    "average_pool_07",
    "chain_04",
    "chain_07",
    "conv_03",
    "conv_05",
    "conv_12",
    "conv_18",
    "conv_20",
    "conv_21",
    "conv_25",
    "conv_27",
    "dense_01",
    "dense_05",
    "dense_13",
    "dense_wide_01",
    "depthwise_05",
    "depthwise_08",
    "depthwise_13",
    "depthwise_16",
    "depthwise_18",
    "logistic_near_ties_02",
    "max_pool_03",
    "max_pool_08",
    "mean_02",
    "mean_06",
    "normalised_01",
    "relu6_00",
    "relu_00",
    "second_reader_01",
    "second_reader_02",
    "separable_03",
    "separable_05",
    "softmax_03",
    "softmax_07",
    "wide_scales_04",
    "wide_scales_06",
    "xception_block_01",
    "xception_block_02",
];

/// Those of them that also run on pixels.
const PIXELS: &[&str] = &["conv_03", "relu_00"];

/// Models of `tests/fixtures/tflite`: int8 answers to the bit, f32 within the tolerance.
const TFLITE: &[&str] = &[
    "add_02",
    "axes_01",
    "concatenation_01",
    "concatenation_06",
    "concatenation_14",
    "conv1d_05",
    "dense_19",
    "dense_24",
    "dilated_03",
    "float_elementwise_11",
    "float_elementwise_12",
    "float_elementwise_13",
    "float_elementwise_14",
    "float_network_04",
    "float_shapes_03",
    "float_shapes_04",
    "hard_swish_00",
    "int4_03",
    "int4_07",
    "int4_18",
    "int4_27",
    "int4_38",
    "int4_48",
    "leaky_relu_00",
    "maximum_05",
    "maximum_07",
    "minimum_10",
    "minimum_12",
    "mul_02",
    "mul_03",
    "mul_13",
    "network_15",
    "pad_02",
    "pad_05",
    "pad_10",
    "pool1d_02",
    "prelu_00",
    "reduce_max_04",
    "requantize_10",
    "reshape_00",
    "reshape_07",
    "resize_02",
    "resize_09",
    "sub_02",
    "sub_07",
];

/// The same in int16x8.
const INT16X8: &[&str] = &[
    "add_02",
    "add_06",
    "average_pool_02",
    "conv_08",
    "conv_20",
    "dense_06",
    "dense_21",
    "depthwise_09",
    "depthwise_21",
    "gelu_03",
    "joined_02",
    "leaky_relu_00",
    "logistic_00",
    "max_pool_03",
    "maximum_04",
    "mean_06",
    "minimum_08",
    "mul_02",
    "mul_06",
    "network_12",
    "pad_12",
    "real_02",
    "reduce_max_06",
    "relu_00",
    "resize_bilinear_00",
    "short_bias_02",
    "short_bias_05",
    "softmax_04",
    "sub_05",
    "tanh_03",
    "transpose_09",
];

/// Fixtures of `tests/fixtures/keras`: f32, answers within the tolerance.
const KERAS: &[&str] = &[
    "bn_after_relu",
    "conv_even_stride_two",
    "conv_options",
    "depthwise",
    "flatten_dense",
    "pools",
    "rescaling_signed",
    "sequential",
    "sigmoids",
    "softmax_layer",
    "xception",
];

/// Models of `tests/fixtures/conformance`, as Keras has them: in f32 within the tolerance; and in int8, which is near Keras
/// on the host, with the host's bits.
const CONFORMANCE: &[&str] = &[
    "activations_13",
    "activations_16",
    "concatenated_05",
    "conv1d_02",
    "conv1d_09",
    "conv2d_05",
    "depthwise1d_04",
    "forms_05",
    "forms_06",
    "merges_15",
    "moved_06",
    "moved_09",
    "moved_17",
    "normalised_03",
    "pools1d_06",
    "reshaped_09",
    "reshaped_12",
    "separable1d_02",
    "separable2d_05",
];

/// Those of them that are there in int16x8 too, with the host's bits.
const CONFORMANCE_INT16X8: &[&str] =
    &["activation_layers_08", "activations_13", "activations_16", "conv1d_09", "merges_15"];

/// Fixtures of `codegen/tests/volumes`, as those.
const VOLUMES: &[&str] = &["merges", "network", "separable"];

/// A model, an input, and what it answers; both as Rust writes arrays.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub graph: Graph,
    pub goal: Goal,
    pub frame: String,
    pub expected: String,
    /// The greatest difference of a good answer.
    pub near: f32,
}

/// Rows, and every kernel as small as it is.
const SMALL: Goal = Goal { strategy: Strategy::Balanced, optimize: Optimize::Size };

/// Rows, and every kernel as fast as it is.
const FAST: Goal = Goal { strategy: Strategy::Balanced, optimize: Optimize::Speed };

/// The least memory.
const LEAST: Goal = Goal { strategy: Strategy::Smallest, optimize: Optimize::Size };

/// All of them: those that Winograd's algorithm can run both ways, and those that write rows over others.
pub fn all() -> Vec<Case> {
    let litert = LITERT.iter().map(|name| described(name));
    let pixels = PIXELS.iter().flat_map(|name| [pixels(name, false), pixels(name, true)]);
    let int16x8 = INT16X8.iter().map(|name| tflite_in("int16x8/", &format!("int16x8_{name}")));
    let tflite = TFLITE.iter().map(|name| tflite(name)).chain(int16x8);
    let images = KERAS.iter().map(|name| keras("../tests/fixtures/keras", name));
    let keras = images.chain(VOLUMES.iter().map(|name| keras("tests/volumes/fixtures", name)));
    let mut cases: Vec<Case> =
        litert.chain(pixels).chain(tflite).chain(keras).chain(volumes()).chain(in_place()).collect();
    cases.extend(CONFORMANCE.iter().flat_map(|name| conform(name)));
    cases.extend(CONFORMANCE_INT16X8.iter().map(|name| conform_int16(name)));
    cases.push(pixels_int16());
    for index in 0..cases.len() {
        let case = &cases[index];
        if !transformed(&case.graph, FAST.optimize).expect(&case.name).is_empty() {
            let name = format!("{}_fast", case.name);
            cases.push(Case { name, goal: FAST, ..case.clone() });
        }
        let case = &cases[index];
        if writes_over(&lowered(&case.graph, LEAST).expect(&case.name).plan) {
            let name = format!("{}_in_place", case.name);
            cases.push(Case { name, goal: LEAST, ..case.clone() });
        }
    }
    cases
}

/// Whether a step writes its first row over the first line that it reads, or over a row of the second input.
fn writes_over(plan: &Plan) -> bool {
    let over = |step: &Step| step.rows > 0 && step.lines.iter().any(|lines| lines.first() == Some(&step.output));
    plan.steps.iter().any(over)
}

/// The model that a fixture of `tests/fixtures/litert` describes, and its first case.
fn described(name: &str) -> Case {
    let fixture = litert::named(name);
    let frame = list(int8(fixture.input(0)));
    let expected = list(int8(fixture.tensor(fixture.graph.outputs[0], 0).expect("an output")));
    Case { name: name.to_owned(), graph: fixture.graph, goal: SMALL, frame, expected, near: 0.0 }
}

/// The model on pixels that become its int8 input: less 128, or in the opposite order, which takes a table.
fn pixels(name: &str, reversed: bool) -> Case {
    let fixture = litert::named(name);
    let frame =
        int8(fixture.input(0)).map(|value| if reversed { 127 - i16::from(value) } else { 128 + i16::from(value) });
    let frame = list(frame);
    let mut case = described(name);
    let layer = &mut case.graph.layers[0];
    let quantization = case.graph.tensors[layer.output.0].quantization;
    let Quantization { scale, zero_point } = quantization.expect("int8");
    // The real value of a pixel of 0, and of one step.
    let offset = scale * ((if reversed { 127 } else { -128 }) - zero_point) as f32;
    let scale = if reversed { -scale } else { scale };
    layer.operator = Operator::Input { element: Element::U8, scale, offset };
    let suffix = if reversed { "reversed_pixels" } else { "pixels" };
    Case { name: format!("{name}_{suffix}"), frame, ..case }
}

/// A file of LiteRT's converter and its first case: a group's name and a number.
fn tflite(name: &str) -> Case {
    tflite_in("", name)
}

/// One of a folder among them; there the folder's name comes first in the models'.
fn tflite_in(folder: &str, name: &str) -> Case {
    let (group, _) = name.rsplit_once('_').expect("a number after the group's name");
    let prefix = folder.replace('/', "_");
    let models = suite::group(&format!("{folder}{}", group.strip_prefix(&prefix).expect(name)));
    let model = models.iter().find(|model| model.name == name).expect(name);
    let graph = read::read_bytes(&model.bytes, name).and_then(passes::run).expect(name);
    // The names of the folders are not distinct.
    let name = format!("tflite_{name}");
    let (frame, answer) = (model.frame(0), model.answer());
    let expected = answer.case(0);
    if answer.element == "int8" {
        return Case { name, graph, goal: SMALL, frame: list(int8(frame)), expected: list(int8(expected)), near: 0.0 };
    }
    if answer.element == "int16" {
        return Case {
            name,
            graph,
            goal: SMALL,
            frame: list(int16(frame)),
            expected: list(int16(expected)),
            near: 0.0,
        };
    }
    let (frame, expected) = (floats(frame), floats(expected));
    let near = tolerance::F32 * largest(&expected);
    Case { name, graph, goal: SMALL, frame: list(frame), expected: list(expected), near }
}

/// A Keras file and its first case.
fn keras(folder: &str, name: &str) -> Case {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let model = folder.join(name).with_extension("keras");
    let graph = read::read(&model).and_then(passes::run).expect(name);
    let arrays = Arrays::open(&model.with_extension("npz"));
    let first = |array: &str| -> (bool, Vec<u8>) {
        let (shape, mut bytes) = arrays.array(array).expect(name);
        let pixels = bytes.len() as u64 == shape.iter().product::<u64>();
        bytes.truncate(bytes.len() / shape[0] as usize);
        (pixels, bytes)
    };
    let (frame, expected) = (first("x"), floats(&first("y").1));
    // Pixels may be stored as floats, and the other way round.
    let frame = match (host::elements(&graph).0, frame) {
        (Element::U8, (true, bytes)) => list(bytes),
        (Element::U8, (false, bytes)) => list(floats(&bytes).iter().map(|&value| value as u8)),
        (_, (true, bytes)) => list(bytes.iter().map(|&byte| f32::from(byte))),
        (_, (false, bytes)) => list(floats(&bytes)),
    };
    let near = tolerance::F32 * largest(&expected);
    let name = if graph.tensors[0].shape.0.len() > 3 { format!("keras_volume_{name}") } else { name.to_owned() };
    Case { name, graph, goal: SMALL, frame, expected: list(expected), near }
}

/// A network over a volume, by planes, and what the host answers with whole tensors: of int8 the same bits.
fn volumes() -> [Case; 2] {
    let graph = volume::network();
    let frames = (0..3).map(|seed| Ok(bytemuck::cast_slice(&volume::frame(seed)).to_vec()));
    let ranges = calibrate(&graph, frames, Method::MinMax, |_| ()).expect("ranges");
    let quantized = quantize(&graph, &ranges).expect("int8");
    let answer = |graph: &Graph, frame: &[u8]| {
        let machine = host::Machine::new(graph, Strategy::Whole);
        machine.and_then(|mut machine| machine.run(frame)).expect("an answer")
    };
    let frame = volume::frame(0);
    let expected = floats(&answer(&graph, bytemuck::cast_slice(&frame)));
    let near = tolerance::F32 * largest(&expected);
    let Quantization { scale, zero_point } = quantized.tensors[0].quantization.expect("an int8 input");
    let stored: Vec<i8> = frame.iter().map(|real| ((real / scale).round() as i32 + zero_point) as i8).collect();
    let stored_expected = list(int8(&answer(&quantized, bytemuck::cast_slice(&stored))));
    let case = |name: &str, graph: Graph, frame: String, expected: String, near: f32| Case {
        name: name.to_owned(),
        graph,
        goal: SMALL,
        frame,
        expected,
        near,
    };
    [
        case("volume_f32", graph, list(frame), list(expected), near),
        case("volume_int8", quantized, list(stored), stored_expected, 0.0),
    ]
}

/// The largest, at all places, of tanh(x), of x * tanh(x), and of x + tanh(x), whose rows are the most that lives at once: in
/// f32 what the standard library makes of them, in int8 what the host answers with tensors that all stay.
fn in_place() -> Vec<Case> {
    const SHAPE: [usize; 3] = [5, 3, 4];
    let frame: Vec<f32> = (0..60).map(|place| ((place * 37 % 60) as f32 - 29.5) / 20.0).collect();
    type Of = fn(f32) -> f32;
    let functions: [(&str, Option<PairFunction>, Of); 3] = [
        ("tanh", None, f32::tanh),
        ("times_tanh", Some(PairFunction::Multiply), |x| x * x.tanh()),
        ("plus_tanh", Some(PairFunction::Add), |x| x + x.tanh()),
    ];
    let cases = functions.iter().flat_map(|&(name, function, of)| {
        let mut graph = Graph::new(name);
        let mut push = |operator: Operator, inputs: &[TensorId], shape: &[usize]| {
            graph.push(operator.name().to_owned(), operator, inputs.to_vec(), Shape(shape.to_vec()))
        };
        let x = push(Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 }, &[], &SHAPE);
        let mut last = push(Operator::Activation(Function::Tanh), &[x], &SHAPE);
        if let Some(function) = function {
            last = push(Operator::Pairwise { function, constant: None, activation: None }, &[x, last], &SHAPE);
        }
        graph.outputs = vec![push(Operator::GlobalMaxPool { keep_dims: false }, &[last], &[SHAPE[2]])];
        let frames = [Ok(bytemuck::cast_slice(&frame).to_vec())].into_iter();
        let ranges = calibrate(&graph, frames, Method::MinMax, |_| ()).expect(name);
        let quantized = quantize(&graph, &ranges).expect(name);
        let Quantization { scale, zero_point } = quantized.tensors[0].quantization.expect("int8");
        let stored: Vec<i8> = frame.iter().map(|real| ((real / scale).round() as i32 + zero_point) as i8).collect();
        let answer = kept(&quantized, bytemuck::cast_slice(&stored));
        let wide = in_int16(&graph, [Ok(bytemuck::cast_slice(&frame).to_vec())].into_iter());
        let scale = wide.tensors[0].quantization.expect("int16").scale;
        let halves: Vec<i16> = frame.iter().map(|real| (real / scale).round() as i16).collect();
        let wide_answer = kept(&wide, bytemuck::cast_slice(&halves));
        let largest = |channel: usize| frame.iter().skip(channel).step_by(4).map(|&x| of(x)).fold(f32::MIN, f32::max);
        let case = |suffix: &str, graph: Graph, frame: String, expected: String, near: f32| Case {
            name: format!("{name}_{suffix}"),
            graph,
            goal: LEAST,
            frame,
            expected,
            near,
        };
        [
            case("f32", graph, list(frame.iter()), list((0..4).map(largest)), tolerance::F32 * 3.0),
            case("int8", quantized, list(stored), list(int8(&answer)), 0.0),
            case("int16x8", wide, list(halves), list(int16(&wide_answer)), 0.0),
        ]
    });
    cases.collect()
}

/// A Keras file of the table of layers and its first case, in f32 and in int8.
fn conform(name: &str) -> [Case; 2] {
    let (group, _) = name.rsplit_once('_').expect("a number after the group's name");
    let models = conformance::group(group);
    let model = models.iter().find(|model| model.name == name).expect(name);
    let graph = read::read_bytes(&model.files[0].1, name).and_then(passes::run).expect(name);
    let (frame, expected) = (model.frame(0), model.answer(0));
    let frames = (0..model.cases.count).map(|case| Ok(bytemuck::cast_slice(model.frame(case)).to_vec()));
    let ranges = calibrate(&graph, frames, Method::MinMax, |_| ()).expect(name);
    let quantized = quantize(&graph, &ranges).expect(name);
    let Quantization { scale, zero_point } = quantized.tensors[0].quantization.expect("int8");
    let stored = |real: &f32| ((real / scale).round() + zero_point as f32).clamp(-128.0, 127.0) as i8;
    let frame_int8: Vec<i8> = frame.iter().map(stored).collect();
    let answer = Machine::new(&quantized, SMALL).and_then(|mut machine| machine.run(bytemuck::cast_slice(&frame_int8)));
    let in_int8 = Case {
        name: format!("conform_{name}_int8"),
        graph: quantized,
        goal: SMALL,
        frame: list(frame_int8),
        expected: list(int8(&answer.expect(name))),
        near: 0.0,
    };
    let near = tolerance::F32 * largest(expected);
    let name = format!("conform_{name}");
    [Case { name, graph, goal: SMALL, frame: list(frame), expected: list(expected), near }, in_int8]
}

/// A Keras file of the table of layers and its first case, in int16x8.
fn conform_int16(name: &str) -> Case {
    let (group, _) = name.rsplit_once('_').expect("a number after the group's name");
    let models = conformance::group(group);
    let model = models.iter().find(|model| model.name == name).expect(name);
    let graph = read::read_bytes(&model.files[0].1, name).and_then(passes::run).expect(name);
    let frames = (0..model.cases.count).map(|case| Ok(bytemuck::cast_slice(model.frame(case)).to_vec()));
    let quantized = in_int16(&graph, frames);
    let scale = quantized.tensors[0].quantization.expect("int16").scale;
    let frame: Vec<i16> = model.frame(0).iter().map(|real| (real / scale).round() as i16).collect();
    let name = format!("conform_{name}_int16x8");
    Case {
        expected: list(int16(&kept(&quantized, bytemuck::cast_slice(&frame)))),
        frame: list(frame),
        name,
        ..of(quantized)
    }
}

/// Pixels in, one channel's scale apart from another's, and a depthwise layer whose factor is none of the short ones.
fn pixels_int16() -> Case {
    let mut graph = Graph::new("pixels");
    let pixels = Operator::Input { element: Element::U8, scale: 1.0 / 127.5, offset: -1.0 };
    let input = graph.push("pixels", pixels, vec![], Shape(vec![3, 5, 2]));
    let weights = Weights::F32(vec![0.5, -40.0]);
    let depthwise = Operator::Depthwise {
        weights,
        bias: None,
        window: Window::POINT,
        multiplier: 1,
        activation: Some(Function::Relu6),
    };
    graph.outputs = vec![graph.push("depthwise", depthwise, vec![input], Shape(vec![3, 5, 2]))];
    let graph = passes::run(graph).expect("a graph");
    let frame: Vec<u8> = (0..30).map(|place| (place * 67 % 256) as u8).collect();
    let quantized = in_int16(&graph, [Ok(frame.clone())].into_iter());
    let expected = list(int16(&kept(&quantized, &frame)));
    Case { name: "pixels_int16x8".to_owned(), frame: list(frame), expected, ..of(quantized) }
}

fn in_int16(graph: &Graph, frames: impl Iterator<Item = Result<Vec<u8>, Error>>) -> Graph {
    let ranges = calibrate(graph, frames, Method::MinMax, |_| ()).expect("ranges");
    quantize_mixed(graph, &ranges, &Elements::all(Element::I16)).expect("int16x8")
}

/// What the host answers with tensors that all stay.
fn kept(graph: &Graph, frame: &[u8]) -> Vec<u8> {
    Machine::new(graph, Strategy::Everything).and_then(|mut machine| machine.run(frame)).expect("an answer")
}

/// A case of quantized numbers, without its name and numbers.
fn of(graph: Graph) -> Case {
    Case { name: String::new(), graph, goal: SMALL, frame: String::new(), expected: String::new(), near: 0.0 }
}

fn int16(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|&half| i16::from_le_bytes(half)).collect()
}

fn int8(bytes: &[u8]) -> impl Iterator<Item = i8> {
    bytes.iter().map(|byte| byte.cast_signed())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

fn list(values: impl IntoIterator<Item = impl Debug>) -> String {
    format!("{:?}", values.into_iter().collect::<Vec<_>>())
}
