//! The shipped model on CIFAR-10's 10,000 test pictures, which are not part of the project.

#[path = "common/arrays.rs"]
mod arrays;

use std::path::{Path, PathBuf};
use std::time::Instant;

use microception_codegen::convert::{Convert, Precision};
use microception_codegen::device::firmware::{self, Program};
use microception_codegen::device::qemu::{Clock, Device};
use microception_codegen::device::{board, toolchain::Toolchain};
use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::read::read;

/// Of 10,000, what float Keras gets right.
const KERAS: usize = 8700;

/// How many fewer int8 may get right: 0.3 points.
const LOST: usize = 30;

/// The same with weights of four bits: 3.5 points, and in every layer 7.
const LOST_IN_INT4: usize = 350;
const LOST_IN_INT4_ALL: usize = 700;

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
    shipped_in(Precision::Int8)
}

fn shipped_in(precision: Precision) -> Convert {
    let model: PathBuf = package().join("models/xception_lite");
    Convert::new(model.join("xlite.keras")).precision(precision).calibration(model.join("ranges.json"))
}

fn machine() -> Machine {
    machine_in(Precision::Int8)
}

fn machine_in(precision: Precision) -> Machine {
    Machine::new(&shipped_in(precision).prepare().expect("converts").graph, Strategy::Balanced).expect("plans")
}

/// The class with the greatest score; of equal ones the first.
fn best(output: &[u8]) -> Option<usize> {
    let scores = output.iter().map(|&byte| byte.cast_signed());
    scores.enumerate().max_by_key(|&(class, score)| (score, std::cmp::Reverse(class))).map(|(class, _)| class)
}

/// The class that the model gives to each picture, found on two threads.
fn classes(machine: &Machine, pictures: &[u8]) -> Vec<usize> {
    let of = |pictures: &[u8]| {
        let mut machine = machine.clone();
        let length = machine.frame_bytes();
        let answers = pictures.chunks(length).map(|picture| best(&machine.run(picture).expect("runs")));
        answers.collect::<Option<Vec<usize>>>().expect("a class")
    };
    let half = pictures.len() / machine.frame_bytes() / 2 * machine.frame_bytes();
    std::thread::scope(|scope| {
        let others = scope.spawn(|| of(&pictures[half..]));
        [of(&pictures[..half]), others.join().expect("no panic")].concat()
    })
}

#[test]
fn int8_keeps_the_accuracy_of_float_keras() {
    let Some((pictures, labels)) = pictures() else { return };
    let found = classes(&machine(), &pictures);
    let right = found.iter().zip(&labels).filter(|&(&class, &label)| class == usize::from(label)).count();
    println!("{right} of {} right", labels.len());
    assert_eq!((found.len(), labels.len()), (10_000, 10_000));
    assert!(right + LOST >= KERAS, "{right} of 10,000 right, float Keras has {KERAS}");
}

#[test]
fn int4_keeps_most_of_it() {
    let Some((pictures, labels)) = pictures() else { return };
    for (precision, lost) in [(Precision::Int4, LOST_IN_INT4), (Precision::Int4All, LOST_IN_INT4_ALL)] {
        let found = classes(&machine_in(precision), &pictures);
        let right = found.iter().zip(&labels).filter(|&(&class, &label)| class == usize::from(label)).count();
        println!("{precision:?}: {right} of {} right", labels.len());
        assert!(right + lost >= KERAS, "{precision:?}: {right} of 10,000 right, float Keras has {KERAS}");
    }
}

/// LiteRT's own conversion of the shipped model, with the classes that its reference kernels give.
#[test]
fn the_tflite_model_gives_litert_s_class_for_every_picture() {
    let Some((mut pictures, labels)) = pictures() else { return };
    let expected = package().join("../../shared/models/xception_lite/int8_ref_argmax_10k.npy");
    let Ok(expected) = std::fs::read(&expected) else {
        println!("skipped: {} is not on this machine", expected.display());
        return;
    };
    let (_, expected) = expected.split_at(expected.len() - labels.len());
    let model = read(&package().join("models/xception_lite/xlite_int8.tflite")).expect("read");
    let machine = Machine::new(&passes::run(model).expect("passes"), Strategy::Balanced).expect("plans");
    // Scale 1 and zero point -128: pixels less 128.
    pictures.iter_mut().for_each(|pixel| *pixel ^= 0x80);
    let start = Instant::now();
    let found = classes(&machine, &pictures);
    println!("{} pictures in {:.1} s", found.len(), start.elapsed().as_secs_f32());
    assert_eq!(found.len(), 10_000);
    let differing = found.iter().zip(expected).filter(|&(&class, &expected)| class != usize::from(expected)).count();
    assert_eq!(differing, 0, "pictures that get another class");
    let right = found.iter().zip(&labels).filter(|&(&class, &label)| class == usize::from(label)).count();
    assert_eq!(right, 8680, "of 10,000");
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
