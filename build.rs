//! Chooses the inner loops by the target's name: on a stable compiler no `cfg` tells whether an
//! Arm target has the DSP instructions.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(microception_dsp)");
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    // Armv7E-M (Cortex-M4, M7) always has them; on Armv8-M they are optional and the compiler
    // accepts them only with a target CPU that has them.
    if target.starts_with("thumbv7em") {
        println!("cargo::rustc-cfg=microception_dsp");
    }
}
