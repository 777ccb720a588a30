//! Keyword spotting of MLPerf Tiny (a DS-CNN, int8 `.tflite`) as firmware on an emulated Cortex-M4F: LiteRT's answers
//! to 500 recordings, to the bit. Model and recordings are not part of the project.

#[path = "common/arrays.rs"]
mod arrays;

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::thread;

use arrays::Arrays;
use microception_codegen::convert::Convert;
use microception_codegen::device::board::{self, Board};
use microception_codegen::device::firmware::{self, Program};
use microception_codegen::device::qemu::{Clock, Device};
use microception_codegen::device::toolchain::{Toolchain, on_path};

/// Recordings.
const CASES: usize = 500;

/// Of them, what LiteRT gets right.
const RIGHT: usize = 449;

/// Devices that run at the same time.
const DEVICES: usize = 2;

/// A file beside the repository that not every machine has.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not on this machine", path.display());
    None
}

fn emulated() -> Option<&'static Board> {
    let board = board::named("mps2-an386").expect("a board");
    if let Err(error) = Toolchain::find(board.target) {
        println!("skipped: {error}");
        return None;
    }
    if on_path("qemu-system-arm").is_none() {
        println!("skipped: qemu-system-arm is not installed");
        return None;
    }
    Some(board)
}

/// The class with the greatest score; of equal ones the first.
fn best(scores: &[u8]) -> Option<usize> {
    let scores = scores.iter().map(|&byte| byte.cast_signed());
    scores.enumerate().max_by_key(|&(class, score)| (score, Reverse(class))).map(|(class, _)| class)
}

#[test]
fn the_firmware_of_keyword_spotting_gives_litert_s_bits() {
    let files = ["models/mlperf_tiny/kws01_int8.tflite", "models/mlperf_tiny/golden.npz", "data/kws01_500.npz"];
    let (Some(board), [Some(model), Some(golden), Some(data)]) = (emulated(), files.map(shared)) else { return };
    let data = Arrays::open(&data);
    let (frames, classes) = (data.bytes("x"), data.bytes("y"));
    let expected = Arrays::open(&golden).bytes("kws01_out");
    assert_eq!(classes.len(), CASES);

    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kws01.rs");
    Convert::new(model).to_file(&module).expect("converts");
    let elf = firmware::build(&module, board, Program::Serve).expect("builds");
    let (frame, answer) = (frames.len() / CASES, expected.len() / CASES);
    // Every device takes its part, and says which of its answers are right.
    let right = |first: usize| {
        let mut device = Device::start(board, elf.path(), Clock::Host).expect("starts");
        let rights = (first..CASES).step_by(DEVICES).filter(|&case| {
            let found = device.link.infer(&frames[case * frame..][..frame]).expect("answers");
            assert_eq!(found, expected[case * answer..][..answer], "recording {case}");
            best(&found) == Some(usize::from(classes[case]))
        });
        rights.count()
    };
    let right: usize = thread::scope(|scope| {
        let right = &right;
        let devices: Vec<_> = (0..DEVICES).map(|first| scope.spawn(move || right(first))).collect();
        devices.into_iter().map(|device| device.join().expect("no wrong answer")).sum()
    });
    println!("{right} of {CASES} right");
    assert_eq!(right, RIGHT);
}
