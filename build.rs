//! Chooses the inner loops: by the target's name, and on Armv8-M, where a core may do without the DSP
//! instructions and Helium, by the target CPU among the compiler's flags. On a stable compiler no `cfg` tells
//! whether an Arm target has them. With `--cfg microception_portable` among the flags none of them runs.

/// How targets of Armv8-M begin; those of its baseline have none of this.
const ARMV8M: &str = "thumbv8m.main";

/// Cores of Armv8-M whose DSP instructions the compiler accepts when they are its target CPU.
const WITH_DSP: [&str; 6] = ["cortex-m33", "cortex-m35p", "star-mc1", "cortex-m52", "cortex-m55", "cortex-m85"];

/// Those with Helium.
const WITH_HELIUM: [&str; 3] = ["cortex-m52", "cortex-m55", "cortex-m85"];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(microception_armv8m)");
    println!("cargo::rustc-check-cfg=cfg(microception_dsp)");
    println!("cargo::rustc-check-cfg=cfg(microception_fpu)");
    println!("cargo::rustc-check-cfg=cfg(microception_thumb1)");
    println!("cargo::rustc-check-cfg=cfg(microception_thumb2)");
    println!("cargo::rustc-check-cfg=cfg(microception_helium)");
    println!("cargo::rerun-if-changed=build.rs");
    // For comparisons.
    if std::env::var_os("CARGO_CFG_MICROCEPTION_PORTABLE").is_some() {
        return;
    }
    let target = std::env::var("TARGET").unwrap_or_default();
    let core = Core::of(&target, &std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default());
    if core.dsp {
        println!("cargo::rustc-cfg=microception_dsp");
    }
    if target.starts_with("thumbv6m-") {
        println!("cargo::rustc-cfg=microception_thumb1");
    }
    // Armv7-M (Cortex-M3) never has them.
    if target.starts_with("thumbv7m-") {
        println!("cargo::rustc-cfg=microception_thumb2");
    }
    // Its registers are the FPU's, which start-up code enables where floats are passed in them.
    if core.helium && target.ends_with("eabihf") {
        println!("cargo::rustc-cfg=microception_helium");
    }
    if target.starts_with(ARMV8M) {
        println!("cargo::rustc-cfg=microception_armv8m");
    }
    // Where floats are passed in registers there is an FPU.
    if target.starts_with("thumb") && target.ends_with("eabihf") {
        println!("cargo::rustc-cfg=microception_fpu");
    }
}

/// What the target's core has.
struct Core {
    dsp: bool,
    helium: bool,
}

impl Core {
    /// `flags` are those of `rustc`, separated by 0x1f as cargo has them.
    fn of(target: &str, flags: &str) -> Core {
        // Armv7E-M (Cortex-M4, M7) always has them.
        let mut core = Core { dsp: target.starts_with("thumbv7em"), helium: false };
        if !target.starts_with(ARMV8M) {
            return core;
        }
        for (option, value) in codegen_options(flags) {
            match option {
                "target-cpu" => core = Core { dsp: WITH_DSP.contains(&value), helium: WITH_HELIUM.contains(&value) },
                "target-feature" => {
                    for feature in value.split(',') {
                        match feature {
                            "+dsp" => core.dsp = true,
                            "-dsp" => core = Core { dsp: false, helium: false },
                            "+mve" | "+mve.fp" => core = Core { dsp: true, helium: true },
                            "-mve" => core.helium = false,
                            _ => (),
                        }
                    }
                }
                _ => (),
            }
        }
        core
    }
}

/// Names and values of `-Cname=value`, `-C name=value`, `--codegen=name=value` and `--codegen name=value`, in order.
fn codegen_options(flags: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut flags = flags.split('\x1f');
    std::iter::from_fn(move || {
        loop {
            let flag = flags.next()?;
            let option = match flag {
                "-C" | "--codegen" => flags.next()?,
                _ => flag.strip_prefix("-C").or_else(|| flag.strip_prefix("--codegen=")).unwrap_or(flag),
            };
            if let Some(option) = option.split_once('=') {
                return Some(option);
            }
        }
    })
}
