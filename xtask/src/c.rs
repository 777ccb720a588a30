//! The C interface: its header in C and C++, what it promises on the host, and the example for C on an emulated board.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use microception_codegen::convert::Convert;
use microception_codegen::data::array::{Npz, Numbers};
use microception_codegen::device::board::Board;
use microception_codegen::device::toolchain::Toolchain;
use microception_codegen::error::Error;
use microception_codegen::host::Machine;

use crate::stage::{Counts, report};
use crate::{model, root, setup, work_folder};

/// The folder of the interface.
const FOLDER: &str = "boards/c";

/// The folder of the shipped network.
const SHIPPED: &str = "codegen/models/xception_lite";

/// What a user's compiler may ask of the header, and of the example.
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// The host's C, as old as the header can be read.
const C99: &str = "-std=c99";

/// The board's core for GCC, and that there is no operating system and no C library. What nobody calls is left out, and so
/// are panic paths that nothing leads to.
const CORE: [&str; 9] = [
    "-Os",
    "-mcpu=cortex-m4",
    "-mthumb",
    "-mfloat-abi=hard",
    "-mfpu=fpv4-sp-d16",
    "-ffreestanding",
    "-nostdlib",
    "-Wl,--gc-sections",
    "-Wl,-z,noexecstack",
];

/// What the library is named in its folder, and for the linker.
const LIBRARY: &str = "-lmicroception_c";

/// What the Rust library on the host stands on.
const HOST_LIBRARIES: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

/// The stage.
pub fn stage(name: &str) -> Result<Counts, Error> {
    let start = Instant::now();
    let mut passed = 0;
    let outcome = checks(&mut passed);
    let (failed, log) = match outcome {
        Ok(()) => (0, String::new()),
        Err(error) => (1, error.to_string()),
    };
    report(name, start, Counts { passed, failed, ..Counts::default() }, &log)
}

/// All checks, until one fails.
fn checks(passed: &mut usize) -> Result<(), Error> {
    let shipped = root().join(SHIPPED);
    let keras = shipped.join("xlite.keras");
    let float = model::given(&keras, None)?.module;
    let quantized = model::given(&keras, Some(&shipped.join("ranges.json")))?.module;
    let litert = model::given(&shipped.join("xlite_int8.tflite"), None)?.module;
    // Of bytes, of f32, of a series without an end, and of one whose classes have no names.
    let series =
        [root().join("codegen/examples/vibration/model.rs"), root().join("boards/app/tests/models/largest.rs")];
    for module in series.iter().chain([&float]) {
        contract(module, None)?;
        *passed += 1;
    }
    let board = setup::board()?;
    let Golden { pixels, scores } = golden()?;
    // LiteRT's file takes pixels less 128.
    let centred: Vec<u8> = pixels.iter().map(|pixel| pixel ^ 0x80).collect();
    let file = work_folder()?.join("frames.bin");
    for (module, frames, scores) in [(&quantized, &pixels, &on_the_host(&pixels)?), (&litert, &centred, &scores)] {
        fs::write(&file, frames).map_err(|error| Error::file(&file, error.to_string()))?;
        compare("the host", &contract(module, Some(&file))?, scores)?;
        compare(board.name, &example(board, module, &file)?, scores)?;
        *passed += 2;
    }
    refused(&two_inputs()?)?;
    *passed += 1;
    Ok(())
}

/// Frames, and the scores of LiteRT's reference kernels for each.
struct Golden {
    pixels: Vec<u8>,
    scores: Vec<i8>,
}

/// Those of the shipped network.
fn golden() -> Result<Golden, Error> {
    let path = root().join(SHIPPED).join("golden100.npz");
    let in_file = |why: String| Error::file(&path, why);
    let bytes = fs::read(&path).map_err(|error| in_file(error.to_string()))?;
    let mut archive = Npz::open(&bytes).map_err(in_file)?;
    let mut array = |name: &str| archive.array(name).map(|array| array.numbers).map_err(in_file);
    match (array("image")?, array("int8_ref")?) {
        (Numbers::U8(pixels), Numbers::I8(scores)) => Ok(Golden { pixels, scores }),
        _ => Err(in_file("holds other numbers than bytes".to_owned())),
    }
}

/// The scores that `microception run` gives with the shipped network's own ranges.
fn on_the_host(pixels: &[u8]) -> Result<Vec<i8>, Error> {
    let shipped = root().join(SHIPPED);
    let conversion = Convert::new(shipped.join("xlite.keras")).calibration(shipped.join("ranges.json"));
    let mut machine = Machine::new(&conversion.prepare()?.graph, conversion.goal())?;
    let mut scores = Vec::new();
    for frame in pixels.chunks(machine.frame_bytes()) {
        scores.extend(machine.run(frame)?.into_iter().map(u8::cast_signed));
    }
    Ok(scores)
}

/// Compares what a program printed, a line a frame, as `horse: -128 127`.
fn compare(place: &str, printed: &str, scores: &[i8]) -> Result<(), Error> {
    let path = root().join(SHIPPED).join("labels.txt");
    let labels = fs::read_to_string(&path).map_err(|error| Error::file(&path, error.to_string()))?;
    let labels: Vec<_> = labels.lines().collect();
    let lines: Vec<_> = printed.lines().collect();
    let frames = scores.len() / labels.len();
    if lines.len() != frames || frames == 0 {
        return Err(Error::model(format!("on {place} {} of {frames} frames have scores:\n{printed}", lines.len())));
    }
    for (frame, (line, scores)) in lines.iter().zip(scores.chunks(labels.len())).enumerate() {
        // Of equal scores the first.
        let best = (0..scores.len()).rev().max_by_key(|&class| scores[class]).unwrap_or_default();
        let numbers: Vec<_> = scores.iter().map(i8::to_string).collect();
        let expected = format!("{}: {}", labels[best], numbers.join(" "));
        if *line != expected {
            return Err(Error::model(format!("on {place} frame {frame} has {line:?} instead of {expected:?}")));
        }
    }
    Ok(())
}

/// The header through the host's compilers, then the program that holds the library to it: what it prints of the frames.
fn contract(module: &Path, frames: Option<&Path>) -> Result<String, Error> {
    let target = root().join("target/c");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("build").arg("--target-dir").arg(&target);
    build(cargo, module)?;
    let library = target.join("debug");
    let compiler = |variable: &str, program: &str| {
        let mut command = Command::new(std::env::var_os(variable).unwrap_or_else(|| program.into()));
        command.args(STRICT).arg("-I").arg(&library);
        command
    };
    output(
        compiler("CXX", "c++").args(["-std=c++11", "-fsyntax-only", "-x", "c++"]).arg(library.join("microception.h")),
    )?;
    let program = work_folder()?.join("contract");
    let mut cc = compiler("CC", "cc");
    cc.arg(C99).arg(root().join(FOLDER).join("tests/contract.c")).arg("-L").arg(&library).arg(LIBRARY);
    output(cc.args(HOST_LIBRARIES).arg("-o").arg(&program))?;
    output(Command::new(&program).args(frames))
}

/// Cargo's `check` of the library for the board's core.
pub fn check(board: &Board, module: &Path) -> Result<Command, Error> {
    let mut cargo = Toolchain::find(board.target)?.cargo("check", &root().join("target/firmware"));
    around(cargo.arg("--release"), module);
    Ok(cargo)
}

/// The example on the board: what it prints of the frames. It links only when no panic path is left.
fn example(board: &Board, module: &Path, frames: &Path) -> Result<String, Error> {
    let target = root().join("target/firmware");
    let mut cargo = Toolchain::find(board.target)?.cargo("build", &target);
    cargo.arg("--release");
    build(cargo, module)?;
    let library = target.join(board.target).join("release");
    let folder = root().join(FOLDER).join("example");
    let program = work_folder()?.join("c_example.elf");
    let mut gcc = Command::new(setup::ARM_GCC);
    gcc.arg(C99).args(STRICT).args(CORE).arg("-I").arg(&library);
    gcc.args(["main.c", "semihosting.c", "start.c"].map(|file| folder.join(file)));
    gcc.arg("-T").arg(folder.join(format!("{}.ld", board.name))).arg("-L").arg(&library).arg(LIBRARY);
    output(gcc.arg("-o").arg(&program))?;
    let machine = board.machine.ok_or_else(|| Error::model(format!("{} is not emulated", board.name)))?;
    let mut qemu = Command::new("qemu-system-arm");
    qemu.args(["-machine", machine, "-display", "none", "-monitor", "none", "-serial", "null"]);
    // The file by its name alone: a comma in a path would end the argument.
    let name = frames.file_name().unwrap_or_default().to_string_lossy();
    qemu.arg("-semihosting-config").arg(format!("enable=on,target=native,arg={name}")).arg("-kernel").arg(&program);
    output(qemu.current_dir(work_folder()?))
}

/// Builds the library around a module.
fn build(mut cargo: Command, module: &Path) -> Result<(), Error> {
    output(around(cargo.arg("--quiet"), module)).map(drop)
}

/// Has cargo put the module into the library.
fn around<'a>(cargo: &'a mut Command, module: &Path) -> &'a mut Command {
    cargo.arg("--no-default-features").current_dir(root().join(FOLDER)).env("MICROCEPTION_MODEL", module)
}

/// What the program prints, on either output: semihosting has but one.
fn output(command: &mut Command) -> Result<String, Error> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| Error::model(format!("{shown} does not start: {error}")))?;
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat();
    if output.status.success() { Ok(text) } else { Err(Error::model(format!("{shown} fails:\n{text}"))) }
}

/// A module of two inputs, as far as the build script reads it.
fn two_inputs() -> Result<PathBuf, Error> {
    let path = root().join("boards/app/tests/models/pixels.rs");
    let text = fs::read_to_string(&path).map_err(|error| Error::file(&path, error.to_string()))?;
    let (before, rest) = text.split_once("INPUTS: [Port; 1] =").ok_or_else(|| Error::file(&path, "has no input"))?;
    let (port, after) = rest.split_once("];").ok_or_else(|| Error::file(&path, "has no input"))?;
    let port = port.trim().trim_start_matches('[');
    let module = work_folder()?.join("two_inputs.rs");
    let text = format!("{before}INPUTS: [Port; 2] = [{port}, {port}];{after}");
    fs::write(&module, text).map_err(|error| Error::file(&module, error.to_string()))?;
    Ok(module)
}

/// A model of several inputs is an error that says so.
fn refused(module: &Path) -> Result<(), Error> {
    const WHY: &str = "its model has 2 inputs, and the C interface takes a model with one input and one output";
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("build").arg("--target-dir").arg(root().join("target/c"));
    match build(cargo, module) {
        Err(error) if error.reason.contains(WHY) => Ok(()),
        Err(error) => Err(Error::model(format!("a model of two inputs is refused with other words: {error}"))),
        Ok(()) => Err(Error::model("a model of two inputs is not refused")),
    }
}
