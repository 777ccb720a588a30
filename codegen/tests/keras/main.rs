//! f32, end to end: every Keras fixture, from `.keras` and from `.h5`, through the passes and the
//! runtime, whole and by rows, against what Keras answered.

#[path = "../common/arrays.rs"]
mod arrays;
#[path = "../common/crates.rs"]
mod crates;
#[path = "../common/tolerance.rs"]
mod tolerance;

use std::path::{Path, PathBuf};

use microception_codegen::data::Input;
use microception_codegen::data::array::Numbers;
use microception_codegen::graph::{Element, Graph};
use microception_codegen::host::{self, Machine};
use microception_codegen::plan::Strategy;
use microception_codegen::{emit, passes, quantize, read};

/// What this version refuses, with a part of the message; each must go on being refused clearly.
const REFUSED: [(&str, &str); 1] = [("unsupported_lstm", "LSTM")];

/// Models of several inputs or outputs.
const SEVERAL: [&str; 3] = ["two_inputs", "two_outputs", "picture_and_sensors"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/keras")
}

/// Cases, and the numbers of the model's input, which are pixels or floats.
fn inputs(file: &Path) -> (usize, Vec<f64>) {
    let (shape, bytes) = arrays::Arrays::open(file).array("x").expect("inputs");
    let pixels = bytes.len() as u64 == shape.iter().product::<u64>();
    let numbers = if pixels { bytes.iter().map(|&byte| f64::from(byte)).collect() } else { floats(&bytes) };
    (shape[0] as usize, numbers)
}

/// The arrays `x`, `x1` and so on, or `y`, `y1`: of each, the numbers of every case, which may be pixels.
fn all(file: &Path, letter: &str) -> Vec<Vec<Vec<f64>>> {
    let arrays = arrays::Arrays::open(file);
    let numbers = std::iter::once(String::new()).chain((1..).map(|number: usize| number.to_string()));
    let found = numbers.map_while(|number| arrays.array(&format!("{letter}{number}")));
    found
        .map(|(shape, bytes)| {
            let pixels = bytes.len() as u64 == shape.iter().product::<u64>();
            let numbers = if pixels { bytes.iter().map(|&byte| f64::from(byte)).collect() } else { floats(&bytes) };
            numbers.chunks(numbers.len() / shape[0] as usize).map(<[f64]>::to_vec).collect()
        })
        .collect()
}

/// The bytes of a case's frames, one after the other.
fn frames(graph: &Graph, xs: &[Vec<Vec<f64>>], case: usize) -> Vec<u8> {
    let inputs = Input::all(graph).into_iter().zip(xs);
    let bytes = inputs.flat_map(|((_, input), x)| {
        let numbers = x[case].iter().map(|&value| value as f32).collect();
        input.encode(&Numbers::F32(numbers)).expect("numbers of its type")
    });
    bytes.collect()
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|&word| f64::from(f32::from_le_bytes(word))).collect()
}

fn frame_bytes(graph: &Graph, values: &[f64]) -> Vec<u8> {
    match host::elements(graph).0 {
        Element::U8 => values.iter().map(|&value| value as u8).collect(),
        _ => values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

fn check(model: &Path, arrays: &Path) {
    let name = model.display();
    let graph = read::read(model).and_then(passes::run).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (xs, ys) = (all(arrays, "x"), all(arrays, "y"));
    for strategy in [Strategy::Balanced, Strategy::Smallest, Strategy::Eager, Strategy::Whole, Strategy::Everything] {
        let mut machine = Machine::new(&graph, strategy).unwrap_or_else(|error| panic!("{name}: {error}"));
        for case in 0..xs[0].len() {
            let frame = frames(&graph, &xs, case);
            let output = machine.run(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut output = output.as_chunks::<4>().0.iter();
            for y in &ys {
                let near = f64::from(tolerance::F32) * largest(&y.concat());
                for (index, expected) in y[case].iter().enumerate() {
                    let found = output.next().map_or(f64::NAN, |&found| f64::from(f32::from_le_bytes(found)));
                    assert!(
                        (found - expected).abs() <= near,
                        "{name}: {strategy:?}: output {index} is {found}, Keras has {expected}"
                    );
                }
            }
            assert!(output.next().is_none(), "{name}: {strategy:?}: more than Keras has");
        }
    }
}

#[test]
fn every_fixture_answers_as_keras() {
    let mut checked = 0;
    let mut models: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the fixtures are in the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "keras" || extension == "h5"))
        .collect();
    models.sort();
    for model in models {
        let stem = model.file_stem().expect("a file").to_string_lossy().into_owned();
        if !REFUSED.iter().any(|(name, _)| *name == stem) {
            check(&model, &model.with_extension("npz"));
            checked += 1;
        }
    }
    println!("{checked} files");
    assert!(checked > 65, "only {checked} files");
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (name, part) in REFUSED {
        for extension in ["keras", "h5"] {
            let file = folder().join(name).with_extension(extension);
            let error = read::read(&file)
                .and_then(passes::run)
                .and_then(|graph| Machine::new(&graph, Strategy::Whole).map(drop));
            let message = error.expect_err("refused").to_string();
            assert!(message.contains(part), "{name}: {message}");
        }
    }
}

/// Modules that together use every kernel of f32.
const GENERATED: [&str; 13] = [
    "xception",
    "pools",
    "sigmoids",
    "flatten_dense",
    "rescaling_signed",
    "bn_after_relu",
    "depthwise",
    "functions",
    "function_layers",
    "relu_leaky",
    "prelu",
    "merges",
    "squeeze_excite",
];

#[test]
fn generated_modules_compute_what_keras_computes_in_every_way_of_running() {
    let mut program = crates::Program::default();
    for name in GENERATED {
        let model = folder().join(name).with_extension("keras");
        let graph = read::read(&model).and_then(passes::run).expect(name);
        let (cases, x) = inputs(&model.with_extension("npz"));
        let y = floats(&arrays::Arrays::open(&model.with_extension("npz")).bytes("y"));
        let (x, y) = (&x[..x.len() / cases], &y[..y.len() / cases]);
        let module = emit::module(&graph, Strategy::Balanced).expect(name);
        let row = graph.tensor(graph.layers[0].output).shape.row_elements();
        let near = tolerance::F32 * largest(y) as f32;
        let expected: Vec<f32> = y.iter().map(|&value| value as f32).collect();
        match host::elements(&graph).0 {
            Element::U8 => {
                program.add(name, module, &x.iter().map(|&value| value as u8).collect::<Vec<_>>(), row, &expected, near)
            }
            _ => program.add(
                name,
                module,
                &x.iter().map(|&value| value as f32).collect::<Vec<_>>(),
                row,
                &expected,
                near,
            ),
        }
    }
    program.run("generated_f32");
}

/// Functions of one number and of two, quantized: the module and the host run the same kernels on the same numbers.
#[test]
fn generated_int8_modules_compute_what_the_host_computes() {
    let mut program = crates::Program::default();
    for name in ["functions", "function_layers", "prelu", "merges", "squeeze_excite"] {
        let model = folder().join(name).with_extension("keras");
        let graph = read::read(&model).and_then(passes::run).expect(name);
        let (cases, x) = inputs(&model.with_extension("npz"));
        let frames = x.chunks(x.len() / cases).map(|x| Ok(frame_bytes(&graph, x)));
        let ranges = quantize::calibrate(&graph, frames, quantize::Method::MinMax, |_| ()).expect(name);
        let quantized = quantize::quantize(&graph, &ranges).expect(name);
        let input = quantized.tensors[0].quantization.expect("an int8 input");
        let stored = |real: &f64| {
            let steps = (real / f64::from(input.scale)).round() + f64::from(input.zero_point);
            steps.clamp(-128.0, 127.0) as i8
        };
        let frame: Vec<i8> = x[..x.len() / cases].iter().map(stored).collect();
        let bytes: Vec<u8> = frame.iter().map(|value| value.cast_unsigned()).collect();
        let answer = Machine::new(&quantized, Strategy::Whole).and_then(|mut machine| machine.run(&bytes)).expect(name);
        let expected: Vec<i8> = answer.iter().map(|byte| byte.cast_signed()).collect();
        let module = emit::module(&quantized, Strategy::Balanced).expect(name);
        let row = quantized.tensors[0].shape.row_elements();
        program.add(name, module, &frame, row, &expected, 0.0);
    }
    program.run("generated_int8_functions");
}

/// Several inputs and outputs, of one type and of two: f32 against Keras, int8 against the host's bits.
#[test]
fn generated_modules_of_several_inputs_and_outputs_answer_in_every_way_of_running() {
    let mut program = crates::Program::default();
    for name in SEVERAL {
        let model = folder().join(name).with_extension("keras");
        let graph = read::read(&model).and_then(passes::run).expect(name);
        let (xs, ys) = (all(&model.with_extension("npz"), "x"), all(&model.with_extension("npz"), "y"));
        let expected = ys.iter().map(|y| {
            let near = tolerance::F32 * largest(&y.concat()) as f32;
            (y[0].iter().map(|&value| value as f32).collect(), near)
        });
        let module = emit::module(&graph, Strategy::Balanced).expect(name);
        program.add_ends(name, module, &graph, &frames(&graph, &xs, 0), &expected.collect::<Vec<_>>());

        let cases = (0..xs[0].len()).map(|case| Ok(frames(&graph, &xs, case)));
        let ranges = quantize::calibrate(&graph, cases, quantize::Method::MinMax, |_| ()).expect(name);
        let quantized = quantize::quantize(&graph, &ranges).expect(name);
        let frame = frames(&quantized, &xs, 0);
        let answer = Machine::new(&quantized, Strategy::Whole).and_then(|mut machine| machine.run(&frame)).expect(name);
        let mut answer = answer.iter().map(|byte| f32::from(byte.cast_signed()));
        let expected = ys.iter().map(|y| (answer.by_ref().take(y[0].len()).collect(), 0.0)).collect::<Vec<_>>();
        let module = emit::module(&quantized, Strategy::Smallest).expect(name);
        program.add_ends(&format!("{name}_int8"), module, &quantized, &frame, &expected);
    }
    program.run("generated_ends");
}
