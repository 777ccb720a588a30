//! Where a model runs: on the host, or on a board.

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use microception_codegen::convert::Prepared;
use microception_codegen::device::board::{self, BOARDS, Board};
use microception_codegen::device::firmware::{self, Program, module_file};
use microception_codegen::device::link::{Link, Port};
use microception_codegen::device::qemu::{Clock, Device};
use microception_codegen::error::Error;
use microception_codegen::host::Machine;
use microception_codegen::optimize::Optimize;
use rayon::prelude::*;

use super::settings::Settings;

/// The host's name among the boards.
pub const HOST: &str = "host";

/// Where a model is to run.
#[derive(Debug, Args)]
pub struct Place {
    /// Where it runs
    #[arg(long, value_name = "BOARD", default_value = HOST, value_parser = names())]
    pub board: String,
    /// Shows the log of the board's firmware on standard error, as it comes
    #[arg(long)]
    logs: bool,
}

impl Place {
    /// Here.
    pub fn host() -> Place {
        Place { board: HOST.to_owned(), logs: false }
    }
}

/// The names that `--board` takes.
pub fn names() -> PossibleValuesParser {
    PossibleValuesParser::new([HOST].into_iter().chain(emulated().map(|board| board.name)))
}

/// The names of the boards alone.
pub fn board_names() -> PossibleValuesParser {
    PossibleValuesParser::new(emulated().map(|board| board.name))
}

/// The boards that run in QEMU. Others are flashed.
fn emulated() -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().filter(|board| board.machine.is_some())
}

/// A model that is ready to run somewhere.
pub enum Runner {
    /// With the same runtime, here, on every processor core.
    Host(Box<Machine>),
    /// As firmware, over a serial line.
    Board(Box<Link<Box<dyn Port>>>),
}

/// Starts the model that `settings` ask for on the emulated board of that name; its serial line. With `logs` what it logs comes on
/// standard error.
pub fn emulator(
    prepared: &Prepared,
    settings: &Settings,
    name: &str,
    clock: Clock,
    logs: bool,
) -> Result<Link<Box<dyn Port>>, Error> {
    let board = board::named(name)?;
    let (module, _) = settings.conversion(board.core.optimize())?.to_module_of(prepared)?;
    let file = module_file(&module.text)?;
    let elf = firmware::build(file.path(), board, Program::Serve);
    let elf = elf.map_err(|error| error.in_file(&settings.model))?;
    let mut device = Device::start(board, elf.path(), clock)?;
    if logs {
        device.show_log(|line| eprintln!("{line}"));
    }
    Ok(device.link.boxed())
}

impl Runner {
    /// Gets the model that `settings` ask for ready in its place.
    pub fn new(prepared: &Prepared, settings: &Settings, place: &Place) -> Result<Runner, Error> {
        if place.board == HOST {
            if place.logs {
                let reason = "--logs is for boards: the host logs nothing";
                Place::augment_args(clap::Command::new("microception"))
                    .error(ErrorKind::ArgumentConflict, reason)
                    .exit();
            }
            let machine = Machine::new(&prepared.graph, settings.conversion(Optimize::default())?.goal());
            let machine = machine.map_err(|error| error.in_file(&settings.model))?;
            return Ok(Runner::Host(Box::new(machine)));
        }
        Ok(Runner::Board(Box::new(emulator(prepared, settings, &place.board, Clock::Host, place.logs)?)))
    }

    /// The outputs for `count` frames, in their order. `done` is called after each.
    pub fn outputs<F>(
        &mut self,
        count: usize,
        frame: impl Fn(usize) -> Result<F, Error> + Sync,
        done: impl Fn() + Sync,
    ) -> Result<Vec<Vec<u8>>, Error>
    where
        F: AsRef<[u8]>,
    {
        match self {
            Runner::Host(machine) => (0..count)
                .into_par_iter()
                .map_init(
                    || machine.clone(),
                    |machine, index| {
                        let output = machine.run(frame(index)?.as_ref());
                        done();
                        output
                    },
                )
                .collect(),
            Runner::Board(link) => (0..count)
                .map(|index| {
                    let output = link.infer(frame(index)?.as_ref());
                    done();
                    output
                })
                .collect(),
        }
    }

    /// The outputs of an endless plan over a series.
    pub fn stream(&mut self, series: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let mut outputs = Vec::new();
        match self {
            Runner::Host(machine) => machine.stream(series, |output| {
                outputs.push(output.to_vec());
                Ok(())
            })?,
            Runner::Board(link) => link.stream(series, |output| outputs.push(output))?,
        }
        Ok(outputs)
    }
}
