//! The firmware of every board: that real boards can start it, and what it takes of their memory.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use microception_codegen::convert::Precision;
use microception_codegen::device::board::{BOARDS, Board};
use microception_codegen::device::firmware::{self, Elf, Program};
use microception_codegen::device::size::{self, Size};
use microception_codegen::error::Error;
use object::elf::SHF_ALLOC;
use object::read::elf::ElfFile32;
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SectionFlags};

use crate::model::convert;
use crate::root;
use crate::size::grouped;
use crate::stage::{Counts, report};

/// By how many hundredths a figure in the README may be off: compilers differ.
const TOLERATED: u64 = 5;

/// The lines in the README between which the table stands.
const BEGIN: &str = "<!-- cargo xtask size --record writes this table -->\n";
const END: &str = "<!-- the table's end -->\n";

/// The board whose own build script converts the model.
const CONVERTING: &str = "nucleo-f446re";

/// The boards that have the program `camera`.
pub const CAMERAS: [&str; 2] = ["mps2-an386", "pico"];

/// The words of a vector table before those of interrupts.
const EXCEPTIONS: usize = 16;

/// A region of memory: its name, and its addresses.
type Region = (String, Range<u64>);

/// What a board's firmware takes, and what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    /// The board.
    pub board: &'static Board,
    /// Bytes of the firmware around the shipped network in int8.
    pub firmware: Size,
    /// Bytes of the board's memories.
    pub memory: Size,
}

/// Builds every board's firmware around the shipped network in int8, and checks that a real board can start it.
///
/// One is built as a user does it, who has the board's folder convert the model: each maker's hardware layer makes cargo
/// build the conversion anew.
pub fn footprints() -> Result<Vec<Footprint>, Error> {
    let module = convert(Precision::Int8)?.0;
    let footprint = |board: &'static Board| -> Result<Footprint, Error> {
        let regions = regions(board)?;
        let length = |name| named(&regions, name).map(|addresses| addresses.end - addresses.start);
        let lengths = length("FLASH").and_then(|flash| Ok(Size { flash, ram: length("RAM")? }));
        let memory = lengths.map_err(|why| Error::model(format!("memory.x of {} {why}", board.name)))?;
        let elf = match board.machine {
            Some(_) => firmware::build(&module, board, Program::Serve)?,
            None => {
                let elf = match board.name {
                    CONVERTING => firmware::build_shipped(board),
                    _ => firmware::build(&module, board, Program::Serve),
                }?;
                let camera = CAMERAS.contains(&board.name);
                let camera = camera.then(|| firmware::build(&module, board, Program::Camera)).transpose()?;
                for program in [Some(&elf), camera.as_ref()].into_iter().flatten() {
                    starts(program, &regions)
                        .and_then(|()| is_found(program, board, &regions))
                        .map_err(|why| Error::model(format!("the firmware of {} {why}", board.name)))?;
                }
                elf
            }
        };
        Ok(Footprint { board, firmware: size::of_program(elf.path())?, memory })
    };
    BOARDS.iter().map(footprint).collect()
}

/// The stage: all boards' firmware, and the README's table of it.
pub fn stage(name: &str) -> Result<Counts, Error> {
    let start = Instant::now();
    let footprints = footprints()?;
    let passed = footprints.len();
    let (counts, log) = match recorded().and_then(|table| agree(&table, &footprints)) {
        Ok(()) => (Counts { passed: passed + 1, ..Counts::default() }, String::new()),
        Err(error) => (Counts { passed, failed: 1, ..Counts::default() }, error.to_string()),
    };
    report(name, start, counts, &log)
}

/// Writes the table into the README.
pub fn record(footprints: &[Footprint]) -> Result<(), Error> {
    let (before, _, after) = readme()?;
    let path = path();
    fs::write(&path, before + &table(footprints) + &after).map_err(|error| Error::file(path, error.to_string()))
}

/// The table, a line a board.
fn table(footprints: &[Footprint]) -> String {
    let mut table =
        "| board | core | flash, bytes | of | RAM without stack, bytes | of |\n| --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for Footprint { board, firmware, memory } in footprints {
        let figures = [firmware.flash, memory.flash, firmware.ram, memory.ram].map(grouped).join(" | ");
        table += &format!("| `{}` | {} | {figures} |\n", board.name, board.core.name());
    }
    table
}

/// Whether a table has the boards and, within the tolerated, the figures.
fn agree(there: &str, footprints: &[Footprint]) -> Result<(), Error> {
    let new = table(footprints);
    let cells =
        |table: &str| -> Vec<String> { table.lines().flat_map(|line| line.split('|')).map(str::to_owned).collect() };
    let (cells_there, cells_new) = (cells(there), cells(&new));
    let same = |(there, new): (&String, &String)| match (number(there), number(new)) {
        (Some(there), Some(new)) => there.abs_diff(new) * 100 <= new * TOLERATED,
        _ => there == new,
    };
    if cells_there.len() == cells_new.len() && cells_there.iter().zip(&cells_new).all(same) {
        return Ok(());
    }
    let reason = format!("its table is not this one, which `cargo xtask size --record` writes there:\n{new}");
    Err(Error::file(path(), reason))
}

/// The number with commas in a cell.
fn number(cell: &str) -> Option<u64> {
    cell.trim().replace(',', "").parse().ok()
}

fn path() -> PathBuf {
    root().join("boards/README.md")
}

fn recorded() -> Result<String, Error> {
    readme().map(|(_, table, _)| table)
}

/// What comes before the table, the table, and what comes after it.
fn readme() -> Result<(String, String, String), Error> {
    let path = path();
    let text = fs::read_to_string(&path).map_err(|error| Error::file(&path, error.to_string()))?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?)));
    let (before, (table, after)) =
        parts.ok_or_else(|| Error::file(path, format!("has no lines {BEGIN:?} and {END:?}")))?;
    Ok((format!("{before}{BEGIN}"), table.to_owned(), format!("{END}{after}")))
}

/// The regions of the board's memory, by their names in `memory.x`.
fn regions(board: &Board) -> Result<Vec<Region>, Error> {
    let path = root().join("boards").join(board.name).join("memory.x");
    let text = fs::read_to_string(&path).map_err(|error| Error::file(&path, error.to_string()))?;
    Ok(text.lines().filter_map(region).collect())
}

/// The region of a line such as `FLASH : ORIGIN = 0x10000100, LENGTH = 2048K - 0x100`.
fn region(line: &str) -> Option<Region> {
    let (name, extent) = line.split_once(": ORIGIN = ")?;
    let (origin, length) = extent.split_once(", LENGTH = ")?;
    let origin = bytes(origin)?;
    let (length, less) = length.split_once(" - ").unwrap_or((length, "0"));
    Some((name.trim().to_owned(), origin..origin + bytes(length)? - bytes(less)?))
}

/// The number in the linker's notation.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    match (text.strip_suffix('K'), text.strip_suffix('M')) {
        (Some(number), _) => Some(number.parse::<u64>().ok()? << 10),
        (_, Some(number)) => Some(number.parse::<u64>().ok()? << 20),
        _ => text.parse().ok(),
    }
}

/// Whether a core that begins at the vector table in flash reaches the program, and each byte lies in a memory that
/// there is.
fn starts(elf: &Elf, regions: &[Region]) -> Result<(), String> {
    let bytes = fs::read(elf.path()).map_err(|error| error.to_string())?;
    let file = ElfFile32::<Endianness>::parse(&*bytes).map_err(|error| error.to_string())?;
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let range = section.address()..section.address() + section.size();
        let inside = |(_, region): &Region| region.start <= range.start && range.end <= region.end;
        if sh_flags & u64::from(SHF_ALLOC) != 0 && section.size() != 0 && !regions.iter().any(inside) {
            return Err(format!("has {} at {range:x?}, where there is no memory", section.name().unwrap_or_default()));
        }
    }
    let (flash, ram) = (named(regions, "FLASH")?, named(regions, "RAM")?);
    let (address, vectors) = section(&file, ".vector_table")?;
    let [stack, reset, ..] = vectors[..] else { return Err("has an empty vector table".to_owned()) };
    if address != flash.start {
        return Err(format!("has its vector table at {address:#x} instead of {:#x}", flash.start));
    }
    if u64::from(stack) != ram.end {
        return Err(format!("has its stack at {stack:#x} instead of {:#x}", ram.end));
    }
    // Bit 0 says that it is Thumb code.
    let (text, _) = section(&file, ".text")?;
    if u64::from(reset) != file.entry() || reset & 1 == 0 || u64::from(reset) < text {
        return Err(format!("begins at {reset:#x} instead of {:#x}", file.entry()));
    }
    let default = file.symbols().find(|symbol| symbol.name() == Ok("DefaultHandler")).ok_or("has no DefaultHandler")?;
    let serves = |&&handler: &&u32| handler != 0 && u64::from(handler | 1) != default.address() | 1;
    match vectors.iter().skip(EXCEPTIONS).filter(serves).count() {
        0 => Err("serves no interrupt: nothing would come over its serial line".to_owned()),
        _ => Ok(()),
    }
}

/// Whether the boot ROM of Raspberry Pi's chips finds the program. Others begin at the vector table.
fn is_found(elf: &Elf, board: &Board, regions: &[Region]) -> Result<(), String> {
    let bytes = fs::read(elf.path()).map_err(|error| error.to_string())?;
    let file = ElfFile32::<Endianness>::parse(&*bytes).map_err(|error| error.to_string())?;
    match board.name {
        // The ROM copies 256 bytes into RAM and runs them if the last word is the checksum of the others.
        "pico" => {
            let (address, words) = section(&file, ".boot2")?;
            let (&sum, stage) = words.split_last().ok_or("has an empty second stage")?;
            let stage: Vec<_> = stage.iter().flat_map(|word| word.to_le_bytes()).collect();
            if address != named(regions, "BOOT2")?.start || words.len() != 64 || checksum(&stage) != sum {
                return Err("has a second stage that the boot ROM refuses".to_owned());
            }
        }
        // The ROM looks for a block between these two words in the first 4 KB.
        "pico-2" => {
            let (address, words) = section(&file, ".start_block")?;
            let ends = (words.first().copied(), words.last().copied());
            if address >= named(regions, "FLASH")?.start + 4096 || ends != (Some(0xffff_ded3), Some(0xab12_3579)) {
                return Err("has no image definition where the boot ROM looks for it".to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

/// CRC-32 as the RP2040's boot ROM computes it: the most significant bit first, nothing inverted.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    })
}

/// The address and the words of a section.
fn section(file: &ElfFile32<'_, Endianness>, name: &str) -> Result<(u64, Vec<u32>), String> {
    let section = file.section_by_name(name).ok_or(format!("has no {name}"))?;
    let data = section.data().map_err(|error| error.to_string())?;
    Ok((section.address(), data.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect()))
}

/// The addresses of the region of that name.
fn named(regions: &[Region], name: &str) -> Result<Range<u64>, String> {
    let region = regions.iter().find(|(region, _)| region == name);
    region.map(|(_, addresses)| addresses.clone()).ok_or(format!("has no {name}"))
}

#[cfg(test)]
mod tests {
    use microception_codegen::device::board;

    use super::*;

    #[test]
    fn a_linker_script_is_read() {
        let region = |line| region(line).map(|(name, range)| (name, range.start, range.end));
        assert_eq!(
            region("  FLASH : ORIGIN = 0x10000100, LENGTH = 2048K - 0x100"),
            Some(("FLASH".to_owned(), 0x1000_0100, 0x1020_0000))
        );
        assert_eq!(
            region("  RAM : ORIGIN = 0x20000000, LENGTH = 1M"),
            Some(("RAM".to_owned(), 0x2000_0000, 0x2010_0000))
        );
        assert_eq!(region("  RAM : ORIGIN = 0x20000000, LENGTH = much"), None);
        assert_eq!(region("SECTIONS"), None);
    }

    #[test]
    fn every_board_has_its_memories_and_its_cores_flags() {
        for board in BOARDS {
            regions(board).unwrap();
            let settings = root().join("boards").join(board.name).join(".cargo/config.toml");
            let settings = fs::read_to_string(settings).unwrap();
            assert!(settings.contains(&format!("target = {:?}", board.target)), "{settings}");
            // A real board runs the code that is tested on the emulated core.
            let flags = |settings: &str| settings.lines().find(|line| line.starts_with("rustflags")).map(str::to_owned);
            let twin = BOARDS.iter().find(|twin| twin.machine.is_some() && twin.core == board.core);
            let twin = twin.expect("each core is emulated");
            let twins = root().join("boards").join(twin.name).join(".cargo/config.toml");
            assert_eq!(flags(&settings), flags(&fs::read_to_string(twins).unwrap()), "{}", board.name);
            assert_eq!(twin.target, board.target);
        }
    }

    #[test]
    fn the_checksum_is_the_boot_roms() {
        // The check value of CRC-32/MPEG-2.
        assert_eq!(checksum(b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn a_table_may_be_off_by_a_twentieth() {
        let footprint = |flash| {
            let (firmware, memory) = (Size { flash, ram: 14_584 }, Size { flash: 524_288, ram: 131_072 });
            [Footprint { board: board::named("nucleo-f446re").unwrap(), firmware, memory }]
        };
        let recorded = table(&footprint(100_000));
        assert!(
            recorded.ends_with("| `nucleo-f446re` | cortex-m4 | 100,000 | 524,288 | 14,584 | 131,072 |\n"),
            "{recorded}"
        );
        for (flash, agrees) in [(100_000, true), (105_000, true), (96_000, true), (106_000, false), (95_000, false)] {
            assert_eq!(agree(&recorded, &footprint(flash)).is_ok(), agrees, "{flash}");
        }
        assert!(agree("", &footprint(100_000)).is_err());
        assert!(agree(&recorded.replace("f446re", "f447re"), &footprint(100_000)).is_err());
        assert!(agree(&recorded, &[]).is_err());
    }
}
