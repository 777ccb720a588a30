//! `microception device`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use microception_codegen::error::Error;

/// Talks to a flashed board over its serial link
#[derive(Debug, Args)]
pub struct Device {
    /// The serial port that it is on
    #[arg(long, value_name = "PORT")]
    port: PathBuf,
    #[command(subcommand)]
    request: Request,
}

#[derive(Debug, Subcommand)]
enum Request {
    /// What runs there
    Info,
    /// Runs its model on arrays or pictures
    Run,
    /// Measures its accuracy
    Eval,
    /// Measures an inference
    Bench,
}

impl Device {
    pub fn run(self) -> Result<String, Error> {
        let request = match self.request {
            Request::Info => "info",
            Request::Run => "run",
            Request::Eval => "eval",
            Request::Bench => "bench",
        };
        Err(Error::file(
            self.port,
            format!(
                "device {request}: serial ports are not in this version; emulated boards are, as --board of run, eval and bench"
            ),
        ))
    }
}
