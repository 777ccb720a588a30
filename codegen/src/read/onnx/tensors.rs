//! Numbers of the file: trained ones, and whole ones that say axes, extents and places.

use super::message::{Entry, Tensor, decode};
use crate::error::Error;
use crate::read::budget::Budget;

/// Types of elements, as the file numbers them.
pub(super) const FLOAT: i32 = 1;
pub(super) const UINT8: i32 = 2;
pub(super) const INT8: i32 = 3;
pub(super) const INT32: i32 = 6;
const INT64: i32 = 7;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;

/// Most axes of a tensor.
const MOST_AXES: usize = 8;

/// A constant: its extents, and as many numbers as these say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant {
    pub(super) extents: Vec<usize>,
    pub(super) numbers: Numbers,
}

/// The numbers, in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numbers {
    Float(Vec<f32>),
    Int8(Vec<i8>),
    Uint8(Vec<u8>),
    /// Of 32 or 64 bits, or truth values.
    Integer(Vec<i64>),
}

impl Constant {
    /// The constant that a message of the file holds. `name` is that of what is wrong.
    pub(super) fn of(tensor: &Tensor, name: &str, budget: &mut Budget) -> Result<Constant, Error> {
        let wrong = |reason: String| Error::layer(name, reason);
        if tensor.extents.len() > MOST_AXES {
            return Err(wrong(format!("has numbers of {} axes", tensor.extents.len())));
        }
        let extents: Result<Vec<usize>, _> = tensor.extents.iter().map(|&extent| usize::try_from(extent)).collect();
        let extents = extents.map_err(|_| wrong("has numbers of a negative extent: damaged file".to_owned()))?;
        // Of extents of which some are 0, the others too can be multiplied.
        let possible = extents.iter().try_fold(1usize, |count, &extent| count.checked_mul(extent.max(1)));
        possible.ok_or_else(|| wrong(format!("has numbers of the extents {extents:?}")))?;
        let count: usize = extents.iter().product();
        if tensor.location != 0 {
            let file = tensor.external.iter().find_map(|entry| {
                decode::<Entry>(entry).ok().filter(|entry| entry.key == "location").map(|entry| entry.value)
            });
            return Err(wrong(format!(
                "has its numbers in another file ({:?}). Save the model as one: onnx.save_model(onnx.load(FILE), ONE_FILE), or \
                 torch.onnx.export(.., external_data=False)",
                file.unwrap_or_default()
            )));
        }
        // As numbers of eight bytes, whatever they are.
        budget.take(tensor.raw.len() / 4, 2 * size_of::<f32>())?;
        let raw = &tensor.raw[..];
        let numbers = match tensor.element {
            FLOAT if raw.is_empty() => Numbers::Float(tensor.floats.clone()),
            FLOAT => Numbers::Float(raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
            DOUBLE if raw.is_empty() => Numbers::Float(tensor.doubles.iter().map(|&number| number as f32).collect()),
            DOUBLE => Numbers::Float(raw.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect()),
            // Kept as bits in either place.
            FLOAT16 if raw.is_empty() => {
                Numbers::Float(tensor.small_integers.iter().map(|&bits| half(bits as u16)).collect())
            }
            FLOAT16 => Numbers::Float(raw.as_chunks().0.iter().map(|&bytes| half(u16::from_le_bytes(bytes))).collect()),
            INT8 if raw.is_empty() => Numbers::Int8(tensor.small_integers.iter().map(|&number| number as i8).collect()),
            INT8 => Numbers::Int8(raw.iter().map(|byte| byte.cast_signed()).collect()),
            UINT8 if raw.is_empty() => {
                Numbers::Uint8(tensor.small_integers.iter().map(|&number| number as u8).collect())
            }
            UINT8 => Numbers::Uint8(raw.to_vec()),
            INT32 if raw.is_empty() => {
                Numbers::Integer(tensor.small_integers.iter().map(|&number| i64::from(number)).collect())
            }
            INT32 => {
                Numbers::Integer(raw.as_chunks().0.iter().map(|&bytes| i64::from(i32::from_le_bytes(bytes))).collect())
            }
            INT64 if raw.is_empty() => Numbers::Integer(tensor.integers.clone()),
            INT64 => Numbers::Integer(raw.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect()),
            other => {
                return Err(wrong(format!(
                    "has numbers of the type {other} (TensorProto.DataType); supported are float, double, float16, int8, uint8, \
                     int32 and int64"
                )));
            }
        };
        let constant = Constant { extents, numbers };
        match constant.len() == count {
            true => Ok(constant),
            false => {
                Err(wrong(format!("has {} numbers in the file for the extents {:?}", constant.len(), constant.extents)))
            }
        }
    }

    /// How many numbers it has.
    pub(super) fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Float(numbers) => numbers.len(),
            Numbers::Int8(numbers) => numbers.len(),
            Numbers::Uint8(numbers) => numbers.len(),
            Numbers::Integer(numbers) => numbers.len(),
        }
    }

    /// Its real numbers, where it has such.
    pub(super) fn floats(&self) -> Option<&[f32]> {
        match &self.numbers {
            Numbers::Float(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// Its whole numbers, where it has such.
    pub(super) fn integers(&self) -> Option<&[i64]> {
        match &self.numbers {
            Numbers::Integer(numbers) => Some(numbers),
            _ => None,
        }
    }
}

/// The number of a half float's bits (IEEE 754 binary16).
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_those_of_ieee_754() {
        let expected =
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 5.960_464_5e-8), (0x3555, 0.333_251_95)];
        for (bits, number) in expected {
            assert_eq!(half(bits), number, "{bits:#x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }
}
