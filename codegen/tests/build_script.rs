//! The example of a build script, built and run by cargo as a user does it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use microception_codegen::data::array::{Npz, Numbers};

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example(file: &str) -> PathBuf {
    package().join("examples/build_script").join(file)
}

/// The classes' names, and of the frame in `horse.rgb` what LiteRT's reference kernels make.
fn expected() -> (Vec<String>, Vec<i8>) {
    let shipped = package().join("models/xception_lite");
    let archive = fs::read(shipped.join("golden100.npz")).unwrap();
    let mut archive = Npz::open(&archive).unwrap();
    let mut array = |name: &str| archive.array(name).unwrap().numbers;
    let (Numbers::U8(frames), Numbers::I8(scores)) = (array("image"), array("int8_ref")) else {
        panic!("pixels and int8 scores");
    };
    let horse = fs::read(example("horse.rgb")).unwrap();
    let frame = frames.chunks(horse.len()).position(|frame| frame == horse).expect("a golden frame");
    let labels = fs::read_to_string(shipped.join("labels.txt")).unwrap();
    (labels.lines().map(str::to_owned).collect(), scores.chunks(10).nth(frame).unwrap().to_vec())
}

#[test]
fn three_lines_convert_and_five_run() {
    let lines = |file: &str| fs::read_to_string(example(file)).unwrap().lines().count();
    assert_eq!((lines("build.rs"), lines("src/main.rs")), (3, 5));

    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--locked"])
        .current_dir(example(""))
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("build_script"))
        .output()
        .expect("cargo runs");
    let (labels, scores) = expected();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{labels:?}: {scores:?}\n"));
}

/// Then the example builds without a network wherever the workspace does.
#[test]
fn the_examples_crates_are_the_workspaces() {
    let packages = |file: PathBuf| -> BTreeSet<(String, String)> {
        let text = fs::read_to_string(file).unwrap();
        let entries = text.split("[[package]]\n").skip(1);
        let entry = |entry: &str| {
            let mut lines = entry.lines().map(str::to_owned);
            (lines.next().unwrap(), lines.next().unwrap())
        };
        entries.map(entry).collect()
    };
    let mut own = packages(example("Cargo.lock"));
    own.remove(&("name = \"build-script-example\"".to_owned(), "version = \"0.0.0\"".to_owned()));
    let others = packages(package().join("../Cargo.lock"));
    let apart: Vec<_> = own.difference(&others).collect();
    assert!(apart.is_empty(), "copy the workspace's Cargo.lock there and run cargo once: {apart:?}");
}
