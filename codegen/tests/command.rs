//! The command `microception` as a user meets it: exit codes, messages, and files that are there whole or not at all.

#[path = "common/arrays.rs"]
mod arrays;
#[path = "suite/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of every tensor, which use all of it")]
mod suite;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use microception_codegen::convert::{Convert, Precision};
use npyz::NpyFile;
use serde_json::Value;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xception_lite").join(name)
}

/// A folder with the shipped model, its labels and ranges, and nothing else.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["xlite.keras", "labels.txt", "ranges.json", "golden100.npz"] {
        std::fs::copy(shipped(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn microception(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_microception")).current_dir(folder).args(arguments).output().unwrap()
}

/// What it prints when it succeeds.
#[track_caller]
fn done(folder: &TempDir, arguments: &[&str]) -> String {
    let output = microception(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    assert_eq!(errors, "", "{arguments:?} is not silent on standard error");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json(folder: &TempDir, arguments: &[&str]) -> Value {
    serde_json::from_str(done(folder, arguments).lines().last().unwrap()).unwrap()
}

/// The one message that it fails with; nothing may stay behind.
#[track_caller]
fn refused(folder: &TempDir, arguments: &[&str], parts: &[&str]) {
    let before = files(folder.path());
    let output = microception(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    assert_eq!(errors.lines().count(), 1, "one message: {errors}");
    assert!(errors.starts_with("error: "), "{errors}");
    for part in parts {
        assert!(errors.contains(part), "{errors:?} does not say {part:?}");
    }
    assert!(output.stdout.is_empty(), "prints figures of what failed");
    assert_eq!(files(folder.path()), before, "files stay as they were");
}

/// Names and contents.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(&path).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn npy_u8(shape: &[u64], values: &[u8]) -> Vec<u8> {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

fn npy_i8(shape: &[u64], bytes: &[u8]) -> Vec<u8> {
    use npyz::WriterBuilder;
    let mut file = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut file).begin_nd().unwrap();
    writer.extend(bytes.iter().map(|byte| byte.cast_signed())).unwrap();
    writer.finish().unwrap();
    file
}

fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn png(side: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(side, side).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn array<T: npyz::Deserialize>(folder: &TempDir, name: &str) -> (Vec<u64>, Vec<T>) {
    let bytes = std::fs::read(folder.path().join(name)).unwrap();
    let file = NpyFile::new(&bytes[..]).unwrap();
    (file.shape().to_vec(), file.into_vec().unwrap())
}

#[test]
fn inspect_lists_layers_and_their_figures() {
    let folder = folder();
    let text = done(&folder, &["inspect", "xlite.keras"]);
    assert!(text.contains("separable_conv2d/pointwise") && text.contains("7,387,968"), "{text}");
    let report = json(&folder, &["inspect", "xlite.keras", "--json"]);
    assert_eq!(report["macs"], 7_387_968);
    assert_eq!(report["parameters"], 75_842);
    assert_eq!(report["input"]["shape"], serde_json::json!([32, 32, 3]));
    assert_eq!(report["input"]["element"], "u8");
    let layers = report["layers"].as_array().unwrap();
    let sum = |key: &str| layers.iter().map(|layer| layer[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("macs"), sum("parameters")), (7_387_968, 75_842));
}

#[test]
fn convert_writes_the_module_and_its_figures() {
    let folder = folder();
    let arguments = ["convert", "xlite.keras", "--out", "model.rs", "--calibration", "ranges.json", "--json"];
    let report = json(&folder, &arguments);
    let module = std::fs::read_to_string(folder.path().join("model.rs")).unwrap();
    let arena = report["arena_bytes"].as_u64().unwrap();
    assert!(arena <= 20_000, "{arena}");
    assert!(module.contains(&format!("ARENA_BYTES: usize = {arena};")));
    assert_eq!(report["precision"], "int8");
    assert_eq!(report["macs"], 7_387_968);
    assert_eq!(report["parameters"], 75_842, "quantization adds no trained numbers");
    let bytes = |key: &str| report[key].as_u64().unwrap();
    assert_eq!(bytes("flash_bytes"), bytes("weight_bytes") + bytes("step_bytes"));
    assert!(bytes("weight_bytes") >= 75_842);
    assert_eq!(report["labels"][3], "cat", "from labels.txt beside the model");
    assert!(module.contains("\"truck\""));

    let text = done(&folder, &["convert", "xlite.keras", "--out", "float.rs"]);
    assert!(text.contains("| total") && text.contains("in f32"), "{text}");
    let names: Vec<_> =
        files(folder.path()).into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "rs")).collect();
    assert_eq!(names.len(), 2);
}

#[test]
fn the_same_model_gives_the_same_module() {
    let folder = folder();
    for out in ["a.rs", "b.rs"] {
        done(&folder, &["convert", "xlite.keras", "--out", out, "--calibration", "ranges.json"]);
    }
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(text("a.rs"), text("b.rs"));
    assert!(!text("a.rs").contains(folder.path().to_str().unwrap()), "no path of this machine");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let folder = folder();
    for arguments in [
        &[][..],
        &["convert", "xlite.keras"],
        &["convert", "xlite.keras", "--out", "a.rs", "--precision", "int3"],
        &["convert", "xlite.keras", "--out", "a.rs", "--target", "abacus"],
        &["convert", "xlite.keras", "--out", "a.rs", "--range", "median", "--calibration", "golden100.npz"],
        &["convert", "xlite.keras", "--out", "a.rs", "--save-ranges", "r.json"],
        &["convert", "xlite.keras", "--out", "a.rs", "--calibration", "golden100.npz", "--auto-mixed", "0"],
        &["convert", "xlite.keras", "--out", "a.rs", "--calibration", "golden100.npz", "--auto-mixed", "-1"],
        &["convert", "xlite.keras", "--out", "a.rs", "--calibration", "golden100.npz", "--auto-mixed", "nan"],
        &["run", "xlite.keras", "--input", "golden100.npz", "--board", "abacus"],
        &["eval", "xlite.keras", "--data", "golden100.npz", "--limit", "0"],
        &["bench", "xlite.keras", "--board", "host"],
        &["filter", "photo.png", "--kernel", "edge", "-o", "edges.png"],
        &["filter", "photo.png", "--kernel", "edges", "--border", "wrap", "-o", "edges.png"],
        &["filter", "photo.png", "--kernel", "edges"],
        &["frobnicate"],
    ] {
        let output = microception(&folder, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(microception(&folder, &["--help"]).status.code(), Some(0));
    assert_eq!(microception(&folder, &["--version"]).status.code(), Some(0));
}

#[test]
fn a_model_that_cannot_be_read_leaves_nothing_behind() {
    let folder = folder();
    let whole = std::fs::read(folder.path().join("xlite.keras")).unwrap();
    for part in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        write(&folder, "cut.keras", &whole[..part]);
        refused(&folder, &["convert", "cut.keras", "--out", "model.rs"], &["cut.keras"]);
    }
    write(&folder, "text.keras", "not a model");
    refused(&folder, &["convert", "text.keras", "--out", "model.rs"], &["text.keras", "known"]);
    refused(&folder, &["convert", "absent.keras", "--out", "model.rs"], &["absent.keras"]);
    refused(&folder, &["inspect", "labels.txt"], &["labels.txt"]);
    write(&folder, "model.rs", "// what was there before");
    refused(&folder, &["convert", "text.keras", "--out", "model.rs"], &["text.keras"]);
}

#[test]
fn convert_never_writes_over_what_it_reads() {
    let folder = folder();
    refused(&folder, &["convert", "xlite.keras", "--out", "./xlite.keras"], &["xlite.keras", "reads it"]);
    let data = ["convert", "xlite.keras", "--calibration", "golden100.npz", "--save-ranges"];
    refused(&folder, &[&data[..], &["golden100.npz", "--out", "a.rs"]].concat(), &["golden100.npz", "reads it"]);
    refused(&folder, &[&data[..], &["a.rs", "--out", "a.rs"]].concat(), &["a.rs", "both"]);
    refused(&folder, &["convert", "xlite.keras", "--out", "labels.txt"], &["labels.txt", "reads it"]);
}

#[test]
fn nothing_else_writes_over_what_it_reads_either() {
    let folder = folder();
    let eval = ["eval", "xlite.keras", "--data", "golden100.npz", "--predictions"];
    refused(&folder, &[&eval[..], &["golden100.npz"]].concat(), &["golden100.npz", "it is read from"]);
    refused(&folder, &[&eval[..], &["./xlite.keras"]].concat(), &["xlite.keras", "it is read from"]);
    let bench = ["bench", "xlite.keras", "--board", "mps2-an386", "--calibration", "ranges.json", "--elf"];
    refused(&folder, &[&bench[..], &["xlite.keras"]].concat(), &["xlite.keras", "it is read from"]);
    refused(&folder, &[&bench[..], &["ranges.json"]].concat(), &["ranges.json", "it is read from"]);
    let run = ["run", "xlite.keras", "--input", "golden100.npz", "--labels", "labels.txt", "--output"];
    refused(&folder, &[&run[..], &["labels.txt"]].concat(), &["labels.txt", "it is read from"]);
    refused(&folder, &[&run[..], &["golden100.npz"]].concat(), &["golden100.npz", "it is read from"]);
}

#[test]
fn int8_needs_usable_ranges() {
    let folder = folder();
    let convert = |source: &[&str], parts: &[&str]| {
        let arguments = [&["convert", "xlite.keras", "--out", "model.rs", "--precision", "int8"], source].concat();
        refused(&folder, &arguments, parts);
    };
    convert(&[], &["xlite.keras", "int8 needs", "--calibration"]);
    let int16 = ["convert", "xlite.keras", "--out", "model.rs", "--precision", "int16x8"];
    refused(&folder, &int16, &["xlite.keras", "int16x8 needs", "--calibration"]);
    let ranges = std::fs::read_to_string(folder.path().join("ranges.json")).unwrap();
    write(&folder, "nan.json", ranges.replacen("\"conv2d\": [0.0,", "\"conv2d\": [NaN,", 1));
    convert(&["--calibration", "nan.json"], &["nan.json"]);
    write(&folder, "infinite.json", ranges.replacen("\"conv2d\": [0.0,", "\"conv2d\": [-1e999,", 1));
    convert(&["--calibration", "infinite.json"], &["infinite.json"]);
    write(&folder, "reversed.json", ranges.replacen("\"conv2d\": [0.0,", "\"conv2d\": [1e9,", 1));
    convert(&["--calibration", "reversed.json"], &["reversed.json", "layer \"conv2d\""]);
    write(&folder, "lacking.json", ranges.replacen("\"conv2d\":", "\"other\":", 1));
    convert(&["--calibration", "lacking.json"], &["layer \"conv2d\""]);
    write(&folder, "cut.json", &ranges[..ranges.len() / 2]);
    convert(&["--calibration", "cut.json"], &["cut.json"]);
    convert(&["--calibration", "ranges.json", "--range", "minmax"], &["ranges.json", "--range"]);
    write(&folder, "empty.npz", npz(&[("x", npy_u8(&[0, 32, 32, 3], &[]))]));
    convert(&["--calibration", "empty.npz"], &["empty.npz", "no frames"]);
    write(&folder, "small.npz", npz(&[("x", npy_u8(&[1, 16, 16, 3], &[0; 768]))]));
    convert(&["--calibration", "small.npz"], &["small.npz", "16x16x3", "32x32x3"]);
    write(&folder, "first.npz", npz(&[("x", npy_u8(&[1, 3, 32, 32], &[0; 3072]))]));
    convert(&["--calibration", "first.npz"], &["first.npz", "1x3x32x32", "channels to the end"]);
    std::fs::create_dir(folder.path().join("pictures")).unwrap();
    convert(&["--calibration", "pictures"], &["pictures", "no pictures"]);
    write(&folder, "pictures/a.png", png(32));
    write(&folder, "pictures/b.png", png(33));
    convert(&["--calibration", "pictures"], &["b.png", "33x33", "32x32"]);
    write(&folder, "pictures/b.png", &png(32)[..40]);
    convert(&["--calibration", "pictures"], &["b.png"]);
    convert(&["--calibration", "absent.npz"], &["absent.npz"]);
}

#[test]
fn ranges_found_by_calibration_serve_again() {
    let folder = folder();
    let first = ["--calibration", "golden100.npz", "--save-ranges", "found.json", "--range", "percentile:99.9"];
    done(&folder, &[&["convert", "xlite.keras", "--out", "a.rs"], &first[..]].concat());
    done(&folder, &["convert", "xlite.keras", "--out", "b.rs", "--calibration", "found.json"]);
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(text("a.rs"), text("b.rs"));
    let found: Value = serde_json::from_str(&text("found.json")).unwrap();
    assert_eq!((&found["frames"], &found["source"]), (&Value::from(100), &Value::from("golden100.npz")));
    done(&folder, &["convert", "xlite.keras", "--out", "c.rs", "--calibration", "golden100.npz", "--range", "minmax"]);
    assert_ne!(text("a.rs"), text("c.rs"), "the range rule has an effect");
}

#[test]
fn f32_has_no_ranges_to_save_or_to_choose() {
    let folder = folder();
    let f32 = ["convert", "xlite.keras", "--out", "a.rs", "--precision", "f32", "--calibration", "golden100.npz"];
    refused(&folder, &[&f32[..], &["--save-ranges", "r.json"]].concat(), &["xlite.keras", "f32 has no ranges"]);
    for option in [["--range", "mse"], ["--equalize", "off"], ["--correct-bias", "on"]] {
        let output = microception(&folder, &[&["convert", "xlite.keras", "--out", "a.rs"], &option[..]].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{errors}");
        assert!(errors.starts_with("warning: xlite.keras: "), "{option:?}: {errors}");
        assert!(errors.contains("--calibration"), "{option:?}: {errors}");
    }
}

#[test]
fn calibration_with_test_pictures_is_warned_about() {
    let folder = folder();
    write(&folder, "test.npz", npz(&[("x_test", npy_u8(&[1, 32, 32, 3], &[7; 3072]))]));
    let output = microception(&folder, &["convert", "xlite.keras", "--out", "a.rs", "--calibration", "test.npz"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("warning: test.npz: "));
}

#[test]
fn labels_must_be_as_many_as_the_classes() {
    let folder = folder();
    write(&folder, "few.txt", "cat\ndog\n");
    refused(&folder, &["convert", "xlite.keras", "--out", "a.rs", "--labels", "few.txt"], &["few.txt", "2", "10"]);
    refused(&folder, &["convert", "xlite.keras", "--out", "a.rs", "--labels", "absent.txt"], &["absent.txt"]);
    write(&folder, "other.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
    let report = json(&folder, &["convert", "xlite.keras", "--out", "a.rs", "--labels", "other.txt", "--json"]);
    assert_eq!(report["labels"][9], "j");
    // Of a file that nobody named it is said where it comes from.
    std::fs::create_dir(folder.path().join("two")).unwrap();
    std::fs::copy(shipped("xlite.keras"), folder.path().join("two/xlite.keras")).unwrap();
    write(&folder, "two/labels.txt", "cat\ndog\n");
    let beside = ["convert", "two/xlite.keras", "--out", "b.rs"];
    refused(&folder, &beside, &["two/labels.txt: lies beside the model", "move it away", "--labels"]);
    // As editors of Windows write it, with a mark in front, and in another encoding.
    write(&folder, "marked.txt", "\u{feff}a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\n");
    let report = json(&folder, &["convert", "xlite.keras", "--out", "a.rs", "--labels", "marked.txt", "--json"]);
    assert_eq!((&report["labels"][0], &report["labels"][9]), (&"a".into(), &"j".into()));
    write(&folder, "latin.txt", b"M\xfccke\n");
    refused(&folder, &["convert", "xlite.keras", "--out", "b.rs", "--labels", "latin.txt"], &["latin.txt", "UTF-8"]);
}

#[test]
fn what_cannot_be_written_is_said_with_the_file() {
    let folder = folder();
    refused(&folder, &["convert", "xlite.keras", "--out", "absent/model.rs"], &["absent/model.rs", "written"]);
    std::fs::create_dir(folder.path().join("taken.rs")).unwrap();
    refused(&folder, &["convert", "xlite.keras", "--out", "taken.rs"], &["taken.rs", "folder"]);
    refused(&folder, &["run", "xlite.keras", "--input", "golden100.npz", "--output", "absent/y.npy"], &["absent"]);
    // Nobody may make files there. That is said before the calibration that could take minutes.
    #[cfg(target_os = "linux")]
    refused(
        &folder,
        &["convert", "xlite.keras", "--calibration", "absent.npz", "--out", "/proc/model.rs"],
        &["/proc/model.rs: cannot be written: the folder /proc takes no new file"],
    );
}

#[test]
fn run_writes_real_numbers_or_the_models_own_int8() {
    let folder = folder();
    done(&folder, &["run", "xlite.keras", "--input", "golden100.npz", "--output", "float.npy"]);
    let (shape, floats) = array::<f32>(&folder, "float.npy");
    assert_eq!(shape, [100, 10]);
    assert!(floats.chunks(10).all(|frame| (frame.iter().sum::<f32>() - 1.0).abs() < 1e-5), "softmax");

    let int8 = ["run", "xlite.keras", "--calibration", "ranges.json", "--input", "golden100.npz", "--output"];
    done(&folder, &[&int8[..], &["int8.npy"]].concat());
    done(&folder, &[&int8[..], &["real.npy", "--dequantize"]].concat());
    let (shape, stored) = array::<i8>(&folder, "int8.npy");
    let (_, real) = array::<f32>(&folder, "real.npy");
    assert_eq!(shape, [100, 10]);
    // In an archive it has its name.
    done(&folder, &[&int8[..], &["named.npz"]].concat());
    let bytes = std::fs::read(folder.path().join("named.npz")).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let mut member = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name(&names[0]).unwrap(), &mut member).unwrap();
    let file = NpyFile::new(&member[..]).unwrap();
    assert_eq!((names.len(), file.shape()), (1, &[100, 10][..]), "{names:?}");
    assert_eq!(file.into_vec::<i8>().unwrap(), stored);
    let probability = |stored: &i8| (f32::from(*stored) + 128.0) / 256.0;
    assert_eq!(stored.iter().map(probability).collect::<Vec<_>>(), real);
    let near = floats.iter().zip(&real).filter(|(float, real)| (**float - **real).abs() < 0.1).count();
    assert!(near > 950, "int8 is near f32 in {near} of 1000 values");
}

#[test]
fn run_takes_one_frame_a_picture_or_a_folder() {
    let folder = folder();
    write(&folder, "one.npy", npy_u8(&[32, 32, 3], &[7; 3072]));
    done(&folder, &["run", "xlite.keras", "--input", "one.npy", "--output", "y.npy"]);
    assert_eq!(array::<f32>(&folder, "y.npy").0, [10], "no list in, no list out");
    write(&folder, "photo.png", png(50));
    let arguments = ["run", "xlite.keras", "--input", "photo.png"];
    refused(&folder, &arguments, &["photo.png", "50x50", "32x32", "--resize"]);
    let text = done(&folder, &[&arguments[..], &["--resize"]].concat());
    assert_eq!(text.lines().count(), 3, "the three best classes: {text}");
    let labels = std::fs::read_to_string(shipped("labels.txt")).unwrap();
    assert!(text.lines().all(|line| labels.lines().any(|label| line.ends_with(label))), "{text}");
    write(&folder, "pictures/a.png", png(32));
    write(&folder, "pictures/b.png", png(32));
    let text = done(&folder, &["run", "xlite.keras", "--input", "pictures"]);
    assert!(text.contains("a.png") && text.contains("b.png"), "{text}");
    refused(&folder, &["run", "xlite.keras", "--input", "labels.txt"], &["labels.txt", "not data"]);
}

#[test]
fn eval_counts_what_is_right() {
    let folder = folder();
    let arguments = ["eval", "xlite.keras", "--data", "golden100.npz", "--json"];
    let report = json(&folder, &[&arguments[..], &["--predictions", "classes.npy"]].concat());
    assert_eq!(report["total"], 100);
    let (_, classes) = array::<i64>(&folder, "classes.npy");
    let labels = golden_labels();
    let correct = classes.iter().zip(&labels).filter(|(class, label)| class == label).count();
    assert_eq!(report["correct"], correct);
    assert!(correct > 75, "{correct} of 100");
    let report = json(&folder, &[&arguments[..], &["--limit", "10", "--calibration", "ranges.json"]].concat());
    assert_eq!((&report["total"], &report["precision"]), (&Value::from(10), &Value::from("int8")));
    let text = done(&folder, &["eval", "xlite.keras", "--data", "golden100.npz"]);
    assert!(text.contains(&format!("{correct} of 100 right")), "{text}");
}

/// A model that is quantized already takes its own int8, or pixels where these are its real numbers.
#[test]
fn a_tflite_model_runs_as_it_is() {
    let folder = folder();
    std::fs::copy(shipped("xlite_int8.tflite"), folder.path().join("model.tflite")).unwrap();
    let figures = json(&folder, &["convert", "model.tflite", "--out", "model.rs", "--json"]);
    assert_eq!((&figures["precision"], &figures["macs"]), (&"int8".into(), &7_387_968.into()));
    let figures = json(&folder, &["eval", "model.tflite", "--data", "golden100.npz", "--json"]);
    assert_eq!((&figures["precision"], &figures["total"]), (&"int8".into(), &100.into()));
    done(&folder, &["run", "model.tflite", "--input", "golden100.npz", "--output", "y.npy"]);
    let (shape, answers) = array::<i8>(&folder, "y.npy");
    assert_eq!(shape, [100, 10]);
    assert_eq!(answers, golden_answers());
    let arguments = ["convert", "model.tflite", "--calibration", "ranges.json", "--out", "other.rs"];
    refused(&folder, &arguments, &["model.tflite: is quantized already, so there is nothing to calibrate"]);
}

#[test]
fn eval_matches_class_folders_to_labels() {
    let folder = folder();
    write(&folder, "set/truck/a.png", png(32));
    write(&folder, "set/cat/a.png", png(32));
    let report = json(&folder, &["eval", "xlite.keras", "--data", "set", "--predictions", "p.npy", "--json"]);
    let (_, classes) = array::<i64>(&folder, "p.npy");
    assert_eq!(classes[0], classes[1], "the same picture twice");
    // Both are the same picture, so exactly one can be right, or none.
    let right = [3, 9].iter().filter(|&&label| classes[0] == label).count();
    assert_eq!(report["correct"], right);
    write(&folder, "set/unicorn/a.png", png(32));
    refused(&folder, &["eval", "xlite.keras", "--data", "set"], &["set", "unicorn"]);
    write(&folder, "x.npy", npy_u8(&[1, 32, 32, 3], &[0; 3072]));
    refused(&folder, &["eval", "xlite.keras", "--data", "x.npy"], &["x.npy", "no labels"]);
}

#[test]
fn serial_ports_are_refused_in_words() {
    refused(&folder(), &["device", "--port", "PORT", "info"], &["PORT", "no such port"]);
}

#[test]
fn the_library_call_writes_what_the_command_writes() {
    let folder = folder();
    done(&folder, &["convert", "xlite.keras", "--out", "a.rs", "--calibration", "ranges.json"]);
    let path = |name: &str| folder.path().join(name);
    let summary = Convert::new(path("xlite.keras")).calibration(path("ranges.json")).to_file(path("b.rs")).unwrap();
    assert_eq!(std::fs::read(path("a.rs")).unwrap(), std::fs::read(path("b.rs")).unwrap());
    assert_eq!((summary.precision, summary.figures.macs), (Precision::Int8, 7_387_968));
    let error = Convert::new(path("xlite.keras")).precision(Precision::Int8).to_file(path("c.rs")).unwrap_err();
    assert_eq!(error.file, Some(path("xlite.keras")));
    assert!(!path("c.rs").exists());
}

#[test]
fn a_build_script_finds_the_module_in_out_dir() {
    let model = shipped("xlite.keras");
    let convert = Convert::new(&model).calibration(shipped("ranges.json"));
    // The test runs itself once more, as a build script: in the environment that one has.
    if std::env::var_os("OUT_DIR").is_some() {
        convert.to_out_dir("model.rs").unwrap();
        return;
    }
    let error = convert.to_out_dir("model.rs").unwrap_err();
    assert!(error.reason.contains("OUT_DIR"), "{error}");
    let folder = TempDir::new().unwrap();
    let script = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_build_script_finds_the_module_in_out_dir", "--nocapture"])
        .env("OUT_DIR", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(script.stdout).unwrap();
    assert!(script.status.success(), "{text}");
    for name in ["xlite.keras", "ranges.json", "labels.txt"] {
        assert!(text.contains(&format!("cargo::rerun-if-changed={}", shipped(name).display())), "{text}");
    }
    assert_eq!(files(folder.path()).len(), 1);
    assert!(folder.path().join("model.rs").exists());
}

/// The labels in the archive of the shipped model's test pictures.
fn golden_labels() -> Vec<i64> {
    let bytes = golden("label");
    let file = NpyFile::new(&bytes[..]).unwrap();
    match file.dtype().descr().as_str() {
        "'|u1'" => file.into_vec::<u8>().unwrap().into_iter().map(i64::from).collect(),
        _ => file.into_vec::<i64>().unwrap(),
    }
}

/// What LiteRT answers to the test pictures with the shipped int8 model.
fn golden_answers() -> Vec<i8> {
    NpyFile::new(&golden("int8_ref")[..]).unwrap().into_vec().unwrap()
}

/// An array of that archive.
fn golden(name: &str) -> Vec<u8> {
    let bytes = std::fs::read(shipped("golden100.npz")).unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut member = Vec::new();
    std::io::Read::read_to_end(&mut zip.by_name(&format!("{name}.npy")).unwrap(), &mut member).unwrap();
    member
}

/// A picture's extents and pixels.
fn pixels(folder: &TempDir, name: &str) -> ([u32; 2], Vec<u8>) {
    let picture = image::open(folder.path().join(name)).unwrap();
    ([picture.width(), picture.height()], picture.into_bytes())
}

#[test]
fn a_picture_is_filtered_with_the_kernel_of_a_name() {
    let folder = TempDir::new().unwrap();
    let grey = image::GrayImage::from_raw(4, 3, vec![40, 40, 80, 80, 40, 40, 80, 80, 40, 40, 80, 80]).unwrap();
    grey.save(folder.path().join("photo.png")).unwrap();
    let text = done(&folder, &["filter", "photo.png", "--kernel", "sharpen", "-o", "sharp.png"]);
    assert!(text.contains("sharp.png") && text.contains("4x3") && text.contains("sharpen"), "{text}");
    assert_eq!(pixels(&folder, "sharp.png"), ([4, 3], [40, 0, 120, 80].repeat(3)));
    // Beyond a constant border it is dark.
    done(&folder, &["filter", "photo.png", "--kernel", "box-blur", "--border", "constant", "-o", "blur.png"]);
    assert_eq!(pixels(&folder, "blur.png"), ([4, 3], vec![18, 36, 44, 36, 27, 53, 67, 53, 18, 36, 44, 36]));

    // A coloured one keeps its colours, and loses its opacity.
    let coloured = image::RgbaImage::from_pixel(5, 2, image::Rgba([10, 200, 30, 77]));
    coloured.save(folder.path().join("coloured.png")).unwrap();
    done(&folder, &["filter", "coloured.png", "--kernel", "gaussian-5x5", "--output", "same.png"]);
    assert_eq!(pixels(&folder, "same.png"), ([5, 2], [10, 200, 30].repeat(10)));

    let help = done(&folder, &["filter", "--help"]);
    for name in ["identity", "edges-diagonal", "edges-cross", "edges:", "unsharp-5x5", "mirror"] {
        assert!(help.contains(name), "{help}");
    }
}

#[test]
fn pictures_that_cannot_be_filtered_or_written_are_named() {
    let folder = TempDir::new().unwrap();
    write(&folder, "photo.png", png(4));
    write(&folder, "cut.png", &png(40)[..60]);
    write(&folder, "text.png", "no picture");
    let to = ["--kernel", "edges", "-o"];
    let filter = |photo: &'static str, output: &'static str| [&["filter", photo], &to[..], &[output]].concat();
    refused(&folder, &filter("missing.png", "edges.png"), &["missing.png", "cannot be read"]);
    refused(&folder, &filter("text.png", "edges.png"), &["text.png", "not a picture"]);
    refused(&folder, &filter("cut.png", "edges.png"), &["cut.png", "cannot be decoded"]);
    refused(&folder, &filter("photo.png", "edges.jpg"), &["edges.jpg", "PNG"]);
    refused(&folder, &filter("photo.png", "nowhere/edges.png"), &["nowhere", "no folder"]);
    refused(&folder, &filter("photo.png", "photo.png"), &["photo.png", "it is read from"]);
}

#[test]
fn kernels_and_sections_are_the_users_choice() {
    let folder = folder();
    let convert = ["convert", "xlite.keras", "--calibration", "ranges.json", "--out", "model.rs", "--json"];
    let figures = |more: &[&str]| {
        let figures = json(&folder, &[&convert[..], more].concat());
        let text = std::fs::read_to_string(folder.path().join("model.rs")).unwrap();
        ["weight_bytes", "arena_bytes"]
            .map(|figure| figures[figure].as_u64().unwrap())
            .into_iter()
            .chain([text.matches("conv::winograd::int8(").count() as u64])
            .collect::<Vec<_>>()
    };
    let (size, speed, ram) =
        (figures(&["--optimize", "size"]), figures(&["--optimize", "speed"]), figures(&["--optimize", "ram"]));
    // The second convolution has 48 columns of 216 weights; the first has stride 2.
    assert_eq!((size[2], speed[2]), (0, 1));
    assert_eq!(speed[0] - size[0], 48 * (3 * 24 * 4 * 2 - 216));
    assert!(ram[1] <= size[1] && size[1] <= speed[1], "arenas of {} and {} and {} bytes", ram[1], size[1], speed[1]);

    // Two thirds more weights than the second convolution has are more than an eighth of all.
    let balanced = figures(&["--optimize", "balanced"]);
    assert!(balanced[0] * 8 <= size[0] * 9 && balanced[2] == 0, "{balanced:?}");
    assert_eq!(figures(&["--target", "cortex-m4"]), balanced);
    assert_eq!(figures(&[]), size);

    done(&folder, &[&convert[..], &["--weights-section", ".external", "--arena-section", ".fast"]].concat());
    let text = std::fs::read_to_string(folder.path().join("model.rs")).unwrap();
    assert_eq!(text.matches("#[unsafe(link_section = \".fast\")]").count(), 1);
    assert!(text.matches("#[unsafe(link_section = \".external\")]").count() >= 30, "not every array");
    refused(&folder, &[&convert[..], &["--weights-section", "two words"]].concat(), &["two words", "linker section"]);
}

/// A series of any length: the outputs as they come, those of LiteRT as far as its series goes.
#[test]
fn an_endless_plan_takes_a_series() {
    let folder = TempDir::new().unwrap();
    let models = suite::group("conv1d");
    let causal = models.iter().find(|model| model.name == "conv1d_02").unwrap();
    let same = models.iter().find(|model| model.name == "conv1d_03").unwrap();
    write(&folder, "causal.tflite", &causal.bytes);
    write(&folder, "same.tflite", &same.bytes);
    let (rows, channels) = (causal.frame_shape()[0] as u64, causal.frame_shape()[1] as u64);
    let (series, expected) = (causal.frame(0), causal.answer().case(0));
    write(&folder, "series.npy", npy_i8(&[rows, channels], series));
    let run = ["run", "causal.tflite", "--plan", "endless", "--input", "series.npy", "--output", "y.npy"];
    let text = done(&folder, &run);
    assert!(text.contains(&format!("of a series of {rows} rows")), "{text}");
    let bytes = std::fs::read(folder.path().join("y.npy")).unwrap();
    let file = NpyFile::new(&bytes[..]).unwrap();
    let outputs = causal.answer().shape[1] as u64;
    assert_eq!(file.shape(), [outputs, causal.answer().shape[2] as u64]);
    assert_eq!(file.into_vec::<i8>().unwrap(), expected.iter().map(|byte| byte.cast_signed()).collect::<Vec<_>>());
    // Longer than the model's own window, and begun alike.
    write(&folder, "series.npy", npy_i8(&[3 * rows, channels], &series.repeat(3)));
    done(&folder, &run);
    let bytes = std::fs::read(folder.path().join("y.npy")).unwrap();
    let file = NpyFile::new(&bytes[..]).unwrap();
    assert!(file.shape()[0] > 2 * outputs, "{:?}", file.shape());
    let longer: Vec<i8> = file.into_vec().unwrap();
    assert!(longer.iter().zip(expected).all(|(&longer, byte)| longer == byte.cast_signed()));

    let report = json(&folder, &["convert", "causal.tflite", "--plan", "endless", "--out", "m.rs", "--json"]);
    assert!(report["period_rows"].as_u64().unwrap() > 1, "{report}");
    let text = std::fs::read_to_string(folder.path().join("m.rs")).unwrap();
    assert!(text.contains("fn period(&self)") && text.contains("pub const OUTPUT_SHAPE: &[usize] = &[1, "), "{text}");
    let report = json(&folder, &["convert", "causal.tflite", "--out", "m.rs", "--json"]);
    assert!(report.get("period_rows").is_none(), "{report}");

    let convert = ["convert", "same.tflite", "--plan", "endless", "--out", "n.rs"];
    refused(&folder, &convert, &["same.tflite", "functional_1/conv1d_1/Relu", "same padding", "causal"]);
    let eval = ["eval", "causal.tflite", "--plan", "endless", "--data", "series.npy"];
    refused(&folder, &eval, &["--plan endless", "run"]);
    write(&folder, "series.npy", npy_i8(&[rows, channels + 1], &[0].repeat((rows * (channels + 1)) as usize)));
    refused(&folder, &run, &["series.npy", "shape"]);
}

#[test]
fn every_precision_is_shown_beside_the_others() {
    let folder = folder();
    let arguments = ["eval", "xlite.keras", "--data", "golden100.npz", "--limit", "20", "--calibration", "ranges.json"];
    let report = json(&folder, &[&arguments[..], &["--side-by-side", "--json"]].concat());
    let rows = report["precisions"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["precision"].as_str().unwrap()).collect();
    assert_eq!(names, ["f32", "int8", "int16x8", "int4"]);
    let of = |name: &str| rows.iter().map(|row| row[name].as_u64().unwrap()).collect::<Vec<u64>>();
    assert_eq!(of("total"), [20; 4]);
    assert!(of("correct").iter().all(|&correct| correct >= 16), "{report}");
    let [float, int8, int16x8, int4] = of("weight_bytes")[..] else { panic!("{report}") };
    assert!(float > 3 * int8 && int4 < int8 && int8 <= int16x8, "{report}");
    let [float, int8, int16x8, int4] = of("arena_bytes")[..] else { panic!("{report}") };
    assert!(float > int16x8 && int16x8 > int8 && int4 >= int8, "{report}");
    // In f32 there is nothing in which a layer could be kept.
    let kept = json(&folder, &[&arguments[..], &["--keep", "f32", "conv2d", "--side-by-side", "--json"]].concat());
    let bytes = |report: &serde_json::Value, row: usize| report["precisions"][row]["weight_bytes"].as_u64().unwrap();
    assert_eq!(bytes(&kept, 0), bytes(&report, 0));
    assert!(bytes(&kept, 1) > bytes(&report, 1), "{kept}");
    let compare =
        ["compare", "xlite.keras", "--with", "f32", "--calibration", "ranges.json", "--keep", "f32", "conv2d"];
    let compared = json(&folder, &[&compare[..], &["--json"]].concat());
    assert_eq!(compared["models"][1]["weight_bytes"].as_u64(), Some(bytes(&report, 0)), "{compared}");
}

#[test]
fn layers_are_kept_in_another_precision() {
    let folder = folder();
    let convert = ["convert", "xlite.keras", "--calibration", "ranges.json", "--out", "model.rs", "--json"];
    fn with<'a>(convert: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [convert, more].concat()
    }
    let layer = json(&folder, &convert)["layers"][1]["name"].as_str().unwrap().to_owned();
    let report = json(&folder, &with(&convert, &["--keep", "int16", &layer]));
    assert_eq!(report["precision"], "mixed");
    assert!(report["layers"].as_array().unwrap().iter().any(|layer| layer["kind"] == "requantize"));
    refused(&folder, &with(&convert, &["--keep", "f32", "nowhere"]), &["no layer \"nowhere\"", &layer]);
    for other in ["int7", "int4", "int4-all"] {
        refused(&folder, &with(&convert, &["--keep", other, &layer]), &[other, "f32, int16 or int8"]);
    }
    refused(&folder, &with(&convert, &["--auto-mixed", "1"]), &["calibration data"]);
}
