//! What a model answers to a frame that nobody has taken: computed on the host when the model is converted, and kept in the
//! generated module, so that a board can tell whether it computes the same.
//!
//! The frame is made up on both sides by [`made_up`], so that none lies in flash.

use crate::model::Element;

/// How many elements of an output are kept at most.
pub const SAMPLES: usize = 16;

/// Which output of an endless model is kept: the fourth, whose windows have moved on.
pub const ENDLESS_OUTPUTS: usize = 4;

/// How far f32 may be off, in parts of the output's [largest magnitude](Golden::Near::largest): kernels of another core add
/// in another order. `micromath`'s exponentials are off by more.
pub const TOLERANCE: f32 = if cfg!(feature = "micromath") { 0.05 } else { 1e-4 };

/// What one output of a model is for the made-up frame. A generated module has one for each output, or none where the
/// conversion did not run the model.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Golden {
    /// Of int8: the same on every core.
    Exact {
        /// The first bytes, at most [`SAMPLES`]: they show in which way it differs.
        first: &'static [u8],
        /// CRC-32/ISO-HDLC of all bytes.
        crc: u32,
    },
    /// Of f32: the same within [`TOLERANCE`].
    Near {
        /// At most [`SAMPLES`] elements: see [`sampled`].
        samples: &'static [f32],
        /// The largest magnitude among all elements.
        largest: f32,
    },
}

/// The index of a sample in an output of `elements`, of which `samples` are kept: they lie at equal distances.
///
/// ```
/// use microception::golden::sampled;
/// assert_eq!([0, 1, 2, 3].map(|sample| sampled(sample, 4, 10)), [0, 2, 5, 7]);
/// ```
pub const fn sampled(sample: usize, samples: usize, elements: usize) -> usize {
    match sample.wrapping_mul(elements).checked_div(samples) {
        Some(index) => index,
        None => 0,
    }
}

/// An element of the made-up frame: the byte of u8 and int8, and 255 times the f32.
///
/// The finalizer of MurmurHash3 over the place, so that no two rows or channels are alike.
///
/// ```
/// use microception::golden::made_up;
/// assert_eq!([0, 1, 2, 3].map(|index| made_up(0, index)), [0, 81, 48, 133]);
/// assert_eq!([0, 1, 2, 3].map(|index| made_up(1, index)), [146, 150, 180, 237]);
/// ```
#[inline]
pub const fn made_up(input: usize, index: usize) -> u8 {
    let mut hash = (index as u32).wrapping_add((input as u32).wrapping_mul(0x9E37_79B9));
    hash = (hash ^ hash >> 16).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ hash >> 13).wrapping_mul(0xC2B2_AE35);
    ((hash ^ hash >> 16) >> 24) as u8
}

/// Fills `bytes` with a row of the made-up frame: the elements of `input` from `row` times their number in a row on. The rows
/// of a series without an end count on.
///
/// ```
/// use microception::golden::{made_up, made_up_row};
/// use microception::model::Element;
/// let mut row = [0; 8];
/// made_up_row(Element::F32, 0, 1, &mut row);
/// let (elements, _) = row.as_chunks::<4>();
/// assert_eq!(f32::from_le_bytes(elements[0]), f32::from(made_up(0, 2)) / 255.0);
/// ```
pub fn made_up_row(element: Element, input: usize, row: usize, bytes: &mut [u8]) {
    let size = element.bytes();
    let first = (bytes.len() / size).wrapping_mul(row);
    for (place, index) in bytes.chunks_exact_mut(size).zip(first..) {
        let byte = made_up(input, index);
        match (element, place) {
            (Element::F32, place) => {
                let value = f32::from(byte) / 255.0;
                place.iter_mut().zip(value.to_le_bytes()).for_each(|(place, byte)| *place = byte);
            }
            (_, place) => place.iter_mut().for_each(|place| *place = byte),
        }
    }
}
