//! The same model gives the same bytes, whatever the machine is like: threads, folder, language, time zone. The module beside the vibration
//! example, which a test makes again, says the same from one machine to another.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// What a conversion leaves: module and ranges, as bytes.
fn converted(folder: &Path, threads: &str, language: &str, arguments: &[&str]) -> [Vec<u8>; 2] {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xception_lite");
    for name in ["xlite.keras", "labels.txt", "golden100.npz"] {
        std::fs::copy(shipped.join(name), folder.join(name)).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_microception"));
    command.current_dir(folder).env("RAYON_NUM_THREADS", threads).env("LC_ALL", language).env("TZ", language);
    command.args(["convert", "xlite.keras", "--out", "model.rs"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ["model.rs", "ranges.json"].map(|name| std::fs::read(folder.join(name)).unwrap_or_default())
}

#[test]
fn a_conversion_gives_the_same_bytes_anywhere() {
    let calibrated = ["--calibration", "golden100.npz", "--save-ranges", "ranges.json"];
    let cases: [&[&str]; 5] = [
        &[],
        &calibrated,
        &["--precision", "int16x8", "--range", "mse"],
        &["--precision", "int4", "--optimize", "speed"],
        &["--plan", "smallest", "--keep", "f32", "conv2d_1"],
    ];
    for (index, case) in cases.into_iter().enumerate() {
        let arguments = if index < 2 { case.to_vec() } else { [&calibrated[..], case].concat() };
        let parent = TempDir::new().unwrap();
        let elsewhere = parent.path().join("another folder, with a longer name");
        std::fs::create_dir(&elsewhere).unwrap();
        let first = converted(TempDir::new().unwrap().path(), "1", "C", &arguments);
        let second = converted(&elsewhere, "7", "tr_TR.UTF-8", &arguments);
        assert!(!first[0].is_empty() && first[1].is_empty() == (index == 0), "{arguments:?}");
        assert!(first == second, "{arguments:?}: other bytes");
    }
}
