//! The bytes of an HDF5 file, and what the HDF5 crate makes of those it asks for.
//!
//! The crate bounds single headers and chunks, but not what all its tables take together, and a few bytes of the file
//! can make it allocate far more than they are: a count that stands in front of nothing, names that overlap, types
//! within types. So everything it reads passes here first. Its price in memory is taken from what a call may take, and
//! what no Keras file has is refused. Addresses and lengths have [`ADDRESS`] bytes here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdf5_reader::error::Error;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::storage::{BytesStorage, Storage, StorageBuffer};

/// Bytes of an address and of a length.
pub(super) const ADDRESS: u8 = 8;

/// Memory for each read: places that were visited, an entry of a cache.
const READ: usize = 64;

/// Memory for each object header: its entry in the cache, and its share of the object it belongs to.
const HEADER: usize = 1024;

/// Memory for each message of an object header: itself while the list of them grows and when it is copied, and a link's
/// name and target in the listing of its group.
const MESSAGE: usize = 1024;

/// Copies of the bytes of a message: in the cache, in the listing or the object made of it, and as they are handed out.
const MESSAGE_COPIES: usize = 8;

/// Memory per byte of a pipeline of filters, whose parameters become lists.
const FILTER: usize = 32;

/// Memory per byte of a node of a tree or a table of links.
const NODE: usize = 32;

/// Memory per byte of a heap, whose objects are copied one by one.
const HEAP: usize = 8;

/// Copies of a link's name, with what it costs to hold one that is empty.
const NAME_COPIES: usize = 4;
const NAME: usize = 32;

/// Bytes of an entry of a table of links, and of the smallest record of a newer tree.
const ENTRY: usize = 40;
const LEAST_RECORD: usize = 8;

/// Memory for a record of a newer tree, and the most that a node can say to have: room is made for them before it shows
/// whether they are there.
const RECORD: usize = 64;
const MOST_RECORDS: usize = u16::MAX as usize;

/// Memory for a page of a list of chunks, of which the file has one bit where it was never written.
const PAGE: usize = 32;

/// Bytes in front of a message in an object header of the first version.
const FIRST_ENVELOPE: usize = 8;

/// Message types that matter here.
const DATATYPE: usize = 0x03;
const EXTERNAL_FILES: usize = 0x07;
const FILTER_PIPELINE: usize = 0x0b;
const ATTRIBUTE: usize = 0x0c;
const ATTRIBUTE_INFO: usize = 0x15;

/// Classes of types.
const COMPOUND: u8 = 6;
const ENUMERATION: u8 = 8;
const SEQUENCE: u8 = 9;
const ARRAY: u8 = 10;

/// Why a call of the crate was stopped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop {
    /// It would have taken more memory than it may.
    Memory,
    /// The file has this, which no Keras file has.
    Foreign(&'static str),
}

/// The bytes, and what was made of them.
pub(super) struct Metered {
    bytes: BytesStorage,
    meter: Mutex<Meter>,
}

impl Metered {
    pub(super) fn new(bytes: Vec<u8>) -> Metered {
        Metered { bytes: BytesStorage::new(bytes), meter: Mutex::default() }
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a call of the crate, which may take `most` bytes of memory; with `numbers` it reads an array, whose own
    /// size is the caller's to mind.
    pub(super) fn begin(&self, most: usize, numbers: bool) {
        let mut meter = self.meter();
        meter.left = most;
        meter.taken = 0;
        meter.stop = None;
        meter.numbers = numbers;
    }

    /// After it: the bytes that it took, or why it was stopped, whatever the crate made of that.
    pub(super) fn end(&self) -> Result<usize, Stop> {
        let mut meter = self.meter();
        match meter.stop {
            Some(stop) => Err(stop),
            None => {
                let taken = meter.taken;
                meter.held += taken;
                Ok(taken)
            }
        }
    }

    /// The crate keeps `bytes` more until the file is opened again.
    pub(super) fn hold(&self, bytes: usize) {
        self.meter().held += bytes;
    }

    /// What all calls took since the file was opened.
    pub(super) fn held(&self) -> usize {
        self.meter().held
    }

    /// Before the file is opened again: nothing is held of it.
    pub(super) fn forget(&self) {
        *self.meter() = Meter::default();
    }
}

impl Storage for Metered {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read_range(&self, offset: u64, len: usize) -> Result<StorageBuffer, Error> {
        let buffer = self.bytes.read_range(offset, len)?;
        let mut meter = self.meter();
        match meter.read(offset, &buffer) {
            Ok(()) => Ok(buffer),
            Err(stop) => {
                meter.stop = Some(stop);
                Err(Error::ResourceLimit("stopped".to_owned()))
            }
        }
    }
}

/// Prices of what is read, in bytes of memory.
#[derive(Debug, Default)]
struct Meter {
    left: usize,
    taken: usize,
    held: usize,
    stop: Option<Stop>,
    numbers: bool,
    /// Entries of tables of links so far, and the longest name in a heap that they point into.
    entries: usize,
    longest_name: usize,
    /// The same for records of newer trees, and blocks of their heaps.
    records: usize,
    longest_block: usize,
    /// Bytes of the segment of names that the heap seen last has.
    segment: Option<usize>,
    /// Where the front of an object header of the first version was read, until the whole is.
    first_header: Option<u64>,
    /// Bytes in front of a message in the newer object header that was seen last.
    envelope: usize,
}

/// The whole number in `bytes`, least significant byte first.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().rev().take(size_of::<usize>()).fold(0, |number, &byte| number << 8 | usize::from(byte))
}

fn field(bytes: &[u8], start: usize, length: usize) -> usize {
    bytes.get(start..start + length).map_or(0, number)
}

impl Meter {
    fn take(&mut self, count: usize, size: usize) -> Result<(), Stop> {
        match count.checked_mul(size).filter(|&bytes| bytes <= self.left) {
            Some(bytes) => {
                self.left -= bytes;
                self.taken += bytes;
                Ok(())
            }
            None => Err(Stop::Memory),
        }
    }

    fn read(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.take(1, READ)?;
        let (length, signature) = (bytes.len(), bytes.get(..4).unwrap_or_default());
        if self.numbers {
            return match signature {
                b"TREE" | b"BTLF" | b"BTIN" | b"FADB" | b"EAHD" | b"EAIB" | b"EASB" | b"EADB" => {
                    self.take(length, NODE)
                }
                b"BTHD" => self.tree(bytes),
                b"FAHD" => {
                    let bits = bytes.get(7).map_or(0, |&bits| u32::from(bits));
                    self.take(field(bytes, 8, 8).checked_shr(bits).unwrap_or(0), PAGE)
                }
                _ => Ok(()),
            };
        }
        // Names may begin with what is a signature elsewhere.
        if self.segment == Some(length) {
            self.names(bytes)?;
        }
        match signature {
            b"TREE" => self.take(length, NODE),
            b"SNOD" => {
                self.take(length, NODE)?;
                let entries = length / ENTRY;
                self.entries += entries;
                self.take(entries, (self.longest_name + NAME) * NAME_COPIES)
            }
            b"HEAP" => {
                self.segment = Some(field(bytes, 8, 8));
                Ok(())
            }
            b"BTHD" => self.tree(bytes),
            b"BTLF" | b"BTIN" => {
                self.take(length, NODE)?;
                let records = length / LEAST_RECORD;
                self.records += records;
                self.take(records, self.longest_block * NAME_COPIES)
            }
            b"FRHP" if field(bytes, 7, 2) > 0 => Err(Stop::Foreign("a heap that is compressed")),
            b"FHDB" => {
                self.take(length, HEAP)?;
                let longer = length.saturating_sub(self.longest_block);
                self.longest_block += longer;
                self.take(self.records, longer * NAME_COPIES)
            }
            b"GCOL" => self.take(length, HEAP),
            b"SMTB" | b"SMLI" => Err(Stop::Foreign("headers that share messages")),
            b"OHDR" => self.header(bytes),
            b"OCHK" => self.messages(bytes.get(4..length.saturating_sub(4)).unwrap_or_default(), self.envelope.max(4)),
            _ => self.unsigned(offset, bytes),
        }
    }

    /// The names that tables of links point into, where they may overlap.
    fn names(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let longest = bytes.split(|&byte| byte == 0).map(<[u8]>::len).max().unwrap_or(0);
        let longer = longest.saturating_sub(self.longest_name);
        self.longest_name += longer;
        self.take(self.entries, longer * NAME_COPIES)
    }

    /// What has no signature: names, headers of the first version and what continues them.
    fn unsigned(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.take(bytes.len(), HEAP)?;
        if self.first_header.take() == Some(offset) {
            return self.messages(bytes.get(16..).unwrap_or_default(), FIRST_ENVELOPE);
        }
        if bytes.len() == 16 && bytes[0] == 1 {
            // Its front alone says how many messages there are, and room is made for that many.
            self.first_header = Some(offset);
            self.take(1, HEADER)?;
            return self.take(field(bytes, 2, 2), size_of::<HdfMessage>());
        }
        self.messages(bytes, FIRST_ENVELOPE)
    }

    /// A newer object header.
    fn header(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let flags = bytes.get(5).copied().unwrap_or(0);
        let width = 1 << (flags & 3);
        let times = if flags & 0x20 == 0 { 0 } else { 16 };
        let phases = if flags & 0x10 == 0 { 0 } else { 4 };
        self.envelope = if flags & 4 == 0 { 4 } else { 6 };
        let start = 6 + times + phases + width;
        // It is read in pieces first, to learn how long it is.
        match bytes.get(start..bytes.len().saturating_sub(4)) {
            Some(messages) if !messages.is_empty() => {
                self.take(1, HEADER)?;
                self.messages(messages, self.envelope)
            }
            _ => Ok(()),
        }
    }

    /// Messages of an object header, with `envelope` bytes in front of each.
    fn messages(&mut self, mut bytes: &[u8], envelope: usize) -> Result<(), Stop> {
        while let Some((front, rest)) = bytes.split_at_checked(envelope) {
            let (kind, size) = match envelope {
                FIRST_ENVELOPE => (field(front, 0, 2), field(front, 2, 2)),
                _ => (field(front, 0, 1), field(front, 1, 2)),
            };
            // Newer headers may end with zeros.
            if envelope != FIRST_ENVELOPE && kind == 0 && size == 0 && rest.iter().all(|&byte| byte == 0) {
                break;
            }
            self.take(1, MESSAGE)?;
            let Some((body, after)) = rest.split_at_checked(size) else { break };
            self.take(size, if kind == FILTER_PIPELINE { FILTER } else { MESSAGE_COPIES })?;
            match kind {
                DATATYPE => self.datatype(body)?,
                ATTRIBUTE => self.attribute(body)?,
                ATTRIBUTE_INFO => attribute_info(body)?,
                EXTERNAL_FILES => return Err(Stop::Foreign("numbers in other files")),
                _ => {}
            }
            bytes = after;
        }
        Ok(())
    }

    /// The type of an attribute, which stands behind its name.
    fn attribute(&mut self, body: &[u8]) -> Result<(), Stop> {
        let name = field(body, 2, 2);
        let start = match body.first() {
            Some(1) => 8 + name.next_multiple_of(8),
            Some(2) => 8 + name,
            _ => 9 + name,
        };
        self.datatype(body.get(start..).unwrap_or_default())
    }

    /// A type: numbers, text and lists of these. Types that have others in them multiply.
    fn datatype(&mut self, mut body: &[u8]) -> Result<(), Stop> {
        while let Some(&first) = body.first() {
            match first & 0x0f {
                COMPOUND | ARRAY => return Err(Stop::Foreign("a type made of others")),
                ENUMERATION => {
                    // Names and numbers, as many as are said to be there, of a type that stands in front of them.
                    let members = field(body, 1, 2);
                    if members > body.len() {
                        return Err(Stop::Foreign("a type with more names than it has bytes"));
                    }
                    self.take(members, 4 * NAME)?;
                }
                SEQUENCE => {}
                _ => break,
            }
            body = body.get(8..).unwrap_or_default();
        }
        Ok(())
    }

    /// The header of a newer tree.
    fn tree(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let (record, depth) = (field(bytes, 10, 2), field(bytes, 12, 2));
        if record < LEAST_RECORD {
            return Err(Stop::Foreign("a tree without records"));
        }
        self.take(field(bytes, 24, 2), RECORD)?;
        if depth > 1 { self.take(MOST_RECORDS, RECORD) } else { Ok(()) }
    }
}

/// Where attributes lie that are too many for their header. Keras has four at most, and splits large ones.
fn attribute_info(body: &[u8]) -> Result<(), Stop> {
    let order = if field(body, 1, 1) & 1 == 0 { 0 } else { 2 };
    // The address of a heap, which is all ones where there is none.
    match body.get(2 + order..10 + order) {
        Some(address) if address != [0xff; 8] => Err(Stop::Foreign("attributes outside of their headers")),
        _ => Ok(()),
    }
}
