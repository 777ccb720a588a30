//! Endless plans on a core: a series pushed row by row gives LiteRT's bits of the whole series, and again after `reset`.

use std::fmt::Write;
use std::fs;

use microception_codegen::device::board;
use microception_codegen::device::toolchain::{Toolchain, on_path};
use microception_codegen::plan::Strategy;
use microception_codegen::{emit, passes, read};

use crate::{package, run, suite};

/// Fixtures of `tests/fixtures/tflite`, in int8: causal and valid windows, strides, a separable convolution.
const MODELS: &[&str] = &["conv1d_02", "conv1d_04", "conv1d_05", "conv1d_10", "depthwise1d_03", "depthwise1d_07"];

#[test]
fn a_series_row_by_row_is_what_litert_computes() {
    let board = board::named("mps2-an386").expect("a board");
    if Toolchain::find(board.target).is_err() || on_path("qemu-system-arm").is_none() {
        println!("skipped: nothing builds for {} or runs it", board.name);
        return;
    }
    let package = package(board, "endless", include_str!("series.rs"));
    let write = |file: &str, text: &str| fs::write(package.join(file), text).expect("writable");
    let int8 = |bytes: &[u8]| format!("{:?}", bytes.iter().map(|byte| byte.cast_signed()).collect::<Vec<_>>());
    let (mut modules, mut calls) = (String::new(), String::new());
    for group in ["conv1d", "depthwise1d"] {
        for model in suite::group(group).iter().filter(|model| MODELS.contains(&model.name.as_str())) {
            let name = &model.name;
            let graph = read::read_bytes(&model.bytes, name).and_then(passes::run).expect(name);
            let module = emit::module(&graph, Strategy::Endless).expect(name);
            write(&format!("src/{name}.rs"), &module.text);
            let _ = writeln!(modules, "mod {name} {{ include!(\"{name}.rs\"); }}");
            let (series, expected) = (int8(model.frame(0)), int8(model.answer().case(0)));
            let _ = writeln!(
                calls,
                "    check({name:?}, {name}::NETWORK, &mut {name}::Arena::new(), &{series}, &{expected});"
            );
        }
    }
    assert_eq!(calls.lines().count(), MODELS.len());
    write("src/cases.rs", &format!("use crate::check;\n\n{modules}\npub fn check_all() {{\n{calls}}}\n"));
    assert_eq!(run(board, &package), "right");
}
