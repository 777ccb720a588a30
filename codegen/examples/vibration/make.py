"""Trains the network of this example on made-up vibrations, and asks Keras what it sees in a recording.

    python make.py      writes vibration.keras, calibration.npz and recording.npz

The same versions (requirements.txt) write the same bytes.
"""

import os
import pathlib
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parents[2] / "tests/fixtures"))

import same  # noqa: E402

same.check_versions(FOLDER)
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

RATE = 1000  # samples a second
CLASSES = ["off", "running", "worn"]

# The strides of the network, and the samples that one output sees.
STRIDE = 16
WINDOW = 136

# An event is a class that is seen so many times one after the other.
PATIENCE = 4

# What the recording is, and for how many seconds.
RECORDING = [("off", 1.5), ("running", 2.5), ("worn", 2.0), ("running", 1.5), ("off", 1.0)]


def vibration(random, kind, samples):
    """Acceleration in g: noise; a motor with its first harmonic; and one whose bearing rings at each pass of a flaw."""
    time = np.arange(samples) / RATE
    signal = random.normal(0, 0.03, samples)
    if kind != "off":
        speed = random.uniform(45, 55)
        for harmonic, amplitude in ((1, 0.5), (2, 0.2)):
            signal += amplitude * random.uniform(0.8, 1.2) * np.sin(2 * np.pi * harmonic * speed * time + random.uniform(0, 6.28))
    if kind == "worn":
        passed = (time * speed * 0.61 + random.uniform()) % 1 / (speed * 0.61)
        signal += random.uniform(0.7, 1.1) * np.exp(-passed * 150) * np.sin(2 * np.pi * 310 * passed)
    return signal.astype(np.float32)


def network():
    return keras.Sequential(
        [
            keras.Input((WINDOW, 1)),
            layers.Conv1D(8, 8, strides=4, activation="relu"),
            layers.SeparableConv1D(16, 5, strides=2, activation="relu"),
            layers.SeparableConv1D(16, 5, strides=2, activation="relu"),
            layers.Conv1D(len(CLASSES), 6, activation="softmax"),
        ],
        name="vibration",
    )


def windows(random, count):
    kinds = random.integers(0, len(CLASSES), count)
    return np.stack([vibration(random, CLASSES[kind], WINDOW) for kind in kinds])[..., np.newaxis], kinds[:, np.newaxis]


def events(seen):
    """The outputs at which another class is seen for the `PATIENCE`th time."""
    found, current, last, times = [], None, None, 0
    for output, kind in enumerate(seen):
        times = times + 1 if kind == last else 1
        last = kind
        if times >= PATIENCE and kind != current:
            current = kind
            found.append((output, kind))
    return found


def main():
    keras.utils.set_random_seed(2026)
    tf.config.experimental.enable_op_determinism()
    random = np.random.default_rng(2026)
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    samples, kinds = windows(random, 3000)
    model.fit(samples, kinds, epochs=12, batch_size=32, verbose=0, shuffle=False)
    print("accuracy on others:", model.evaluate(*windows(random, 1000), verbose=0)[1])

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vibration.keras"
        # Without what the training needs.
        trained = network()
        trained.set_weights(model.get_weights())
        trained.save(path)
        (FOLDER / "vibration.keras").write_bytes(same.keras_file(path.read_bytes()))
    same.write_npz(FOLDER / "calibration.npz", {"x": windows(random, 60)[0]})

    recording = np.concatenate([vibration(random, kind, int(seconds * RATE)) for kind, seconds in RECORDING])
    starts = range(0, len(recording) - WINDOW + 1, STRIDE)
    outputs = model.predict(np.stack([recording[start : start + WINDOW, np.newaxis] for start in starts]), verbose=0)[:, 0]
    found = events(outputs.argmax(axis=-1))
    print([(WINDOW + STRIDE * output, CLASSES[kind]) for output, kind in found])
    arrays = {"recording": recording, "outputs": outputs, "events": np.array(found, np.int32)}
    same.write_npz(FOLDER / "recording.npz", arrays)


main()
