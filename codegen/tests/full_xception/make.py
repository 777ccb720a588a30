"""Makes the course's Xception at its full size, with random weights: for two classes and for ten.

    python make.py FOLDER        writes xception_2.keras, xception_10.keras, and for each frames.npz to calibrate with

Needs what the shipped network's training needs (../../models/xception_lite/requirements.txt). The seeds are fixed. Nothing is trained:
the figures of memory and time do not depend on it.
"""

import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "models" / "xception_lite"))
import train  # noqa: E402  (sets Keras's backend)

keras = train.keras

EXTENT = 180
FRAMES = 8


def network(classes):
    """Batch normalizations that do something, as after training."""
    keras.utils.set_random_seed(classes)
    model = train.build_xception_network((EXTENT, EXTENT, 3), classes)
    random = np.random.default_rng(classes)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.gamma.shape[0]
            layer.set_weights([random.uniform(0.8, 1.2, channels), random.normal(0, 0.1, channels),
                               random.normal(0, 0.1, channels), random.uniform(0.5, 1.5, channels)])
    return model


def frames(seed):
    """Smooth colours with some noise."""
    random = np.random.default_rng(seed)
    colours = random.uniform(0, 255, (FRAMES, 10, 10, 3)).astype("float32")
    smooth = np.asarray(keras.ops.image.resize(colours, (EXTENT, EXTENT)))
    return np.clip(smooth + random.normal(0, 8, smooth.shape), 0, 255).astype("uint8")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for classes in (2, 10):
        network(classes).save(folder / f"xception_{classes}.keras")
        np.savez_compressed(folder / f"frames_{classes}.npz", x=frames(classes))


if __name__ == "__main__":
    main()
