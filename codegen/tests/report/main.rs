//! `microception report` and `compare`: figures against what others say, and the page in a browser.

#[path = "../common/arrays.rs"]
mod arrays;
mod browser;
#[path = "../common/tolerance.rs"]
mod tolerance;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use arrays::Arrays;
use microception_codegen::convert::Convert;
use microception_codegen::graph::{Element, Graph, Operator, Shape, TensorId};
use microception_codegen::optimize::lowered;
use microception_codegen::plan::Strategy;
use microception_codegen::quantize::{Method, Observer, quantize};
use microception_codegen::report::memory::{Arena, Block, Holds};
use microception_codegen::report::quantization::Quantization;
use microception_codegen::{passes, read};
use serde_json::Value;
use tempfile::TempDir;

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped(name: &str) -> String {
    package().join("models/xception_lite").join(name).display().to_string()
}

fn microception(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_microception")).args(arguments).output().unwrap()
}

#[track_caller]
fn done(arguments: &[&str]) -> String {
    let output = microception(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(done(arguments).lines().last().unwrap()).unwrap()
}

/// The report of the shipped model with everything that takes no board: its data, and its page.
fn report() -> &'static (Value, String) {
    static REPORT: OnceLock<(Value, String)> = OnceLock::new();
    REPORT.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let page = folder.path().join("report.html");
        let out = page.display().to_string();
        let data = shipped("golden100.npz");
        let (model, ranges) = (shipped("xlite.keras"), shipped("ranges.json"));
        let arguments =
            ["report", &model, "--calibration", &ranges, "--data", &data, "--steps", "4", "--out", &out, "--json"];
        (json(&arguments), std::fs::read_to_string(page).unwrap())
    })
}

#[test]
fn every_layer_of_a_file_runs_or_is_part_of_one_that_does() {
    let folder = package().join("../tests/fixtures/keras");
    let mut looked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "keras") {
            continue;
        }
        let Ok(read) = read::read(&path) else { continue };
        let names: Vec<(String, bool)> = read
            .layers
            .iter()
            // A layer of channels first is read with transpositions around it, which undo each other.
            .map(|layer| (layer.name.clone(), matches!(layer.operator, Operator::Transpose { .. })))
            .collect();
        let Ok(graph) = passes::run(read) else { continue };
        let kept: HashSet<&str> = graph
            .layers
            .iter()
            .flat_map(|layer| layer.parts.iter().map(|part| part.name.as_str()).chain([layer.name.as_str()]))
            // One behind a concatenation is split into parts with its name.
            .map(|name| name.split("/part").next().unwrap_or(name))
            .collect();
        for (name, transposes) in names {
            assert!(transposes || kept.contains(name.as_str()), "{}: \"{name}\" is nowhere", path.display());
            looked += 1;
        }
    }
    assert!(looked > 300, "only {looked} layers");
}

#[test]
fn folded_layers_are_named_where_they_went() {
    let graph = passes::run(read::read(shipped("xlite.keras").as_ref()).unwrap()).unwrap();
    let parts = |name: &str| -> Vec<(&str, &str)> {
        let layer = graph.layers.iter().find(|layer| layer.name == name).unwrap();
        layer.parts.iter().map(|part| (part.name.as_str(), part.kind)).collect()
    };
    assert_eq!(parts("image"), [("rescaling", "scale_shift")]);
    assert_eq!(parts("conv2d"), [("batch_normalization", "scale_shift"), ("activation", "relu")]);
}

/// Blocks in use at once must not overlap, but where a row is written over one that is read for the last time.
fn check(arena: &Arena, in_place: &[usize]) {
    let meet = |first: &Block, second: &Block| {
        first.from <= second.until
            && second.from <= first.until
            && first.address < second.address + second.bytes
            && second.address < first.address + first.bytes
    };
    for (index, first) in arena.blocks.iter().enumerate() {
        assert!(first.address + first.bytes <= arena.bytes && first.until < arena.steps, "{first:?}");
        for second in &arena.blocks[index + 1..] {
            let over = |old: &Block, new: &Block| old.until == new.from && in_place.contains(&new.layer);
            assert!(!meet(first, second) || over(first, second) || over(second, first), "{first:?} {second:?}");
        }
    }
}

#[test]
fn rectangles_of_a_plan_do_not_overlap_and_fill_it() {
    let graph = Convert::new(shipped("xlite.keras")).calibration(shipped("ranges.json")).prepare().unwrap().graph;
    for strategy in [Strategy::Balanced, Strategy::Smallest, Strategy::Eager, Strategy::Whole, Strategy::Everything] {
        let lowered = lowered(&graph, strategy).unwrap();
        let arena = Arena::of(&lowered.layers, &lowered.plan, &lowered.outputs, strategy);
        // Rows over others: those whose block begins where another's ends its life, by another kernel or over a window's top.
        let over: Vec<usize> = (0..lowered.layers.len())
            .filter(|&layer| {
                lowered.plan.steps.iter().filter(|step| step.layer == layer).any(|step| {
                    step.lines.iter().flatten().any(|&line| {
                        let reads = lowered.layers[lowered.layers[layer].inputs[0]].row_bytes;
                        line < step.output + step.rows * lowered.layers[layer].row_bytes && step.output < line + reads
                    })
                })
            })
            .collect();
        check(&arena, &over);
        let most = *arena.in_use().iter().max().unwrap();
        if over.is_empty() {
            assert!(
                most <= arena.floor_bytes && most + 64 > arena.floor_bytes,
                "{strategy:?}: {most} {}",
                arena.floor_bytes
            );
        }
        let rows = arena.blocks.iter().filter(|block| block.holds == Holds::Rows);
        let made: usize = rows.map(|block| block.rows).sum();
        let all: usize = graph.layers.iter().map(|layer| graph.tensor(layer.output).shape.rows()).sum();
        assert!(made >= all - 4 && made <= all, "{strategy:?}: {made} of {all} rows");
    }
}

#[test]
fn eight_bits_of_an_even_distribution_are_forty_eight_decibels() {
    // 20 log10(2^8), for the error is evenly distributed within a step (Bennett 1948).
    let mut graph = Graph::new("even");
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let values = graph.push("values", input, Vec::new(), Shape(vec![100, 100, 1]));
    graph.outputs = vec![values];
    let graph = passes::run(graph).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let frame: Vec<f32> = (0..10_000).map(|_| random.f32() * 2.0 - 1.0).collect();
    let mut observer = Observer::new(&graph, Method::MinMax);
    observer.frame(|_: TensorId| Some(&frame)).unwrap();
    let quantized = quantize(&graph, &observer.ranges().unwrap()).unwrap();
    let input = microception_codegen::data::Input::of(&quantized);
    let encoded = input.encode(&microception_codegen::data::array::Numbers::F32(frame.clone())).unwrap();
    let float: Vec<u8> = frame.iter().flat_map(|value| value.to_ne_bytes()).collect();
    let frames = |_| Ok([float.clone(), encoded.clone()]);
    let measured = Quantization::measure(&graph, &quantized, 1, frames, |_, _| ()).unwrap();
    let snr = measured.layers[0].snr_db.unwrap();
    assert!((snr - 20.0 * 256f64.log10()).abs() < tolerance::SNR_DB, "{snr}");
    assert_eq!(measured.layers[0].values.counts.iter().sum::<u64>(), 10_000);
    // Sixty-four bins of about 156 numbers each.
    assert!(measured.layers[0].values.counts.iter().all(|count| (90..230).contains(count)));
}

#[test]
fn what_is_classified_is_what_keras_says() {
    let (report, _) = report();
    let arrays = Arrays::open(shipped("golden100.npz").as_ref());
    let (_, labels) = arrays.array("label").unwrap();
    let (shape, keras) = arrays.array("keras").unwrap();
    assert_eq!(shape, [100, 10]);
    let step = labels.len() / 100;
    let class_of = |frame: usize| {
        let values = keras.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
        let values: Vec<f32> = values.skip(10 * frame).take(10).collect();
        (0..10).fold(0, |best, class| if values[class] > values[best] { class } else { best })
    };
    let mut confusion = vec![vec![0u64; 10]; 10];
    (0..100).for_each(|frame| confusion[usize::from(labels[frame * step])][class_of(frame)] += 1);
    let run = &report["classified"]["runs"][0];
    assert_eq!(run["precision"], "f32");
    assert_eq!(run["confusion"], serde_json::to_value(&confusion).unwrap());
    let right: u64 = (0..10).map(|class| confusion[class][class]).sum();
    assert_eq!(run["correct"], right);
    for wrong in report["classified"]["worst"].as_array().unwrap() {
        let frame = wrong["frame"].as_u64().unwrap() as usize;
        assert_eq!(wrong["class"], u64::from(labels[frame * step]));
        assert_ne!(wrong["class"], wrong["taken_for"]);
    }
}

#[test]
fn figures_are_those_of_the_other_commands() {
    let (report, _) = report();
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("model.rs").display().to_string();
    let converted =
        json(&["convert", &shipped("xlite.keras"), "--calibration", &shipped("ranges.json"), "--out", &out, "--json"]);
    for figure in ["parameters", "macs", "weight_bytes", "flash_bytes", "arena_bytes"] {
        assert_eq!(report["overview"][figure], converted[figure], "{figure}");
    }
    assert_eq!(report["memory"]["planned"]["bytes"], converted["arena_bytes"]);
    let layers = report["overview"]["layers"].as_array().unwrap();
    let macs: u64 = layers.iter().map(|layer| layer["macs"].as_u64().unwrap()).sum();
    assert_eq!(macs, converted["macs"].as_u64().unwrap());
    for part in ["classified", "quantization", "feature_maps", "filters", "excited"] {
        assert!(!report[part].is_null(), "{part} is left out");
    }
    assert_eq!(report["excited"]["pictures"].as_array().unwrap().len(), 10);
    assert!(report["excited"]["pictures"][0]["image"].as_str().unwrap().starts_with("data:image/png;base64,"));
}

#[test]
fn a_page_needs_no_other_file() {
    let (_, page) = report();
    assert!(
        !page.contains("http:") && !page.contains("https:") && !page.contains("@import") && !page.contains("src=\"/")
    );
    assert!(page.contains("separable_conv2d_1/pointwise") && page.contains("87,3") | page.contains("91,288"));
}

#[test]
fn a_browser_finds_nothing_wrong() {
    let Some(chromium) = browser::chromium() else { return };
    let (_, page) = report();
    for (width, theme) in [(1280, "light"), (1280, "dark"), (500, "light")] {
        let faults = browser::faults(&chromium, page, width, theme);
        assert!(faults.is_empty(), "{theme}, {width} wide:\n{}", faults.join("\n"));
    }
    let pdf = browser::printed(&chromium, page);
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 100_000, "{} bytes", pdf.len());
}

#[test]
fn a_browser_finds_what_is_wrong() {
    let Some(chromium) = browser::chromium() else { return };
    let (_, page) = report();
    let spoilt = page
        .replacen(" alt=\"", " title=\"", 1)
        .replacen("--soft: #565d6b", "--soft: #c8c8c8", 1)
        .replacen("<h3>", "<h4>", 1)
        .replacen("<main>", "<main><p style=\"width:3000px\">wide</p>", 1);
    let faults = browser::faults(&chromium, &spoilt, 1280, "light").join("\n");
    for part in ["a picture without a text", "letters of a contrast", "skips a level", "wide on a screen"] {
        assert!(faults.contains(part), "{part} is not found:\n{faults}");
    }
}

#[test]
fn any_model_has_a_report() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("report.html").display().to_string();
    let models: [(PathBuf, &[&str], &[&str]); 4] = [
        // Quantized already.
        (shipped("xlite_int8.tflite").into(), &[], &["Filters and feature visualization: they are of float models"]),
        // A series, with its labels beside it.
        (package().join("examples/vibration/vibration.keras"), &["--steps", "2"], &["Accuracy: --data with labels"]),
        (
            package().join("examples/vibration/vibration.keras"),
            &["--plan", "endless", "--steps", "0"],
            &["--steps is 0"],
        ),
        (shipped("xlite.h5").into(), &["--steps", "0"], &["--board counts instructions"]),
    ];
    for (model, more, parts) in models {
        let model = model.display().to_string();
        let text = done(&[&["report", &model, "--out", &out], more].concat());
        parts.iter().for_each(|part| assert!(text.contains(part), "{model}: {text}"));
        let page = std::fs::read_to_string(&out).unwrap();
        assert!(page.ends_with("</html>") && !page.contains("could not be drawn"), "{model}");
    }
}

#[test]
fn what_cannot_be_reported_is_said() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("report.html").display().to_string();
    let model = shipped("xlite.keras");
    let refused = |arguments: &[&str], part: &str| {
        let output = microception(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(errors.contains(part), "{arguments:?}: {errors}");
        assert!(!Path::new(&out).exists());
    };
    refused(&["report", &model, "--out", &model], "it is read from");
    refused(&["report", &model, "--out", &out, "--excite", "conv2d_99", "0"], "has no layer \"conv2d_99\"");
    refused(&["report", &model, "--out", &out, "--excite", "conv2d", "99", "--steps", "1"], "conv2d");
    refused(&["report", &model, "--out", &out, "--data", &shipped("labels.txt")], "labels.txt");
    refused(&["report", &model, "--out", &out, "--plan", "endless", "--data", &shipped("golden100.npz")], "endless");
    let missing = folder.path().join("none/report.html").display().to_string();
    refused(&["report", &model, "--out", &missing], "none");
}

#[test]
fn two_precisions_are_compared() {
    let (model, ranges, data) = (shipped("xlite.keras"), shipped("ranges.json"), shipped("golden100.npz"));
    let arguments =
        ["compare", &model, "--precision", "f32", "--with", "int8", "--calibration", &ranges, "--data", &data];
    let compared = json(&[&arguments[..], &["--json"]].concat());
    let [float, int8] = [0, 1].map(|model| &compared["models"][model]);
    assert_eq!((&float["precision"], &int8["precision"]), (&"f32".into(), &"int8".into()));
    assert_eq!(float["macs"], int8["macs"]);
    assert!(float["weight_bytes"].as_u64() > int8["weight_bytes"].as_u64().map(|bytes| 3 * bytes));
    let runs = &report().0["classified"]["runs"];
    assert_eq!(
        compared["answers"]["correct"],
        Value::from(vec![runs[0]["correct"].clone(), runs[1]["correct"].clone()])
    );
    assert!(done(&arguments).contains("the same answer to"));
    // A model beside another file of the same.
    let same = json(&["compare", &model, &shipped("xlite.h5"), "--data", &data, "--json"]);
    assert_eq!((&same["answers"]["agree"], &same["answers"]["alone"]), (&100.into(), &Value::from(vec![0, 0])));
    assert_eq!(microception(&["compare", &model]).status.code(), Some(2));
}
