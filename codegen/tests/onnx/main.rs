//! ONNX models of PyTorch, of tf2onnx and of onnxruntime's quantizer: whole and by rows, what onnxruntime answers
//! (`tests/fixtures/onnx`).

#[path = "../common/arrays.rs"]
mod arrays;
#[path = "../common/damaged.rs"]
mod damage;
mod damaged;
mod fixture;
#[macro_use]
#[path = "../common/group_tests.rs"]
mod group_tests;
#[path = "../common/groups.rs"]
mod groups;
#[path = "../common/memory.rs"]
mod memory;
#[path = "../common/tolerance.rs"]
mod tolerance;

use fixture::Model;
use microception_codegen::graph::{Element, Graph, Operator};
use microception_codegen::host::Machine;
use microception_codegen::optimize::{Goal, Optimize};
use microception_codegen::plan::Strategy;
use microception_codegen::{passes, read};

groups! {
    conv1d: 7,
    conv2d: 12,
    conv3d: 3,
    dense: 8,
    ends: 2,
    free_batch: 3,
    functions: 26,
    int8_conv1d: 7,
    int8_conv2d: 12,
    int8_dense: 7,
    int8_merges: 8,
    int8_moved: 8,
    int8_networks: 2,
    int8_pools: 10,
    int8_xception_lite: 1,
    merges: 13,
    moved: 8,
    networks: 3,
    pools: 15,
    resized: 6,
    tf2onnx: 17,
    xception_lite: 1,
}

/// Ways to run that differ most.
const GOALS: [Goal; 3] = [
    Goal { strategy: Strategy::Balanced, optimize: Optimize::Speed },
    Goal { strategy: Strategy::Smallest, optimize: Optimize::Size },
    Goal { strategy: Strategy::Whole, optimize: Optimize::Size },
];

fn check(group: &str, count: usize) {
    group_tests::checked(group, count, &fixture::group(group), &[compare]);
}

fn graph(model: &Model) -> Result<Graph, String> {
    let read = read::read_bytes(&model.file, &model.name).and_then(passes::run);
    let graph = read.map_err(|error| error.to_string())?;
    match moves_axes(model, &graph) {
        Some(layer) => Err(format!("{}: {layer} is left of the order of the axes", model.name)),
        None => Ok(graph),
    }
}

/// A layer that only moves axes, where the model itself has none that has to.
fn moves_axes(model: &Model, graph: &Graph) -> Option<String> {
    // These ask for other axes, and answer or go on in them.
    let own = ["moved_05", "moved_07", "functions_21", "functions_22", "pools_14"];
    let layer = graph.layers.iter().find(|layer| matches!(layer.operator, Operator::Transpose { .. }));
    let layer = layer.filter(|_| !own.iter().any(|own| model.name.ends_with(own)));
    layer.map(|layer| layer.name.clone())
}

fn compare(model: &Model) -> Result<(), String> {
    let graph = graph(model)?;
    for goal in GOALS {
        let named = |error: String| format!("{} {goal:?}: {error}", model.name);
        let mut machine = Machine::new(&graph, goal).map_err(|error| named(error.to_string()))?;
        for case in 0..model.cases.count {
            let bytes = machine.run(&frame(model, &graph, case)).map_err(|error| named(error.to_string()))?;
            let expected = model.cases.answers(case);
            let count: usize = expected.iter().map(|answer| answer.len()).sum();
            if bytes.len() != count {
                return Err(named(format!("{} bytes, onnxruntime has {count}", bytes.len())));
            }
            let mut found = &bytes[..];
            for (output, expected) in expected.into_iter().enumerate() {
                let (now, later) = found.split_at(expected.len());
                found = later;
                let same = match graph.tensor(graph.outputs[output]).element {
                    Element::F32 => in_f32(model, output, now, expected),
                    _ => in_steps(model, now, expected),
                };
                same.map_err(|error| named(format!("output {output}: {error}")))?;
            }
        }
    }
    Ok(())
}

/// A frame as the model takes it: of a model that divides by 255 first, pixels.
fn frame(model: &Model, graph: &Graph, case: usize) -> Vec<u8> {
    let frame = model.cases.frames(case).concat();
    match graph.inputs()[0].operator {
        Operator::Input { element: Element::U8, .. } => floats(&frame).map(|pixel| pixel as u8).collect(),
        _ => frame,
    }
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes))
}

/// Within the tolerance of the largest value that onnxruntime has of that output.
fn in_f32(model: &Model, output: usize, found: &[u8], expected: &[u8]) -> Result<(), String> {
    let all = (0..model.cases.count).flat_map(|case| floats(model.cases.answers(case)[output]).collect::<Vec<_>>());
    let near = all.fold(0.0f32, |most, value| most.max(value.abs())) * tolerance::F32;
    for (place, (found, expected)) in floats(found).zip(floats(expected)).enumerate() {
        if found.is_nan() || (found - expected).abs() > near {
            return Err(format!("value {place} is {found}, onnxruntime has {expected}"));
        }
    }
    Ok(())
}

/// Stored numbers, in steps of the output.
fn in_steps(model: &Model, found: &[u8], expected: &[u8]) -> Result<(), String> {
    let whole = model.name.contains("network") || model.name.contains("xception");
    let (most, mean) = match whole {
        true => (tolerance::QDQ_STEPS_OF_A_NETWORK, tolerance::QDQ_MEAN_STEPS_OF_A_NETWORK),
        false => (tolerance::QDQ_STEPS, f32::INFINITY),
    };
    let steps = |byte: &u8| i32::from(byte.cast_signed());
    let sum: u32 = found.iter().zip(expected).map(|(found, expected)| steps(found).abs_diff(steps(expected))).sum();
    if sum as f32 > mean * found.len() as f32 {
        return Err(format!("{:.2} steps in the mean", sum as f32 / found.len() as f32));
    }
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let [found, expected] = [found, expected].map(steps);
        if found.abs_diff(expected) > most {
            return Err(format!("value {place} is {found}, onnxruntime has {expected}"));
        }
    }
    Ok(())
}
