//! Finds out from vibrations whether a machine runs, and whether its bearing is worn: a network of Conv1D and
//! SeparableConv1D that takes samples one by one, for ever.
//!
//!     cargo run --package microception-codegen --example vibration
//!
//! A firmware takes `model.rs`, as `microception convert` wrote it, and `detector.rs`. Here the samples are a recording's,
//! which is made up, like what the network was trained with (`make.py`).
//!
//!     microception convert vibration.keras --calibration calibration.npz --labels labels.txt --plan endless --out model.rs

mod detector;
// As it was written.
#[rustfmt::skip]
mod model;

use std::error::Error;
use std::fs;
use std::path::Path;

use detector::{Detector, Event};
use microception_codegen::data::array::{Npz, Numbers};

/// Samples a second.
const RATE: f32 = 1000.0;

fn main() -> Result<(), Box<dyn Error>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/vibration/recording.npz");
    let Numbers::F32(recording) = Npz::open(&fs::read(file)?)?.array("recording")?.numbers else {
        return Err("the recording is not of float32".into());
    };
    let mut arena = model::Arena::new();
    let mut detector = Detector::new(&mut arena);
    for acceleration in recording {
        if let Some(Event { samples, class }) = detector.push(acceleration) {
            let score = model::OUTPUT_SCALE * (i32::from(detector.scores()[class]) - model::OUTPUT_ZERO_POINT) as f32;
            println!("{:6.3} s  {} ({:.0}%)", samples as f32 / RATE, model::LABELS[class], 100.0 * score);
        }
    }
    Ok(())
}
