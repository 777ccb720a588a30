//! How much memory a file may make the reader take.

use crate::error::Error;

/// Bytes of memory per byte of the file, at most: what may be unpacked, a copy of the file and its tables.
const MOST_PER_BYTE: usize = 66;

/// Granted beside that to every file.
const MOST_BASE: usize = 4 << 20;

/// The most bytes of memory that reading a file of `file_bytes` takes at a time, whatever is in it.
pub fn most_memory(file_bytes: usize) -> usize {
    file_bytes.saturating_mul(MOST_PER_BYTE).saturating_add(MOST_BASE)
}

/// Unpacked bytes per byte of the file. Trained weights hardly compress; JSON does, about twenty times.
const RATIO: usize = 64;

/// Granted to every file, so that tiny ones with a large architecture are read too.
const BASE: usize = 1 << 20;

/// Bytes that may still be unpacked from a file. Everything whose size the file declares is taken from
/// here before it is allocated.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    granted: usize,
}

impl Budget {
    /// For a file of `bytes`.
    pub(super) fn for_file(bytes: usize) -> Budget {
        let granted = bytes.saturating_mul(RATIO).saturating_add(BASE);
        Budget { left: granted, granted }
    }

    /// What was granted at the start.
    pub(super) fn granted(&self) -> usize {
        self.granted
    }

    /// What is left of it.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Gives back `bytes` that were taken and are not held any more.
    pub(super) fn give(&mut self, bytes: usize) {
        self.left = self.left.saturating_add(bytes).min(self.granted);
    }

    /// Takes `count` elements of `size` bytes.
    pub(super) fn take(&mut self, count: usize, size: usize) -> Result<(), Error> {
        match count.checked_mul(size).and_then(|bytes| self.left.checked_sub(bytes)) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Budget::exceeded()),
        }
    }

    /// That a file takes more than it may.
    pub(super) fn exceeded() -> Error {
        Error::model(format!("unpacks to more than {RATIO} times its size: damaged, or made to exhaust memory"))
    }
}
