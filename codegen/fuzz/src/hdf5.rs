//! Checksums of HDF5's newer structures: a changed byte would be refused for them before it is looked at.

/// What structures with a checksum begin with.
const SIGNATURES: [&[u8; 4]; 16] = [
    b"\x89HDF", b"OHDR", b"OCHK", b"FRHP", b"FHDB", b"FHIB", b"BTHD", b"BTLF", b"BTIN", b"FAHD", b"FADB", b"EAHD",
    b"EAIB", b"EADB", b"SMTB", b"SMLI",
];

/// Bytes of a structure within which its checksum is looked for.
const FARTHEST: usize = 1024;

/// A checksum, and the bytes that it is over.
#[derive(Debug, Clone, Copy)]
pub struct Checksum {
    start: usize,
    end: usize,
}

/// The checksum over the byte at `place`, if there is one, and if it is right now.
pub fn checksum_over(bytes: &[u8], place: usize) -> Option<Checksum> {
    let start = (place.saturating_sub(FARTHEST)..=place).rev().find(|&start| {
        bytes.get(start..start + 4).is_some_and(|begin| SIGNATURES.iter().any(|signature| begin == *signature))
    })?;
    let last = bytes.len().saturating_sub(4).min(start + FARTHEST);
    let end = (place + 1..=last).find(|&end| {
        bytes.get(end..end + 4) == Some(&hdf5_core::jenkins_lookup3(&bytes[start..end]).to_le_bytes()[..])
    })?;
    Some(Checksum { start, end })
}

impl Checksum {
    /// Makes it right again.
    pub fn repair(self, bytes: &mut [u8]) {
        let sum = hdf5_core::jenkins_lookup3(&bytes[self.start..self.end]);
        bytes[self.end..self.end + 4].copy_from_slice(&sum.to_le_bytes());
    }
}
