//! Every tensor against the runtime's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use candle_core::DType;
use microception_codegen::graph::{Element, Graph, Operator};
use microception_codegen::host::Machine;
use microception_codegen::plan::Strategy;
use microception_codegen::visualize::network::Network;
use microception_codegen::{passes, read};

use crate::arrays::Arrays;
use crate::tolerance;

/// Frames of each model.
const FRAMES: usize = 2;

/// What an error says of a model that is quantized, and has no slopes.
const QUANTIZED: &str = "only a float model has gradients";

/// Fixtures that are no graphs: a part of their names, and why.
const REFUSED: &[(&str, &str)] = &[("keras/unsupported_lstm.", "layers of type LSTM are not supported")];

/// Every model among the fixtures, with a name to find it by.
fn models() -> Vec<(String, Vec<u8>)> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![package.join("../tests/fixtures"), package.join("tests/volumes/fixtures")];
    let mut models = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("the fixtures are in the repository");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
        paths.sort();
        for path in paths {
            let name = path.display().to_string();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("keras" | "h5" | "tflite" | "onnx") => models.push((name, std::fs::read(&path).unwrap())),
                Some("npz") => models.extend(packed(&path).map(|(member, bytes)| (format!("{name}/{member}"), bytes))),
                _ => {}
            }
        }
    }
    models
}

/// The models among an archive's arrays.
fn packed(path: &Path) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
    let archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let names = archive.file_names().map(|name| name.unwrap().trim_end_matches(".npy").to_owned());
    let names: BTreeSet<String> = names.collect();
    let arrays = Arrays::open(path);
    let read = move |name: String| arrays.array(&name).map(|(_, bytes)| (name, bytes));
    names.into_iter().filter_map(read).filter(|(name, bytes)| {
        let begins = [&b"PK\x03\x04"[..], b"\x89HDF"].iter().any(|magic| bytes.starts_with(magic));
        begins || bytes.get(4..8) == Some(b"TFL3") || name.ends_with("/onnx")
    })
}

/// Random bytes for one frame of all inputs, and each input's real values.
fn frame(graph: &Graph, random: &mut fastrand::Rng) -> (Vec<u8>, Vec<Vec<f32>>) {
    let mut bytes = Vec::new();
    let mut values = Vec::new();
    for input in graph.inputs() {
        let Operator::Input { element, scale, offset } = input.operator else { panic!("an input") };
        let mut real = Vec::new();
        for _ in 0..graph.tensor(input.output).shape.elements() {
            if element == Element::U8 {
                let pixel = random.u8(..);
                bytes.push(pixel);
                real.push(scale * f32::from(pixel) + offset);
            } else {
                let value = random.f32() * 2.0 - 1.0;
                bytes.extend(value.to_ne_bytes());
                real.push(scale * value + offset);
            }
        }
        values.push(real);
    }
    (bytes, values)
}

fn compare(name: &str, graph: &Graph, network: &Network) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut machine = Machine::new(graph, Strategy::Everything).map_err(|error| error.to_string())?;
    let mut inputs = vec![Vec::new(); network.inputs()];
    let mut expected = vec![Vec::new(); network.layers()];
    for _ in 0..FRAMES {
        let (bytes, values) = frame(graph, &mut random);
        inputs.iter_mut().zip(values).for_each(|(input, values)| input.extend(values));
        machine.run(&bytes).unwrap();
        for (expected, layer) in expected.iter_mut().zip(&graph.layers) {
            let bytes = machine.tensor(graph, layer.output).expect("under a plan of everything");
            expected.extend(bytes.as_chunks().0.iter().map(|&word| f32::from_ne_bytes(word)));
        }
    }
    let inputs: Vec<_> = inputs.iter().enumerate().map(|(index, input)| network.input(index, input).unwrap()).collect();
    let found = network.forward(&inputs).map_err(|error| error.to_string())?;
    for (index, expected) in expected.iter().enumerate() {
        let found: Vec<f32> = found[index].flatten_all().and_then(|tensor| tensor.to_vec1()).unwrap();
        assert_eq!(found.len(), expected.len(), "{name}: {}", network.name(index));
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        for (found, expected) in found.iter().zip(expected) {
            if (found - expected).abs() > tolerance::F32 * largest {
                let layer = &graph.layers[index];
                return Err(format!(
                    "{name}: {} ({}): {found} instead of {expected}, largest {largest}",
                    layer.name,
                    layer.operator.name()
                ));
            }
        }
    }
    Ok(())
}

#[test]
fn every_tensor_of_every_float_fixture_is_the_runtime_s() {
    let (mut compared, mut quantized, mut wrong) = (0, 0, Vec::new());
    for (name, bytes) in models() {
        let graph = match read::read_bytes(&bytes, &name).and_then(passes::run) {
            Ok(graph) => graph,
            Err(error) => {
                let known = |(part, reason): &(&str, &str)| name.contains(part) && error.reason.contains(reason);
                wrong.extend((!REFUSED.iter().any(known)).then(|| error.to_string()));
                continue;
            }
        };
        let is_quantized = graph.tensors.iter().any(|tensor| tensor.element != Element::F32);
        match Network::new(&graph) {
            Ok(_) if is_quantized => wrong.push(format!("{name}: is quantized")),
            Ok(network) => {
                compared += 1;
                wrong.extend(compare(&name, &graph, &network).err());
            }
            Err(error) => {
                quantized += 1;
                if !is_quantized || !error.reason.contains(QUANTIZED) || error.layer.is_none() {
                    wrong.push(format!("{name}: {error}"));
                }
            }
        }
    }
    println!("{compared} float models, {quantized} quantized");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 500 && quantized > 100, "{compared}, {quantized}");
}

#[test]
fn the_shipped_network_s_tensors_are_the_runtime_s() {
    let graph = crate::shipped();
    compare("shipped", &graph, &Network::new(&graph).unwrap()).unwrap();
}

#[test]
fn what_does_not_fit_is_an_error_with_the_input_s_name() {
    let graph = crate::shipped();
    let network = Network::new(&graph).unwrap();
    assert_eq!(network.inputs(), 1);
    assert_eq!(network.range(0), Some([0.0, 1.0]));
    let input = network.name(0).to_owned();
    let error = network.input(0, &[0.0; 7]).unwrap_err();
    assert_eq!(
        (error.layer, error.reason.as_str()),
        (Some(input.clone()), "takes frames of 3072 values, not 7 values")
    );
    let frame = network.input(0, &[0.0; 3072]).unwrap();
    assert!(network.forward(&[]).unwrap_err().reason.contains("takes 1 inputs, not 0"));
    let double = frame.to_dtype(DType::F64).unwrap();
    assert_eq!(network.forward(&[double]).unwrap_err().layer, Some(input));
    assert!(network.class(10).unwrap_err().reason.contains("has 10 classes"));
    assert!(Network::with_precision(&graph, DType::U8).is_err_and(|error| error.reason.contains("f32 or f64")));
}
