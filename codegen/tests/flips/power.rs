//! Power that is lost in the middle of an inference, with whatever is then in the memory.

use crate::{Guarded, Subject, inputs, on_each, outputs, right, run, subjects};

/// Of a model with more steps, so many are tried, as far apart as they can be.
const STEPS: usize = 64;

/// Abandons an inference after each number of steps, fills the memory with noise, and starts again: by a new executor,
/// and by `reset` of the one there is.
fn restarts(seed: u64, subject: &mut Subject) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut memory = Guarded::new(subject.machine.plan().arena_bytes);
    let inputs = inputs(&subject.machine);
    let steps = subject.machine.plan().steps.len();
    let right = right(subject, &mut memory, &inputs);
    let stride = steps.div_ceil(STEPS).max(1);
    for abandoned in (0..=steps).step_by(stride) {
        let mut executor = subject.machine.executor_in(memory.arena()).expect("an arena");
        run(&mut executor, &subject.frame, &inputs, abandoned, |_, _| ());
        random.fill(executor.arena_mut());
        executor.reset();
        run(&mut executor, &subject.frame, &inputs, steps, |_, _| ());
        let after_reset = outputs(&executor, subject.machine.outputs());
        assert!(after_reset == right, "{}: after {abandoned} of {steps} steps and a reset", subject.name);

        run(&mut executor, &subject.frame, &inputs, abandoned, |_, _| ());
        random.fill(executor.arena_mut());
        drop(executor);
        let mut executor = subject.machine.executor_in(memory.arena()).expect("an arena");
        run(&mut executor, &subject.frame, &inputs, steps, |_, _| ());
        let after_start = outputs(&executor, subject.machine.outputs());
        assert!(after_start == right, "{}: after {abandoned} of {steps} steps and a new start", subject.name);
        drop(executor);
        assert!(memory.is_whole(), "{}: after {abandoned} of {steps} steps", subject.name);
    }
    steps / stride + 1
}

#[test]
fn after_power_was_lost_the_next_start_is_clean() {
    let mut subjects = subjects();
    let places: usize = on_each(&mut subjects, restarts).into_iter().sum();
    println!("{places} places in the inferences of {} models, two starts after each", subjects.len());
}
