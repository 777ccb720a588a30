"""Accuracy of LiteRT's own conversions, for the README's table, and the calibration data for ours.

    python litert.py calibration TRAIN.zip calibration.npz       500 training pictures, every 100th of each class by file name
    python litert.py convert MODEL calibration.npz OUT.tflite [int8|int16x8]
    python litert.py eval MODEL.tflite TEST.npz                  by LiteRT's reference kernels

MODEL is .keras or .h5; TEST.npz has x_test (uint8) and y_test.
"""

import io
import os
import sys
import zipfile
from collections import defaultdict
from multiprocessing import Pool

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np


def calibration(source, target):
    from PIL import Image

    with zipfile.ZipFile(source) as archive:
        classes = defaultdict(list)
        for name in sorted(archive.namelist()):
            if name.endswith(".jpg"):
                classes[name.split("/")[-2]].append(name)
        names = [name for of_class in classes.values() for name in of_class[::100]]
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]
    np.savez_compressed(target, x=np.stack(pictures))
    print(f"{target}: {len(pictures)} pictures")


def convert(source, data, target, precision="int8"):
    import keras
    import tensorflow as tf

    model = keras.models.load_model(source, compile=False)
    pictures = np.load(data)["x"].astype(np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture[None]] for picture in pictures)
    sets = tf.lite.OpsSet
    wide = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [wide if precision == "int16x8" else sets.TFLITE_BUILTINS_INT8]
    element = tf.int16 if precision == "int16x8" else tf.int8
    converter.inference_input_type = converter.inference_output_type = element
    with open(target, "wb") as file:
        file.write(converter.convert())


def classes_of(arguments):
    model, pictures = arguments
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model, num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    entry, exit = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for picture in pictures.astype(np.float32):
        if entry["dtype"] != np.float32:
            scale, zero = entry["quantization"]
            limits = np.iinfo(entry["dtype"])
            picture = np.clip(np.round(picture / scale) + zero, limits.min, limits.max).astype(entry["dtype"])
        interpreter.set_tensor(entry["index"], picture[None])
        interpreter.invoke()
        found.append(int(np.argmax(interpreter.get_tensor(exit["index"])[0])))
    return found


def evaluate(model, data, count=None):
    test = np.load(data)
    count = int(count or len(test["y_test"]))
    pictures, labels = test["x_test"][:count], test["y_test"][:count]
    with Pool(2) as pool:
        found = np.concatenate(pool.map(classes_of, [(model, part) for part in np.array_split(pictures, 2)]))
    print(f"{model}: {100 * np.mean(found == labels):.2f}% of {count}")


if __name__ == "__main__":
    {"calibration": calibration, "convert": convert, "eval": evaluate}[sys.argv[1]](*sys.argv[2:])
