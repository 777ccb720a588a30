//! Weights in the order in which the runtime's kernels read them.

use microception::simd::{self, float::FILTERS, int4};

/// Filters that a core multiplies at once, at most.
const GROUP: usize = simd::FILTERS * simd::MOST_STREAMS;

/// Filters of `length` elements each, a line of the window having `run` of them, as [`simd::multiply_tile`] reads
/// them: two by two in one 16-bit number, filled up with zeros to whole quads of each line and whole groups of filters.
pub(super) fn interleaved(weights: &[i8], length: usize, run: usize) -> Vec<i8> {
    let pairs = pairs(weights, length, run);
    pairs.into_iter().flat_map(|[first, second]| [first, second.wrapping_sub(i8::from(first < 0))]).collect()
}

/// As [`interleaved`], of weights of four bits, two pairs of filters in one, as [`simd::int4`] packs them.
pub(super) fn interleaved_int4(weights: &[i8], length: usize, run: usize) -> Vec<u32> {
    let pairs = pairs(weights, length, run);
    let groups = weights.chunks(length.max(1)).len().div_ceil(GROUP);
    let mut packed = Vec::with_capacity(pairs.len() / 4);
    for group in pairs.chunks(pairs.len().checked_div(groups).unwrap_or(0).max(1)) {
        let (first, second) = group.split_at(group.len() / 2);
        for (first, second) in first.chunks(2).zip(second.chunks(2)) {
            packed.extend(self::packed([first, second].concat().as_flattened()));
        }
    }
    packed
}

/// Eight numbers of four bits a word, filled up with zeros.
pub(super) fn packed(numbers: &[i8]) -> Vec<u32> {
    let word = |numbers: &[i8]| int4::pack(std::array::from_fn(|index| numbers.get(index).copied().unwrap_or(0)));
    numbers.chunks(int4::NUMBERS).map(word).collect()
}

/// The weights of two filters each, in the order of [`interleaved`].
fn pairs(weights: &[i8], length: usize, run: usize) -> Vec<[i8; simd::FILTERS]> {
    let mut filters: Vec<&[i8]> = weights.chunks(length.max(1)).collect();
    filters.resize(filters.len().next_multiple_of(GROUP), &[]);
    let mut pairs = Vec::with_capacity(weights.len() / simd::FILTERS);
    for pair in filters.chunks(simd::FILTERS) {
        for line in (0..length).step_by(run.max(1)) {
            for quad in (0..run).step_by(simd::QUAD) {
                for &element in simd::PAIRS.as_flattened() {
                    let place = quad + element;
                    let of = |filter: usize| pair.get(filter)?.get(line + place).copied().filter(|_| place < run);
                    pairs.push([0, 1].map(|filter| of(filter).unwrap_or(0)));
                }
            }
        }
    }
    pairs
}

/// Filters of `length` elements each, as [`simd::dot_columns_i16`] reads them: two by two, quads of both in turn, filled up with
/// zeros.
pub(super) fn paired(weights: &[i8], length: usize) -> Vec<i8> {
    let filters: Vec<&[i8]> = weights.chunks(length.max(1)).collect();
    let mut paired = Vec::with_capacity(weights.len());
    for pair in filters.chunks(simd::FILTERS) {
        for quad in (0..length).step_by(simd::QUAD) {
            for filter in 0..simd::FILTERS {
                let of = |element: usize| pair.get(filter)?.get(quad + element).copied();
                paired.extend(simd::int16::WEIGHT_ORDER.map(|element| of(element).unwrap_or(0)));
            }
        }
    }
    paired
}

/// Filters of `length` elements each, as the kernel in f32 reads them: four side by side, filled up with zeros.
pub(super) fn side_by_side(weights: &[f32], length: usize) -> Vec<f32> {
    let mut together = Vec::with_capacity(weights.len());
    let filters: Vec<&[f32]> = weights.chunks(length.max(1)).collect();
    for filters in filters.chunks(FILTERS) {
        for element in 0..length {
            together.extend((0..FILTERS).map(|filter| filters.get(filter).map_or(0.0, |filter| filter[element])));
        }
    }
    together
}

/// Weights `[tap][channel]` as the depthwise kernel reads them: by passes of taps, in each by groups
/// of four channels, filled up with zeros.
pub(super) fn grouped<T: Copy + Default>(weights: &[T], channels: usize) -> Vec<T> {
    let mut grouped = Vec::with_capacity(weights.len().next_multiple_of(4));
    for pass in weights.chunks(channels.max(1) * simd::TAPS) {
        for group in (0..channels).step_by(4) {
            for tap in pass.chunks(channels) {
                grouped.extend((group..group + 4).map(|channel| tap.get(channel).copied().unwrap_or_default()));
            }
        }
    }
    grouped
}

/// Weights `[tap][channel]` of a 3x3 window in the order of [`simd::TAPS_3X3`], channel by channel.
pub(super) fn channel_by_channel(weights: &[i8], channels: usize) -> Vec<i8> {
    let of = |channel: usize, [vertical, horizontal]: [usize; 2]| {
        weights.get((vertical * 3 + horizontal) * channels + channel).copied().unwrap_or(0)
    };
    let taps = |channel: usize| simd::TAPS_3X3.map(|tap| tap.map_or(0, |tap| of(channel, tap)));
    (0..channels).flat_map(taps).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_filters_have_whole_quads_in_every_line() {
        // three filters of two lines of three weights
        let mut weights: Vec<i8> = (1..=18).collect();
        weights[1] = -2;
        let first = [1, 7, 3, 9, -2, 7, 0, 0, 4, 10, 6, 12, 5, 11, 0, 0];
        let second = [13, 0, 15, 0, 14, 0, 0, 0, 16, 0, 18, 0, 17, 0, 0, 0];
        assert_eq!(interleaved(&weights, 6, 3), [first, second].concat());
        // A pair of zeros makes a group of a fifth filter alone.
        let fifth = interleaved(&[1, 1, 1, 1, 9], 1, 1);
        assert_eq!(fifth[16..], [[9, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat());
    }
}
