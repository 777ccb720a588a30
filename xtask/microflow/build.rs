//! Writes down for each program which model it runs and which inputs it answers, and hands the linker its scripts.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folder of the models: `models` in the package of microflow.
const MODELS: &str = "MICROFLOW_MODELS";

/// The folder of the inputs, `NAME.i8` for each model.
const INPUTS: &str = "MICROFLOW_INPUTS";

const MEMORY: &str = "../../boards/mps2-an386/memory.x";

fn main() {
    println!("cargo:rerun-if-changed={MEMORY}");
    let [models, inputs] = [MODELS, INPUTS].map(folder);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for name in ["person_detect", "sine", "speech"] {
        // The macro takes a path written out, and no `env!`.
        let (model, input) = (models.join(format!("{name}.tflite")), inputs.join(format!("{name}.i8")));
        let text = format!(
            "#[allow(dead_code, missing_docs, reason = \"the macro writes more than is called, and no docs\")]\n\
             mod network {{\n    #[microflow::model({model:?})]\n    pub struct Network;\n}}\n\n\
             microception_microflow::program!(network::Network, {input:?});\n"
        );
        write_changed(&out.join(format!("{name}.rs")), &text);
    }
    fs::copy(MEMORY, out.join("memory.x")).expect("OUT_DIR can be written");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg=--nmagic");
    println!("cargo:rustc-link-arg=-Tlink.x");
}

/// A file that is as old as its text: a younger one would be compiled again.
fn write_changed(path: &Path, text: &str) {
    if !fs::read_to_string(path).is_ok_and(|there| there == text) {
        fs::write(path, text).expect("OUT_DIR can be written");
    }
}

fn folder(variable: &str) -> PathBuf {
    println!("cargo:rerun-if-env-changed={variable}");
    let path = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_dir());
    path.unwrap_or_else(|| {
        println!("cargo::error={variable} names no folder; `cargo xtask bench --microflow` builds this");
        std::process::exit(1)
    })
}
