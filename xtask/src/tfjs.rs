//! The test vectors of TensorFlow.js: its packages, and what its own tests call while Node runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use microception_codegen::error::Error;

use crate::python::run;
use crate::{root, work_folder};

/// What pins the packages.
const PINS: [&str; 2] = ["package.json", "package-lock.json"];

/// The command that writes the vectors to `target/xtask/tfjs/recorded.jsonl`, once the packages are installed.
pub fn record() -> Result<Command, Error> {
    let scripts = root().join("tests/peers/tfjs");
    let packages = packages(&scripts)?;
    let mut command = Command::new("node");
    command.arg(scripts.join("record.mjs")).arg(&packages).arg(packages.join("recorded.jsonl"));
    Ok(command)
}

/// A folder with the packages that a folder pins, installed again when the pins changed.
fn packages(pinned: &Path) -> Result<PathBuf, Error> {
    let folder = work_folder()?.join("tfjs");
    fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, error.to_string()))?;
    let mut wanted = String::new();
    for name in PINS {
        let file = pinned.join(name);
        let pins = fs::read_to_string(&file).map_err(|error| Error::file(&file, error.to_string()))?;
        let copy = folder.join(name);
        fs::write(&copy, &pins).map_err(|error| Error::file(&copy, error.to_string()))?;
        wanted.push_str(&pins);
    }
    let installed = folder.join("installed");
    if !fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        // None of them has to build anything.
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder))?;
        fs::write(&installed, wanted).map_err(|error| Error::file(&installed, error.to_string()))?;
    }
    Ok(folder)
}
