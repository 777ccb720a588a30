//! Model files made from a fixture by changing it.

use std::io::{Cursor, Read, Write};

use microception_codegen::error::Error;
use microception_codegen::graph::Graph;
use microception_codegen::read::read_bytes;
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// The parts of a `.keras` file.
#[derive(Clone)]
pub struct Archive {
    /// `config.json`.
    pub architecture: Value,
    /// `model.weights.h5`.
    pub weights: Vec<u8>,
}

impl Archive {
    /// A fixture's.
    pub fn of(name: &str) -> Archive {
        let file = std::fs::File::open(super::fixture(&format!("{name}.keras"))).unwrap();
        let mut zip = ZipArchive::new(file).unwrap();
        let architecture = serde_json::from_reader(zip.by_name("config.json").unwrap()).unwrap();
        let mut weights = Vec::new();
        zip.by_name("model.weights.h5").unwrap().read_to_end(&mut weights).unwrap();
        Archive { architecture, weights }
    }

    /// A sequential model of layers without weights: input shape (with its batch), then class and settings.
    pub fn sequence(input: Value, layers: &[(&str, Value)]) -> Archive {
        let mut list = vec![serde_json::json!({
            "class_name": "InputLayer", "config": {"name": "in", "batch_shape": input, "dtype": "float32"}
        })];
        for (class, settings) in layers {
            let mut settings = settings.clone();
            settings["name"] = class.to_lowercase().into();
            list.push(serde_json::json!({"class_name": class, "config": settings}));
        }
        let architecture = serde_json::json!({"class_name": "Sequential", "config": {"name": "s", "layers": list}});
        Archive { architecture, ..Archive::of("sequential") }
    }

    fn find(&mut self, what: &str, matches: impl Fn(&Value) -> bool) -> &mut Value {
        let layers = self.architecture["config"]["layers"].as_array_mut().unwrap();
        layers.iter_mut().find(|layer| matches(layer)).unwrap_or_else(|| panic!("no layer {what}"))
    }

    /// A whole layer, by its name.
    pub fn entry(&mut self, name: &str) -> &mut Value {
        self.find(name, |layer| layer["config"]["name"] == name)
    }

    /// The settings of a layer, by its name.
    pub fn layer(&mut self, name: &str) -> &mut Value {
        &mut self.entry(name)["config"]
    }

    /// The settings of the first layer of a class.
    pub fn layer_of(&mut self, class: &str) -> &mut Value {
        &mut self.find(class, |layer| layer["class_name"] == class)["config"]
    }

    /// The file.
    pub fn packed(&self, method: CompressionMethod) -> Vec<u8> {
        let architecture = serde_json::to_vec(&self.architecture).unwrap();
        pack(&[("config.json", &architecture), ("model.weights.h5", &self.weights)], method)
    }

    /// What the reader says to it.
    pub fn read(&self) -> Result<Graph, Error> {
        read_bytes(&self.packed(CompressionMethod::Stored), "edited.keras")
    }

    /// The message of the error that the reader must give.
    pub fn refusal(&self) -> String {
        self.read().expect_err("the model was read").to_string()
    }
}

/// A zip file.
pub fn pack(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Replaces every occurrence of `from` by `to`, of the same length.
pub fn replace_all(bytes: &mut [u8], from: &[u8], to: &[u8]) -> usize {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..=bytes.len() - from.len()).filter(|&place| bytes[place..].starts_with(from)).collect();
    for &place in &places {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    places.len()
}
