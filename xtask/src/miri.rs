//! The stage of the interpreter: the examples in the runtime's documentation, of which each kernel has one, on the portable path
//! under Miri, which looks at every access to memory. Random shapes would take hours.

use std::process::Command;
use std::time::Instant;

use microception_codegen::error::Error;

use crate::root;
use crate::setup::{self, rustup};
use crate::stage::{Counts, report, run};

/// The compiler that has the interpreter, which only nightly ones do; of one date, so that it stays what it is. That of 2026-10-30 can't
/// run examples.
const NIGHTLY: &str = "nightly-2026-06-15";

/// What rustup is told to install it.
const INSTALL: [&str; 7] = ["toolchain", "install", NIGHTLY, "--profile", "minimal", "--component", "miri,rust-src"];

/// Why the stage is skipped where there is none.
pub const NO_MIRI: &str = "no Miri";

/// The stage.
pub fn stage(name: &str) -> Result<Counts, Error> {
    if !is_there() {
        let why = format!("{NO_MIRI}: rustup {}", INSTALL.join(" "));
        return report(name, Instant::now(), Counts { skipped: vec![why], ..Counts::default() }, "");
    }
    run(name, Ok(vec![miri("--doc"), miri("--lib")]))
}

fn miri(tests: &str) -> Command {
    let mut command = rustup(NIGHTLY);
    command.args(["cargo", "miri", "test", "--target-dir", "target/miri", "--package", "microception", tests]);
    command.current_dir(root());
    command
}

/// Lets rustup install the interpreter where there is none, and says if it can't: the stage is skipped then.
pub fn install() {
    if !is_there() && !setup::run("rustup", &INSTALL) {
        eprintln!("no Miri can be installed: the portable path is not interpreted");
    }
}

/// Whether the interpreter is there.
fn is_there() -> bool {
    let mut asked = rustup(NIGHTLY);
    asked.args(["cargo", "miri", "--version"]);
    asked.output().is_ok_and(|output| output.status.success())
}
