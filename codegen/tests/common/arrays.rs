//! NumPy's `.npz`, as far as the fixtures use it.

use std::io::Read;
use std::path::Path;

/// The arrays of an `.npz`.
pub struct Arrays(std::cell::RefCell<zip::ZipArchive<std::fs::File>>);

impl Arrays {
    pub fn open(file: &Path) -> Arrays {
        let file = std::fs::File::open(file).expect("readable");
        Arrays(std::cell::RefCell::new(zip::ZipArchive::new(file).expect("a zip")))
    }

    /// Shape and the little-endian bytes of an array.
    pub fn array(&self, name: &str) -> Option<(Vec<u64>, Vec<u8>)> {
        let mut archive = self.0.borrow_mut();
        let mut member = archive.by_name(&format!("{name}.npy")).ok()?;
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).expect("readable");
        let npy = npyz::NpyFile::new(&bytes[..]).expect("npy");
        let shape = npy.shape().to_vec();
        // Version 1.0: magic, version, and a 16-bit header length before the header.
        let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        Some((shape, bytes.split_off(header)))
    }

    /// The little-endian bytes of an array that must be there.
    #[allow(dead_code, reason = "shared with tests whose arrays need not be there")]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.array(name).unwrap_or_else(|| panic!("no array {name}")).1
    }
}
