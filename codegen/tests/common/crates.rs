//! Crates of generated modules, built and run by cargo as a user would.

use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use microception_codegen::data::{Input, Output as Answer};
use microception_codegen::emit::Module;
use microception_codegen::graph::{Element, Graph};

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
    M::Frame: Elements<M::Input>,
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
            Progress::NeedsRow { input, row } => {
                assert_eq!((input, row), (0, rows.len() - next.len()), "{name}: rows in order");
                executor.begin_row(next.next().expect("no more rows than the frame has"));
            }
            Progress::Done if next.len() == rows.len() => executor.begin_row(next.next().expect("a first row")),
            Progress::Done => break,
        }
    }
    compare("step", executor.output());
    assert_eq!(frame.elements().len(), rows.iter().map(|row| row.elements().len()).sum::<usize>(), "{name}");
}

fn same<T: Copy + Into<f32>>(what: &str, found: &[T], expected: &[f32], near: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (&found, &expected) in found.iter().zip(expected) {
        let found: f32 = found.into();
        assert!((found - expected).abs() <= near, "{what}: {found}, expected {expected}");
    }
}

fn row<T, const N: usize>(frame: &[T], row: usize) -> &[T; N] {
    frame[row * N..][..N].try_into().unwrap()
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
        let rows: Vec<_> = frame.chunks(row).collect();
        let _ = writeln!(
            self.calls,
            "    check({name:?}, {name}::NETWORK, &mut arena, &{frame:?}, &{rows:?}, &{expected:?}, {near:?});"
        );
        self.declare(name, module);
    }

    fn declare(&mut self, name: &str, module: Module) {
        // Whatever a user denies, and in whatever module: generated code must bear it.
        let denied = "#[deny(missing_docs, clippy::all, warnings)]";
        let _ = writeln!(self.modules, "{denied}\nmod {name} {{ #![no_implicit_prelude] include!(\"{name}.rs\"); }}");
        self.arena_bytes = self.arena_bytes.max(module.plan.arena_bytes);
        self.files.push((format!("src/{name}.rs"), module.text));
    }

    /// Adds a module of several inputs or outputs, run on the bytes of all frames, one after the other; each output must
    /// be as expected, within so much. The names of inputs and outputs must be good in Rust but for their case, or `in`.
    #[allow(dead_code, reason = "shared with tests of models with one of each")]
    pub fn add_ends(&mut self, name: &str, module: Module, graph: &Graph, frame: &[u8], expected: &[(Vec<f32>, f32)]) {
        let (mut rest, mut fields, mut begins, mut pushes) = (frame, String::new(), String::new(), String::new());
        let inputs = Input::all(graph);
        for (index, (input, about)) in inputs.iter().enumerate() {
            let (bytes, behind) = rest.split_at(about.frame_bytes());
            rest = behind;
            let numbers = match about.element {
                Element::U8 => format!("{bytes:?}"),
                Element::I8 => format!("{:?}", bytes.iter().map(|byte| byte.cast_signed()).collect::<Vec<_>>()),
                Element::I16 => {
                    let halves = bytes.as_chunks::<2>().0.iter();
                    format!("{:?}", halves.map(|&half| i16::from_le_bytes(half)).collect::<Vec<_>>())
                }
                Element::F32 => {
                    let words = bytes.as_chunks::<4>().0.iter();
                    format!("{:?}", words.map(|&word| f32::from_le_bytes(word)).collect::<Vec<_>>())
                }
            };
            if inputs.len() == 1 {
                fields = numbers;
                begins = "                0 => executor.begin_row(row(&frame, place)),\n".to_owned();
                pushes = "                0 => { executor.push_row(row(&frame, place)); executor.step() }\n".to_owned();
                continue;
            }
            let field = if input == "in" { "in_" } else { input };
            let _ = write!(fields, "{field}: {numbers}, ");
            let taken = format!("{name}::inputs::{}, row(&frame.{field}, place)", input.to_uppercase());
            let _ = writeln!(begins, "                {index} => executor.begin_row_of({taken}),");
            let _ = writeln!(pushes, "                {index} => executor.push_row_of({taken}),");
        }
        if inputs.len() > 1 {
            fields = format!("{name}::Frame {{ {fields} }}");
        }
        let outputs = Answer::all(graph);
        let mut compared = String::new();
        for ((output, _), (expected, near)) in outputs.iter().zip(expected) {
            let found = match outputs.len() {
                1 => "executor.output()".to_owned(),
                _ => format!("executor.output_of({name}::outputs::{})", output.to_uppercase()),
            };
            let _ = writeln!(compared, "            same(&what, {found}, &{expected:?}, {near:?});");
        }
        let _ = writeln!(
            self.calls,
            "    {{
        let compare = |way: &str, executor: &Executor<'_, {name}::Network>| {{
            let what = format!(\"{name}: {{way}}\");
{compared}        }};
        let frame = {fields};
        let mut executor = Executor::new({name}::NETWORK, &mut arena);
        executor.predict(&frame);
        compare(\"predict\", &executor);
        executor.reset();
        loop {{
            let (input, place) = match executor.step() {{
                Progress::Ran {{ .. }} => continue,
                Progress::NeedsRow {{ input, row }} => (input, row),
                Progress::Done => break,
            }};
            match input {{
{begins}                _ => panic!(\"no input {{input}}\"),
            }}
        }}
        compare(\"step\", &executor);
        let mut progress = Progress::NeedsRow {{ input: 0, row: 0 }};
        while let Progress::NeedsRow {{ input, row: place }} = progress {{
            progress = match input {{
{pushes}                _ => panic!(\"no input {{input}}\"),
            }};
        }}
        compare(\"rows\", &executor);
    }}"
        );
        self.declare(name, module);
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
