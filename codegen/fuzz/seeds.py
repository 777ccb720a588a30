"""Makes the files that fuzzing begins with: small models in each format, and each form of HDF5 that files may have.

    python seeds.py FOLDER   into FOLDER/h5, FOLDER/keras, FOLDER/onnx and FOLDER/tflite

requirements.txt has the versions. What fuzzing has found since lies in corpus/, which is what CI starts from.
"""

import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

LARGEST = 20_000  # bytes of a seed
FIXTURES = pathlib.Path(__file__).parent / "../../tests/fixtures"
SMALL = 6_000  # bytes of a fixture that becomes a seed


def chain(shape, *stack):
    inputs = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


def residual():
    inputs = keras.Input((4, 4, 2))
    x = layers.Conv2D(2, 3, padding="same")(inputs)
    return keras.Model(inputs, layers.Add()([x, inputs]))


def merged(merge):
    inputs = keras.Input((4, 4, 2))
    return keras.Model(inputs, merge(layers.ReLU()(inputs), layers.Conv2D(2, 1)(inputs)))


def nested():
    inner = keras.Sequential([keras.Input((3, 3, 1)), layers.Conv2D(2, 2), layers.BatchNormalization()])
    return chain((3, 3, 1), inner, layers.Flatten(), layers.Dense(2))


def shared():
    inputs = keras.Input((4,))
    layer = layers.Dense(4, activation="sigmoid")
    return keras.Model(inputs, layer(layer(inputs)))


# What every version of the reader knows, as Keras models.
MODELS = {
    "conv": lambda: chain((5, 4, 2), layers.Conv2D(3, (3, 2), strides=2, padding="same", activation="relu")),
    "depthwise": lambda: chain((5, 5, 2), layers.DepthwiseConv2D(3, depth_multiplier=2), layers.ReLU(6.0)),
    "separable": lambda: chain((5, 5, 2), layers.SeparableConv2D(3, 3, padding="same", dilation_rate=2)),
    "dense": lambda: chain((3,), layers.Dense(4, use_bias=False), layers.Softmax()),
    "pools": lambda: chain((6, 6, 1), layers.MaxPooling2D(2), layers.AveragePooling2D(3, strides=1, padding="same")),
    "global": lambda: chain((3, 3, 2), layers.GlobalAveragePooling2D(keepdims=True), layers.Flatten()),
    "normalized": lambda: chain((3, 3, 2), layers.BatchNormalization(), layers.Conv2D(1, 2), layers.BatchNormalization()),
    "rescaled": lambda: chain((3, 3, 2), layers.Rescaling([0.1, 2.0], [0.0, -1.0]), layers.Dropout(0.5)),
    "augmented": lambda: chain((4, 4, 1), layers.RandomFlip(), layers.RandomCrop(3, 3), layers.Activation("sigmoid")),
    "residual": residual,
    "nested": nested,
    "shared": shared,
}

# Further operators, of TensorFlow Lite first of all.
OPERATORS = {
    "concatenate": lambda: merged(lambda a, b: layers.Concatenate()([a, b])),
    "array": lambda: merged(lambda a, b: ops.maximum(a * np.float32([1, -2]), np.ones((4, 1, 2), np.float32)) - b),
    "resized": lambda: chain((4, 5, 2), layers.Resizing(6, 4), layers.CenterCrop(3, 2), layers.Conv2D(2, 1)),
    "multiply": lambda: merged(lambda a, b: layers.Multiply()([a, b])),
    "subtract": lambda: merged(lambda a, b: layers.Subtract()([a, b])),
    "maximum": lambda: merged(lambda a, b: layers.Minimum()([layers.Maximum()([a, b]), b])),
    "broadcast": lambda: merged(lambda a, b: a * ops.mean(b, axis=(1, 2), keepdims=True) + 3.0),
    "pad": lambda: chain((3, 3, 2), layers.ZeroPadding2D(((1, 0), (2, 1))), layers.Conv2D(2, 3, strides=2)),
    "crop": lambda: chain((6, 6, 2), layers.Cropping2D(((1, 0), (2, 1))), layers.Conv2D(2, 1)),
    "up": lambda: chain((2, 3, 2), layers.UpSampling2D(2), layers.UpSampling2D(2, interpolation="bilinear")),
    "transposed": lambda: chain((3, 3, 2), layers.Conv2DTranspose(2, 3, strides=2, padding="same")),
    "functions": lambda: chain((4,), layers.Activation("tanh"), layers.LeakyReLU(), layers.Activation("hard_swish")),
    "more_functions": lambda: chain((4,), layers.Activation("elu"), layers.Activation("gelu"), layers.Activation("exponential")),
    "prelu": lambda: chain((3, 3, 2), layers.PReLU(shared_axes=[1, 2]), layers.Conv2D(1, 1)),
    "series": lambda: chain((8, 2), layers.Conv1D(3, 3, padding="causal", dilation_rate=2), layers.GlobalMaxPooling1D()),
    "volume": lambda: chain((3, 3, 3, 1), layers.Conv3D(2, 2), layers.MaxPooling3D(2)),
    "permuted": lambda: chain((2, 3, 2), layers.Permute((2, 1, 3)), layers.Reshape((6, 2)), layers.Dense(2)),
    "sum": lambda: chain((4, 3), layers.Lambda(lambda x: ops.sum(x, axis=1)), layers.Lambda(lambda x: ops.max(x, axis=-1, keepdims=True))),
    "split": lambda: chain((2, 2, 4), layers.Lambda(lambda x: ops.concatenate(ops.split(x, 2, axis=-1)[::-1], axis=-1))),
    "normalization": lambda: chain((2, 4), layers.LayerNormalization(), layers.UnitNormalization()),
    "recurrent": lambda: chain((3, 2), layers.LSTM(2, unroll=True)),
    "depth_to_space": lambda: chain((2, 2, 4), layers.Lambda(lambda x: tf.nn.depth_to_space(x, 2))),
    "batch_to_space": lambda: chain((5, 5, 1), layers.Conv2D(1, 3, dilation_rate=2, padding="same")),
}


# Those that are saved as Keras models too.
SAVED = ("array", "resized", "multiply", "subtract", "maximum", "concatenate", "pad", "up", "functions", "more_functions", "prelu", "series")


def tflite(model, kind):
    """The model converted: "float", "half" (weights), "dynamic", "int8" with float edges, "whole" with uint8 ones, "wide" (int16x8)."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    shape = [1, *model.inputs[0].shape[1:]]
    random = np.random.default_rng(1)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "half":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "whole", "signed", "wide"):
        converter.representative_dataset = lambda: ([random.uniform(-1, 1, shape).astype(np.float32)] for _ in range(4))
        wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [wide if kind == "wide" else tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if kind in ("whole", "signed"):
        element = tf.uint8 if kind == "whole" else tf.int8
        converter.inference_input_type = converter.inference_output_type = element
    return converter.convert()


def copy(source, target, **form):
    """A file's contents in another of HDF5's forms."""
    for name, value in source.attrs.items():
        if form.get("fixed") and isinstance(value, str):
            value = np.bytes_(value.encode())
        target.attrs[name] = value
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            copy(item, target.create_group(name, track_order=form.get("ordered")), **form)
        else:
            array = item[()]
            filters = dict(form.get("filters", {}) if array.ndim else {})
            if form.get("growing"):
                filters["maxshape"] = [None] * min(array.ndim, form["growing"]) + list(array.shape[form["growing"]:])
            copied = target.create_dataset(name, data=array.astype(form.get("element", array.dtype)), **filters)
            for attribute, value in item.attrs.items():
                copied.attrs[attribute] = value


GZIP = {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True}

# Forms of HDF5: those that Keras writes are the first.
FORMS = {
    "earliest": {},
    "fixed": {"fixed": True},
    "chunked": {"filters": GZIP},
    "latest": {"libver": "latest"},
    "latest_chunked": {"libver": "latest", "filters": GZIP},
    "ordered": {"libver": "latest", "ordered": True, "fixed": True},
    "growing": {"libver": "latest", "growing": 1},
    "growing_everywhere": {"libver": "latest", "growing": 4, "filters": GZIP},
    "lzf": {"filters": {"chunks": True, "compression": "lzf"}},
    "scaled": {"filters": {"chunks": True, "scaleoffset": 3}},
    "half": {"element": np.float16},
    "double": {"element": ">f8", "libver": "v110"},
}


def h5(path, folder, name):
    for form, options in FORMS.items():
        made = folder / f"{name}_{form}.h5"
        with h5py.File(path) as source, h5py.File(made, "w", libver=options.get("libver", "earliest")) as target:
            copy(source, target, **options)


def strange(folder):
    """Forms that the architecture's models do not have: many attributes, links, and types of numbers."""
    for libver in ("earliest", "latest"):
        with h5py.File(folder / f"strange_{libver}.h5", "w", libver=libver) as file:
            file.attrs["model_config"] = "{}"
            group = file.create_group("model_weights")
            # More than eight are stored in a heap of their own.
            for index in range(12):
                group.attrs[f"attribute_{index}"] = [b"text"] * index
            group.attrs["layer_names"] = [b"dense"]
            dense = group.create_group("dense")
            dense.attrs["weight_names"] = np.array([b"dense/kernel", b"dense/bias"])
            dense["kernel"] = h5py.SoftLink("/numbers/f4")
            dense["bias"] = h5py.ExternalLink("other.h5", "/bias")
            numbers = file.create_group("numbers")
            for kind in ("f2", "f4", ">f8", "i1", "u2", ">i4", "i8", "?", "S3"):
                numbers[kind.strip(">?") or "bool"] = np.zeros((2, 2), kind)
            numbers["text"] = ["a", "bc"]
            numbers["pairs"] = np.zeros(2, [("first", "f4"), ("second", "i2")])
            numbers["growing"] = np.zeros((2, 2), "f4")
            numbers.create_dataset("both", (4, 4), "f4", chunks=(1, 2), maxshape=(None, None))[...] = 1
            numbers.create_dataset("one", (4, 4), "f4", chunks=(1, 2), maxshape=(None, 4))[...] = 1
            numbers.create_dataset("empty", (0, 3), "f4", maxshape=(None, 3))
            numbers["nothing"] = h5py.Empty("f4")


def fixtures(folder):
    """The first small model, the middle one and the last of each group of tests/fixtures/KIND, where KIND is the folder's name."""
    for group in sorted((FIXTURES / folder.name).glob("*.npz")):
        with np.load(group) as arrays:
            files = {name: arrays[name] for name in sorted(arrays.files) if name.endswith("/onnx") or arrays[name][4:8].tobytes() == b"TFL3"}
        small = [name for name, file in files.items() if file.size <= SMALL]
        for name in dict.fromkeys(small[place] for place in (0, len(small) // 2, -1) if small):
            (folder / f"{name.split('/')[0]}.{folder.name}").write_bytes(files[name].tobytes())


def main(folder):
    folders = {kind: folder / kind for kind in ("h5", "keras", "onnx", "tflite")}
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True)
    for name, make in {**MODELS, **OPERATORS}.items():
        keras.utils.set_random_seed(1)
        keras.backend.clear_session()
        model = make()
        if name in MODELS or name in SAVED:
            path = folders["h5"] / f"{name}.h5"
            model.save(path)
            model.save(folders["keras"] / f"{name}.keras")
            if name in ("conv", "nested"):
                h5(path, folders["h5"], name)
        for kind in ("float", "int8", "whole") if name in MODELS else ("float", "signed", "int8"):
            write(folders["tflite"] / f"{name}_{kind}.tflite", lambda: tflite(model, kind))
        if name in ("conv", "dense", "series"):
            for kind in ("half", "dynamic", "wide"):
                write(folders["tflite"] / f"{name}_{kind}.tflite", lambda: tflite(model, kind))
    strange(folders["h5"])
    fixtures(folders["tflite"])
    fixtures(folders["onnx"])
    for path in sorted(folder.glob("*/*")):
        if path.stat().st_size > LARGEST:
            print(f"{path.name} has {path.stat().st_size} bytes: left out")
            path.unlink()


def write(path, make):
    """Not every operator can be converted to every type."""
    try:
        path.write_bytes(make())
    except Exception as error:
        print(f"{path.name}: {str(error).splitlines()[0][:100]}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
