//! Which input rows an output row needs. This is all that the planner knows of a layer.

use std::ops::Range;

/// How a layer's rows depend on its inputs' rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Each row comes from the caller.
    Input,
    /// Row r reads row r of every input.
    RowByRow,
    /// Row r reads `size` rows, `dilation` apart, from row `r * stride - before` on; those that
    /// do not exist are padding.
    Window {
        /// Vertical taps.
        size: usize,
        /// Rows between two outputs.
        stride: usize,
        /// Rows between two taps.
        dilation: usize,
        /// Padded rows above the first.
        before: usize,
    },
    /// Every input row is consumed by itself, in order; the only output row is there with the
    /// last of them. Sums are kept in the scratch from step to step.
    Running,
}

impl Flow {
    /// The input rows that output row `row` needs, out of `input_rows`: from the first tap that
    /// falls on one to the last (some row where all taps fall on padding); of a running layer,
    /// all.
    pub fn needs(&self, row: usize, input_rows: usize) -> Range<usize> {
        match *self {
            Flow::Input => 0..0,
            Flow::RowByRow => row..row + 1,
            Flow::Running => 0..input_rows,
            Flow::Window { size, stride, dilation, before } => {
                // Taps are counted from the padded top.
                let top = row * stride;
                let first = before.saturating_sub(top).div_ceil(dilation);
                let last = ((input_rows - 1 + before).saturating_sub(top) / dilation).min(size - 1);
                let start = (top + first * dilation - before).min(input_rows - 1);
                let end = (top + last * dilation + 1).saturating_sub(before).max(start + 1);
                start..end
            }
        }
    }

    /// The place of the first tap of output row `row` among the rows from `start` on: negative
    /// where it lies on padding.
    pub fn first(&self, row: usize, start: usize) -> isize {
        match *self {
            Flow::Window { stride, before, .. } => (row * stride).cast_signed() - (before + start).cast_signed(),
            _ => 0,
        }
    }
}
