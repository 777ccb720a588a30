//! The part of a board's build script that finds the model's module, or has it made.
//!
//! `MICROCEPTION_MODEL` names the module, as `microception convert` wrote it. Without it a package with feature
//! `convert` converts the model that `MODEL` names, in int8 where `CALIBRATION` names training data or ranges, else the
//! shipped network in int8.

use std::env;
use std::path::{Path, PathBuf};

const MODULE: &str = "MICROCEPTION_MODEL";

/// Where the module lies that the environment names; `None` where it names none.
pub fn given() -> Result<Option<PathBuf>, String> {
    println!("cargo::rerun-if-env-changed={MODULE}");
    let Some(path) = env::var_os(MODULE) else { return Ok(None) };
    let path = Path::new(&path);
    path.canonicalize().map(Some).map_err(|error| format!("{MODULE}={}: {error}", path.display()))
}

/// Says how a module is given.
#[cfg(not(feature = "convert"))]
pub fn convert(_: &Path) -> Result<PathBuf, String> {
    Err(format!(
        "{MODULE} is not set: it names the Rust module that the firmware embeds, \
         as `microception convert MODEL --out FILE.rs` writes it"
    ))
}

/// Converts the model into the folder `out`, and says where its module lies.
#[cfg(feature = "convert")]
pub fn convert(out: &Path) -> Result<PathBuf, String> {
    use microception_codegen::convert::Convert;

    /// The folder of the shipped network, seen from a board's.
    const SHIPPED: &str = "../../codegen/models/xception_lite";
    const MODEL: &str = "MODEL";
    const CALIBRATION: &str = "CALIBRATION";

    let named = |variable: &str| {
        println!("cargo::rerun-if-env-changed={variable}");
        env::var_os(variable).map(PathBuf::from)
    };
    let (model, calibration) = match (named(MODEL), named(CALIBRATION)) {
        (None, None) => {
            let folder = Path::new(SHIPPED);
            (folder.join("xlite.keras"), Some(folder.join("ranges.json")))
        }
        (None, Some(_)) => return Err(format!("{CALIBRATION} goes with {MODEL}, which is not set")),
        (Some(model), calibration) => (model, calibration),
    };
    let mut conversion = Convert::new(model).optimize(core().optimize());
    if let Some(calibration) = calibration {
        conversion = conversion.calibration(calibration);
    }
    let name = "model.rs";
    conversion.to_out_dir(name).map_err(|error| error.to_string())?;
    Ok(out.join(name))
}

/// The core, as far as a conversion asks.
#[cfg(feature = "convert")]
fn core() -> microception_codegen::target::Target {
    use microception_codegen::target::Target;

    match env::var("TARGET").unwrap_or_default().split('-').next() {
        Some("thumbv6m") => Target::CortexM0Plus,
        Some("thumbv7m") => Target::CortexM3,
        Some("thumbv7em") => Target::CortexM4,
        Some("thumbv8m.main") => Target::CortexM33,
        _ => Target::Portable,
    }
}
