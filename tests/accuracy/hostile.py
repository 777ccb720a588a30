"""Makes of a trained model one that computes the same and that int8 breaks.

    python hostile.py ../../codegen/models/xception_lite/xlite.keras hostile.keras

Behind each batch normalization whose output goes, through ReLU and pools, into layers with weights only, every channel is scaled by a
factor between 10^-1.5 and 10^1.5 (log-uniformly, seeded), and its weights in those layers by the inverse: a positive factor goes through
ReLU. The scales of batch normalization then spread over three decades, as training sometimes leaves them; one scale for all channels of
a tensor leaves most of them a few steps.
"""

import sys

import keras
import numpy as np

SEED = 20261129
DECADES = 3.0
PASSES = (keras.layers.ReLU, keras.layers.Dropout, keras.layers.GlobalAveragePooling2D, keras.layers.MaxPooling2D)


def passes(layer):
    activation = getattr(layer, "activation", None)
    is_relu = isinstance(layer, keras.layers.Activation) and activation is keras.activations.relu
    return is_relu or isinstance(layer, PASSES)


def readers(layer):
    """The layers with weights that read a layer's output; None where others do."""
    found = []
    for node in layer._outbound_nodes:
        reader = node.operation
        if passes(reader):
            behind = readers(reader)
            if behind is None:
                return None
            found += behind
        elif isinstance(reader, (keras.layers.Conv2D, keras.layers.SeparableConv2D, keras.layers.Dense)):
            found.append(reader)
        else:
            return None
    return found or None


def scale(layer, factors):
    """Divides what a layer does to each channel of its input by the channel's factor."""
    weights = layer.get_weights()
    first = weights[0]
    # Kernels are [height, width, input, ...], a dense one [input, output].
    axes = (1, -1) if isinstance(layer, keras.layers.Dense) or first.ndim == 2 else (1, 1, -1, 1)
    weights[0] = (first / factors.reshape(axes[::-1] if first.ndim == 2 else axes)).astype(np.float32)
    layer.set_weights(weights)


def main(source, target):
    model = keras.models.load_model(source, compile=False)
    random = np.random.default_rng(SEED)
    count = 0
    for layer in model.layers:
        if not isinstance(layer, keras.layers.BatchNormalization) or readers(layer) is None:
            continue
        gamma, beta, mean, variance = layer.get_weights()
        factors = 10.0 ** random.uniform(-DECADES / 2, DECADES / 2, gamma.shape)
        layer.set_weights([gamma * factors, beta * factors, mean, variance])
        for reader in readers(layer):
            scale(reader, factors)
        count += 1
    model.save(target)
    print(f"{target}: {count} of the batch normalizations scaled")


if __name__ == "__main__":
    main(*sys.argv[1:])
