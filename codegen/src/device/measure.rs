//! What one inference takes on a board, measured over the serial line.

use std::time::Duration;

use microception_protocol::Tick;

use super::link::{Link, Port, by_layer};
use super::qemu::instructions;
use crate::error::Error;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Cycles of the core.
    Cycles {
        /// So many of them are a second.
        hz: u32,
    },
    /// Instructions, of an emulator whose clock follows them.
    Instructions,
    /// Microseconds, of a board with a timer.
    Microseconds,
}

impl Unit {
    /// Its name, in the plural.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Cycles { .. } => "cycles",
            Unit::Instructions => "instructions",
            Unit::Microseconds => "microseconds",
        }
    }

    /// How long so many of them take; `None` of instructions, which say nothing about time.
    pub fn time(self, count: u64) -> Option<Duration> {
        match self {
            Unit::Cycles { hz } => Some(Duration::from_secs_f64(count as f64 / f64::from(hz.max(1)))),
            Unit::Instructions => None,
            Unit::Microseconds => Some(Duration::from_micros(count)),
        }
    }
}

/// What one inference takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// What is counted.
    pub unit: Unit,
    /// One inference in one go, rows pushed one by one.
    pub inference: u64,
    /// Each layer of the plan: the sum over its steps, each with its part of the executor.
    pub layers: Vec<u64>,
    /// Bytes of stack that an inference needs; `None` where the board can't tell.
    pub stack_bytes: Option<usize>,
}

impl Measured {
    /// The mean of several measurements on one board; `None` of none.
    pub fn mean(all: &[Measured]) -> Option<Measured> {
        let first = all.first()?;
        let mean = |count: &dyn Fn(&Measured) -> u64| {
            let (sum, number) = (all.iter().map(count).sum::<u64>(), all.len() as u64);
            (sum + number / 2) / number
        };
        let layer = |index: usize| mean(&|one| one.layers.get(index).copied().unwrap_or(0));
        Some(Measured {
            unit: first.unit,
            inference: mean(&|one| one.inference),
            layers: (0..first.layers.len()).map(layer).collect(),
            stack_bytes: all.iter().filter_map(|one| one.stack_bytes).max(),
        })
    }
}

/// Measures an inference whose rows are all the one that was sent last. `counts_instructions` says that the board is an
/// emulated one whose clock follows the [instructions](super::qemu::Clock::Instructions).
///
/// # Errors
/// When the line fails.
pub fn measure<P: Port>(link: &mut Link<P>, counts_instructions: bool) -> Result<Measured, Error> {
    let bench = link.bench()?;
    let tick = link.info().tick;
    let (unit, hz) = match tick {
        Tick::Cycle { hz } => (Unit::Cycles { hz }, hz),
        Tick::Time { hz } if counts_instructions => (Unit::Instructions, hz),
        Tick::Time { hz } => (Unit::Microseconds, hz),
    };
    let count = |ticks: u64| match unit {
        Unit::Cycles { .. } => ticks,
        Unit::Instructions => instructions(ticks, tick).unwrap_or(0),
        Unit::Microseconds => ticks.saturating_mul(1_000_000) / u64::from(hz.max(1)),
    };
    let steps = bench.steps.iter().map(|&(layer, ticks)| (layer, count(ticks)));
    Ok(Measured {
        unit,
        inference: count(bench.ticks),
        layers: by_layer(link.info().layers, steps),
        stack_bytes: bench.stack_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::{Measured, Unit};

    #[test]
    fn a_mean_is_rounded_to_the_nearest() {
        let one = |inference, layers: [u64; 2], stack_bytes| Measured {
            unit: Unit::Cycles { hz: 1000 },
            inference,
            layers: layers.to_vec(),
            stack_bytes,
        };
        let all = [one(10, [1, 5], Some(64)), one(11, [1, 6], None), one(12, [0, 9], Some(80))];
        assert_eq!(Measured::mean(&all), Some(one(11, [1, 7], Some(80))));
        assert_eq!(Measured::mean(&[]), None);
        assert_eq!(Unit::Cycles { hz: 1000 }.time(1500).unwrap().as_millis(), 1500);
    }
}
