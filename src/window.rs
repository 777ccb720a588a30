//! What a kernel sees of the arena.
//!
//! A [`Call`] is one step: the lines it reads, the rows it writes, its scratch. A kernel turns its
//! inputs into [`Window`]s and never learns where in the arena they lie.
//!
//! Nothing here panics: an address outside the arena, as the [lines of planes](planes) have it for padding, shows as a
//! line that does not exist.

pub mod planes;

use bytemuck::Pod;

/// The arena around the two slices that a step may write: three pieces that it may read.
#[derive(Debug, Clone, Copy, Default)]
struct Pieces<'a> {
    /// In the order of their addresses.
    bytes: [&'a [u8]; 3],
    /// The address of each piece's first byte.
    base: [usize; 3],
}

impl<'a> Pieces<'a> {
    fn get(&self, address: usize, length: usize) -> Option<&'a [u8]> {
        let piece = usize::from(address >= self.base[1]) + usize::from(address >= self.base[2]);
        let (bytes, base) = (self.bytes.get(piece)?, self.base.get(piece)?);
        let from = address.wrapping_sub(*base);
        bytes.get(from..from.wrapping_add(length))
    }
}

/// The input lines of one step, and where the kernel's taps fall among them.
#[derive(Debug, Clone, Copy)]
pub struct Lines<'a> {
    pieces: Pieces<'a>,
    addresses: &'a [u16],
    unit: usize,
    line_bytes: usize,
    first: isize,
}

/// The lines of one input, as elements of one type.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a, T> {
    lines: Lines<'a>,
    element: core::marker::PhantomData<T>,
}

impl<'a, T: Pod> Window<'a, T> {
    /// The line under vertical tap `tap` of the first output row (tap `i * stride` for the row
    /// `i` places further down), or `None` where the tap falls on padding.
    #[inline]
    pub fn tap(&self, tap: usize) -> Option<&'a [T]> {
        self.line(usize::try_from(self.lines.first.wrapping_add_unsigned(tap)).ok()?)
    }

    /// The line of that index among those that exist, from the top.
    #[inline(never)]
    pub fn line(&self, index: usize) -> Option<&'a [T]> {
        let address = usize::from(*self.lines.addresses.get(index)?).wrapping_mul(self.lines.unit);
        bytemuck::try_cast_slice(self.lines.pieces.get(address, self.lines.line_bytes)?).ok()
    }

    /// How many lines exist.
    #[inline]
    pub fn lines(&self) -> usize {
        self.lines.addresses.len()
    }

    /// The lines that exist, from the top.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let window = *self;
        (0..self.lines()).map_while(move |index| window.line(index))
    }
}

/// One call of one layer: what it reads and what it may write.
#[derive(Debug)]
pub struct Call<'a> {
    inputs: [Lines<'a>; 2],
    output: &'a mut [u8],
    scratch: &'a mut [u8],
    /// The first output row that the call makes; of a layer that consumes its input row by row,
    /// the first input row that it consumes.
    pub row: usize,
    /// How many output rows it makes.
    pub rows: usize,
    /// Whether the output is written over the first line of the first input: then that line shows as one that does not
    /// exist, and the output holds its values.
    pub in_place: bool,
}

/// A stretch of the arena.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Address of the first byte.
    pub address: usize,
    /// Bytes.
    pub length: usize,
}

impl<'a> Call<'a> {
    /// A call over an arena: the output and the scratch become the only parts that can be
    /// written, the rest can be read.
    ///
    /// `addresses` and `lines` are as in [`Step`](crate::model::Step), `line_bytes` as in
    /// [`RowBytes`](crate::model::RowBytes). An output or scratch outside the arena, or one that
    /// overlaps the other, shows as empty; a line in the output or the scratch does not exist.
    pub(crate) fn over(
        arena: &'a mut [u8],
        addresses: [&'a [u16]; 2],
        unit: usize,
        line_bytes: [usize; 2],
        first: isize,
        output: Span,
        scratch: Span,
    ) -> Call<'a> {
        // An empty span lies at the end of the other, so that it cuts nothing in two.
        let (mut output, mut scratch) = (output, scratch);
        if scratch.length == 0 {
            scratch.address = output.address.wrapping_add(output.length);
        } else if output.length == 0 {
            output.address = scratch.address.wrapping_add(scratch.length);
        }
        let output_first = output.address <= scratch.address && output.length != 0;
        let [low, high] = if output_first { [output, scratch] } else { [scratch, output] };
        let (before, rest) = arena.split_at_mut_checked(low.address).unwrap_or_default();
        let (low_bytes, rest) = rest.split_at_mut_checked(low.length).unwrap_or_default();
        let low_end = low.address.wrapping_add(low.length);
        let (between, rest) = rest.split_at_mut_checked(high.address.wrapping_sub(low_end)).unwrap_or_default();
        let (high_bytes, after) = rest.split_at_mut_checked(high.length).unwrap_or_default();
        let (output_bytes, scratch_bytes) =
            if output_first { (low_bytes, high_bytes) } else { (high_bytes, low_bytes) };
        let pieces =
            Pieces { bytes: [before, between, after], base: [0, low_end, high.address.wrapping_add(high.length)] };
        let [first_addresses, second_addresses] = addresses;
        let [first_bytes, second_bytes] = line_bytes;
        let in_place =
            first_addresses.first().is_some_and(|&line| usize::from(line).wrapping_mul(unit) == output.address);
        Call {
            inputs: [
                Lines { pieces, addresses: first_addresses, unit, line_bytes: first_bytes, first },
                Lines { pieces, addresses: second_addresses, unit, line_bytes: second_bytes, first },
            ],
            output: output_bytes,
            scratch: scratch_bytes,
            row: 0,
            rows: 0,
            in_place,
        }
    }

    /// The same call with `row`, which lies outside the arena, as the first input's only line.
    #[must_use]
    pub(crate) fn reading(mut self, row: &'a [u8]) -> Call<'a> {
        let pieces = Pieces { bytes: [row, &[], &[]], base: [0, usize::MAX, usize::MAX] };
        self.inputs[0] = Lines { pieces, addresses: &[0], unit: row.len(), line_bytes: row.len(), first: 0 };
        self
    }

    /// A call whose first input is lines of equal length that lie outside the arena: the
    /// caller's own row, or a kernel's test.
    ///
    /// `lines` holds `count` lines of equal length one after the other, whose byte length must be a
    /// multiple of 4 unless `count` is 1; `first` is the first tap's place among them.
    pub fn on_lines(
        lines: &'a [u8],
        count: usize,
        first: isize,
        output: &'a mut [u8],
        scratch: &'a mut [u8],
        rows: usize,
    ) -> Call<'a> {
        let line_bytes = lines.len().checked_div(count).unwrap_or(0);
        let pieces = Pieces { bytes: [lines, &[], &[]], base: [0, usize::MAX, usize::MAX] };
        let none = Lines { pieces: Pieces::default(), addresses: &[], unit: 4, line_bytes: 0, first: 0 };
        let lines =
            Lines { pieces, addresses: CONSECUTIVE.get(..count).unwrap_or(&[]), unit: line_bytes, line_bytes, first };
        Call { inputs: [lines, none], output, scratch, row: 0, rows, in_place: false }
    }

    /// The same call with a second input, laid out as the first of [`on_lines`](Call::on_lines).
    #[must_use]
    pub fn and_lines(mut self, lines: &'a [u8], count: usize) -> Call<'a> {
        let line_bytes = lines.len().checked_div(count).unwrap_or(0);
        let pieces = Pieces { bytes: [lines, &[], &[]], base: [0, usize::MAX, usize::MAX] };
        let addresses = CONSECUTIVE.get(..count).unwrap_or(&[]);
        self.inputs[1] = Lines { pieces, addresses, unit: line_bytes, line_bytes, first: 0 };
        self
    }

    /// The lines of the first input, the output rows `[row][column][channel]` as one run, and
    /// the scratch.
    #[inline]
    pub fn unary<I: Pod, O: Pod>(self) -> (Window<'a, I>, &'a mut [O], &'a mut [u8]) {
        let [input, _] = self.inputs;
        let window = Window { lines: input, element: core::marker::PhantomData };
        (window, bytemuck::try_cast_slice_mut(self.output).unwrap_or(&mut []), self.scratch)
    }

    /// The first bytes of the scratch, which are no longer the call's; none where it has fewer.
    #[inline]
    pub(crate) fn take_scratch(&mut self, bytes: usize) -> &'a mut [u8] {
        let scratch = core::mem::take(&mut self.scratch);
        if bytes > scratch.len() {
            self.scratch = scratch;
            return &mut [];
        }
        let (taken, rest) = scratch.split_at_mut_checked(bytes).unwrap_or_default();
        self.scratch = rest;
        taken
    }

    /// Bytes of scratch.
    #[inline]
    pub(crate) fn scratch_bytes(&self) -> usize {
        self.scratch.len()
    }

    /// The lines of both inputs, and the output rows as one run.
    #[inline]
    pub fn binary<I: Pod, O: Pod>(self) -> (Window<'a, I>, Window<'a, I>, &'a mut [O]) {
        let [first, second] = self.inputs.map(|lines| Window { lines, element: core::marker::PhantomData });
        (first, second, bytemuck::try_cast_slice_mut(self.output).unwrap_or(&mut []))
    }
}

/// Line numbers: the addresses of lines that lie one after the other, in units of a line.
static CONSECUTIVE: [u16; 256] = {
    let mut numbers = [0; 256];
    let mut index = 0;
    while index < numbers.len() {
        numbers[index] = index as u16;
        index += 1;
    }
    numbers
};
