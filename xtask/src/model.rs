//! The shipped model, converted by the command `microception`.

use std::path::PathBuf;
use std::process::Command;

use microception_codegen::error::Error;

use crate::{root, work_folder};

/// The folder of the shipped model.
pub const FOLDER: &str = "codegen/models/xception_lite";

/// The arithmetic of a converted model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// IEEE single precision.
    F32,
    /// Eight bits.
    Int8,
}

impl Precision {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Int8 => "int8",
        }
    }
}

/// Converts the shipped model, and returns the generated module's path.
pub fn convert(precision: Precision) -> Result<PathBuf, Error> {
    let module = work_folder()?.join(format!("xception_lite_{}.rs", precision.name()));
    let folder = root().join(FOLDER);
    let mut command = microception();
    command.arg("convert").arg(folder.join("xlite.keras")).arg("--out").arg(&module);
    command.args(["--precision", precision.name()]);
    if precision == Precision::Int8 {
        command.arg("--calibration").arg(folder.join("ranges.json"));
    }
    let output = command.output().map_err(|error| Error::model(format!("cargo does not start: {error}")))?;
    if output.status.success() {
        Ok(module)
    } else {
        let messages = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Err(Error::model(format!("the shipped model does not convert to {}:\n{messages}", precision.name())))
    }
}

/// The command `microception` of this checkout.
fn microception() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args([
        "run",
        "--quiet",
        "--package",
        "microception-codegen",
        "--bin",
        "microception",
        "--",
    ]);
    command
}

/// The names of the shipped model's classes.
pub fn labels() -> Result<Vec<String>, Error> {
    let file = root().join(FOLDER).join("labels.txt");
    let text = std::fs::read_to_string(&file).map_err(|error| Error::file(&file, error.to_string()))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
