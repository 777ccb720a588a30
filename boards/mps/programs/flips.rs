//! Flips one bit after another of the embedded model's weights, which must lie in RAM, and of its arena between two
//! steps, and runs an inference with each: it must run its steps, and touch nothing beside the arena. Then power is
//! lost after each number of steps, with noise in the arena: the next start must give what the first gave.
//!
//! Where the core can guard memory the arena's neighbours fault when they are read or written, and the program's last
//! act is to show that they do.

#![no_std]
#![no_main]

use board::{FrameWords, model};
use cortex_m_rt::{ExceptionFrame, entry, exception};
use microception::executor::{Executor, Progress};
use microception::model::{Model, Weights};
use microception::quantized::{Channel, WideChannel};
use microception_mps::exit_on_panic;
use microception_mps::fence::{Fenced, flip, on_fault};
use microception_mps::semihosting::{println, process};
use static_cell::ConstStaticCell;

#[path = "../on_target/random.rs"]
mod random;

use random::Random;

static MEMORY: ConstStaticCell<Fenced<model::Arena>> = ConstStaticCell::new(Fenced::new(model::Arena::new()));
static FRAME: FrameWords = board::PATTERN;

/// How many bits are flipped.
const FLIPS: u32 = match option_env!("MICROCEPTION_FLIPS") {
    Some(number) => match u32::from_str_radix(number, 10) {
        Ok(number) => number,
        Err(_) => panic!("MICROCEPTION_FLIPS is no number"),
    },
    None => 1000,
};

/// The output's numbers that are compared: all of a small model.
const COMPARED: usize = 64;

type Output = [<model::Network as Model>::Output; COMPARED];

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    on_fault(frame.pc())
}

#[entry]
fn main() -> ! {
    let memory = MEMORY.take();
    let guarded = memory.guard(4 * 1024 * 1024);
    let steps = model::NETWORK.plan().steps.len();
    let mut random = Random(1);
    let Fenced { inside: arena, .. } = memory;
    let mut right = [Default::default(); COMPARED];
    let mut output = right;
    assert_eq!(infer(arena, usize::MAX, &mut right, |_, _| ()), steps);

    let mut changed = 0;
    for number in 0..FLIPS {
        let (step, bit) = (random.below(steps), random.below(8 * model::ARENA_BYTES) as u32);
        let weight = if number % 2 == 0 { Place::any(&mut random) } else { None };
        if let Some(place) = weight {
            place.flip(bit);
        }
        let ran = infer(arena, usize::MAX, &mut output, |next, arena| {
            if weight.is_none()
                && next == step
                && let Some(byte) = arena.get_mut(bit as usize / 8)
            {
                *byte ^= 1 << (bit % 8);
            }
        });
        if let Some(place) = weight {
            place.flip(bit);
        }
        changed += u32::from(output != right);
        assert_eq!(ran, steps, "flip {number}");
    }
    for abandoned in 0..=steps {
        infer(arena, abandoned, &mut output, |_, _| ());
        arena.bytes().fill_with(|| random.next() as u8);
        infer(arena, usize::MAX, &mut output, |_, _| ());
        assert!(output == right, "after power was lost behind {abandoned} steps");
    }
    println!("flips {FLIPS}");
    println!("changed {changed}");
    println!("restarts {}", steps + 1);
    println!("guarded {}", u32::from(guarded));
    println!("gap {}", Fenced::<model::Arena>::GAP);
    if guarded {
        memory.trespass();
        println!("nothing guards the arena");
        process::exit(1)
    }
    assert!(memory.is_whole(), "something beside the arena was written");
    process::exit(0)
}

/// Runs at most `most` steps of one inference in a new executor, with `before` ahead of each, and copies what is then
/// the output; how many ran.
#[inline(never)]
fn infer(
    arena: &mut model::Arena,
    most: usize,
    output: &mut Output,
    mut before: impl FnMut(usize, &mut [u8]),
) -> usize {
    let mut executor = Executor::new(model::NETWORK, arena);
    let mut rows = board::rows(&FRAME);
    let mut ran = 0;
    while ran < most {
        before(ran, executor.arena_mut());
        match executor.step() {
            Progress::Ran { .. } => {}
            Progress::NeedsRow { .. } => match rows.next() {
                Some(row) => executor.begin_row(row),
                None => break,
            },
            Progress::Done => break,
        }
        ran += 1;
    }
    output.iter_mut().zip(executor.output()).for_each(|(output, number)| *output = *number);
    ran
}

/// A byte of the weights.
#[derive(Clone, Copy)]
enum Place {
    Byte(&'static u8),
    Channel(&'static Channel, u32),
    WideChannel(&'static WideChannel, u32),
}

impl Place {
    /// Any: of each array as often as of another.
    fn any(random: &mut Random) -> Option<Place> {
        let array = *model::WEIGHTS.get(random.below(model::WEIGHTS.len()))?;
        let byte = random.next();
        match array {
            Weights::Bytes(bytes) => bytes.get(random.below(bytes.len())).map(Place::Byte),
            Weights::Channels(all) => all.get(random.below(all.len())).map(|channel| Place::Channel(channel, byte)),
            Weights::WideChannels(all) => {
                all.get(random.below(all.len())).map(|channel| Place::WideChannel(channel, byte))
            }
        }
    }

    fn flip(self, bit: u32) {
        match self {
            Place::Byte(byte) => flip(byte, bit),
            Place::Channel(channel, byte) => flip(channel, byte % 12 * 8 + bit % 8),
            Place::WideChannel(channel, byte) => flip(channel, byte % 12 * 8 + bit % 8),
        }
    }
}

exit_on_panic!();
