"""Makes the fixtures of this folder: Keras models over volumes as .keras and as legacy .h5, and what Keras says to some inputs.

    python make.py                 all of them, into fixtures/
    python make.py pools conv      only these

Keras 3.15.1 on JAX: TensorFlow on a CPU refuses channels_first. The same versions (requirements.txt) give the same weights,
inputs and outputs.
"""

import importlib.util
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import keras
from keras import layers, ops

HERE = pathlib.Path(__file__).resolve().parent

# Random weights, inputs, and files that are the same bytes each time, as for images.
spec = importlib.util.spec_from_file_location("images", HERE / "../../../tests/fixtures/keras/make.py")
images = importlib.util.module_from_spec(spec)
spec.loader.exec_module(images)
images.FIXTURES.clear()
images.HERE = HERE / "fixtures"
fixture, chain = images.fixture, images.chain


@keras.saving.register_keras_serializable()
class SeparableConv3D(layers.Layer):
    """A convolution of each channel by itself, then a pointwise one; with the arguments of SeparableConv2D."""

    def __init__(self, filters, kernel_size, strides=1, padding="valid", dilation_rate=1, depth_multiplier=1,
                 use_bias=True, activation=None, **options):
        super().__init__(**options)
        self.filters, self.use_bias, self.depth_multiplier = filters, use_bias, depth_multiplier
        three = lambda steps: (steps,) * 3 if isinstance(steps, int) else tuple(steps)
        self.kernel_size, self.strides, self.dilation_rate = map(three, (kernel_size, strides, dilation_rate))
        self.padding, self.activation = padding, keras.activations.get(activation)

    def build(self, shape):
        channels = shape[-1]
        middle = channels * self.depth_multiplier
        self.depthwise_kernel = self.add_weight(
            shape=(*self.kernel_size, channels, self.depth_multiplier), name="depthwise_kernel")
        self.pointwise_kernel = self.add_weight(shape=(1, 1, 1, middle, self.filters), name="pointwise_kernel")
        self.bias = self.add_weight(shape=(self.filters,), name="bias") if self.use_bias else None

    def call(self, x):
        channels, multiplier = x.shape[-1], self.depth_multiplier
        results = []
        for channel in range(channels):
            results.append(ops.conv(
                x[..., channel:channel + 1], self.depthwise_kernel[..., channel:channel + 1, :], strides=self.strides,
                padding=self.padding, dilation_rate=self.dilation_rate))
        x = ops.concatenate(results, axis=-1)
        assert x.shape[-1] == channels * multiplier
        x = ops.conv(x, self.pointwise_kernel)
        return self.activation(x if self.bias is None else x + self.bias)

    def get_config(self):
        names = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier", "use_bias")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "activation": keras.activations.serialize(self.activation)}


@fixture
def conv():
    """Conv3D: valid and same, unequal strides, odd and even kernels, without bias, with an activation"""
    return chain(
        (6, 7, 8, 2), layers.Conv3D(4, 3, padding="same", activation="relu"),
        layers.Conv3D(5, (2, 3, 4), strides=(1, 2, 2), padding="same", use_bias=False),
        layers.Conv3D(3, (2, 2, 1), activation="elu"))


@fixture
def conv_strided():
    """Conv3D with stride 2 and same padding on even and odd extents, and a strided 1x1x1 one"""
    return chain(
        (7, 6, 5, 3), layers.Conv3D(4, 3, strides=2, padding="same"), layers.Conv3D(5, 1, strides=(1, 2, 1)),
        layers.Conv3D(2, (4, 2, 2), strides=(3, 1, 1), padding="same"))


@fixture
def conv_dilated():
    """Conv3D with dilation, the same along all axes and not"""
    return chain(
        (7, 8, 6, 1), layers.Conv3D(3, 2, dilation_rate=2), layers.Conv3D(2, 3, dilation_rate=(1, 2, 1), padding="same"))


@fixture
def separable():
    """SeparableConv3D, a layer of the user's own: multipliers 1 and 2, strides, dilation, without bias"""
    return chain(
        (6, 6, 7, 3), SeparableConv3D(5, 3, padding="same", activation="relu"),
        SeparableConv3D(4, (2, 3, 2), strides=2, depth_multiplier=2, padding="same", use_bias=False),
        SeparableConv3D(3, 2, dilation_rate=(1, 2, 1), padding="same"))


@fixture
def separable_by_groups():
    """A separable convolution as Keras has it: Conv3D(groups=channels), then Conv3D(1); a multiplier of 2"""
    return chain(
        (6, 5, 6, 4), layers.Conv3D(4, 3, padding="same", groups=4, use_bias=False), layers.Conv3D(6, 1, activation="relu"),
        layers.Conv3D(12, (1, 3, 3), strides=(1, 2, 1), groups=6), layers.Conv3D(3, 1))


@fixture
def conv_groups():
    """Conv3D with two groups of two and of three channels"""
    return chain((5, 5, 5, 4), layers.Conv3D(6, 3, padding="same", groups=2), layers.Conv3D(4, 2, groups=2))


@fixture
def pools():
    """MaxPooling3D and AveragePooling3D, same and valid, default and other strides, pools of unequal extents"""
    x = inputs = keras.Input((7, 8, 9, 3))
    x = layers.MaxPooling3D((2, 3, 2), strides=(1, 2, 1), padding="same")(x)
    x = layers.AveragePooling3D((3, 2, 2), strides=1, padding="same")(x)
    return keras.Model(inputs, layers.AveragePooling3D(2)(layers.MaxPooling3D(2, strides=1)(x)))


@fixture
def max_pool_rows():
    """MaxPooling3D whose planes come one by one: 3 with stride 2 and same padding, after a convolution"""
    return chain((9, 6, 6, 1), layers.Conv3D(6, 3, padding="same"), layers.MaxPooling3D(3, strides=2, padding="same"))


@fixture
def global_pools():
    """GlobalAveragePooling3D and GlobalMaxPooling3D, with kept axes and without"""
    inputs = keras.Input((4, 5, 6, 3))
    mean = layers.Conv3D(4, 1)(layers.GlobalAveragePooling3D(keepdims=True)(inputs))
    largest = layers.Conv3D(4, 1)(layers.GlobalMaxPooling3D(keepdims=True)(inputs))
    flat = layers.Add()([layers.GlobalAveragePooling3D()(inputs), layers.GlobalMaxPooling3D()(inputs)])
    return keras.Model(inputs, layers.Add()([layers.Flatten()(layers.Add()([mean, largest])), layers.Dense(4)(flat)]))


@fixture
def batch_norms():
    """BatchNormalization before a same-padded Conv3D, after one, after a relu, and before a valid one"""
    return chain(
        (5, 6, 5, 2), layers.BatchNormalization(), layers.Conv3D(4, 3, padding="same", use_bias=False),
        layers.BatchNormalization(), layers.ReLU(), layers.BatchNormalization(scale=False),
        layers.Conv3D(3, 3, padding="same"), layers.BatchNormalization(center=False), layers.Conv3D(3, 2))


@fixture
def dropouts():
    """SpatialDropout3D, Dropout, GaussianNoise: all do nothing"""
    return chain(
        (4, 5, 4, 3), layers.SpatialDropout3D(0.3), layers.Conv3D(4, 2), layers.Dropout(0.2), layers.GaussianNoise(0.1),
        layers.SpatialDropout3D(0.5), layers.Conv3D(2, 2))


@fixture
def dense():
    """Dense on every place of a volume, functions of every element, a softmax over channels"""
    return chain(
        (4, 5, 6, 3), layers.Dense(5, activation="gelu"), layers.LeakyReLU(negative_slope=0.2),
        layers.Activation("silu"), layers.Dense(4), layers.Softmax())


@fixture
def flatten_dense():
    """Conv3D, Flatten, Dense: the order of depth, height, width, channels"""
    return chain((5, 4, 6, 2), layers.Conv3D(3, 2, activation="relu6"), layers.Flatten(), layers.Dense(4))


@fixture
def merges():
    """Add, Subtract, Multiply, Maximum of volumes; Concatenate along every axis"""
    inputs = keras.Input((4, 5, 6, 3))
    x = layers.Conv3D(3, 3, padding="same")(inputs)
    x = layers.Maximum()([layers.Multiply()([x, inputs]), layers.Subtract()([layers.Add()([x, inputs]), inputs])])
    for axis in (1, 2, 3, 4, -1):
        x = layers.Concatenate(axis=axis)([x, x]) if axis > 0 else layers.Concatenate()([x, layers.ReLU()(x)])
    return keras.Model(inputs, layers.Conv3D(2, 2, strides=2)(x))


@fixture
def squeeze_excite():
    """Channels of a volume scaled by what a global pool and two layers make of them"""
    inputs = keras.Input((5, 4, 5, 3))
    x = layers.Conv3D(6, 3, padding="same")(inputs)
    scale = layers.GlobalAveragePooling3D(keepdims=True)(x)
    scale = layers.Conv3D(6, 1, activation="sigmoid")(layers.Conv3D(2, 1, activation="relu")(scale))
    return keras.Model(inputs, layers.Multiply()([x, scale]))


@fixture
def moves():
    """ZeroPadding3D, one number, three and six of them; UpSampling3D"""
    return chain(
        (4, 4, 5, 2), layers.ZeroPadding3D(((1, 2), (0, 3), (2, 1))), layers.MaxPooling3D(2, strides=1),
        layers.ZeroPadding3D((1, 2, 0)), layers.UpSampling3D((2, 1, 2)), layers.Conv3D(3, 3, strides=2),
        layers.ZeroPadding3D(1), layers.UpSampling3D(2), layers.AveragePooling3D(3))


@fixture
def padded_conv():
    """ZeroPadding3D before a valid Conv3D with stride 2, which takes it, and before a 1x1x1 one, which can't"""
    return chain(
        (6, 6, 7, 2), layers.ZeroPadding3D(((0, 1), (1, 1), (1, 0))), layers.Conv3D(4, 3, strides=2),
        layers.ZeroPadding3D(1), layers.Conv3D(3, 1))


@fixture
def cropping():
    """Cropping3D, unequal, then Conv3D"""
    return chain((6, 7, 6, 2), layers.Cropping3D(((1, 2), (0, 3), (2, 1))), layers.Conv3D(3, 2))


@fixture
def rescaling():
    """Rescaling(1/255) of uint8 voxels, a same-padded Conv3D"""
    return chain((5, 6, 6, 1), layers.Rescaling(1 / 255), layers.Conv3D(4, 3, padding="same"), layers.MaxPooling3D())


@fixture
def channels_first():
    """Conv3D, pools, padding and a global pool of channels_first"""
    first = {"data_format": "channels_first"}
    return chain(
        (2, 5, 6, 7), layers.Conv3D(4, 3, padding="same", activation="relu", **first), layers.MaxPooling3D(2, **first),
        layers.ZeroPadding3D(1, **first), layers.Conv3D(5, 2, **first), layers.BatchNormalization(axis=1),
        layers.AveragePooling3D(2, strides=1, **first), layers.GlobalAveragePooling3D(**first), layers.Dense(3))


@fixture
def channels_first_places():
    """Conv3D and a softmax of channels_first, whose result are places"""
    return chain((2, 4, 5, 3), layers.Conv3D(4, 2, data_format="channels_first"), layers.Softmax(axis=1))


@fixture
def permute():
    """Permute and Reshape of a volume"""
    return chain((3, 4, 5, 2), layers.Permute((2, 1, 3, 4)), layers.Conv3D(3, 2), layers.Reshape((6, 4, 3)), layers.Conv2D(2, 2))


@fixture
def network():
    """A small classifier of volumes: Conv3D, separable blocks, pools, batch norms, dropout, two classes"""
    x = inputs = keras.Input((16, 16, 16, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv3D(8, 3, strides=2, padding="same", use_bias=False)(x)))
    for filters in (16, 24):
        x = layers.Conv3D(x.shape[-1], 3, padding="same", groups=x.shape[-1], use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv3D(filters, 1, use_bias=False)(x)))
        x = layers.MaxPooling3D(2)(x)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling3D()(x))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x))


if __name__ == "__main__":
    sys.argv += ["--out", str(images.HERE)]
    images.main()
