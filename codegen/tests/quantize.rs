//! Quantization: examples by hand, what must hold for any numbers, ranges files, and that the
//! int8 graph computes nearly what the f32 graph does.

mod common;

use std::collections::BTreeSet;

use common::{naive, random_graph};
use microception_codegen::error::Error;
use microception_codegen::graph::{
    Bias, Element, Function, Graph, Operator, Padding, Quantization, Shape, TensorId, Weights, Window,
};
use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::quantize::{
    Method, Observer, Ranges, activation_quantization, calibrate, int4_layers, quantize, quantize_weights,
    quantize_weights_int4, quantize_with_int4, weighted,
};

fn quantization(scale: f32, zero_point: i32) -> Quantization {
    Quantization { scale, zero_point }
}

/// A graph of an input and the layers given, each reading the one before.
fn chain(extents: &[usize], input: Operator, layers: Vec<(&str, Operator)>) -> Graph {
    let mut graph = Graph::new("chain");
    let mut tensor = graph.push("input", input, vec![], Shape(extents.to_vec()));
    for (name, operator) in layers {
        tensor = graph.push(name, operator, vec![tensor], Shape(vec![]));
    }
    graph.outputs = vec![tensor];
    passes::run(graph).unwrap()
}

const REALS: Operator = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
const PIXELS: Operator = Operator::Input { element: Element::U8, scale: 1.0 / 255.0, offset: 0.0 };

fn pointwise(weights: Vec<f32>, bias: Option<Vec<f32>>) -> Operator {
    Operator::Convolution {
        weights: Weights::F32(weights),
        bias: bias.map(Bias::F32),
        window: Window::POINT,
        activation: None,
    }
}

fn ranges(entries: &[(&str, [f32; 2])]) -> Ranges {
    let mut ranges = Ranges::default();
    for &(name, range) in entries {
        ranges.set(name, range).unwrap();
    }
    ranges
}

/// The quantization of the tensor with that name.
fn of(graph: &Graph, name: &str) -> Quantization {
    let tensor = graph.tensors.iter().find(|tensor| tensor.name == name).unwrap();
    assert_eq!(tensor.element, Element::I8);
    tensor.quantization.unwrap()
}

#[test]
fn activations_by_hand() {
    let of = |range| activation_quantization(range, 0.0).unwrap();
    assert_eq!(of([0.0, 255.0]), quantization(1.0, -128));
    assert_eq!(of([-255.0, 0.0]), quantization(1.0, 127));
    assert_eq!(of([-128.0, 127.0]), quantization(1.0, 0));
    assert_eq!(of([-1.0, 1.0]), quantization(2.0 / 255.0, -1)); // -0.5, away from zero
    assert_eq!(of([-0.2, 0.82]), quantization(0.004, -78));
    // the range is widened to zero
    assert_eq!(of([51.0, 255.0]), quantization(1.0, -128));
    assert_eq!(of([-255.0, -3.0]), quantization(1.0, 127));
    // nothing but zero
    assert_eq!(of([0.0, 0.0]).zero_point, -128);
}

#[test]
fn any_range_has_a_usable_scale_and_an_exact_zero() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..5000 {
        let mut end = || (random.f32() - 0.5) * 10f32.powi(random.i32(-44..38));
        let (a, b) = (end(), end());
        let (range, reach) = ([a.min(b), a.max(b)], f64::from(end().abs()));
        let Quantization { scale, zero_point } = activation_quantization(range, reach).unwrap();
        assert!(scale >= f32::MIN_POSITIVE && scale.is_finite(), "{range:?}");
        assert!((-128..=127).contains(&zero_point), "{range:?}");
        assert!(reach / f64::from(scale) <= 2f64.powi(29) * 1.0001);
        // both ends are within a step of what can be stored
        for end in range {
            let stored = (f64::from(end) / f64::from(scale)).round() + f64::from(zero_point);
            assert!((-129.0..=128.0).contains(&stored), "{range:?}: {end} is {stored}");
        }
    }
}

#[test]
fn weights_are_within_half_a_step() {
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..500 {
        let (outputs, per_output) = (random.usize(1..6), random.usize(1..20));
        let magnitude = 10f32.powi(random.i32(-6..4));
        let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| (random.f32() - 0.5) * magnitude).collect() };
        let (weights, bias) = (numbers(outputs * per_output), numbers(outputs));
        let input_scale = 0.02;
        let quantized = quantize_weights(&weights, Some(&bias), outputs, input_scale, |index| index / per_output);
        for (index, (&weight, &stored)) in weights.iter().zip(&quantized.values).enumerate() {
            let scale = f64::from(quantized.scales[index / per_output]);
            assert!((f64::from(weight) - f64::from(stored) * scale).abs() <= scale * 0.50001);
            assert!(stored > i8::MIN);
            assert!(weight != 0.0 || stored == 0);
        }
        for ((&bias, &stored), &scale) in bias.iter().zip(&quantized.bias).zip(&quantized.scales) {
            let step = f64::from(scale) * f64::from(input_scale);
            assert!((f64::from(bias) - f64::from(stored) * step).abs() <= step * 0.50001);
        }
        for weights in quantized.values.chunks(per_output) {
            assert!(weights.iter().any(|&weight| weight.abs() == 127), "no weight uses the whole range");
        }
    }
}

#[test]
fn ties_round_away_from_zero() {
    let quantized = quantize_weights(&[127.0, 2.5, -2.5, 0.5], None, 1, 1.0, |_| 0);
    assert_eq!(quantized.values, [127, 3, -3, 1]);
    assert_eq!(quantized.scales, [1.0]);
    assert_eq!(quantized.bias, [0]);
}

#[test]
fn a_bias_beyond_its_bits_enlarges_the_scale() {
    let quantized = quantize_weights(&[1e-9, 0.0], Some(&[1000.0, -4.0]), 2, 0.5, |index| index);
    assert_eq!(quantized.values, [0, 0]);
    for (bias, (&stored, &scale)) in [1000.0, -4.0].iter().zip(quantized.bias.iter().zip(&quantized.scales)) {
        assert!(stored.unsigned_abs() <= (1 << 30) + 100, "{stored}");
        assert!((f64::from(stored) * 0.5 * f64::from(scale) - bias).abs() < 1e-6 * f64::from(*bias as f32).abs());
    }
    // numbers too small for f32's scales, and none at all
    let quantized = quantize_weights(&[1e-44, 0.0], None, 2, 0.5, |index| index);
    assert_eq!((quantized.values, quantized.scales), (vec![0, 0], vec![1.0, 1.0]));
}

#[test]
fn pixels_stay_what_they_are() {
    let input = |scale: f32, offset: f32| {
        let operator = Operator::Input { element: Element::U8, scale, offset };
        let graph = chain(&[4, 4, 2], operator.clone(), vec![]);
        let quantized = quantize(&graph, &Ranges::default()).unwrap();
        assert_eq!(quantized.layers[0].operator, operator, "the caller still hands over pixels");
        of(&quantized, "input")
    };
    assert_eq!(input(1.0 / 255.0, 0.0), quantization(1.0 / 255.0, -128));
    assert_eq!(input(1.0, 0.0), quantization(1.0, -128));
    assert_eq!(input(1.0 / 128.0, -1.0), quantization(1.0 / 128.0, 0));
    assert_eq!(input(0.1, -20.0), quantization(0.1, 72));
    // half a step: the exact range
    assert_eq!(input(1.0 / 127.5, -1.0), quantization(2.0 / 255.0, -1));
    // whole steps, but no zero in the range
    assert_eq!(input(1.0, 3.0), quantization(258.0 / 255.0, -128));
    // dark is bright
    assert_eq!(input(-1.0 / 255.0, 1.0), quantization(1.0 / 255.0, -128));
}

#[test]
fn a_chain_by_hand() {
    let graph = chain(
        &[2, 2, 1],
        REALS,
        vec![
            ("conv", pointwise(vec![1.27, -2.54], Some(vec![0.5, 0.0]))),
            ("relu", Operator::Activation(Function::Relu)),
            ("pool", Operator::AveragePool { window: Window { size: [2, 1], ..Window::POINT } }),
            ("flatten", Operator::Flatten),
            ("softmax", Operator::Softmax),
        ],
    );
    // what is below zero is cut, though the range has it
    let ranges = ranges(&[("input", [-1.0, 1.55]), ("conv", [-3.0, 5.1])]);
    let quantized = quantize(&graph, &ranges).unwrap();
    quantized.check().unwrap();
    assert_eq!(of(&quantized, "input"), quantization(0.01, -28));
    let conv = of(&quantized, "conv");
    assert_eq!(conv, quantization(0.02, -128));
    assert_eq!((of(&quantized, "pool"), of(&quantized, "flatten")), (conv, conv));
    assert_eq!(of(&quantized, "softmax"), quantization(1.0 / 256.0, -128));
    let Operator::Input { element: Element::I8, scale: 0.01, offset } = quantized.layers[0].operator else {
        panic!("{:?}", quantized.layers[0].operator)
    };
    assert!((offset - 0.28).abs() < 1e-6);
    let (weights, bias) = quantized.layers[1].operator.weights().unwrap();
    assert_eq!(weights, &Weights::I8 { values: vec![127, -127], scales: vec![0.01, 0.02] });
    assert_eq!(bias, Some(&Bias::I32(vec![5000, 0])));
}

/// What rounding takes off weights of one channel, as a sum of squares.
fn lost(weights: &[f32], values: &[i8], scale: f32) -> f64 {
    let lost = |(&weight, &value): (&f32, &i8)| f64::from(weight) - f64::from(scale) * f64::from(value);
    weights.iter().zip(values).map(lost).map(|lost| lost * lost).sum()
}

#[test]
fn four_bits_lose_less_than_with_the_largest_weight_s_scale() {
    let mut random = fastrand::Rng::with_seed(5);
    let (mut better, mut of_the_largest, mut of_the_best) = (0, 0.0, 0.0);
    for _ in 0..200 {
        // As trained weights are: the more, the nearer to zero.
        let count = random.usize(1..200);
        let weights: Vec<f32> = (0..count).map(|_| (0..4).map(|_| random.f32() - 0.5).sum()).collect();
        let found = quantize_weights_int4(&weights, None, 1, 0.1, |_| 0);
        assert!(found.values.iter().all(|value| (-7..=7).contains(value)));
        let largest = weights.iter().fold(0f32, |largest, weight| largest.max(weight.abs())) / 7.0;
        let plain: Vec<i8> = weights.iter().map(|weight| (weight / largest).round() as i8).collect();
        let (best, plain) = (lost(&weights, &found.values, found.scales[0]), lost(&weights, &plain, largest));
        assert!(best <= plain * 1.000_001, "{best}, with the largest weight's scale {plain}");
        better += usize::from(best < 0.9 * plain);
        of_the_largest += plain;
        of_the_best += best;
    }
    println!("{better} of 200 a tenth better, {of_the_best} for {of_the_largest} in all");
    assert!(better > 100 && of_the_best < 0.9 * of_the_largest);
}

#[test]
fn four_bits_have_a_channel_of_zeros_and_a_bias_beyond_the_weights() {
    let quantized = quantize_weights_int4(&[0.0, 0.0, 1e-9, -1e-9], Some(&[0.0, 1e6]), 2, 1e-3, |index| index / 2);
    assert_eq!(quantized.scales[0], 1.0);
    assert_eq!(quantized.values, [0; 4]);
    // A scale in f32 is a rounded one.
    assert!(quantized.bias[0] == 0 && quantized.bias[1].abs_diff(1 << 30) < 100, "{:?}", quantized.bias);
}

/// A chain of a convolution, a depthwise and two pointwise ones: which weights are of four bits, and that each layer's answer in them is as
/// far from the real numbers as their steps say at most.
#[test]
fn layers_have_four_bits_that_lose_little_by_them() {
    let mut random = fastrand::Rng::with_seed(6);
    let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.f32() - 0.5).collect() };
    let window = Window { size: [3, 3], padding: Padding::Same, ..Window::POINT };
    let bias = Some(Bias::F32(vec![0.1; 8]));
    let convolution = |weights: Vec<f32>, window| Operator::Convolution {
        weights: Weights::F32(weights),
        bias: bias.clone(),
        window,
        activation: None,
    };
    let depthwise = Operator::Depthwise {
        weights: Weights::F32(numbers(72)),
        bias: bias.clone(),
        window,
        multiplier: 1,
        activation: None,
    };
    let layers = vec![
        ("first", convolution(numbers(8 * 27), window)),
        ("depthwise", depthwise),
        ("inner", convolution(numbers(64), Window::POINT)),
        ("last", convolution(numbers(64), Window::POINT)),
    ];
    let graph = chain(&[6, 5, 3], REALS, layers);
    let frame = numbers(90);
    let bytes: Vec<u8> = frame.iter().flat_map(|value| value.to_le_bytes()).collect();
    let ranges = calibrate(&graph, [Ok(bytes)], Method::MinMax, |_| ()).unwrap();
    let int4 = int4_layers(&graph);
    let names: Vec<&str> = int4.iter().map(|&layer| graph.layers[layer].name.as_str()).collect();
    assert_eq!(names, ["inner"]);
    assert_eq!(weighted(&graph).len(), 4);
    let reals: Vec<f64> = frame.iter().map(|&value| f64::from(value)).collect();
    let expected = &naive::outputs(&graph, &reals)[0].values;
    let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let mut bytes_of_weights = Vec::new();
    for (int4, most) in [(BTreeSet::new(), 0.03), (int4, 0.15), (weighted(&graph), 0.3)] {
        let quantized = quantize_with_int4(&graph, &ranges, &int4).unwrap();
        for (index, layer) in quantized.layers.iter().enumerate() {
            let Some((weights, _)) = layer.operator.weights() else { continue };
            assert_eq!(matches!(weights, Weights::I4 { .. }), int4.contains(&index), "{}", layer.name);
        }
        let kernels = microception_codegen::lower::kernels(&quantized, &BTreeSet::new()).unwrap();
        bytes_of_weights.push(kernels.iter().map(microception_codegen::lower::Kernel::weight_bytes).sum::<usize>());
        let input = of(&quantized, "input");
        let stored = |value: &f32| ((value / input.scale).round() as i32 + input.zero_point).clamp(-128, 127) as u8;
        let stored: Vec<u8> = frame.iter().map(stored).collect();
        let mut answers = Vec::new();
        for strategy in [Strategy::Whole, Strategy::Smallest] {
            answers.push(Machine::new(&quantized, strategy).unwrap().run(&stored).unwrap());
        }
        assert_eq!(answers[0], answers[1]);
        let output = of(&quantized, "last");
        let real = |&byte: &u8| f64::from(output.scale) * f64::from(i32::from(byte.cast_signed()) - output.zero_point);
        let off =
            answers[0].iter().map(real).zip(expected).map(|(found, real)| (found - real).abs()).fold(0.0, f64::max);
        println!("{} layers of four bits: {:.3} of the largest", int4.len(), off / largest);
        assert!(off <= most * largest, "{} layers: {off} of {largest}", int4.len());
    }
    // Of 8 channels: 12 bytes each; 27 weights are filled up to 28 for each line, 9 to 12.
    assert_eq!(
        bytes_of_weights,
        [8 * 48 + 36 * 8 + 12 * 8 + 64 + 64, 8 * 48 + 36 * 8 + 12 * 8 + 32 + 64, 4 * 96 + 18 * 8 + 48 + 64]
    );
}

#[test]
fn a_missing_bias_becomes_zeros() {
    let graph = chain(&[2, 2, 1], PIXELS, vec![("conv", pointwise(vec![1.0, 2.0], None))]);
    let quantized = quantize(&graph, &ranges(&[("conv", [0.0, 1.0])])).unwrap();
    assert_eq!(quantized.layers[1].operator.weights().unwrap().1, Some(&Bias::I32(vec![0, 0])));
}

#[test]
fn relu6_and_sigmoid_have_fixed_ends() {
    let graph = chain(
        &[2, 2, 1],
        PIXELS,
        vec![
            ("conv", pointwise(vec![1.0], None)),
            ("relu6", Operator::Activation(Function::Relu6)),
            ("scaled", pointwise(vec![-1.0], None)),
            ("sigmoid", Operator::Activation(Function::Sigmoid)),
        ],
    );
    let quantized = quantize(&graph, &ranges(&[("conv", [0.0, 60.0]), ("scaled", [-6.0, 0.0])])).unwrap();
    assert_eq!(of(&quantized, "conv"), quantization(6.0 / 255.0, -128));
    assert_eq!(of(&quantized, "sigmoid"), quantization(1.0 / 256.0, -128));
}

#[test]
fn what_only_a_max_pool_reads_has_the_pools_range() {
    let pool = Operator::MaxPool { window: Window { size: [2, 2], ..Window::POINT } };
    let entries = [("conv", [-10.0, 5.0]), ("pool", [-0.1, 5.0]), ("sum", [-9.0, 9.0])];
    let mut graph = chain(&[4, 4, 1], PIXELS, vec![("conv", pointwise(vec![1.0], None)), ("pool", pool)]);
    let quantized = quantize(&graph, &ranges(&entries)).unwrap();
    assert_eq!(of(&quantized, "conv"), activation_quantization([-0.1, 5.0], 0.0).unwrap());
    assert_eq!(of(&quantized, "pool"), of(&quantized, "conv"));
    // another reader needs what the pool does not let through
    let conv = graph.layers[1].output;
    let sum = graph.push("sum", Operator::add(None), vec![conv, conv], graph.tensor(conv).shape.clone());
    graph.outputs.push(sum);
    let quantized = quantize(&graph, &ranges(&entries)).unwrap();
    assert_eq!(of(&quantized, "conv"), activation_quantization([-10.0, 5.0], 0.0).unwrap());
}

#[test]
fn graphs_that_can_not_be_quantized_are_errors() {
    let graph = chain(&[2, 2, 1], PIXELS, vec![("conv", pointwise(vec![1.0], None))]);
    let error = quantize(&graph, &Ranges::default()).unwrap_err();
    assert_eq!(error.layer.as_deref(), Some("conv"));
    assert!(error.reason.contains("calibrate again"), "{error}");

    let entries = ranges(&[("conv", [0.0, 1.0]), ("norm", [0.0, 1.0])]);
    let quantized = quantize(&graph, &entries).unwrap();
    assert!(quantize(&quantized, &entries).unwrap_err().reason.contains("quantized already"));

    let mut twice = graph.clone();
    twice.tensors[1].name = "input".into();
    assert!(quantize(&twice, &entries).unwrap_err().reason.contains("two layers have this name"));

    let mut raw = graph;
    let norm = Operator::ScaleShift { scale: vec![1.0], shift: vec![1.0] };
    let normed = raw.push("norm", norm, vec![TensorId(1)], Shape(vec![2, 2, 1]));
    raw.outputs = vec![normed];
    assert!(quantize(&raw, &entries).unwrap_err().reason.contains("folded away"));
}

#[test]
fn ranges_files_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ranges.json");
    let mut kept = Ranges::of(Method::PERCENTILE, 500);
    kept.source = Some("pictures with a \"name\"\n".to_owned());
    kept.set("conv2d", [-1.0, f32::MIN_POSITIVE]).unwrap();
    kept.set("separable/\"pointwise\"", [0.1 + 0.2, f32::MAX]).unwrap();
    kept.save(&file).unwrap();
    assert_eq!(Ranges::load(&file).unwrap(), kept);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let bare = Ranges::from_json(r#"{"ranges": {"conv2d": [-1, 2.5]}}"#).unwrap();
    assert_eq!(bare.get("conv2d"), Some([-1.0, 2.5]));
    assert_eq!(Ranges::from_json(&Ranges::default().to_json()).unwrap(), Ranges::default());
}

#[test]
fn damaged_ranges_files_are_errors_that_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let load = |text: &str| -> Error {
        let file = folder.path().join("ranges.json");
        std::fs::write(&file, text).unwrap();
        let error = Ranges::load(&file).unwrap_err();
        assert_eq!(error.file.as_deref(), Some(file.as_path()));
        error
    };
    for text in ["", "[]", "{", r#"{"conv2d": [0, 1]}"#, r#"{"ranges": {"conv2d": [0]}}"#, "{\"ranges\": \"\u{0}\"}"] {
        assert!(load(text).reason.contains("not activation ranges"), "{text}");
    }
    assert!(load(r#"{"ranges": {"conv2d": [0, NaN]}}"#).reason.contains("not activation ranges"));
    let error = load(r#"{"ranges": {"conv2d": [0, 1e99]}}"#);
    assert!(error.to_string().contains("range"), "{error}");
    let error = load(r#"{"ranges": {"conv2d": [2, 1]}}"#);
    assert_eq!(error.layer.as_deref(), Some("conv2d"));
    assert!(error.reason.contains("ends before it begins"));
    let missing = folder.path().join("missing.json");
    assert_eq!(Ranges::load(&missing).unwrap_err().file.as_deref(), Some(missing.as_path()));
    assert!(Ranges::default().save(folder.path().join("no folder/ranges.json")).is_err());
    assert!(Ranges::default().set("conv2d", [f32::NAN, 1.0]).is_err());
}

#[test]
fn methods_are_read_as_they_are_written() {
    for method in [Method::MinMax, Method::PERCENTILE, Method::Percentile(99.9)] {
        assert_eq!(method.to_string().parse::<Method>().unwrap(), method);
    }
    assert_eq!("percentile:99.9".parse::<Method>().unwrap(), Method::Percentile(99.9));
    assert_eq!("percentile".parse::<Method>().unwrap(), Method::PERCENTILE);
    for text in ["", "max", "percentile:", "percentile:NaN", "percentile:101", "percentile:1", "min-max:3"] {
        assert!(text.parse::<Method>().is_err(), "{text}");
    }
}

/// Frames of one value per pixel for a model that passes pixels on as they are.
fn observed(method: Method, frames: Vec<Vec<u8>>) -> Result<Ranges, Error> {
    let operator = Operator::Input { element: Element::U8, scale: 1.0, offset: 0.0 };
    let graph = chain(&[10, 10, 1], operator, vec![]);
    calibrate(&graph, frames.into_iter().map(Ok), method, |_| ())
}

#[test]
fn calibration_finds_ranges() {
    let mut frames = vec![vec![100u8; 100]; 200];
    frames[7][3] = 255;
    frames[9][99] = 1;
    for value in 50..150 {
        frames[10][usize::from(value - 50)] = value;
    }
    let minmax = observed(Method::MinMax, frames.clone()).unwrap();
    assert_eq!(minmax.get("input"), Some([1.0, 255.0]));
    assert_eq!((minmax.frames, minmax.method.as_deref()), (Some(200), Some("min-max")));
    // 20,000 values: two at each end may go
    let [least, greatest] = observed(Method::PERCENTILE, frames.clone()).unwrap().get("input").unwrap();
    assert!((50.0..52.0).contains(&least) && (147.0..150.0).contains(&greatest), "[{least}, {greatest}]");
    // the order of the frames does not matter
    frames.reverse();
    assert_eq!(observed(Method::PERCENTILE, frames.clone()).unwrap().get("input"), Some([least, greatest]));
    // the hundredth percentile is the greatest
    assert_eq!(observed(Method::Percentile(100.0), frames).unwrap().get("input"), Some([1.0, 255.0]));
}

/// Of what is computed only the padding is left, so that the rows before it are never made.
#[test]
fn rows_that_nobody_needs_have_a_range_too() {
    let padding = Operator::Pad { before: [2, 0, 0, 0], after: [0; 4], value: 0.25 };
    let crop = Operator::Crop { before: vec![0, 0, 0], shape: Shape(vec![2, 3, 1]) };
    let graph = chain(&[4, 3, 1], REALS, vec![("conv", pointwise(vec![2.0], None)), ("pad", padding), ("crop", crop)]);
    for method in [Method::MinMax, Method::Mse, Method::PERCENTILE] {
        let frames =
            (1..3).map(|number| Ok([number as f32; 12].iter().flat_map(|value| value.to_le_bytes()).collect()));
        let found = calibrate(&graph, frames, method, |_| ()).unwrap();
        assert_eq!(found.get("conv"), Some([0.0, 0.0]), "{method:?}");
        let quantized = quantize(&graph, &found).unwrap();
        let output = Machine::new(&quantized, Strategy::Balanced).unwrap().run(&[1; 12]).unwrap().to_vec();
        let Quantization { scale, zero_point } = of(&quantized, "crop");
        let real = output.iter().map(|&stored| scale * (i32::from(stored.cast_signed()) - zero_point) as f32);
        assert!(real.clone().all(|real| (real - 0.25).abs() < scale), "{method:?}: {:?}", real.collect::<Vec<_>>());
    }
}

/// Together its tensors need more addresses than a step has: rows of 252 bytes, 555 KB in all.
#[test]
fn calibration_takes_models_of_any_size() {
    let layers =
        vec![("conv", pointwise(vec![-2.0], None)), ("mean", Operator::GlobalAveragePool { keep_dims: false })];
    let graph = chain(&[1100, 63, 1], REALS, layers);
    let mut values = vec![1.0f32; 1100 * 63];
    values[1099 * 63] = -3.0;
    values[5] = 7.0;
    let frame = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let found = calibrate(&graph, [Ok(frame)], Method::MinMax, |_| ()).unwrap();
    assert_eq!((found.get("input"), found.get("conv")), (Some([-3.0, 7.0]), Some([-14.0, 6.0])));
    let [least, greatest] = found.get("mean").unwrap();
    assert!(least == greatest && (-2.01..-1.99).contains(&least), "one value, when the last row is in: {least}");
}

#[test]
fn calibration_tells_what_is_wrong() {
    assert!(observed(Method::MinMax, vec![]).unwrap_err().reason.contains("calibration data is empty"));
    assert!(observed(Method::MinMax, vec![vec![0; 99]]).unwrap_err().reason.contains("99 bytes"));

    let graph = chain(&[1, 1, 1], REALS, vec![("conv", pointwise(vec![3e38], None))]);
    let frames = [1.0f32, 100.0].map(|value| Ok(value.to_le_bytes().to_vec()));
    let error = calibrate(&graph, frames, Method::MinMax, |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "layer \"conv\": makes inf of calibration frame 2: no range covers that");

    let mut told = Vec::new();
    let frames = vec![Ok(vec![0; 4]), Err(Error::file("picture.png", "damaged"))];
    let error = calibrate(&graph, frames, Method::MinMax, |done| told.push(done)).unwrap_err();
    assert_eq!((error.to_string().as_str(), told), ("picture.png: damaged", vec![1]));
}

#[test]
fn an_observer_takes_values_from_anywhere() {
    let graph = chain(&[2, 2, 1], REALS, vec![("conv", pointwise(vec![1.0], None))]);
    let mut observer = Observer::new(&graph, Method::MinMax);
    let values = [-3.0, 0.5];
    observer.frame(|tensor| (tensor == graph.outputs[0]).then_some(&values[..])).unwrap();
    let ranges = observer.ranges().unwrap();
    assert_eq!((ranges.get("conv"), ranges.get("input")), (Some([-3.0, 0.5]), None));
}

/// int8 by plain loops over one convolution: integers, and one real factor for each channel.
#[test]
fn a_quantized_convolution_computes_nearly_the_same() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..50 {
        let (size, inputs, outputs) = (random.usize(3..7), random.usize(1..4), random.usize(1..5));
        let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.f32() * 2.0 - 1.0).collect() };
        let window = Window { size: [3, 3], padding: Padding::Same, ..Window::POINT };
        let operator = Operator::Convolution {
            weights: Weights::F32(numbers(9 * inputs * outputs)),
            bias: Some(Bias::F32(numbers(outputs))),
            window,
            activation: Some(Function::Relu),
        };
        let graph = chain(&[size, size, inputs], REALS, vec![("conv", operator)]);
        let frame = numbers(size * size * inputs);
        let bytes: Vec<u8> = frame.iter().flat_map(|value| value.to_le_bytes()).collect();
        let ranges = calibrate(&graph, [Ok(bytes)], Method::MinMax, |_| ()).unwrap();
        let quantized = quantize(&graph, &ranges).unwrap();

        let (input, output) = (of(&quantized, "input"), of(&quantized, "conv"));
        let (Weights::I8 { values, scales }, Some(Bias::I32(bias))) = quantized.layers[1].operator.weights().unwrap()
        else {
            panic!("weights are not quantized")
        };
        let stored: Vec<i32> = frame
            .iter()
            .map(|value| ((value / input.scale).round() as i32 + input.zero_point).clamp(-128, 127))
            .collect();
        let expected = &naive::outputs(&graph, &frame.iter().map(|&value| f64::from(value)).collect::<Vec<_>>())[0];
        for row in 0..size {
            for column in 0..size {
                for channel in 0..outputs {
                    let mut sum = bias[channel];
                    for tap in 0..9 {
                        let (y, x) = ((row + tap / 3).wrapping_sub(1), (column + tap % 3).wrapping_sub(1));
                        for from in 0..inputs {
                            if y < size && x < size {
                                let weight = i32::from(values[(channel * 9 + tap) * inputs + from]);
                                sum += weight * (stored[(y * size + x) * inputs + from] - input.zero_point);
                            }
                        }
                    }
                    let factor = f64::from(input.scale) * f64::from(scales[channel]) / f64::from(output.scale);
                    let result = ((f64::from(sum) * factor).round() as i32 + output.zero_point).clamp(-128, 127);
                    let real = f64::from(output.scale) * f64::from(result - output.zero_point);
                    let expected = expected.values[(row * size + column) * outputs + channel];
                    // half a step of the result, and of every input and weight
                    let largest_weight = f64::from(scales[channel]) * 127.0;
                    let rounding = (9 * inputs) as f64
                        * (f64::from(input.scale) * largest_weight + f64::from(scales[channel]) * 1.0)
                        / 2.0;
                    assert!(
                        (real - expected).abs() <= f64::from(output.scale) * 1.01 + rounding,
                        "{real} for {expected}"
                    );
                }
            }
        }
    }
}

/// Random networks on the runtime's own kernels: int8 stays close to f32.
#[test]
fn quantized_graphs_compute_nearly_the_same() {
    let mut errors = Vec::new();
    for seed in 0..200 {
        let mut read = random_graph::graph(seed);
        read.outputs.truncate(1);
        let graph = passes::run(read).unwrap();
        let Operator::Input { element, .. } = graph.layers[0].operator else { panic!("no input") };
        let frames: Vec<Vec<u8>> = (0..8)
            .map(|frame| {
                let pixels = random_graph::pixels(&graph, seed * 8 + frame);
                match element {
                    Element::U8 => pixels.iter().map(|&pixel| pixel as u8).collect(),
                    _ => pixels.iter().flat_map(|&pixel| (pixel as f32).to_le_bytes()).collect(),
                }
            })
            .collect();
        let ranges = calibrate(&graph, frames.iter().cloned().map(Ok), Method::MinMax, |_| ()).unwrap();
        let quantized = quantize(&graph, &ranges).unwrap();
        let mut float = Machine::new(&graph, Strategy::Smallest).unwrap();
        let mut int8 = Machine::new(&quantized, Strategy::Smallest).unwrap();
        let input = quantized.tensors[0].quantization.unwrap();
        let output = quantized.tensor(quantized.outputs[0]).quantization.unwrap();
        for frame in &frames {
            let expected: Vec<f32> = reals(&float.run(frame).unwrap());
            let frame: Vec<u8> = match element {
                Element::U8 => frame.clone(),
                _ => reals(frame)
                    .iter()
                    .map(|real| ((real / input.scale).round() as i32 + input.zero_point).clamp(-128, 127) as u8)
                    .collect(),
            };
            let range = expected.iter().fold([0f32, 1e-9], |[least, greatest], &x| [least.min(x), greatest.max(x)]);
            for (&stored, expected) in int8.run(&frame).unwrap().iter().zip(expected) {
                let real = output.scale * (i32::from(stored as i8) - output.zero_point) as f32;
                errors.push((real - expected).abs() / (range[1] - range[0]));
            }
        }
    }
    errors.sort_by(f32::total_cmp);
    let at = |share: f64| errors[(share * (errors.len() - 1) as f64) as usize];
    assert!(at(0.5) < 0.005 && at(0.95) < 0.03, "median {}, 95% {}, all {}", at(0.5), at(0.95), at(1.0));
}

fn reals(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
}

#[test]
fn the_shipped_ranges_are_those_of_the_shipped_model() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xception_lite");
    let graph = passes::run(microception_codegen::read::read(&folder.join("xlite.keras")).unwrap()).unwrap();
    let ranges = Ranges::load(folder.join("ranges.json")).unwrap();
    let names: Vec<&str> = ranges.iter().map(|(name, _)| name).collect();
    assert!(graph.tensors.iter().all(|tensor| names.contains(&tensor.name.as_str())));
    assert_eq!(names.len(), graph.tensors.len());
    let quantized = quantize(&graph, &ranges).unwrap();
    assert_eq!(of(&quantized, "image"), quantization(1.0 / 255.0, -128));
}
