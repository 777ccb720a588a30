//! A flipped bit, anywhere in weights, arena or plan, changes numbers and nothing else: the runtime does not panic, runs as
//! many steps, and writes nothing outside the arena. Nor is anything left of an inference that was abandoned: the next
//! start gives what the first gave, whatever the memory holds.
//!
//! On the host all arithmetic is checked for overflow and every index for its bounds, so that what would wrap or be
//! caught on the target is a panic here. The models are those of the tests on the target, which have every kernel, and
//! random graphs in every precision.

#[path = "../common/arrays.rs"]
mod arrays;
#[path = "../on_target/cases.rs"]
#[expect(dead_code, reason = "shared with the tests on the target, which compare answers too")]
mod cases;
#[path = "../conformance/fixture.rs"]
mod conformance;
#[path = "../litert/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of the kernels, which use all of it")]
mod litert;
mod power;
#[path = "../common/random_graph.rs"]
#[expect(dead_code, reason = "shared with tests that compare numbers")]
mod random_graph;
#[path = "../suite/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of every tensor, which use all of it")]
mod suite;
#[path = "../common/tolerance.rs"]
mod tolerance;
#[path = "../common/volume.rs"]
mod volume;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use microception::executor::{Executor, Progress};
use microception::model::Model;
use microception_codegen::graph::{Element, Graph, Operator};
use microception_codegen::host::{self, Machine};
use microception_codegen::optimize::{Goal, Optimize};
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::quantize::{
    Elements, Method, calibrate, quantize, quantize_mixed, quantize_with_int4, weighted,
};

/// Flips of all models together, a third each in weights, arena and plan.
const FLIPS: usize = 150_000;

/// Models with more multiply-accumulates than this stand aside: of each kernel there is a smaller one.
const LARGEST: u64 = 20_000;

/// Random graphs, each in [`PRECISIONS`].
const GRAPHS: u64 = 60;

/// A model by its name.
struct Subject {
    name: String,
    machine: Machine,
    frame: Vec<u8>,
}

impl Subject {
    fn new(name: String, graph: &Graph, goal: Goal, seed: u64) -> Option<Subject> {
        let macs: u64 = graph.layers.iter().map(|layer| graph.macs(layer)).sum();
        if macs > LARGEST {
            return None;
        }
        let machine = Machine::new(graph, goal).expect(&name);
        let frame = frame(graph, machine.frame_bytes(), seed);
        Some(Subject { name, machine, frame })
    }
}

/// Numbers for a frame: small reals, or whatever the stored ones may be.
fn frame(graph: &Graph, bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    match host::elements(graph).0 {
        Element::F32 => (0..bytes / 4).flat_map(|_| (random.f32() * 4.0 - 2.0).to_le_bytes()).collect(),
        _ => (0..bytes).map(|_| random.u8(..)).collect(),
    }
}

const PRECISIONS: [&str; 4] = ["f32", "int8", "int16x8", "int4"];

/// The random graph in a precision, if it can be had in it.
fn in_precision(graph: &Graph, precision: &str, seed: u64) -> Option<Graph> {
    let input = graph.inputs().first()?.output;
    let bytes = graph.tensor(input).shape.elements() * host::elements(graph).0.bytes();
    let frames = (0..2).map(|number| Ok(frame(graph, bytes, seed + number)));
    let ranges = calibrate(graph, frames, Method::MinMax, |_| ()).expect("ranges");
    let mut graph = match precision {
        "f32" => return Some(graph.clone()),
        "int8" => quantize(graph, &ranges).ok()?,
        "int16x8" => quantize_mixed(graph, &ranges, &Elements::all(Element::I16)).ok()?,
        _ => quantize_with_int4(graph, &ranges, &weighted(graph)).ok()?,
    };
    if let Operator::Input { element: element @ Element::F32, .. } = &mut graph.layers[0].operator {
        *element = if precision == "int16x8" { Element::I16 } else { Element::I8 };
    }
    Some(graph)
}

/// All models that are small enough.
fn subjects() -> Vec<Subject> {
    let on_target = cases::all();
    let mut subjects: Vec<Subject> = on_target
        .iter()
        .zip(0..)
        .filter_map(|(case, seed)| Subject::new(case.name.clone(), &case.graph, case.goal, seed))
        .collect();
    let goals = [
        Goal { strategy: Strategy::Balanced, optimize: Optimize::Speed },
        Goal { strategy: Strategy::Smallest, optimize: Optimize::Size },
    ];
    for seed in 0..GRAPHS {
        let graph = passes::run(random_graph::graph(seed)).expect("a graph");
        for precision in PRECISIONS {
            let goal = goals[seed as usize % goals.len()];
            let name = format!("random {seed} in {precision}");
            if let Some(graph) = in_precision(&graph, precision, seed) {
                subjects.extend(Subject::new(name, &graph, goal, seed));
            }
        }
    }
    subjects
}

/// Bytes before and after an arena, and what they hold.
const GUARD: usize = 64;
const GUARD_BYTE: u8 = 0xA7;

/// Memory with an arena between guards, of words so that it is aligned.
struct Guarded {
    words: Vec<u64>,
    arena_bytes: usize,
}

impl Guarded {
    fn new(arena_bytes: usize) -> Guarded {
        let words = vec![u64::from_ne_bytes([GUARD_BYTE; 8]); (2 * GUARD + arena_bytes).div_ceil(8)];
        let mut memory = Guarded { words, arena_bytes };
        memory.arena().fill(0);
        memory
    }

    fn arena(&mut self) -> &mut [u8] {
        let bytes = self.arena_bytes;
        &mut bytemuck::cast_slice_mut(&mut self.words)[GUARD..GUARD + bytes]
    }

    fn is_whole(&self) -> bool {
        let bytes: &[u8] = bytemuck::cast_slice(&self.words);
        let guards = bytes[..GUARD].iter().chain(&bytes[GUARD + self.arena_bytes..]);
        guards.copied().all(|byte| byte == GUARD_BYTE)
    }
}

/// Runs at most `most` steps over the frame, and `before` ahead of each; how many ran.
fn run<M: Model<Input = u8, Output = u8, Frame = [u8], Row = [u8]>>(
    executor: &mut Executor<'_, M>,
    frame: &[u8],
    inputs: &[usize],
    most: usize,
    mut before: impl FnMut(usize, &mut [u8]),
) -> usize {
    for step in 0..most {
        before(step, executor.arena_mut());
        match executor.step() {
            Progress::Ran { .. } => {}
            Progress::NeedsRow { input, row } => {
                let bytes = executor.row_bytes(input);
                // A damaged plan asks for rows that no frame has.
                let from = inputs[input] + row * bytes;
                let row = frame.get(from..from + bytes).unwrap_or(&frame[..bytes]);
                executor.begin_row_bytes(input, row);
            }
            Progress::Done => return step,
        }
    }
    most
}

/// Where the frame of each input begins among those of all.
fn inputs(machine: &Machine) -> Vec<usize> {
    machine.frames().iter().map(|&(begin, _)| begin).collect()
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

/// What is flipped.
#[derive(Debug, Clone, Copy)]
enum Flip {
    /// A bit of what a layer keeps in flash.
    Weight { layer: usize, bit: usize },
    /// A bit of the arena ahead of a step.
    Arena { step: usize, bit: usize },
    /// A bit of the plan.
    Plan { bit: usize },
}

impl Flip {
    /// Flips what lies in flash; twice it is as it was.
    fn in_flash(self, machine: &mut Machine) {
        match self {
            Flip::Weight { layer, bit } => machine.flip_weight_bit(layer, bit),
            Flip::Plan { bit } => machine.flip_plan_bit(bit),
            Flip::Arena { .. } => {}
        }
    }
}

/// One inference with the flip; whether the output is another, or why it is not as it must be.
fn with_flip(
    subject: &mut Subject,
    memory: &mut Guarded,
    inputs: &[usize],
    flipped: Flip,
    right: &[u8],
) -> Result<bool, String> {
    flipped.in_flash(&mut subject.machine);
    let steps = subject.machine.plan().steps.len();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut executor = subject.machine.executor_in(memory.arena()).expect("an arena");
        let ran = run(&mut executor, &subject.frame, inputs, steps + 1, |step, arena| match flipped {
            Flip::Arena { step: at, bit } if at == step => flip(arena, bit),
            _ => {}
        });
        (ran, outputs(&executor, subject.machine.outputs()) != right)
    }));
    flipped.in_flash(&mut subject.machine);
    let (ran, other) = ran.map_err(|_| "a panic".to_owned())?;
    if ran != steps {
        return Err(format!("{ran} steps of {steps}"));
    }
    if !memory.is_whole() {
        return Err("a byte outside the arena is written".to_owned());
    }
    Ok(other)
}

fn outputs<M: Model<Input = u8, Output = u8, Frame = [u8], Row = [u8]>>(
    executor: &Executor<'_, M>,
    count: usize,
) -> Vec<u8> {
    (0..count).flat_map(|output| executor.output_bytes(output)).copied().collect()
}

/// The output of the model as it is.
fn right(subject: &Subject, memory: &mut Guarded, inputs: &[usize]) -> Vec<u8> {
    let mut executor = subject.machine.executor_in(memory.arena()).expect("an arena");
    let steps = subject.machine.plan().steps.len();
    assert_eq!(run(&mut executor, &subject.frame, inputs, steps + 1, |_, _| ()), steps, "{}", subject.name);
    outputs(&executor, subject.machine.outputs())
}

/// Flips bits of one model, weights, arena and plan in turn: how many outputs were others, and what went wrong.
fn flips(subject: &mut Subject, count: usize, seed: u64) -> (usize, Vec<String>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut memory = Guarded::new(subject.machine.plan().arena_bytes);
    let inputs = inputs(&subject.machine);
    let weights = subject.machine.weight_bits();
    let with_weights: Vec<usize> = (0..weights.len()).filter(|&layer| weights[layer] > 0).collect();
    let (steps, arena_bits) = (subject.machine.plan().steps.len(), 8 * memory.arena_bytes);
    let right = right(subject, &mut memory, &inputs);
    let (mut others, mut wrong) = (0, Vec::new());
    for number in 0..count {
        // Each layer as often as another, however small its weights are.
        let flipped = match random.choice(&with_weights) {
            _ if number % 3 == 2 => Flip::Plan { bit: random.usize(0..subject.machine.plan_bits()) },
            Some(&layer) if number % 3 == 0 => Flip::Weight { layer, bit: random.usize(0..weights[layer]) },
            _ => Flip::Arena { step: random.usize(0..steps), bit: random.usize(0..arena_bits) },
        };
        match with_flip(subject, &mut memory, &inputs, flipped, &right) {
            Ok(other) => others += usize::from(other),
            Err(why) => wrong.push(format!("{}: {flipped:?}: {why}", subject.name)),
        }
    }
    (others, wrong)
}

/// Runs `work` on each subject, on all cores; what it returned, in order.
fn on_each<R: Send>(subjects: &mut [Subject], work: impl Fn(u64, &mut Subject) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part = subjects.len().div_ceil(cores).max(1);
    thread::scope(|scope| {
        let parts = subjects.chunks_mut(part).zip((0..).step_by(part));
        let threads: Vec<_> = parts
            .map(|(subjects, first)| {
                let work = &work;
                scope.spawn(move || (first..).zip(subjects).map(|(seed, subject)| work(seed, subject)).collect())
            })
            .collect();
        threads.into_iter().flat_map(|thread| -> Vec<R> { thread.join().expect("no panic") }).collect()
    })
}

#[test]
fn a_flipped_bit_changes_numbers_and_nothing_else() {
    let mut subjects = subjects();
    let of_each = FLIPS.div_ceil(subjects.len());
    let flipped = AtomicUsize::new(0);
    let came = on_each(&mut subjects, |seed, subject| {
        flipped.fetch_add(of_each, Ordering::Relaxed);
        flips(subject, of_each, seed)
    });
    let others: usize = came.iter().map(|(others, _)| others).sum();
    let wrong: Vec<&String> = came.iter().flat_map(|(_, wrong)| wrong).collect();
    let flipped = flipped.into_inner();
    println!("{flipped} flips in {} models, of which {others} changed the output", subjects.len());
    assert!(wrong.is_empty(), "{} of {flipped} flips: {:#?}", wrong.len(), &wrong[..wrong.len().min(100)]);
    assert!(flipped >= FLIPS);
    // Or nothing was flipped that counts.
    assert!(others > flipped / 10, "{others} of {flipped}");
}
