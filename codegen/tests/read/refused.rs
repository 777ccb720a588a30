//! What cannot be read, and the words for it.

use std::path::Path;

use microception_codegen::graph::Bias;
use microception_codegen::read::{read, read_bytes};
use serde_json::json;
use zip::CompressionMethod::Stored;

use super::edit::{Archive, pack, replace_all};
use super::fixture;

const READS: &str =
    "this version reads whole Keras models (.keras files and legacy .h5 files), .tflite and .onnx files";

/// The message for a file's bytes.
fn message(bytes: &[u8]) -> String {
    read_bytes(bytes, "model").expect_err("it was read").to_string()
}

/// The message for a fixture without its path, the same for both formats.
fn fixture_message(name: &str) -> String {
    let [keras, legacy] = ["keras", "h5"].map(|extension| {
        let path = fixture(&format!("{name}.{extension}"));
        let error = read(&path).expect_err("it was read");
        assert_eq!(error.file.as_deref(), Some(path.as_path()));
        let message = error.to_string();
        message.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    });
    assert_eq!(keras, legacy);
    keras
}

#[test]
fn other_files() {
    assert_eq!(message(b""), "model: the file is empty");
    assert_eq!(message(b"hello, world"), format!("model: is not a model file that is known; {READS}"));
    let tflite = [b"\x1c\0\0\0TFL3".as_slice(), &[0; 40]].concat();
    assert_eq!(message(&tflite), "model: has 0 subgraphs, where a model of layers has one");
    let damaged = message(&tflite[..8]);
    assert!(damaged.starts_with("model: is a damaged .tflite file: "), "{damaged}");
    let damaged = message(b"\x08\x0a\x12\x07pytorch\x1a\x05");
    assert!(damaged.starts_with("model: is a damaged .onnx file: "), "{damaged}");
    let expected = "model: does not say the version of its operators (opset): damaged .onnx file";
    assert_eq!(message(b"\x08\x0a\x12\x07pytorch"), expected);
    let what = "is the program of a SavedModel, which holds a TensorFlow graph instead of layers";
    assert_eq!(message(b"\x08\x01\x12\xa4\x01\x0a"), format!("model: {what}; {READS}"));
    let expected = format!("model: is a PyTorch file, which holds a program: export it by torch.onnx.export; {READS}");
    assert_eq!(message(&pack(&[("net/data.pkl", b"x")], Stored)), expected);
    let expected = format!("model: is a zip file without config.json, so not a .keras file; {READS}");
    assert_eq!(message(&pack(&[("x.npy", b"x")], Stored)), expected);
    let expected = "model: damaged .keras file: model.weights.h5 is missing in it";
    assert_eq!(message(&pack(&[("config.json", b"{}")], Stored)), expected);
}

#[test]
fn weights_without_an_architecture() {
    let expected = "model: is an HDF5 file without an architecture (attribute \"model_config\"): it holds weights \
                    only. Save the whole model: model.save(\"model.keras\")";
    assert_eq!(message(&Archive::of("sequential").weights), expected);
}

#[test]
fn folders_and_missing_files() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("saved_model");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("saved_model.pb"), b"\x08\x01").unwrap();
    let expected = format!(
        "{}: is a SavedModel folder, which holds a TensorFlow program instead of layers. Save the model as one file: \
         model.save(\"model.keras\") where it was trained, or tf.keras.models.load_model(FOLDER).save(\"model.h5\") \
         with the TensorFlow that wrote the folder",
        folder.display()
    );
    assert_eq!(read(&folder).unwrap_err().to_string(), expected);
    let parent = folder.parent().unwrap();
    assert_eq!(read(parent).unwrap_err().reason, format!("is a folder; {READS}"));
    assert!(read(&folder.join("nothing.keras")).unwrap_err().reason.starts_with("cannot be read: "));
}

#[test]
fn fixtures_that_this_version_does_not_support() {
    let message = fixture_message("unsupported_lstm");
    assert!(
        message.starts_with("layer \"lstm\": layers of type LSTM are not supported; supported are of "),
        "{message}"
    );
}

/// Changes one setting of a layer of the fixture `sequential`; the message without file and layer.
fn with_setting(setting: &str, value: serde_json::Value) -> String {
    let (layer, key) = setting.split_once('.').unwrap();
    let mut archive = Archive::of("sequential");
    archive.layer(layer)[key] = value;
    let message = archive.refusal();
    message.strip_prefix(&format!("edited.keras: layer \"{layer}\": ")).unwrap_or(&message).to_owned()
}

#[test]
fn settings() {
    let activations = "is not supported; supported are elu, exponential, gelu, hard_sigmoid, hard_silu, leaky_relu, \
                       linear, relu, relu6, selu, sigmoid, silu, softmax, softplus, softsign, tanh, and a registered \
                       function named step or heaviside";
    let steps = "expected one or two whole numbers from 1 to 32767";
    let number = "expected a positive whole number";
    let layer = json!({"class_name": "PReLU", "config": {}});
    let negative = json!({"class_name": "ReLU", "config": {"max_value": -1.0}});
    let int8 = json!({"config": {"name": "int8_from_float32"}});
    for (setting, value, expected) in [
        ("conv2d.activation", json!("glu"), format!("activation \"glu\" {activations}")),
        ("conv2d.activation", layer, format!("activation of class \"PReLU\" {activations}")),
        ("conv2d.activation", negative, "max_value is -1, which Keras does not allow either".into()),
        (
            "conv2d.data_format",
            json!("NCHW"),
            "data_format \"NCHW\" is not supported, only channels_last and channels_first".into(),
        ),
        ("conv2d.groups", json!(3), "3 groups do not divide its 3 channels and 5 filters".into()),
        ("conv2d.filters", json!(6), "kernel has the shape 3x3x3x5, expected 3x3x3x6".into()),
        ("conv2d.filters", json!(0), format!("filters is 0, {number}")),
        ("conv2d.filters", json!(-1), format!("filters is -1, {number}")),
        ("conv2d.filters", json!(1e300), format!("filters is 1e+300, {number}")),
        ("conv2d.filters", json!(null), "filters is missing".into()),
        ("conv2d.kernel_size", json!([3, 3, 3]), format!("kernel_size is [3,3,3], {steps}")),
        ("conv2d.kernel_size", json!([10, 3]), "its window of 10x3 places does not fit into its input of 9x8".into()),
        ("conv2d.strides", json!(1_000_000), format!("strides is 1000000, {steps}")),
        (
            "conv2d.padding",
            json!("causal"),
            "padding \"causal\" is not supported, only same and valid, and causal of a series".into(),
        ),
        ("conv2d.use_bias", json!(false), "has 2 variables in the file, expected 1 (kernel)".into()),
        ("conv2d.use_bias", json!("yes"), "use_bias is \"yes\", expected true or false".into()),
        (
            "conv2d.dtype",
            int8,
            "its weights were quantized by Keras (\"int8_from_float32\"); save the model before quantizing it".into(),
        ),
        ("dense.units", json!(3), "kernel has the shape 45x4, expected 45x3".into()),
        ("max_pooling2d.pool_size", json!(9), "its window of 9x9 places does not fit into its input of 7x6".into()),
    ] {
        assert_eq!(with_setting(setting, value.clone()), expected, "{setting} = {value}");
    }
    let mut archive = Archive::of("sequential");
    archive.layer("conv2d")["strides"] = json!([2, 2]);
    archive.layer("conv2d")["dilation_rate"] = json!([2, 2]);
    let expected = "strides and dilation_rate are both above 1, which Keras does not allow either";
    assert_eq!(archive.refusal(), format!("edited.keras: layer \"conv2d\": {expected}"));
}

#[test]
fn input_shapes() {
    let message = |shape: serde_json::Value| Archive::sequence(shape, &[("Flatten", json!({}))]).refusal();
    for (shape, shown) in [
        (json!([null, null, null, 3]), "[null,null,3]"),
        (json!([null, 0, 8, 3]), "[0,8,3]"),
        (json!([null, 1u64 << 40, 8, 3]), "[1099511627776,8,3]"),
    ] {
        let expected = format!(
            "edited.keras: layer \"in\": the input shape {shown} has a size that is not fixed or not above zero; \
             rebuild the model with a fixed size, as keras.Input(shape=(height, width, channels)), and load the \
             weights into it"
        );
        assert_eq!(message(shape), expected);
    }
    assert!(message(json!([null, 40_000, 40_000, 40_000])).contains("which is not possible"));
    assert!(message(json!([null, 7, 4, 4, 4, 4])).contains("the input shape 7x4x4x4x4 is not supported"));
    assert!(message(json!(null)).contains("the model's input shape is not in the file"));
}

#[test]
fn connections() {
    let mut archive = Archive::of("residual");
    let text = serde_json::to_string(&archive.architecture).unwrap();
    archive.architecture =
        serde_json::from_str(&text.replacen("\"keras_history\":[\"", "\"keras_history\":[\"x", 1)).unwrap();
    assert!(archive.refusal().contains(", call 0, which does not exist"), "{}", archive.refusal());

    let own = json!([{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["add", 0, 0]}}]}]);
    let mut archive = Archive::of("add_three");
    archive.entry("add")["inbound_nodes"] = own;
    assert_eq!(archive.refusal(), "edited.keras: layer \"add\": depends on its own result");

    let mut archive = Archive::of("add_three");
    archive.entry("add")["inbound_nodes"] = json!([]);
    assert_eq!(archive.refusal(), "edited.keras: layer \"add\": is not connected to any other layer");
}

#[test]
fn models_and_layers_from_python_code() {
    let mut archive = Archive::of("sequential");
    archive.entry("conv2d")["module"] = json!("my.layers");
    let expected = "edited.keras: layer \"conv2d\": is a custom layer (my.layers.Conv2D), which is not supported";
    assert_eq!(archive.refusal(), expected);
    archive.architecture["class_name"] = json!("MyModel");
    assert!(archive.refusal().starts_with("edited.keras: is a subclassed model (\"MyModel\"), whose layers"));
}

/// Keras 2 writes a call's arguments down, and obeys them at inference too.
#[test]
fn calls_of_keras_2() {
    let called = |layer: serde_json::Value, arguments: serde_json::Value| {
        let mut archive = Archive::sequence(json!([null, 6]), &[]);
        let layers = archive.architecture["config"]["layers"].as_array_mut().unwrap();
        let mut layer = layer;
        layer["inbound_nodes"] = json!([["in", 0, 0, arguments]]);
        layer["name"] = layer["config"]["name"].clone();
        layers.push(layer);
        let config = archive.architecture["config"].as_object_mut().unwrap();
        config.insert("input_layers".to_owned(), json!([["in", 0, 0]]));
        config.insert("output_layers".to_owned(), json!([["last", 0, 0]]));
        archive.architecture["class_name"] = json!("Functional");
        archive.read().map(|_| ()).map_err(|error| error.to_string())
    };
    let silu = json!({"class_name": "TFOpLambda", "config": {"name": "last", "function": "nn.silu"}});
    assert_eq!(called(silu.clone(), json!({})), Ok(()));
    let expected = "the operation tf.nn.silu with a number beside the tensor is not supported";
    assert_eq!(called(silu, json!({"beta": 2.0})), Err(format!("edited.keras: layer \"last\": {expected}")));

    let of = |layer: serde_json::Value| {
        let input = json!({"class_name": "InputLayer", "config": {"name": "inside", "batch_input_shape": [null, 6]}});
        json!({"class_name": "Sequential", "config": {"name": "last", "layers": [input, layer]}})
    };
    let dropout = json!({"class_name": "Dropout", "config": {"name": "dropout", "rate": 0.5}});
    let relu = json!({"class_name": "ReLU", "config": {"name": "relu"}});
    let expected = "is called with training=True, so that it works at inference too; rebuild it without";
    let expected = Err(format!("edited.keras: layer \"last/dropout\": {expected}"));
    assert_eq!(called(of(dropout.clone()), json!({"training": true})), expected);
    assert_eq!(called(of(dropout), json!({"training": false})), Ok(()));
    assert_eq!(called(of(relu), json!({"training": true})), Ok(()));
}

#[test]
fn layers_without_weights() {
    let refusal = |class: &str, settings: serde_json::Value| {
        let message = Archive::sequence(json!([null, 6, 5, 2]), &[(class, settings)]).refusal();
        let front = format!("edited.keras: layer \"{}\": ", class.to_lowercase());
        message.strip_prefix(&front).unwrap_or(&message).to_owned()
    };
    assert_eq!(refusal("LeakyReLU", json!({"alpha": 1e300})), "negative_slope or alpha is too large");
    assert_eq!(refusal("PReLU", json!({"shared_axes": [1, 4]})), "shared_axes has 4 for 3 axes");
    assert_eq!(refusal("PReLU", json!({"shared_axes": [1]})), "its weights (alpha) are not in the file");
    assert_eq!(refusal("Softmax", json!({"axis": 4})), "axis 4 is not one of its input, which has 3 beside the batch");
    let expected = "axis is None, so a softmax over all frames of a batch, which is not supported";
    assert_eq!(refusal("Softmax", json!({"axis": null})), expected);
    assert_eq!(
        refusal("Permute", json!({"dims": [1, 1, 2]})),
        "dims [1, 1, 2] are no order of the 3 axes of its input"
    );
    let expected = "makes [7, -1] of 6x5x2, which has another number of values";
    assert_eq!(refusal("Reshape", json!({"target_shape": [7, -1]})), expected);
    let expected = "newshape is [2, 30]; supported is -1 for the batch, and then fixed extents";
    assert_eq!(refusal("Reshape", json!({"newshape": [2, 30]})), expected);
    let expected = "mean is [1,2,3], expected numbers for 6x2 places";
    let given = json!({"axis": [1, 3], "mean": [1, 2, 3], "variance": [1, 2, 3]});
    assert_eq!(refusal("Normalization", given), expected);
    let expected = "crops 4 and 2 places of 6, which leaves nothing";
    assert_eq!(refusal("Cropping2D", json!({"cropping": [[4, 2], [0, 0]]})), expected);
    let expected = "interpolation \"bicubic\" is not supported, only nearest and (of images) bilinear";
    assert_eq!(refusal("UpSampling2D", json!({"interpolation": "bicubic"})), expected);
    let expected = "scale has 3 numbers for 2 channels; supported are one, or one per channel";
    assert_eq!(refusal("Rescaling", json!({"scale": [1, 2, 3]})), expected);
    assert_eq!(
        refusal("Rescaling", json!({"scale": 1e300})),
        "channel 0 would be multiplied by inf, and 0 be added to it"
    );
    let expected = "crops 6x5 to 4x4, and what that is at inference depends on the version of Keras; take CenterCrop or \
                    Resizing, or crop in the training data";
    assert_eq!(refusal("RandomCrop", json!({"height": 4, "width": 4})), expected);
    let expected = "its weights (gamma, beta, moving_mean, moving_variance) are not in the file";
    assert_eq!(refusal("BatchNormalization", json!({"axis": -1})), expected);
    let expected = "add of one tensor; supported are two or more";
    assert_eq!(refusal("Add", json!({})), expected);

    let same_size = json!({"height": 6, "width": 5});
    assert!(Archive::sequence(json!([null, 6, 5, 2]), &[("RandomCrop", same_size)]).read().is_ok());
}

#[test]
fn numbers_that_are_none() {
    let mut archive = Archive::of("sequential");
    let graph = archive.read().unwrap();
    let Some((_, Some(Bias::F32(bias)))) = graph.layers.iter().find_map(|layer| layer.operator.weights()) else {
        panic!("no bias")
    };
    let bytes: Vec<u8> = bias.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut broken = bytes.clone();
    broken[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    broken[8..12].copy_from_slice(&f32::INFINITY.to_le_bytes());
    assert_eq!(replace_all(&mut archive.weights, &bytes, &broken), 1, "the bias is in the file once");
    let expected = "edited.keras: layer \"conv2d\": bias holds 2 of 5 numbers that are NaN or infinite; the model has \
                    to be trained again";
    assert_eq!(archive.refusal(), expected);
}
