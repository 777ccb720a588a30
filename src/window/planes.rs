//! Volumes: a row is a plane, and kernels that know lines make it line by line.
//!
//! A window over a volume lies on a few lines of a few planes. Its taps in the order of the weights,
//! `[depth][vertical][horizontal]`, are those of a window over a picture whose lines are these; so a table of lines, one
//! for each line of the output plane and each of its vertical taps, is all that a kernel needs. All pixels of a plane
//! form one run.

use bytemuck::try_cast_slice_mut;

use super::{Call, Lines, Pieces};

/// How the windows of a layer lie on planes. Every pair is `[depth, vertical]`; which planes exist is in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Planes {
    /// Lines of an input plane.
    pub height: u16,
    /// Lines of an output plane.
    pub output_height: u16,
    /// Taps.
    pub kernel: [u8; 2],
    /// Places between two outputs.
    pub stride: [u8; 2],
    /// Places between two taps.
    pub dilation: [u8; 2],
    /// Padded lines above the first.
    pub top: u16,
}

impl Planes {
    /// Lines under the window of an output line, those on padding included: the vertical taps and the vertical stride of
    /// the kernel's [`Geometry`](crate::layers::Geometry), whose vertical dilation is 1.
    pub const fn taps(&self) -> usize {
        self.kernel[0] as usize * self.kernel[1] as usize
    }

    /// Bytes of scratch before the kernel's own: the table of lines.
    pub const fn table_bytes(&self) -> usize {
        (self.output_height as usize * self.taps() * size_of::<u16>()).next_multiple_of(4)
    }

    /// The input line under a vertical tap of an output line, or `None` on padding.
    #[inline]
    fn line(&self, output_line: usize, tap: usize) -> Option<usize> {
        let ([_, stride], [_, dilation]) = (self.stride, self.dilation);
        let place = output_line.wrapping_mul(usize::from(stride)).wrapping_add(tap.wrapping_mul(usize::from(dilation)));
        place.checked_sub(usize::from(self.top)).filter(|&line| line < usize::from(self.height))
    }
}

/// The table's entry for a line on padding: nothing lies there.
const OUTSIDE: u16 = u16::MAX;

/// By how much the addresses in a table of lines are shifted to the right: planes, whose addresses are multiples of `unit`,
/// and their lines of `line_bytes` begin at multiples of two to the power of it. Of no lines, any does.
#[inline]
pub const fn address_shift(unit: usize, line_bytes: usize) -> u32 {
    let (planes, lines) = (unit.trailing_zeros(), line_bytes.trailing_zeros());
    (if planes < lines { planes } else { lines }) & 31
}

/// Makes planes `[line][column][channel]`: calls `kernel` once for each, with all lines of the output plane as its rows.
/// Scratch: [`Planes::table_bytes`], then the kernel's.
///
/// ```
/// use microception::layers::{Geometry, max_pool};
/// use microception::window::{Call, planes::{Planes, by_lines}};
/// // the largest of 2x2x2 places: two planes of two lines of two pixels
/// let planes = Planes { height: 2, output_height: 1, kernel: [2, 2], stride: [2, 2], dilation: [1, 1], top: 0 };
/// let geometry = Geometry { width: 2, channels: 1, output_width: 1, kernel: [4, 2], stride: [4, 2], dilation: [1, 1], left: 0 };
/// let (mut output, mut table) = ([0u8], [0u32; 2]);
/// assert_eq!(size_of_val(&table), planes.table_bytes());
/// let volume: [u8; 8] = [1, 2, 3, 4, 5, 9, 7, 8];
/// let call = Call::on_lines(&volume, 2, 0, &mut output, bytemuck::cast_slice_mut(&mut table), 1);
/// by_lines(&planes, call, |call| max_pool::int8(&max_pool::MaxPool { geometry }, call));
/// assert_eq!(output, [9]);
/// ```
pub fn by_lines(planes: &Planes, call: Call<'_>, kernel: impl Fn(Call<'_>)) {
    let Call { inputs: [input, begun], output, scratch, row, rows, in_place: _ } = call;
    let (table, scratch) = scratch.split_at_mut_checked(planes.table_bytes()).unwrap_or_default();
    let table: &mut [u16] = try_cast_slice_mut(table).unwrap_or(&mut []);
    let output_height = usize::from(planes.output_height);
    let line_bytes = input.line_bytes.checked_div(usize::from(planes.height)).unwrap_or(0);
    let shift = address_shift(input.unit, line_bytes);
    let origin = input.addresses.iter().copied().min().map_or(0, |first| usize::from(first).wrapping_mul(input.unit));
    let pieces = input.pieces.after(origin, usize::from(OUTSIDE) << shift);
    let [plane_stride, _] = planes.stride.map(usize::from);
    let [plane_dilation, _] = planes.dilation.map(usize::from);
    let [plane_taps, line_taps] = planes.kernel.map(usize::from);
    let plane_bytes = output.len().checked_div(rows).unwrap_or(0);
    for (index, output) in (0..rows).zip(output.chunks_exact_mut(plane_bytes.max(1))) {
        let mut entries = table.iter_mut();
        for output_line in 0..output_height {
            for tap in 0..plane_taps {
                let place = index.wrapping_mul(plane_stride).wrapping_add(tap.wrapping_mul(plane_dilation));
                let plane = input.address(input.first.wrapping_add_unsigned(place));
                for (tap, entry) in (0..line_taps).zip(&mut entries) {
                    let line = plane.zip(planes.line(output_line, tap)).map(|(plane, line)| {
                        plane.wrapping_sub(origin).wrapping_add(line.wrapping_mul(line_bytes)) >> shift
                    });
                    *entry = line.and_then(|line| u16::try_from(line).ok()).unwrap_or(OUTSIDE);
                }
            }
        }
        let lines = Lines { pieces, addresses: table, unit: 1 << shift, line_bytes, first: 0 };
        let row = row.wrapping_add(index);
        kernel(Call { inputs: [lines, begun], output, scratch, row, rows: output_height, in_place: false });
    }
}

impl Lines<'_> {
    /// The address of the line of that index, where it exists.
    fn address(&self, index: isize) -> Option<usize> {
        let address = self.addresses.get(usize::try_from(index).ok()?)?;
        Some(usize::from(*address).wrapping_mul(self.unit))
    }
}

impl Pieces<'_> {
    /// The `length` bytes from address `origin` on, with addresses counted from there.
    fn after(mut self, origin: usize, length: usize) -> Self {
        for (bytes, base) in self.bytes.iter_mut().zip(&mut self.base) {
            let rest = bytes.get(origin.saturating_sub(*base)..).unwrap_or(&[]);
            *base = base.saturating_sub(origin);
            *bytes = rest.get(..length.saturating_sub(*base)).unwrap_or(rest);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_planes_and_padding_come_in_the_order_of_the_taps() {
        // three planes of two lines of three bytes; a 2x3 window, one plane in front and one line above on padding
        let planes = Planes { height: 2, output_height: 2, kernel: [2, 3], stride: [2, 1], dilation: [1, 1], top: 1 };
        let volume: [u8; 20] = core::array::from_fn(|index| if index < 18 { index as u8 } else { 99 });
        let lines = Lines {
            pieces: Pieces { bytes: [&volume[..6], &[], &volume[6..]], base: [0, 6, 6] },
            addresses: &[0, 6, 12],
            unit: 1,
            line_bytes: 6,
            first: -1,
        };
        let (mut output, mut scratch) = ([0u8; 2], [0u32; 7]);
        let seen = core::cell::RefCell::new(([[255u8; 12]; 2], 0));
        let scratch: &mut [u8] = bytemuck::cast_slice_mut(&mut scratch);
        let call = Call { inputs: [lines, lines], output: &mut output, scratch, row: 4, rows: 2, in_place: false };
        by_lines(&planes, call, |call| {
            let (row, rows) = (call.row, call.rows);
            let (window, output, scratch) = call.unary::<u8, u8>();
            assert_eq!((rows, output.len(), scratch.len()), (2, 1, 4));
            let mut seen = seen.borrow_mut();
            for tap in 0..12 {
                let Some(line) = window.tap(tap) else { continue };
                assert_eq!(line, &volume[usize::from(line[0])..][..3]);
                seen.0[row - 4][tap] = line[0];
            }
            seen.1 += 1;
        });
        const NO: u8 = 255;
        let first = [NO, NO, NO, NO, 0, 3, NO, NO, NO, 0, 3, NO];
        let second = [NO, 6, 9, NO, 12, 15, 6, 9, NO, 12, 15, NO];
        assert_eq!(seen.into_inner(), ([first, second], 2));
    }

    #[test]
    fn what_is_out_of_the_tables_reach_is_padding() {
        let bytes: [u8; 12] = core::array::from_fn(|index| index as u8);
        let pieces = Pieces { bytes: [&bytes[..4], &bytes[4..8], &bytes[8..]], base: [0, 4, 8] }.after(5, 5);
        assert_eq!([pieces.get(0, 3), pieces.get(3, 2)], [Some(&[5, 6, 7][..]), Some(&[8, 9])]);
        assert_eq!([pieces.get(5, 1), pieces.get(4, 2)], [None, None]);
    }
}
