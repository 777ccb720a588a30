//! Three taps along a row for two neighbouring outputs in four products instead of six: Winograd's F(2, 3).
//!
//! With `d` the four inputs under two outputs and `g` the three taps, twice the outputs are sums of four products, in
//! whole numbers, so that nothing is rounded:
//!
//! | position | of the weights | of the inputs |
//! | --- | --- | --- |
//! | 0 | `g0 + g1 + g2` | `d1 + d2` |
//! | 1 | `g0 - g1 + g2` | `d1 - d2` |
//! | 2 | `2 g2` | `d3 - d1` |
//! | 3 | `2 g0` | `d0 - d2` |
//!
//! Twice the first output is the products 0 - 1 + 3, twice the second 0 + 1 + 2. Of int8 values both sides are less
//! than 2^9. Sums over channels and lines may wrap on the way: what counts is that twice a result fits 32 bits, which
//! a [bounded](crate::quantized::Factor::is_bounded) factor says.
//!
//! A *transformed tile* holds the inputs' side for [`LANES`] pairs of outputs: `[line][quad][pair][position][lane]`, the
//! pairs of a quad as in [`PAIRS`](super::PAIRS). *Transformed weights* are
//! `[filter / 2][position][line][quad][pair][filter % 2]`, filled up with zeros to whole quads and an even number of
//! filters.
//!
//! S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, Fast Algorithms for Convolutional
//! Neural Networks, 2015.

use core::ops::Range;

use super::{FILTERS, LANES, Pair, QUAD};
use crate::quantized::{self, Channel};

/// Products for two outputs.
pub const POSITIONS: usize = 4;

/// Inputs under two outputs.
pub const INPUTS: usize = 4;

/// Outputs of a lane.
pub const OUTPUTS: usize = 2;

/// The weights' side of the four products, from three taps.
///
/// ```
/// assert_eq!(microception::simd::winograd::transform_taps([1, 10, -100]), [-89, -109, -200, 2]);
/// ```
pub const fn transform_taps([first, second, third]: [i8; 3]) -> [i16; POSITIONS] {
    let [first, second, third] = [first as i16, second as i16, third as i16];
    [first + second + third, first - second + third, 2 * third, 2 * first]
}

/// Puts the inputs' side of the four products into one lane of a line of a transformed tile. `pixels` are four neighbours,
/// each filled up to the quads of the tile. Nothing is written where one of them is shorter.
///
/// ```
/// use microception::simd::{Pair, winograd::transform_pixels};
/// let mut tile = [Pair([7, 7]); 32];
/// transform_pixels([&[1, 2, 3, 0], &[10, 20, 30, 0], &[4, 5, 6, 0], &[-1, -1, -1, 0]], 2, &mut tile);
/// assert_eq!([2, 6, 10, 14].map(|place| tile[place].0), [[14, 36], [6, 24], [-11, -31], [-3, -3]]);
/// assert_eq!([18, 22, 26, 30].map(|place| tile[place].0), [[25, 0], [15, 0], [-21, 0], [-3, 0]]);
/// assert_eq!([0, 1, 3, 4].map(|place| tile[place].0), [[7, 7]; 4]);
/// ```
#[inline]
pub fn transform_pixels(pixels: [&[i8]; INPUTS], lane: usize, tile: &mut [Pair]) {
    let (quads, _) = tile.as_chunks_mut::<{ 2 * POSITIONS * LANES }>();
    let pixels = pixels.map(|pixel| pixel.as_chunks::<QUAD>().0);
    if lane >= LANES || pixels.iter().any(|pixel| pixel.len() < quads.len()) {
        return;
    }
    for (quad, places) in quads.iter_mut().enumerate() {
        let mut places = places.iter_mut().skip(lane).step_by(LANES);
        let [[a0, b0, c0, e0], [a1, b1, c1, e1], [a2, b2, c2, e2], [a3, b3, c3, e3]] =
            pixels.map(|pixel| pixel.get(quad).copied().unwrap_or_default().map(i16::from));
        // The two pairs of a quad, as `PAIRS` has them, of each pixel.
        for [d0, d1, d2, d3] in [[[a0, c0], [a1, c1], [a2, c2], [a3, c3]], [[b0, e0], [b1, e1], [b2, e2], [b3, e3]]] {
            for (value, place) in
                [sum(d1, d2), difference(d1, d2), difference(d3, d1), difference(d0, d2)].into_iter().zip(&mut places)
            {
                *place = value;
            }
        }
    }
}

#[inline(always)]
fn sum([a, b]: [i16; 2], [c, d]: [i16; 2]) -> Pair {
    Pair([a.wrapping_add(c), b.wrapping_add(d)])
}

#[inline(always)]
fn difference([a, b]: [i16; 2], [c, d]: [i16; 2]) -> Pair {
    Pair([a.wrapping_sub(c), b.wrapping_sub(d)])
}

/// As [`transform_pixels`], for lanes whose pixels lie in one run: those of the first lane come first, those of the next
/// one [`OUTPUTS`] pixels further. What follows a pixel fills it up to the quads of the tile. Nothing is written where
/// nothing follows.
///
/// ```
/// use microception::simd::{Pair, winograd::{transform_pixels, transform_run}};
/// let (mut tile, mut expected) = ([Pair::default(); 32], [Pair::default(); 32]);
/// let run = [10, 20, 30, 40, 50, 60, 70, 80, 90];
/// transform_run(&run, 1, 2..4, &mut tile);
/// transform_pixels([&run, &run[1..], &run[2..], &run[3..]], 2, &mut expected);
/// transform_pixels([&run[2..], &run[3..], &run[4..], &run[5..]], 3, &mut expected);
/// assert_eq!(tile, expected);
/// ```
#[inline]
pub fn transform_run(run: &[i8], channels: usize, lanes: Range<usize>, tile: &mut [Pair]) {
    if run.len() < needed(channels, lanes.len(), tile) || lanes.end > LANES {
        return;
    }
    for (index, lane) in lanes.enumerate() {
        let first = index.wrapping_mul(OUTPUTS);
        let pixel = |place: usize| run.get(first.wrapping_add(place).wrapping_mul(channels)..).unwrap_or(&[]);
        transform_pixels([pixel(0), pixel(1), pixel(2), pixel(3)], lane, tile);
    }
}

/// Elements of a run under so many lanes: up to the last lane's last pixel, and whole quads there.
#[inline]
pub(super) fn needed(channels: usize, lanes: usize, tile: &[Pair]) -> usize {
    let quads = tile.len() / (2 * POSITIONS * LANES);
    (lanes.saturating_mul(OUTPUTS).saturating_add(1)).saturating_mul(channels).saturating_add(quads.wrapping_mul(QUAD))
}

/// Multiplies a transformed tile with all filters and stores the requantized sums as pixels `[pixel][channel]`:
/// of each lane as many as `pixels` says, one or [`OUTPUTS`], one after the other, up to a lane that has none.
///
/// Every channel's factor must be [bounded](crate::quantized::Factor::is_bounded) for its sums: other results are
/// unspecified. Nothing is written where weights are missing or `output` is too short.
///
/// ```
/// use microception::quantized::{Channel, Range};
/// use microception::simd::Pair;
/// use microception::simd::winograd::{multiply_transformed, transform_pixels, transform_taps};
/// // the taps 1, 2, 3 of one channel over 10, 20, 30, 40: 140 and 200, halved
/// let mut tile = [Pair::default(); 32];
/// transform_pixels([&[10, 0, 0, 0], &[20, 0, 0, 0], &[30, 0, 0, 0], &[40, 0, 0, 0]], 0, &mut tile);
/// let weights = transform_taps([1, 2, 3]).map(|weight| [Pair([weight, 0]), Pair::default(), Pair::default(), Pair::default()]);
/// let (channels, range) = ([Channel::new(0, i32::MAX, -1)], Range { zero_point: 0, clamp: [-128, 127] });
/// let mut output = [0; 2];
/// multiply_transformed(&tile, weights.as_flattened(), &channels, &range, [2, 0, 0, 0], &mut output);
/// assert_eq!(output, [70, 100]);
/// ```
#[inline]
pub fn multiply_transformed(
    tile: &[Pair],
    weights: &[Pair],
    channels: &[Channel],
    range: &quantized::Range,
    pixels: [usize; LANES],
    output: &mut [i8],
) {
    let (pairs, _) = tile.as_chunks::<{ POSITIONS * LANES }>();
    let (weights, _) = weights.as_chunks::<FILTERS>();
    let position = pairs.len();
    let filters = position.wrapping_mul(POSITIONS);
    let (pixels, made) = in_sequence(pixels);
    if weights.len() < filters.wrapping_mul(channels.len().div_ceil(FILTERS))
        || output.len() < made.wrapping_mul(channels.len())
    {
        return;
    }
    for (index, weights) in weights.chunks_exact(filters.max(1)).enumerate() {
        let place = index.wrapping_mul(FILTERS);
        let Some(these @ [_, ..]) = channels.get(place..) else { break };
        let (first, weights) = weights.split_at_checked(position).unwrap_or_default();
        let (second, weights) = weights.split_at_checked(position).unwrap_or_default();
        let (third, fourth) = weights.split_at_checked(position).unwrap_or_default();
        let products = [
            products::<0>(pairs, first),
            products::<1>(pairs, second),
            products::<2>(pairs, third),
            products::<3>(pairs, fourth),
        ];
        for (filter, channel) in these.iter().enumerate().take(FILTERS) {
            let [sums, differences, last, first] =
                products.each_ref().map(|products| products.get(filter).copied().unwrap_or_default());
            let outputs = sums.iter().zip(differences).zip(last).zip(first);
            let mut from = place.wrapping_add(filter);
            for ((((&sum, difference), last), first), count) in outputs.zip(pixels) {
                let [of_first, of_second] = [sum.wrapping_sub(difference), sum.wrapping_add(difference)];
                let doubled = [of_first.wrapping_add(first), of_second.wrapping_add(last)];
                for doubled in doubled.into_iter().take(count) {
                    if let Some(output) = output.get_mut(from) {
                        *output = range.requantize_bounded((doubled >> 1).wrapping_add(channel.bias), channel.factor);
                    }
                    from = from.wrapping_add(channels.len());
                }
            }
        }
    }
}

/// How many pixels each lane makes, none behind a lane that has none; and all together.
#[inline]
pub(super) fn in_sequence(pixels: [usize; LANES]) -> ([usize; LANES], usize) {
    let (mut most, mut all) = (OUTPUTS, 0usize);
    let pixels = pixels.map(|count| {
        let count = count.min(most);
        if count == 0 {
            most = 0;
        }
        all = all.wrapping_add(count);
        count
    });
    (pixels, all)
}

/// The sums of one position's products, of each filter for each lane.
#[inline]
fn products<const POSITION: usize>(
    pairs: &[[Pair; POSITIONS * LANES]],
    weights: &[[Pair; FILTERS]],
) -> [[i32; LANES]; FILTERS] {
    // Lane by lane and by pattern: at the optimizer's level for size loops stay loops, and an index could panic.
    let [mut a0, mut a1, mut a2, mut a3] = [0; LANES];
    let [mut b0, mut b1, mut b2, mut b3] = [0; LANES];
    for (values, &[first, second]) in pairs.iter().zip(weights) {
        let (positions, _) = values.as_chunks::<LANES>();
        let &[lane0, lane1, lane2, lane3] = positions.get(POSITION).unwrap_or(&[Pair([0; 2]); LANES]);
        (a0, b0) = (two_products(a0, first, lane0), two_products(b0, second, lane0));
        (a1, b1) = (two_products(a1, first, lane1), two_products(b1, second, lane1));
        (a2, b2) = (two_products(a2, first, lane2), two_products(b2, second, lane2));
        (a3, b3) = (two_products(a3, first, lane3), two_products(b3, second, lane3));
    }
    [[a0, a1, a2, a3], [b0, b1, b2, b3]]
}

/// `sum + weights[0] * values[0] + weights[1] * values[1]`, wrapping.
#[inline(always)]
fn two_products(sum: i32, Pair([low, high]): Pair, Pair([low_value, high_value]): Pair) -> i32 {
    sum.wrapping_add(i32::from(low) * i32::from(low_value)).wrapping_add(i32::from(high) * i32::from(high_value))
}
