//! Random numbers, the same for the same seed on every core.

/// Marsaglia's xorshift with 32 bits; the seed is not zero.
pub struct Random(pub u32);

impl Random {
    /// The next of 32 bits.
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// One of the numbers below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }
}
