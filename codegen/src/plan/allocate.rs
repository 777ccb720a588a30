//! Where each row lies.
//!
//! Everything in the arena is a *block* that lives from one turn to another: a row from the turn
//! that makes it to the last that reads it, running sums from the first row consumed to the
//! last, scratch for one turn. Blocks that live at once must not overlap. That is dynamic
//! storage allocation, which is NP-hard; blocks are placed one after the other, each at the
//! lowest address free for its life, in several orders, and blocks that end up on top are
//! placed earlier in the next try. Where a row is [written over](Blocks::in_place) another, both are one block.

mod in_place;

use super::LayerRows;
use super::flow::Flow;
use super::schedule::Turn;

/// A stretch of the arena for a stretch of turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Length.
    pub bytes: usize,
    /// First turn in which it holds something.
    pub from: usize,
    /// Last turn in which it is read or written.
    pub until: usize,
}

impl Block {
    /// Whether both live at once.
    fn meets(&self, other: &Block) -> bool {
        self.from <= other.until && other.from <= self.until
    }
}

/// The blocks of a schedule, and which block is whose.
#[derive(Debug, Clone)]
pub struct Blocks {
    /// All blocks.
    pub blocks: Vec<Block>,
    /// Per layer: rows that share a block: those of a batch, or all.
    group: Vec<usize>,
    /// Per layer and group of rows: the block, if any row of it is made.
    rows: Vec<Vec<Option<usize>>>,
    /// Per layer that keeps running sums: their block.
    sums: Vec<Option<usize>>,
    /// Per turn: the block of its scratch.
    scratch: Vec<Option<usize>>,
    /// Per layer: bytes of scratch of each of its turns: of the one that makes most rows. Or of its running sums.
    pub scratch_bytes: Vec<usize>,
    /// Per layer whose rows all share blocks with those of an input: which input.
    pub in_place: Vec<Option<usize>>,
}

impl Blocks {
    /// The blocks of `turns`. The rows of a batch are in one block, one after the other; all rows of a layer are when
    /// `together`, and always those of the output tensors, which live to the end, as does every tensor when `keep_all`.
    pub fn of(layers: &[LayerRows], output: usize, turns: &[Turn], together: bool, keep_all: bool) -> Blocks {
        let group: Vec<usize> = layers
            .iter()
            .enumerate()
            .map(|(layer, rows)| if together || layer == output || rows.answers { rows.rows } else { rows.batch.rows })
            .collect();
        let mut blocks = Blocks {
            blocks: Vec::new(),
            rows: layers.iter().zip(&group).map(|(layer, group)| vec![None; layer.rows.div_ceil(*group)]).collect(),
            group,
            sums: vec![None; layers.len()],
            scratch: vec![None; turns.len()],
            scratch_bytes: layers.iter().map(|layer| layer.scratch.bytes).collect(),
            in_place: vec![None; layers.len()],
        };
        for turn in turns {
            let bytes = &mut blocks.scratch_bytes[turn.layer];
            *bytes = layers[turn.layer].scratch.of(turn.rows).max(*bytes);
        }
        let last = turns.len().saturating_sub(1);
        for (index, turn) in turns.iter().enumerate() {
            let layer = &layers[turn.layer];
            for (&input, reads) in layer.inputs.iter().zip(&turn.reads) {
                for row in reads.clone() {
                    let block = blocks.rows[input][row / blocks.group[input]];
                    if let Some(block) = block {
                        blocks.blocks[block].until = blocks.blocks[block].until.max(index);
                    }
                }
            }
            for row in turn.row..turn.row + turn.rows {
                // A running layer's only output row is row 0, whatever it consumes.
                let row = if layer.flow == Flow::Running { 0 } else { row };
                let group = blocks.group[turn.layer];
                let until = if keep_all || turn.layer == output || layer.answers { last } else { index };
                match blocks.rows[turn.layer][row / group] {
                    // A row of the same group, or a part of this one, was made before.
                    Some(block) => blocks.blocks[block].until = blocks.blocks[block].until.max(until),
                    None => {
                        let rows = group.min(layer.rows - row / group * group);
                        blocks.rows[turn.layer][row / group] = Some(blocks.blocks.len());
                        blocks.blocks.push(Block { bytes: layer.row_bytes * rows, from: index, until });
                    }
                }
            }
            let bytes = blocks.scratch_bytes[turn.layer];
            if bytes > 0 {
                let known = if layer.flow == Flow::Running { blocks.sums[turn.layer] } else { None };
                let block = known.unwrap_or(blocks.blocks.len());
                match known {
                    Some(block) => blocks.blocks[block].until = index,
                    None => blocks.blocks.push(Block { bytes, from: index, until: index }),
                }
                blocks.scratch[index] = Some(block);
                if layer.flow == Flow::Running {
                    blocks.sums[turn.layer] = Some(block);
                }
            }
        }
        blocks
    }

    /// The most bytes alive at once, each block rounded up to `unit`.
    pub fn floor(&self, turns: usize, unit: usize) -> usize {
        let mut change = vec![0isize; turns + 1];
        for block in &self.blocks {
            let bytes = block.bytes.next_multiple_of(unit).cast_signed();
            change[block.from] += bytes;
            change[block.until + 1] -= bytes;
        }
        let mut alive = 0;
        change
            .iter()
            .map(|change| {
                alive += change;
                alive
            })
            .max()
            .unwrap_or(0)
            .unsigned_abs()
    }

    /// The block and the offset in it of one row.
    pub fn row(&self, layers: &[LayerRows], layer: usize, row: usize) -> Option<(usize, usize)> {
        let group = self.group[layer];
        let block = (*self.rows[layer].get(row / group)?)?;
        Some((block, row % group * layers[layer].row_bytes))
    }

    /// The block of a turn's scratch.
    pub fn scratch(&self, turn: usize) -> Option<usize> {
        self.scratch[turn]
    }

    /// Whether rows lie at any address, because some that share a block have odd lengths.
    pub fn unaligned(&self, layers: &[LayerRows]) -> bool {
        layers.iter().zip(&self.group).any(|(layer, &group)| group > 1 && layer.row_bytes % 4 != 0)
    }
}

/// Addresses of blocks, and the end of the highest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// Per block.
    pub of: Vec<usize>,
    /// Bytes in all.
    pub end: usize,
}

/// Block comparisons that one search may make: some tenths of a second.
const WORK: usize = 200_000_000;

/// Addresses in multiples of `unit`, as low as the search finds; `floor` ends it early.
pub fn place(blocks: &[Block], unit: usize, floor: usize) -> Addresses {
    let best = first_fit_in_time(blocks, unit);
    if best.end <= floor || blocks.len() * blocks.len() > 4 * WORK {
        return best;
    }
    let size = |index: &usize| blocks[*index].bytes;
    let life = |index: &usize| blocks[*index].until - blocks[*index].from + 1;
    let busiest = busiest_turn(blocks);
    let distance = |index: &usize| {
        let block = &blocks[*index];
        block.from.saturating_sub(busiest).max(busiest.saturating_sub(block.until))
    };
    let mut orders: [Vec<usize>; 5] = std::array::from_fn(|_| (0..blocks.len()).collect());
    orders[0].sort_by_key(|index| (std::cmp::Reverse(size(index)), blocks[*index].from));
    orders[1].sort_by_key(|index| (std::cmp::Reverse(size(index) * life(index)), blocks[*index].from));
    orders[2].sort_by_key(|index| (std::cmp::Reverse(life(index)), std::cmp::Reverse(size(index))));
    // What lives when most is alive packs without a gap if it is placed first.
    orders[3].sort_by_key(|index| (distance(index), std::cmp::Reverse(size(index))));
    orders[4].sort_by_key(|index| (distance(index), std::cmp::Reverse(life(index))));
    let tries = (WORK / (blocks.len() * blocks.len()).max(1)).clamp(orders.len(), 800);
    let rounds = tries / orders.len();
    let meet = |first: usize, second: usize| blocks[first].meets(&blocks[second]);
    Space { bytes: |index: usize| blocks[index].bytes, meet, unit }.search(orders, rounds, floor, Some(best))
}

/// Blocks by their indices, as far as placing them goes, whatever time is like.
pub(super) struct Space<Bytes, Meet> {
    /// A block's length.
    pub bytes: Bytes,
    /// Whether two blocks live at once.
    pub meet: Meet,
    /// What addresses are multiples of.
    pub unit: usize,
}

impl<Bytes: Fn(usize) -> usize, Meet: Fn(usize, usize) -> bool> Space<Bytes, Meet> {
    /// The lowest addresses found by placing the blocks in some orders, `rounds` times in each, after each of which what
    /// ended up on top comes earlier. `floor` ends the search, `best` is what it has to beat.
    pub fn search<const ORDERS: usize>(
        &self,
        orders: [Vec<usize>; ORDERS],
        rounds: usize,
        floor: usize,
        mut best: Option<Addresses>,
    ) -> Addresses {
        for mut order in orders {
            for _ in 0..rounds {
                let addresses = self.first_fit(&order);
                let end = addresses.end;
                let is_top =
                    |index: &usize| addresses.of[*index] + (self.bytes)(*index) > end.saturating_sub(self.unit);
                let tops: Vec<usize> = order.iter().copied().filter(is_top).collect();
                if best.as_ref().is_none_or(|best| end < best.end) {
                    best = Some(addresses);
                }
                if end <= floor {
                    return best.unwrap_or_default();
                }
                // What sticks out on top moves up in the order, half-way to the front, so that what
                // it displaces is not always the same.
                for top in tops {
                    if let Some(place) = order.iter().position(|&index| index == top) {
                        order.remove(place);
                        order.insert(place / 2, top);
                    }
                }
            }
        }
        best.unwrap_or_default()
    }

    /// Each block in turn at the lowest address that is free while it lives.
    fn first_fit(&self, order: &[usize]) -> Addresses {
        // Sorted by address.
        let mut placed: Vec<(usize, usize, usize)> = Vec::with_capacity(order.len());
        let mut addresses = Addresses { of: vec![0; order.len()], end: 0 };
        for &index in order {
            let bytes = (self.bytes)(index);
            let mut address = 0;
            for &(start, end, other) in &placed {
                // What ends below is out of the way, whenever it lives.
                if end > address && (self.meet)(other, index) {
                    if start >= address + bytes {
                        break;
                    }
                    address = address.max(end.next_multiple_of(self.unit));
                }
            }
            let end = address + bytes;
            let position = placed.partition_point(|&(start, ..)| start <= address);
            placed.insert(position, (address, end, index));
            addresses.of[index] = address;
            addresses.end = addresses.end.max(end.next_multiple_of(self.unit));
        }
        addresses
    }
}

/// The turn in which most bytes are alive.
fn busiest_turn(blocks: &[Block]) -> usize {
    let turns = blocks.iter().map(|block| block.until + 1).max().unwrap_or(0);
    let mut change = vec![0isize; turns + 1];
    for block in blocks {
        change[block.from] += block.bytes.cast_signed();
        change[block.until + 1] -= block.bytes.cast_signed();
    }
    let mut alive = 0;
    let alive = change.iter().map(|change| {
        alive += change;
        alive
    });
    alive.enumerate().max_by_key(|&(_, bytes)| bytes).map_or(0, |(turn, _)| turn)
}

/// Each block, in the order in which they begin to live, at the lowest address that is free then:
/// only what lives at that moment is looked at.
fn first_fit_in_time(blocks: &[Block], unit: usize) -> Addresses {
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&index| (blocks[index].from, std::cmp::Reverse(blocks[index].bytes)));
    // sorted by address
    let mut alive: Vec<(usize, usize, &Block)> = Vec::new();
    let mut addresses = Addresses { of: vec![0; blocks.len()], end: 0 };
    for index in order {
        let block = &blocks[index];
        alive.retain(|(_, _, other)| other.until >= block.from);
        let mut address = 0;
        let mut position = 0;
        for &(start, end, _) in &alive {
            if start >= address + block.bytes {
                break;
            }
            address = address.max(end.next_multiple_of(unit));
            position += 1;
        }
        let end = address + block.bytes;
        alive.insert(position, (address, end, block));
        addresses.of[index] = address;
        addresses.end = addresses.end.max(end.next_multiple_of(unit));
    }
    addresses
}
