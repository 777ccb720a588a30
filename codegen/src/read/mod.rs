//! Reading: the file of a trained model becomes a [`Graph`]. The only place that knows a file format.
//!
//! The format is recognised by content, not by name. Two files hold whole Keras models: `.keras`
//! (a zip with the architecture as JSON and the weights as HDF5) and the legacy `.h5` (HDF5 with the
//! architecture in an attribute), the latter as Keras 3 and as Keras 2 write it. `.tflite` holds a
//! TensorFlow Lite model, int8 or float; `.onnx` an ONNX model, float or int8 between QuantizeLinear and DequantizeLinear.
//!
//! Files are not trusted. Whatever the bytes, the answer is a graph or one [`Error`], and the memory
//! taken stays within a fixed multiple of the file's size ([`most_memory`]).
//!
//! - `archive`: members of a zip.
//! - `h5`: attributes and arrays of an HDF5 file, and what the crate that reads it may take for its tables.
//! - `json`: the architecture's text.
//! - `settings`: a layer's settings, with errors that name the layer.
//! - `topology`: the architecture as layers and calls in the order of execution.
//! - `operand`: operands that stand in the architecture.
//! - `variables`: where in the file a layer's weights lie.
//! - `build`: calls become operators, with the shapes they make; `convolution`, `pooling`, `normalization`, `merge`,
//!   `moving`, `resizing`, `elementwise`, `activation` do so for the layers of their kind, `layout` for the order of axes.
//! - `tflite`: TensorFlow Lite models. `onnx`: ONNX models. `constant`: functions of a tensor and numbers of such files.
//! - `groups`: convolutions in groups, of any file.

mod activation;
mod archive;
mod budget;
mod build;
mod constant;
mod convolution;
mod elementwise;
mod groups;
mod h5;
mod json;
mod layout;
mod merge;
mod moving;
mod normalization;
mod onnx;
mod operand;
mod pooling;
mod resizing;
mod settings;
mod tflite;
mod topology;
mod variables;

use std::path::Path;

use crate::error::Error;
use crate::graph::Graph;
use archive::Archive;
use budget::Budget;
pub use budget::most_memory;
use h5::Hdf5;
use variables::Store;

/// Files above this are refused unread: a thousand times what the largest microcontrollers hold.
const LARGEST_FILE: u64 = 1 << 30;

/// Largest architecture in bytes of JSON. Networks of a thousand layers have about one megabyte.
const LARGEST_ARCHITECTURE: usize = 4 << 20;

const SUPPORTED: &str =
    "this version reads whole Keras models (.keras files and legacy .h5 files), .tflite and .onnx files";

/// Reads the model in the file at `path`.
///
/// # Errors
///
/// The error names the file and, where one is to blame, the layer.
pub fn read(path: &Path) -> Result<Graph, Error> {
    load(path).and_then(|bytes| decode(bytes, &stem(path))).map_err(|error| error.in_file(path))
}

/// Reads the model in `bytes`. `name` stands for the file in errors and is the graph's name when the
/// model has none of its own.
///
/// # Errors
///
/// As [`read`].
pub fn read_bytes(bytes: &[u8], name: &str) -> Result<Graph, Error> {
    decode(bytes.to_vec(), name).map_err(|error| error.in_file(name))
}

/// Names of the ONNX operators that are read.
pub fn onnx_operators() -> impl Iterator<Item = &'static str> {
    onnx::operators()
}

/// Names of the TensorFlow Lite operators that are read, as the schema has them.
pub fn tflite_operators() -> impl Iterator<Item = &'static str> {
    tflite::operators()
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn load(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |error: std::io::Error| Error::model(format!("cannot be read: {error}"));
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if about.is_dir() {
        return Err(Error::model(if path.join("saved_model.pb").exists() {
            "is a SavedModel folder, which holds a TensorFlow program instead of layers. Save the model as one file: \
             model.save(\"model.keras\") where it was trained, or \
             tf.keras.models.load_model(FOLDER).save(\"model.h5\") with the TensorFlow that wrote the folder"
                .to_owned()
        } else {
            format!("is a folder; {SUPPORTED}")
        }));
    }
    if !about.is_file() {
        return Err(Error::model("is not a regular file"));
    }
    if about.len() > LARGEST_FILE {
        return Err(Error::model(format!("has {} bytes, far more than any microcontroller holds", about.len())));
    }
    std::fs::read(path).map_err(unreadable)
}

/// What the first bytes say.
fn decode(bytes: Vec<u8>, name: &str) -> Result<Graph, Error> {
    if bytes.is_empty() {
        Err(Error::model("the file is empty"))
    } else if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        decode_archive(&bytes, name)
    } else if bytes.starts_with(h5::SIGNATURE) {
        decode_legacy(bytes, name)
    } else if bytes.get(4..8) == Some(tflite::IDENTIFIER) {
        tflite::decode(&bytes, name)
    } else if !bytes.starts_with(SAVED_MODEL) && looks_like_onnx(&bytes) {
        onnx::decode(bytes, name)
    } else {
        let what = if bytes.starts_with(SAVED_MODEL) {
            "is the program of a SavedModel, which holds a TensorFlow graph instead of layers"
        } else {
            "is not a model file that is known"
        };
        Err(Error::model(format!("{what}; {SUPPORTED}")))
    }
}

/// How `saved_model.pb` begins: schema version 1 (field 1), then a graph (field 2). An ONNX model of that
/// first version was never in use.
const SAVED_MODEL: &[u8] = &[0x08, 0x01, 0x12];

/// ONNX has no signature. It is a protobuf message whose first field is almost always `ir_version`
/// (number 1, a small integer) and whose next is the name of the program that wrote it (number 2,
/// text), an operator set (8) or the graph (7).
fn looks_like_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=32, 0x12 | 0x3a | 0x42, ..])
}

fn decode_archive(bytes: &[u8], name: &str) -> Result<Graph, Error> {
    let mut budget = Budget::for_file(bytes.len());
    let mut archive = Archive::open(bytes)?;
    let Some(architecture) = archive.member("config.json", LARGEST_ARCHITECTURE, &mut budget)? else {
        let what = if archive.names().any(|name| name.ends_with("data.pkl")) {
            "is a PyTorch file, which holds a program: export it by torch.onnx.export"
        } else if archive.names().any(|name| name.ends_with("saved_model.pb")) {
            "is a zipped SavedModel, which holds a TensorFlow program instead of layers"
        } else {
            "is a zip file without config.json, so not a .keras file"
        };
        return Err(Error::model(format!("{what}; {SUPPORTED}")));
    };
    let Some(weights) = archive.member("model.weights.h5", usize::MAX, &mut budget)? else {
        return Err(Error::model("damaged .keras file: model.weights.h5 is missing in it"));
    };
    let architecture = json::parse(&architecture, "config.json", &mut budget)?;
    let about = archive.member("metadata.json", LARGEST_ARCHITECTURE, &mut budget)?.unwrap_or_default();
    let about = json::parse(&about, "metadata.json", &mut budget).unwrap_or_default();
    let version = about["keras_version"].as_str().map(str::to_owned);
    let store = Store::Keras(Hdf5::open(weights, &mut budget)?);
    build::graph(&architecture, store, budget, name).map(|graph| of_version(graph, version.as_deref()))
}

fn decode_legacy(bytes: Vec<u8>, name: &str) -> Result<Graph, Error> {
    let mut budget = Budget::for_file(bytes.len());
    let file = Hdf5::open(bytes, &mut budget)?;
    let Some(architecture) = file.text("", "model_config", &mut budget)? else {
        return Err(Error::model(
            "is an HDF5 file without an architecture (attribute \"model_config\"): it holds weights only. Save the \
             whole model: model.save(\"model.keras\")",
        ));
    };
    if architecture.len() > LARGEST_ARCHITECTURE {
        return Err(Error::model(format!("model_config has {} bytes: damaged file", architecture.len())));
    }
    let architecture = json::parse(architecture.as_bytes(), "model_config", &mut budget)?;
    let version = file.text("", "keras_version", &mut budget)?;
    build::graph(&architecture, Store::Legacy(file), budget, name).map(|graph| of_version(graph, version.as_deref()))
}

/// The graph with what its names meant to the version of Keras that wrote it.
fn of_version(mut graph: Graph, version: Option<&str>) -> Graph {
    if version.is_some_and(|version| version.starts_with("2.")) {
        activation::as_in_keras_2(&mut graph);
    }
    graph
}
