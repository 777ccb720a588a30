//! Crates of generated modules, built and run by cargo as a user would.

use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use microception_codegen::emit::Module;

/// A crate of its own in the test's temporary folder, with the workspace's lock file, so that it
/// builds without a network.
pub struct Crate(PathBuf);

impl Crate {
    /// Writes the files.
    pub fn new(name: &str, files: &[(&str, &str)]) -> Crate {
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

    /// Runs cargo in it.
    pub fn cargo(&self, verb: &str) -> Output {
        Command::new(env!("CARGO"))
            .args([verb, "--quiet", "--offline"])
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .output()
            .expect("cargo runs")
    }
}

/// A program that runs generated modules in all three ways and compares every answer with the
/// expected one. All run in one arena, one after the other, over what the one before left.
#[derive(Default)]
pub struct Program {
    files: Vec<(String, String)>,
    modules: String,
    calls: String,
    arena_bytes: usize,
}

/// What every program begins with.
const CHECK: &str = r#"
use microception::executor::{Arena, Executor, Progress};
use microception::model::{Elements, Model};

fn check<M: Model, const N: usize>(
    name: &str, model: M, arena: &mut Arena<N>, frame: &M::Frame, rows: &[M::Row], expected: &[M::Output], near: f32,
) where
    M::Row: Sized,
    M::Output: Copy + Into<f32>,
{
    let compare = |way: &str, found: &[M::Output]| {
        assert_eq!(found.len(), expected.len(), "{name}: {way}");
        for (&found, &expected) in found.iter().zip(expected) {
            let (found, expected): (f32, f32) = (found.into(), expected.into());
            assert!((found - expected).abs() <= near, "{name}: {way}: {found}, expected {expected}");
        }
    };
    let mut executor = Executor::new(model, arena);
    compare("predict", executor.predict(frame));
    let mut answers = 0;
    for row in rows {
        if let Some(output) = executor.push_row(row) {
            compare("push_row", output);
            answers += 1;
        }
    }
    assert_eq!(answers, 1, "{name}: one answer a frame");
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
    compare("step", executor.output());
    assert_eq!(frame.elements().len(), rows.iter().map(|row| row.elements().len()).sum::<usize>(), "{name}");
}
"#;

impl Program {
    /// Adds a module, run on `frame`, whose rows have `row` elements; it must answer `expected`
    /// within `near`.
    pub fn add<I: Debug, O: Debug>(
        &mut self,
        name: &str,
        module: Module,
        frame: &[I],
        row: usize,
        expected: &[O],
        near: f32,
    ) {
        // Whatever a user denies, and in whatever module: generated code must bear it.
        let denied = "#[deny(missing_docs, clippy::all, warnings)]";
        let _ = writeln!(self.modules, "{denied}\nmod {name} {{ #![no_implicit_prelude] include!(\"{name}.rs\"); }}");
        let rows: Vec<_> = frame.chunks(row).collect();
        let _ = writeln!(
            self.calls,
            "    check({name:?}, {name}::NETWORK, &mut arena, &{frame:?}, &{rows:?}, &{expected:?}, {near:?});"
        );
        self.arena_bytes = self.arena_bytes.max(module.plan.arena_bytes);
        self.files.push((format!("src/{name}.rs"), module.text));
    }

    /// Builds and runs it.
    pub fn run(self, name: &str) {
        let Program { files, modules, calls, arena_bytes } = self;
        let main =
            format!("{CHECK}{modules}fn main() {{\n    let mut arena = Arena::<{arena_bytes}>::new();\n{calls}}}\n");
        let mut all: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        all.push(("src/main.rs", &main));
        let output = Crate::new(name, &all).cargo("run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
