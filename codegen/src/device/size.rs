//! What a program takes in flash and in RAM.

use std::fs;
use std::path::Path;

use object::elf::{SHF_ALLOC, SHF_WRITE, SHT_NOBITS};
use object::read::elf::{ElfFile32, FileHeader, SectionHeader};

use super::board::Board;
use super::firmware::{Program, build};
use crate::error::Error;

/// Bytes of a program, or of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Code, constants, and what statics begin with.
    pub flash: u64,
    /// Statics.
    pub ram: u64,
}

/// What inference with the generated module `module` takes on `board`: a program with nothing but one
/// `predict`, less the same program without it. Weights, plan, tables and memory routines are part of
/// it; start-up code, the vector table and the input frame are not.
///
/// # Errors
/// When the programs do not build; they link only when no panic path is left.
pub fn of_inference(module: &Path, board: &Board) -> Result<Size, Error> {
    let [inference, empty] = [Program::Inference, Program::Empty].map(|program| -> Result<Size, Error> {
        let elf = build(module, board, program)?;
        of_program(elf.path())
    });
    let (inference, empty) = (inference?, empty?);
    Ok(Size { flash: inference.flash.saturating_sub(empty.flash), ram: inference.ram.saturating_sub(empty.ram) })
}

/// What the program `elf` takes.
///
/// # Errors
/// When the file can't be read or is no 32-bit ELF.
pub fn of_program(elf: &Path) -> Result<Size, Error> {
    let bytes = fs::read(elf).map_err(|error| Error::file(elf, error.to_string()))?;
    of_bytes(&bytes).map_err(|error| Error::file(elf, format!("is no 32-bit ELF program: {error}")))
}

fn of_bytes(bytes: &[u8]) -> Result<Size, object::Error> {
    let file = ElfFile32::<object::Endianness>::parse(bytes)?;
    let endian = file.endian();
    let mut size = Size::default();
    for section in file.elf_header().sections(endian, bytes)?.iter() {
        let flags = section.sh_flags(endian);
        let length = u64::from(section.sh_size(endian));
        if flags & SHF_ALLOC == 0 {
            continue;
        }
        if flags & SHF_WRITE != 0 {
            size.ram += length;
        }
        if section.sh_type(endian) != SHT_NOBITS {
            size.flash += length;
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(of_bytes(b"").is_err());
        assert!(of_bytes(b"\x7fELF").is_err());
        let error = of_program(Path::new("no such file")).unwrap_err().to_string();
        assert!(error.contains("no such file"), "{error}");
    }
}
