//! `cargo xtask demo`: the shipped model in int8 on an emulated Cortex-M4, shown photographs.

use std::path::{Path, PathBuf};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use microception_codegen::convert::Precision;
use microception_codegen::data::Input;
use microception_codegen::data::picture::{Fit, frame};
use microception_codegen::device::bench::bench;
use microception_codegen::device::firmware::{Program, build};
use microception_codegen::device::qemu::{Clock, Device};
use microception_codegen::error::Error;
use microception_codegen::graph::{Element, Shape};
use serde_json::json;

use crate::model::convert;
use crate::root;
use crate::setup::{board, setup};
use crate::size::grouped;

/// How many classes of each picture are shown.
const SHOWN: usize = 3;

/// Shows the model `photo`, or the photographs in `tests/photos`; with `logs`, the firmware's log as it comes.
pub fn demo(photo: Option<&Path>, logs: bool, json: bool) -> Result<(), Error> {
    // A picture that is not there need not wait for the firmware.
    let photos = match photo {
        Some(photo) if !photo.is_file() => return Err(Error::file(photo, "is no file")),
        Some(photo) => vec![photo.to_owned()],
        None => test_photos()?,
    };
    setup()?;
    let board = board()?;
    eprintln!("converting the shipped Xception-lite to int8 ...");
    let (module, summary) = convert(Precision::Int8)?;
    eprintln!("building the firmware for {} (the first time takes about a minute) ...", board.name);
    let elf = build(&module, board, Program::Serve)?;
    eprintln!("running it in QEMU ...");
    let mut device = Device::start(board, elf.path(), Clock::Host)?;
    if logs {
        device.show_log(|line| eprintln!("  {line}"));
    }
    let input =
        Input { shape: Shape(device.link.info().inputs[0].shape.clone()), element: Element::U8, quantization: None };

    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["picture", "first", "second", "third", ""]);
    let (mut correct, mut total) = (0, 0);
    for photo in &photos {
        let pixels = frame(photo, &input, Fit::Resize)?;
        let best = device.link.infer(&pixels).and_then(|_| device.link.top(SHOWN))?;
        let label = |class: usize| summary.labels.get(class).map_or("?", String::as_str);
        let mut row = vec![photo.file_name().unwrap_or_default().to_string_lossy().into_owned()];
        row.extend(best.iter().map(|&(class, value)| format!("{} {:.0}%", label(class), 100.0 * value)));
        row.resize(1 + SHOWN, String::new());
        if let Some(class) = class_of(photo) {
            total += 1;
            let right = best.first().is_some_and(|&(first, _)| first == class);
            correct += u32::from(right);
            row.push(if right { "right".to_owned() } else { format!("is a {}", label(class)) });
        }
        table.add_row(row);
    }
    println!("{table}");
    drop(device);

    eprintln!("measuring ...");
    let bench = bench(&module, board)?;
    if total != 0 {
        println!("{correct} of {total} right");
    }
    println!("arena         {:>12} bytes", grouped(bench.arena_bytes));
    println!(
        "flash         {:>12} bytes (weights {}, code {})",
        grouped(bench.flash_bytes()),
        grouped(bench.weight_bytes),
        grouped(bench.code_bytes)
    );
    println!("instructions  {:>12} per inference", grouped(bench.instructions));
    if json {
        println!(
            "{}",
            json!({
                "correct": correct,
                "total": total,
                "arena_bytes": bench.arena_bytes,
                "flash_bytes": bench.flash_bytes(),
                "instructions": bench.instructions,
            })
        );
    }
    Ok(())
}

/// The photographs in `tests/photos`, by name.
fn test_photos() -> Result<Vec<PathBuf>, Error> {
    let folder = root().join("tests/photos");
    let entries = folder.read_dir().map_err(|error| Error::file(&folder, error.to_string()))?;
    let mut photos: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| class_of(path).is_some()).collect();
    photos.sort();
    Ok(photos)
}

/// The class in a name like `cifar10_07_6.png`.
fn class_of(photo: &Path) -> Option<usize> {
    let name = photo.file_name()?.to_str()?;
    name.strip_prefix("cifar10_")?.strip_suffix(".png")?.split_once('_')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_photographs_name_their_class() {
        assert_eq!(class_of(Path::new("photos/cifar10_07_6.png")), Some(6));
        for name in ["README.md", "cat.png", "cifar10_07.png", "cifar10_07_6.jpg"] {
            assert_eq!(class_of(Path::new(name)), None, "{name}");
        }
        assert_eq!(test_photos().unwrap().len(), 20);
    }
}
