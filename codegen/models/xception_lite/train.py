"""Trains the Xception of the course, or the small one of this folder, on CIFAR-10 or on your own pictures.

    python train.py cifar-10-python.tar.gz --out xlite.keras          the small network, 85 epochs
    python train.py pictures/ --course --size 180x180 --out cats.keras
                                                                      the network of the course on a folder
    python train.py cifar-10-python.tar.gz --epochs 1 --limit 512 --out try.keras
                                                                      does it run at all?

DATA is one of
  - CIFAR-10, python or binary version, as the .tar.gz it comes in or unpacked;
  - a folder, or a zip of one, with a picture folder per class: train/<class>/*.jpg or *.png, and test/<class>/ if there is a
    test set. Without train/ the class folders may stand at the top.
With two classes the network ends in one sigmoid unit (the second class in the order of the alphabet is 1), else in softmax.
"""

import argparse
import io
import math
import os
import pathlib
import pickle
import re
import sys
import tarfile
import zipfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers
from PIL import Image, UnidentifiedImageError


# --- the network -----------------------------------------------------------------------------------------------------


def build_xception_network(input_shape, num_classes, *, augmentation=(), stem=((32, 2), (64, 1)),
                           blocks=(128, 256, 512, 728), last=1024, dropout=0.5, bias_before_normalization=True):
    """The Xception network of the course; other widths make a smaller one of the same form.

    augmentation: layers placed right after the input, active in training only.
    stem: (filters, stride) of each ordinary 3x3 convolution at the beginning.
    blocks: filters of each block: two separable convolutions and a pooling beside a strided 1x1 convolution.
    last: filters of the separable convolution after the blocks.
    bias_before_normalization: whether convolutions followed by batch normalisation have a bias of their own, which the
        normalisation makes superfluous.
    """
    if num_classes < 2:
        raise ValueError("a classifier needs at least two classes")
    bias = bias_before_normalization
    inputs = keras.Input(shape=input_shape)
    x = inputs
    for layer in augmentation:
        x = layer(x)
    x = layers.Rescaling(1.0 / 255)(x)
    for filters, stride in stem:
        x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=bias)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    shortcut = x
    for filters in blocks:
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=bias)(x)
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(filters, 1, strides=2, padding="same")(shortcut)
        x = layers.add([x, residual])
        shortcut = x
    x = layers.SeparableConv2D(last, 3, padding="same", use_bias=bias)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    if num_classes == 2:
        outputs = layers.Dense(1, activation="sigmoid")(x)
    else:
        outputs = layers.Dense(num_classes, activation="softmax")(x)
    return keras.Model(inputs, outputs)


# The arguments that make the network of this folder.
LITE = {"stem": ((24, 2), (48, 1)), "blocks": (72, 112), "last": 160, "dropout": 0.1, "bias_before_normalization": False}


# --- the data --------------------------------------------------------------------------------------------------------


class DataError(Exception):
    """The data cannot be used; the message says which file and why."""


class Pictures:
    """Pictures as uint8 [n, height, width, 3], class numbers, and the classes' names."""

    def __init__(self, images, labels, classes):
        self.images, self.labels, self.classes = images, labels, classes

    def __len__(self):
        return len(self.labels)

    def first(self, count, rng):
        """A random part of the pictures."""
        order = rng.permutation(len(self))[:count]
        return Pictures(self.images[order], self.labels[order], self.classes)


class Folder:
    """Named files below a folder."""

    def __init__(self, path):
        self.path, self.label = path, str(path)

    def names(self):
        return sorted(p.relative_to(self.path).as_posix() for p in self.path.rglob("*") if p.is_file())

    def read(self, name):
        return (self.path / name).read_bytes()


class Zip:
    """Named files in a zip."""

    def __init__(self, path):
        self.label = str(path)
        self.archive = zipfile.ZipFile(path)

    def names(self):
        return sorted(n for n in self.archive.namelist() if not n.endswith("/"))

    def read(self, name):
        return self.archive.read(name)


class Tar:
    """Named files in a tar, read once from beginning to end, since a compressed one cannot be read otherwise."""

    def __init__(self, path):
        self.label = str(path)
        try:
            with tarfile.open(path) as archive:
                self.files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(f"{path}: not a complete tar archive ({error})") from None

    def names(self):
        return sorted(self.files)

    def read(self, name):
        return self.files[name]


def load(path, size=None):
    """(training pictures, test pictures or None) of whatever stands at the path."""
    path = pathlib.Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_dir():
        source = Folder(path)
    elif zipfile.is_zipfile(path):
        source = Zip(path)
    elif tarfile.is_tarfile(path):
        source = Tar(path)
    else:
        raise DataError(f"{path}: neither a folder nor a .tar.gz nor a .zip")
    names = source.names()
    batches = [n for n in names if re.fullmatch(r"(.*/)?(data_batch_\d+|test_batch)(\.bin)?", n)]
    if batches:
        train, test = cifar(source, names, batches)
        if size and size != train.images.shape[1:3]:
            raise DataError(f"{path}: CIFAR pictures are 32x32; --size is for folders of pictures")
        return train, test
    return picture_folders(source, names, size)


# CIFAR-10. A picture is 3072 bytes: 32x32 red, then green, then blue.


class BatchUnpickler(pickle.Unpickler):
    """Unpickles the dictionaries of arrays that CIFAR batches are, and refuses everything else a pickle may hold."""

    ALLOWED = {
        ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
        ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.numeric", "_frombuffer"), ("numpy.core.numeric", "_frombuffer"),
    }

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no business in a CIFAR batch")
        return super().find_class(module, name)


def cifar(source, names, batches):
    def where(name):
        return f"{source.label}: {name}"

    def find(pattern):
        found = [n for n in names if re.fullmatch(r"(.*/)?" + pattern, n)]
        return source.read(found[0]) if found else None

    def unpickle(name, data):
        try:
            return BatchUnpickler(io.BytesIO(data), encoding="bytes").load()
        except Exception as error:  # a damaged pickle can raise anything
            raise DataError(f"{where(name)}: not a CIFAR batch ({error})") from None

    def batch(name):
        data = source.read(name)
        if name.endswith(".bin"):
            if not data or len(data) % 3073:
                raise DataError(f"{where(name)}: {len(data)} bytes are no whole number of pictures of 3073 bytes")
            rows = np.frombuffer(data, np.uint8).reshape(-1, 3073)
            pixels, labels = rows[:, 1:], rows[:, 0]
        else:
            content = unpickle(name, data)
            if not isinstance(content, dict) or b"data" not in content or b"labels" not in content:
                raise DataError(f"{where(name)}: a CIFAR-10 batch has `data` and `labels`")
            pixels, labels = np.asarray(content[b"data"], np.uint8), np.asarray(content[b"labels"])
            if pixels.ndim != 2 or pixels.shape[1] != 3072 or len(labels) != len(pixels):
                raise DataError(f"{where(name)}: {pixels.shape} pixels and {len(labels)} labels do not fit together")
        if len(labels) and labels.max() >= len(classes):
            raise DataError(f"{where(name)}: label {labels.max()}, but there are {len(classes)} classes")
        return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels.astype(np.int64)

    text, meta = find(r"batches\.meta\.txt"), find(r"batches\.meta")
    if text is not None:
        classes = text.decode().split()
    elif meta is not None:
        classes = [n.decode() for n in unpickle("batches.meta", meta)[b"label_names"]]
    else:
        raise DataError(f"{source.label}: batches.meta with the classes' names is missing")

    def join(chosen):
        parts = [batch(n) for n in chosen]
        return Pictures(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), classes)

    training = [n for n in batches if "data_batch_" in n]
    testing = [n for n in batches if "test_batch" in n]
    if not training:
        raise DataError(f"{source.label}: no data_batch_1, data_batch_2, ...")
    return join(training), join(testing) if testing else None


# Folders of pictures


def picture_folders(source, names, size):
    pictures = [n for n in names if re.search(r"\.(jpe?g|png)$", n, re.IGNORECASE)]
    if not pictures:
        raise DataError(f"{source.label}: neither CIFAR batches nor .jpg or .png pictures in it")
    # <anything>/train/<class>/<picture>; where there is no train/, <anything>/<class>/<picture>
    parts = {n: n.split("/") for n in pictures}

    def below(split):
        return {n: p[-2] for n, p in parts.items() if len(p) >= 3 and p[-3] == split}

    training, testing = below("train"), below("test")
    if not training:
        training = {n: p[-2] for n, p in parts.items() if len(p) >= 2 and n not in testing}
    classes = sorted(set(training.values()))
    if len(classes) < 2:
        raise DataError(f"{source.label}: pictures of {len(classes)} class{'es' * (len(classes) != 1)}; at least two folders "
                        "train/<class>/ are needed")
    strange = sorted(set(testing.values()) - set(classes))
    if strange:
        raise DataError(f"{source.label}: test/{strange[0]}/ is a class without training pictures")

    def decode(name):
        try:
            with Image.open(io.BytesIO(source.read(name))) as picture:
                picture = picture.convert("RGB")
                if size and picture.size != (size[1], size[0]):
                    picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
                return np.asarray(picture, np.uint8)
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{source.label}: {name}: not a readable picture ({error})") from None

    def join(chosen):
        first, images = None, []
        for name in chosen:
            image = decode(name)
            first = image.shape if first is None else first
            if image.shape != first:
                raise DataError(f"{source.label}: {name} is {image.shape[0]}x{image.shape[1]}, the pictures before it are "
                                f"{first[0]}x{first[1]}; give --size HEIGHTxWIDTH to scale them all")
            images.append(image)
        labels = np.array([classes.index(c) for c in chosen.values()], np.int64)
        return Pictures(np.stack(images), labels, classes)

    return join(training), join(testing) if testing else None


class Batches(keras.utils.PyDataset):
    """Shuffled batches; with `shift`, each picture is mirrored half the time and cropped from its padded self."""

    def __init__(self, pictures, batch, rng, shift=None):
        super().__init__()
        self.pictures, self.batch, self.rng, self.shift = pictures, batch, rng, shift
        self.targets = targets(pictures)
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.pictures) / self.batch)

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.pictures))

    def __getitem__(self, index):
        chosen = self.order[index * self.batch:(index + 1) * self.batch]
        images = self.pictures.images[chosen]
        if self.shift is not None:
            images = self.augmented(images)
        return images.astype(np.float32), self.targets[chosen]

    def augmented(self, images):
        n, height, width, _ = images.shape
        mirrored = self.rng.random(n) < 0.5
        images = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
        s = self.shift
        if s == 0:
            return images
        padded = np.pad(images, ((0, 0), (s, s), (s, s), (0, 0)), mode="reflect")
        top, left = self.rng.integers(0, 2 * s + 1, (2, n))
        rows = top[:, None] + np.arange(height)
        columns = left[:, None] + np.arange(width)
        return padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def targets(pictures):
    """What the network should say: one number for two classes, else one-hot."""
    if len(pictures.classes) == 2:
        return pictures.labels.astype(np.float32)[:, None]
    return np.eye(len(pictures.classes), dtype=np.float32)[pictures.labels]


# --- training --------------------------------------------------------------------------------------------------------


def train(model, training, *, epochs, batch, rng, learning_rate, warmup, weight_decay, label_smoothing, shift):
    steps = math.ceil(len(training) / batch)
    warm = min(warmup, max(epochs - 1, 0)) * steps
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warm else learning_rate, max(epochs * steps - warm, 1),
        warmup_target=learning_rate if warm else None, warmup_steps=warm)
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=weight_decay or None)
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["depthwise", "bias", "gamma", "beta"])
    if len(training.classes) == 2:
        loss = keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)
        metric = keras.metrics.BinaryAccuracy(name="accuracy")
    else:
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)
        metric = keras.metrics.CategoricalAccuracy(name="accuracy")
    model.compile(optimizer, loss, metrics=[metric])
    return model.fit(Batches(training, batch, rng, shift), epochs=epochs, verbose=1, shuffle=False)


def correct(model, pictures, batch):
    """How many pictures of a set the network gets right."""
    right = 0
    for start in range(0, len(pictures), batch):
        said = np.asarray(model.predict_on_batch(pictures.images[start:start + batch].astype(np.float32)))
        chosen = (said[:, 0] >= 0.5).astype(np.int64) if said.shape[1] == 1 else said.argmax(axis=1)
        right += int((chosen == pictures.labels[start:start + batch]).sum())
    return right


def extent(text):
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or not all(int(g) for g in match.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} is not HEIGHTxWIDTH")
    return int(match[1]), int(match[2])


def widths(text):
    try:
        values = tuple(int(v) for v in text.split(","))
    except ValueError:
        values = (0,)
    if min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of widths such as 72,112")
    return values


def stem(text):
    pairs = [re.fullmatch(r"(\d+)(?::(\d+))?", part) for part in text.split(",")]
    if not all(pairs) or any(int(p[1]) < 1 or int(p[2] or 1) < 1 for p in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of FILTERS:STRIDE such as 24:2,48:1")
    return tuple((int(p[1]), int(p[2] or 1)) for p in pairs)


def at_least(least, kind=int):
    def number(text):
        value = kind(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is below {least}")
        return value
    number.__name__ = kind.__name__
    return number


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, help="CIFAR-10 or a folder of pictures, see above")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the trained model, .keras")
    parser.add_argument("--h5", type=pathlib.Path, help="the same in the legacy format, .h5")
    parser.add_argument("--start", type=pathlib.Path, help="go on from the weights of this model")
    network = parser.add_argument_group("network")
    network.add_argument("--course", action="store_true", help="the widths of the course instead of the small ones")
    network.add_argument("--stem", type=stem, help="FILTERS:STRIDE of the first convolutions, as 24:2,48:1")
    network.add_argument("--blocks", type=widths, help="widths of the blocks, as 72,112")
    network.add_argument("--last", type=at_least(1), help="width of the last separable convolution")
    network.add_argument("--dropout", type=at_least(0.0, float))
    network.add_argument("--size", type=extent, help="scale pictures of a folder to HEIGHTxWIDTH")
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=at_least(1), default=85)
    training.add_argument("--batch", type=at_least(1), default=128)
    training.add_argument("--limit", type=at_least(1), help="use only so many training pictures, chosen at random")
    training.add_argument("--learning-rate", type=at_least(0.0, float), default=0.1, help="highest, falling as a cosine")
    training.add_argument("--warmup", type=at_least(0), default=3, help="epochs over which it rises first")
    training.add_argument("--weight-decay", type=at_least(0.0, float), default=3e-3,
                          help="of kernels but the depthwise ones, times the learning rate at each step; with momentum 0.9 a "
                          "tenth of it is the same strength as an L2 term in the gradient")
    training.add_argument("--label-smoothing", type=at_least(0.0, float), default=0.05)
    training.add_argument("--augment", choices=("batches", "network", "none"), default="batches",
                          help="mirror and shift while batches are made, by layers in the network, or not at all")
    training.add_argument("--shift", type=at_least(0), default=4, help="by at most so many pixels")
    training.add_argument("--seed", type=at_least(0), default=1)
    args = parser.parse_args(argv)
    for path, ending in ((args.out, ".keras"), (args.h5, ".h5")):
        if path and path.suffix != ending:
            parser.error(f"{path}: the name must end in {ending}")
    return args


def main(argv=None):
    args = arguments(argv)
    keras.utils.set_random_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    try:
        training, testing = load(args.data, args.size)
        height, width = training.images.shape[1:3]
        if testing and testing.images.shape[1:3] != (height, width):
            raise DataError(f"{args.data}: training and test pictures differ in size; give --size HEIGHTxWIDTH")
        if args.augment != "none" and args.shift >= min(height, width):
            raise DataError(f"{args.data}: {height}x{width} pictures cannot be shifted by {args.shift} pixels")
    except DataError as error:
        sys.exit(f"train.py: {error}")
    if args.limit:
        training = training.first(args.limit, rng)

    options = {} if args.course else dict(LITE)
    for name in ("stem", "blocks", "last", "dropout"):
        if getattr(args, name) is not None:
            options[name] = getattr(args, name)
    if args.augment == "network":
        options["augmentation"] = [
            layers.RandomFlip("horizontal", seed=args.seed),
            layers.RandomTranslation(args.shift / height, args.shift / width, fill_mode="reflect", seed=args.seed),
        ]
    model = build_xception_network((height, width, 3), len(training.classes), **options)
    if args.start:
        try:
            model.set_weights(keras.saving.load_model(args.start, compile=False).get_weights())
        except (ValueError, OSError) as error:
            sys.exit(f"train.py: {args.start}: cannot go on from it: {error}")
    print(f"{len(training)} pictures of {height}x{width}, classes: {', '.join(training.classes)}")
    print(f"{model.count_params()} parameters")

    train(model, training, epochs=args.epochs, batch=args.batch, rng=rng, learning_rate=args.learning_rate,
          warmup=args.warmup, weight_decay=args.weight_decay, label_smoothing=args.label_smoothing,
          shift=args.shift if args.augment == "batches" else None)
    for path in filter(None, (args.out, args.h5)):
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    if testing:
        right = correct(model, testing, args.batch)
        print(f"test pictures: {right} of {len(testing)} right, {100 * right / len(testing):.2f}%")


if __name__ == "__main__":
    main()
