//! The build script of every board: puts the model into the firmware, and hands the linker its scripts.

mod conversion;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=memory.x");
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
    let module = match conversion::given()? {
        Some(module) => module,
        None if env::var_os("CARGO_FEATURE_FILTER").is_some() => return Ok(String::new()),
        None => conversion::convert(out)?,
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
