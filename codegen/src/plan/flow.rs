//! Which input rows an output row needs. This is all that the planner knows of a layer.

use std::ops::Range;

use crate::graph::{Linear, Nearest};

/// How a layer's rows depend on its inputs' rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Each row comes from the caller.
    Input,
    /// Row r reads row r of every input, or row 0 of an input that has one row.
    RowByRow,
    /// Row r reads `size` rows, `dilation` apart, from row `r * stride - before` on; those that
    /// do not exist are padding. A row whose taps all are reads none.
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
    /// Row r reads row `r + before`.
    Cropped {
        /// Rows above the first that is read.
        before: usize,
    },
    /// Each row reads all rows.
    Every,
    /// Every input row is consumed by itself, in order; the only output row is there with the
    /// last of them. Sums are kept in the scratch from step to step.
    Running,
    /// The rows of the first input, then those of the second: row r reads row r of the first, or row
    /// `r - first_rows` of the second.
    Joined {
        /// Rows of the first input.
        first_rows: usize,
    },
    /// The same elements in rows of another length: row r reads the rows that hold them.
    Reshaped {
        /// Elements of an output row.
        elements: usize,
        /// Elements of an input row.
        input_elements: usize,
    },
    /// Row r reads one row, the nearest.
    Nearest {
        /// What is near.
        nearest: Nearest,
        /// Output rows.
        rows: usize,
    },
    /// Row r reads the two rows that it lies between, or one.
    Linear {
        /// Where they lie.
        linear: Linear,
        /// Output rows.
        rows: usize,
        /// Whether places are those of int8.
        int8: bool,
    },
}

impl Flow {
    /// The rows of input `input` that output row `row` needs, out of `input_rows`: from the first tap
    /// that falls on one to the last; of a running layer, all.
    pub fn needs(&self, row: usize, input: usize, input_rows: usize) -> Range<usize> {
        match *self {
            Flow::Input => 0..0,
            Flow::RowByRow => {
                let row = row.min(input_rows.max(1) - 1);
                row..row + 1
            }
            Flow::Cropped { before } => row + before..row + before + 1,
            Flow::Running | Flow::Every => 0..input_rows,
            Flow::Window { size, stride, dilation, before } => {
                // Taps are counted from the padded top.
                let top = row * stride;
                let first = before.saturating_sub(top).div_ceil(dilation);
                let end = (input_rows + before).saturating_sub(top).div_ceil(dilation).min(size);
                if first >= end {
                    return 0..0;
                }
                top + first * dilation - before..top + (end - 1) * dilation + 1 - before
            }
            Flow::Joined { first_rows } => match (input, row.checked_sub(first_rows)) {
                (0, None) => row..row + 1,
                (1, Some(row)) => row..row + 1,
                _ => 0..0,
            },
            Flow::Reshaped { elements, input_elements } => {
                row * elements / input_elements..((row + 1) * elements).div_ceil(input_elements)
            }
            Flow::Nearest { nearest, rows } => {
                let source = nearest.source(row, rows, input_rows);
                source..source + 1
            }
            Flow::Linear { linear, rows, int8 } => {
                let [first, last] = match int8 {
                    true => linear.between_int8(row, rows, input_rows).places,
                    false => linear.between(row, rows, input_rows).places,
                };
                first..last + 1
            }
        }
    }

    /// The place of the first tap of output row `row` among the rows that are read: negative where it
    /// lies on padding.
    pub fn first(&self, row: usize, reads: &Range<usize>) -> isize {
        match *self {
            Flow::Window { stride, before, .. } if !reads.is_empty() => {
                (row * stride).cast_signed() - (before + reads.start).cast_signed()
            }
            _ => 0,
        }
    }

    /// Whether one call can make several rows.
    pub fn makes_several(&self) -> bool {
        // The kernel can't tell which line is whose, where rows are repeated or left out.
        !matches!(self, Flow::Nearest { .. } | Flow::Linear { .. })
    }
}
