//! The cores that a module can be for. Every module runs on each; what it is good at differs.

use crate::optimize::Optimize;

/// Cores of microcontrollers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Any.
    Portable,
    /// Armv6-M: no division, no DSP instructions.
    CortexM0Plus,
    /// Armv7-M.
    CortexM3,
    /// Armv7E-M: DSP instructions.
    CortexM4,
    /// As the M4, two instructions at a time.
    CortexM7,
    /// Armv8-M with DSP instructions.
    CortexM33,
    /// Armv8.1-M with Helium.
    CortexM55,
    /// RISC-V without vectors.
    RiscV32,
}

impl Target {
    /// All cores.
    pub const ALL: [Target; 8] = [
        Target::Portable,
        Target::CortexM0Plus,
        Target::CortexM3,
        Target::CortexM4,
        Target::CortexM7,
        Target::CortexM33,
        Target::CortexM55,
        Target::RiscV32,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Target::Portable => "portable",
            Target::CortexM0Plus => "cortex-m0plus",
            Target::CortexM3 => "cortex-m3",
            Target::CortexM4 => "cortex-m4",
            Target::CortexM7 => "cortex-m7",
            Target::CortexM33 => "cortex-m33",
            Target::CortexM55 => "cortex-m55",
            Target::RiscV32 => "riscv32",
        }
    }

    /// The core of that name.
    ///
    /// ```
    /// use microception_codegen::target::Target;
    /// assert_eq!(Target::named("cortex-m4"), Some(Target::CortexM4));
    /// assert!(Target::ALL.iter().all(|target| Target::named(target.name()) == Some(*target)));
    /// ```
    pub fn named(name: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|target| target.name() == name)
    }

    /// What kernels are good at on it, where the user does not say: see [`Optimize`].
    pub fn optimize(self) -> Optimize {
        match self {
            Target::CortexM4 | Target::CortexM7 | Target::CortexM33 => Optimize::Balanced,
            Target::Portable | Target::CortexM0Plus | Target::CortexM3 | Target::CortexM55 | Target::RiscV32 => {
                Optimize::Size
            }
        }
    }
}
