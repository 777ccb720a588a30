//! Every inner loop that has a form for this core, against its portable twin: the same bits for
//! random and for extreme values, for every length and every lane.

use microception::simd::{LANES, QUAD, TAPS, dot_i8, dot_pixels, dot_tile, portable, widen};
use microception_mps::on_target_tests;

/// Cases per inner loop.
const CASES: u32 = 10_000;

/// The longest column.
const LONGEST: usize = 68;

/// Marsaglia's xorshift with 32 bits.
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
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
        let mut column = [0; LONGEST];
        for case in 0..CASES {
            random.fill(&mut column);
            let column = &column[random.below(4)..4 + random.below(LONGEST - 4)];
            let lane = random.below(LANES);
            // now and then too short for the column
            let length = random.below(LONGEST * LANES + 1);
            let [mut found, mut expected] = [[5; LONGEST * LANES]; 2];
            widen(column, lane, &mut found[..length]);
            portable::widen(column, lane, &mut expected[..length]);
            assert!(found == expected, "case {case}: column of {}, lane {lane}, tile of {length}", column.len());
        }
    }

    fn dot_tile_equals_its_twin() {
        let mut random = Random(3);
        let (mut filter, mut column) = ([0; LONGEST], [0; LONGEST]);
        let mut tile = AlignedTile([0; LONGEST * LANES + 1]);
        for case in 0..CASES {
            random.fill(&mut filter);
            // now and then off the alignment that the fast form needs
            let offset = random.below(2);
            for lane in 0..LANES {
                random.fill(&mut column);
                portable::widen(&column, lane, &mut tile.0[offset..]);
            }
            let (from, quads) = (random.below(4), 1 + random.below(LONGEST / QUAD - 1));
            let filter = &filter[from..from + quads * QUAD];
            let tile = &tile.0[offset..offset + random.below(LONGEST / QUAD + 1) * QUAD * LANES];
            let start = random.next() as i32;
            assert_eq!(dot_tile(filter, tile, start), portable::dot_tile(filter, tile, start), "case {case}");
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
}

/// As the arena aligns a tile.
#[repr(align(4))]
struct AlignedTile([i16; LONGEST * LANES + 1]);
