//! Ten thousand frames over a bad line: none is lost, and each has the output that it has over a good one.

#[path = "../../boards/app/tests/models/doubler.rs"]
mod doubler;
#[path = "common/line.rs"]
mod line;
#[path = "common/noise.rs"]
mod noise;
#[path = "../../boards/app/tests/models/pixels.rs"]
mod pixels;

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use line::{Clock, line};
use microception::executor::Executor;
use microception_app::{Server, facts};
use microception_codegen::device::link::Link;
use noise::Noisy;

/// A 256th of it is waited for what got lost; a thread answers in less.
const PATIENCE: Duration = Duration::from_millis(1280);

/// How many frames, and how many of a hundred suffer on the line, in each direction.
const FRAMES: usize = 10_000;
const PERCENT: u32 = 5;

/// A board in a thread that serves the model of that module, which ends with the line.
macro_rules! board {
    ($model:ident) => {{
        let (near, far) = line(None);
        thread::spawn(move || {
            let mut arena = $model::Arena::new();
            Server::new(Executor::new($model::NETWORK, &mut arena), facts!(crate::$model), far, Clock(0)).serve()
        });
        near
    }};
}

/// Sends frames of random bytes that `frame` makes over a bad line and a good one.
fn soak(name: &str, bad: line::Near, good: line::Near, seed: u64, mut frame: impl FnMut(&mut Rng) -> Vec<u8>) {
    let start = Instant::now();
    let mut good = Link::open(good, Duration::from_secs(60)).unwrap();
    let mut bad = Link::open(Noisy::new(bad, seed, PERCENT), PATIENCE).unwrap();
    let mut random = Rng::with_seed(seed);
    for index in 0..FRAMES {
        let frame = frame(&mut random);
        let expected = good.infer(&frame).unwrap();
        let found = bad.infer(&frame).unwrap_or_else(|error| panic!("{name}, frame {index}: {error}"));
        assert!(found == expected, "{name}: frame {index} has another output");
    }
    let [sent, received] = bad.port().frames();
    println!(
        "{name}: {sent} and {received} frames, {:?}, {:.1} s",
        bad.port().mishaps(),
        start.elapsed().as_secs_f64()
    );
    for (frames, mishaps) in [sent, received].into_iter().zip(bad.port().mishaps()) {
        let all: usize = mishaps.iter().sum();
        assert!(frames >= 2 * FRAMES && (frames / 25..frames / 16).contains(&all), "{mishaps:?} of {frames}");
        assert!(mishaps.iter().all(|&one| one > all / 8), "{mishaps:?}");
    }
}

#[test]
fn a_frame_in_one_piece_is_never_anothers() {
    // Of zero points and scales: the output is another for each of 65 pixels in the middle.
    soak("pixels", board!(pixels), board!(pixels), 1, |random| (0..8).map(|_| random.u8(96..160)).collect());
}

#[test]
fn frames_in_pieces_lose_none() {
    let value = |random: &mut Rng| (random.f32() * 200.0 - 100.0).to_le_bytes();
    soak("doubler", board!(doubler), board!(doubler), 2, |random| (0..120).flat_map(|_| value(random)).collect());
}
