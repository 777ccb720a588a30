//! Flips one bit after another of the embedded model's weights, which must lie in RAM, of its arena between two
//! steps, and of a copy of its plan, and runs an inference with each: it must run its steps, and touch nothing beside the
//! arena. Then power is lost after each number of steps, with noise in the arena: the next start must give what the first
//! gave.
//!
//! Where the core can guard memory the arena's neighbours fault when they are read or written, and the program's last
//! act is to show that they do.

#![no_std]
#![no_main]

use board::{FrameWords, model};
use cortex_m_rt::{ExceptionFrame, entry, exception};
use microception::executor::{Executor, Progress};
use microception::model::{Model, Period, Plan, Step, Weights, flip_plan_bit};
use microception::quantized::{Channel, WideChannel};
use microception::window::Call;
use microception_mps::exit_on_panic;
use microception_mps::fence::{Fenced, flip, on_fault};
use microception_mps::semihosting::{println, process};
use static_cell::ConstStaticCell;

#[path = "../on_target/random.rs"]
mod random;

use random::Random;

static MEMORY: ConstStaticCell<Fenced<model::Arena>> = ConstStaticCell::new(Fenced::new(model::Arena::new()));
static COPY: ConstStaticCell<Copied> = ConstStaticCell::new(Copied::EMPTY);
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

/// The most steps and addresses that a plan can be copied of.
const MOST_STEPS: usize = 256;
const MOST_ADDRESSES: usize = 1024;

/// The model with its plan in RAM.
struct Copied {
    steps: [Step; MOST_STEPS],
    step_count: usize,
    addresses: [u16; MOST_ADDRESSES],
    address_count: usize,
}

impl Copied {
    const EMPTY: Copied = Copied {
        steps: [Step::new(0, 0, 0, 0, [0; 2]); MOST_STEPS],
        step_count: 0,
        addresses: [0; MOST_ADDRESSES],
        address_count: 0,
    };

    /// Copies the plan, which must not be longer than there is room for.
    fn copy(&mut self, plan: &Plan<'_>) {
        self.step_count = plan.steps.len();
        self.address_count = plan.addresses.len();
        self.steps[..self.step_count].copy_from_slice(plan.steps);
        self.addresses[..self.address_count].copy_from_slice(plan.addresses);
    }

    /// Flips a bit of the plan; twice it is as it was.
    fn flip(&mut self, bit: usize) {
        flip_plan_bit(&mut self.steps[..self.step_count], &mut self.addresses[..self.address_count], bit);
    }
}

impl Model for &Copied {
    type Input = <model::Network as Model>::Input;
    type Output = <model::Network as Model>::Output;
    type Frame = <model::Network as Model>::Frame;
    type Row = <model::Network as Model>::Row;
    const ARENA_BYTES: usize = model::ARENA_BYTES;

    fn plan(&self) -> Plan<'_> {
        let (steps, addresses) = (&self.steps[..self.step_count], &self.addresses[..self.address_count]);
        Plan { steps, addresses, ..model::NETWORK.plan() }
    }

    fn period(&self) -> Option<Period> {
        model::NETWORK.period()
    }

    fn run(&self, layer: usize, call: Call<'_>) {
        model::NETWORK.run(layer, call);
    }
}

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
    let copy = COPY.take();
    copy.copy(&model::NETWORK.plan());
    let mut right = [Default::default(); COMPARED];
    let mut output = right;
    assert_eq!(infer(copy, arena, usize::MAX, &mut right, |_, _| ()), steps);

    let mut changed = 0;
    for number in 0..FLIPS {
        let (step, bit) = (random.below(steps), random.below(8 * model::ARENA_BYTES) as u32);
        let of_plan = random.below((&*copy).plan().bits());
        let weight = if number % 3 == 0 { Place::any(&mut random) } else { None };
        let in_plan = number % 3 == 1;
        if let Some(place) = weight {
            place.flip(bit);
        }
        if in_plan {
            copy.flip(of_plan);
        }
        let ran = infer(copy, arena, usize::MAX, &mut output, |next, arena| {
            if weight.is_none()
                && !in_plan
                && next == step
                && let Some(byte) = arena.get_mut(bit as usize / 8)
            {
                *byte ^= 1 << (bit % 8);
            }
        });
        if let Some(place) = weight {
            place.flip(bit);
        }
        if in_plan {
            copy.flip(of_plan);
        }
        changed += u32::from(output != right);
        assert_eq!(ran, steps, "flip {number}");
    }
    for abandoned in 0..=steps {
        infer(copy, arena, abandoned, &mut output, |_, _| ());
        arena.bytes().fill_with(|| random.next() as u8);
        infer(copy, arena, usize::MAX, &mut output, |_, _| ());
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
    model: &Copied,
    arena: &mut model::Arena,
    most: usize,
    output: &mut Output,
    mut before: impl FnMut(usize, &mut [u8]),
) -> usize {
    let mut executor = Executor::new(model, arena);
    let mut rows = board::rows(&FRAME);
    let mut ran = 0;
    while ran < most {
        before(ran, executor.arena_mut());
        match executor.step() {
            Progress::Ran { .. } => {}
            // A damaged plan asks for more rows than a frame has.
            Progress::NeedsRow { .. } => match rows.next().or_else(|| board::rows(&FRAME).next()) {
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
