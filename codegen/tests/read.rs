//! Reading models: what Keras wrote means what Keras computes, in both formats; what cannot be read
//! is refused in words that help; and damaged files do no harm.

#[path = "read/damaged.rs"]
mod damaged;
#[path = "read/edit.rs"]
mod edit;
#[path = "read/hostile.rs"]
mod hostile;
#[path = "common/memory.rs"]
mod memory;
#[path = "common/naive.rs"]
mod naive;
#[path = "read/refused.rs"]
mod refused;
#[path = "common/tolerance.rs"]
mod tolerance;

use std::path::{Path, PathBuf};

use microception_codegen::graph::{Element, Function, Graph, Operator, PairFunction, Window};
use microception_codegen::read::{read, read_bytes};

/// Fixtures that are to be refused; [`refused`] says how.
const REFUSED: [&str; 1] = ["unsupported_lstm"];

/// A folder or file of this repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The path of a Keras fixture.
fn fixture(file: &str) -> PathBuf {
    repository("tests/fixtures/keras").join(file)
}

/// A file beside the repository that not every machine has.
fn shared(path: &str) -> Option<PathBuf> {
    let path = repository("../shared/models").join(path);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {} is not on this machine", path.display());
    None
}

/// An array of a `.npz` file as f64.
fn array(npz: &Path, name: &str) -> (Vec<usize>, Vec<f64>) {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(npz).unwrap()).unwrap();
    let file = npyz::NpyFile::new(archive.by_name(&format!("{name}.npy")).unwrap()).unwrap();
    let shape = file.shape().iter().map(|&extent| extent as usize).collect();
    let values = match file.dtype().num_bytes() {
        Some(1) => file.into_vec::<u8>().unwrap().into_iter().map(f64::from).collect(),
        _ => file.into_vec::<f32>().unwrap().into_iter().map(f64::from).collect(),
    };
    (shape, values)
}

/// Of each input (`x`, `x1`) or output (`y`, `y1`) of a fixture the numbers of each case.
fn cases(name: &str, letter: &str) -> Vec<Vec<Vec<f64>>> {
    let npz = fixture(&format!("{name}.npz"));
    let names = zip::ZipArchive::new(std::fs::File::open(&npz).unwrap()).unwrap();
    let numbers = std::iter::once(String::new()).chain((1..).map(|number: usize| number.to_string()));
    let arrays = numbers.map(|number| format!("{letter}{number}"));
    let arrays = arrays.take_while(|array| names.index_for_name(&format!("{array}.npy")).is_some());
    arrays
        .map(|name| {
            let (shape, numbers) = array(&npz, &name);
            numbers.chunks(numbers.len() / shape[0]).map(<[f64]>::to_vec).collect()
        })
        .collect()
}

/// The model's parameters as Keras counts them: four per channel of a batch normalization, none of a
/// Rescaling.
fn keras_parameters(graph: &Graph) -> usize {
    let parameters = graph.layers.iter().map(|layer| match layer.operator {
        Operator::ScaleShift { .. } if layer.name.contains("rescaling") => 0,
        Operator::ScaleShift { .. } => 2 * graph.parameters(layer),
        _ => graph.parameters(layer),
    });
    parameters.sum()
}

fn named<'a>(graph: &'a Graph, layer: &str) -> &'a Operator {
    &graph.layers.iter().find(|candidate| candidate.name == layer).unwrap_or_else(|| panic!("no {layer}")).operator
}

/// The fixtures that are to be read: names, and the model files that each has.
fn fixtures() -> Vec<(String, Vec<PathBuf>)> {
    let mut names: Vec<String> = std::fs::read_dir(fixture(""))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "npz"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !REFUSED.contains(&name.as_str()))
        .collect();
    names.sort();
    let files = |name: &str| {
        let paths = ["keras", "h5"].map(|extension| fixture(&format!("{name}.{extension}")));
        paths.into_iter().filter(|path| path.exists()).collect()
    };
    names.into_iter().map(|name| (name.clone(), files(&name))).collect()
}

#[test]
fn every_fixture_computes_what_keras_computes() {
    let mut compared = 0;
    for (name, files) in fixtures() {
        let (xs, ys) = (cases(&name, "x"), cases(&name, "y"));
        for file in files {
            let graph = read(&file).unwrap();
            for case in 0..xs[0].len() {
                let x = xs.iter().map(|x| &x[case][..]).collect::<Vec<_>>().concat();
                let tensors = naive::run(&graph, &x);
                for (layer, tensor) in graph.layers.iter().zip(&tensors) {
                    let shape = &graph.tensor(layer.output).shape;
                    assert_eq!(shape.elements(), tensor.values.len(), "{}: {}", file.display(), layer.name);
                    assert_eq!(shape.channels(), tensor.channels, "{}: {}", file.display(), layer.name);
                }
                let outputs = naive::outputs(&graph, &x);
                assert_eq!(outputs.len(), ys.len(), "{}", file.display());
                for (y, output) in ys.iter().zip(&outputs) {
                    let expected = naive::Image::of(&[y[case].len()], y[case].clone());
                    let outcome = naive::agree(&expected, output, 1e-5);
                    outcome.unwrap_or_else(|difference| panic!("{}: {difference}", file.display()));
                }
            }
            compared += 1;
        }
    }
    assert!(compared >= 70, "only {compared} model files were found");
}

#[test]
fn both_formats_give_one_graph() {
    let mut pairs = 0;
    for (name, files) in fixtures() {
        if let [keras, legacy] = &files[..] {
            assert_eq!(read(keras).unwrap(), read(legacy).unwrap(), "{name}");
            pairs += 1;
        }
    }
    assert!(pairs >= 30, "only {pairs} fixtures have both formats");
}

#[test]
fn shipped_model() {
    let graph = read(&repository("codegen/models/xception_lite/xlite.keras")).unwrap();
    assert_eq!(graph, read(&repository("codegen/models/xception_lite/xlite.h5")).unwrap());
    assert_eq!(graph.name, "xlite");
    assert_eq!(graph.layers.len(), 38);
    assert_eq!(keras_parameters(&graph), 77_642);
    assert_eq!(graph.tensor(graph.outputs[0]).shape.0, [10]);
    assert!(graph.labels.is_empty());

    let names: Vec<&str> = graph.layers.iter().take(4).map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["image", "rescaling", "conv2d", "batch_normalization"]);
    assert_eq!(
        graph.layers[0].operator,
        Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 },
        "a float32 InputLayer"
    );
    assert_eq!(graph.layers[1].operator, Operator::ScaleShift { scale: vec![1.0 / 255.0; 3], shift: vec![0.0; 3] });
    assert!(matches!(named(&graph, "separable_conv2d/depthwise"), Operator::Depthwise { bias: None, .. }));
    assert!(matches!(named(&graph, "separable_conv2d/pointwise"), Operator::Convolution { window: Window::POINT, .. }));
    let last: Vec<&str> = graph.layers.iter().rev().take(2).map(|layer| layer.operator.name()).collect();
    assert_eq!(last, ["softmax", "dense"]);
}

#[test]
fn training_leftovers_are_read_over() {
    let Some(path) = shared("reference/xlite_full.keras") else { return };
    let graph = read(&path).unwrap();
    assert_eq!(graph, read(&path.with_extension("h5")).unwrap());
    assert_eq!(graph.layers.len(), 40);
    assert_eq!(named(&graph, "random_flip"), &Operator::Identity);
    assert_eq!(named(&graph, "random_translation"), &Operator::Identity);
    assert!(matches!(named(&graph, "conv2d_4"), Operator::Convolution { bias: Some(_), .. }));
}

#[test]
fn network_that_tensorflow_2_4_saved() {
    let Some(path) = shared("mlperf_tiny/ic01.h5") else { return };
    let graph = read(&path).unwrap();
    assert_eq!(keras_parameters(&graph), 78_666, "the ResNet of MLPerf Tiny");
    assert_eq!(graph.tensor(graph.outputs[0]).shape.0, [10]);
}

#[test]
fn layers_of_nested_models_have_the_outer_name_in_front() {
    let graph = read(&fixture("nested.keras")).unwrap();
    let nested: Vec<&str> =
        graph.layers.iter().map(|layer| layer.name.as_str()).filter(|name| name.contains('/')).collect();
    assert!(!nested.is_empty() && nested.iter().all(|name| !name.starts_with('/')), "{nested:?}");
    let names: std::collections::HashSet<_> = graph.layers.iter().map(|layer| &layer.name).collect();
    assert_eq!(names.len(), graph.layers.len(), "every layer has a name of its own");
}

#[test]
fn layer_called_twice_is_two_layers_with_one_set_of_weights() {
    let graph = read(&fixture("shared_layer.keras")).unwrap();
    let convolutions: Vec<_> =
        graph.layers.iter().filter(|layer| matches!(layer.operator, Operator::Convolution { .. })).collect();
    assert_eq!(convolutions.len(), 2);
    assert_eq!(convolutions[0].operator, convolutions[1].operator);
    assert_eq!(convolutions[1].name, format!("{}/call2", convolutions[0].name));
}

#[test]
fn fused_activations_stay_fused_only_where_an_operator_carries_them() {
    let mut archive = edit::Archive::of("sequential");
    archive.layer("conv2d")["activation"] = "relu6".into();
    let graph = archive.read().unwrap();
    let Operator::Convolution { activation, .. } = named(&graph, "conv2d") else { panic!("no convolution") };
    assert_eq!(*activation, Some(Function::Relu6));
    assert_eq!(named(&graph, "dense/softmax"), &Operator::Softmax);

    archive.layer("conv2d")["activation"] =
        serde_json::json!({"module": "builtins", "class_name": "function", "config": "sigmoid"});
    let graph = archive.read().unwrap();
    let Operator::Convolution { activation, .. } = named(&graph, "conv2d") else { panic!("no convolution") };
    assert_eq!(*activation, None);
    assert_eq!(named(&graph, "conv2d/sigmoid"), &Operator::Activation(Function::Sigmoid));
}

#[test]
fn long_sums_are_chains() {
    let graph = read(&fixture("add_three.keras")).unwrap();
    let sums: Vec<&str> = graph
        .layers
        .iter()
        .filter(|layer| matches!(layer.operator, Operator::Pairwise { function: PairFunction::Add, .. }))
        .map(|layer| layer.name.as_str())
        .collect();
    assert_eq!(sums, ["add", "add/2"]);
}

#[test]
fn input_type_is_the_callers() {
    let mut archive = edit::Archive::of("sequential");
    archive.layer_of("InputLayer")["dtype"] = "uint8".into();
    let graph = archive.read().unwrap();
    assert!(matches!(graph.layers[0].operator, Operator::Input { element: Element::U8, .. }));
}

#[test]
fn deflated_members_are_read() {
    let archive = edit::Archive::of("residual");
    let graph = read(&fixture("residual.keras")).unwrap();
    assert_eq!(archive.read().unwrap(), graph, "stored");
    let deflated = archive.packed(zip::CompressionMethod::Deflated);
    assert!(deflated.len() < archive.packed(zip::CompressionMethod::Stored).len());
    assert_eq!(microception_codegen::read::read_bytes(&deflated, "deflated").unwrap(), graph);
}

/// Keras older than 3.1 writes no names beside the weights: the keys count the classes.
#[test]
fn weights_are_found_without_names_beside_them() {
    let graph = read(&fixture("residual.keras")).unwrap();
    let mut archive = edit::Archive::of("residual");
    let renamed = edit::replace_all(&mut archive.weights, b"name\0", b"mane\0");
    assert!(renamed > 5, "the attribute is called something else on every layer");
    assert_eq!(archive.read().unwrap(), graph);
}

/// Keras counts the calls of a nested model from 0 where another layer reads one, and from 1 or 0, as
/// the version may be, where the model's output does.
#[test]
fn nested_model_called_twice_may_be_the_last_layer() {
    use serde_json::json;
    let call = |layer: &str| {
        let history = json!([layer, 0, 0]);
        json!({"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": history}}]})
    };
    let input =
        |name: &str| json!({"class_name": "InputLayer", "config": {"name": name, "batch_shape": [null, 4, 4, 2]}});
    let relu = json!({"class_name": "ReLU", "config": {"name": "relu"}, "inbound_nodes": [call("inside")]});
    let inner = json!({
        "class_name": "Functional",
        "config": {
            "name": "inner", "layers": [input("inside"), relu],
            "input_layers": ["inside", 0, 0], "output_layers": ["relu", 0, 0],
        },
        "inbound_nodes": [call("outside"), call("inner")],
    });
    for output in [1, 2] {
        let mut archive = edit::Archive::of("sequential");
        archive.architecture = json!({"class_name": "Functional", "config": {
            "name": "outer", "layers": [input("outside"), inner],
            "input_layers": ["outside", 0, 0], "output_layers": ["inner", output, 0],
        }});
        let graph = archive.read().unwrap();
        let names: Vec<&str> = graph.layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names, ["outside", "inner/relu", "inner/call2/relu"]);
        assert_eq!(graph.outputs, [graph.layers[2].output]);
    }
}

/// Settings that Keras leaves out, or that older versions name otherwise.
#[test]
fn functions_have_the_parameters_of_the_keras_that_wrote_them() {
    let function = |class: &str, settings: serde_json::Value, version: &str| {
        let archive = edit::Archive::sequence(serde_json::json!([null, 6, 5, 2]), &[(class, settings)]);
        let architecture = serde_json::to_vec(&archive.architecture).unwrap();
        let about = serde_json::json!({"keras_version": version}).to_string();
        let members: [(&str, &[u8]); 3] = [
            ("metadata.json", about.as_bytes()),
            ("config.json", &architecture),
            ("model.weights.h5", &archive.weights),
        ];
        let bytes = edit::pack(&members, zip::CompressionMethod::Stored);
        match read_bytes(&bytes, "model").unwrap().layers[1].operator {
            Operator::Activation(function) => function,
            ref other => panic!("{other:?}"),
        }
    };
    let hard = serde_json::json!({"activation": "hard_sigmoid"});
    for (class, settings, version, expected) in [
        ("Activation", hard.clone(), "3.15.1", Function::HardSigmoid { slope: 1.0 / 6.0 }),
        ("Activation", hard, "2.15.0", Function::HardSigmoid { slope: 0.2 }),
        ("LeakyReLU", serde_json::json!({}), "3.15.1", Function::LeakyRelu { slope: 0.3 }),
        ("LeakyReLU", serde_json::json!({"negative_slope": 0.1}), "3.15.1", Function::LeakyRelu { slope: 0.1 }),
        ("LeakyReLU", serde_json::json!({"alpha": 0.1}), "2.15.0", Function::LeakyRelu { slope: 0.1 }),
        ("ELU", serde_json::json!({}), "3.15.1", Function::Elu { alpha: 1.0 }),
        ("ReLU", serde_json::json!({"max_value": 6.0}), "3.15.1", Function::Relu6),
        ("ReLU", serde_json::json!({"negative_slope": 0.5}), "3.15.1", Function::LeakyRelu { slope: 0.5 }),
        (
            "ReLU",
            serde_json::json!({"negative_slope": 0.5, "max_value": 2}),
            "3.15.1",
            Function::ThresholdRelu { slope: 0.5, threshold: 0.0, greatest: 2.0 },
        ),
    ] {
        assert_eq!(function(class, settings, version), expected, "{class} of {version}");
    }
}
