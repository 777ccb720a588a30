//! Changes to files.

use fastrand::Rng;
use libfuzzer_sys::fuzzer_mutate;

use crate::{archive, hdf5};

/// Which format a target's files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A zip of JSON and HDF5.
    Keras,
    /// HDF5.
    Hdf5,
    /// A flatbuffer.
    Tflite,
    /// Protobuf messages.
    Onnx,
}

/// Numbers that make trouble, as the formats hold them.
const NUMBERS: [u64; 14] = [0, 1, 2, 3, 4, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/// Changes files of one format.
#[derive(Debug)]
pub struct Mutator {
    random: Rng,
}

impl Mutator {
    /// One that makes the same choices for the same seed, but for what libFuzzer's own changes choose.
    pub fn new(seed: u32) -> Mutator {
        Mutator { random: Rng::with_seed(u64::from(seed)) }
    }

    /// Changes the file in the first `size` bytes of `data` to one of at most `most` bytes; how many it has.
    pub fn change(&mut self, format: Format, data: &mut [u8], size: usize, most: usize) -> usize {
        let plainly = self.random.u8(..8) == 0;
        if format == Format::Keras
            && !plainly
            && let Some(changed) = self.archive(&data[..size], most)
        {
            data[..changed.len()].copy_from_slice(&changed);
            return changed.len();
        }
        // Files refer to their parts by offsets: bytes put in or taken out damage all that follow.
        if size == 0 || size > most || plainly {
            return fuzzer_mutate(data, size, most);
        }
        self.in_place(format, &mut data[..size]);
        size
    }

    /// Changes one member of an archive and packs it again.
    fn archive(&mut self, bytes: &[u8], most: usize) -> Option<Vec<u8>> {
        let mut members = archive::members(bytes, most.max(1 << 16))?;
        let index = if members.is_empty() { return None } else { self.random.usize(..members.len()) };
        let member = &mut members[index];
        if member.name.ends_with(".json") {
            let size = member.bytes.len();
            let room = size + 1024;
            member.bytes.resize(room, 0);
            let size = fuzzer_mutate(&mut member.bytes, size, room);
            member.bytes.truncate(size);
        } else if member.bytes.is_empty() {
            return None;
        } else {
            self.in_place(Format::Hdf5, &mut member.bytes);
        }
        let deflate = self.random.u8(..4) == 0;
        archive::pack(&members, deflate).filter(|packed| packed.len() <= most)
    }

    /// Changes a few bytes without a change of length, and puts checksums right.
    fn in_place(&mut self, format: Format, bytes: &mut [u8]) {
        for _ in 0..=self.random.usize(..3) {
            let start = self.random.usize(..bytes.len());
            let sums = if format == Format::Hdf5 { hdf5::checksum_over(bytes, start) } else { None };
            let rest = &mut bytes[start..];
            match self.random.u8(..6) {
                // A number of the usual sizes, most often at its alignment.
                0..=2 => {
                    let width = [1, 2, 4, 8][self.random.usize(..4)];
                    let start = if self.random.u8(..4) > 0 { start / width * width } else { start };
                    let place = &mut bytes[start..];
                    let number = match self.random.u8(..3) {
                        0 => NUMBERS[self.random.usize(..NUMBERS.len())],
                        1 => NUMBERS[self.random.usize(..NUMBERS.len())].wrapping_neg(),
                        _ => {
                            let mut old = [0; 8];
                            place.iter().zip(&mut old[..width]).for_each(|(byte, old)| *old = *byte);
                            let by = self.random.u64(1..9);
                            let old = u64::from_le_bytes(old);
                            if self.random.bool() { old.wrapping_add(by) } else { old.wrapping_sub(by) }
                        }
                    };
                    place.iter_mut().zip(number.to_le_bytes()).take(width).for_each(|(byte, new)| *byte = new);
                }
                // What stands somewhere else: an offset of another table, another type.
                3 => {
                    let from = self.random.usize(..bytes.len());
                    let length = self.random.usize(1..17);
                    let end = bytes.len().min(from + length);
                    let piece = bytes[from..end].to_vec();
                    bytes[start..].iter_mut().zip(piece).for_each(|(byte, new)| *byte = new);
                }
                // libFuzzer's own changes, which know what bytes were compared with and the dictionary.
                _ => {
                    let length = self.random.usize(1..65).min(rest.len());
                    let mut piece = rest[..length].to_vec();
                    let changed = fuzzer_mutate(&mut piece, length, length).min(length);
                    // JSON in the middle of a file stays JSON when what is missing is filled with blanks.
                    piece[changed..].fill(if rest.first().is_some_and(u8::is_ascii_graphic) { b' ' } else { 0 });
                    rest[..length].copy_from_slice(&piece);
                }
            }
            if let Some(sums) = sums {
                sums.repair(bytes);
            }
        }
    }
}
