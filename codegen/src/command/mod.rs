//! The sub-commands, one in each file. Each returns what is printed on standard output.

mod bench;
mod compare;
mod convert;
mod device;
mod eval;
mod filter;
mod frames;
mod inspect;
mod progress;
mod report;
mod run;
mod runner;
mod settings;
mod side_by_side;
mod table;
mod tensors;

use clap::Subcommand;
use microception_codegen::error::Error;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Inspect(inspect::Inspect),
    Convert(convert::Convert),
    Run(run::Run),
    Eval(eval::Eval),
    Bench(bench::Bench),
    Report(report::Report),
    Compare(compare::Compare),
    Filter(filter::Filter),
    Device(device::Device),
}

impl Command {
    /// Does it.
    pub fn run(self) -> Result<String, Error> {
        match self {
            Command::Inspect(inspect) => inspect.run(),
            Command::Convert(convert) => convert.run(),
            Command::Run(run) => run.run(),
            Command::Eval(eval) => eval.run(),
            Command::Bench(bench) => bench.run(),
            Command::Report(report) => report.run(),
            Command::Compare(compare) => compare.run(),
            Command::Filter(filter) => filter.run(),
            Command::Device(device) => device.run(),
        }
    }
}
