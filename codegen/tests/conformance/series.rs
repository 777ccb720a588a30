//! A layer of a series is that of an image with one size 1, whichever it is.

use microception_codegen::graph::{Graph, Operator, Padding, Shape};
use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::read;

use crate::fixture::{self, Model};
use crate::tolerance;

/// The model as read, whose time is its rows.
fn series(model: &Model) -> Graph {
    let (_, bytes) = &model.files[0];
    read::read_bytes(bytes, &model.name).unwrap()
}

/// The same over images of one column, or, with time along the columns, of one row.
fn images(series: &Graph, along_columns: bool) -> Graph {
    let mut graph = series.clone();
    for tensor in &mut graph.tensors {
        let [steps, channels] = tensor.shape.0[..] else { panic!("no series: {}", tensor.shape) };
        tensor.shape = Shape(if along_columns { vec![1, steps, channels] } else { vec![steps, 1, channels] });
    }
    for layer in &mut graph.layers {
        let (Operator::Convolution { window, .. } | Operator::MaxPool { window } | Operator::AveragePool { window }) =
            &mut layer.operator
        else {
            continue;
        };
        if along_columns {
            for pair in [&mut window.size, &mut window.stride, &mut window.dilation] {
                pair.reverse();
            }
            if let Padding::Explicit { before, after } = &mut window.padding {
                before.reverse();
                after.reverse();
            }
        }
    }
    graph
}

fn answer(graph: Graph, frame: &[f32]) -> Vec<f32> {
    let mut machine = passes::run(graph).and_then(|graph| Machine::new(&graph, Strategy::Balanced)).unwrap();
    let bytes = machine.run(bytemuck::cast_slice(frame)).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

#[test]
fn convolutions_and_pools_of_series_are_those_of_images_with_one_size_1() {
    let mut compared = 0;
    for model in ["conv1d_windows", "pools1d"].into_iter().flat_map(fixture::group) {
        let series = series(&model);
        if series.layers.iter().any(|layer| matches!(layer.operator, Operator::Transpose { .. })) {
            continue; // of channels first
        }
        let frame = model.frame(0);
        let largest = model.answer(0).iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        for along_columns in [false, true] {
            let twin = answer(images(&series, along_columns), frame);
            assert_eq!(twin.len(), model.answer(0).len(), "{}", model.name);
            for (found, expected) in twin.iter().zip(model.answer(0)) {
                let near = tolerance::F32 * largest;
                assert!((found - expected).abs() <= near, "{}: {found}, Keras has {expected}", model.name);
            }
        }
        compared += 1;
    }
    assert!(compared > 25, "only {compared} models");
}
