//! The order in which a core reads the weights of convolutions.

use super::{FILTERS, MOST_STREAMS};

/// How the weights of pairs of filters lie in memory. A generated module has them as [`Pairs`](Order::Pairs), and
/// [`arrange`] brings them into the order of the core that it is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Order {
    /// Interleaved, one pair of filters behind the other.
    Pairs,
    /// Interleaved, where the words of [`MOST_STREAMS`] pairs take turns. Pairs that are no whole group stay where they are.
    Streams,
    /// As bytes, no longer one in the other, those of whole groups of filters side by side:
    /// `[filter / 8][element][filter % 8]`. Pairs of filters that are no whole group stay where they are.
    SideBySide,
}

impl Order {
    /// All of them, in the order of their numbers.
    pub const ALL: [Order; 3] = [Order::Pairs, Order::Streams, Order::SideBySide];

    /// That of the core that this is compiled for.
    pub const HERE: Order = if cfg!(microception_thumb1) {
        Order::SideBySide
    } else if cfg!(all(microception_dsp, not(microception_helium))) {
        Order::Streams
    } else {
        Order::Pairs
    };

    /// Writes `weights`, which lie as [`Pairs`](Order::Pairs), to `arranged`, which is as long, in this order.
    /// `pair_bytes` are those of a pair of filters.
    ///
    /// # Panics
    /// When the two are not of one length: in generated modules, where this runs, an error of the compiler.
    ///
    /// ```
    /// use microception::simd::Order;
    /// // three pairs of filters, two words each
    /// let mut arranged = [0; 24];
    /// Order::Streams.arrange(b"aaaaAAAAbbbbBBBBccccCCCC", &mut arranged, 8);
    /// assert_eq!(&arranged, b"aaaabbbbAAAABBBBccccCCCC");
    /// ```
    pub const fn arrange(self, weights: &[u8], arranged: &mut [u8], pair_bytes: usize) {
        match self {
            Order::Pairs => arranged.copy_from_slice(weights),
            Order::Streams => in_turns(weights, arranged, pair_bytes),
            Order::SideBySide => side_by_side(weights, arranged, pair_bytes),
        }
    }
}

const fn in_turns(weights: &[u8], arranged: &mut [u8], pair_bytes: usize) {
    arranged.copy_from_slice(weights);
    let group_words = pair_bytes / 4 * MOST_STREAMS;
    if group_words == 0 {
        return;
    }
    let (words, _) = weights.as_chunks::<4>();
    let (places, _) = arranged.as_chunks_mut::<4>();
    let end = words.len() / group_words * group_words;
    let mut place = 0;
    while place < end {
        let group = place / group_words * group_words;
        // The word's place in its own pair, and the pair's in the group.
        let word = (place - group) / MOST_STREAMS;
        let pair = place - group - word * MOST_STREAMS;
        places[place] = words[group + pair * (group_words / MOST_STREAMS) + word];
        place += 1;
    }
}

/// Pairs of filters whose weights lie [side by side](Order::SideBySide).
pub(super) const SIDE_BY_SIDE: usize = 4;

const fn side_by_side(weights: &[u8], arranged: &mut [u8], pair_bytes: usize) {
    arranged.copy_from_slice(weights);
    let (halves, _) = weights.as_chunks::<FILTERS>();
    let (places, _) = arranged.as_chunks_mut::<FILTERS>();
    let elements = pair_bytes / FILTERS;
    if elements == 0 {
        return;
    }
    let grouped = halves.len() / elements / SIDE_BY_SIDE * SIDE_BY_SIDE;
    let mut index = 0;
    while index < halves.len() {
        let (pair, element) = (index / elements, index % elements);
        let place = if pair < grouped {
            (pair / SIDE_BY_SIDE * elements + element) * SIDE_BY_SIDE + pair % SIDE_BY_SIDE
        } else {
            index
        };
        let [first, second] = halves[index];
        places[place] = [first, second.wrapping_add(first >> 7)];
        index += 1;
    }
}

/// Brings interleaved weights from the order of a generated module into that of [this core](Order::HERE). `pair_bytes` are
/// those of a pair of filters.
///
/// ```
/// use microception::simd::{Order, arrange};
/// let mut expected = [0; 24];
/// Order::HERE.arrange(b"aaaaAAAAbbbbBBBBccccCCCC", &mut expected, 8);
/// assert_eq!(arrange(*b"aaaaAAAAbbbbBBBBccccCCCC", 8), expected);
/// ```
pub const fn arrange<const N: usize>(weights: [u8; N], pair_bytes: usize) -> [u8; N] {
    let mut arranged = weights;
    Order::HERE.arrange(&weights, &mut arranged, pair_bytes);
    arranged
}
