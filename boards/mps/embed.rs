//! The build script of every board's package: puts the generated module into the firmware, and hands the
//! linker its scripts.

use std::path::{Path, PathBuf};
use std::{env, fs};

const VARIABLE: &str = "MICROCEPTION_MODEL";

fn main() {
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let declaration = declaration().unwrap_or_else(|why| {
        println!("cargo::error={why}");
        std::process::exit(1)
    });
    fs::write(out.join("module.rs"), declaration).expect("OUT_DIR can be written");
    fs::copy("memory.x", out.join("memory.x")).expect("OUT_DIR can be written");

    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg=--nmagic");
    println!("cargo:rustc-link-arg=-Tlink.x");
    println!("cargo:rustc-link-arg-bin=firmware=-Tdefmt.x");
}

/// The declaration of the generated module and of what goes with it; empty without a module, which only a program
/// that has no model does without.
fn declaration() -> Result<String, String> {
    let Some(path) = env::var_os(VARIABLE) else {
        if env::var_os("CARGO_FEATURE_FILTER").is_some() {
            return Ok(String::new());
        }
        return Err(format!(
            "{VARIABLE} is not set: it names the Rust module that the firmware embeds, \
             as `microception convert MODEL --out FILE.rs` writes it"
        ));
    };
    let path = Path::new(&path);
    let module = path.canonicalize().map_err(|error| format!("{VARIABLE}={}: {error}", path.display()))?;
    let text = fs::read_to_string(&module).map_err(|error| format!("{VARIABLE}={}: {error}", path.display()))?;
    // The frame of several inputs is a struct.
    let inputs = if text.contains("\npub struct Frame {") { "several" } else { "one" };
    // By its path, so that the compiler names the file in its messages.
    Ok(format!(
        "/// The embedded model, as `microception convert` wrote it.\n#[path = {module:?}]\npub mod model;\n\
         microception_mps::input_types!({inputs});\n"
    ))
}
