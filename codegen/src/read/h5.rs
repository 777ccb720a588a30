//! Attributes and arrays of an HDF5 file, within a [`Budget`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use hdf5_reader::error::Error as Hdf5Error;
use hdf5_reader::group::Group;
use hdf5_reader::{Datatype, Hdf5File, OpenOptions, StringSize};

use super::budget::Budget;
use crate::error::Error;

/// The first bytes of every HDF5 file.
pub(super) const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Groups below a layer's group: Keras has two or three (a nested model's name, the layer's name).
const DEEPEST_GROUP: usize = 8;

/// Largest object header: attributes are held in it, and Keras splits theirs at 64 KiB.
const LARGEST_HEADER: usize = 16 << 20;

/// An open HDF5 file. Paths have no slash in front; the root is the empty path.
pub(super) struct Hdf5 {
    file: Hdf5File,
}

/// An array of the file, not read yet.
pub(super) struct Dataset {
    dataset: hdf5_reader::Dataset,
    /// Extents as stored.
    pub(super) extents: Vec<usize>,
}

fn damaged(error: impl std::fmt::Display) -> Error {
    Error::model(format!("damaged HDF5 file: {error}"))
}

/// Runs a call of the HDF5 crate, the one place where its panics are contained: it promises errors
/// for damaged files, but it is a large parser and a file must not bring down its reader. Nothing of
/// ours is changed inside the call, and after an error the file is not used any more.
fn contained<T>(call: impl FnOnce() -> Result<T, Hdf5Error>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(damaged),
        Err(_) => Err(damaged("its structure makes no sense")),
    }
}

fn is_missing(error: &Hdf5Error) -> bool {
    match error {
        Hdf5Error::GroupNotFound(_) | Hdf5Error::DatasetNotFound(_) => true,
        Hdf5Error::Context { source, .. } => is_missing(source),
        _ => false,
    }
}

impl Hdf5 {
    /// Opens the file in `bytes`.
    pub(super) fn open(bytes: Vec<u8>, budget: &Budget) -> Result<Hdf5, Error> {
        let options = OpenOptions::default()
            .with_chunk_cache_bytes(0)
            .with_max_chunk_bytes(budget.granted())
            .with_max_read_bytes(budget.granted())
            .with_max_object_header_bytes(LARGEST_HEADER);
        let length = bytes.len() as u64;
        let file = contained(|| Hdf5File::from_vec_with_options(bytes, options))?;
        // Where a file is cut may be nothing that is read; it still is not the file that was saved.
        let superblock = file.superblock();
        match superblock.base_address.saturating_add(superblock.eof_address) {
            declared if declared > length => Err(damaged(format!("it has {length} of {declared} bytes"))),
            _ => Ok(Hdf5 { file }),
        }
    }

    fn group(&self, path: &str) -> Result<Option<Group>, Error> {
        contained(|| match self.file.group(path) {
            Ok(group) => Ok(Some(group)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Whether there is a group at `path`.
    pub(super) fn has_group(&self, path: &str) -> Result<bool, Error> {
        Ok(self.group(path)?.is_some())
    }

    /// Names of the groups and of the arrays in a group; none when it does not exist.
    pub(super) fn members(&self, path: &str) -> Result<(Vec<String>, Vec<String>), Error> {
        match self.group(path)? {
            Some(group) => contained(|| group.member_names()),
            None => Ok((Vec::new(), Vec::new())),
        }
    }

    /// Paths, relative to `path`, of the arrays in a group and the groups below it, at most `limit`.
    pub(super) fn arrays_below(&self, path: &str, limit: usize) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let mut open = vec![(String::new(), 0)];
        while let Some((inside, depth)) = open.pop() {
            let (groups, arrays) = self.members(&format!("{path}/{inside}"))?;
            found.extend(arrays.into_iter().map(|name| format!("{inside}{name}")));
            if found.len() > limit {
                return Err(damaged(format!("{path} has more than {limit} arrays")));
            }
            if depth < DEEPEST_GROUP && open.len() <= limit {
                open.extend(groups.into_iter().map(|name| (format!("{inside}{name}/"), depth + 1)));
            }
        }
        Ok(found)
    }

    /// A text attribute of a group; `None` when the group or the attribute does not exist.
    pub(super) fn text(&self, path: &str, name: &str, budget: &mut Budget) -> Result<Option<String>, Error> {
        let Some(texts) = self.texts(path, name, budget)? else { return Ok(None) };
        match <[String; 1]>::try_from(texts) {
            Ok([text]) => Ok(Some(text)),
            Err(texts) => Err(damaged(format!("attribute \"{name}\" has {} texts instead of one", texts.len()))),
        }
    }

    /// An attribute that is a list of texts; `None` when the group or the attribute does not exist.
    pub(super) fn texts(&self, path: &str, name: &str, budget: &mut Budget) -> Result<Option<Vec<String>>, Error> {
        let Some(group) = self.group(path)? else { return Ok(None) };
        // The raw attributes, since the crate's decoded ones unpack every text of every attribute,
        // of which a file may have many more than its size lets one expect.
        let attributes = contained(|| group.raw_attributes())?;
        let Some(attribute) = attributes.iter().find(|attribute| attribute.name() == name) else { return Ok(None) };
        let message = attribute.message();
        let raw = message.raw_data.as_slice();
        let texts: Vec<Vec<u8>> = match &message.datatype {
            Datatype::String { size: StringSize::Fixed(size), .. } if *size > 0 => {
                budget.take(raw.len(), 1)?;
                raw.chunks_exact(*size as usize).map(<[u8]>::to_vec).collect()
            }
            Datatype::VarLen { .. } | Datatype::String { size: StringSize::Variable, .. } => {
                let reference = 8 + usize::from(group.offset_size());
                let mut texts = Vec::new();
                for reference in raw.chunks_exact(reference) {
                    let text = contained(|| group.resolve_vlen_reference_bytes(reference, 1))?;
                    budget.take(text.len(), 1)?;
                    texts.push(text);
                }
                texts
            }
            // An empty list has no texts, so h5py gives it a type of numbers.
            _ if raw.is_empty() => Vec::new(),
            _ => return Err(damaged(format!("attribute \"{name}\" is not text"))),
        };
        let decode = |mut text: Vec<u8>| {
            text.truncate(text.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1));
            String::from_utf8(text).map_err(|_| damaged(format!("attribute \"{name}\" is not UTF-8")))
        };
        texts.into_iter().map(decode).collect::<Result<_, _>>().map(Some)
    }

    /// The array at `path`; `None` when it does not exist.
    pub(super) fn dataset(&self, path: &str) -> Result<Option<Dataset>, Error> {
        let found = contained(|| match self.file.dataset(path) {
            Ok(dataset) => Ok(Some(dataset)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        })?;
        let Some(dataset) = found else { return Ok(None) };
        let extents = dataset.shape().iter().map(|&extent| usize::try_from(extent).ok()).collect::<Option<_>>();
        Ok(Some(Dataset { extents: extents.ok_or_else(|| damaged("an array is too large"))?, dataset }))
    }
}

impl Dataset {
    /// The numbers, in memory order, as f32: 16 and 64 bit floats are converted.
    pub(super) fn numbers(&self, budget: &mut Budget) -> Result<Vec<f32>, Error> {
        let size = match self.dataset.dtype() {
            Datatype::FloatingPoint { size: size @ (2 | 4 | 8), .. } => usize::from(*size),
            other => {
                return Err(Error::model(format!(
                    "has numbers of type {} where 16, 32 or 64 bit floats are expected; save the model with \
                     dtype \"float32\"",
                    kind(other)
                )));
            }
        };
        let count = self.extents.iter().try_fold(1usize, |count, &extent| count.checked_mul(extent));
        let count = count.ok_or_else(|| damaged("an array is too large"))?;
        budget.take(count, size_of::<f32>() + size)?;
        let bytes = contained(|| self.dataset.read_native_bytes())?;
        if bytes.len() != count * size {
            return Err(damaged("an array is shorter than its shape says"));
        }
        Ok(match size {
            2 => bytes.as_chunks().0.iter().map(|&bytes| half(u16::from_ne_bytes(bytes))).collect(),
            4 => bytes.as_chunks().0.iter().map(|&bytes| f32::from_ne_bytes(bytes)).collect(),
            _ => bytes.as_chunks().0.iter().map(|&bytes| f64::from_ne_bytes(bytes) as f32).collect(),
        })
    }
}

/// A datatype in words.
fn kind(datatype: &Datatype) -> String {
    match datatype {
        Datatype::FixedPoint { size, signed, .. } => {
            format!("{}int{}", if *signed { "" } else { "u" }, u32::from(*size) * 8)
        }
        Datatype::FloatingPoint { size, .. } => format!("float{}", u32::from(*size) * 8),
        Datatype::String { .. } | Datatype::VarLen { .. } => "text".to_owned(),
        // Keras stores bfloat16 as opaque bytes.
        Datatype::Opaque { size: 2, .. } => "bfloat16".to_owned(),
        _ => "unknown kind".to_owned(),
    }
}

/// IEEE half precision to single, which holds every half exactly.
fn half(bits: u16) -> f32 {
    let magnitude = match ((bits >> 10) & 0x1f, f32::from(bits & 0x3ff)) {
        (0, fraction) => fraction * 2f32.powi(-24),
        (0x1f, 0.0) => f32::INFINITY,
        (0x1f, _) => f32::NAN,
        (exponent, fraction) => (1.0 + fraction / 1024.0) * 2f32.powi(i32::from(exponent) - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn halves_are_exact() {
        let known = [(0x0000, 0.0), (0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0400, 6.103_515_6e-5)];
        for (bits, value) in known {
            assert_eq!(half(bits), value);
        }
        assert_eq!(half(0x0001), 5.960_464_5e-8);
        assert_eq!(half(0x8000).to_bits(), (-0f32).to_bits());
        assert_eq!(half(0xfc00), f32::NEG_INFINITY);
        assert!(half(0x7e00).is_nan());
    }
}
