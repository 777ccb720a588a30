//! Quantization that loses less: equalization keeps what the graph computes and brings back what spread scales break, ranges
//! with the least mean square are that, and corrected biases have the right mean.

#[path = "common/arrays.rs"]
mod arrays;
#[path = "common/random_graph.rs"]
mod random_graph;

use std::path::Path;

use microception_codegen::convert::{Convert, Precision};
use microception_codegen::data::Output;
use microception_codegen::graph::{Bias, Element, Function, Graph, Operator, Shape, TensorId, Weights, Window};
use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::quantize::{
    Elements, Method, Observer, Ranges, calibrate, choose, equalize, quantize, quantize_mixed,
};

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
}

/// Bytes of random frames: pixels, or reals of that size.
fn frames(graph: &Graph, seed: u64) -> Vec<Vec<u8>> {
    let Operator::Input { element, .. } = graph.layers[0].operator else { panic!("no input") };
    (0..4)
        .map(|frame| {
            let pixels = random_graph::pixels(graph, seed * 8 + frame);
            match element {
                Element::U8 => pixels.iter().map(|&pixel| pixel as u8).collect(),
                _ => pixels.iter().flat_map(|&pixel| (pixel as f32).to_le_bytes()).collect(),
            }
        })
        .collect()
}

#[test]
fn an_equalized_graph_computes_the_same() {
    let mut changed = 0;
    for seed in 0..200 {
        let mut read = random_graph::graph(seed);
        read.outputs.truncate(1);
        let graph = passes::run(read).unwrap();
        let equalized = equalize(&graph);
        changed += usize::from(equalized != graph);
        let mut machines = [&graph, &equalized].map(|graph| Machine::new(graph, Strategy::Smallest).unwrap());
        for frame in frames(&graph, seed) {
            let [expected, found] = machines.each_mut().map(|machine| floats(&machine.run(&frame).unwrap()));
            assert_eq!(found, expected, "graph {seed}");
        }
    }
    assert!(changed > 50, "equalization changed {changed} of 200 graphs");
}

/// The largest weight over the smallest channel's largest, of the channels that a layer makes.
fn spread(graph: &Graph, name: &str) -> f32 {
    let layer = graph.layers.iter().find(|layer| layer.name == name).unwrap();
    let Some((Weights::F32(weights), _)) = layer.operator.weights() else { panic!("no weights") };
    let outputs = graph.tensor(layer.output).shape.channels();
    let per_output = weights.len() / outputs;
    let largest = |weights: &[f32]| weights.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
    let largest: Vec<f32> = match layer.operator {
        Operator::Depthwise { .. } => (0..outputs)
            .map(|channel| largest(&weights.iter().skip(channel).step_by(outputs).copied().collect::<Vec<_>>()))
            .collect(),
        _ => weights.chunks(per_output).map(largest).collect(),
    };
    largest.iter().fold(0f32, |a, &b| a.max(b)) / largest.iter().fold(f32::MAX, |a, &b| a.min(b))
}

fn pointwise(outputs: usize, inputs: usize, weight: impl Fn(usize, usize) -> f32, bias: f32) -> Operator {
    let weights = (0..outputs).flat_map(|output| (0..inputs).map(move |input| (output, input)));
    Operator::Convolution {
        weights: Weights::F32(weights.map(|(output, input)| weight(output, input)).collect()),
        bias: Some(Bias::F32(vec![bias; outputs])),
        window: Window::POINT,
        activation: None,
    }
}

fn chain(extents: &[usize], layers: Vec<(&str, Operator)>) -> Graph {
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let mut graph = Graph::new("chain");
    let mut tensor = graph.push("input", input, vec![], Shape(extents.to_vec()));
    for (name, operator) in layers {
        tensor = graph.push(name, operator, vec![tensor], Shape(vec![]));
    }
    graph.outputs = vec![tensor];
    passes::run(graph).unwrap()
}

#[test]
fn channels_far_apart_are_brought_together() {
    // The third channel is a thousand times the first, and its reader takes a thousandth of it.
    let sizes = [1.0, 30.0, 1000.0];
    let graph = chain(
        &[2, 2, 2],
        vec![
            ("first", pointwise(3, 2, |output, input| sizes[output] * [0.5, -0.25][input], 0.0)),
            ("relu", Operator::Activation(Function::Relu)),
            ("second", pointwise(2, 3, |output, input| [1.0, -0.5][output] / sizes[input], 0.1)),
        ],
    );
    assert!(spread(&graph, "first") > 900.0);
    // Factors are powers of two.
    assert!(spread(&equalize(&graph), "first") <= 2.0);
}

/// Multiplies what a layer makes by a factor for each channel, and divides what it does to its input by one.
fn scale(operator: &mut Operator, outputs: usize, made: Option<&[f32]>, read: Option<&[f32]>) {
    let outputs_last = matches!(operator, Operator::Depthwise { .. });
    let (Operator::Convolution { weights: Weights::F32(weights), bias, .. }
    | Operator::Depthwise { weights: Weights::F32(weights), bias, .. }) = operator
    else {
        panic!("no weights")
    };
    let per_output = weights.len() / outputs;
    for (index, weight) in weights.iter_mut().enumerate() {
        let output = if outputs_last { index % outputs } else { index / per_output };
        *weight *= made.map_or(1.0, |factors| factors[output]);
        // With one output for each input, a depthwise layer's are the same.
        *weight /= read.map_or(1.0, |factors| factors[index % factors.len()]);
    }
    if let (Some(Bias::F32(bias)), Some(factors)) = (bias, made) {
        bias.iter_mut().zip(factors).for_each(|(bias, factor)| *bias *= factor);
    }
}

/// A network whose channels are scaled over three decades wherever convolutions alone read them: what it computes stays the same.
fn hostile(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let mut random = fastrand::Rng::with_seed(7);
    let is_convolution = |graph: &Graph, index: usize| {
        matches!(graph.layers[index].operator, Operator::Convolution { .. } | Operator::Depthwise { .. })
    };
    let mut scaled = 0;
    for maker in 0..graph.layers.len() {
        let output = graph.layers[maker].output;
        let readers = (0..graph.layers.len()).filter(|&reader| graph.layers[reader].inputs.contains(&output));
        let readers: Vec<usize> = readers.collect();
        if !is_convolution(&graph, maker) || !readers.iter().all(|&reader| is_convolution(&graph, reader)) {
            continue;
        }
        let channels = graph.tensor(output).shape.channels();
        let factors: Vec<f32> = (0..channels).map(|_| 10f32.powf(3.0 * random.f32() - 1.5)).collect();
        scale(&mut graph.layers[maker].operator, channels, Some(&factors), None);
        for reader in readers {
            let outputs = graph.tensor(graph.layers[reader].output).shape.channels();
            scale(&mut graph.layers[reader].operator, outputs, None, Some(&factors));
        }
        scaled += 1;
    }
    assert!(scaled >= 5, "only {scaled} layers could be scaled");
    graph
}

fn shipped() -> Convert {
    Convert::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xception_lite/xlite.keras"))
}

/// The pictures of the shipped model's golden outputs, and the class that Keras gives to each.
fn golden() -> (Vec<Vec<u8>>, Vec<usize>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xception_lite/golden100.npz");
    let arrays = arrays::Arrays::open(&file);
    let pictures = arrays.bytes("image").chunks(32 * 32 * 3).map(<[u8]>::to_vec).collect();
    let best = |scores: &[f32]| (0..10).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
    (pictures, floats(&arrays.array("keras").unwrap().1).chunks(10).map(best).collect())
}

/// How many pictures int8 takes for what Keras does.
fn agreeing(graph: &Graph, ranges: &Ranges, pictures: &[Vec<u8>], classes: &[usize]) -> usize {
    let mut machine = Machine::new(&quantize(graph, ranges).unwrap(), Strategy::Balanced).unwrap();
    let best = |scores: &[u8]| (0..10).max_by_key(|&class| (scores[class].cast_signed(), 10 - class)).unwrap();
    let found = pictures.iter().map(|picture| best(&machine.run(picture).unwrap()));
    found.zip(classes).filter(|(found, class)| found == *class).count()
}

#[test]
fn equalization_brings_back_what_spread_scales_break() {
    let (pictures, classes) = golden();
    let broken = hostile(&shipped().prepare().unwrap().graph);
    let ranges = |graph: &Graph| calibrate(graph, pictures.iter().cloned().map(Ok), Method::MinMax, |_| ()).unwrap();
    let without = agreeing(&broken, &ranges(&broken), &pictures, &classes);
    let equalized = equalize(&broken);
    let with = agreeing(&equalized, &ranges(&equalized), &pictures, &classes);
    println!("of 100 pictures int8 takes {without} for what Keras does, equalized {with}");
    assert!(without < 70, "{without}: not hostile enough to show anything");
    assert!(with >= 97, "{with} of 100");
}

/// The mean square of what int8 loses of these values with that range.
fn lost(values: &[f32], [least, greatest]: [f32; 2]) -> f64 {
    let quantization = microception_codegen::quantize::activation_quantization([least, greatest], 0.0).unwrap();
    let (scale, zero) = (f64::from(quantization.scale), f64::from(quantization.zero_point));
    let square = |&value: &f32| {
        let stored = (f64::from(value) / scale + zero).round().clamp(-128.0, 127.0);
        (scale * (stored - zero) - f64::from(value)).powi(2)
    };
    values.iter().map(square).sum::<f64>() / values.len() as f64
}

#[test]
fn the_least_mean_square_is_found() {
    let mut random = fastrand::Rng::with_seed(3);
    let graph = chain(&[10_000], vec![("again", Operator::Activation(Function::Relu))]);
    // Bell curves of several skews, some with outliers, some with the zeros of a ReLU.
    for (skew, outlier, zeros) in
        [(0.0, 1.0, false), (0.0, 12.0, false), (0.5, 40.0, true), (-3.0, 6.0, false), (2.0, 3.0, true)]
    {
        let mut value = || (0..12).map(|_| random.f32() - 0.5).sum::<f32>() + skew;
        let mut values: Vec<f32> = (0..10_000).map(|_| value()).collect();
        values[17] *= outlier;
        values[3000] *= outlier;
        if zeros {
            values.iter_mut().for_each(|value| *value = value.max(0.0));
        }
        let mut observer = Observer::new(&graph, Method::Mse);
        observer.frame(|tensor| (tensor == TensorId(0)).then_some(values.as_slice())).unwrap();
        let range = observer.ranges().unwrap().get("input").unwrap();
        let ends =
            [0, 1].map(|end| values.iter().copied().fold(0f32, |a, b| if end == 0 { a.min(b) } else { a.max(b) }));
        let parts = (1..=40).map(|part| part as f32 / 40.0);
        let tried = parts.clone().flat_map(|low| parts.clone().map(move |high| [low, high]));
        let least = tried.map(|[low, high]| lost(&values, [ends[0] * low, ends[1] * high])).fold(f64::MAX, f64::min);
        let found = lost(&values, range);
        assert!(found <= 1.03 * least, "{range:?} of {ends:?} loses {found:e}, where {least:e} is possible");
    }
}

#[test]
fn a_corrected_bias_takes_back_what_rounding_adds() {
    // The largest weight is 127 steps of 0.01; the others lie 0.4 of a step above one.
    let graph = chain(
        &[4, 3],
        vec![(
            "pointwise",
            pointwise(
                2,
                3,
                |output, input| match input {
                    0 => 1.27,
                    input => 0.01 * (10.4 + (output + input) as f32),
                },
                0.5,
            ),
        )],
    );
    let mut ranges = Ranges::default();
    ranges.set("input", [0.0, 2.55]).unwrap();
    ranges.set("pointwise", [0.0, 10.0]).unwrap();
    let bias = |ranges: &Ranges| match quantize(&graph, ranges).unwrap().layers[1].operator.weights() {
        Some((_, Some(Bias::I32(bias)))) => bias.clone(),
        _ => panic!("no bias"),
    };
    assert_eq!(bias(&ranges), [5000; 2]); // 0.5 in steps of 0.01 times 0.01
    ranges.set_mean("input", vec![9.0, 1.5, 0.5]).unwrap();
    // 0.4 of a step too little of each of two weights: 0.004 * (1.5 + 0.5), in steps of 0.0001
    assert_eq!(bias(&ranges), [5080; 2]);
    assert_eq!(bias(&ranges.clone().without_means()), [5000; 2]);
    // in 16 bits the same, in finer steps
    let wide = quantize_mixed(&graph, &ranges, &Elements::all(Element::I16)).unwrap();
    let Some((_, Some(Bias::I64(bias)))) = wide.layers[1].operator.weights() else { panic!("no bias") };
    let step = 0.01 * 2.55 / 32767.0;
    for &bias in bias {
        assert!((bias as f64 * step - 0.508).abs() < 1e-5, "{bias}");
    }
}

#[test]
fn ranges_files_say_which_graph_they_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let [data, file] = ["data.npy", "ranges.json"].map(|name| folder.path().join(name));
    let pictures = golden().0.into_iter().take(10).flatten();
    microception_codegen::data::write::npy(&data, &[10, 32, 32, 3], pictures).unwrap();
    let convert = |equalized: bool| {
        let convert = shipped().calibration(&data).equalize(equalized).save_ranges(&file);
        convert.to_file(folder.path().join("model.rs")).unwrap();
        let ranges = Ranges::load(&file).unwrap();
        assert_eq!(ranges.equalized, equalized);
        let again = shipped().precision(Precision::Int8).calibration(&file).prepare().unwrap().graph;
        assert_eq!(again, shipped().calibration(&data).equalize(equalized).prepare().unwrap().graph);
        again
    };
    assert_ne!(convert(true), convert(false));
    let refused = shipped().calibration(&file).equalize(true).prepare().unwrap_err().to_string();
    assert!(refused.contains("equalize"), "{refused}");
}

/// The shipped network's graph with layers in other element types, and how far its answers are from Keras's at most.
fn kept(names: &[(&str, Element)]) -> (Graph, f32) {
    let (pictures, _) = golden();
    let graph = shipped().prepare().unwrap().graph;
    let ranges = calibrate(&graph, pictures.iter().cloned().map(Ok), Method::MinMax, |_| ()).unwrap();
    let mut elements = Elements::all(Element::I8);
    names.iter().for_each(|&(name, element)| elements.keep(name, element));
    let mixed = quantize_mixed(&graph, &ranges, &elements).unwrap();
    let output = Output::of(&mixed);
    let [mut float, mut machine] = [&graph, &mixed].map(|graph| Machine::new(graph, Strategy::Smallest).unwrap());
    let mut furthest = 0f32;
    for picture in &pictures[..20] {
        let (expected, found) = (floats(&float.run(picture).unwrap()), output.real(&machine.run(picture).unwrap()));
        furthest = expected.iter().zip(&found).fold(furthest, |furthest, (a, b)| furthest.max((a - b).abs()));
    }
    (mixed, furthest)
}

#[test]
fn a_kept_layer_has_conversions_around_it() {
    let graph = shipped().prepare().unwrap().graph;
    let names: Vec<&str> = graph.layers.iter().map(|layer| layer.name.as_str()).collect();
    let (first, middle) = (names[1], names[5]);
    let (mixed, far) = kept(&[(middle, Element::F32), (first, Element::I16)]);
    let element = |name: &str| mixed.tensors.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.element);
    assert_eq!([first, middle].map(element), [Some(Element::I16), Some(Element::F32)]);
    // Pixels go into int16 at once, as the first layer alone reads them; then there and back again twice.
    assert_eq!(element(names[0]), Some(Element::I16));
    let converts = |layer: &&microception_codegen::graph::Layer| matches!(layer.operator, Operator::Requantize { .. });
    assert_eq!(mixed.layers.iter().filter(converts).count(), 3, "{:?}", mixed.layers.iter().map(|layer| &layer.name));
    // The more is kept, the nearer are the answers.
    let (_, int8) = kept(&[]);
    let all: Vec<(&str, Element)> = names.iter().map(|&name| (name, Element::I16)).collect();
    let (_, wide) = kept(&all);
    println!("furthest from f32: int8 {int8}, two layers kept {far}, all in int16x8 {wide}");
    assert!(wide < int8 / 2.0 && far < 2.0 * int8);
    let float: Vec<(&str, Element)> = names.iter().map(|&name| (name, Element::F32)).collect();
    assert_eq!(kept(&float).1, 0.0);
}

#[test]
fn precision_mixes_itself() {
    // Of 30 pictures two.
    const POINTS: f64 = 7.0;
    let pictures = &golden().0[..30];
    let broken = hostile(&shipped().prepare().unwrap().graph);
    let ranges = calibrate(&broken, pictures.iter().cloned().map(Ok), Method::MinMax, |_| ()).unwrap();
    let chosen = choose(&broken, &ranges, &Elements::all(Element::I8), pictures, POINTS, |_, _| ()).unwrap();
    let count = chosen.elements.kept().count();
    println!("{} points lost, {} with {count} layers kept: {:?}", chosen.before, chosen.after, chosen.elements);
    assert!(chosen.before > 30.0 && chosen.after < POINTS);
    assert!((1..broken.layers.len() - 1).contains(&count), "{count} kept");
    // Where nothing is lost nothing is kept.
    let same = choose(&broken, &ranges, &Elements::all(Element::F32), pictures, POINTS, |_, _| ()).unwrap();
    assert_eq!((same.before, same.elements.kept().count()), (0.0, 0));
}
