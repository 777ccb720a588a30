//! What a firmware has: samples go in one by one, and now and then an event comes out.

use microception::executor::Executor;

use crate::model;

/// How many outputs one after the other must agree before it counts: with a stride of 16 samples at 1,000 a second,
/// 64 ms.
const PATIENCE: u32 = 4;

/// From now on the machine is this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Samples that were pushed until then.
    pub samples: usize,
    /// The class, an index of [`model::LABELS`].
    pub class: usize,
}

/// Listens to an accelerometer.
#[derive(Debug)]
pub struct Detector<'a> {
    network: Executor<'a, model::Network>,
    samples: usize,
    /// The class of the last output, and how often it came one after the other.
    last: Option<usize>,
    times: u32,
    current: Option<usize>,
}

impl<'a> Detector<'a> {
    /// In the arena's memory. The first output comes after 136 samples.
    pub fn new(arena: &'a mut model::Arena) -> Detector<'a> {
        Detector { network: Executor::new(model::NETWORK, arena), samples: 0, last: None, times: 0, current: None }
    }

    /// Takes the next acceleration, in g.
    pub fn push(&mut self, acceleration: f32) -> Option<Event> {
        self.samples = self.samples.wrapping_add(1);
        let stored = (acceleration / model::INPUT_SCALE + model::INPUT_ZERO_POINT).round() as i8;
        let scores = self.network.push_row(&[stored])?;
        let (class, _) = scores.iter().enumerate().max_by_key(|&(class, &score)| (score, usize::MAX - class))?;
        self.times = if self.last == Some(class) { self.times.saturating_add(1) } else { 1 };
        self.last = Some(class);
        if self.times < PATIENCE || self.current == Some(class) {
            return None;
        }
        self.current = Some(class);
        Some(Event { samples: self.samples, class })
    }

    /// The scores of the last output, as stored.
    pub fn scores(&self) -> &[i8] {
        self.network.output()
    }
}
