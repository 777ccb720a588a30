//! The bound of an inference's stack, from the machine code, against what was in use on the emulated cores.

#[path = "common/tolerance.rs"]
mod tolerance;

use std::fs;
use std::path::Path;
use std::process::Command;

use microception_codegen::convert::{Convert, Precision};
use microception_codegen::device::board::{self, BOARDS, Board};
use microception_codegen::device::firmware::{self, Program};
use microception_codegen::device::toolchain::{Toolchain, on_path};
use microception_codegen::device::{qemu, stack};

/// A module of the example's network.
fn module(precision: Precision) -> tempfile::NamedTempFile {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/vibration");
    let mut conversion = Convert::new(folder.join("vibration.keras")).precision(precision);
    if precision != Precision::F32 {
        conversion = conversion.calibration(folder.join("calibration.npz"));
    }
    let (module, _) = conversion.to_module().expect("converts");
    let file = tempfile::Builder::new().suffix(".rs").tempfile().expect("a temporary file");
    fs::write(file.path(), module.text).expect("writable");
    file
}

fn check(board: &Board, precision: Precision) {
    let module = module(precision);
    let elf = firmware::build(module.path(), board, Program::Bench).expect("builds");
    let used = qemu::bench(board, elf.path()).expect("runs").stack_bytes;
    let bound = stack::bound(elf.path(), stack::is_predict).expect("a bound");
    println!("{} on {}: {used} bytes of stack in use, at most {bound}", precision.name(), board.name);
    assert!(
        (used..=used + tolerance::STACK_BYTES).contains(&bound),
        "{} on {}: {used}, {bound}",
        precision.name(),
        board.name
    );
}

#[test]
fn the_bound_of_the_stack_holds_and_is_near_on_every_core() {
    if on_path("qemu-system-arm").is_none() {
        println!("skipped: qemu-system-arm is not installed");
        return;
    }
    for board in BOARDS.iter().filter(|board| board.machine.is_some()) {
        if let Err(error) = Toolchain::find(board.target) {
            println!("skipped: {error}");
            continue;
        }
        for precision in [Precision::Int8, Precision::F32] {
            check(board, precision);
        }
    }
}

/// What the command writes is what is so of the module that it wrote: the constant takes nothing away from the bound.
#[test]
fn a_module_says_how_much_stack_it_takes_on_the_board_that_it_is_for() {
    let board = board::named("mps2-an386").expect("a board");
    if let Err(error) = Toolchain::find(board.target) {
        println!("skipped: {error}");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let module = folder.path().join("model.rs");
    let convert = |further: &[&str]| {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/vibration");
        let mut command = Command::new(env!("CARGO_BIN_EXE_microception"));
        command.arg("convert").arg(example.join("vibration.keras")).args(["--out", module.to_str().expect("text")]);
        command.arg("--calibration").arg(example.join("calibration.npz")).args(further).output().expect("starts")
    };
    let done = convert(&["--board", board.name, "--json"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let figures: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!((&figures["stack"]["board"], &figures["target"]), (&board.name.into(), &board.core.name().into()));

    let text = fs::read_to_string(&module).expect("written");
    let stated = text.split_once("pub const STACK_BYTES: usize = ").and_then(|(_, rest)| rest.split(';').next());
    let stated: u64 = stated.and_then(|bytes| bytes.parse().ok()).expect("bytes");
    assert_eq!(figures["stack"]["bytes"], stated);
    let compiler = Toolchain::find(board.target).and_then(|toolchain| toolchain.version()).expect("a version");
    assert!(text.contains(&compiler) && !text.contains("is the compiler's"), "{compiler}");
    let elf = firmware::build(&module, board, Program::Bench).expect("builds");
    assert_eq!(stack::bound(elf.path(), stack::is_predict).expect("a bound"), stated);

    // Without a board the module says how to find it out, and is else the same.
    assert!(convert(&["--target", board.core.name()]).status.success());
    let unstated = fs::read_to_string(&module).expect("written");
    assert!(unstated.contains("`microception convert --board BOARD`") && !unstated.contains("STACK_BYTES"));
    let code = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("///") && !line.starts_with("#[allow"));
        lines.filter(|line| !line.starts_with("pub const STACK_BYTES")).map(str::to_owned).collect()
    };
    assert!(code(&text) == code(&unstated), "code that is another");
    assert!(!convert(&["--board", board.name, "--target", "cortex-m4"]).status.success());
}

#[test]
fn what_is_no_program_or_lacks_the_function_is_an_error() {
    let file = |bytes: &[u8]| {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), bytes).expect("writable");
        stack::bound(file.path(), stack::is_predict).expect_err("no program").to_string()
    };
    assert!(!file(b"").is_empty() && !file(b"\x7fELF").is_empty());
    let missing = stack::bound("no such file".as_ref(), stack::is_predict).expect_err("no file").to_string();
    assert!(missing.contains("no such file"), "{missing}");
}
