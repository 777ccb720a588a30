//! Finds what building and emulating firmware needs, and installs what is missing.

use std::path::Path;
use std::process::{Command, Stdio};

use microception_codegen::device::board::{self, BOARDS, Board};
use microception_codegen::device::toolchain::{Toolchain, on_path};
use microception_codegen::error::Error;

use crate::miri;

/// The board that the project's own commands run.
pub const BOARD: &str = "mps2-an386";

/// The names that Chromium has.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The C compiler for the boards' cores.
pub const ARM_GCC: &str = "arm-none-eabi-gcc";

/// The board.
pub fn board() -> Result<&'static Board, Error> {
    board::named(BOARD)
}

/// A compiler for every board's core, and QEMU. Quick when all are there.
pub fn setup() -> Result<(), Error> {
    for target in targets() {
        if Toolchain::find(target).is_err() && !add_target(target) {
            install(&compiler_packages())?;
            Toolchain::find(target)?;
        }
    }
    if on_path("qemu-system-arm").is_none() {
        install(&["qemu-system-arm".to_owned()])?;
    }
    Ok(())
}

/// The target of each core.
fn targets() -> Vec<&'static str> {
    let mut targets: Vec<_> = BOARDS.iter().map(|board| board.target).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// What `test` needs beyond that: formatter and clippy, the latter beside the compiler for the board
/// too, Python with venv, Node, a browser, valgrind, Miri, and a C compiler for the boards. The last needs no C library.
pub fn for_tests() -> Result<(), Error> {
    setup()?;
    if on_path(ARM_GCC).is_none() {
        install(&["gcc-arm-none-eabi".to_owned()])?;
    }
    for_fuzzing()?;
    for (command, component, package) in [("fmt", "rustfmt", "rustfmt-web"), ("clippy", "clippy", "rust-web-clippy")] {
        let there = succeeds("cargo", &[command, "--version"]);
        if !(there || on_path("rustup").is_some() && run("rustup", &["component", "add", component])) {
            install(&[package.to_owned()])?;
        }
    }
    for target in targets() {
        if Toolchain::find(target)?.clippy_driver().is_none() {
            install(&["rust-web-clippy".to_owned()])?;
        }
    }
    // The report's page is looked at in a browser; its test says so where there is none.
    if CHROMIUM.iter().all(|name| on_path(name).is_none()) && install(&["chromium".to_owned()]).is_err() {
        eprintln!("no Chromium can be installed: the report's page is not looked at in a browser");
    }
    miri::install();
    if cfg!(target_os = "linux") && on_path("valgrind").is_none() {
        install(&["valgrind".to_owned()])?;
    }
    let has_venv = || succeeds("python3", &["-c", "import ensurepip, venv"]);
    if !has_venv() {
        install(&["python3-venv".to_owned()])?;
    }
    if on_path("node").is_none() || on_path("npm").is_none() {
        install(&["nodejs".to_owned(), "npm".to_owned()])?;
    }
    Ok(())
}

/// What building the fuzz targets needs beside Rust: libFuzzer is written in C++.
pub fn for_fuzzing() -> Result<(), Error> {
    if std::env::var_os("CXX").is_none() && on_path("c++").is_none() {
        install(&["g++".to_owned()])?;
    }
    Ok(())
}

/// What runs a command of the toolchain with that name: `rustup run`.
pub fn rustup(toolchain: &str) -> Command {
    let mut rustup = Command::new("rustup");
    rustup.args(["run", toolchain]);
    // An outer cargo names its own.
    rustup.env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    rustup
}

/// Lets rustup install the target; whether it could.
fn add_target(target: &str) -> bool {
    on_path("rustup").is_some() && run("rustup", &["target", "add", target]) && Toolchain::find(target).is_ok()
}

/// Debian's newest compiler with the library's source; on Ubuntu the newest of the versioned ones.
fn compiler_packages() -> Vec<String> {
    let names = |packages: &[&str]| packages.iter().map(|&package| package.to_owned()).collect();
    let output = Command::new("apt-cache").args(["pkgnames", "rust-"]).output();
    let known = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let minor = |package: &str| package.strip_prefix("rust-1.")?.strip_suffix("-src")?.parse::<u32>().ok();
    let newest = known.lines().filter_map(minor).filter(|&minor| minor >= 89).max();
    match newest {
        Some(minor) if !known.lines().any(|package| package == "rust-web-src") => ["rustc-1.", "cargo-1."]
            .map(|package| format!("{package}{minor}"))
            .into_iter()
            .chain([format!("rust-1.{minor}-src"), "lld".to_owned()])
            .collect(),
        _ => names(&["rustc-web", "rust-web-src", "cargo-web", "lld"]),
    }
}

/// Installs Debian packages, as root or through sudo.
fn install(packages: &[String]) -> Result<(), Error> {
    let list = packages.join(" ");
    let by_hand = |why: &str| {
        Error::model(format!(
            "{why}; install it yourself and try again: on Debian and Ubuntu `apt-get install {list}`, \
             elsewhere `rustup target add {}` and your system's package of QEMU for Arm",
            targets().join(" ")
        ))
    };
    if on_path("apt-get").is_none() {
        return Err(by_hand("something is missing, and this machine has no apt-get"));
    }
    let mut command = match (is_root(), on_path("sudo")) {
        (true, _) => vec!["env"],
        (false, Some(_)) => vec!["sudo", "env"],
        (false, None) => return Err(by_hand("something is missing, and installing it takes root or sudo")),
    };
    command.extend(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    eprintln!("installing {list}");
    let apt = |arguments: &[&str]| run(command[0], &[&command[1..], arguments].concat());
    let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    arguments.extend(packages.iter().map(String::as_str));
    // Package lists may be older than the packages, or not there at all.
    if apt(&["update", "--quiet"]) && apt(&arguments) { Ok(()) } else { Err(by_hand("apt-get fails")) }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs a program, whose messages go to the standard error output.
pub fn run(program: impl AsRef<Path>, arguments: &[&str]) -> bool {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).stdout(std::io::stderr());
    command.status().is_ok_and(|status| status.success())
}

/// Whether a program says nothing but yes.
fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
