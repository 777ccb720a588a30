//! Every kernel on every core: programs for each board that hold many generated modules, and compare what
//! they answer with LiteRT and Keras. int8 answers are the same on all cores, to the bit.

#[path = "../common/arrays.rs"]
mod arrays;
mod cases;
#[path = "../conformance/fixture.rs"]
mod conformance;
mod endless;
#[path = "../litert/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of the kernels, which use all of it")]
mod litert;
mod sections;
#[path = "../suite/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of every tensor, which use all of it")]
mod suite;
#[path = "../common/tolerance.rs"]
mod tolerance;
#[path = "../common/volume.rs"]
mod volume;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use microception_codegen::device::board::{BOARDS, Board};
use microception_codegen::device::firmware;
use microception_codegen::device::toolchain::{Toolchain, on_path};
use microception_codegen::emit;
use microception_codegen::lower::{Kernel, Pair, Pairwise};
use microception_codegen::optimize::lowered;

use cases::Case;

/// The names of all kernels, and of one. A kernel that is missing here does not compile, one that no case
/// uses fails.
macro_rules! kernels {
    ($($kernel:ident),+; $($pair:ident),+) => {
        const KERNELS: &[&str] = &[$(stringify!($kernel),)+ $(stringify!($pair)),+];

        fn kernel_name(kernel: &Kernel) -> &'static str {
            match kernel {
                Kernel::InPlace { kernel, .. } => in_place_name(kernel),
                $(Kernel::$kernel { .. } => stringify!($kernel),)+
                Kernel::Pairwise(Pairwise { pair, .. }) => match pair {
                    $(Pair::$pair(_) => stringify!($pair)),+
                },
            }
        }
    };
}

kernels!(
    InputCopy,
    InputCentre,
    InputLookup,
    InputLookupInt16,
    InputRescale,
    ConvF32,
    ConvInt8,
    ConvInt16,
    WinogradConvInt8,
    ConvInt4,
    DepthwiseF32,
    DepthwiseInt8,
    Depthwise3x3Int8,
    DepthwiseInt16,
    DepthwiseInt4,
    Depthwise3x3Int4,
    DenseF32,
    DenseInt8,
    DenseInt16,
    DenseInt4,
    PositionwiseDenseInt8,
    PositionwiseDenseInt16,
    PositionwiseDenseInt4,
    MaxPoolF32,
    MaxPoolInt8,
    MaxPoolInt16,
    AveragePoolF32,
    AveragePoolInt8,
    AveragePoolInt16,
    GlobalAveragePoolF32,
    GlobalAveragePoolInt8,
    GlobalAveragePoolInt16,
    GlobalMaxPoolF32,
    GlobalMaxPoolInt8,
    GlobalMaxPoolInt16,
    PadF32,
    PadInt8,
    PadInt16,
    Crop,
    TransposeF32,
    TransposeInt8,
    TransposeInt16,
    ConcatenateWithinRows,
    ConcatenateRows,
    Reshape,
    ResizeNearest,
    ResizeBilinearF32,
    ResizeBilinearInt8,
    ResizeBilinearInt16,
    ActivationF32,
    ActivationInt8,
    ActivationInt16,
    StraightInt16,
    SigmoidInt16,
    TanhInt16,
    Requantize,
    Dequantize,
    Quantize,
    SoftmaxF32,
    SoftmaxInt8,
    SoftmaxInt16,
    Flatten,
    ByLines;
    AddF32,
    AddInt8,
    AddInt16,
    SubtractF32,
    SubtractInt8,
    SubtractInt16,
    MultiplyF32,
    MultiplyInt8,
    MultiplyInt16,
    MaximumF32,
    MaximumInt8,
    MaximumInt16,
    MinimumF32,
    MinimumInt8,
    MinimumInt16,
    PreluF32,
    PreluInt8,
    PreluInt16
);

/// Kernels that have a form in place.
const IN_PLACE: [&str; 6] = [
    "ConvInt8 in place",
    "ActivationF32 in place",
    "ActivationInt8 in place",
    "a function of int16 in place",
    "a short sum in place",
    "a function of two operands in place",
];

fn in_place_name(kernel: &Kernel) -> &'static str {
    let [conv, activation_f32, activation_int8, activation_int16, short_sum, pairwise] = IN_PLACE;
    match kernel {
        Kernel::ConvInt8(_) => conv,
        Kernel::ActivationF32(_) => activation_f32,
        Kernel::ActivationInt8(_) => activation_int8,
        Kernel::ActivationInt16(_) | Kernel::StraightInt16(_) | Kernel::SigmoidInt16(_) | Kernel::TanhInt16(_) => {
            activation_int16
        }
        Kernel::Pairwise(layer) if layer.is_short_sum() => short_sum,
        Kernel::Pairwise(_) => pairwise,
        kernel => unreachable!("{kernel:?} has no form in place"),
    }
}

#[test]
fn every_kernel_is_among_the_cases() {
    let mut used = BTreeSet::new();
    for case in cases::all() {
        used.extend(lowered(&case.graph, case.goal).expect(&case.name).kernels.iter().map(kernel_name));
    }
    let unused: Vec<_> = KERNELS.iter().chain(&IN_PLACE).copied().filter(|kernel| !used.contains(kernel)).collect();
    assert!(unused.is_empty(), "no case has {unused:?}: add a fixture to the lists of cases.rs");
}

/// Flash that a case takes, its answers and its share of the code.
const CASE_BYTES: usize = 6 * 1024;

/// Stack and other RAM beside the arena.
const STACK_BYTES: usize = 4 * 1024;

/// The cases for which a board has RAM, in groups for which it has flash.
fn programs<'a>(board: &Board, cases: &'a [Case]) -> Vec<Vec<&'a Case>> {
    let memory = firmware::memory(board).expect("its memory.x");
    let fits = |case: &&Case| {
        let module = emit::module(&case.graph, case.goal).expect(&case.name);
        module.plan.arena_bytes + STACK_BYTES <= memory.ram
    };
    let fitting: Vec<_> = cases.iter().filter(fits).collect();
    if fitting.len() < cases.len() {
        println!("{}: {} models do not fit its RAM", board.name, cases.len() - fitting.len());
    }
    fitting.chunks((memory.flash / CASE_BYTES).min(CASES_OF_A_PROGRAM)).map(<[_]>::to_vec).collect()
}

/// More would not build faster.
const CASES_OF_A_PROGRAM: usize = 80;

#[test]
fn every_core_gives_the_answers_of_litert_and_keras() {
    let cases = cases::all();
    for board in BOARDS.iter().filter(|board| board.machine.is_some()) {
        if let Err(error) = Toolchain::find(board.target) {
            println!("skipped: {error}");
            continue;
        }
        if on_path("qemu-system-arm").is_none() {
            println!("skipped: qemu-system-arm is not installed");
            return;
        }
        for cases in programs(board, &cases) {
            let package = package_of_cases(board, &cases);
            assert_eq!(run(board, &package), format!("{} models", cases.len()), "{}", board.name);
        }
    }
}

/// What a program prints on `board`.
fn run(board: &Board, package: &Path) -> String {
    // The board's own configuration runs the program in QEMU.
    let mut cargo = firmware::cargo("run", board).expect("a toolchain");
    cargo.args(["--release", "--quiet", "--manifest-path"]).arg(package.join("Cargo.toml"));
    let output = cargo.output().expect("cargo starts");
    let [printed, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{}: {errors}", board.name);
    printed.trim().to_owned()
}

/// Writes a package of its own, as a user's firmware would be, with a main module.
fn package(board: &Board, name: &str, main: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).join(board.name);
    fs::create_dir_all(folder.join("src")).expect("writable");
    let write = |file: &str, text: &str| fs::write(folder.join(file), text).expect("writable");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\ncortex-m-rt = \"0.7.5\"\nmicroception = {{ path = {root:?} }}\n\
         microception-mps = {{ path = {mps:?} }}\nstatic_cell = \"2.1\"\n\n\
         [profile.release]\nlto = \"fat\"\ncodegen-units = 1\ndebug = 1\n",
        mps = root.join("boards/mps")
    );
    write("Cargo.toml", &manifest);
    write("build.rs", include_str!("build.rs"));
    write("src/main.rs", main);
    for (from, to) in [(root.join("boards").join(board.name), "memory.x"), (root.to_owned(), "Cargo.lock")] {
        fs::copy(from.join(to), folder.join(to)).expect("readable and writable");
    }
    folder
}

/// A package that runs the cases on `board`.
fn package_of_cases(board: &Board, cases: &[&Case]) -> PathBuf {
    let folder = package(board, "on_target", include_str!("program.rs"));
    let write = |file: &str, text: &str| fs::write(folder.join(file), text).expect("writable");
    let mut modules = String::new();
    let mut calls = String::new();
    let mut arena_bytes = 0;
    for Case { name, graph, goal, frame, expected, near } in cases {
        let module = emit::module(graph, *goal).expect(name);
        arena_bytes = arena_bytes.max(module.plan.arena_bytes);
        write(&format!("src/{name}.rs"), &module.text);
        let _ = writeln!(modules, "mod {name} {{ include!(\"{name}.rs\"); }}");
        let _ = writeln!(calls, "    check({name:?}, {name}::NETWORK, arena, &{frame}, &{expected}, {near:?});");
    }
    let text = format!(
        "use crate::{{SharedArena, check}};\n\n{modules}\n\
         pub const ARENA_BYTES: usize = {arena_bytes};\n\n\
         pub fn check_all(arena: &mut SharedArena) -> usize {{\n{calls}    {}\n}}\n",
        cases.len()
    );
    write("src/cases.rs", &text);
    folder
}
