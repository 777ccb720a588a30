//! Models of LiteRT's converter against what LiteRT's reference kernels compute in them
//! (`tests/fixtures/tflite`): every operator that is read, every tensor, to the bit.

#[path = "../common/arrays.rs"]
mod arrays;
#[expect(dead_code, reason = "shared with the tests of the command, which write inputs")]
mod fixture;
#[macro_use]
#[path = "../common/group_tests.rs"]
mod group_tests;
#[path = "../common/groups.rs"]
mod groups;
mod int16x8;
#[path = "../common/tolerance.rs"]
mod tolerance;

use std::collections::BTreeSet;

use fixture::{Model, Stored};
use microception_codegen::graph::{Element, Graph, Layer, Operator, Tensor};
use microception_codegen::host::Machine;
use microception_codegen::optimize::{Goal, Optimize};
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::read::{read_bytes, tflite_operators};

groups! {
    add: 21,
    average_pool: 14,
    axes: 4,
    clip: 10,
    concatenation: 18,
    conformance: 81,
    conv: 65,
    conv1d: 24,
    dense: 36,
    depthwise: 52,
    depthwise1d: 12,
    dilated: 20,
    edges: 18,
    elu: 12,
    extreme: 42,
    float_elementwise: 17,
    float_layers: 16,
    float_network: 5,
    float_shapes: 15,
    free_batch: 14,
    gelu: 10,
    grouped: 12,
    hard_swish: 8,
    int4: 60,
    leaky_relu: 10,
    logistic: 8,
    max_pool: 14,
    maximum: 17,
    mean: 12,
    minimum: 17,
    mul: 21,
    network: 16,
    pad: 15,
    pool1d: 12,
    prelu: 8,
    reduce_max: 12,
    relu: 8,
    relu6: 8,
    requantize: 12,
    reshape: 14,
    resize: 14,
    resize_bilinear: 18,
    separable: 9,
    slice: 12,
    softmax: 8,
    sub: 21,
    tanh: 8,
    transpose: 10,
    wide: 6,
}

fn check(group: &str, count: usize) {
    let check = |model: &Model| every_tensor(model).and_then(|tensors| by_rows(model, tensors));
    let tensors = group_tests::checked(group, count, &fixture::group(group), &[check]);
    println!("{group}: {count} models, {} tensors", tensors.into_iter().sum::<usize>());
}

/// The model as the tool takes it; what is wrong names the model and its operators.
fn graph(model: &Model) -> Result<Graph, String> {
    let graph = read_bytes(&model.bytes, &model.name).and_then(passes::run);
    graph.map_err(|error| format!("{error} ({})", model.operators.join(", ")))
}

fn machine(model: &Model, graph: &Graph, goal: Goal) -> Result<Machine, String> {
    Machine::new(graph, goal).map_err(|error| format!("{} {goal:?}: {error}", model.name))
}

/// Compares all that both compute, and returns how many tensors that was.
fn every_tensor(model: &Model) -> Result<usize, String> {
    let graph = graph(model)?;
    let mut machine = machine(model, &graph, Goal { strategy: Strategy::Everything, optimize: Optimize::Speed })?;
    let mut compared = 0;
    for case in 0..model.cases() {
        machine.run(model.frame(case)).map_err(|error| format!("{}: {error}", model.name))?;
        for layer in &graph.layers {
            let tensor = graph.tensor(layer.output);
            let found = machine.tensor(&graph, layer.output).expect("kept by the plan");
            let mut same = named(model, &tensor.name);
            same.retain(|stored| tensor.element == element(stored) && stored.case(case).len() == found.len());
            // Two of one name are a tensor and the same in another shape.
            if let Some(stored) = same.iter().find(|stored| stored.case(case) == found).or(same.first()) {
                compare(stored, found, case).map_err(|what| {
                    format!("{}: \"{}\" ({}) {what}", model.name, tensor.name, layer.operator.name())
                })?;
                compared += 1;
            } else if !is_ours_alone(model, layer, tensor) {
                return Err(format!("{}: LiteRT has no \"{}\" of {} bytes", model.name, tensor.name, found.len()));
            }
        }
    }
    Ok(compared)
}

/// The tensors of that name; where the file has none, those of the name without the number that the reader gives to all
/// but the first of one name.
fn named<'a>(model: &'a Model, name: &str) -> Vec<&'a Stored> {
    let of = |name: &str| model.tensors.iter().filter(|stored| stored.name == name).collect::<Vec<_>>();
    match (of(name), name.rsplit_once('_')) {
        (found, Some((name, number))) if found.is_empty() && number.parse::<usize>().is_ok() => of(name),
        (found, _) => found,
    }
}

fn element(stored: &Stored) -> Element {
    match stored.element.as_str() {
        "int8" => Element::I8,
        "int16" => Element::I16,
        "uint8" => Element::U8,
        "float32" => Element::F32,
        other => panic!("{other} of \"{}\"", stored.name),
    }
}

/// The model's input where it takes another type, and the first part of an operator that becomes two layers.
/// Of float models only the ends are stored: between them layers are folded.
fn is_ours_alone(model: &Model, layer: &Layer, tensor: &Tensor) -> bool {
    matches!(layer.operator, Operator::Input { .. })
        || tensor.element == Element::F32
        || tensor.name.rsplit_once('/').is_some_and(|(whole, _)| !named(model, whole).is_empty())
}

/// int8 and int16 are equal to the bit, float32 within the tolerance.
fn compare(stored: &Stored, found: &[u8], case: usize) -> Result<(), String> {
    let expected = stored.case(case);
    let (differing, of) = if stored.element == "float32" {
        let [expected, found] = [expected, found].map(floats);
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let near = |(expected, found): &(&f32, &f32)| (*expected - *found).abs() <= largest * tolerance::F32;
        (expected.iter().zip(&found).filter(|pair| !near(pair)).count(), expected.len())
    } else {
        (expected.iter().zip(found).filter(|(expected, found)| expected != found).count(), expected.len())
    };
    if expected.len() != found.len() {
        return Err(format!("has {} bytes, expected {}", found.len(), expected.len()));
    }
    if differing > 0 { Err(format!("case {case}: {differing} of {of} values differ")) } else { Ok(()) }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Under every plan, and with all kernels, the same answers.
fn by_rows(model: &Model, tensors: usize) -> Result<usize, String> {
    let graph = graph(model)?;
    let goals = [
        Goal { strategy: Strategy::Balanced, optimize: Optimize::Speed },
        Goal { strategy: Strategy::Smallest, optimize: Optimize::Size },
        Goal { strategy: Strategy::Eager, optimize: Optimize::Ram },
        Goal { strategy: Strategy::Whole, optimize: Optimize::Speed },
    ];
    for goal in goals {
        let mut machine = machine(model, &graph, goal)?;
        for case in 0..model.cases() {
            let found = machine.run(model.frame(case)).map_err(|error| format!("{}: {error}", model.name))?;
            compare(model.answer(), &found, case)
                .map_err(|what| format!("{} {goal:?}: the output {what}", model.name))?;
        }
    }
    Ok(tensors)
}

#[test]
fn every_operator_that_is_read_is_in_a_model() {
    let models = GROUPS.iter().flat_map(|name| fixture::group(name));
    let found: BTreeSet<String> = models.flat_map(|model| model.operators).collect();
    let lacking: Vec<&str> = tflite_operators().filter(|&name| !found.contains(name)).collect();
    assert!(lacking.is_empty(), "no model has {}", lacking.join(", "));
}
