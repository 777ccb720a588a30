//! Arrays as NumPy stores them: `.npy`, and the members of an `.npz`.
//!
//! Headers are read by `npyz`, within bounds that are checked first; numbers are taken from the bytes
//! as they lie. Whatever the bytes, the answer is an array or one [`Error`].

use std::io::{Cursor, Read};
use std::path::Path;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use zip::ZipArchive;

use crate::error::Error;

/// NumPy reads no longer headers either.
const LONGEST_HEADER: usize = 10_000;

/// A header has one bracket for the dictionary and one for the shape. Nested ones would be parsed
/// recursively, and nothing that is read here has them.
const MOST_BRACKETS: usize = 8;

/// Decimal digits of all numbers in a header together. Extents of `n` digits in all have a product below
/// `10^n`, so none of these overflows 64 bits.
const MOST_DIGITS: usize = 18;

/// Files and arrays above this are refused: a training set of ten million small pictures is below.
const LARGEST: u64 = 4 << 30;

/// What an `.npz` may unpack to whatever its size, and for each of its bytes.
const UNPACKED: (u64, u64) = (256 << 20, 64);

/// The numbers of an [`Array`], of the narrowest type that holds what the file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// `uint8`, and `bool` as 0 and 1.
    U8(Vec<u8>),
    /// `int8`.
    I8(Vec<i8>),
    /// `int16`.
    I16(Vec<i16>),
    /// `float32`, and `float64` rounded.
    F32(Vec<f32>),
    /// Every wider integer.
    I64(Vec<i64>),
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Numbers::U8(values) => values.len(),
            Numbers::I8(values) => values.len(),
            Numbers::I16(values) => values.len(),
            Numbers::F32(values) => values.len(),
            Numbers::I64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An array in C order: the last index runs fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Extents.
    pub shape: Vec<usize>,
    /// As many as the product of the extents.
    pub numbers: Numbers,
}

/// Reads a file that may hold arrays.
///
/// # Errors
/// When it is no regular file, can't be read, or is too large.
pub fn load(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |error: std::io::Error| Error::file(path, format!("cannot be read: {error}"));
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(Error::file(path, "is not a regular file"));
    }
    if about.len() > LARGEST {
        return Err(Error::file(path, format!("has {} bytes; at most {LARGEST} are read", about.len())));
    }
    std::fs::read(path).map_err(unreadable)
}

/// Decodes the bytes of an `.npy` file. The error is the reason alone.
pub(super) fn npy(bytes: &[u8]) -> Result<Array, String> {
    let (header, data) = header(bytes)?;
    let shape = header.shape().iter().map(|&extent| usize::try_from(extent)).collect::<Result<Vec<usize>, _>>();
    let shape = shape.map_err(|_| "has an extent beyond this machine's memory".to_owned())?;
    let DType::Plain(kind) = header.dtype() else {
        return Err("is an array of records; an array of numbers is needed".to_owned());
    };
    let size = kind.num_bytes().unwrap_or(0);
    let elements = shape.iter().product::<usize>();
    let declared = elements.checked_mul(size).ok_or("declares more bytes than memory has")?;
    if declared != data.len() && size > 0 {
        return Err(format!("is damaged: {declared} bytes of numbers are declared, {} are there", data.len()));
    }
    let swapped = kind.endianness() == Endianness::Big;
    let fortran = header.order() == Order::Fortran;
    // Reads each element of `$bytes` bytes as a `$from` and applies `$convert`.
    macro_rules! read {
        ($from:ty, $convert:expr) => {{
            let (chunks, _) = data.as_chunks::<{ size_of::<$from>() }>();
            let value =
                |bytes: &[u8; _]| if swapped { <$from>::from_be_bytes(*bytes) } else { <$from>::from_le_bytes(*bytes) };
            in_c_order(chunks.iter().map(value).map($convert).collect(), &shape, fortran)
        }};
    }
    let numbers = match (kind.type_char(), size) {
        (TypeChar::Bool, 1) => Numbers::U8(read!(u8, |value| u8::from(value != 0))),
        (TypeChar::Uint, 1) => Numbers::U8(read!(u8, |value| value)),
        (TypeChar::Uint, 2) => Numbers::I64(read!(u16, i64::from)),
        (TypeChar::Uint, 4) => Numbers::I64(read!(u32, i64::from)),
        // Beyond i64 there are neither labels nor pixels; the largest stands for them and is refused there.
        (TypeChar::Uint, 8) => Numbers::I64(read!(u64, |value| i64::try_from(value).unwrap_or(i64::MAX))),
        (TypeChar::Int, 1) => Numbers::I8(read!(i8, |value| value)),
        (TypeChar::Int, 2) => Numbers::I16(read!(i16, |value| value)),
        (TypeChar::Int, 4) => Numbers::I64(read!(i32, i64::from)),
        (TypeChar::Int, 8) => Numbers::I64(read!(i64, |value| value)),
        (TypeChar::Float, 4) => Numbers::F32(read!(f32, |value| value)),
        (TypeChar::Float, 8) => Numbers::F32(read!(f64, |value| value as f32)),
        _ => {
            return Err(format!(
                "holds numbers of type \"{kind}\"; int8 to int64, uint8 to uint64, float32 and float64 are read"
            ));
        }
    };
    Ok(Array { shape, numbers })
}

/// The header, and the bytes after it.
fn header(bytes: &[u8]) -> Result<(NpyHeader, &[u8]), String> {
    let text = match bytes.get(6) {
        Some(1) => bytes.get(8..10).map(|length| (10, usize::from(u16::from_le_bytes([length[0], length[1]])))),
        Some(_) => bytes.get(8..12).and_then(|length| {
            let length = u32::from_le_bytes(length.try_into().ok()?);
            Some((12, usize::try_from(length).unwrap_or(usize::MAX)))
        }),
        None => None,
    };
    let (start, length) = text.ok_or("is damaged: it ends within its header")?;
    if length > LONGEST_HEADER {
        return Err(format!("is damaged: a header of {length} bytes"));
    }
    let text = bytes.get(start..start + length).ok_or("is damaged: it ends within its header")?;
    let brackets = text.iter().filter(|byte| b"([{".contains(byte)).count();
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    if brackets > MOST_BRACKETS || digits > MOST_DIGITS {
        return Err("is damaged, or holds records: its header is not that of an array of numbers".to_owned());
    }
    let header = NpyHeader::from_reader(&bytes[..start + length]).map_err(|error| format!("is damaged: {error}"))?;
    Ok((header, &bytes[start + length..]))
}

/// Numbers that lie in Fortran order, put into C order.
fn in_c_order<T: Copy>(stored: Vec<T>, shape: &[usize], fortran: bool) -> Vec<T> {
    if !fortran || shape.len() < 2 || stored.is_empty() {
        return stored;
    }
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut ordered = Vec::with_capacity(stored.len());
    let mut place = vec![0; shape.len()];
    let mut offset = 0;
    for _ in 0..stored.len() {
        ordered.push(stored[offset]);
        for axis in (0..shape.len()).rev() {
            place[axis] += 1;
            offset += strides[axis];
            if place[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis];
            place[axis] = 0;
        }
    }
    ordered
}

/// An open `.npz`: a zip of `.npy` files, each named after its array.
pub struct Npz<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// Bytes that may still be unpacked.
    left: u64,
}

impl<'a> Npz<'a> {
    /// Reads the table of contents.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn open(bytes: &'a [u8]) -> Result<Npz<'a>, String> {
        let (base, ratio) = UNPACKED;
        let left = (bytes.len() as u64).saturating_mul(ratio).saturating_add(base).min(LARGEST);
        ZipArchive::new(Cursor::new(bytes))
            .map(|zip| Npz { zip, left })
            .map_err(|error| format!("is a damaged .npz (zip) file: {error}"))
    }

    /// The arrays' names.
    pub fn names(&self) -> Vec<String> {
        let members = self.zip.file_names().filter_map(Result::ok);
        members.filter_map(|name| Some(name.strip_suffix(".npy")?.to_owned())).collect()
    }

    /// Reads the array of that name.
    ///
    /// # Errors
    /// When there is none, it is damaged, or it unpacks to more than a file of its size should.
    pub fn array(&mut self, name: &str) -> Result<Array, String> {
        let damaged = |reason: String| format!("array \"{name}\" {reason}");
        let member = self
            .zip
            .by_name(&format!("{name}.npy"))
            .map_err(|error| damaged(format!("cannot be unpacked: {error}")))?;
        // The size that the zip declares is not trusted: memory grows with what really comes.
        let mut bytes = Vec::new();
        member
            .take(self.left + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(format!("cannot be unpacked: {error}")))?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            damaged("unpacks to far more than the file's size: damaged, or made to exhaust memory".to_owned())
        })?;
        if !is_npy(&bytes) {
            return Err(damaged("is not a NumPy array".to_owned()));
        }
        npy(&bytes).map_err(damaged)
    }
}

/// Whether these bytes begin as an `.npy` file does.
pub(super) fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x93NUMPY")
}

/// Whether these bytes begin as a zip does, full or empty.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}
