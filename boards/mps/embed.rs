//! The build script of every board's package: puts the generated module into the firmware, and hands the
//! linker its scripts.

use std::path::{Path, PathBuf};
use std::{env, fs};

const VARIABLE: &str = "MICROCEPTION_MODEL";

fn main() {
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let module = model().unwrap_or_else(|why| {
        println!("cargo::error={why}");
        std::process::exit(1)
    });
    // By its path, so that the compiler names the file in its messages.
    let declaration =
        format!("/// The embedded model, as `microception convert` wrote it.\n#[path = {module:?}]\npub mod model;\n");
    fs::write(out.join("module.rs"), declaration).expect("OUT_DIR can be written");
    fs::copy("memory.x", out.join("memory.x")).expect("OUT_DIR can be written");

    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg=--nmagic");
    println!("cargo:rustc-link-arg=-Tlink.x");
    println!("cargo:rustc-link-arg-bin=firmware=-Tdefmt.x");
}

/// The generated module's absolute path.
fn model() -> Result<PathBuf, String> {
    let path = env::var_os(VARIABLE).ok_or_else(|| {
        format!(
            "{VARIABLE} is not set: it names the Rust module that the firmware embeds, \
             as `microception convert MODEL --out FILE.rs` writes it"
        )
    })?;
    let path = Path::new(&path);
    path.canonicalize().map_err(|error| format!("{VARIABLE}={}: {error}", path.display()))
}
