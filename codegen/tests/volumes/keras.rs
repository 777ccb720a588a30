//! Every Keras fixture, from `.keras` and from `.h5`, whole and by planes, in f32 and int8, against what Keras answered.

use std::path::{Path, PathBuf};

use microception_codegen::graph::{Element, Graph};
use microception_codegen::host::{self, Machine};
use microception_codegen::{passes, quantize, read};

use crate::arrays::Arrays;
use crate::{STRATEGIES, tolerance};

/// The files of the fixtures.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/volumes/fixtures");
    let is_model = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "keras" || extension == "h5");
    let entries = std::fs::read_dir(folder).expect("the fixtures are in the repository");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).filter(is_model).collect();
    files.sort();
    files
}

/// A fixture's graph, its inputs, and Keras's answers, case by case.
fn fixture(model: &Path) -> (Graph, Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let graph = read::read(model).and_then(passes::run).unwrap_or_else(|error| panic!("{error}"));
    let arrays = Arrays::open(&model.with_extension("npz"));
    let (shape, x) = arrays.array("x").expect("inputs");
    let split = |numbers: Vec<f32>| -> Vec<Vec<f32>> {
        numbers.chunks(numbers.len() / shape[0] as usize).map(<[f32]>::to_vec).collect()
    };
    let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect();
    let voxels = x.len() as u64 == shape.iter().product::<u64>();
    let x = if voxels { x.iter().map(|&byte| f32::from(byte)).collect() } else { floats(&x) };
    let (mut frames, answers) = (split(x), split(floats(&arrays.bytes("y"))));
    if model.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with("channels_first")) {
        // The caller hands over channels last, whatever the model's own order.
        let channels = shape[1] as usize;
        for frame in &mut frames {
            let places = frame.len() / channels;
            *frame = (0..frame.len()).map(|index| frame[index % channels * places + index / channels]).collect();
        }
    }
    (graph, frames, answers)
}

fn bytes_of(graph: &Graph, frame: &[f32]) -> Vec<u8> {
    match host::elements(graph).0 {
        Element::U8 => frame.iter().map(|&value| value as u8).collect(),
        _ => bytemuck::cast_slice(frame).to_vec(),
    }
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

#[test]
fn every_fixture_answers_as_keras() {
    let files = files();
    assert_eq!(files.len(), 46);
    for file in files {
        let (graph, frames, answers) = fixture(&file);
        let near = tolerance::F32 * answers.iter().map(|answer| largest(answer)).fold(0.0, f32::max);
        for strategy in STRATEGIES {
            let mut machine = Machine::new(&graph, strategy).expect("a plan");
            for (frame, answer) in frames.iter().zip(&answers) {
                let found = machine.run(&bytes_of(&graph, frame)).expect("an answer");
                let found: Vec<f32> = bytemuck::pod_collect_to_vec(&found);
                assert_eq!(found.len(), answer.len(), "{}", file.display());
                for (index, (found, expected)) in found.iter().zip(answer).enumerate() {
                    let difference = (found - expected).abs();
                    assert!(
                        difference <= near,
                        "{}: {strategy:?}: output {index} is {found}, Keras has {expected}",
                        file.display()
                    );
                }
            }
        }
    }
}

#[test]
fn every_fixture_in_int8_is_near_keras() {
    for file in files().into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "keras")) {
        let (graph, frames, answers) = fixture(&file);
        let calibration = frames.iter().map(|frame| Ok(bytes_of(&graph, frame)));
        let ranges = quantize::calibrate(&graph, calibration, quantize::Method::MinMax, |_| ()).expect("ranges");
        let quantized = quantize::quantize(&graph, &ranges).expect("int8");
        let to = quantized.tensor(quantized.outputs[0]).quantization.expect("an int8 output");
        let from = quantized.tensors[0].quantization.expect("an int8 input");
        let mut machines = STRATEGIES.map(|strategy| Machine::new(&quantized, strategy).expect("a plan"));
        for (frame, answer) in frames.iter().zip(&answers) {
            let frame: Vec<u8> = match host::elements(&quantized).0 {
                Element::U8 => bytes_of(&graph, frame),
                _ => frame
                    .iter()
                    .map(|value| ((value / from.scale).round() as i32 + from.zero_point).clamp(-128, 127) as i8)
                    .map(i8::cast_unsigned)
                    .collect(),
            };
            let found = machines.each_mut().map(|machine| machine.run(&frame).expect("an answer"));
            assert!(found.iter().all(|other| *other == found[0]), "{}: not the same bits in all plans", file.display());
            let steps = found[0].iter().zip(answer).map(|(&found, expected)| {
                (i32::from(found.cast_signed()) - to.zero_point) as f32 - expected / to.scale
            });
            let steps: Vec<f32> = steps.map(f32::abs).collect();
            let (most, mean) =
                (steps.iter().copied().fold(0.0, f32::max), steps.iter().sum::<f32>() / steps.len() as f32);
            assert!(most <= tolerance::INT8_STEPS, "{}: {most} steps off", file.display());
            assert!(mean <= tolerance::INT8_MEAN_STEPS, "{}: {mean} steps off on average", file.display());
        }
    }
}
