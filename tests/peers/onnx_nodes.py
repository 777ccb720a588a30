"""Runs the test vectors that ONNX publishes for its operators, from the package `onnx`, which is installed beside and not copied.

    python onnx_nodes.py MICROCEPTION            all of them
    python onnx_nodes.py MICROCEPTION conv_      those whose name has this

Each is a model of one node with inputs and outputs (Apache-2.0). What a node takes beside its first input is an input of these models too; here it
becomes a constant, as the reader wants it, and the first axis the batch. Frames go in and come out as `inspect` says: with the channels last, where
an operator tells which axis they are.

A model that is refused is one whose operator, type or shape is not supported: of every operator in NODES some have to run, in all at least LEAST, and
what runs has to be right.
"""

import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

from one_operator import REFUSED, TOLERANCE, Count, answer, compared, shapes

# The operators that are read, each with how many of its vectors run at least.
NODES = {
    "Add": 1, "AveragePool": 4, "BatchNormalization": 1, "Clip": 2, "Concat": 0, "Conv": 4, "Div": 1, "Elu": 1, "Exp": 1, "Flatten": 0,
    "Gelu": 2, "Gemm": 2, "GlobalAveragePool": 1, "GlobalMaxPool": 1, "HardSigmoid": 1, "HardSwish": 1, "LeakyRelu": 1, "MatMul": 0, "Max": 0,
    "MaxPool": 6, "Min": 0, "Mul": 1, "Neg": 1, "PRelu": 1, "Pad": 0, "ReduceMax": 0, "ReduceMean": 0, "Relu": 1, "Reshape": 0, "Resize": 1,
    "Selu": 1, "Sigmoid": 1, "Slice": 0, "Softmax": 1, "Softplus": 1, "Softsign": 1, "Sub": 1, "Swish": 0, "Tanh": 1, "ThresholdedRelu": 1,
    "Transpose": 0,
}
LEAST = 120

# Of two operands with a batch each, one is a constant here, which has none: of these the first frame runs.
PAIRS = {"Add", "Div", "Max", "Min", "Mul", "PRelu", "Sub"}

# Vectors that are written with four digits.
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-4}


def in_order_of(shape, array):
    """The frames in that shape, with their channels last where the model has them so."""
    moved = np.moveaxis(array, 1, -1) if array.ndim > 2 else array
    return np.ascontiguousarray(moved if list(moved.shape[1:]) == shape else array)


def constants(model, inputs):
    """The model with all inputs but the first as constants, and a free batch.

    Versions behind 23 of these operators add element types, and change nothing of float32."""
    for imported in model.opset_import:
        imported.version = min(imported.version, 23)
    graph = model.graph
    for value, array in list(zip(graph.input, inputs))[1:]:
        graph.initializer.append(numpy_helper.from_array(array, value.name))
    del graph.input[1:]
    for value in [*graph.input, *graph.output]:
        shape = value.type.tensor_type.shape
        if shape.dim:
            shape.dim[0].Clear()
            shape.dim[0].dim_param = "batch"
    return model


def load(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def run(command, folder, case):
    """Whether the command runs a case: RIGHT, REFUSED, or what is wrong."""
    model = onnx.load(case / "model.onnx")
    data = case / "test_data_set_0"
    count = len(list(data.glob("input_*.pb")))
    try:
        inputs = [load(data / f"input_{index}.pb") for index in range(count)]
        expected = load(data / "output_0.pb")
    except (ValueError, TypeError):
        return REFUSED
    if not inputs or len(model.graph.output) != 1 or inputs[0].dtype != np.float32 or inputs[0].ndim < 2:
        return REFUSED
    if expected.ndim < 1 or expected.shape[0] != inputs[0].shape[0]:
        return REFUSED
    operator = model.graph.node[0].op_type
    if operator in PAIRS and any(other.ndim == inputs[0].ndim for other in inputs[1:]):
        inputs, expected = [array[:1] if array.ndim == inputs[0].ndim else array for array in inputs], expected[:1]
    file = folder / "model.onnx"
    onnx.save(constants(model, inputs), file)
    known = shapes(command, file)
    if known is None:
        return REFUSED
    found = answer(command, folder, file, in_order_of(known[0], inputs[0]))
    if isinstance(found, str):
        return found
    return compared(found, in_order_of(known[1], expected), ROUNDED.get(case.name, TOLERANCE))


def main():
    command = pathlib.Path(sys.argv[1]).resolve()
    word = sys.argv[2] if len(sys.argv) > 2 else ""
    cases = pathlib.Path(onnx.__file__).parent / "backend/test/data/node"
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        for case in sorted(cases.iterdir()):
            if word not in case.name:
                continue
            operators = [node.op_type for node in onnx.load(case / "model.onnx").graph.node]
            # Some are expanded into simpler nodes: those count too, by their first.
            if not operators or not set(operators) <= set(NODES):
                continue
            count.add(operators[0], case.name, run(command, pathlib.Path(folder), case))
    count.finish(NODES, LEAST, whole=not word)


main()
