//! Whether flash still holds the weights that the model was built with.

use core::hint::black_box;

use microception::model::Weights;
use microception_protocol::Fault;
use microception_protocol::frame::CHECK;

use crate::{Board, Facts};

/// Reads all weights, and logs what it finds.
///
/// # Errors
/// When their CRC is not the one that the module was converted with.
pub(crate) fn check(facts: &Facts, board: &mut impl Board) -> Result<(), Fault> {
    let stored = facts.weights_crc;
    let start = board.ticks();
    let computed = crc(facts.weights);
    let _ticks = board.ticks().wrapping_sub(start);
    if computed == stored {
        #[cfg(feature = "defmt")]
        defmt::info!("weights are whole: CRC-32 {=u32:08x}, read in {=u32} ticks", computed, _ticks);
        return Ok(());
    }
    let damage = Fault::DamagedWeights { stored, computed };
    #[cfg(feature = "defmt")]
    defmt::error!(
        "weights are damaged: CRC-32 {=u32:08x} instead of {=u32:08x}; nothing is computed, flash again",
        computed,
        stored
    );
    Err(damage)
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
