//! Puts the model into the library, and writes `microception.h` beside it.

#[path = "../../cortex-m/conversion.rs"]
mod conversion;
mod facts;
mod header;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=src");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    if let Err(why) = build(&out) {
        println!("cargo::error={why}");
        std::process::exit(1)
    }
}

/// Writes the module's declaration into `out`, and the header beside the library: three folders above.
fn build(out: &Path) -> Result<(), String> {
    let module = match conversion::given()? {
        Some(module) => module,
        None => conversion::convert(out)?,
    };
    println!("cargo::rerun-if-changed={}", module.display());
    let text = fs::read_to_string(&module).map_err(|error| format!("{}: {error}", module.display()))?;
    let facts = facts::Facts::of(&text).map_err(|why| format!("{}: {why}", module.display()))?;
    let unwritable =
        |path: &Path, error: &dyn std::fmt::Display| format!("{} cannot be written: {error}", path.display());
    // By its path, so that the compiler names the file in its messages.
    let declaration = format!(
        "/// The embedded model, as `microception convert` wrote it.\n#[path = {module:?}]\npub mod model;\n{}",
        facts.held_against_the_module()
    );
    let file = out.join("module.rs");
    fs::write(&file, declaration).map_err(|error| unwritable(&file, &error))?;
    let file = out.ancestors().nth(3).unwrap_or(out).join("microception.h");
    fs::write(&file, header::header(&facts)?).map_err(|error| unwritable(&file, &error))
}
