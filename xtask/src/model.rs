//! Models, converted: the shipped ones, and those that are named.

use std::fs;
use std::path::{Path, PathBuf};

use microception_codegen::convert::{Convert, Precision, Summary};
use microception_codegen::device::board::Board;
use microception_codegen::device::firmware::{self, Memory};
use microception_codegen::error::Error;

use crate::{root, work_folder};

/// The folder of the shipped models, a folder each.
const MODELS: &str = "codegen/models";

/// The folder of the one that is demonstrated.
const DEMONSTRATED: &str = "xception_lite";

/// A converted model.
#[derive(Debug)]
pub struct Converted {
    /// Its name and its arithmetic, as `xception_lite int8`.
    pub name: String,
    /// The generated module's path.
    pub module: PathBuf,
    /// The figures that go with it.
    pub summary: Summary,
}

/// Converts the model that is demonstrated: the generated module's path, and the figures that go with it.
pub fn convert(precision: Precision) -> Result<(PathBuf, Summary), Error> {
    let folder = root().join(MODELS).join(DEMONSTRATED);
    let converted = in_folder(DEMONSTRATED, &trained(&folder)?, precision)?;
    Ok((converted.module, converted.summary))
}

/// Converts all shipped models: each in f32, and in int8 where its activation ranges are beside it.
pub fn shipped() -> Result<Vec<Converted>, Error> {
    let mut converted = Vec::new();
    for folder in entries(&root().join(MODELS))?.into_iter().filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let model = trained(&folder)?;
        converted.push(in_folder(&name, &model, Precision::F32)?);
        if ranges(&model).is_file() {
            converted.push(in_folder(&name, &model, Precision::Int8)?);
        }
    }
    Ok(converted)
}

/// Converts the model in a file, in int8 if it is quantized or there is calibration.
pub fn given(model: &Path, calibration: Option<&Path>) -> Result<Converted, Error> {
    let mut conversion = Convert::new(model);
    if let Some(calibration) = calibration {
        conversion = conversion.calibration(calibration);
    }
    let name = model.file_stem().unwrap_or_default().to_string_lossy();
    converted(&name, &conversion)
}

/// What the code of a program with a model takes at most, in bytes: that of the tests on the target.
const CODE_BYTES: usize = 128 * 1024;

/// Whether a program with the model has room on a board that needs so many bytes of RAM beside the arena.
pub fn fits(summary: &Summary, board: &Board, beside: usize) -> Result<bool, Error> {
    let Memory { flash, ram } = firmware::memory(board)?;
    Ok(summary.figures.flash_bytes + CODE_BYTES <= flash && summary.figures.arena_bytes + beside <= ram)
}

/// The trained model in a shipped model's folder.
fn trained(folder: &Path) -> Result<PathBuf, Error> {
    let files = entries(folder)?;
    let trained = files.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "keras"));
    trained.ok_or_else(|| Error::file(folder, "has no .keras file"))
}

fn ranges(model: &Path) -> PathBuf {
    model.with_file_name("ranges.json")
}

fn in_folder(name: &str, model: &Path, precision: Precision) -> Result<Converted, Error> {
    let mut conversion = Convert::new(model).precision(precision);
    if precision != Precision::F32 {
        conversion = conversion.calibration(ranges(model));
    }
    converted(name, &conversion)
}

/// Converts, and writes the module if it is not what is there: what was built of it then need not be built again.
pub fn converted(name: &str, conversion: &Convert) -> Result<Converted, Error> {
    let (text, summary) = conversion.to_module().map(|(module, summary)| (module.text, summary))?;
    let name = format!("{name} {}", summary.precision.name());
    let module = work_folder()?.join(format!("{}.rs", name.replace(' ', "_")));
    if !fs::read_to_string(&module).is_ok_and(|there| there == text) {
        fs::write(&module, text).map_err(|error| Error::file(&module, error.to_string()))?;
    }
    Ok(Converted { name, module, summary })
}

/// What is in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = folder.read_dir().map_err(|error| Error::file(folder, error.to_string()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}
