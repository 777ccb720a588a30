//! The build script of every board: puts the model into the firmware, and hands the linker its scripts.
//!
//! `MICROCEPTION_MODEL` names the module, as `microception convert` wrote it. Without it a board with feature `convert`
//! converts the model that `MODEL` names, in int8 where `CALIBRATION` names training data or ranges, else the shipped
//! network in int8.

use std::path::{Path, PathBuf};
use std::{env, fs};

const MODULE: &str = "MICROCEPTION_MODEL";

fn main() {
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rerun-if-env-changed={MODULE}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let declaration = declaration(&out).unwrap_or_else(|why| {
        println!("cargo::error={why}");
        std::process::exit(1)
    });
    fs::write(out.join("module.rs"), declaration).expect("OUT_DIR can be written");
    fs::copy("memory.x", out.join("memory.x")).expect("OUT_DIR can be written");

    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg=--nmagic");
    println!("cargo::rustc-link-arg=-Tlink.x");
    // Logs.
    if env::var_os("CARGO_FEATURE_SERVE").is_some() {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }
}

/// The declaration of the module and of what goes with it; empty without a module, which only a program that has no
/// model does without.
fn declaration(out: &Path) -> Result<String, String> {
    let module = match env::var_os(MODULE) {
        Some(path) => {
            let path = Path::new(&path);
            path.canonicalize().map_err(|error| format!("{MODULE}={}: {error}", path.display()))?
        }
        None if env::var_os("CARGO_FEATURE_FILTER").is_some() => return Ok(String::new()),
        None => convert(out)?,
    };
    let text = fs::read_to_string(&module).map_err(|error| format!("{}: {error}", module.display()))?;
    // The frame of several inputs is a struct.
    let inputs = if text.contains("\npub struct Frame {") { "several" } else { "one" };
    // By its path, so that the compiler names the file in its messages.
    Ok(format!(
        "/// The embedded model, as `microception convert` wrote it.\n#[path = {module:?}]\npub mod model;\n\
         microception_cortex_m::input_types!({inputs});\n"
    ))
}

#[cfg(not(feature = "convert"))]
fn convert(_: &Path) -> Result<PathBuf, String> {
    Err(format!(
        "{MODULE} is not set: it names the Rust module that the firmware embeds, \
         as `microception convert MODEL --out FILE.rs` writes it"
    ))
}

/// Converts the model, and says where its module lies.
#[cfg(feature = "convert")]
fn convert(out: &Path) -> Result<PathBuf, String> {
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
