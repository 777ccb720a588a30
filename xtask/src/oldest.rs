//! The stage of the oldest compiler: what `rust-version` in `Cargo.toml` promises is built by that very version.

use std::process::Command;
use std::time::Instant;

use microception_codegen::error::Error;

use crate::root;
use crate::setup::rustup;
use crate::stage::{Counts, report, run};

/// What `rust-version` says: `1.95`.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Why the stage is skipped where there is no such compiler: no other can take its place.
pub const NO_COMPILER: &str = "no compiler of the oldest version that is promised";

/// The stage. Where that version is the compiler of all stages, these have built everything by it; else it is asked of rustup, and
/// builds what is published and its tests.
pub fn stage(name: &str) -> Result<Counts, Error> {
    let start = Instant::now();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let all = version(Command::new(rustc).arg("--version"));
    if all.as_deref().is_some_and(|version| is_of(version, OLDEST)) {
        return report(name, start, Counts::one(true), "every stage on the host is built by this version");
    }
    let names = [OLDEST.to_owned(), format!("{OLDEST}.0")];
    let installed = names.iter().find(|name| {
        let said = version(rustup(name).args(["rustc", "--version"]));
        said.is_some_and(|version| is_of(&version, OLDEST))
    });
    let Some(toolchain) = installed else {
        let why = format!("{NO_COMPILER}: rustup toolchain install {OLDEST}");
        return report(name, start, Counts { skipped: vec![why], ..Counts::default() }, "");
    };
    let mut check = rustup(toolchain);
    check.args(["cargo", "check", "--locked", "--all-targets", "--target-dir", "target/oldest"]).current_dir(root());
    run(name, Ok(vec![check]))
}

/// What the command says, where it runs.
fn version(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// Whether `rustc 1.95.0 (59807616e 2026-04-14)` is of `1.95`.
fn is_of(line: &str, version: &str) -> bool {
    let said = line.strip_prefix("rustc ").and_then(|rest| rest.strip_prefix(version));
    said.is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn a_version_is_of_its_first_two_numbers() {
        assert!(is_of("rustc 1.95.0 (59807616e 2026-04-14)", "1.95"));
        assert!(is_of("rustc 1.95.1-nightly", "1.95"));
        for other in ["rustc 1.96.0", "rustc 1.9.5", "cargo 1.95.0", ""] {
            assert!(!is_of(other, "1.95"), "{other}");
        }
    }
}
