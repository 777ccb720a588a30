//! Whether flash still holds the weights that the model was built with.

use core::hint::black_box;

use microception::model::Weights;
use microception_protocol::Fault;
use microception_protocol::frame::CHECK;

use crate::Facts;

/// Reads all weights.
///
/// # Errors
/// When their CRC is not the one that the module was converted with.
pub(crate) fn check(facts: &Facts) -> Result<(), Fault> {
    let stored = facts.weights_crc;
    match crc(facts.weights) {
        computed if computed == stored => Ok(()),
        computed => Err(Fault::DamagedWeights { stored, computed }),
    }
}

/// The CRC of all arrays, one after the other.
fn crc(weights: &[Weights]) -> u32 {
    let mut digest = CHECK.digest();
    // The compiler knows the weights, and must not conclude what lies in flash.
    for &array in black_box(weights) {
        array.for_each_piece(|piece| digest.update(piece));
    }
    digest.finalize()
}
