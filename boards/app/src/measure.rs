//! Ticks and stack of an inference.

use microception::executor::{Executor, Progress};
use microception::model::Model;
use microception_protocol::Reply;

use crate::Board;

/// A stopwatch that leaves out the ticks it takes itself.
struct Stopwatch<'a, B> {
    board: &'a mut B,
    /// Ticks between two readings with nothing in between.
    overhead: u32,
}

impl<'a, B: Board> Stopwatch<'a, B> {
    fn new(board: &'a mut B) -> Self {
        let mut stopwatch = Stopwatch { board, overhead: 0 };
        // The first goes over cold flash and caches.
        stopwatch.time(|| ());
        stopwatch.overhead = stopwatch.time(|| ()).1;
        stopwatch
    }

    /// What `work` returns, and the ticks it took.
    #[inline(always)]
    fn time<R>(&mut self, work: impl FnOnce() -> R) -> (R, u32) {
        let start = self.board.ticks();
        let result = work();
        let ticks = self.board.ticks().wrapping_sub(start);
        (result, ticks.saturating_sub(self.overhead))
    }
}

/// Runs inferences in which every row is `row`, and hands what it measures to `report`: each step,
/// then the sum of all.
///
/// # Errors
/// The first that `report` returns.
pub(crate) fn bench<M: Model, E>(
    executor: &mut Executor<'_, M>,
    row: &M::Row,
    board: &mut impl Board,
    mut report: impl FnMut(Reply<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let stack_bytes = board.stack_bytes(&mut || infer(executor, row));
    let mut stopwatch = Stopwatch::new(board);
    let ((), ticks) = stopwatch.time(|| infer(executor, row));
    executor.reset();
    let mut steps = 0_u32;
    loop {
        let (progress, ticks) = stopwatch.time(|| executor.step());
        let (layer, ticks) = match (progress, executor.upcoming()) {
            (Progress::Done, _) | (Progress::NeedsRow { .. }, None) => break,
            (Progress::Ran { layer }, _) => (layer as u16, ticks),
            (Progress::NeedsRow { .. }, Some(step)) => (step.layer, stopwatch.time(|| executor.begin_row(row)).1),
        };
        report(Reply::Step { index: steps, layer, ticks })?;
        steps = steps.wrapping_add(1);
    }
    executor.reset();
    report(Reply::Bench { steps, ticks, overhead: stopwatch.overhead, stack_bytes })
}

/// One inference, row by row.
#[inline(never)]
fn infer<M: Model>(executor: &mut Executor<'_, M>, row: &M::Row) {
    executor.reset();
    while executor.push_row(row).is_none() {}
}
