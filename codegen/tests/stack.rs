//! The bound of an inference's stack, from the machine code, against what was in use on the emulated cores.

#[path = "common/tolerance.rs"]
mod tolerance;

use std::fs;
use std::path::Path;

use microception_codegen::convert::{Convert, Precision};
use microception_codegen::device::board::{BOARDS, Board};
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
