//! `cargo xtask test`: everything, in stages.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use microception_codegen::convert::Precision;
use microception_codegen::device::board::{BOARDS, Board};
use microception_codegen::device::firmware::{self, Program};
use microception_codegen::device::symbols;
use microception_codegen::device::toolchain::Toolchain;
use microception_codegen::error::Error;
use serde_json::Value;

use crate::model::convert;
use crate::stage::{Counts, report, run};
use crate::{bench, boards, c, flips, fuzz, miri, model, oldest, publish, python, root, setup, tfjs};

/// A stage: its name, and how it runs.
type Stage = (&'static str, fn(&str) -> Result<Counts, Error>);

/// Two rows of stages that run beside each other: one alone leaves cores idle while firmware is linked or one last test runs.
const LANES: [&[Stage]; 2] = [
    &[
        ("format", |name| run(name, Ok(format()))),
        ("lints", |name| run(name, Ok(lints()))),
        ("docs", |name| run(name, Ok(docs()))),
        ("host tests", |name| run(name, Ok(host_tests()))),
        ("valgrind", |name| run(name, Ok(valgrind()))),
        ("python tests", |name| run(name, python_tests())),
        ("miri", miri::stage),
        ("oldest compiler", oldest::stage),
        ("publish", |name| run(name, publish::commands().into_iter().collect())),
    ],
    &[
        ("firmware lints", |name| run(name, firmware_lints())),
        ("on-target tests", |name| run(name, on_target())),
        ("no panic path", no_panic_path),
        ("flips", flips::stage),
        ("boards", boards::stage),
        ("C interface", c::stage),
        ("bench", bench::stage),
        ("fuzz", fuzz::stage),
        ("demo", demo),
    ],
];

/// Runs the stages whose name contains `only`.
pub fn test(only: Option<&str>) -> Result<(), Error> {
    setup::for_tests()?;
    let lanes = LANES.map(|stages| stages.iter().filter(|(name, _)| only.is_none_or(|word| name.contains(word))));
    let came = std::thread::scope(|scope| {
        let lanes =
            lanes.map(|stages| scope.spawn(|| stages.map(|(name, stage)| (*name, outcome(name, *stage))).collect()));
        lanes.map(|lane| lane.join().unwrap_or_else(|_| vec![("a stage", Counts::one(false))]))
    });
    let mut counts = Counts::default();
    let mut failed = Vec::new();
    for (name, came) in came.into_iter().flatten() {
        if came.failed != 0 {
            failed.push(name);
        }
        counts.add(came);
    }
    // With the reference data beside the checkout nothing has a reason to be skipped.
    let may_skip = !root().join("../shared").exists();
    for why in &counts.skipped {
        eprintln!("skipped: {why}");
    }
    if !counts.skipped.is_empty() {
        eprintln!("{} skipped", counts.skipped.len());
    }
    println!("{} passed, {} failed", counts.passed, counts.failed);
    // But what is of another compiler: recorded figures, the oldest one's build, and the interpreter.
    let another = ["recorded with", oldest::NO_COMPILER, miri::NO_MIRI];
    let lacking = counts.skipped.iter().filter(|why| !another.iter().any(|word| why.contains(word))).count();
    match (failed.as_slice(), lacking) {
        ([], _) if counts.passed == 0 && counts.skipped.is_empty() => Err(Error::model("no stage has such a name")),
        ([], 0) => Ok(()),
        ([], _) if may_skip => Ok(()),
        ([], skipped) => Err(Error::model(format!("{skipped} tests were skipped, although ../shared is there"))),
        (stages, _) => Err(Error::model(format!("failed: {}", stages.join(", ")))),
    }
}

/// What came of a stage; one that does not run has failed.
fn outcome(name: &str, stage: impl Fn(&str) -> Result<Counts, Error>) -> Counts {
    stage(name).unwrap_or_else(|error| {
        eprintln!("{name} ... FAILED\n{error}\n");
        Counts::one(false)
    })
}

/// Cargo, in the root of the repository.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// The package of the fuzz targets is none of the workspace's.
const FUZZ: &str = "codegen/fuzz/Cargo.toml";

/// Nor is the package of microflow's programs.
const MICROFLOW: &str = "xtask/microflow/Cargo.toml";

/// Nor is the example of a build script.
const BUILD_SCRIPT: &str = "codegen/examples/build_script/Cargo.toml";

fn format() -> Vec<Command> {
    let apart = [FUZZ, MICROFLOW, BUILD_SCRIPT].map(|manifest| cargo(&["fmt", "--manifest-path", manifest, "--check"]));
    [cargo(&["fmt", "--all", "--check"])].into_iter().chain(apart).collect()
}

fn lints() -> Vec<Command> {
    let as_library = ["clippy", "--package", "microception-codegen", "--no-default-features", "--", "-D", "warnings"];
    let runtime = ["clippy", "--package", "microception", "--features", "micromath,defmt", "--", "-D", "warnings"];
    let fuzz = ["clippy", "--manifest-path", FUZZ, "--target-dir", "target", "--", "-D", "warnings"];
    vec![cargo(&["clippy", "--all-targets", "--", "-D", "warnings"]), cargo(&as_library), cargo(&runtime), cargo(&fuzz)]
}

/// All packages with their default features, then the runtime's other arithmetic.
fn host_tests() -> Vec<Command> {
    let micromath = ["test", "--package", "microception", "--features", "micromath", "--test", "micromath"];
    vec![
        cargo(&["test", "--no-fail-fast", "--", "--show-output"]),
        cargo(&[&micromath[..], &["--", "--show-output"]].concat()),
    ]
}

/// The runtime's own tests, and every tensor of LiteRT's models, under valgrind: no byte is read that was not written or lies outside
/// of what was allocated. Elsewhere than on Linux they run without.
fn valgrind() -> Vec<Command> {
    let runner = "target.'cfg(target_os = \"linux\")'.runner = ['valgrind', '--quiet', '--error-exitcode=9']";
    let runtime = ["test", "--config", runner, "--package", "microception", "--lib", "--tests"];
    let suite = ["test", "--config", runner, "--package", "microception-codegen", "--test", "suite"];
    vec![cargo(&runtime), cargo(&suite)]
}

/// Two of the suites run the command, one of them on what TensorFlow.js's own tests give.
fn python_tests() -> Result<Vec<Command>, Error> {
    let build = cargo(&["build", "--package", "microception-codegen"]);
    [Ok(build), tfjs::record()].into_iter().chain(python::SUITES.iter().map(python::Suite::command)).collect()
}

/// Only of libraries, and of this: the command `microception` would overwrite the runtime of that name.
fn docs() -> Vec<Command> {
    let libraries = cargo(&["doc", "--no-deps", "--document-private-items", "--lib"]);
    let xtask = cargo(&["doc", "--package", "xtask", "--no-deps"]);
    let strict = |mut command: Command| {
        command.env("RUSTDOCFLAGS", "-D warnings");
        command
    };
    [libraries, xtask].map(strict).into()
}

/// A model made by hand, for what does not depend on the model.
fn small_model() -> std::path::PathBuf {
    root().join("boards/app/tests/models/doubler.rs")
}

/// As [`small_model`], of pixels.
fn pixels() -> std::path::PathBuf {
    root().join("boards/app/tests/models/pixels.rs")
}

/// Clippy over each set of the firmware's features on each board, over microflow's programs and the C interface. A real board's programs are those of
/// the emulated ones: of it only the library is new, whose hardware layer is built once, for the stage `boards` too.
fn firmware_lints() -> Result<Vec<Command>, Error> {
    let lint = |board: &Board, features: &str| -> Result<Command, Error> {
        let mut command = match board.machine {
            Some(_) => firmware::cargo("check", board)?,
            None => firmware::cargo("build", board)?,
        };
        command.args(["--release", "--lib", "--no-default-features", "--features", features]);
        if board.machine.is_some() {
            command.args(["--bins", "--tests"]);
        }
        // A camera's pixels are bytes.
        command.env("MICROCEPTION_MODEL", if features == "camera" { pixels() } else { small_model() });
        clippy(command, board)
    };
    let of = |board: &Board| -> Vec<&str> {
        let features: &[&str] =
            if board.machine.is_some() { &["", "serve", "bare", "filter", "flips"] } else { &["serve"] };
        let camera = boards::CAMERAS.contains(&board.name).then_some("camera");
        features.iter().copied().chain(camera).collect()
    };
    let ours = BOARDS.iter().flat_map(|board| of(board).into_iter().map(|features| lint(board, features)));
    let board = setup::board()?;
    let theirs = bench::microflow::checks(board)?.into_iter().map(|command| clippy(command, board));
    let interface = [c::check(board, &small_model()).and_then(|check| clippy(check, board))];
    ours.chain(theirs).chain(interface).collect()
}

/// What cargo's `check` for the board becomes with clippy in the compiler's place.
fn clippy(mut check: Command, board: &Board) -> Result<Command, Error> {
    let driver = Toolchain::find(board.target)?.clippy_driver();
    let driver = driver.ok_or_else(|| Error::model("the compiler for the board has no clippy beside it"))?;
    check.env("RUSTC_WORKSPACE_WRAPPER", &driver);
    // The driver's own way to take arguments, as `cargo clippy` hands them over.
    check.env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
    Ok(check)
}

/// Bytes of RAM that the tests on the target take beside the arena: the frame of the shipped model in f32, and the stack.
const TESTS_BYTES: usize = 32 * 32 * 3 * 4 + 12 * 1024;

/// The on-target tests around a small model, and around the shipped one where it has room, on each board.
fn on_target() -> Result<Vec<Command>, Error> {
    let shipped = [convert(Precision::Int8)?, convert(Precision::F32)?];
    let test = |board: &Board, module: &Path| -> Result<Command, Error> {
        let mut command = firmware::cargo("test", board)?;
        command.arg("--release").env("MICROCEPTION_MODEL", module);
        Ok(command)
    };
    let emulated = BOARDS.iter().filter(|board| board.machine.is_some());
    let mut commands = Vec::new();
    for board in emulated {
        commands.push(test(board, &small_model())?);
        for (module, summary) in &shipped {
            if model::fits(summary, board, TESTS_BYTES)? {
                commands.push(test(board, module)?);
            }
        }
    }
    Ok(commands)
}

/// Links the shipped model, in each precision and for each emulated board that has room for it, into programs that have no
/// panic handler, and looks for a heap in them. A board without room links a small model. Real boards run the code of these cores.
fn no_panic_path(name: &str) -> Result<Counts, Error> {
    let start = Instant::now();
    let (mut passed, mut symbols_seen) = (0, 0);
    for precision in [Precision::Int8, Precision::Int16x8, Precision::Int4, Precision::Int4All, Precision::F32] {
        let (module, summary) = convert(precision)?;
        for board in BOARDS.iter().filter(|board| board.machine.is_some()) {
            let fits = model::fits(&summary, board, 32 * 32 * 3)?;
            let elf = firmware::build(&if fits { module.clone() } else { small_model() }, board, Program::NoPanic)?;
            let names = symbols::symbols(elf.path())?;
            if let Some(heap) = names.iter().find(|name| symbols::is_heap(name)) {
                let why = format!("the {} program for {} has a heap: {heap}", precision.name(), board.name);
                return report(name, start, Counts::one(false), &why);
            }
            // Without names there would be no heap to be seen.
            if names.len() < 10 {
                return report(name, start, Counts::one(false), "a program has no symbols");
            }
            symbols_seen += names.len();
            passed += 1;
        }
    }
    let found = format!("{passed} programs without a panic path; no heap among their {symbols_seen} symbols");
    eprintln!("{found}");
    report(name, start, Counts { passed, ..Counts::default() }, &found)
}

/// The demo gets every one of its photographs right, as the float model does.
fn demo(name: &str) -> Result<Counts, Error> {
    let start = Instant::now();
    let output = cargo(&["xtask", "demo", "--json"]).output();
    let output = output.map_err(|error| Error::model(format!("cargo does not start: {error}")))?;
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).join("\n");
    let figures = String::from_utf8_lossy(&output.stdout).lines().last().map(serde_json::from_str::<Value>);
    let right = figures.and_then(Result::ok).is_some_and(|figures| figures["correct"] == 20 && figures["total"] == 20);
    report(name, start, Counts::one(output.status.success() && right), &text)
}
