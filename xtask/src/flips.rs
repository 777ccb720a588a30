//! The stage "flips": a bit is flipped, an inference runs, on the emulated cores. What is flipped and what must hold
//! says `boards/mps/programs/flips.rs`.

use std::time::{Duration, Instant};

use microception_codegen::convert::{Convert, Precision};
use microception_codegen::device::board::{self, Board};
use microception_codegen::device::firmware;
use microception_codegen::device::qemu::{self, Clock, Finished};
use microception_codegen::error::Error;

use crate::model::converted;
use crate::root;
use crate::stage::{Counts, report};

/// What is flipped: on which board, in which precision, and how often. The core that has the most kernels of its own
/// gets most.
const RUNS: [(&str, Precision, usize); 12] = [
    ("mps2-an386", Precision::Int8, 150_000),
    ("mps2-an386", Precision::F32, 10_000),
    ("mps2-an386", Precision::Int16x8, 10_000),
    ("mps2-an386", Precision::Int4All, 10_000),
    ("mps2-an385", Precision::Int8, 5_000),
    ("mps2-an385", Precision::Int16x8, 5_000),
    ("mps2-an500", Precision::Int8, 5_000),
    ("mps2-an505", Precision::Int8, 5_000),
    ("mps3-an547", Precision::Int8, 5_000),
    ("mps3-an547", Precision::Int16x8, 5_000),
    ("microbit", Precision::Int8, 5_000),
    ("microbit", Precision::F32, 500),
];

/// Small enough, and with every kind of layer that a network for series has.
const MODEL: &str = "codegen/examples/vibration/vibration.keras";
const CALIBRATION: &str = "codegen/examples/vibration/calibration.npz";

/// The most multiply-accumulates of a model that is flipped so often.
const MACS: u64 = 20_000;

/// A section that start-up code copies into RAM.
const WEIGHTS: &str = ".data.weights";

/// How long one run may take: what does not end by then is in a loop.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs them all.
pub fn stage(name: &str) -> Result<Counts, Error> {
    let start = Instant::now();
    let mut counts = Counts::default();
    let mut log = String::new();
    for (board, precision, flips) in RUNS {
        let board = board::named(board)?;
        let what = format!("{flips} flips of {} on {}", precision.name(), board.name);
        let began = Instant::now();
        let came = run(board, precision, flips);
        counts.add(Counts::one(came.is_ok()));
        let came = came.unwrap_or_else(|error| format!("FAILED: {error}"));
        log.push_str(&format!("{what}: {came}, {:.1} s\n", began.elapsed().as_secs_f64()));
    }
    eprint!("{log}");
    report(name, start, counts, &log)
}

/// What came of one.
fn run(board: &Board, precision: Precision, flips: usize) -> Result<String, Error> {
    let mut conversion = Convert::new(root().join(MODEL)).precision(precision).weights_section(WEIGHTS);
    if precision != Precision::F32 {
        conversion = conversion.calibration(root().join(CALIBRATION));
    }
    let model = converted("flipped", &conversion)?;
    if model.summary.figures.macs >= MACS {
        return Err(Error::model(format!("{MODEL} has {} multiply-accumulates", model.summary.figures.macs)));
    }
    let elf = firmware::build_flips(&model.module, board, flips)?;
    let Finished { code, output, errors } = qemu::run(board, elf.path(), Clock::Host, LIMIT)?;
    if code != Some(0) {
        return Err(Error::model(format!("ended with {code:?}:\n{output}{errors}")));
    }
    let figure = |name: &str| {
        let value = output.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<usize>().ok());
        value.ok_or_else(|| Error::model(format!("the program prints no {name}:\n{output}")))
    };
    let [done, changed, restarts, guarded] = ["flips", "changed", "restarts", "guarded"].map(figure);
    let (done, changed, restarts, guarded) = (done?, changed?, restarts?, guarded?);
    // Or nothing was flipped that counts.
    if done != flips || changed < flips / 20 {
        return Err(Error::model(format!("{changed} outputs of {done} changed")));
    }
    let guard = if guarded == 1 { "memory guarded" } else { "posts untouched" };
    Ok(format!("{changed} outputs changed, {restarts} restarts the same, {guard}"))
}
