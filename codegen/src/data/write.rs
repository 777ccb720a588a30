//! Files that are there whole or not at all.

use std::collections::HashSet;
use std::io::{Cursor, Write};
use std::path::Path;

use npyz::{AutoSerialize, Serialize, WriterBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::data::array::Numbers;
use crate::error::Error;

/// The most bytes of a zip's member of the usual form, less what an `.npy` file has beside its numbers.
const LARGEST_MEMBER: usize = u32::MAX as usize - (1 << 16);

/// How the names of files in the making begin.
const PREFIX: &str = ".microception-";

/// Says early whether a file could be written at `path`, before work that takes long.
///
/// # Errors
/// When its folder does not exist or nothing can be written there, or it is a folder itself.
pub fn check(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Err(Error::file(path, "cannot be written: it is a folder"));
    }
    if !folder(path).is_dir() {
        return Err(Error::file(path, format!("cannot be written: there is no folder {}", folder(path).display())));
    }
    // Devices and pipes are written to as they are; all else begins as a new file in the folder.
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Ok(());
    }
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder(&target)).map(drop).map_err(|error| {
        let (folder, reason) = (folder(&target).display(), error.kind());
        Error::file(path, format!("cannot be written: the folder {folder} takes no new file: {reason}"))
    })
}

/// [`check`], and that it is none of the files that are `read`, which stay as they are.
///
/// # Errors
/// As [`check`], and when it is one of them.
pub fn check_apart<'a>(path: &Path, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
    check(path)?;
    match read.into_iter().any(|read| is_same_file(path, read)) {
        true => Err(Error::file(path, "cannot be written: it is read from")),
        false => Ok(()),
    }
}

/// Whether two paths lead to one file that exists.
pub fn is_same_file(first: &Path, second: &Path) -> bool {
    std::fs::canonicalize(first).is_ok_and(|first| std::fs::canonicalize(second).is_ok_and(|second| first == second))
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes `bytes` to the file at `path`, in place of what was there. They go into a temporary file beside it
/// that then takes its name, so nothing half-written is ever seen, whatever goes wrong. A link stays a link; a
/// device or a pipe is written to as it is.
///
/// # Errors
/// When the folder does not exist or can't be written to.
pub fn whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::file(path, format!("cannot be written: {error}"));
    check(path)?;
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        let device = std::fs::OpenOptions::new().write(true).open(path);
        return device.and_then(|mut device| device.write_all(bytes)).map_err(failed);
    }
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    // Temporary files are private to their owner by default; this one is to be an ordinary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder(path)).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map(drop).map_err(|error| failed(error.error))
}

/// Writes an array as an `.npy` file, in C order.
///
/// # Errors
/// As [`whole`].
pub fn npy<T: AutoSerialize + Serialize>(
    path: &Path,
    shape: &[usize],
    values: impl IntoIterator<Item = T>,
) -> Result<(), Error> {
    let bytes = npy_bytes(shape, values);
    whole(path, &bytes.map_err(|error| Error::file(path, format!("cannot be written: {error}")))?)
}

/// As [`npy`], of numbers of whatever type.
///
/// # Errors
/// As [`whole`].
pub fn numbers(path: &Path, shape: &[usize], numbers: Numbers) -> Result<(), Error> {
    match numbers {
        Numbers::U8(values) => npy(path, shape, values),
        Numbers::I8(values) => npy(path, shape, values),
        Numbers::I16(values) => npy(path, shape, values),
        Numbers::I64(values) => npy(path, shape, values),
        Numbers::F32(values) => npy(path, shape, values),
    }
}

/// The bytes of an `.npy` file.
fn npy_bytes<T: AutoSerialize + Serialize>(
    shape: &[usize],
    values: impl IntoIterator<Item = T>,
) -> std::io::Result<Vec<u8>> {
    let shape: Vec<u64> = shape.iter().map(|&extent| extent as u64).collect();
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    writer.extend(values)?;
    writer.finish()?;
    Ok(bytes)
}

/// An `.npz` in the making: arrays with names, compressed.
pub struct Npz {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    names: HashSet<String>,
}

impl Npz {
    /// Without arrays.
    #[expect(clippy::new_without_default, reason = "an archive without arrays is of no use")]
    pub fn new() -> Npz {
        Npz { zip: ZipWriter::new(Cursor::new(Vec::new())), names: HashSet::new() }
    }

    /// Appends an array, in C order, and returns the name that it has in the archive: another than `name` where that
    /// is taken.
    ///
    /// # Errors
    /// When the archive can't hold an array of that name or size.
    pub fn array<T: AutoSerialize + Serialize>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = T>,
    ) -> Result<String, Error> {
        let mut free = name.to_owned();
        let mut others = 1;
        while !self.names.insert(free.clone()) {
            free = format!("{name}_{others}");
            others += 1;
        }
        // Beyond four gigabytes a member has another form.
        let large = shape.iter().product::<usize>().saturating_mul(size_of::<T>()) > LARGEST_MEMBER;
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(large);
        let failed = |error: std::io::Error| Error::layer(name, format!("cannot be written: {error}"));
        let bytes = npy_bytes(shape, values).map_err(failed)?;
        self.zip.start_file(format!("{free}.npy"), options).map_err(|error| failed(error.into()))?;
        self.zip.write_all(&bytes).map_err(failed)?;
        Ok(free)
    }

    /// As [`array`](Npz::array), of numbers of whatever type.
    ///
    /// # Errors
    /// As [`array`](Npz::array).
    pub fn numbers(&mut self, name: &str, shape: &[usize], numbers: Numbers) -> Result<String, Error> {
        match numbers {
            Numbers::U8(values) => self.array(name, shape, values),
            Numbers::I8(values) => self.array(name, shape, values),
            Numbers::I16(values) => self.array(name, shape, values),
            Numbers::I64(values) => self.array(name, shape, values),
            Numbers::F32(values) => self.array(name, shape, values),
        }
    }

    /// Writes it to the file at `path`.
    ///
    /// # Errors
    /// As [`whole`].
    pub fn write(self, path: &Path) -> Result<(), Error> {
        let bytes = self.zip.finish().map_err(|error| Error::file(path, format!("cannot be written: {error}")))?;
        whole(path, bytes.get_ref())
    }
}
