//! The compiler for a board's core, wherever this machine has one.
//!
//! rustup's target is taken when it is installed. Otherwise any compiler that came with the
//! source of the library (Debian's packages, or rustup's `rust-src`) builds `core` for the target.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;

/// The oldest compiler that the firmware is built with: `rust-version` in `Cargo.toml`.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Linkers for bare Arm, best first.
const LINKERS: [&str; 13] = [
    "ld.lld",
    "ld.lld-22",
    "ld.lld-21",
    "ld.lld-20",
    "ld.lld-19",
    "ld.lld-18",
    "ld.lld-17",
    "ld.lld-16",
    "ld.lld-15",
    "ld.lld-14",
    "rust-lld",
    "arm-none-eabi-ld",
    "arm-none-eabi-ld.bfd",
];

/// A compiler and how it gets to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    target: String,
    library: Library,
}

/// Where `core` comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Library {
    /// The target is installed.
    Installed,
    /// Built from source, and linked by this linker where the compiler brings none.
    FromSource { linker: Option<PathBuf> },
}

impl Toolchain {
    /// A compiler for `target`.
    ///
    /// # Errors
    /// When there is none, with what to install.
    pub fn find(target: &str) -> Result<Toolchain, Error> {
        let compilers: Vec<_> = compilers().collect();
        let with_target = compilers.iter().find(|compiler| compiler.library(target).join("lib").is_dir());
        if let Some(compiler) = with_target {
            return Ok(compiler.toolchain(target, Library::Installed));
        }
        let source = |compiler: &&Compiler| compiler.sysroot.join("lib/rustlib/src/rust/library/core").is_dir();
        if let Some(compiler) = compilers.iter().find(source) {
            let linker = if compiler.has_linker() { None } else { Some(any_linker(target)?) };
            return Ok(compiler.toolchain(target, Library::FromSource { linker }));
        }
        Err(Error::model(format!(
            "no Rust compiler on this machine can build for {target}; run `cargo xtask setup`, or install it: \
             `rustup target add {target}`, or on Debian and Ubuntu \
             `apt-get install rustc-web rust-web-src cargo-web lld`"
        )))
    }

    /// Whether the target is installed; otherwise its library is built from source.
    pub fn is_installed(&self) -> bool {
        self.library == Library::Installed
    }

    /// What the compiler calls itself: its version, and where it comes from.
    ///
    /// # Errors
    /// When it does not say.
    pub fn version(&self) -> Result<String, Error> {
        let output = Command::new(&self.rustc).arg("--version").output();
        let output = output.map_err(|error| Error::file(&self.rustc, format!("does not start: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if text.is_empty() { Err(Error::file(&self.rustc, "does not say its version")) } else { Ok(text) }
    }

    /// Cargo for the target, without anything that an outer cargo has put into the environment.
    /// It builds into `target_dir`; `subcommand` is `build`, `check` or `test`.
    pub fn cargo(&self, subcommand: &str, target_dir: &Path) -> Command {
        let mut command = Command::new(&self.cargo);
        for name in env::vars_os().map(|(name, _)| name).filter(is_cargos_own) {
            command.env_remove(name);
        }
        command.env("RUSTC", &self.rustc);
        if let Library::FromSource { linker } = &self.library {
            command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_UNSTABLE_BUILD_STD", "core");
            if let Some(linker) = linker {
                let triple = self.target.replace(['-', '.'], "_").to_uppercase();
                command.env(format!("CARGO_TARGET_{triple}_LINKER"), linker);
            }
        }
        command.arg(subcommand).args(["--target", &self.target]).arg("--target-dir").arg(target_dir);
        command
    }

    /// Clippy's driver beside this compiler, for `RUSTC_WORKSPACE_WRAPPER` of [`cargo`](Toolchain::cargo)
    /// `check`; `None` when it is not installed.
    pub fn clippy_driver(&self) -> Option<PathBuf> {
        match self.rustc.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => Some(folder.join("clippy-driver")).filter(|driver| driver.is_file()),
            None => on_path("clippy-driver"),
        }
    }
}

/// A compiler that is new enough.
#[derive(Debug)]
struct Compiler {
    rustc: PathBuf,
    sysroot: PathBuf,
}

impl Compiler {
    fn asked(rustc: &Path) -> Option<Compiler> {
        let answer = |arguments: &[&str]| {
            let output = Command::new(rustc).args(arguments).output().ok().filter(|output| output.status.success())?;
            String::from_utf8(output.stdout).ok()
        };
        let new_enough = version(&answer(&["--version"])?)? >= numbers(OLDEST)?;
        let sysroot = answer(&["--print", "sysroot"])?;
        new_enough.then(|| Compiler { rustc: rustc.to_owned(), sysroot: sysroot.trim().into() })
    }

    /// The folder of what belongs to `target`.
    fn library(&self, target: &str) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(target)
    }

    /// Whether the compiler brings its own linker, which it then takes by itself.
    fn has_linker(&self) -> bool {
        let hosts = self.sysroot.join("lib/rustlib").read_dir();
        hosts.into_iter().flatten().flatten().any(|host| host.path().join("bin/rust-lld").is_file())
    }

    fn toolchain(&self, target: &str, library: Library) -> Toolchain {
        let cargo = self.rustc.with_file_name("cargo");
        Toolchain { cargo, rustc: self.rustc.clone(), target: target.to_owned(), library }
    }
}

/// The compilers of this machine: the user's, then the system's (Ubuntu keeps several in `/usr/lib`).
/// Each has its own cargo beside it.
fn compilers() -> impl Iterator<Item = Compiler> {
    let versioned = Path::new("/usr/lib").read_dir().into_iter().flatten().flatten();
    let versioned = versioned.filter(|entry| entry.file_name().to_string_lossy().starts_with("rust-"));
    let fixed = ["rustc", "/usr/bin/rustc", "/usr/local/bin/rustc"].into_iter().map(PathBuf::from);
    let mut compilers: Vec<_> = fixed.chain(versioned.map(|entry| entry.path().join("bin/rustc"))).collect();
    compilers.dedup();
    compilers.into_iter().filter_map(|rustc| Compiler::asked(&rustc))
}

fn any_linker(target: &str) -> Result<PathBuf, Error> {
    LINKERS.iter().find_map(|name| on_path(name)).ok_or_else(|| {
        Error::model(format!(
            "no linker on this machine can link for {target}; run `cargo xtask setup`, or `apt-get install lld`"
        ))
    })
}

/// The program of that name on the search path.
pub fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// `1.89` of `rustc 1.89.0 (29483883e 2025-08-04)`.
fn version(line: &str) -> Option<(u32, u32)> {
    numbers(line.split_whitespace().nth(1)?)
}

/// The first two numbers of a version.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether cargo has set the variable for a program that it runs, or it would change what is built.
/// The user's own settings of the network and of registries stay.
fn is_cargos_own(name: &OsString) -> bool {
    let Some(name) = name.to_str() else { return false };
    const NAMES: [&str; 16] = [
        "CARGO",
        "CARGO_BUILD_RUSTC",
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_CRATE_NAME",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_DIR",
        "CLIPPY_ARGS",
        "OUT_DIR",
        "RUSTC",
        "RUSTC_BOOTSTRAP",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
    ];
    const PREFIXES: [&str; 8] = [
        "CARGO_BIN_",
        "CARGO_CFG_",
        "CARGO_FEATURE_",
        "CARGO_LLVM_COV",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "CARGO_UNSTABLE_",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(version("rustc 1.63.0"), Some((1, 63)));
        assert_eq!(version("rustc 1.97.0-nightly (abc 2026-05-01)"), Some((1, 97)));
        assert_eq!(version("gcc"), None);
        assert!(numbers(OLDEST).is_some(), "{OLDEST}");
    }

    #[test]
    fn an_outer_cargo_does_not_leak() {
        for name in ["CARGO", "RUSTC", "CARGO_PKG_NAME", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
            assert!(is_cargos_own(&name.into()), "{name}");
        }
        for name in
            ["CARGO_HOME", "CARGO_HTTP_PROXY", "CARGO_REGISTRIES_CRATES_IO_PROTOCOL", "PATH", "RUSTUP_TOOLCHAIN"]
        {
            assert!(!is_cargos_own(&name.into()), "{name}");
        }
    }

    #[test]
    fn a_target_that_no_compiler_knows_is_an_error_that_says_what_to_install() {
        // Only a machine with library source gets past it, and fails later, in the compiler.
        if let Err(error) = Toolchain::find("no-such-target") {
            assert!(error.reason.contains("rustup target add no-such-target"), "{error}");
        }
    }
}
