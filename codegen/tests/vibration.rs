//! The example `vibration`: sample by sample it gives the outputs and the events that Keras gives for the recording.

#[path = "common/arrays.rs"]
mod arrays;
#[path = "../examples/vibration/detector.rs"]
mod detector;
#[path = "../examples/vibration/model.rs"]
#[rustfmt::skip]
mod model;
#[path = "common/tolerance.rs"]
mod tolerance;

use std::path::{Path, PathBuf};

use arrays::Arrays;
use detector::{Detector, Event};
use microception_codegen::convert::Convert;
use microception_codegen::host::Machine;
use microception_codegen::plan::Strategy;

/// Samples between outputs, and those that one sees.
const STRIDE: usize = 16;
const WINDOW: usize = 136;

/// What the recording is: where each part begins, in samples, and its class.
const PARTS: [(usize, usize); 5] = [(0, 0), (1500, 1), (4000, 2), (6000, 1), (7500, 0)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/vibration")
}

fn recording() -> (Arrays, Vec<f32>) {
    let arrays = Arrays::open(&folder().join("recording.npz"));
    let recording = bytemuck::pod_collect_to_vec(&arrays.bytes("recording"));
    (arrays, recording)
}

#[test]
fn events_are_those_in_keras_outputs() {
    let (arrays, recording) = recording();
    let mut arena = model::Arena::new();
    let mut detector = Detector::new(&mut arena);
    let found: Vec<Event> = recording.iter().filter_map(|&sample| detector.push(sample)).collect();
    let events: Vec<i32> = bytemuck::pod_collect_to_vec(&arrays.bytes("events"));
    let expected: Vec<Event> = events
        .chunks_exact(2)
        .map(|event| Event { samples: WINDOW + STRIDE * event[0] as usize, class: event[1] as usize })
        .collect();
    assert_eq!(found, expected);
    // And they are what the recording is: each part's class, soon after it began.
    assert_eq!(found.len(), PARTS.len());
    for (event, (begin, class)) in found.iter().zip(PARTS) {
        assert_eq!(event.class, class);
        assert!((begin..begin + WINDOW + 5 * STRIDE).contains(&event.samples), "{event:?}");
    }
}

#[test]
fn outputs_come_when_they_can_and_are_keras() {
    let (arrays, recording) = recording();
    let outputs: Vec<f32> = bytemuck::pod_collect_to_vec(&arrays.bytes("outputs"));
    let mut arena = model::Arena::new();
    let mut network = microception::executor::Executor::new(model::NETWORK, &mut arena);
    let mut expected = outputs.chunks_exact(3);
    let mut differences = Vec::new();
    for (index, sample) in recording.iter().enumerate() {
        let stored = (sample / model::INPUT_SCALE + model::INPUT_ZERO_POINT).round() as i8;
        let output = network.push_row(&[stored]);
        let samples = index + 1;
        assert_eq!(output.is_some(), samples >= WINDOW && (samples - WINDOW).is_multiple_of(STRIDE), "{samples}");
        let Some(output) = output else { continue };
        for (&score, &keras) in output.iter().zip(expected.next().expect("as many as Keras's")) {
            let step = keras / model::OUTPUT_SCALE + model::OUTPUT_ZERO_POINT as f32;
            differences.push((f32::from(score) - step.min(127.0)).abs());
        }
    }
    assert!(expected.next().is_none());
    // A softmax is steep where one class goes over into another, so that only the mean says much.
    let mean = differences.iter().sum::<f32>() / differences.len() as f32;
    println!("{mean} steps on the mean");
    assert!(mean <= tolerance::INT8_MEAN_STEPS, "{mean}");
}

/// The module in the folder is what the files beside it become: its outputs have their bits.
#[test]
fn the_module_is_up_to_date() {
    let (_, recording) = recording();
    let conversion = Convert::new(folder().join("vibration.keras")).calibration(folder().join("calibration.npz"));
    let graph = conversion.prepare().unwrap().graph;
    let mut machine = Machine::new(&graph, Strategy::Endless).unwrap();
    let stored: Vec<u8> = recording
        .iter()
        .map(|sample| ((sample / model::INPUT_SCALE + model::INPUT_ZERO_POINT).round() as i8).cast_unsigned())
        .collect();
    let mut expected = Vec::new();
    machine
        .stream(&stored, |output| {
            expected.extend_from_slice(output);
            Ok(())
        })
        .unwrap();
    let mut arena = model::Arena::new();
    let mut detector = Detector::new(&mut arena);
    let mut found = Vec::new();
    for (index, &sample) in recording.iter().enumerate() {
        detector.push(sample);
        if index + 1 >= WINDOW && (index + 1 - WINDOW).is_multiple_of(STRIDE) {
            found.extend(detector.scores().iter().map(|score| score.cast_unsigned()));
        }
    }
    assert_eq!(found, expected);
    let labels = std::fs::read_to_string(folder().join("labels.txt")).unwrap();
    assert!(labels.lines().eq(model::LABELS));
}
