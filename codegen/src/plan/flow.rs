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
    /// The existing input rows that output row `row` needs, out of `input_rows`; of a running
    /// layer, all. May be empty where the whole window lies on padding.
    pub fn needs(&self, row: usize, input_rows: usize) -> Range<usize> {
        match *self {
            Flow::Input => 0..0,
            Flow::RowByRow => row..row + 1,
            Flow::Running => 0..input_rows,
            Flow::Window { size, stride, dilation, before } => {
                let end = (row * stride + (size - 1) * dilation + 1).saturating_sub(before).min(input_rows);
                let start = (row * stride).saturating_sub(before).min(end);
                start..end
            }
        }
    }

    /// The place of the first tap of output row `row`, relative to the first row that it needs:
    /// negative where it lies on padding.
    pub fn first(&self, row: usize) -> isize {
        match *self {
            Flow::Window { stride, before, .. } => {
                (row * stride).cast_signed()
                    - before.cast_signed()
                    - (row * stride).saturating_sub(before).cast_signed()
            }
            _ => 0,
        }
    }
}
