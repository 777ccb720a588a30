//! Files that are there whole or not at all.

use std::io::Write;
use std::path::Path;

use npyz::{AutoSerialize, Serialize, WriterBuilder};

use crate::error::Error;

/// Says early whether a file could be written at `path`, before work that takes long.
///
/// # Errors
/// When its folder does not exist, or it is a folder itself.
pub fn check(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Err(Error::file(path, "cannot be written: it is a folder"));
    }
    if !folder(path).is_dir() {
        return Err(Error::file(path, format!("cannot be written: there is no folder {}", folder(path).display())));
    }
    Ok(())
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
    builder.prefix(".microception-");
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
    let shape: Vec<u64> = shape.iter().map(|&extent| extent as u64).collect();
    let mut bytes = Vec::new();
    let written =
        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd().and_then(|mut writer| {
            writer.extend(values)?;
            writer.finish()
        });
    written.map_err(|error| Error::file(path, format!("cannot be written: {error}")))?;
    whole(path, &bytes)
}
