//! `microception run --tensors`: every tensor under its name in the model, as LiteRT has it.

#[path = "common/arrays.rs"]
mod arrays;
#[path = "suite/fixture.rs"]
#[expect(dead_code, reason = "shared with the suite, which uses all of it")]
mod fixture;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use arrays::Arrays;
use fixture::Model;
use microception_codegen::data::write;
use serde_json::Value;
use tempfile::TempDir;

/// Of the suite: residuals, pools, dense, softmax.
const NETWORK: &str = "network_03";

fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn microception(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_microception")).current_dir(folder).args(arguments).output().unwrap()
}

#[track_caller]
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = microception(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with a network of the suite, and its inputs as `x.npy`.
fn network() -> (TempDir, Model) {
    let folder = TempDir::new().unwrap();
    let model = fixture::group("network").into_iter().find(|model| model.name == NETWORK).expect("in the suite");
    std::fs::write(folder.path().join("model.tflite"), &model.bytes).unwrap();
    let frames: Vec<i8> =
        (0..model.cases()).flat_map(|case| model.frame(case)).map(|byte| byte.cast_signed()).collect();
    let shape = [&[model.cases()], model.frame_shape()].concat();
    write::npy(&folder.path().join("x.npy"), &shape, frames).unwrap();
    (folder, model)
}

/// Names in the order of the archive.
fn names(file: &Path) -> Vec<String> {
    let archive = zip::ZipArchive::new(std::fs::File::open(file).unwrap()).unwrap();
    archive.file_names().map(|name| name.unwrap().strip_suffix(".npy").expect("an array").to_owned()).collect()
}

#[test]
fn every_tensor_of_a_network_has_its_name_and_litert_s_bits() {
    let (folder, model) = network();
    let text = done(folder.path(), &["run", "model.tflite", "--input", "x.npy", "--tensors", "all.npz"]);
    let file = folder.path().join("all.npz");
    let (names, all) = (names(&file), Arrays::open(&file));
    assert!(text.contains(&format!("all.npz: {} tensors, 3 frames", names.len())), "{text}");
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let (shape, found) = all.array(&name).unwrap();
        let stored = model.tensors.iter().find(|stored| stored.name == name).expect("a tensor of the file");
        let expected: Vec<u8> = (0..model.cases()).flat_map(|case| stored.case(case)).copied().collect();
        assert_eq!(shape[0], 3, "a list of three, so one more axis");
        assert!(found == expected, "{name}");
    }
}

#[test]
fn the_shipped_network_has_litert_s_tensors() {
    let folder = TempDir::new().unwrap();
    let shipped = package("models/xception_lite/xlite_int8.tflite");
    let pictures = Arrays::open(&package("models/xception_lite/golden100.npz")).bytes("image");
    let [first, second] = [0, 1].map(|index| pictures[index * 3072..][..3072].to_vec());
    write::npy(&folder.path().join("x.npy"), &[2, 32, 32, 3], [first, second].concat()).unwrap();
    done(folder.path(), &["run", shipped.to_str().unwrap(), "--input", "x.npy", "--tensors", "all.npz"]);

    let litert = Arrays::open(&package("../tests/fixtures/litert/xlite_int8.npz"));
    let description: Value = serde_json::from_slice(&litert.bytes("graph")).unwrap();
    let operators = description["operators"].as_array().unwrap();
    let tensors =
        std::iter::once(&description["inputs"][0]).chain(operators.iter().map(|operator| &operator["output"]));
    let file = folder.path().join("all.npz");
    let (names, all) = (names(&file), Arrays::open(&file));
    assert_eq!(names.len(), operators.len() + 1);
    for (name, tensor) in names.iter().zip(tensors) {
        let (shape, expected) = litert.array(&format!("t{tensor}")).unwrap();
        let two = expected.len() / shape[0] as usize * 2;
        assert!(all.bytes(name) == expected[..two], "{name}");
    }
}

#[test]
fn dequantized_they_are_real_numbers_and_one_frame_has_no_axis_in_front() {
    let (folder, model) = network();
    let frame = model.frame(0).iter().map(|byte| byte.cast_signed());
    write::npy(&folder.path().join("one.npy"), model.frame_shape(), frame).unwrap();
    let arguments = ["run", "model.tflite", "--input", "one.npy", "--tensors", "real.npz", "--dequantize"];
    done(folder.path(), &arguments);
    let all = Arrays::open(&folder.path().join("real.npz"));
    let answer = &model.answer().name;
    let (shape, bytes) = all.array(answer).unwrap();
    assert_eq!(shape, [7], "the classes of one frame");
    let real: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    // Softmax: steps of 1/256 from -128.
    let expected = model.answer().case(0).iter().map(|byte| (f32::from(byte.cast_signed()) + 128.0) / 256.0);
    assert_eq!(real, expected.collect::<Vec<_>>());
}

#[test]
fn the_output_is_written_beside_them() {
    let (folder, model) = network();
    let arguments = ["run", "model.tflite", "--input", "x.npy", "--tensors", "all.npz", "--output", "y.npy"];
    let text = done(folder.path(), &arguments);
    assert!(text.contains("all.npz") && text.contains("y.npy"), "{text}");
    let all = Arrays::open(&folder.path().join("all.npz")).bytes(&model.answer().name);
    let output = std::fs::read(folder.path().join("y.npy")).unwrap();
    assert!(output.ends_with(&all));
}

#[test]
fn what_cannot_be_written_is_said_and_nothing_is_left() {
    let (folder, _) = network();
    std::fs::create_dir(folder.path().join("taken.npz")).unwrap();
    for (path, parts) in [
        ("absent/all.npz", ["absent/all.npz", "there is no folder"]),
        ("taken.npz", ["taken.npz", "it is a folder"]),
        ("x.npy", ["x.npy", "it is read from"]),
        ("model.tflite", ["model.tflite", "it is read from"]),
        ("/dev/full", ["/dev/full", "cannot be written"]),
    ] {
        let output = microception(folder.path(), &["run", "model.tflite", "--input", "x.npy", "--tensors", path]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{path}: {errors}");
        assert!(parts.iter().all(|part| errors.contains(part)), "{path}: {errors}");
    }
    let arguments = ["run", "model.tflite", "--input", "x.npy", "--tensors", "a.npz", "--output", "a.npz"];
    let errors = String::from_utf8(microception(folder.path(), &arguments).stderr).unwrap();
    assert!(errors.contains("cannot be both the output and the tensors"), "{errors}");
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["model.tflite", "taken.npz", "x.npy"]);
}

#[test]
fn a_board_keeps_no_tensors() {
    let (folder, _) = network();
    let arguments = ["run", "model.tflite", "--input", "x.npy", "--tensors", "a.npz", "--board", "mps2-an386"];
    let output = microception(folder.path(), &arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "wrong usage");
    assert!(errors.contains("--tensors is for the host: mps2-an386 keeps a row only until"), "{errors}");
}
