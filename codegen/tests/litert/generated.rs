//! Generated modules: they compile on their own, in `no_std`, under the strictest lints that a
//! user may set; they compute what the graph computes; they refuse another runtime.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use microception_codegen::emit;
use microception_codegen::plan::Strategy;

use crate::fixture;

/// A crate of its own in the test's temporary folder, with the workspace's lock file, so that it
/// builds without a network.
struct Crate(PathBuf);

impl Crate {
    fn new(name: &str, files: &[(&str, &str)]) -> Crate {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(folder.join("src")).expect("writable");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\nmicroception = {{ path = {root:?} }}\n\n[profile.dev]\nopt-level = 1\n"
        );
        for (file, text) in files.iter().chain(&[("Cargo.toml", manifest.as_str())]) {
            std::fs::write(folder.join(file), text).expect("writable");
        }
        std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("a lock file");
        Crate(folder)
    }

    fn cargo(&self, verb: &str) -> Output {
        Command::new(env!("CARGO"))
            .args([verb, "--quiet", "--offline"])
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .output()
            .expect("cargo runs")
    }
}

/// Runs a model in all three ways and compares the bits with the expected output.
const CHECK: &str = r#"
use microception::bytemuck;
use microception::executor::{Arena, Executor, Progress};
use microception::model::{Elements, Model};

fn check<M: Model + Copy, const N: usize>(name: &str, model: M, arena: &mut Arena<N>, frame: &M::Frame, rows: &[M::Row], expected: &[u8])
where
    M::Row: Sized,
{
    let mut executor = Executor::new(model, arena);
    let whole = bytemuck::cast_slice::<_, u8>(executor.predict(frame)).to_vec();
    assert_eq!(whole, expected, "{name}: predict");
    let mut answers = rows.iter().filter_map(|row| executor.push_row(row).map(|output| bytemuck::cast_slice::<_, u8>(output).to_vec()));
    assert_eq!(answers.next().as_deref(), Some(expected), "{name}: push_row");
    assert_eq!(answers.next(), None, "{name}: one answer a frame");
    drop(answers);
    let mut next = rows.iter();
    loop {
        match executor.step() {
            Progress::Ran { .. } => {}
            Progress::NeedsRow { row } => {
                assert_eq!(row, rows.len() - next.len(), "{name}: rows in order");
                executor.begin_row(next.next().expect("no more rows than the frame has"));
            }
            Progress::Done if next.len() == rows.len() => executor.begin_row(next.next().expect("a first row")),
            Progress::Done => break,
        }
    }
    assert_eq!(bytemuck::cast_slice::<_, u8>(executor.output()), expected, "{name}: step");
    assert_eq!(frame.elements().len(), rows.iter().map(|row| row.elements().len()).sum::<usize>(), "{name}");
}
"#;

/// Every kernel that int8 models use, among the fixtures of these names.
const MODELS: [&str; 14] = [
    "conv_03",
    "conv_12",
    "conv_25",
    "depthwise_05",
    "depthwise_16",
    "separable_03",
    "dense_01",
    "dense_05",
    "average_pool_03",
    "mean_02",
    "second_reader_01",
    "xception_block_01",
    "xception_block_02",
    "chain_04",
];

#[test]
fn generated_modules_compute_what_litert_computes_in_every_way_of_running() {
    let mut main = String::from(CHECK);
    let mut calls = String::new();
    let mut largest = 0;
    let fixtures: Vec<_> =
        fixture::all().into_iter().filter(|fixture| MODELS.contains(&fixture.name.as_str())).collect();
    assert_eq!(fixtures.len(), MODELS.len(), "a fixture was renamed");
    let mut files = Vec::new();
    for fixture in &fixtures {
        let name = &fixture.name;
        let module = emit::module(&fixture.graph, Strategy::Smallest).expect(name);
        largest = largest.max(module.plan.arena_bytes);
        let _ = writeln!(
            main,
            "#[deny(missing_docs, clippy::all, warnings)]\nmod {name} {{ #![no_implicit_prelude] include!(\"{name}.rs\"); }}"
        );
        let frame: Vec<i8> = fixture.input(0).iter().map(|&byte| byte as i8).collect();
        let row = fixture.graph.tensor(fixture.graph.layers[0].output).shape.row_elements();
        let rows: Vec<_> = frame.chunks(row).collect();
        let expected = fixture.tensor(fixture.graph.outputs[0], 0).expect("an output");
        // All models run in one arena, one after the other, over what the one before left.
        let _ =
            writeln!(calls, "    check({name:?}, {name}::NETWORK, &mut arena, &{frame:?}, &{rows:?}, &{expected:?});");
        files.push((format!("src/{name}.rs"), module.text));
    }
    let _ = writeln!(main, "fn main() {{\n    let mut arena = Arena::<{largest}>::new();\n{calls}}}");
    let mut all: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    all.push(("src/main.rs", &main));
    let output = Crate::new("generated", &all).cargo("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_module_for_another_runtime_does_not_compile_and_says_why() {
    let fixture = &fixture::all()[0];
    let module = emit::module(&fixture.graph, Strategy::Smallest).expect("plans");
    let current = format!("require_format({})", microception::model::FORMAT);
    assert!(module.text.contains(&current));
    let other = module.text.replace(&current, "require_format(999)");
    let main = "mod model { include!(\"model.rs\"); }\nfn main() { let _ = model::NETWORK; }";
    let output = Crate::new("other_format", &[("src/main.rs", main), ("src/model.rs", &other)]).cargo("check");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it compiled");
    assert!(message.contains("this module was generated for another version of the microception runtime"), "{message}");
    assert!(message.contains("run `microception convert` of this version again"), "{message}");
}

#[test]
fn the_same_model_gives_the_same_text() {
    for fixture in fixture::all().iter().filter(|fixture| MODELS.contains(&fixture.name.as_str())) {
        let text = || emit::module(&fixture.graph, Strategy::Smallest).expect("plans").text;
        assert_eq!(text(), text());
    }
}
