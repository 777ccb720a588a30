//! Weights of four bits: eight in a word, which become bytes in front of the kernels of int8.
//!
//! A *packed* word holds eight numbers from -8 to 7, each plus 8 in four bits: the lower halves of its bytes are the first
//! four, from the lowest byte on, the upper halves the other four. So a mask and a shift make two words of bytes of one.
//!
//! Packed weights of filters are those that [`portable`](super::portable) calls interleaved, two pairs of filters in one: each word holds
//! the four bytes of a pair, then those of the next pair at the same place. A byte is a filter's own weight here; that the first filter's
//! sign is taken from the second's, where the core wants it, is left to [`unpack_filters`].

#[cfg(doc)]
use super::arrange;
use super::order::{Order, SIDE_BY_SIDE};
use super::{FILTERS, LANES, MOST_STREAMS, Pair};
use crate::quantized::{Channel, Range};

/// Numbers in a packed word.
pub const NUMBERS: usize = 8;

/// Filters after any whole number of which packed weights can be cut in two: whole groups on every core.
pub const WHOLE_FILTERS: usize = FILTERS * SIDE_BY_SIDE;

/// Filters whose weights share words.
const GROUP: usize = FILTERS * MOST_STREAMS;

/// What is added to four numbers in the lower halves of bytes, and what is flipped then, so that each byte is its number.
const BYTES: [u32; 2] = [0x7878_7878, 0x8080_8080];

/// The same for two pairs, each of which becomes the 16-bit number of its first and 256 times its second.
const PAIRS: [u32; 2] = [0x77F8_77F8, 0x8000_8000];

/// Eight numbers from -8 to 7 in a word; of others, the lowest four bits count.
///
/// ```
/// use microception::simd::int4::{pack, unpack};
/// let mut bytes = [0; 2];
/// unpack(&[pack([-8, -1, 0, 7, 1, 2, 3, 4])], &mut bytes);
/// assert_eq!(bytes.map(u32::to_le_bytes).as_flattened(), [-8, -1, 0, 7, 1, 2, 3, 4].map(i8::cast_unsigned));
/// ```
pub const fn pack(numbers: [i8; NUMBERS]) -> u32 {
    let mut word = 0;
    let mut index = 0;
    while index < NUMBERS {
        let half = numbers[index].wrapping_add(8).cast_unsigned() & 15;
        word |= (half as u32) << (index % 4 * 8 + index / 4 * 4);
        index += 1;
    }
    word
}

/// The two words of a packed one.
#[inline(always)]
const fn halves(word: u32, [add, flip]: [u32; 2]) -> [u32; 2] {
    const MASK: u32 = 0x0F0F_0F0F;
    [(word & MASK).wrapping_add(add) ^ flip, (word >> 4 & MASK).wrapping_add(add) ^ flip]
}

/// Numbers as bytes, four in a word of `bytes`: as many as both have.
#[inline]
pub fn unpack(packed: &[u32], bytes: &mut [u32]) {
    unpack_as(BYTES, packed, bytes);
}

#[inline(always)]
fn unpack_as(of: [u32; 2], packed: &[u32], bytes: &mut [u32]) {
    let (places, _) = bytes.as_chunks_mut::<2>();
    for (&word, place) in packed.iter().zip(places) {
        *place = halves(word, of);
    }
}

/// As [`portable::multiply_tile`](super::portable::multiply_tile), with packed weights of filters; whole groups are of four filters
/// on every core. The tile is [widened](super::portable::widen).
///
/// ```
/// use microception::quantized::{Channel, Range};
/// use microception::simd::{Pair, int4::{multiply_tile, pack}, portable::widen};
/// let mut tile = [Pair::default(); 8];
/// widen(&[1, 2, 3, 4, -1, 0, 0, 100], 4, 0..2, &mut tile);
/// // filters [1, 2, 7, -1] and [0, 0, 1, 0]; half of the sums
/// let packed = [pack([1, 0, 7, 1, 0, 0, 0, 0]), pack([2, 0, -1, 0, 0, 0, 0, 0])];
/// let channels = [Channel::new(-1, i32::MAX, -1), Channel::new(4, i32::MAX, -1)];
/// let mut output = [0; 4];
/// multiply_tile(&mut tile, &packed, &channels, &Range { zero_point: 0, clamp: [-128, 127] }, &mut output);
/// assert_eq!(output, [11, 4, -51, 2]);
/// ```
#[inline]
pub fn multiply_tile(tile: &mut [Pair], packed: &[u32], channels: &[Channel], range: &Range, output: &mut [i8]) {
    let (pairs, _) = tile.as_chunks::<LANES>();
    let groups = channels.chunks(GROUP);
    if pairs.is_empty() || packed.len() < pairs.len().wrapping_mul(groups.len()) {
        return;
    }
    for (group, (packed, these)) in packed.chunks_exact(pairs.len().max(1)).zip(groups).enumerate() {
        for (filter, channel) in these.iter().enumerate() {
            let mut sums = [channel.bias; LANES];
            let bits = [0u32, 8, 4, 12].get(filter).copied().unwrap_or(0);
            for (&word, lanes) in packed.iter().zip(pairs) {
                let [low, high] = [word, word >> 16].map(|word| (word >> bits & 15) as i32 - 8);
                for (sum, &Pair([low_value, high_value])) in sums.iter_mut().zip(lanes) {
                    let products = i32::from(low_value) * low + i32::from(high_value) * high;
                    *sum = sum.wrapping_add(products);
                }
            }
            let place = group.wrapping_mul(GROUP).wrapping_add(filter);
            for (pixel, sum) in output.chunks_exact_mut(channels.len().max(1)).zip(sums) {
                if let Some(output) = pixel.get_mut(place) {
                    *output = range.requantize_bounded(sum, channel.factor);
                }
            }
        }
    }
}

/// Weights of filters in the order of this core, as [`arrange`] leaves those of int8; `pair_bytes` are those of a pair of
/// filters of int8. Of a group that has not all its room in `weights`, some are missing.
///
/// ```
/// use microception::simd::{arrange, int4::{pack, unpack_filters}};
/// // two pairs of filters, of one quad: of the first pair the second is all -1, beside weights of the first that are not
/// let pairs = [[1, -1, 2, -1, 3, -1, 4, -1], [-1, -1, -2, -1, -8, -1, 7, 6]];
/// let [[a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]] = pairs;
/// let mut weights = [0; 4];
/// unpack_filters(&[pack([a, b, c, d, i, j, k, l]), pack([e, f, g, h, m, n, o, p])], 8, &mut weights);
/// // in int8, the first's sign is taken from the second
/// let int8 = [[1, -1, 2, -1, 3, -1, 4, -1], [-1, -2, -2, -2, -8, -2, 7, 6]];
/// let int8: [u8; 16] = bytemuck::cast(int8.map(|pair| pair.map(i8::cast_unsigned)));
/// assert_eq!(bytemuck::cast::<_, [u8; 16]>(weights), arrange(int8, 8));
/// ```
#[inline]
pub fn unpack_filters(packed: &[u32], pair_bytes: usize, weights: &mut [u32]) {
    Order::HERE.unpack(packed, pair_bytes, weights);
}

impl Order {
    /// As [`unpack_filters`], in this order.
    #[inline(always)]
    pub fn unpack(self, packed: &[u32], pair_bytes: usize, weights: &mut [u32]) {
        // Of two pairs of filters: as many packed words as each of them has words.
        let words = (pair_bytes / 4).max(1);
        match self {
            Order::Pairs => {
                for (group, weights) in packed.chunks(words).zip(weights.chunks_mut(words.wrapping_mul(2).max(1))) {
                    one_behind_the_other(PAIRS, group, weights);
                }
            }
            Order::Streams => unpack_as(PAIRS, packed, weights),
            Order::SideBySide => {
                let groups = packed.chunks(words.wrapping_mul(2).max(1));
                for (group, weights) in groups.zip(weights.chunks_mut(words.wrapping_mul(4).max(1))) {
                    side_by_side(group, words, weights);
                }
            }
        }
    }
}

/// Two pairs of filters.
#[inline(always)]
fn one_behind_the_other(of: [u32; 2], packed: &[u32], weights: &mut [u32]) {
    let (first, second) = weights.split_at_mut_checked(packed.len()).unwrap_or_default();
    for ((&word, first), second) in packed.iter().zip(first).zip(second) {
        [*first, *second] = halves(word, of);
    }
}

/// Four pairs of filters, or two, which are no group.
#[inline(always)]
fn side_by_side(packed: &[u32], words: usize, weights: &mut [u32]) {
    let (first, second) = packed.split_at_checked(words).unwrap_or_default();
    if second.len() < first.len() {
        return one_behind_the_other(BYTES, packed, weights);
    }
    let lower = |left: u32, right: u32| left & 0xFFFF | right << 16;
    let upper = |left: u32, right: u32| left >> 16 | right & 0xFFFF_0000;
    let (places, _) = weights.as_chunks_mut::<SIDE_BY_SIDE>();
    for ((&first, &second), place) in first.iter().zip(second).zip(places) {
        let ([first, second], [third, fourth]) = (halves(first, BYTES), halves(second, BYTES));
        *place = [lower(first, second), lower(third, fourth), upper(first, second), upper(third, fourth)];
    }
}
