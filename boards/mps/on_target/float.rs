//! Every inner loop of f32 that has a form for this core, against its portable twin: the same bits for random and
//! for extreme values, for every length.

use microception::simd::float::{self, FILTERS};
use microception::simd::{Columns, LANES, TAPS, dot_pixels_f32, dot_tile_f32};
use microception_mps::on_target_tests;

use crate::random::Random;

/// Cases per inner loop.
const CASES: u32 = 10_000;

/// The longest column.
const LONGEST: usize = 40;

impl Random {
    /// Between -2 and 2, or of any magnitude and sign that is a number.
    fn value(&mut self, extreme: bool) -> f32 {
        let bits = self.next();
        let value = f32::from_bits(bits);
        if extreme && value.is_finite() { value } else { (bits as i32) as f32 / (1u32 << 30) as f32 }
    }

    fn fill_f32(&mut self, values: &mut [f32]) {
        let extreme = self.next().is_multiple_of(4);
        for value in values {
            *value = self.value(extreme);
        }
    }
}

/// Infinities come of extreme values, and what is no number of these: it has many forms, and all are one here.
fn bits(value: f32) -> u32 {
    if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() }
}

on_target_tests! {
    fn dot_tile_f32_equals_its_twin() {
        let mut random = Random(1);
        let (mut filters, mut values) = ([0.0; LONGEST * FILTERS], [[0.0; LONGEST]; LANES]);
        for case in 0..CASES {
            random.fill_f32(&mut filters);
            values.iter_mut().for_each(|values| random.fill_f32(values));
            let mut columns: [&[f32]; LANES] = [&[]; LANES];
            let length = random.below(LONGEST + 1);
            for (column, values) in columns.iter_mut().zip(&values) {
                *column = &values[..length];
            }
            // now and then one that is shorter
            columns[random.below(LANES)] = &values[0][..length - random.below(length / 8 + 1)];
            let filters = &filters[..random.below(filters.len() + 1)];
            let start = [(); FILTERS].map(|()| random.value(false));
            let clamp = match random.below(4) {
                0 => [f32::NEG_INFINITY, f32::INFINITY],
                1 => [0.0, f32::INFINITY],
                2 => [0.0, 6.0],
                _ => [f32::NEG_INFINITY, 1.0],
            };
            let found = dot_tile_f32(filters, &Columns::new(columns), start, clamp);
            let expected = float::dot_tile_f32(filters, &float::Columns::new(columns), start, clamp);
            let [found, expected] = [found, expected].map(|sums| sums.map(|sums| sums.map(bits)));
            assert_eq!(found, expected, "case {case}: {length} elements, {clamp:?}");
        }
    }

    fn dot_pixels_f32_equals_its_twin() {
        let mut random = Random(2);
        let (mut values, mut weights) = ([[0.0; LONGEST]; TAPS + 1], [0.0; LONGEST * (TAPS + 1)]);
        for case in 0..CASES {
            values.iter_mut().for_each(|values| random.fill_f32(values));
            random.fill_f32(&mut weights);
            // one more tap than the fast form takes, one pixel shorter
            let (taps, channels) = (random.below(TAPS + 2), random.below(LONGEST + 1));
            let mut pixels: [&[f32]; TAPS + 1] = [&[]; TAPS + 1];
            for (pixel, values) in pixels.iter_mut().zip(&values) {
                *pixel = &values[..channels];
            }
            pixels[random.below(TAPS + 1)] = &values[0][..random.below(channels + 1)];
            let pixels = &pixels[..taps];
            let weights = &weights[..random.below(weights.len() + 1)];
            let start = random.value(false);
            let [mut found, mut expected] = [[start; LONGEST]; 2];
            dot_pixels_f32(pixels, weights, &mut found[..channels]);
            float::dot_pixels_f32(pixels, weights, &mut expected[..channels]);
            assert!(found.map(bits) == expected.map(bits), "case {case}: {taps} taps, {channels} channels");
        }
    }
}
