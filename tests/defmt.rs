//! With the feature `defmt` whatever a program holds can be logged: every public type of the runtime, the protocol and the
//! firmware has a `defmt::Format`, but for those that are named here.

use std::fs;
use std::path::{Path, PathBuf};

/// Files whose types have none, and why.
const FILES: [(&str, &str); 3] = [
    ("src/layers/", "descriptions of layers, which hold their weights"),
    ("src/simd/", "what kernels hold in registers"),
    ("src/window", "views of the arena"),
];

/// Types that have none, and why.
const TYPES: [(&str, &str); 12] = [
    ("Aligned", "weights"),
    ("Arena", "memory"),
    ("Bilinear<'a>", "rows of a picture"),
    ("Colours<'a>", "a row of a picture"),
    ("Crop", "how far a picture has gone by"),
    ("Filter<'a, T, const N: usize>", "rows of a picture"),
    ("FilterServer", "never at hand: it serves"),
    ("Nearest<'a>", "a row of a picture"),
    ("Receiver", "half a frame"),
    ("Server", "never at hand: it serves"),
    ("Stopwatch", "a board and a number"),
    ("Then", "stages of rows of a picture"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The declaration of each public type in a file, and whether it has the attribute or an `impl`.
fn types(text: &str) -> Vec<(&str, bool)> {
    let mut attributes = String::new();
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("#[") {
            attributes += line;
        } else if !line.starts_with("///") {
            let name = ["pub struct ", "pub enum "].iter().find_map(|kind| line.strip_prefix(kind));
            if let Some(name) = name {
                let ident = name.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or(name);
                let by_hand = text
                    .lines()
                    .any(|line| line.starts_with("impl") && line.contains(&format!("defmt::Format for {ident}")));
                found.push((name, attributes.contains("derive(defmt::Format)") || by_hand));
            }
            attributes.clear();
        }
    }
    found
}

#[test]
fn what_a_program_holds_can_be_logged() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "boards/protocol/src", "boards/app/src"] {
        sources(&root.join(folder), &mut files);
    }
    let (mut with, mut without) = (0, Vec::new());
    for file in &files {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        if FILES.iter().any(|(prefix, _)| path.starts_with(prefix)) {
            continue;
        }
        for (name, has_it) in types(&fs::read_to_string(file).unwrap()) {
            let excepted = TYPES.iter().any(|(excepted, _)| name.starts_with(excepted));
            with += usize::from(has_it);
            if !has_it && !excepted {
                without.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(without.is_empty(), "no defmt::Format: {without:#?}");
    assert!(with > 30, "{with}");
}
