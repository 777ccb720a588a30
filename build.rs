//! Chooses the inner loops by the target's name: on a stable compiler no `cfg` tells whether an
//! Arm target has the DSP instructions.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(microception_dsp)");
    println!("cargo::rustc-check-cfg=cfg(microception_fpu)");
    println!("cargo::rustc-check-cfg=cfg(microception_thumb2)");
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    // Armv7E-M (Cortex-M4, M7) always has them; on Armv8-M they are optional and the compiler
    // accepts them only with a target CPU that has them.
    if target.starts_with("thumbv7em") {
        println!("cargo::rustc-cfg=microception_dsp");
    }
    // Armv7-M (Cortex-M3) never has them.
    if target.starts_with("thumbv7m-") {
        println!("cargo::rustc-cfg=microception_thumb2");
    }
    // Where floats are passed in registers there is an FPU.
    if target.starts_with("thumb") && target.ends_with("eabihf") {
        println!("cargo::rustc-cfg=microception_fpu");
    }
}
