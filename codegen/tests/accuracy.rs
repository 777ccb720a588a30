//! The shipped model on CIFAR-10's 10,000 test pictures, which are not part of the project.

#[path = "common/arrays.rs"]
mod arrays;

use std::ops::Range;
use std::path::{Path, PathBuf};

use microception_codegen::convert::{Convert, Precision};
use microception_codegen::device::firmware::{self, Program};
use microception_codegen::device::qemu::{Clock, Device};
use microception_codegen::device::{board, toolchain::Toolchain};
use microception_codegen::host::Machine;
use microception_codegen::plan::Strategy;

/// Of 10,000, what float Keras gets right.
const KERAS: usize = 8700;

/// How many fewer int8 may get right: 0.3 points.
const LOST: usize = 30;

/// Pictures that run on the emulated board as well.
const EMULATED: usize = 200;

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pictures and their classes, `[pictures][row][column][channel]`, if they are there.
fn pictures() -> Option<(Vec<u8>, Vec<u8>)> {
    let data = package().join("../../shared/data/cifar10_test.npz");
    if !data.exists() {
        println!(
            "skipped: the shipped model's accuracy needs CIFAR-10's test pictures, which are not part of the project"
        );
        return None;
    }
    let arrays = arrays::Arrays::open(&data);
    Some((arrays.bytes("x_test"), arrays.bytes("y_test")))
}

/// The shipped model in int8, as `convert` makes it.
fn shipped() -> Convert {
    let model: PathBuf = package().join("models/xception_lite");
    Convert::new(model.join("xlite.keras")).precision(Precision::Int8).calibration(model.join("ranges.json"))
}

fn machine() -> Machine {
    Machine::new(&shipped().prepare().expect("converts").graph, Strategy::Smallest).expect("plans")
}

/// The class with the greatest score; of equal ones the first.
fn best(output: &[u8]) -> Option<usize> {
    let scores = output.iter().map(|&byte| byte.cast_signed());
    scores.enumerate().max_by_key(|&(class, score)| (score, std::cmp::Reverse(class))).map(|(class, _)| class)
}

#[test]
fn int8_keeps_the_accuracy_of_float_keras() {
    let Some((pictures, classes)) = pictures() else { return };
    let machine = machine();
    let right = |range: Range<usize>| {
        let mut machine = machine.clone();
        let length = machine.frame_bytes();
        let rights = range.filter(|&index| {
            let output = machine.run(&pictures[index * length..][..length]).expect("runs");
            best(&output) == Some(usize::from(classes[index]))
        });
        rights.count()
    };
    let half = classes.len() / 2;
    let right = std::thread::scope(|scope| {
        let other = scope.spawn(|| right(half..classes.len()));
        right(0..half) + other.join().expect("no panic")
    });
    println!("{right} of {} right", classes.len());
    assert_eq!(classes.len(), 10_000);
    assert!(right + LOST >= KERAS, "{right} of 10,000 right, float Keras has {KERAS}");
}

#[test]
fn the_emulated_board_gives_the_hosts_bits() {
    let Some((pictures, _)) = pictures() else { return };
    let board = board::named("mps2-an386").expect("a board");
    if let Err(error) = Toolchain::find(board.target) {
        println!("skipped: {error}");
        return;
    }
    let mut machine = machine();
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shipped.rs");
    shipped().to_file(&module).expect("converts");
    let elf = firmware::build(&module, board, Program::Serve).expect("builds");
    let mut device = Device::start(board, elf.path(), Clock::Host).expect("starts");
    for (index, picture) in pictures.chunks(machine.frame_bytes()).take(EMULATED).enumerate() {
        assert_eq!(
            device.link.infer(picture).expect("answers"),
            machine.run(picture).expect("runs"),
            "picture {index}"
        );
    }
}
