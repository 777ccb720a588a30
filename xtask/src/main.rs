//! The project's own commands: `cargo xtask setup`, `demo`, `test`, `fuzz`, `size`, `bench`.

mod bench;
mod boards;
mod c;
mod cmsis_nn;
mod demo;
mod flips;
mod fuzz;
mod miri;
mod model;
mod oldest;
mod publish;
mod python;
mod setup;
mod size;
mod stage;
mod test;
mod tfjs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use microception_codegen::error::Error;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Installs what the other commands need and this machine lacks; they call it by themselves
    Setup,
    /// Runs the shipped model in int8 on an emulated Cortex-M4 and shows it photographs
    Demo {
        /// Classify this photograph (PNG, JPEG or BMP of any size) instead of the 20 in tests/photos
        #[arg(long, value_name = "FILE")]
        photo: Option<PathBuf>,
        /// Show the log of the firmware, on standard error
        #[arg(long)]
        logs: bool,
        /// End with one JSON object: correct, total, arena_bytes, flash_bytes, instructions
        #[arg(long)]
        json: bool,
    },
    /// Runs every check: format, lints, docs, host tests, Python tests, fuzzing, firmware in QEMU
    Test {
        /// Only the stages whose name contains this word
        #[arg(value_name = "WORD")]
        only: Option<String>,
    },
    /// Reads files that a coverage-guided fuzzer makes, with each reader: no panic, and memory within bounds
    Fuzz(fuzz::Arguments),
    /// Runs the int8 test vectors of a checkout of CMSIS-NN
    CmsisNn {
        /// The checkout
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Says what inference with the shipped model takes: code, weights, arena, statics, stack; and every board's firmware
    Size {
        /// Writes the table of the boards into boards/README.md
        #[arg(long)]
        record: bool,
        /// End with one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Measures the shipped models and those given on the emulated cores, and compares with the record
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let result = match Command::parse().task {
        Task::Setup => setup::setup().map(|()| println!("all there")),
        Task::Demo { photo, logs, json } => demo::demo(photo.as_deref(), logs, json),
        Task::Test { only } => test::test(only.as_deref()),
        Task::Fuzz(arguments) => fuzz::fuzz(&arguments),
        Task::CmsisNn { folder } => cmsis_nn::cmsis_nn(&folder),
        Task::Size { json, record } => size::size(json, record),
        Task::Bench(arguments) => bench::bench(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// A folder of our own in the target folder.
fn work_folder() -> Result<PathBuf, Error> {
    let folder = root().join("target/xtask");
    std::fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, error.to_string()))?;
    Ok(folder)
}
