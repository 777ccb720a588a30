//! A generated module becomes a program for a board.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::{NamedTempFile, TempPath};

use super::board::Board;
use super::toolchain::Toolchain;
use crate::error::Error;

/// What a board can run around a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// Serves the model over the serial line.
    Serve,
    /// Measures one `predict`, prints the figures and ends.
    Bench,
    /// Every way to run the model; links only without a panic path.
    NoPanic,
    /// Nothing but one `predict`; links only without a panic path.
    Inference,
    /// What `Inference` is without inference.
    Empty,
    /// Flips bits of the model's weights, which must lie in RAM, and of its arena, and runs it. Only of emulated boards.
    Flips,
    /// Filters pictures over the serial line. There is no model in it.
    Filter,
    /// Looks through a camera, which the host plays over the serial line of an emulated board. Not every board has it.
    Camera,
}

impl Program {
    /// The name of the binary, and the feature that it needs.
    fn binary(self) -> (&'static str, Option<&'static str>) {
        match self {
            Program::Serve => ("firmware", Some("serve")),
            Program::Bench => ("bench", None),
            Program::NoPanic => ("no_panic", Some("bare")),
            Program::Inference => ("inference", Some("bare")),
            Program::Empty => ("empty", Some("bare")),
            Program::Flips => ("flips", Some("flips")),
            Program::Filter => ("filter", Some("filter")),
            Program::Camera => ("camera", Some("camera")),
        }
    }
}

/// A program, in a temporary file that goes when this does.
#[derive(Debug)]
pub struct Elf(TempPath);

impl Elf {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Moves it to `to`, to stay.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(self, to: &Path) -> Result<(), Error> {
        fs::copy(&self.0, to).map(drop).map_err(|error| Error::file(to, error.to_string()))
    }
}

/// A generated module in a temporary file.
///
/// # Errors
/// When it cannot be written.
pub fn module_file(text: &str) -> Result<NamedTempFile, Error> {
    let failed = |error: io::Error| Error::model(format!("no temporary file for the module: {error}"));
    let file = tempfile::Builder::new().prefix("microception-").suffix(".rs").tempfile().map_err(failed)?;
    fs::write(file.path(), text).map_err(failed)?;
    Ok(file)
}

/// Builds `program` around the generated module `module` for `board`.
///
/// The first build for a core takes about a minute, further ones a few seconds.
///
/// # Errors
/// When no compiler can build for the board, the repository's `boards/` is not there, the board's memory
/// is too small, or the module does not compile: the message ends with the compiler's own.
pub fn build(module: &Path, board: &Board, program: Program) -> Result<Elf, Error> {
    let module = module.canonicalize().map_err(|error| Error::file(module, error.to_string()))?;
    build_with(Model::Module(&module), board, program)
}

/// Builds [`Program::Flips`] around the generated module `module`, whose weights are in a section of RAM, for `board`: to flip so
/// many bits.
///
/// # Errors
/// As [`build`].
pub fn build_flips(module: &Path, board: &Board, flips: usize) -> Result<Elf, Error> {
    let module = module.canonicalize().map_err(|error| Error::file(module, error.to_string()))?;
    build_in(Model::Module(&module), board, Program::Flips, &[("MICROCEPTION_FLIPS", &flips.to_string())])
}

/// Builds [`Program::Filter`], which has no model in it, for `board`.
///
/// # Errors
/// As [`build`].
pub fn build_filter(board: &Board) -> Result<Elf, Error> {
    build_with(Model::None, board, Program::Filter)
}

/// Builds what `cargo run --release` in the folder of a real board flashes: [`Program::Serve`] around the shipped network.
///
/// # Errors
/// As [`build`].
pub fn build_shipped(board: &Board) -> Result<Elf, Error> {
    build_with(Model::Shipped, board, Program::Serve)
}

/// What a program is built around.
enum Model<'a> {
    Module(&'a Path),
    /// The board's build script converts it.
    Shipped,
    None,
}

fn build_with(model: Model<'_>, board: &Board, program: Program) -> Result<Elf, Error> {
    build_in(model, board, program, &[])
}

fn build_in(model: Model<'_>, board: &Board, program: Program, environment: &[(&str, &str)]) -> Result<Elf, Error> {
    let (name, feature) = program.binary();
    let target_dir = target_dir();
    fs::create_dir_all(&target_dir).map_err(|error| Error::file(&target_dir, error.to_string()))?;
    // Builds of other models put their program in the same place: until this one is copied away.
    let lock = File::create(target_dir.join(".microception-lock")).and_then(|file| file.lock().map(|()| file));
    let lock = lock.map_err(|error| Error::file(&target_dir, format!("cannot be locked: {error}")))?;
    let mut cargo = cargo("build", board)?;
    cargo.args(["--release", "--quiet", "--bin", name]).env_remove("MODEL").env_remove("CALIBRATION");
    cargo.envs(environment.iter().copied());
    match model {
        Model::Module(module) => cargo.arg("--no-default-features").env("MICROCEPTION_MODEL", module),
        Model::Shipped => cargo.env_remove("MICROCEPTION_MODEL"),
        Model::None => cargo.arg("--no-default-features").env_remove("MICROCEPTION_MODEL"),
    };
    if let Some(feature) = feature {
        cargo.args(["--features", feature]);
    }
    let output = cargo.output().map_err(|error| Error::model(format!("cargo does not start: {error}")))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        if let Some((region, bytes)) = overflow(&messages) {
            let reason = format!("is too large for {}: {bytes} bytes more than its {region} holds", board.name);
            return Err(Error::model(reason));
        }
        let reason = format!("the {name} program for {} does not build:\n{}", board.name, messages.trim_end());
        return Err(match model {
            Model::Module(module) => Error::file(module, &reason),
            Model::Shipped | Model::None => Error::model(&reason),
        });
    }
    let built = target_dir.join(board.target).join("release").join(name);
    let copy = tempfile::Builder::new().prefix(name).suffix(".elf").tempfile();
    let copy = copy.map_err(|error| Error::model(format!("no temporary file: {error}")))?.into_temp_path();
    fs::copy(&built, &copy).map_err(|error| Error::file(&built, error.to_string()))?;
    drop(lock);
    Ok(Elf(copy))
}

/// The memory that a linker finds too small, and by how much: one message per section, the last ones of
/// a region counting all before them.
fn overflow(messages: &str) -> Option<(&str, u64)> {
    let of_line = |line: &str| -> Option<(usize, u64)> {
        // lld: `in region 'FLASH': overflowed by 8 bytes`, GNU: "region `FLASH' overflowed by 8 bytes"
        let (_, bytes) = line.split_once("overflowed by ")?;
        Some((line.find("region ")?, bytes.split(' ').next()?.parse().ok()?))
    };
    let found = messages.lines().filter_map(|line| of_line(line).map(|(at, bytes)| (&line[at..], bytes)));
    let (region, bytes) = found.max_by_key(|(_, bytes)| *bytes)?;
    region.split(['\'', '`']).nth(1).map(|region| (region, bytes))
}

/// Cargo for the package of `board`: `subcommand` is `build`, `check` or `test`.
///
/// # Errors
/// When no compiler can build for the board, or the repository's `boards/` is not there.
pub fn cargo(subcommand: &str, board: &Board) -> Result<Command, Error> {
    let folder = repository().join("boards").join(board.name);
    if !folder.is_dir() {
        return Err(Error::file(
            folder,
            "the board's firmware is not there: boards need a checkout of the microception repository",
        ));
    }
    let mut cargo = Toolchain::find(board.target)?.cargo(subcommand, &target_dir());
    // Its `.cargo/config.toml` holds the runner and the level of its logs.
    cargo.current_dir(folder);
    Ok(cargo)
}

/// A board's memories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of flash.
    pub flash: usize,
    /// Bytes of RAM.
    pub ram: usize,
}

/// What the `memory.x` of `board` says.
///
/// # Errors
/// When the file is not there, or says nothing of FLASH or RAM.
pub fn memory(board: &Board) -> Result<Memory, Error> {
    let path = repository().join("boards").join(board.name).join("memory.x");
    let script = fs::read_to_string(&path).map_err(|error| Error::file(&path, error.to_string()))?;
    let length =
        |region| length(&script, region).ok_or_else(|| Error::file(&path, format!("says no length of {region}")));
    Ok(Memory { flash: length("FLASH")?, ram: length("RAM")? })
}

/// `4096` of `RAM : ORIGIN = 0x20000000, LENGTH = 4K`.
fn length(script: &str, region: &str) -> Option<usize> {
    let line = script.lines().find(|line| line.split_whitespace().next() == Some(region))?;
    let length = line.split_once("LENGTH = ")?.1.trim();
    let (digits, unit) = match length.as_bytes().last()? {
        b'K' => (&length[..length.len() - 1], 1024),
        b'M' => (&length[..length.len() - 1], 1024 * 1024),
        _ => (length, 1),
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

/// Where firmware is built: apart from the host's programs, whose compiler may be another.
fn target_dir() -> PathBuf {
    repository().join("target/firmware")
}

/// The checkout that this command was built in.
fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_says_how_much_memory_it_has() {
        let memory = |name| memory(crate::device::board::named(name).unwrap()).unwrap();
        assert_eq!(memory("microbit"), Memory { flash: 256 * 1024, ram: 16 * 1024 });
        assert_eq!(memory("mps2-an505"), Memory { flash: 4 * 1024 * 1024, ram: 4 * 1024 * 1024 });
        assert_eq!(length("  RAM : ORIGIN = 0, LENGTH = 4096 \n", "RAM"), Some(4096));
        assert_eq!(length("  RAM2 : ORIGIN = 0, LENGTH = 4K\n", "RAM"), None);
    }

    #[test]
    fn a_linker_says_which_memory_is_too_small() {
        let lld = "ld.lld: error: section '.text' will not fit in region 'FLASH': overflowed by 8 bytes\n\
                   ld.lld: error: section '.rodata' will not fit in region 'FLASH': overflowed by 6964048 bytes\n";
        assert_eq!(overflow(lld), Some(("FLASH", 6_964_048)));
        assert_eq!(overflow("ld: region `RAM' overflowed by 16 bytes\n"), Some(("RAM", 16)));
        assert_eq!(overflow("error[E0425]: cannot find value `x`"), None);
    }
}
