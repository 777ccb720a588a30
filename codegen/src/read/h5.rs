//! Attributes and arrays of an HDF5 file, within a [`Budget`].

mod storage;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hdf5_reader::error::Error as Hdf5Error;
use hdf5_reader::filters::{FILTER_DEFLATE, FILTER_FLETCHER32, FILTER_SHUFFLE};
use hdf5_reader::group::Group;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::{Datatype, Hdf5File, OpenOptions, StringSize};

use super::budget::Budget;
use crate::error::Error;
use storage::{Metered, Stop};

/// The first bytes of every HDF5 file.
pub(super) const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Groups below a layer's group: Keras has two or three (a nested model's name, the layer's name).
const DEEPEST_GROUP: usize = 8;

/// Largest object header: attributes are held in it, and Keras splits theirs at 64 KiB.
const LARGEST_HEADER: usize = 16 << 20;

/// Memory for each chunk of an array in lists of them, and for each of its axes.
const CHUNK: usize = 512;
const CHUNK_AXIS: usize = 64;

/// Chunks that are in memory at a time, before and after a filter and while what is outside of the array is blanked.
const CHUNKS_AT_A_TIME: usize = 3;

/// Memory for a name beside its bytes, in the list and the map that it stands in.
const NAME: usize = 128;

/// An open HDF5 file. Paths have no slash in front; the root is the empty path.
pub(super) struct Hdf5 {
    storage: Arc<Metered>,
    file: RefCell<Hdf5File>,
}

/// An array of the file, not read yet.
pub(super) struct Dataset {
    storage: Arc<Metered>,
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

/// A call of the HDF5 crate that takes its memory from the budget.
fn metered<T>(
    storage: &Metered,
    budget: &mut Budget,
    numbers: bool,
    call: impl FnOnce() -> Result<T, Hdf5Error>,
) -> Result<T, Error> {
    storage.begin(budget.left(), numbers);
    let result = contained(call);
    match storage.end() {
        Ok(bytes) => budget.take(bytes, 1).and(result),
        Err(Stop::Memory) => Err(Budget::exceeded()),
        Err(Stop::Foreign(what)) => Err(foreign(what)),
    }
}

fn foreign(what: &str) -> Error {
    Error::model(format!("is an HDF5 file with {what}, which Keras does not write"))
}

fn open(storage: &Arc<Metered>, budget: &mut Budget) -> Result<Hdf5File, Error> {
    let options = OpenOptions::default()
        .with_chunk_cache_bytes(0)
        .with_max_chunk_bytes(budget.granted())
        .with_max_read_bytes(budget.granted())
        .with_max_object_header_bytes(LARGEST_HEADER);
    metered(storage, budget, false, || Hdf5File::from_storage_with_options(storage.clone(), options))
}

impl Hdf5 {
    /// Opens the file in `bytes`.
    pub(super) fn open(bytes: Vec<u8>, budget: &mut Budget) -> Result<Hdf5, Error> {
        let length = bytes.len() as u64;
        let storage = Arc::new(Metered::new(bytes));
        let file = open(&storage, budget)?;
        // Where a file is cut may be nothing that is read; it still is not the file that was saved.
        let superblock = file.superblock();
        let declared = superblock.base_address.saturating_add(superblock.eof_address);
        if declared > length {
            return Err(damaged(format!("it has {length} of {declared} bytes")));
        }
        match (superblock.offset_size, superblock.length_size) {
            (storage::ADDRESS, storage::ADDRESS) => Ok(Hdf5 { storage, file: RefCell::new(file) }),
            (addresses, lengths) => Err(foreign(&format!("addresses of {addresses} bytes and lengths of {lengths}"))),
        }
    }

    /// Opens the file again where the crate holds much of it: what it has parsed it keeps.
    fn renew(&self, budget: &mut Budget) -> Result<(), Error> {
        let held = self.storage.held();
        if held > budget.granted() / 4 {
            self.storage.forget();
            budget.give(held);
            *self.file.borrow_mut() = open(&self.storage, budget)?;
        }
        Ok(())
    }

    fn call<T>(&self, budget: &mut Budget, call: impl FnOnce(&Hdf5File) -> Result<T, Hdf5Error>) -> Result<T, Error> {
        let file = self.file.borrow();
        metered(&self.storage, budget, false, || call(&file))
    }

    /// The group at `path`; no array may be open, since what it holds would not be given back.
    fn group(&self, path: &str, budget: &mut Budget) -> Result<Option<Group>, Error> {
        self.renew(budget)?;
        self.call(budget, |file| match file.group(path) {
            Ok(group) => Ok(Some(group)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Whether there is a group at `path`.
    pub(super) fn has_group(&self, path: &str, budget: &mut Budget) -> Result<bool, Error> {
        Ok(self.group(path, budget)?.is_some())
    }

    /// Names of the groups and of the arrays in a group; none when it does not exist.
    pub(super) fn members(&self, path: &str, budget: &mut Budget) -> Result<(Vec<String>, Vec<String>), Error> {
        let Some(group) = self.group(path, budget)? else { return Ok((Vec::new(), Vec::new())) };
        let (groups, arrays) = self.call(budget, |_| group.member_names())?;
        for name in groups.iter().chain(&arrays) {
            budget.take(name.len() + NAME, 1)?;
        }
        Ok((groups, arrays))
    }

    /// Paths, relative to `path`, of the arrays in a group and the groups below it, at most `limit`.
    pub(super) fn arrays_below(&self, path: &str, limit: usize, budget: &mut Budget) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let mut open = vec![(String::new(), 0)];
        while let Some((inside, depth)) = open.pop() {
            let (groups, arrays) = self.members(&format!("{path}/{inside}"), budget)?;
            budget.take(groups.len() + arrays.len(), inside.len() + NAME)?;
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
        let Some(group) = self.group(path, budget)? else { return Ok(None) };
        // The raw attributes, since the crate's decoded ones unpack every text of every attribute,
        // of which a file may have many more than its size lets one expect.
        let attributes = self.call(budget, |_| group.raw_attributes())?;
        let Some(attribute) = attributes.iter().find(|attribute| attribute.name() == name) else { return Ok(None) };
        let message = attribute.message();
        let raw = message.raw_data.as_slice();
        let texts: Vec<Vec<u8>> = match &message.datatype {
            Datatype::String { size: StringSize::Fixed(size), .. } if *size > 0 => {
                budget.take(raw.len(), 1)?;
                budget.take(raw.len() / *size as usize, NAME)?;
                raw.chunks_exact(*size as usize).map(<[u8]>::to_vec).collect()
            }
            Datatype::VarLen { .. } | Datatype::String { size: StringSize::Variable, .. } => {
                let reference = 8 + usize::from(group.offset_size());
                let mut texts = Vec::new();
                for reference in raw.chunks_exact(reference) {
                    let text = self.call(budget, |_| group.resolve_vlen_reference_bytes(reference, 1))?;
                    budget.take(text.len() + NAME, 1)?;
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
    pub(super) fn dataset(&self, path: &str, budget: &mut Budget) -> Result<Option<Dataset>, Error> {
        budget.take(path.len() + NAME, 2)?;
        let found = self.call(budget, |file| match file.dataset(path) {
            Ok(dataset) => {
                let header = file.get_or_parse_header(dataset.address())?;
                Ok(Some((dataset, unknown_filter(&header.messages))))
            }
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        })?;
        let Some((dataset, filter)) = found else { return Ok(None) };
        if let Some(filter) = filter {
            let reason =
                format!("an array is compressed by filter {filter}; supported are gzip, shuffle and Fletcher32");
            return Err(Error::model(reason));
        }
        let extents = dataset.shape().iter().map(|&extent| usize::try_from(extent).ok()).collect::<Option<_>>();
        let extents = extents.ok_or_else(|| damaged("an array is too large"))?;
        Ok(Some(Dataset { storage: self.storage.clone(), dataset, extents }))
    }
}

/// A filter that an object's chunks went through, other than those whose memory follows from the chunk: what the others
/// take may stand in the file.
fn unknown_filter(messages: &[HdfMessage]) -> Option<u16> {
    let bounded = [FILTER_DEFLATE, FILTER_SHUFFLE, FILTER_FLETCHER32];
    let pipelines = messages.iter().filter_map(|message| match message {
        HdfMessage::FilterPipeline(pipeline) => Some(&pipeline.filters),
        _ => None,
    });
    pipelines.flatten().map(|filter| filter.id).find(|id| !bounded.contains(id))
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
        if let Some(chunk) = self.dataset.chunks() {
            self.chunks(&chunk, count, size, budget)?;
        }
        let bytes = metered(&self.storage, budget, true, || self.dataset.read_native_bytes())?;
        if bytes.len() != count * size {
            return Err(damaged("an array is shorter than its shape says"));
        }
        Ok(match size {
            2 => bytes.as_chunks().0.iter().map(|&bytes| half(u16::from_ne_bytes(bytes))).collect(),
            4 => bytes.as_chunks().0.iter().map(|&bytes| f32::from_ne_bytes(bytes)).collect(),
            _ => bytes.as_chunks().0.iter().map(|&bytes| f64::from_ne_bytes(bytes) as f32).collect(),
        })
    }

    /// Takes what an array of `count` numbers of `size` bytes takes beside them when it is in chunks of the extents
    /// `chunk`, which may be larger than the array.
    fn chunks(&self, chunk: &[u32], count: usize, size: usize, budget: &mut Budget) -> Result<(), Error> {
        let too_large = || damaged("an array has too large chunks");
        let numbers = chunk.iter().try_fold(size, |bytes, &extent| bytes.checked_mul(extent as usize));
        let numbers = numbers.and_then(|bytes| bytes.checked_mul(CHUNKS_AT_A_TIME)).ok_or_else(too_large)?;
        budget.take(numbers, 1)?;
        budget.give(numbers);
        let mut chunks = 1usize;
        for (&extent, &chunk) in self.extents.iter().zip(chunk) {
            let along = if chunk == 0 { None } else { Some(extent.div_ceil(chunk as usize)) };
            chunks = along.and_then(|along| chunks.checked_mul(along)).ok_or_else(too_large)?;
        }
        // The list of them, and a copy of the numbers, stay with the file.
        let list = chunks.checked_mul(CHUNK + CHUNK_AXIS * chunk.len());
        let kept = list.and_then(|list| list.checked_add(count * size)).ok_or_else(too_large)?;
        budget.take(kept, 1)?;
        self.storage.hold(kept);
        Ok(())
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
