//! What a module keeps in flash, as a list, and its check.

use crc::{CRC_32_ISO_HDLC, Crc, Digest};
use microception::quantized::{Channel, WideChannel};
use microception::simd::Order;

static CHECK: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// The arrays of a module in the order of its text.
pub struct Flash {
    /// A line of Rust for each.
    pub arrays: Vec<String>,
    /// Of each order that a core may want weights in.
    digests: [Digest<'static, u32>; Order::ALL.len()],
}

impl Flash {
    /// Nothing yet.
    pub fn new() -> Flash {
        Flash { arrays: Vec::new(), digests: Order::ALL.map(|_| CHECK.digest()) }
    }

    /// Bytes that are the same for every core, which the expression `slice` is.
    pub fn bytes(&mut self, slice: &str, bytes: &[u8]) {
        self.arrays.push(format!("Weights::Bytes({slice})"));
        self.digests.iter_mut().for_each(|digest| digest.update(bytes));
    }

    /// As [`bytes`](Flash::bytes), where the module has each core arrange them.
    pub fn arranged(&mut self, slice: &str, bytes: &[u8], pair_bytes: usize) {
        self.arrays.push(format!("Weights::Bytes({slice})"));
        let mut arranged = vec![0; bytes.len()];
        for (digest, order) in self.digests.iter_mut().zip(Order::ALL) {
            order.arrange(bytes, &mut arranged, pair_bytes);
            digest.update(&arranged);
        }
    }

    /// Biases and factors.
    pub fn channels(&mut self, name: &str, channels: &[Channel]) {
        self.arrays.push(format!("Weights::Channels(&{name})"));
        for channel in channels {
            let (bias, multiplier) = (channel.bias.to_le_bytes(), channel.factor.multiplier.to_le_bytes());
            let bytes = [&bias[..], &multiplier, &channel.factor.shift.to_le_bytes()].concat();
            self.digests.iter_mut().for_each(|digest| digest.update(&bytes));
        }
    }

    /// The same of int16x8 layers.
    pub fn wide_channels(&mut self, name: &str, channels: &[WideChannel]) {
        self.arrays.push(format!("Weights::WideChannels(&{name})"));
        for channel in channels {
            let (bias, factor) = (channel.bias().to_le_bytes(), channel.factor());
            let bytes = [&bias[..], &factor.multiplier.to_le_bytes(), &factor.shift.to_le_bytes()].concat();
            self.digests.iter_mut().for_each(|digest| digest.update(&bytes));
        }
    }

    /// The check of all: one number, or where weights are arranged one for each order.
    pub fn crcs(self) -> Vec<u32> {
        let mut crcs: Vec<u32> = self.digests.into_iter().map(|digest| digest.finalize()).collect();
        if crcs.iter().all(|crc| *crc == crcs[0]) {
            crcs.truncate(1);
        }
        crcs
    }
}

/// The check of an output.
pub fn crc(bytes: &[u8]) -> u32 {
    CHECK.checksum(bytes)
}
