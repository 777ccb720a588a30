//! The command `microception`.
//!
//! Exit codes: 0 done; 1 the model or data cannot be used, with one message on standard error that names file,
//! layer and reason; 2 wrong usage.

mod command;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use command::Command;

/// Separable-convolution networks on microcontrollers: a trained model of Keras, TensorFlow Lite or ONNX goes in, a no_std
/// Rust module comes out.
#[derive(Debug, Parser)]
#[command(name = "microception", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(text) => show(&text),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what a command has to say. Whoever reads it may stop early, as `head` does.
fn show(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: standard output: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
