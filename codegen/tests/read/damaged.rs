//! Damaged and hostile files: an error or a graph, never a panic, and memory within bounds.

use microception_codegen::read::{most_memory, read_bytes};
use serde_json::json;
use zip::CompressionMethod::{Deflated, Stored};

use super::edit::{Archive, pack};
use super::fixture;
use super::memory::peak;

/// Reads, and checks the peak of memory.
fn read(bytes: &[u8]) -> Result<(), String> {
    let (outcome, peak) = peak(|| read_bytes(bytes, "damaged").map(|_| ()).map_err(|error| error.to_string()));
    assert!(peak <= most_memory(bytes.len()), "{peak} bytes for a file of {}: {outcome:?}", bytes.len());
    outcome
}

/// The bytes of a fixture in both formats, and of a Keras 2 one.
fn files() -> Vec<Vec<u8>> {
    ["nested.keras", "nested.h5", "separable.keras", "keras2_nested.h5", "residual.h5"]
        .map(|file| std::fs::read(fixture(file)).unwrap())
        .to_vec()
}

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[test]
fn truncated_files_are_errors() {
    for bytes in files() {
        assert_eq!(read(&bytes), Ok(()));
        let step = bytes.len() / 400 + 1;
        for length in (0..bytes.len() - 1).step_by(step).chain([1, 4, 8, 22, bytes.len() - 1]) {
            read(&bytes[..length]).expect_err("a truncated file was read");
        }
    }
}

#[test]
fn changed_bytes_do_no_harm() {
    let files = files();
    let mut random = Random(0x2026_1124);
    let mut refused = 0;
    for round in 0..6000 {
        let mut bytes = files[round % files.len()].clone();
        for _ in 0..=random.below(6) {
            let place = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[place] ^= 1 << random.below(8),
                1 => bytes[place] = random.below(256) as u8,
                2 => bytes.iter_mut().skip(place).take(8).for_each(|byte| *byte = 0xff),
                _ => {
                    let source = random.below(bytes.len());
                    let end = bytes.len().min(source + 32);
                    let piece = bytes[source..end].to_vec();
                    bytes.iter_mut().skip(place).zip(piece).for_each(|(byte, new)| *byte = new);
                }
            }
        }
        refused += usize::from(read(&bytes).is_err());
    }
    assert!(refused > 1000, "only {refused} of the files were noticed to be damaged");
}

#[test]
fn zip_bombs_are_not_unpacked() {
    let archive = Archive::of("sequential");
    let architecture = serde_json::to_vec(&archive.architecture).unwrap();
    let zeros = vec![0; 24 << 20];
    let bomb = pack(&[("config.json", &architecture), ("model.weights.h5", &zeros)], Deflated);
    let expected = "damaged: unpacks to more than 64 times its size: damaged, or made to exhaust memory";
    assert_eq!(read(&bomb), Err(expected.to_owned()));
    let bomb = pack(&[("config.json", &zeros), ("model.weights.h5", &archive.weights)], Deflated);
    let expected = "damaged: damaged .keras (zip) file: config.json has 25165824 bytes, at most 4194304 are accepted";
    assert_eq!(read(&bomb), Err(expected.to_owned()));
}

/// The declared size of a deflated member is a lie.
#[test]
fn members_longer_than_they_say_are_noticed() {
    let archive = Archive::of("sequential");
    let mut bytes = archive.packed(Deflated);
    let size = (archive.weights.len() as u32).to_le_bytes();
    let replaced = super::edit::replace_all(&mut bytes, &size, &64u32.to_le_bytes());
    assert!(replaced >= 2, "the size stands in both headers of the member");
    let message = read(&bytes).unwrap_err();
    assert!(message.starts_with("damaged: damaged .keras (zip) file: model.weights.h5"), "{message}");
}

#[test]
fn deep_json_is_an_error() {
    let weights = Archive::of("sequential").weights;
    for (open, close) in [("[", "]"), ("{\"config\":", "}")] {
        let text = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let bytes = pack(&[("config.json", text.as_bytes()), ("model.weights.h5", &weights)], Stored);
        let message = read(&bytes).unwrap_err();
        let front = "damaged: the architecture (config.json) is damaged: recursion limit exceeded";
        assert!(message.starts_with(front), "{message}");
    }
}

/// Twenty models, each of which calls the next one twice: a million layers in a few kilobytes.
#[test]
fn models_in_models_do_not_multiply() {
    let tensor = |layer: &str, call: usize| {
        let history = json!([layer, call, 0]);
        json!([{"class_name": "__keras_tensor__", "config": {"keras_history": history}}])
    };
    let mut model = json!({"class_name": "Activation", "config": {"name": "inner", "activation": "relu"}});
    for _ in 0..20 {
        model["name"] = json!("inner");
        model["inbound_nodes"] = json!([{"args": tensor("in", 0)}, {"args": tensor("inner", 0)}]);
        model = json!({"class_name": "Functional", "config": {
            "name": "inner", "input_layers": ["in", 0, 0], "output_layers": ["inner", 1, 0],
            "layers": [
                {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [null, 4, 4, 2]}},
                model,
            ],
        }});
    }
    let mut archive = Archive::of("sequential");
    archive.architecture = model;
    let message = read(&archive.packed(Stored)).unwrap_err();
    // Their names alone, which have those of all models around them in front.
    assert!(message.contains("unpacks to more than 64 times its size"), "{message}");
}

/// Text whose parsed form is a hundred times as large, in a file that is not larger than it.
#[test]
fn parsed_json_is_within_bounds() {
    let weights = Archive::of("sequential").weights;
    let list = |piece: &str| format!("[{}{piece}]", format!("{piece},").repeat((3 << 20) / (piece.len() + 1)));
    for piece in ["0", "[]", "{}", "[0]", "[[]]", "{\"\":0}", "\"\"", "{\"\":{\"\":[]}}", "null"] {
        let text = list(piece);
        for method in [Stored, Deflated] {
            let message = read(&pack(&[("config.json", text.as_bytes()), ("model.weights.h5", &weights)], method));
            message.expect_err(piece);
        }
    }
    let entries: Vec<String> = (0..200_000).map(|index| format!("\"{index}\":0")).collect();
    let text = format!("{{{}}}", entries.join(","));
    read(&pack(&[("config.json", text.as_bytes()), ("model.weights.h5", &weights)], Stored)).expect_err("it was read");
}

/// A nested model's name stands in front of the name of each of its layers.
#[test]
fn long_names_do_not_multiply() {
    let history = |layer: &str| json!([{"class_name": "__keras_tensor__", "config": {"keras_history": [layer, 0, 0]}}]);
    let long = "n".repeat(200_000);
    let mut layers = vec![json!({"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [null, 4]}})];
    let mut last = "in".to_owned();
    for index in 0..3000 {
        let name = format!("a{index}");
        layers.push(json!({"class_name": "Activation", "name": name, "config": {"name": name, "activation": "relu"},
            "inbound_nodes": [{"args": history(&last)}]}));
        last = name;
    }
    let inner = json!({"class_name": "Functional", "name": long, "inbound_nodes": [{"args": history("in")}], "config": {
        "name": long, "layers": layers, "input_layers": ["in", 0, 0], "output_layers": [last, 0, 0]}});
    let input = json!({"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [null, 4]}});
    let mut archive = Archive::of("sequential");
    archive.architecture = json!({"class_name": "Functional", "config": {"name": "outer", "layers": [input, inner],
        "input_layers": ["in", 0, 0], "output_layers": [long, 0, 0]}});
    let message = read(&archive.packed(Stored)).expect_err("it was read");
    assert!(message.contains("unpacks to more than 64 times its size"), "{}", &message[..200]);
}

/// A few bytes of settings that ask for gigabytes of per-channel numbers.
#[test]
fn settings_do_not_make_memory() {
    let archive = Archive::sequence(json!([null, 1, 1, i32::MAX]), &[("Rescaling", json!({"scale": 2}))]);
    let message = read(&archive.packed(Stored)).unwrap_err();
    assert!(message.contains("unpacks to more than 64 times its size"), "{message}");
}

#[test]
fn strange_architectures_are_errors() {
    let weights = Archive::of("sequential").weights;
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "\u{feff}{}",
        "{\"class_name\": 3}",
        "{\"class_name\": \"Sequential\"}",
        "{\"class_name\": \"Sequential\", \"config\": []}",
        "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [1]}}",
        "{\"class_name\": \"Functional\", \"config\": {\"layers\": []}}",
        r#"{"class_name":"Sequential", "config": [{"class_name":"Sequential", "config": {"name": "", "layers": []}}]}"#,
        r#"{"class_name": "Sequential", "config": [{"class_name": "InputLayer", "config": {"name": "a"}}]}"#,
    ] {
        let bytes = pack(&[("config.json", text.as_bytes()), ("model.weights.h5", &weights)], Stored);
        read(&bytes).expect_err(text);
    }
}
