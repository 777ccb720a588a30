//! The table of layers and arguments: small Keras models that combine them, whole and by rows, in f32 and in int8
//! (`tests/fixtures/conformance`).

#[path = "../common/arrays.rs"]
mod arrays;
mod fixture;
#[macro_use]
#[path = "../common/group_tests.rs"]
mod group_tests;
#[path = "../common/groups.rs"]
mod groups;
mod series;
#[path = "../common/tolerance.rs"]
mod tolerance;

use fixture::Model;
use microception_codegen::graph::{Graph, Quantization, TensorId};
use microception_codegen::host::Machine;
use microception_codegen::optimize::{Goal, Optimize};
use microception_codegen::plan::Strategy;
use microception_codegen::{passes, quantize, read};

groups! {
    activation_layers: 17,
    activations: 17,
    arrays: 14,
    concatenated: 8,
    conv1d: 16,
    conv1d_windows: 24,
    conv2d: 16,
    conv2d_windows: 16,
    dense: 6,
    depthwise1d: 9,
    depthwise2d: 9,
    ends: 18,
    forms: 7,
    gelu: 2,
    global_pools: 16,
    layers_as_activations: 10,
    merges: 18,
    moved: 19,
    normalised: 15,
    normalised_axes: 4,
    normalised_given: 3,
    numbers: 9,
    pools1d: 16,
    pools2d: 16,
    rescaled: 7,
    reshaped: 15,
    reshaped_by_operation: 2,
    resized: 15,
    separable1d: 9,
    separable2d: 9,
    strided_dilated: 8,
    training_only: 12,
}

/// All ways to run.
const GOALS: [Goal; 5] = [
    Goal { strategy: Strategy::Balanced, optimize: Optimize::Speed },
    Goal { strategy: Strategy::Smallest, optimize: Optimize::Size },
    Goal { strategy: Strategy::Eager, optimize: Optimize::Ram },
    Goal { strategy: Strategy::Whole, optimize: Optimize::Speed },
    Goal { strategy: Strategy::Everything, optimize: Optimize::Size },
];

fn check(group: &str, count: usize) {
    group_tests::checked(group, count, &fixture::group(group), &[in_f32, in_int8]);
}

fn graph(model: &Model, (ending, bytes): &(&str, Vec<u8>)) -> Result<Graph, String> {
    let name = format!("{}.{ending}", model.name);
    read::read_bytes(bytes, &name).and_then(passes::run).map_err(|error| error.to_string())
}

/// Every file, in every way to run: what Keras answers.
fn in_f32(model: &Model) -> Result<(), String> {
    assert!(!model.files.is_empty(), "{}", model.name);
    // Of each output by itself.
    let largest = |output: usize| {
        let values = (0..model.cases.count).flat_map(|case| model.cases.answers(case)[output].to_vec());
        values.fold(0.0f32, |most, value| most.max(value.abs()))
    };
    let near: Vec<f32> = (0..model.cases.answers(0).len()).map(|output| largest(output) * tolerance::F32).collect();
    for file in &model.files {
        let graph = graph(model, file)?;
        for goal in GOALS {
            let named = |error| format!("{}.{} {goal:?}: {error}", model.name, file.0);
            let mut machine = Machine::new(&graph, goal).map_err(|error| named(error.to_string()))?;
            for case in 0..model.cases.count {
                let frame = model.cases.frames(case).concat();
                let bytes = machine.run(bytemuck::cast_slice(&frame)).map_err(|error| named(error.to_string()))?;
                let mut found = bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
                let answers = model.cases.answers(case);
                let expected = answers.iter().zip(&near).enumerate();
                let expected =
                    expected.flat_map(|(output, (answer, &near))| answer.iter().map(move |y| (output, y, near)));
                let count: usize = answers.iter().map(|answer| answer.len()).sum();
                if found.len() != count {
                    return Err(named(format!("{} values, Keras has {count}", found.len())));
                }
                for (place, (output, &expected, near)) in expected.enumerate() {
                    let found = found.next().unwrap_or(f32::NAN);
                    if found.is_nan() || (found - expected).abs() > near {
                        return Err(named(format!(
                            "value {place}, of output {output}, is {found}, Keras has {expected}"
                        )));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Calibrated on the model's own inputs: near what Keras answers, and the same bits in every way to run.
fn in_int8(model: &Model) -> Result<(), String> {
    let named = |error: String| format!("{} in int8: {error}", model.name);
    let graph = graph(model, &model.files[0])?;
    let frames =
        (0..model.cases.count).map(|case| Ok(bytemuck::cast_slice(&model.cases.frames(case).concat()).to_vec()));
    let ranges = quantize::calibrate(&graph, frames, quantize::Method::MinMax, |_| ());
    let quantized = ranges.and_then(|ranges| quantize::quantize(&graph, &ranges));
    let quantized = quantized.map_err(|error| named(error.to_string()))?;
    let scale = |tensor: TensorId| quantized.tensor(tensor).quantization.expect("int8");
    let inputs: Vec<Quantization> = quantized.inputs().iter().map(|input| scale(input.output)).collect();
    let outputs: Vec<Quantization> = quantized.outputs.iter().map(|&output| scale(output)).collect();
    let stored = |real: f32, input: Quantization| {
        let steps = (real / input.scale).round() + input.zero_point as f32;
        (steps.clamp(-128.0, 127.0) as i8).cast_unsigned()
    };
    let mut machines = Vec::new();
    for goal in GOALS {
        machines.push((goal, Machine::new(&quantized, goal).map_err(|error| named(error.to_string()))?));
    }
    let mut errors = vec![Vec::new(); outputs.len()];
    for case in 0..model.cases.count {
        let frames = model.cases.frames(case);
        let frame = frames.iter().zip(&inputs);
        let frame: Vec<u8> = frame.flat_map(|(x, &input)| x.iter().map(move |&real| stored(real, input))).collect();
        let mut answers = Vec::new();
        for (goal, machine) in &mut machines {
            let answer = machine.run(&frame).map_err(|error| named(error.to_string()))?;
            if answers.last().is_some_and(|before| *before != answer) {
                return Err(named(format!("{goal:?} has other bits than the way before")));
            }
            answers.push(answer);
        }
        let mut found = answers[0].iter();
        for ((expected, output), errors) in model.cases.answers(case).iter().zip(&outputs).zip(&mut errors) {
            for (&found, &expected) in found.by_ref().take(expected.len()).zip(*expected) {
                let steps = f32::from(found.cast_signed()) - output.zero_point as f32;
                errors.push((steps - expected / output.scale).abs());
            }
        }
    }
    errors.iter().try_for_each(|errors| within_steps(&model.name, errors)).map_err(named)
}

/// Compares differences in steps with the table of tolerances.
fn within_steps(name: &str, errors: &[f32]) -> Result<(), String> {
    let exception = tolerance::INT8_EXCEPTIONS.iter().find(|(exception, ..)| *exception == name);
    let (share, most, mean) = match exception {
        Some(&(_, share, most)) => (share, most, f32::INFINITY),
        None => (0.0, tolerance::INT8_STEPS, tolerance::INT8_MEAN_STEPS),
    };
    let found_most = errors.iter().copied().fold(0.0, f32::max);
    let found_mean = errors.iter().sum::<f32>() / errors.len() as f32;
    let beyond = errors.iter().filter(|&&error| error > tolerance::INT8_STEPS).count();
    let found_share = 100.0 * beyond as f32 / errors.len() as f32;
    if found_most > most || found_mean > mean || found_share > share {
        return Err(format!(
            "{found_most:.2} steps at most, {found_mean:.2} in the mean, {found_share:.2}% beyond {}",
            tolerance::INT8_STEPS
        ));
    }
    Ok(())
}
