"""Runs the test vectors of TensorFlow.js's kernels, which tfjs/record.mjs records of its package's own tests.

    python tfjs_kernels.py MICROCEPTION RECORDED            all of them
    python tfjs_kernels.py MICROCEPTION RECORDED Conv2D     those of kernels or tests whose name has this

Each call of a kernel becomes a model of one operator (tfjs_models), in several forms where there are. What it answers
is compared with what TensorFlow.js computed, and, where the test says them, with the figures that it publishes, within
the tolerance that it has for them. Nothing of theirs (Apache-2.0) is copied into this project.

Not asked are calls with other numbers than float32, with NaN or infinities, and those that mean something else in ONNX.
A model that is refused is one whose shape is not supported: of every kernel so many run as in LEASTS, in all at least
LEAST, and what runs has to be right.
"""

import collections
import json
import pathlib
import sys
import tempfile

import numpy as np

from one_operator import REFUSED, RIGHT, Count, answer, compared, shapes
from tfjs_models import NotAsked, array, forms

# The kernels, each with how many of its calls run at least.
LEASTS = {
    "Add": 88, "AvgPool": 22, "AvgPool3D": 16, "BatchMatMul": 88, "ClipByValue": 5, "Concat": 50, "Conv2D": 50,
    "Conv3D": 15, "DepthwiseConv2dNative": 36, "Elu": 3, "Exp": 22, "FusedBatchNorm": 17, "FusedConv2D": 44,
    "FusedDepthwiseConv2D": 9, "LeakyRelu": 4, "Max": 46, "MaxPool": 39, "MaxPool3D": 17, "Maximum": 10, "Mean": 26,
    "Minimum": 10, "Multiply": 335, "Neg": 60, "PadV2": 13, "Prelu": 3, "RealDiv": 92, "Relu": 12, "Relu6": 4,
    "ResizeBilinear": 32, "ResizeNearestNeighbor": 33, "Selu": 4, "Sigmoid": 18, "Slice": 72, "Softmax": 8,
    "Softplus": 14, "Square": 39, "Sub": 75, "Tanh": 11, "Transpose": 47, "_FusedMatMul": 12,
}
LEAST = 1500


def run(command, folder, call):
    """What comes of a call: NotAsked, RIGHT or REFUSED if all forms of it are, or what is wrong."""
    expected = array(call["output"])
    published = call.get("published")
    outcomes = set()
    for place, form in enumerate(forms(call)):
        file = folder / f"form{place}.onnx"
        form.save(file)
        found = answer(command, folder, file, form.data())
        if isinstance(found, str):
            if found == REFUSED and shapes(command, file) is not None:
                found = "runs not, and is not refused either"
            outcomes.add(found)
            continue
        outcomes.add(compared(found, expected[form.part]))
        if published:
            values = np.array(published["values"], np.float32).reshape(expected.shape)[form.part]
            outcomes.add(compared(found, values, least=published["tolerance"]))
    if outcomes == {RIGHT, REFUSED}:
        return "is refused in one form and not in another"
    wrong = outcomes - {RIGHT, REFUSED}
    return "; ".join(sorted(wrong)) or outcomes.pop()


def main():
    command, recorded = [pathlib.Path(path).resolve() for path in sys.argv[1:3]]
    word = sys.argv[3] if len(sys.argv) > 3 else ""
    count, published, not_asked = Count(), 0, collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for line in recorded.open():
            call = json.loads(line)
            kernel = call["kernel"]
            if kernel not in LEASTS or word not in f"{kernel} {call['test']}":
                continue
            try:
                outcome = run(command, pathlib.Path(folder), call)
            except NotAsked as reason:
                not_asked[str(reason)] += 1
                continue
            count.add(kernel, f"{kernel} in {call['test']!r}", outcome)
            published += outcome == RIGHT and "published" in call
    for reason, calls in not_asked.most_common():
        print(f"not asked: {calls:4} {reason}")
    print(f"{published} of those that are right are so by the figures that are published, too")
    count.finish(LEASTS, LEAST, whole=not word)


main()
