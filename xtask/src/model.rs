//! The shipped model, converted.

use std::path::PathBuf;

use microception_codegen::convert::{Convert, Precision, Summary};
use microception_codegen::error::Error;

use crate::{root, work_folder};

/// The folder of the shipped model.
const FOLDER: &str = "codegen/models/xception_lite";

/// Converts the shipped model: the generated module's path, and the figures that go with it.
pub fn convert(precision: Precision) -> Result<(PathBuf, Summary), Error> {
    let module = work_folder()?.join(format!("xception_lite_{}.rs", precision.name()));
    let folder = root().join(FOLDER);
    let mut conversion =
        Convert::new(folder.join("xlite.keras")).precision(precision).labels(folder.join("labels.txt"));
    if precision == Precision::Int8 {
        conversion = conversion.calibration(folder.join("ranges.json"));
    }
    let summary = conversion.to_file(&module)?;
    Ok((module, summary))
}
