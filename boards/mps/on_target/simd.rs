//! Every inner loop that has a form for this core, against its portable twin: the same bits for
//! random and for extreme values, for every length and every lane.

use microception::quantized::{Channel, Factor, Range, WideChannel};
use microception::simd::winograd::{self, INPUTS, OUTPUTS, POSITIONS, transform_taps};
use microception::simd::{
    FILTERS, LANES, MULTIPLIES_INT4, PLAIN_WEIGHTS, Pair, QUAD, ROWS, Row, STREAMS, Sum, TAPS, TAPS_3X3, WORD_ELEMENTS,
    add, add_in_place, add_pixels, convolve_3x3, copy, dot_i8, dot_pixels, dot_pixels_i16, fill, int4, int16, maximum,
    multiply_columns_i16, multiply_tile, multiply_tile_int4, multiply_tile_literal, multiply_tile_once,
    multiply_transformed, portable, set, transform_pixels, transform_run, widen,
};
use microception_mps::on_target_tests;

use crate::random::Random;

/// Cases per inner loop.
const CASES: u32 = 10_000;

/// The longest column.
const LONGEST: usize = 68;

/// Lines that begin with a word.
#[repr(align(4))]
struct Words([[i8; LONGEST]; 8]);

/// A column of 16 bits that begins with a word.
#[derive(Clone, Copy)]
#[repr(align(4))]
struct WideLine([i16; LONGEST]);

/// The most rows of a call: more than are made at once.
const MOST_ROWS: usize = ROWS + 2;

const _: () = assert!(LONGEST.is_multiple_of(4));

/// The most channels of a tile.
const MOST_CHANNELS: usize = 11;

impl Random {
    /// Sums of random values end up in all of int8's range, those of extremes beyond it.
    fn channel(&mut self) -> Channel {
        let multiplier = (1 << 30) | (self.next() >> 2) as i32;
        Channel::new((self.next() as i32) >> 14, multiplier, -1 - self.below(23) as i8)
    }

    /// Of a layer in int16x8: as above.
    fn wide_channel(&mut self) -> WideChannel {
        let multiplier = (1 << 30) | (self.next() >> 2) as i32 & !0xFFFF;
        WideChannel::new(((self.next() as i32) >> 8).into(), multiplier, -2 - self.below(30) as i8)
    }

    /// As [`fill`](Random::fill), of 16 bits.
    fn fill_i16(&mut self, values: &mut [i16]) {
        let extreme = self.next().is_multiple_of(4);
        for value in values {
            let bits = self.next();
            *value = match (extreme, bits % 2) {
                (true, 0) => i16::MIN,
                (true, _) => i16::MAX,
                (false, _) => (bits >> 8) as i16,
            };
        }
    }

    /// With and without an activation's cuts.
    fn range(&mut self) -> Range {
        let zero_point = i32::from(self.next() as i8);
        let mut end = |least| if self.below(2) == 0 { least } else { (self.next() as i8) / 2 + least / 2 };
        Range { zero_point, clamp: [end(i8::MIN), end(i8::MAX)] }
    }

    /// Mostly random, now and then only the extremes.
    fn fill(&mut self, values: &mut [i8]) {
        let extreme = self.next().is_multiple_of(4);
        for value in values {
            let byte = self.next();
            *value = match (extreme, byte % 2) {
                (true, 0) => i8::MIN,
                (true, _) => i8::MAX,
                (false, _) => (byte >> 8) as i8,
            };
        }
    }
}

/// Makes two filters' weights, each at least -127, of every two values, as this core has them.
fn interleave(weights: &mut [i8]) {
    for weights in weights.chunks_exact_mut(FILTERS) {
        let [first, second] = [weights[0], weights[1]].map(|weight| weight.max(-i8::MAX));
        weights.copy_from_slice(&[first, second.wrapping_sub(i8::from(first < 0 && !PLAIN_WEIGHTS))]);
    }
}

/// A channel of any factor, now and then one that makes all of a sum's bits count.
fn any_channel(random: &mut Random) -> Channel {
    let mut channel = random.channel();
    channel.factor.shift = match random.below(4) {
        0 => 30 - random.below(62) as i8,
        _ => -(random.below(16) as i8),
    };
    channel
}

type MultiplyTile = fn(&mut [Pair], &[i8], &[Channel], &Range, &mut [i8]);

/// Multiplies random tiles, put together by this core's form for its own multiplication.
fn multiplies_as(seed: u32, is_bounded: bool, twin: MultiplyTile, multiply: MultiplyTile) {
    let mut random = Random(seed);
    let (mut weights, mut column) = ([0; LONGEST * (MOST_CHANNELS + 1)], [0; LONGEST]);
    let [mut tile, mut twin_tile] = [[Pair::default(); LONGEST / 2 * LANES]; 2];
    for case in 0..CASES {
        random.fill(&mut weights);
        if is_bounded {
            interleave(&mut weights);
        }
        let quads = random.below(LONGEST / QUAD + 1);
        // what an earlier call left
        tile.fill(Pair([random.next() as i16; 2]));
        let words = quads * QUAD / WORD_ELEMENTS * LANES;
        for lane in 0..LANES {
            let padded = random.below(8) == 0;
            random.fill(&mut column);
            if padded {
                fill(column[0], lane..lane + 1, &mut tile[..words]);
                portable::fill(column[0], lane..lane + 1, &mut twin_tile);
            } else {
                widen(&column, 0, lane..lane + 1, &mut tile[..words]);
                portable::widen(&column, 0, lane..lane + 1, &mut twin_tile);
            }
        }
        let [tile, twin_tile] = [&mut tile, &mut twin_tile].map(|tile| &mut tile[..quads * 2 * LANES]);
        let mut channels = [Channel::new(0, 0, -1); MOST_CHANNELS];
        for place in &mut channels {
            *place = if is_bounded { random.channel() } else { any_channel(&mut random) };
        }
        // now and then fewer weights than the channels need
        let channels = &channels[..random.below(MOST_CHANNELS + 1)];
        let needed = channels.len().next_multiple_of(FILTERS * STREAMS) * quads * QUAD;
        let weights = &weights[..needed - if random.below(16) == 0 { random.below(needed + 1) } else { 0 }];
        let range = random.range();
        let pixels = random.below(LANES + 1);
        let [mut found, mut expected] = [[5; LANES * MOST_CHANNELS]; 2];
        let length = pixels * channels.len();
        // The tiles may be of no use afterwards.
        multiply(tile, weights, channels, &range, &mut found[..length]);
        twin(twin_tile, weights, channels, &range, &mut expected[..length]);
        assert!(found == expected, "case {case}: {quads} quads, {} channels, {pixels} pixels", channels.len());
    }
}

on_target_tests! {
    fn dot_i8_equals_its_twin() {
        let mut random = Random(1);
        let (mut weights, mut values) = ([0; LONGEST], [0; LONGEST]);
        for case in 0..CASES {
            random.fill(&mut weights);
            random.fill(&mut values);
            // of unequal lengths, from any alignment
            let (from, end) = (random.below(4), 4 + random.below(LONGEST - 4));
            let (weights, values) = (&weights[from..end], &values[..random.below(LONGEST)]);
            let start = random.next() as i32;
            assert_eq!(dot_i8(weights, values, start), portable::dot_i8(weights, values, start), "case {case}");
        }
    }

    fn widen_equals_its_twin() {
        let mut random = Random(2);
        let mut run = [0; 2 * LONGEST];
        for case in 0..CASES {
            random.fill(&mut run);
            // from any alignment; now and then too short for the columns, or lanes that are none
            let step = random.below(LONGEST / 2);
            let run = &run[random.below(4)..4 + random.below(2 * LONGEST - 4)];
            let first = random.below(LANES + 1);
            let lanes = first..first + random.below(LANES + 2 - first);
            let length = random.below(LONGEST / 4 * LANES + 1);
            let [mut found, mut expected] = [[Pair([5; 2]); LONGEST / 4 * LANES]; 2];
            widen(run, step, lanes.clone(), &mut found[..length]);
            let twin = if WORD_ELEMENTS == QUAD { portable::pack } else { portable::widen };
            twin(run, step, lanes.clone(), &mut expected[..length]);
            assert!(found == expected, "case {case}: run of {}, step {step}, lanes {lanes:?}, tile of {length}", run.len());
        }
    }

    fn multiply_tile_equals_its_twin() {
        multiplies_as(3, true, portable::multiply_tile, multiply_tile);
    }

    fn multiply_tile_literal_equals_its_twin() {
        multiplies_as(8, false, portable::multiply_tile_literal, multiply_tile_literal);
    }

    fn multiply_tile_once_equals_its_twin() {
        multiplies_as(9, false, portable::multiply_tile_once, multiply_tile_once);
    }

    fn multiply_tile_int4_equals_its_twin() {
        let mut random = Random(12);
        let (mut packed, mut column) = ([0; LONGEST / 2 * MOST_CHANNELS.div_ceil(4)], [0; LONGEST]);
        // where there is no form of its own, tiles may not be widened
        for case in (0..CASES).filter(|_| MULTIPLIES_INT4) {
            packed.fill_with(|| random.next() << 16 | random.next() & 0xFFFF);
            if random.below(4) == 0 {
                // the ends
                packed.iter_mut().for_each(|word| *word = (*word & 0x1111_1111) * 15);
            }
            let quads = random.below(LONGEST / QUAD + 1);
            let mut tile = [Pair([random.next() as i16; 2]); LONGEST / 2 * LANES];
            let tile = &mut tile[..quads * 2 * LANES];
            for lane in 0..LANES {
                random.fill(&mut column);
                portable::widen(&column, 0, lane..lane + 1, tile);
            }
            let mut channels = [Channel::new(0, 0, -1); MOST_CHANNELS];
            channels.fill_with(|| random.channel());
            // now and then fewer weights than the channels need
            let channels = &channels[..random.below(MOST_CHANNELS + 1)];
            let needed = channels.len().div_ceil(4) * quads * 2;
            let packed = &packed[..needed - if random.below(16) == 0 { random.below(needed + 1) } else { 0 }];
            let range = random.range();
            let [mut found, mut expected] = [[5; LANES * MOST_CHANNELS]; 2];
            let length = random.below(LANES + 1) * channels.len();
            multiply_tile_int4(tile, packed, channels, &range, &mut found[..length]);
            int4::multiply_tile(tile, packed, channels, &range, &mut expected[..length]);
            assert!(found == expected, "case {case}: {quads} quads, {} channels, {length} results", channels.len());
        }
    }

    fn transform_pixels_equals_its_twin() {
        let mut random = Random(8);
        let mut values = [[0; LONGEST]; INPUTS];
        for case in 0..CASES {
            values.iter_mut().for_each(|values| random.fill(values));
            let quads = random.below(LONGEST / QUAD);
            // From any alignment; now and then one that is too short, or a lane that is none.
            let mut pixels: [&[i8]; INPUTS] = [&[]; INPUTS];
            for (pixel, values) in pixels.iter_mut().zip(&values) {
                let from = random.below(4);
                let length = quads * QUAD + random.below(LONGEST - 3 - quads * QUAD);
                *pixel = &values[from..from + if random.below(32) == 0 { random.below(length + 1) } else { length }];
            }
            let lane = if random.below(32) == 0 { LANES } else { random.below(LANES) };
            let [mut found, mut expected] = [[Pair([5; 2]); LONGEST / 2 * LANES * POSITIONS]; 2];
            // behind whole quads nothing is written
            let length = quads * 2 * LANES * POSITIONS + random.below(2 * LANES * POSITIONS);
            transform_pixels(pixels, lane, &mut found[..length]);
            winograd::transform_pixels(pixels, lane, &mut expected[..length]);
            assert!(found == expected, "case {case}: {quads} quads, lane {lane}");
        }
    }

    fn transform_run_equals_its_twin() {
        let mut random = Random(9);
        let mut run = [0; 4 * LONGEST];
        for case in 0..CASES {
            random.fill(&mut run);
            let channels = random.below(26);
            let quads = if random.below(16) == 0 { random.below(9) } else { channels.div_ceil(QUAD) };
            let first = random.below(LANES + 1);
            let lanes = first..first + random.below(LANES + 2 - first);
            // as long as it has to be, or longer, or now and then shorter
            let needed = (OUTPUTS * lanes.len() + 1) * channels + quads * QUAD;
            let from = random.below(4);
            let end = from + (needed + random.below(8)).saturating_sub(if random.below(8) == 0 { 8 } else { 0 });
            let run = &run[from..end.min(4 * LONGEST)];
            let [mut found, mut expected] = [[Pair([5; 2]); 9 * 2 * LANES * POSITIONS]; 2];
            let length = quads * 2 * LANES * POSITIONS;
            transform_run(run, channels, lanes.clone(), &mut found[..length]);
            winograd::transform_run(run, channels, lanes.clone(), &mut expected[..length]);
            assert!(found == expected, "case {case}: {channels} channels, {quads} quads, lanes {lanes:?}, {}", run.len());
        }
    }

    fn multiply_transformed_equals_its_twin() {
        /// Quads of all lines.
        const MOST_QUADS: usize = 15;
        const TILE: usize = MOST_QUADS * 2 * POSITIONS * LANES;
        let mut random = Random(10);
        let mut weights = [Pair::default(); MOST_QUADS * 2 * POSITIONS * (MOST_CHANNELS + 1)];
        let mut tile = [Pair::default(); TILE];
        let mut pixels = [[0; MOST_QUADS * QUAD]; INPUTS];
        for case in 0..CASES {
            let pairs = random.below(2 * MOST_QUADS + 1);
            // The four positions of a weight come from the same taps: only then is the sum twice a number.
            let (filters, mut taps) = (weights.len() / (2 * MOST_QUADS * POSITIONS), [0; 6]);
            for place in 0..pairs * filters {
                random.fill(&mut taps);
                let [low, high] = [[taps[0], taps[1], taps[2]], [taps[3], taps[4], taps[5]]].map(transform_taps);
                let (two, place) = (place / (pairs * FILTERS), place % (pairs * FILTERS));
                for position in 0..POSITIONS {
                    weights[(two * POSITIONS + position) * pairs * FILTERS + place] = Pair([low[position], high[position]]);
                }
            }
            for lane in 0..LANES {
                pixels.iter_mut().for_each(|pixel| random.fill(pixel));
                winograd::transform_pixels(pixels.each_ref().map(|pixel| &pixel[..]), lane, &mut tile);
            }
            let tile = &tile[..pairs * POSITIONS * LANES];
            let mut channels = [Channel::new(0, 0, -1); MOST_CHANNELS];
            for channel in &mut channels {
                *channel = random.channel();
            }
            // now and then fewer weights than the channels need, less output, more pixels than there are
            let channels = &channels[..random.below(MOST_CHANNELS + 1)];
            let needed = channels.len().next_multiple_of(FILTERS) * pairs * POSITIONS;
            let weights = &weights[..needed - if random.below(16) == 0 { random.below(needed + 1) } else { 0 }];
            let range = random.range();
            let pixels: [usize; LANES] = core::array::from_fn(|_| match random.below(8) {
                0 => random.below(4),
                number => 1 + number % 2,
            });
            let [mut found, mut expected] = [[5; LANES * OUTPUTS * MOST_CHANNELS]; 2];
            let made = pixels.iter().take_while(|&&count| count != 0).map(|&count| count.min(OUTPUTS)).sum::<usize>();
            let length = (made * channels.len()).saturating_sub(random.below(16) / 15);
            multiply_transformed(tile, weights, channels, &range, pixels, &mut found[..length]);
            winograd::multiply_transformed(tile, weights, channels, &range, pixels, &mut expected[..length]);
            assert!(found == expected, "case {case}: {pairs} pairs, {} channels, {pixels:?}", channels.len());
        }
    }

    fn convolve_3x3_equals_its_twin() {
        let mut random = Random(5);
        let (mut lines, mut weights) = (Words([[0; LONGEST]; 8]), [0; MOST_CHANNELS * TAPS_3X3.len()]);
        let mut scratch = [0u32; 700];
        for case in 0..CASES {
            lines.0.iter_mut().for_each(|line| random.fill(line));
            random.fill(&mut weights);
            for weights in weights.chunks_exact_mut(TAPS_3X3.len()) {
                // The same tap twice.
                weights[8] = weights[7];
            }
            let mut channels = [Channel::new(0, 0, -1); MOST_CHANNELS];
            for channel in &mut channels {
                *channel = random.channel();
            }
            // now and then a number of channels that the fast form does not take
            let count = if random.below(16) == 0 { random.below(MOST_CHANNELS) + 1 } else { 4 + 4 * random.below(2) };
            let width = 1 + random.below(LONGEST / count.max(4));
            let (stride, left) = (1 + random.below(3), random.below(3));
            let reach = width + left + random.below(3);
            let output_width = if reach < 3 { 1 } else { (reach - 3) / stride + 1 };
            let row = Row {
                width,
                output_width,
                stride,
                left,
                padding: random.next() as i8,
                weights: &weights[..count * TAPS_3X3.len()],
                channels: &channels[..count],
                range: random.range(),
                in_place: false,
            };
            // as often from whole words on as not
            let from = random.below(LONGEST - width * count + 1) & if random.below(2) == 0 { !3 } else { !0 };
            // lines in any order; now and then none, or one that is too short
            let in_place = width <= output_width && random.below(2) == 0;
            let rows = if in_place { 1 } else { 1 + random.below(MOST_ROWS) };
            let seed = random.next() | 1;
            let line = |row: usize, tap: usize| -> Option<&[i8]> {
                let mut choice = Random(seed.wrapping_mul((3 * row + tap + 1) as u32));
                let length = width * count - usize::from(choice.below(32) == 0);
                let line = &lines.0[choice.below(lines.0.len())];
                (choice.below(4) != 0).then(|| &line[from..from + length])
            };
            let length = output_width * count * rows;
            let [mut found, mut expected] = [[5; 2 * LONGEST * MOST_ROWS]; 2];
            // exactly the scratch that some rows ask for, between what must not change
            let words = Row::scratch_bytes(width, output_width, stride, left, 1 + random.below(rows)) / 4;
            scratch.fill(0x5555_5555);
            let (used, rest) = scratch[1..].split_at_mut(words);
            if in_place {
                // the topmost line is where the output goes, and what both forms make of a line apart is expected
                let top = &lines.0[random.below(lines.0.len())][from..from + width * count];
                let apart = |row: usize, tap: usize| if tap == 0 { Some(top) } else { line(row, tap) };
                let mut twin = found;
                for found in [&mut found, &mut twin] {
                    found[..top.len()].copy_from_slice(top);
                }
                let row = Row { in_place: true, ..row };
                convolve_3x3(&row, rows, line, used, &mut found[..length]);
                assert!(rest.iter().all(|&word| word == 0x5555_5555), "case {case}: behind the scratch");
                portable::convolve_3x3(&row, rows, line, used, &mut twin[..length]);
                assert!(found == twin, "case {case}: in place, {count} channels, {width} to {output_width}, left {left}");
                if count % 4 != 0 {
                    // Not the form's channels: nothing is written.
                    expected[..top.len()].copy_from_slice(top);
                }
                portable::convolve_3x3(&Row { in_place: false, ..row }, rows, apart, &mut [], &mut expected[..length]);
            } else {
                convolve_3x3(&row, rows, line, used, &mut found[..length]);
                assert!(rest.iter().all(|&word| word == 0x5555_5555), "case {case}: behind the scratch");
                portable::convolve_3x3(&row, rows, line, &mut [], &mut expected[..length]);
            }
            assert!(found == expected, "case {case}: {rows} rows of {count} channels, {width} to {output_width}, stride {stride}, left {left}");
        }
    }

    fn set_and_copy_equal_their_twins() {
        let mut random = Random(15);
        let mut from = [0; LONGEST];
        for case in 0..CASES {
            random.fill(&mut from);
            let [start, length] = [4, LONGEST - 4].map(|end| random.below(end));
            let from: &[u8] = bytemuck::cast_slice(&from[start..][..random.below(LONGEST - 4)]);
            let [mut found, mut expected] = [[5; LONGEST]; 2];
            copy(from, &mut found[start..][..length]);
            portable::copy(from, &mut expected[start..][..length]);
            assert!(found == expected, "case {case}: {} bytes to {length}", from.len());
            let value = random.next() as i8;
            set(value, bytemuck::cast_slice_mut(&mut found[start..][..length]));
            portable::set(value, bytemuck::cast_slice_mut(&mut expected[start..][..length]));
            assert!(found == expected, "case {case}: {length} times {value}");
        }
    }

    fn maximum_equals_its_twin() {
        let mut random = Random(6);
        let (mut largest, mut pixels) = ([0; LONGEST], [0; 3 * LONGEST]);
        for case in 0..CASES {
            random.fill(&mut largest);
            random.fill(&mut pixels);
            let from = random.below(4);
            // Often few channels, so that there are many pixels.
            let channels = random.below(if case % 2 == 0 { 12 } else { LONGEST - 4 });
            let pixels = &pixels[random.below(4)..][..random.below(3 * LONGEST - 4)];
            let mut expected = largest;
            maximum(pixels, &mut largest[from..from + channels]);
            portable::maximum(pixels, &mut expected[from..from + channels]);
            assert!(largest == expected, "case {case}: {channels} channels, {} values", pixels.len());
        }
    }

    fn add_pixels_equals_its_twin() {
        let mut random = Random(14);
        let mut pixels = [0; 9 * LONGEST];
        for case in 0..CASES {
            random.fill(&mut pixels);
            let channels = random.below(if case % 2 == 0 { 10 } else { LONGEST });
            let pixels = &pixels[random.below(4)..][..random.below(9 * LONGEST - 4)];
            let mut sums: [i32; LONGEST] = core::array::from_fn(|_| random.next() as i32);
            let mut expected = sums;
            add_pixels(pixels, &mut sums[..channels]);
            portable::add_pixels(pixels, &mut expected[..channels]);
            assert!(sums == expected, "case {case}: {channels} channels, {} values", pixels.len());
        }
        // As many of the least and of the greatest as 16 bits hold, and one more.
        for value in [i8::MIN, i8::MAX] {
            for pixels in [255, 256, 257, 513] {
                let (mut sums, values) = ([1; 4], [value; 4 * 513]);
                add_pixels(&values[..4 * pixels], &mut sums);
                assert!(sums == [1 + pixels as i32 * i32::from(value); 4], "{pixels} pixels of {value}");
            }
        }
    }

    fn add_equals_its_twin() {
        let mut random = Random(7);
        let [mut first, mut second] = [[0; LONGEST]; 2];
        for case in 0..CASES {
            random.fill(&mut first);
            random.fill(&mut second);
            let mut factor = |least: i8, shifts| {
                Factor { multiplier: (1 << 30) | (random.next() >> 2) as i32, shift: least + random.below(shifts) as i8 }
            };
            let (mut other, output) = (factor(-29, 29), factor(-23, 8));
            if random.below(4) == 0 {
                other = Factor { multiplier: i32::MAX, shift: -1 };
            }
            let zero_points = [0; 2].map(|_: i32| i32::from(random.next() as i8));
            let sum = Sum { zero_points, factor: other, output, range: random.range() };
            let [mut found, mut expected] = [[5; LONGEST]; 2];
            let length = random.below(LONGEST);
            let first = &first[random.below(4)..];
            add(&sum, first, &second, &mut found[..length]);
            portable::add(&sum, first, &second, &mut expected[..length]);
            assert!(found == expected, "case {case}: {length} of {sum:?}");
            // over either input
            let length = length.min(first.len());
            for (is_first, held, others) in [(true, first, &second[..]), (false, &second[..], first)] {
                found[..length].copy_from_slice(&held[..length]);
                add_in_place(&sum, &others[..length], is_first, &mut found[..length]);
                assert!(found == expected, "case {case}: {length} of {sum:?} in place, first: {is_first}");
            }
        }
    }

    fn dot_pixels_equals_its_twin() {
        let mut random = Random(4);
        let (mut values, mut weights) = ([[0; LONGEST]; TAPS + 1], [0; LONGEST * (TAPS + 1)]);
        for case in 0..CASES {
            values.iter_mut().for_each(|values| random.fill(values));
            random.fill(&mut weights);
            // one more tap than the fast form takes, pixels from any alignment, one of them shorter
            let (taps, channels) = (random.below(TAPS + 2), random.below(LONGEST - 3));
            let mut pixels: [&[i8]; TAPS + 1] = [&[]; TAPS + 1];
            for (pixel, values) in pixels.iter_mut().zip(&values) {
                let from = random.below(4);
                *pixel = &values[from..from + channels];
            }
            pixels[random.below(TAPS + 1)] = &values[0][..random.below(channels + 1)];
            let pixels = &pixels[..taps];
            let weights = &weights[..random.below(weights.len() + 1)];
            let start = random.next() as i32;
            let [mut found, mut expected] = [[start; LONGEST]; 2];
            dot_pixels(pixels, weights, &mut found[..channels]);
            portable::dot_pixels(pixels, weights, &mut expected[..channels]);
            assert!(found == expected, "case {case}: {taps} taps, {channels} channels");
        }
    }

    fn multiply_columns_i16_equals_its_twin() {
        let mut random = Random(10);
        let (mut values, mut weights) = ([WideLine([0; LONGEST]); LANES], Words([[0; LONGEST]; 8]));
        for case in 0..CASES {
            values.iter_mut().for_each(|values| random.fill_i16(&mut values.0));
            weights.0.iter_mut().for_each(|weights| random.fill(weights));
            let count = 1 + random.below(MOST_CHANNELS);
            let mut channels = [WideChannel::new(0, 0, -2); MOST_CHANNELS];
            channels[..count].fill_with(|| random.wide_channel());
            let channels = &channels[..count];
            // As many quads as there are weights for, columns now and then beside words, of one length or not.
            let quads = 1 + random.below(weights.0.as_flattened().len() / (count.div_ceil(FILTERS) * FILTERS * QUAD));
            let elements = (quads * QUAD).min(LONGEST - 2) / QUAD * QUAD;
            let from = if random.below(8) == 0 { 1 } else { 0 };
            let mut columns: [&[i16]; LANES] = [&[]; LANES];
            for (column, values) in columns.iter_mut().zip(&values) {
                *column = &values.0[from..from + elements];
            }
            if random.below(16) == 0 {
                columns[random.below(LANES)] = &values[0].0[..elements.saturating_sub(QUAD)];
            }
            let clamp = match random.below(3) {
                0 => [i16::MIN, i16::MAX],
                1 => [0, i16::MAX],
                _ => [-(random.below(1 << 15) as i16), random.below(1 << 15) as i16],
            };
            let length = count * random.below(LANES + 1);
            let [mut found, mut expected] = [[case as i16; LANES * MOST_CHANNELS]; 2];
            let weights = weights.0.as_flattened();
            multiply_columns_i16(columns, weights, channels, clamp, &mut found[..length]);
            int16::multiply_columns_i16(columns, weights, channels, clamp, &mut expected[..length]);
            assert!(found == expected, "case {case}: {elements} elements, {count} channels, {length} outputs");
        }
    }

    fn dot_pixels_i16_equals_its_twin() {
        let mut random = Random(11);
        let (mut values, mut weights) = ([WideLine([0; LONGEST]); TAPS + 1], [0; LONGEST * (TAPS + 1)]);
        for case in 0..CASES {
            values.iter_mut().for_each(|values| random.fill_i16(&mut values.0));
            random.fill(&mut weights);
            // one more tap than the fast form takes, pixels now and then beside words, one of them shorter
            let (taps, channels) = (random.below(TAPS + 2), random.below(LONGEST - 3));
            let beside = random.below(4) == 0;
            let mut pixels: [&[i16]; TAPS + 1] = [&[]; TAPS + 1];
            for (pixel, values) in pixels.iter_mut().zip(&values) {
                let from = if beside { random.below(4) } else { 2 * random.below(2) };
                *pixel = &values.0[from..from + channels];
            }
            if random.below(4) == 0 {
                pixels[random.below(TAPS + 1)] = &values[0].0[..random.below(channels + 1)];
            }
            let pixels = &pixels[..taps];
            let length = if random.below(4) == 0 { random.below(weights.len() + 1) } else { weights.len() };
            let start = random.next() as i32;
            let [mut found, mut expected] = [[start; LONGEST]; 2];
            dot_pixels_i16(pixels, &weights[..length], &mut found[..channels]);
            int16::dot_pixels_i16(pixels, &weights[..length], &mut expected[..channels]);
            assert!(found == expected, "case {case}: {taps} taps, {channels} channels");
        }
    }
}
