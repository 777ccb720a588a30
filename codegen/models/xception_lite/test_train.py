"""python -m unittest test_train"""

import contextlib
import io
import pathlib
import pickle
import sys
import tarfile
import tempfile
import unittest
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import keras
import numpy as np
from PIL import Image

import train

CLASSES = (HERE / "labels.txt").read_text().split()


def synthetic(count, seed=0):
    """Pictures whose colour tells the class, with noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    colours = np.random.default_rng(9).integers(40, 216, (10, 3))
    noise = rng.normal(0, 20, (count, 32, 32, 3))
    return np.clip(colours[labels][:, None, None] + noise, 0, 255).astype(np.uint8), labels


def planar(images):
    return images.transpose(0, 3, 1, 2).reshape(len(images), 3072)


def add_file(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def python_archive(path, count=256):
    with tarfile.open(path, "w:gz") as archive:
        for n in range(1, 3):
            images, labels = synthetic(count // 2, n)
            batch = {b"data": planar(images), b"labels": labels.tolist(), b"batch_label": b"made up"}
            add_file(archive, f"cifar-10-batches-py/data_batch_{n}", pickle.dumps(batch, protocol=2))
        images, labels = synthetic(32, 7)
        batch = {b"data": planar(images), b"labels": labels.tolist()}
        add_file(archive, "cifar-10-batches-py/test_batch", pickle.dumps(batch, protocol=2))
        meta = {b"label_names": [c.encode() for c in CLASSES]}
        add_file(archive, "cifar-10-batches-py/batches.meta", pickle.dumps(meta, protocol=2))


def binary_archive(path, count=256):
    with tarfile.open(path, "w:gz") as archive:
        for n in range(1, 3):
            images, labels = synthetic(count // 2, n)
            rows = np.concatenate([labels[:, None].astype(np.uint8), planar(images)], axis=1)
            add_file(archive, f"cifar-10-batches-bin/data_batch_{n}.bin", rows.tobytes())
        images, labels = synthetic(32, 7)
        rows = np.concatenate([labels[:, None].astype(np.uint8), planar(images)], axis=1)
        add_file(archive, "cifar-10-batches-bin/test_batch.bin", rows.tobytes())
        add_file(archive, "cifar-10-batches-bin/batches.meta.txt", ("\n".join(CLASSES) + "\n\n").encode())


def picture_folder(path, count=512, classes=CLASSES, split="train"):
    images, labels = synthetic(count)
    for number, (image, label) in enumerate(zip(images, labels)):
        folder = path / split / classes[label % len(classes)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:04}.{'png' if number % 2 else 'jpg'}")


def run(*arguments):
    """What the command prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        train.main([str(a) for a in arguments])
    return printed.getvalue()


class WithFolder(unittest.TestCase):
    def setUp(self):
        keras.backend.clear_session()
        keeper = tempfile.TemporaryDirectory()
        self.addCleanup(keeper.cleanup)
        self.folder = pathlib.Path(keeper.name)


class Network(unittest.TestCase):
    def setUp(self):
        keras.backend.clear_session()

    def test_course_network_layer_by_layer(self):
        model = train.build_xception_network((180, 180, 3), 2)
        stem = ["Conv2D", "BatchNormalization", "Activation"]
        separable = ["Activation", "SeparableConv2D", "BatchNormalization"]
        block = separable * 2 + ["MaxPooling2D", "Conv2D", "Add"]
        expected = (["InputLayer", "Rescaling"] + stem * 2 + block * 4 + ["SeparableConv2D", "BatchNormalization", "Activation"]
                    + ["GlobalAveragePooling2D", "Dropout", "Dense"])
        self.assertEqual([type(layer).__name__ for layer in model.layers], expected)
        convolutions = [(la.filters, la.kernel_size, la.strides, la.padding, la.use_bias) for la in model.layers
                        if isinstance(la, (keras.layers.Conv2D, keras.layers.SeparableConv2D))]
        one, two, three = (1, 1), (2, 2), (3, 3)
        wanted = [(32, three, two, "same", True), (64, three, one, "same", True)]
        for width in (128, 256, 512, 728):
            wanted += [(width, three, one, "same", True)] * 2 + [(width, one, two, "same", True)]
        wanted.append((1024, three, one, "same", True))
        self.assertEqual(convolutions, wanted)
        for layer in model.layers:
            if isinstance(layer, keras.layers.MaxPooling2D):
                self.assertEqual((layer.pool_size, layer.strides, layer.padding), (three, two, "same"))
            if isinstance(layer, keras.layers.Dropout):
                self.assertEqual(layer.rate, 0.5)
            if isinstance(layer, keras.layers.Rescaling):
                self.assertEqual((layer.scale, layer.offset), (1.0 / 255, 0.0))

    def test_course_network_parameters(self):
        # convolutions with bias, batch normalisation 4 a channel, separable 9 in + in * out + out
        def separable(a, b):
            return 9 * a + a * b + b + 4 * b
        total = (27 * 32 + 32 + 4 * 32) + (9 * 32 * 64 + 64 + 4 * 64)
        before = 64
        for width in (128, 256, 512, 728):
            total += separable(before, width) + separable(width, width) + before * width + width
            before = width
        total += separable(728, 1024)
        for classes, units in ((2, 1), (10, 10), (3, 3)):
            model = train.build_xception_network((64, 64, 3), classes)
            self.assertEqual(model.count_params(), total + 1024 * units + units)
            self.assertEqual(model.output_shape, (None, units))
            activation = model.layers[-1].activation.__name__
            self.assertEqual(activation, "sigmoid" if classes == 2 else "softmax")

    def test_one_class_is_refused(self):
        with self.assertRaises(ValueError):
            train.build_xception_network((32, 32, 3), 1)

    def test_lite_arguments_give_the_shipped_network(self):
        shipped = keras.saving.load_model(HERE / "xlite.keras", compile=False)
        model = train.build_xception_network((32, 32, 3), 10, **train.LITE)
        self.assertEqual(model.count_params(), 77_642)
        self.assertEqual(shipped.count_params(), 77_642)
        self.assertEqual([type(layer) for layer in model.layers], [type(layer) for layer in shipped.layers])
        self.assertEqual([layer.output.shape for layer in model.layers], [layer.output.shape for layer in shipped.layers])
        model.set_weights(shipped.get_weights())
        golden = np.load(HERE / "golden100.npz")
        images = golden["image"].astype(np.float32)
        np.testing.assert_array_equal(model.predict(images, verbose=0), shipped.predict(images, verbose=0))
        np.testing.assert_allclose(model.predict(images, verbose=0), golden["keras"], atol=1e-5)

    def test_legacy_file_is_the_same_network(self):
        a = keras.saving.load_model(HERE / "xlite.keras", compile=False).get_weights()
        b = keras.saving.load_model(HERE / "xlite.h5", compile=False).get_weights()
        self.assertTrue(all(np.array_equal(x, y) for x, y in zip(a, b, strict=True)))

    def test_augmentation_layers_stand_after_the_input(self):
        layers = [keras.layers.RandomFlip("horizontal"), keras.layers.RandomTranslation(0.1, 0.1)]
        model = train.build_xception_network((32, 32, 3), 10, augmentation=layers, **train.LITE)
        self.assertEqual(model.layers[1:3], layers)
        self.assertIsInstance(model.layers[3], keras.layers.Rescaling)


class Batches(unittest.TestCase):
    def test_every_picture_once_an_epoch_and_targets_fit(self):
        images, labels = synthetic(50)
        images[:, :, :, 0] = np.arange(50)[:, None, None]  # its number, which mirrors and crops keep
        batches = train.Batches(train.Pictures(images, labels, CLASSES), 16, np.random.default_rng(0), shift=4)
        self.assertEqual(len(batches), 4)
        seen = []
        for n in range(len(batches)):
            x, y = batches[n]
            numbers = x[:, 0, 0, 0].astype(int)
            self.assertTrue((x[..., 0] == numbers[:, None, None]).all())
            self.assertTrue((y.argmax(axis=1) == labels[numbers]).all())
            seen += numbers.tolist()
        self.assertEqual(sorted(seen), list(range(50)))

    def test_shifted_crop_is_a_part_of_the_padded_picture(self):
        images, labels = synthetic(20)
        batches = train.Batches(train.Pictures(images, labels, CLASSES), 20, np.random.default_rng(0), shift=3)
        out = batches.augmented(images)
        for image, got in zip(images, out):
            padded = [np.pad(i, ((3, 3), (3, 3), (0, 0)), mode="reflect") for i in (image, image[:, ::-1])]
            self.assertTrue(any((p[t:t + 32, c:c + 32] == got).all() for p in padded for t in range(7) for c in range(7)))


class Training(WithFolder):
    def test_one_epoch_on_a_folder_of_512_pictures(self):
        picture_folder(self.folder / "p")
        picture_folder(self.folder / "p", 64, split="test")
        out, h5 = self.folder / "m.keras", self.folder / "m.h5"
        printed = run(self.folder / "p", "--out", out, "--h5", h5, "--epochs", 1)
        self.assertIn("512 pictures of 32x32", printed)
        self.assertIn("77642 parameters", printed)
        self.assertIn("of 64 right", printed)
        a, b = (keras.saving.load_model(p, compile=False) for p in (out, h5))
        x = synthetic(8)[0].astype(np.float32)
        np.testing.assert_array_equal(a.predict(x, verbose=0), b.predict(x, verbose=0))

    def test_python_archive(self):
        python_archive(self.folder / "c.tar.gz")
        printed = run(self.folder / "c.tar.gz", "--out", self.folder / "m.keras", "--epochs", 1, "--limit", 128)
        self.assertIn("128 pictures of 32x32", printed)
        self.assertIn("of 32 right", printed)

    def test_both_archives_unpacked_or_not_hold_the_same_pictures(self):
        python_archive(self.folder / "c.tar.gz")
        binary_archive(self.folder / "b.tar.gz")
        for name in ("c", "b"):
            with tarfile.open(self.folder / f"{name}.tar.gz") as archive:
                archive.extractall(self.folder / name, filter="data")
        loaded = [train.load(self.folder / name) for name in ("c.tar.gz", "b.tar.gz", "c", "b")]
        for training, testing in loaded:
            self.assertEqual(training.classes, CLASSES)
            for got, want in zip((training, testing), loaded[0]):
                np.testing.assert_array_equal(got.images, want.images)
                np.testing.assert_array_equal(got.labels, want.labels)
        np.testing.assert_array_equal(loaded[0][0].images[:128], synthetic(128, 1)[0])

    def test_binary_archive_with_augmenting_layers_and_other_widths(self):
        binary_archive(self.folder / "b.tar.gz")
        out = self.folder / "m.keras"
        run(self.folder / "b.tar.gz", "--out", out, "--epochs", 1, "--limit", 64, "--augment", "network", "--stem", "8:2,12",
            "--blocks", "16", "--last", 20)
        model = keras.saving.load_model(out, compile=False)
        self.assertIsInstance(model.layers[1], keras.layers.RandomFlip)
        run(self.folder / "b.tar.gz", "--out", self.folder / "n.keras", "--epochs", 1, "--limit", 64, "--augment", "none",
            "--stem", "8:2,12", "--blocks", "16", "--last", 20, "--start", out)

    def test_two_classes_in_a_zip(self):
        picture_folder(self.folder / "p", 64, ["cat", "dog"])
        with zipfile.ZipFile(self.folder / "p.zip", "w") as archive:
            for path in sorted((self.folder / "p").rglob("*.*")):
                archive.write(path, path.relative_to(self.folder))
        out = self.folder / "m.keras"
        run(self.folder / "p.zip", "--out", out, "--epochs", 1, "--stem", "8:2", "--blocks", "8", "--last", 8,
            "--size", "24x20")
        model = keras.saving.load_model(out, compile=False)
        self.assertEqual((model.input_shape, model.output_shape), ((None, 24, 20, 3), (None, 1)))

    def test_the_same_seed_gives_the_same_weights(self):
        python_archive(self.folder / "c.tar.gz")
        small = ("--epochs", 1, "--limit", 64, "--stem", "8:2", "--blocks", "8", "--last", 8)
        weights = []
        for name in ("a", "b"):
            keras.backend.clear_session()
            run(self.folder / "c.tar.gz", "--out", self.folder / f"{name}.keras", *small)
            weights.append(keras.saving.load_model(self.folder / f"{name}.keras", compile=False).get_weights())
        for x, y in zip(*weights, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


class BadData(WithFolder):
    def refused(self, path, *words, size=None):
        with self.assertRaises(train.DataError) as caught:
            train.load(path, size)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_nothing_there(self):
        self.refused(self.folder / "absent", "absent", "no such")

    def test_neither_archive_nor_folder(self):
        (self.folder / "x.bin").write_bytes(b"hello")
        self.refused(self.folder / "x.bin", "x.bin", "neither")

    def test_empty_folder(self):
        (self.folder / "e").mkdir()
        self.refused(self.folder / "e", "neither CIFAR")

    def test_truncated_archive(self):
        python_archive(self.folder / "c.tar.gz")
        data = (self.folder / "c.tar.gz").read_bytes()
        (self.folder / "t.tar.gz").write_bytes(data[:len(data) // 2])
        self.refused(self.folder / "t.tar.gz", "t.tar.gz")

    def test_half_a_picture(self):
        (self.folder / "data_batch_1.bin").write_bytes(bytes(3073 + 100))
        (self.folder / "batches.meta.txt").write_text("a\nb\n")
        self.refused(self.folder, "data_batch_1.bin", "3173")

    def test_label_out_of_range(self):
        (self.folder / "data_batch_1.bin").write_bytes(bytes([7]) + bytes(3072))
        (self.folder / "batches.meta.txt").write_text("a\nb\n")
        self.refused(self.folder, "data_batch_1.bin", "label 7")

    def test_no_class_names(self):
        (self.folder / "data_batch_1.bin").write_bytes(bytes(3073))
        self.refused(self.folder, "batches.meta")

    def test_a_pickle_that_would_run_something(self):
        (self.folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"a", b"b"]}))
        (self.folder / "data_batch_1").write_bytes(pickle.dumps(print))
        self.refused(self.folder, "data_batch_1", "builtins.print")

    def test_one_class_only(self):
        picture_folder(self.folder, 4, ["cat"])
        self.refused(self.folder, "at least two")

    def test_damaged_picture(self):
        picture_folder(self.folder, 8, ["cat", "dog"])
        (self.folder / "train" / "cat" / "0000.jpg").write_bytes(b"\xff\xd8 no")
        self.refused(self.folder, "cat/0000.jpg")

    def test_sizes_that_differ(self):
        picture_folder(self.folder, 8, ["cat", "dog"])
        Image.new("RGB", (20, 10)).save(self.folder / "train" / "dog" / "odd.png")
        self.refused(self.folder, "odd.png", "10x20", "--size")
        self.assertEqual(train.load(self.folder, (16, 16))[0].images.shape[1:], (16, 16, 3))

    def test_test_class_without_training(self):
        picture_folder(self.folder, 8, ["cat", "dog"])
        picture_folder(self.folder, 8, ["cat", "horse"], "test")
        self.refused(self.folder, "test/horse")

    def test_command_says_it_in_one_line_and_fails(self):
        with self.assertRaises(SystemExit) as caught:
            run(self.folder / "absent", "--out", self.folder / "m.keras")
        self.assertIn("absent: no such", caught.exception.code)

    def test_wrong_usage(self):
        for extra in (["--blocks", "x"], ["--epochs", "0"], ["--size", "32"]):
            with self.assertRaises(SystemExit) as caught, contextlib.redirect_stderr(io.StringIO()):
                run(self.folder, "--out", self.folder / "m.keras", *extra)
            self.assertEqual(caught.exception.code, 2)
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            run(self.folder, "--out", self.folder / "m.zip")


if __name__ == "__main__":
    unittest.main()
