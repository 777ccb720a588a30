//! Where the rows of a period lie. Time is a circle: a block that lives beyond the end of a period lives on at its
//! beginning. Blocks are placed one after the other, each at the lowest address that is free in its time, in several
//! orders; those that end up on top are placed earlier in the next try.

use super::super::allocate::{Addresses, Space};

/// A stretch of time on the circle: `from`, and `length` moments more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arc {
    /// The first moment.
    pub from: usize,
    /// Moments after it; fewer than the circle has.
    pub length: usize,
}

impl Arc {
    fn meets(self, other: Arc, moments: usize) -> bool {
        let after = |from: usize, to: usize| (to + moments - from) % moments;
        after(self.from, other.from) <= self.length || after(other.from, self.from) <= other.length
    }
}

/// A stretch of the arena, and when it holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Length.
    pub bytes: usize,
    /// When.
    pub lives: Vec<Arc>,
}

impl Block {
    fn meets(&self, other: &Block, moments: usize) -> bool {
        self.lives.iter().any(|arc| other.lives.iter().any(|&other| arc.meets(other, moments)))
    }

    fn length(&self) -> usize {
        self.lives.iter().map(|arc| arc.length + 1).sum()
    }

    fn from(&self) -> usize {
        self.lives.first().map_or(0, |arc| arc.from)
    }
}

/// The most bytes alive at once, each block rounded up to `unit`.
pub fn floor(blocks: &[Block], moments: usize, unit: usize) -> usize {
    let mut alive = vec![0; moments];
    for block in blocks {
        for &Arc { from, length } in &block.lives {
            for moment in from..=from + length {
                alive[moment % moments] += block.bytes.next_multiple_of(unit);
            }
        }
    }
    alive.into_iter().max().unwrap_or(0)
}

/// Block comparisons that one search may make: some tenths of a second.
const WORK: usize = 20_000_000;

/// Tries in one order, where there is time for them.
const TRIES: usize = 60;

/// Addresses in multiples of `unit`, as low as the search finds; `floor` ends it early. `share` searches have [`WORK`]
/// together.
pub fn place(blocks: &[Block], moments: usize, unit: usize, floor: usize, share: usize) -> Addresses {
    let mut orders: [Vec<usize>; 5] = std::array::from_fn(|_| (0..blocks.len()).collect());
    let bytes = |index: &usize| std::cmp::Reverse(blocks[*index].bytes);
    let from = |index: &usize| blocks[*index].from();
    let length = |index: &usize| std::cmp::Reverse(blocks[*index].length());
    // The first as they are: layer by layer, which makes rings.
    orders[1].sort_by_key(bytes);
    orders[2].sort_by_key(|index| (bytes(index), from(index)));
    orders[3].sort_by_key(|index| (std::cmp::Reverse(blocks[*index].bytes * blocks[*index].length()), from(index)));
    orders[4].sort_by_key(|index| (length(index), bytes(index), from(index)));
    let tries = WORK / (blocks.len() * blocks.len() * share * orders.len()).max(1);
    let meet = |first: usize, second: usize| blocks[first].meets(&blocks[second], moments);
    Space { bytes: |index: usize| blocks[index].bytes, meet, unit }.search(orders, tries.clamp(1, TRIES), floor, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arcs_meet_across_the_end_of_the_circle() {
        let late = Arc { from: 8, length: 3 };
        for (from, length, meets) in
            [(1, 0, true), (2, 5, false), (2, 6, true), (7, 0, false), (8, 0, true), (11, 0, true)]
        {
            let other = Arc { from: from % 10, length };
            assert_eq!((late.meets(other, 10), other.meets(late, 10)), (meets, meets), "from {from}, {length} more");
        }
    }

    #[test]
    fn a_ring_needs_one_row_more_than_a_window_holds_after_it() {
        // Three rows alive of six that are made in a period of six moments.
        let rows: Vec<Block> = (0..6).map(|from| Block { bytes: 4, lives: vec![Arc { from, length: 2 }] }).collect();
        assert_eq!(floor(&rows, 6, 4), 12);
        assert_eq!(place(&rows, 6, 4, 12, 1), Addresses { of: vec![0, 4, 8, 0, 4, 8], end: 12 });
    }
}
