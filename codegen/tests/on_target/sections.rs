//! Weights and arena in linker sections that the user names, in memory that only they use.

use std::fs;

use microception_codegen::device::board;
use microception_codegen::device::toolchain::{Toolchain, on_path};
use microception_codegen::emit::{self, Sections};
use microception_codegen::host::Machine;
use microception_codegen::optimize::{Goal, Optimize};
use microception_codegen::plan::Strategy;
use object::{Object, ObjectSection};

use crate::{litert, package, run};

/// Beside the board's own: the upper half of its flash, and its PSRAM, which is zero at the start.
const MEMORY: &str = "MEMORY
{
  FLASH : ORIGIN = 0x00000000, LENGTH = 2M
  EXTERNAL : ORIGIN = 0x00200000, LENGTH = 2M
  RAM : ORIGIN = 0x20000000, LENGTH = 4M
  FAST : ORIGIN = 0x21000000, LENGTH = 16M
}
SECTIONS
{
  .external : { *(external_flash) } > EXTERNAL
  .fast (NOLOAD) : { *(fast_ram) } > FAST
} INSERT AFTER .rodata;
";

#[test]
fn weights_and_arena_lie_in_the_sections_that_are_named() {
    let board = board::named("mps2-an386").expect("a board");
    if Toolchain::find(board.target).is_err() || on_path("qemu-system-arm").is_none() {
        println!("skipped: nothing builds for {} or runs it", board.name);
        return;
    }
    let fixture = litert::named("xlite_int8");
    let goal = Goal { strategy: Strategy::Balanced, optimize: Optimize::Speed };
    let sections = Sections { weights: Some("external_flash".to_owned()), arena: Some("fast_ram".to_owned()) };
    let module = emit::module_in(&fixture.graph, goal, &sections).expect("plans");
    let frame = fixture.input(0);
    let answer = Machine::new(&fixture.graph, goal).expect("plans").run(frame).expect("runs");
    assert_eq!(answer, fixture.tensor(fixture.graph.outputs[0], 0).expect("an output"));
    let int8 = |bytes: &[u8]| format!("{:?}", bytes.iter().map(|byte| byte.cast_signed()).collect::<Vec<_>>());
    let case = format!(
        "static FRAME: [i8; {}] = {};\nstatic EXPECTED: [i8; {}] = {};\n",
        frame.len(),
        int8(frame),
        answer.len(),
        int8(&answer)
    );

    let package = package(board, "placed", include_str!("placed.rs"));
    for (file, text) in [("memory.x", MEMORY), ("src/model.rs", &module.text), ("src/case.rs", &case)] {
        fs::write(package.join(file), text).expect("writable");
    }
    assert_eq!(run(board, &package), "right");

    let program = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/firmware");
    let program = fs::read(program.join(board.target).join("release/placed")).expect("built");
    let program = object::File::parse(&*program).expect("an ELF file");
    let section =
        |name: &str| program.section_by_name(name).map(|section| (section.address(), section.size() as usize));
    let (address, weights) = section(".external").expect("weights");
    let all: usize = module.weight_bytes.iter().sum();
    // Arrays are aligned to words.
    assert!(address == 0x0020_0000 && (all..all + 256).contains(&weights), "{address:#x}: {weights} bytes of {all}");
    // With the cell around it.
    let (address, arena) = section(".fast").expect("an arena");
    let all = module.plan.arena_bytes;
    assert!(address == 0x2100_0000 && (all..all + 64).contains(&arena), "{address:#x}: {arena} bytes of {all}");
}

#[test]
fn a_name_that_no_section_has_is_an_error() {
    let graph = litert::named("conv_03").graph;
    for name in ["", "two words", "quo\"te", "back\\slash", "nul\0"] {
        let sections = Sections { weights: None, arena: Some(name.to_owned()) };
        let error = emit::module_in(&graph, Strategy::Balanced, &sections).expect_err(name).to_string();
        assert!(error.contains("linker section"), "{error}");
    }
}
