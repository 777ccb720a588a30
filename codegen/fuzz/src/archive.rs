//! Members of zip files, whose checksums would refuse every changed byte.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// A member.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The members of an archive, each of at most `most` bytes; `None` when it can't be unpacked.
pub fn members(bytes: &[u8], most: usize) -> Option<Vec<Member>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut members = Vec::new();
    for index in 0..archive.len().min(8) {
        let file = archive.by_index(index).ok()?;
        let name = file.name().ok()?.into_owned();
        let mut bytes = Vec::new();
        file.take(most as u64).read_to_end(&mut bytes).ok()?;
        members.push(Member { name, bytes });
    }
    Some(members)
}

/// An archive of these members.
pub fn pack(members: &[Member], deflate: bool) -> Option<Vec<u8>> {
    let method = if deflate { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let options = SimpleFileOptions::default().compression_method(method);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for member in members {
        writer.start_file(&*member.name, options).ok()?;
        writer.write_all(&member.bytes).ok()?;
    }
    Some(writer.finish().ok()?.into_inner())
}
