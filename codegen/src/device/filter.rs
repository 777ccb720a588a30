//! A picture filtered on a board, row by row, over the serial line.

use microception::filter;
use microception_protocol as protocol;

use super::board::Board;
use super::firmware;
use super::qemu::{Clock, Device};
use crate::data::picture::Picture;
use crate::error::Error;
use crate::filter::{Named, Taps};

/// Filters the picture on the emulated `board`: its rows go there one by one, and the filtered ones come back.
///
/// # Errors
/// When the firmware does not build or does not start, or has no memory for rows of that length.
pub fn picture(board: &Board, picture: &Picture, kernel: &Named, border: filter::Border<u8>) -> Result<Picture, Error> {
    let request = request(picture, kernel, border)?;
    let elf = firmware::build_filter(board)?;
    let mut device = Device::start(board, elf.path(), Clock::Host)?;
    let pixels = device.link.filter(&request, &picture.pixels)?;
    Ok(Picture { pixels, ..*picture })
}

/// What the board is asked for.
///
/// # Errors
/// When the picture's extents are beyond the protocol's.
pub fn request(picture: &Picture, kernel: &Named, border: filter::Border<u8>) -> Result<protocol::Filter, Error> {
    let (taps, divisor) = match &kernel.taps {
        Taps::Three(kernel) => (kernel.taps.as_flattened(), kernel.divisor),
        Taps::Five(kernel) => (kernel.taps.as_flattened(), kernel.divisor),
    };
    let border = match border {
        filter::Border::Constant(value) => protocol::Border::Constant(value),
        filter::Border::Nearest => protocol::Border::Nearest,
        filter::Border::Reflect => protocol::Border::Reflect,
        filter::Border::Mirror => protocol::Border::Mirror,
    };
    let &Picture { height, width, channels, .. } = picture;
    match (u32::try_from(height), u16::try_from(width), u8::try_from(channels)) {
        (Ok(rows), Ok(width), Ok(channels)) => {
            let taps = taps.iter().copied().collect();
            Ok(protocol::Filter { rows, width, channels, border, taps, divisor: divisor.get() })
        }
        _ => Err(Error::model(format!("a picture of {width}x{height} is too large for a board"))),
    }
}
