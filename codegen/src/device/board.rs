//! The boards there are.

use crate::error::Error;
use crate::target::Target;

/// A board: a folder of `boards/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board {
    /// Its name on the command line, and of its folder.
    pub name: &'static str,
    /// The core's target triple.
    pub target: &'static str,
    /// What QEMU calls it; `None` for a board that QEMU does not emulate.
    pub machine: Option<&'static str>,
    /// Its core.
    pub core: Target,
}

/// All boards.
pub const BOARDS: &[Board] = &[
    emulated("mps2-an385", "thumbv7m-none-eabi", Target::CortexM3),
    emulated("mps2-an386", "thumbv7em-none-eabihf", Target::CortexM4),
    emulated("mps2-an500", "thumbv7em-none-eabihf", Target::CortexM7),
    emulated("mps2-an505", "thumbv8m.main-none-eabihf", Target::CortexM33),
    emulated("mps3-an547", "thumbv8m.main-none-eabihf", Target::CortexM55),
    emulated("microbit", "thumbv6m-none-eabi", Target::CortexM0Plus),
    real("nucleo-f446re", "thumbv7em-none-eabihf", Target::CortexM4),
    real("nucleo-h743zi", "thumbv7em-none-eabihf", Target::CortexM7),
    real("nrf52840-dk", "thumbv7em-none-eabihf", Target::CortexM4),
    real("microbit-v2", "thumbv7em-none-eabihf", Target::CortexM4),
    real("pico", "thumbv6m-none-eabi", Target::CortexM0Plus),
    real("pico-2", "thumbv8m.main-none-eabihf", Target::CortexM33),
];

/// A board whose name is QEMU's.
const fn emulated(name: &'static str, target: &'static str, core: Target) -> Board {
    Board { name, target, machine: Some(name), core }
}

/// A board to be flashed.
const fn real(name: &'static str, target: &'static str, core: Target) -> Board {
    Board { name, target, machine: None, core }
}

/// The board of that name.
///
/// # Errors
/// When there is none; the message lists those there are.
pub fn named(name: &str) -> Result<&'static Board, Error> {
    BOARDS.iter().find(|board| board.name == name).ok_or_else(|| {
        let names: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
        Error::model(format!("there is no board named {name:?}; the boards are: {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_found_by_its_name_and_an_unknown_one_names_the_others() {
        assert_eq!(named("mps2-an386").unwrap().target, "thumbv7em-none-eabihf");
        let reason = named("abacus").unwrap_err().reason;
        assert!(reason.contains("abacus") && reason.contains("mps2-an386"), "{reason}");
    }
}
