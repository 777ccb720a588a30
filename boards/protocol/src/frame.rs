//! Packets on the line.
//!
//! A frame is `0 COBS(postcard(packet) CRC-32) 0`. COBS leaves no zero inside, so a zero always ends
//! whatever came before it; the one in front keeps a packet whole when noise went before it. An
//! empty frame, between two zeros, means nothing.

use crc::Crc;
use postcard::ser_flavors::crc::CrcModifier;
use postcard::ser_flavors::{Cobs, Slice};
use serde::{Deserialize, Serialize};

use crate::{CHUNK, NAME_BYTES};

/// The longest packet in postcard's encoding: tag, kind, lengths and offset around a [`CHUNK`], or
/// two names and the numbers of an [`Info`](crate::Info).
pub const PACKET_BYTES: usize = {
    const CHUNKED: usize = CHUNK + 2 + 5 + 2;
    const INFO: usize = 2 * (NAME_BYTES + 1) + 160;
    if CHUNKED > INFO { CHUNKED } else { INFO }
};

/// Bytes of the check.
const CHECK_BYTES: usize = 4;

/// The longest frame on the line, zeros included.
pub const FRAME_BYTES: usize = {
    let bytes = PACKET_BYTES + CHECK_BYTES;
    bytes + bytes.div_ceil(254) + 2
};

/// The CRC of frames, and of whatever else a board checks: one table is enough.
pub static CHECK: Crc<u32> = Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// The packet does not fit the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooLong;

impl core::fmt::Display for TooLong {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("the packet does not fit a frame")
    }
}

impl core::error::Error for TooLong {}

/// Writes `packet` as a frame to the front of `buffer`, which [`FRAME_BYTES`] suffice for.
///
/// # Errors
/// When it does not fit.
pub fn encode<'a>(packet: &impl Serialize, buffer: &'a mut [u8]) -> Result<&'a [u8], TooLong> {
    let (start, rest) = buffer.split_first_mut().ok_or(TooLong)?;
    *start = 0;
    let stuffed = Cobs::try_new(Slice::new(rest)).map_err(|_| TooLong)?;
    let written =
        postcard::serialize_with_flavor(packet, CrcModifier::new(stuffed, CHECK.digest())).map_err(|_| TooLong)?.len();
    buffer.get(..=written).ok_or(TooLong)
}

/// What was wrong with a frame that [`Receiver::push`] dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Damage {
    /// Longer than [`FRAME_BYTES`].
    TooLong,
    /// Not COBS, or cut short.
    Stuffing,
    /// The CRC differs.
    Check,
    /// The CRC holds, but it is no packet that this version knows.
    Meaning,
}

/// Collects bytes off the line into packets, in a buffer of its own.
#[derive(Debug, Clone)]
pub struct Receiver {
    buffer: [u8; FRAME_BYTES],
    /// Bytes since the last zero, whether they fitted or not.
    length: usize,
}

impl Default for Receiver {
    fn default() -> Self {
        Receiver::new()
    }
}

impl Receiver {
    /// A receiver that has received nothing.
    pub const fn new() -> Receiver {
        Receiver { buffer: [0; FRAME_BYTES], length: 0 }
    }

    /// Takes the next byte off the line. At the end of a frame, says what it was: the packet, which
    /// borrows from this receiver, or why it was dropped.
    pub fn push<'a, T: Deserialize<'a>>(&'a mut self, byte: u8) -> Option<Result<T, Damage>> {
        if byte != 0 {
            if let Some(place) = self.buffer.get_mut(self.length) {
                *place = byte;
            }
            self.length = self.length.saturating_add(1);
            return None;
        }
        match core::mem::take(&mut self.length) {
            0 => None,
            length => Some(self.buffer.get_mut(..length).ok_or(Damage::TooLong).and_then(decode)),
        }
    }

    /// Forgets the bytes of an unfinished frame.
    pub fn clear(&mut self) {
        self.length = 0;
    }
}

/// The packet in a frame without its zeros.
fn decode<'a, T: Deserialize<'a>>(frame: &'a mut [u8]) -> Result<T, Damage> {
    let length = cobs::decode_in_place(frame).map_err(|_| Damage::Stuffing)?;
    let (packet, check) = frame[..length].split_last_chunk::<CHECK_BYTES>().ok_or(Damage::Stuffing)?;
    if CHECK.checksum(packet) != u32::from_le_bytes(*check) {
        return Err(Damage::Check);
    }
    match postcard::take_from_bytes(packet) {
        Ok((message, [])) => Ok(message),
        _ => Err(Damage::Meaning),
    }
}
