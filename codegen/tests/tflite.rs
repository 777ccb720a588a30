//! TensorFlow Lite models: they give LiteRT's bits; what is lacking is said at once; damaged files do no harm.

#[path = "common/arrays.rs"]
mod arrays;
#[path = "tflite/axes.rs"]
mod axes;
#[path = "tflite/build.rs"]
mod build;
#[path = "common/damaged.rs"]
mod damage;
#[path = "tflite/damaged.rs"]
mod damaged;
#[path = "tflite/edges.rs"]
mod edges;
#[path = "litert/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of the kernels, which use all of it")]
mod fixture;
#[path = "common/memory.rs"]
mod memory;
#[path = "tflite/refused.rs"]
mod refused;
#[path = "../src/read/tflite/schema.rs"]
#[rustfmt::skip]
#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    deprecated,
    missing_docs,
    unsafe_op_in_unsafe_fn,
    unused,
    reason = "generated, and used to build models here"
)]
mod schema;
#[path = "common/tolerance.rs"]
mod tolerance;

use std::path::{Path, PathBuf};

use arrays::Arrays;
use fixture::Fixture;
use microception_codegen::host::Machine;
use microception_codegen::optimize::{Goal, Optimize};
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::read::{read, read_bytes};

/// A file of this package.
fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn shipped() -> PathBuf {
    package("models/xception_lite/xlite_int8.tflite")
}

/// Two inputs and two outputs: the signature's names, and LiteRT's bits in every plan.
#[test]
fn several_inputs_and_outputs_have_their_names_and_litert_s_bits() {
    let arrays = Arrays::open(&package("../tests/fixtures/tflite/ends/ends.npz"));
    let graph = read_bytes(&arrays.bytes("model"), "ends").and_then(passes::run).expect("a model");
    let inputs: Vec<&str> = graph.inputs().iter().map(|input| input.name.as_str()).collect();
    assert_eq!(inputs, ["picture", "sensors"]);
    assert_eq!(graph.output_names, ["output_1", "output_0"]);
    let [x, x1, y, y1] = ["x", "x1", "y", "y1"].map(|name| {
        let (shape, bytes) = arrays.array(name).expect(name);
        bytes.chunks(bytes.len() / shape[0] as usize).map(<[u8]>::to_vec).collect::<Vec<_>>()
    });
    assert!(x.len() >= 20);
    for strategy in [Strategy::Balanced, Strategy::Smallest, Strategy::Eager, Strategy::Whole, Strategy::Everything] {
        let mut machine = Machine::new(&graph, strategy).expect("a plan");
        for case in 0..x.len() {
            let found = machine.run(&[&x[case][..], &x1[case]].concat()).expect("an answer");
            assert!(found == [&y[case][..], &y1[case]].concat(), "{strategy:?}: case {case}");
        }
    }
}

/// A file beside the repository that not every machine has.
fn shared(path: &str) -> Option<PathBuf> {
    let path = package("../../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not on this machine", path.display());
    None
}

/// Runs the model on frames that lie one after the other, and compares every answer, of the smallest kernels and of the
/// fastest.
fn expect(model: &Path, frames: &[u8], expected: &[u8], cases: usize) {
    let graph = passes::run(read(model).expect("read")).expect("passes");
    for optimize in [Optimize::Size, Optimize::Speed] {
        let mut machine = Machine::new(&graph, Goal { strategy: Strategy::Balanced, optimize }).expect("plans");
        assert!(frames.len() >= cases * machine.frame_bytes(), "too few frames");
        assert_eq!(expected.len(), cases * machine.output_bytes());
        let frames = frames.chunks(machine.frame_bytes());
        let answers = expected.chunks(machine.output_bytes());
        for (case, (frame, answer)) in frames.zip(answers).enumerate() {
            assert_eq!(
                machine.run(frame).expect("runs"),
                answer,
                "{} for {optimize:?} on frame {case}",
                model.display()
            );
        }
    }
}

/// As an int8 model of scale 1 and zero point -128 takes them: the pixels minus 128.
fn centred(pixels: &[u8]) -> Vec<u8> {
    pixels.iter().map(|pixel| pixel ^ 0x80).collect()
}

#[test]
fn the_shipped_model_gives_litert_s_bits() {
    let golden = Arrays::open(&package("models/xception_lite/golden100.npz"));
    expect(&shipped(), &centred(&golden.bytes("image")), &golden.bytes("int8_ref"), 100);
}

/// The same converted to int16x8: pixels in its steps of 255/32767.
#[test]
fn the_shipped_model_in_int16x8_gives_litert_s_bits() {
    let Some(model) = shared("models/xception_lite/xlite_int16x8.tflite") else { return };
    let golden = Arrays::open(&package("models/xception_lite/golden100.npz"));
    let scale = read(&model).expect("read").tensors[0].quantization.expect("quantized").scale;
    let stored = |pixel: &u8| ((f32::from(*pixel) / scale).round() as i16).to_ne_bytes();
    let frames: Vec<u8> = golden.bytes("image").iter().flat_map(stored).collect();
    expect(&model, &frames, &golden.bytes("int16x8_ref"), 100);
}

#[test]
fn a_model_of_random_weights_gives_litert_s_bits() {
    let files = ["tflite", "input.bin", "expected.bin"].map(|end| shared(&format!("models/reference/xlite32.{end}")));
    let [Some(model), Some(input), Some(expected)] = files else { return };
    let [input, expected] = [input, expected].map(|file| std::fs::read(file).expect("readable"));
    expect(&model, &input, &expected, 1);
}

#[test]
fn image_classification_of_mlperf_tiny_gives_litert_s_bits() {
    let model = shared("models/mlperf_tiny/ic01_int8.tflite");
    let (Some(model), Some(golden), Some(data)) =
        (model, shared("models/mlperf_tiny/golden.npz"), shared("data/cifar10_test.npz"))
    else {
        return;
    };
    let frames = Arrays::open(&data).bytes("x_test");
    expect(&model, &centred(&frames[..200 * 32 * 32 * 3]), &Arrays::open(&golden).bytes("ic01_out"), 200);
}

#[test]
fn keyword_spotting_of_mlperf_tiny_gives_litert_s_bits() {
    let model = shared("models/mlperf_tiny/kws01_int8.tflite");
    let (Some(model), Some(golden), Some(data)) =
        (model, shared("models/mlperf_tiny/golden.npz"), shared("data/kws01_500.npz"))
    else {
        return;
    };
    expect(&model, &Arrays::open(&data).bytes("x"), &Arrays::open(&golden).bytes("kws01_out"), 500);
}

/// Before it was quantized, as LiteRT converted it: real pixels in, probabilities out.
#[test]
fn the_shipped_model_in_float_gives_litert_s_numbers() {
    let Some(model) = shared("models/xception_lite/xlite_float.tflite") else { return };
    let golden = Arrays::open(&package("models/xception_lite/golden100.npz"));
    let graph = passes::run(read(&model).expect("read")).expect("passes");
    let mut machine = Machine::new(&graph, Strategy::Balanced).expect("plans");
    let floats =
        |bytes: &[u8]| bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect::<Vec<_>>();
    let (pictures, expected) = (golden.bytes("image"), floats(&golden.bytes("float_ref")));
    assert_eq!((pictures.len(), expected.len()), (100 * machine.frame_bytes() / 4, 1000));
    for (case, (picture, expected)) in pictures.chunks(pictures.len() / 100).zip(expected.chunks(10)).enumerate() {
        let frame: Vec<u8> = picture.iter().flat_map(|&pixel| f32::from(pixel).to_ne_bytes()).collect();
        let found = floats(&machine.run(&frame).expect("runs"));
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let difference = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference <= tolerance::F32 * largest, "picture {case}: {difference} of {largest}");
    }
}

#[test]
fn the_shipped_model_is_the_fixture_that_was_made_of_it() {
    let Fixture { graph: mut expected, .. } = fixture::named("xlite_int8");
    let mut found = read(&shipped()).expect("read");
    // The fixture has names of its own.
    for graph in [&mut expected, &mut found] {
        graph.layers.iter_mut().for_each(|layer| layer.name.clear());
        graph.tensors.iter_mut().for_each(|tensor| tensor.name.clear());
    }
    assert!(found == expected, "the graphs differ");
}
