//! Ticks and stack of an inference.

use core::iter;

use microception::executor::{Executor, Progress};
use microception::model::Model;
use microception_protocol::Reply;

use crate::Board;

/// A stopwatch that leaves out the ticks it takes itself.
///
/// A reading is cut to a whole tick, and a time is the difference of two readings less the
/// [`overhead`](Stopwatch::overhead), which is another such difference: it is less than two ticks off.
#[derive(Debug)]
pub struct Stopwatch<'a, B> {
    board: &'a mut B,
    overhead: u32,
}

impl<'a, B: Board> Stopwatch<'a, B> {
    /// A stopwatch that reads the clock of `board`.
    pub fn new(board: &'a mut B) -> Self {
        let mut stopwatch = Stopwatch { board, overhead: 0 };
        // The first goes over cold flash and caches.
        stopwatch.time(|| ());
        stopwatch.overhead = stopwatch.time(|| ()).1;
        stopwatch
    }

    /// Ticks between two readings with nothing in between.
    pub fn overhead(&self) -> u32 {
        self.overhead
    }

    /// What `work` returns, and the ticks it took.
    #[inline(always)]
    pub fn time<R>(&mut self, work: impl FnOnce() -> R) -> (R, u32) {
        let start = self.board.ticks();
        let result = work();
        let ticks = self.board.ticks().wrapping_sub(start);
        (result, ticks.saturating_sub(self.overhead))
    }
}

/// Runs one inference over `rows`, and hands the layer and the ticks of each step to `report`. It ends
/// where the rows or the steps do.
///
/// # Errors
/// The first that `report` returns.
pub fn steps<'r, M: Model<Row: 'r>, E>(
    executor: &mut Executor<'_, M>,
    rows: impl IntoIterator<Item = &'r M::Row>,
    stopwatch: &mut Stopwatch<'_, impl Board>,
    mut report: impl FnMut(u16, u32) -> Result<(), E>,
) -> Result<(), E> {
    let mut rows = rows.into_iter();
    executor.reset();
    loop {
        let (progress, ticks) = stopwatch.time(|| executor.step());
        let (layer, ticks) = match progress {
            Progress::Ran { layer } => (layer as u16, ticks),
            Progress::NeedsRow { .. } => match (executor.upcoming(), rows.next()) {
                (Some(step), Some(row)) => (step.layer, stopwatch.time(|| executor.begin_row(row)).1),
                _ => break,
            },
            Progress::Done => break,
        };
        report(layer, ticks)?;
    }
    executor.reset();
    Ok(())
}

/// Runs inferences in which every row is `row`, and hands what it measures to `report`: each step,
/// then one inference in one go.
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
    let mut count = 0_u32;
    steps(executor, iter::repeat(row), &mut stopwatch, |layer, ticks| {
        let index = count;
        count = count.wrapping_add(1);
        report(Reply::Step { index, layer, ticks })
    })?;
    report(Reply::Bench { steps: count, ticks, overhead: stopwatch.overhead(), stack_bytes })
}

/// One inference, row by row.
#[inline(never)]
fn infer<M: Model>(executor: &mut Executor<'_, M>, row: &M::Row) {
    executor.reset();
    while executor.push_row(row).is_none() {}
}
