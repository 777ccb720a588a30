//! Python tests, each in a virtual environment with its own pinned requirements.

use std::fs;
use std::path::Path;
use std::process::Command;

use microception_codegen::error::Error;

use crate::{root, work_folder};

/// Tests written in Python.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// The folder they run in, which has a `requirements.txt`.
    pub folder: &'static str,
    /// What Python is called with.
    pub arguments: &'static [&'static str],
}

/// Where two of them find the command.
const COMMAND: &str = "../../target/debug/microception";

/// All of them. The last reads what [`record`](crate::tfjs::record) has written.
pub const SUITES: [Suite; 4] = [
    Suite { folder: "codegen/models/xception_lite", arguments: &["-m", "unittest", "test_train"] },
    Suite { folder: "tests/fixtures/litert", arguments: &["check.py"] },
    // Vectors of other projects, which come with their packages, through the command.
    Suite { folder: "tests/peers", arguments: &["onnx_nodes.py", COMMAND] },
    Suite { folder: "tests/peers", arguments: &["tfjs_kernels.py", COMMAND, "../../target/xtask/tfjs/recorded.jsonl"] },
];

impl Suite {
    /// The command that runs the tests, once their requirements are installed.
    pub fn command(&self) -> Result<Command, Error> {
        let folder = root().join(self.folder);
        let mut command = Command::new(environment(&folder.join("requirements.txt"))?);
        command.args(self.arguments).current_dir(folder);
        // Of TensorFlow only errors.
        command.env("TF_CPP_MIN_LOG_LEVEL", "2");
        Ok(command)
    }
}

/// The Python of an environment with these requirements, made or completed when they changed.
pub fn environment(requirements: &Path) -> Result<std::path::PathBuf, Error> {
    let wanted = fs::read_to_string(requirements).map_err(|error| Error::file(requirements, error.to_string()))?;
    let folder = work_folder()?.join("python");
    let python = folder.join("bin/python");
    // One environment for all: their pins agree, and pip says so when they do not.
    let installed = folder.join(format!("installed-{}", name_of(requirements)));
    if python.is_file() && fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    if !python.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements))?;
    fs::write(&installed, wanted).map_err(|error| Error::file(&installed, error.to_string()))?;
    Ok(python)
}

/// A file name for the folder of the requirements.
fn name_of(requirements: &Path) -> String {
    let folder = requirements.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

/// Runs a command; an error is all that it says there.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| Error::model(format!("{shown} does not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::model(format!("{shown} fails:\n{}", String::from_utf8_lossy(&output.stderr).trim_end())))
}
