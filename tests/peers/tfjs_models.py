"""What a call of a kernel of TensorFlow.js is as an ONNX model of one operator, with the Transposes around it that
tf2onnx writes.

Kernels have their channels last and their filters as [height][width][inputs][outputs]; ONNX has the channels first.
The first axis of what slides, normalizes or is a function of each element is the batch. Other calls are one frame,
whose axes are all of the tensor's.
"""

import dataclasses

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 20


class NotAsked(Exception):
    """Why a call is not asked for."""


@dataclasses.dataclass
class Form:
    """A model, what it takes, by name, in the model's order, and the part of the call's output that it answers with."""

    model: "Model"
    given: dict
    output: str
    part: tuple = ()
    # Of a model whose frames have their channels in front: the command takes them with the channels last.
    moved: bool = False

    def save(self, file):
        extents = {name: ["batch", *values.shape[1:]] for name, values in self.given.items()}
        kind = onnx.TensorProto.FLOAT
        inputs = [helper.make_tensor_value_info(name, kind, shape) for name, shape in extents.items()]
        outputs = [helper.make_tensor_value_info(self.output, kind, None)]
        graph = helper.make_graph(self.model.nodes, "call", inputs, outputs, self.model.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9), file)

    def data(self):
        """What the command runs on: an array, or several by their names."""
        given = {name: np.moveaxis(values, 1, -1) if self.moved else values for name, values in self.given.items()}
        return next(iter(given.values())) if len(given) == 1 else given


class Model:
    """Nodes and their constants."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, numbers, kind=np.float32):
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(numbers, kind), name))
        return name

    def whole_numbers(self, numbers):
        return self.constant(numbers, np.int64)

    def node(self, operator, *inputs, **attributes):
        """The name of what a node makes."""
        name = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=f"node{len(self.nodes)}", **attributes))
        return name

    def in_order(self, value):
        """All of a frame's numbers along one axis, in this order whatever rows the model keeps."""
        return self.node("Flatten", value)

    def unmoved(self, value, axes):
        """The same value, whose rows are not those of an operator behind it."""
        return self.node("Transpose", value, perm=list(range(axes)))


def array(tensor):
    """A tensor of a call, if a model takes such."""
    if tensor["type"] != "float32":
        raise NotAsked(f"is of {tensor['type']}")
    values = np.array(tensor["values"], np.float32)
    if not values.size:
        raise NotAsked("is empty")
    if not np.isfinite(values).all():
        raise NotAsked("has NaN or infinities")
    return values.reshape(tensor["shape"])


def batched(values):
    """With a batch in front of what has but one axis, or none."""
    return values if values.ndim > 1 else values.reshape(1, -1)


def whole(values, axes=1):
    """As one frame of at least so many axes."""
    return values.reshape([1] * (1 + max(0, axes - values.ndim)) + list(values.shape))


def each(numbers, axes):
    """A number for each axis."""
    return list(numbers) if isinstance(numbers, list) else [numbers] * axes


# What slides over frames.


def channels_last(attributes):
    return attributes.get("dataFormat", "NHWC").endswith("C")


def sliding(attributes, shape, made, size):
    """The attributes of a window of that size; `shape` and `made` are the input's and the output's."""
    axes = len(size)
    last = channels_last(attributes)
    spatial = slice(1, -1) if last else slice(2, None)
    strides, dilations = each(attributes["strides"], axes), each(attributes.get("dilations") or 1, axes)
    window = {"strides": strides, "dilations": dilations}
    pad = attributes["pad"]
    if pad == "same":
        return {**window, "auto_pad": "SAME_UPPER"}
    if pad == "valid":
        return {**window, "auto_pad": "VALID"}
    pads = [[pad, pad]] * axes if not isinstance(pad, list) else pad[spatial]
    reach = [(taps - 1) * dilation + 1 for taps, dilation in zip(size, dilations)]
    places = [extent + sum(pair) - taps for extent, pair, taps in zip(shape[spatial], pads, reach)]
    window["pads"] = [pair[0] for pair in pads] + [pair[1] for pair in pads]
    if made[spatial] == [place // stride + 1 for place, stride in zip(places, strides)]:
        return window
    if made[spatial] == [-(-place // stride) + 1 for place, stride in zip(places, strides)]:
        return {**window, "ceil_mode": 1}
    raise NotAsked("rounds the extents of its output in a way of its own")


def of_frames(call, values, operator):
    """A form of what `operator(model, value)` does to frames with their channels in front."""
    model, axes = Model(), values.ndim
    if not channels_last(call["attributes"]):
        return [Form(model, {"x": values}, model.in_order(operator(model, "x")), moved=True)]
    first = model.node("Transpose", "x", perm=[0, axes - 1, *range(1, axes - 1)])
    output = model.node("Transpose", operator(model, first), perm=[0, *range(2, axes), 1])
    return [Form(model, {"x": values}, output)]


def slopes(call, numbers):
    """A fused kernel's slopes in the axes that its value has in the model."""
    if call["kernel"] == "_FusedMatMul":
        return numbers.reshape(numbers.shape[-1])
    axes = len(call["output"]["shape"])
    # One axis is the channels', wherever they are.
    if not channels_last(call["attributes"]):
        numbers = numbers[:, np.newaxis, np.newaxis] if numbers.ndim == 1 else numbers
        return numbers.reshape([1] * (axes - numbers.ndim) + list(numbers.shape))
    return np.moveaxis(numbers.reshape([1] * (axes - numbers.ndim) + list(numbers.shape)), -1, 1)


def activated(call, model, value, inputs):
    """The value behind the activation of a fused kernel; without one, itself."""
    name = call["attributes"].get("activation", "linear")
    match name:
        case "linear":
            return value
        case "relu" | "elu" | "sigmoid":
            return model.node(name.capitalize(), value)
        case "relu6":
            return model.node("Clip", value, model.constant(0), model.constant(6))
        case "leakyrelu":
            return model.node("LeakyRelu", value, alpha=call["attributes"]["leakyreluAlpha"])
        case "prelu":
            return model.node("PRelu", value, model.constant(slopes(call, inputs["preluActivationWeights"])))
    raise NotAsked(f"is fused with {name}")


def convolution(call, inputs):
    values, weights = inputs["x"], inputs["filter"]
    axes = weights.ndim - 2
    depthwise = call["kernel"].endswith(("DepthwiseConv2dNative", "DepthwiseConv2D"))
    window = sliding(call["attributes"], list(values.shape), call["output"]["shape"], weights.shape[:axes])
    if "ceil_mode" in window:
        raise NotAsked("rounds the extents of its output up")
    # [taps][inputs][outputs] to [outputs][inputs][taps]; a depthwise one's outputs of a channel follow one another.
    if depthwise:
        taps, channels = weights.shape[:axes], weights.shape[axes]
        weights = np.moveaxis(weights.reshape(*taps, -1), -1, 0)[:, np.newaxis]
        window["group"] = channels
    else:
        weights = np.moveaxis(weights, [-1, -2], [0, 1])
    bias = inputs.get("bias")
    if bias is not None and bias.size not in (1, len(weights)):
        raise NotAsked("has a bias for each place")

    def operator(model, value):
        constants = [model.constant(weights)]
        if bias is not None:
            constants.append(model.constant(np.broadcast_to(bias.ravel(), len(weights))))
        return activated(call, model, model.node("Conv", value, *constants, **window), inputs)

    return of_frames(call, values, operator)


def pool(call, inputs):
    values = inputs["x"]
    size = each(call["attributes"]["filterSize"], values.ndim - 2)
    window = sliding(call["attributes"], list(values.shape), call["output"]["shape"], size)
    window.pop("dilations")
    if set(size) == {1} and any(window.get("pads", [])) and values.shape == tuple(call["output"]["shape"]):
        # Whatever the stride and the padding: the input goes out where the output is as large.
        raise NotAsked("is a pool of one place, which TensorFlow.js leaves out")
    name = "MaxPool" if call["kernel"].startswith("Max") else "AveragePool"
    return of_frames(call, values, lambda model, value: model.node(name, value, kernel_shape=size, **window))


def normalization(call, inputs):
    values, mean, variance = inputs["x"], inputs["mean"], inputs["variance"]
    channels = values.shape[-1]
    numbers = [inputs.get("scale", np.ones(channels)), inputs.get("offset", np.zeros(channels)), mean, variance]
    if any(number.shape != (channels,) for number in numbers):
        raise NotAsked("has a mean or a scale for each place")

    def operator(model, value):
        constants = [model.constant(number) for number in numbers]
        return model.node("BatchNormalization", value, *constants, epsilon=call["attributes"]["varianceEpsilon"])

    return of_frames(call, values, operator)


def resizing(call, inputs):
    values, attributes = inputs["images"], call["attributes"]
    nearest = call["kernel"] == "ResizeNearestNeighbor"
    ways = {(False, False): "asymmetric", (True, False): "align_corners", (False, True): "half_pixel"}
    places = ways[attributes["alignCorners"], attributes["halfPixelCenters"]]
    settings = {"mode": "nearest" if nearest else "linear", "coordinate_transformation_mode": places}
    if nearest:
        # TensorFlow takes the place below, and with half pixels that of (place + 0.5) * scale.
        settings["nearest_mode"] = "floor" if places == "asymmetric" else "round_prefer_ceil"
    size = [1, values.shape[-1], *attributes["size"]]
    return of_frames(
        call, values, lambda model, value: model.node("Resize", value, "", "", model.whole_numbers(size), **settings)
    )


# What works element by element.


def function(call, inputs):
    values = batched(next(iter(inputs.values())))
    model, attributes = Model(), call["attributes"]
    match call["kernel"]:
        case "Relu6":
            made = model.node("Clip", "x", model.constant(0), model.constant(6))
        case "ClipByValue":
            ends = [model.constant(attributes[end]) for end in ["clipValueMin", "clipValueMax"]]
            made = model.node("Clip", "x", *ends)
        case "LeakyRelu":
            made = model.node("LeakyRelu", "x", alpha=attributes["alpha"])
        case "Softmax":
            made = model.node("Softmax", "x", axis=values.ndim - 1)
        case "Square":
            made = model.node("Mul", "x", "x")
        case name:
            made = model.node(name, "x")
    return [Form(model, {"x": values}, made)]


PAIRS = {
    "Add": "Add", "Sub": "Sub", "Multiply": "Mul", "RealDiv": "Div", "Maximum": "Max", "Minimum": "Min",
    "Prelu": "PRelu",
}


def pair(call, inputs):
    """A value and a constant on whichever side, and two values where they are of one shape. Divisors are constants."""
    operator, axes = PAIRS[call["kernel"]], max(1, len(call["output"]["shape"]))
    first, second = [whole(values, axes) for values in inputs.values()]
    made = list(whole(np.zeros(call["output"]["shape"]), axes).shape)
    forms = []
    if list(second.shape) != made or list(first.shape) == made or operator == "Div":
        model = Model()
        forms.append(Form(model, {"x": first}, model.in_order(model.node(operator, "x", model.constant(second)))))
    if list(second.shape) == made and operator not in ("PRelu", "Div"):
        model = Model()
        forms.append(Form(model, {"x": second}, model.in_order(model.node(operator, model.constant(first), "x"))))
    if first.shape == second.shape and operator != "Div":
        model = Model()
        forms.append(Form(model, {"x": first, "y": second}, model.in_order(model.node(operator, "x", "y"))))
    return forms


# What puts values at other places, or takes one for several.


def concatenation(call, inputs):
    given = {f"x{place}": whole(values) for place, values in enumerate(inputs.values())}
    model = Model()
    axis = call["attributes"]["axis"] % len(call["output"]["shape"])
    return [Form(model, given, model.in_order(model.node("Concat", *given, axis=axis + 1)))]


def transposition(call, inputs):
    model = Model()
    order = [0, *(axis + 1 for axis in call["attributes"]["perm"])]
    return [Form(model, {"x": whole(inputs["x"])}, model.in_order(model.node("Transpose", "x", perm=order)))]


def slicing(call, inputs):
    model, attributes = Model(), call["attributes"]
    begin = each(attributes["begin"], 1)
    begin += [0] * (inputs["x"].ndim - len(begin))
    end = [first + extent for first, extent in zip(begin, call["output"]["shape"])]
    constants = [model.whole_numbers(numbers) for numbers in [begin, end, range(1, len(begin) + 1)]]
    return [Form(model, {"x": whole(inputs["x"])}, model.in_order(model.node("Slice", "x", *constants)))]


def padding(call, inputs):
    model, values, pads = Model(), inputs["x"], call["attributes"]["paddings"]
    if values.ndim < 3 or pads[0] != [0, 0]:
        values, pads = whole(values), [[0, 0], *pads]
    constants = [model.whole_numbers(np.transpose(pads).ravel()), model.constant(call["attributes"]["constantValue"])]
    return [Form(model, {"x": values}, model.in_order(model.node("Pad", "x", *constants)))]


def reduction(call, inputs):
    model, attributes = Model(), call["attributes"]
    values = np.atleast_1d(inputs["x"])
    axes = attributes.get("axis", attributes.get("reductionIndices"))
    axes = range(values.ndim) if axes is None else [axis % values.ndim for axis in each(axes, 1)]
    if values.ndim < 3 or 0 in axes:
        values, axes = whole(values), [axis + 1 for axis in axes]
    if len(axes) == values.ndim - 1:
        # All but the channels, of which there is one.
        values = values[..., np.newaxis]
    first = model.unmoved("x", values.ndim)
    made = model.node(
        f"Reduce{call['kernel']}", first, model.whole_numbers(axes), keepdims=int(attributes["keepDims"])
    )
    return [Form(model, {"x": values}, model.in_order(made))]


def product(call, inputs):
    """The first of each batch of matrices, by rows and as one frame."""
    attributes, bias = call["attributes"], inputs.get("bias")
    rank = inputs["a"].ndim
    if rank < 2 or inputs["b"].ndim < 2:
        raise NotAsked("is of a vector")
    first = [values.reshape(-1, *values.shape[-2:])[0] for values in (inputs["a"], inputs["b"])]
    rows = first[0].T if attributes["transposeA"] else first[0]
    weights = first[1].T if attributes["transposeB"] else first[1]
    part = (0,) * (rank - 2)
    if bias is not None and bias.ndim > 1 and bias.shape[-2] > 1:
        raise NotAsked("has a bias for each row")
    model = Model()
    constants = [model.constant(first[1])]
    if bias is not None:
        constants.append(model.constant(bias.ravel()))
    made = model.node("Gemm", "x", *constants, transB=int(attributes["transposeB"]))
    by_rows = Form(model, {"x": rows}, activated(call, model, made, inputs), part)
    model = Model()
    made = model.node("MatMul", "x", model.constant(weights))
    if bias is not None:
        made = model.node("Add", made, model.constant(bias.ravel()))
    made = model.in_order(activated(call, model, made, inputs))
    return [by_rows, Form(model, {"x": rows[np.newaxis]}, made, part)]


FUNCTIONS = [
    "Relu", "Relu6", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus", "LeakyRelu", "ClipByValue", "Exp", "Neg", "Square",
    "Softmax",
]
KERNELS = {
    **dict.fromkeys(["Conv2D", "FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2D", "Conv3D"], convolution),
    **dict.fromkeys(["AvgPool", "MaxPool", "AvgPool3D", "MaxPool3D"], pool),
    "FusedBatchNorm": normalization,
    **dict.fromkeys(["ResizeBilinear", "ResizeNearestNeighbor"], resizing),
    **dict.fromkeys(FUNCTIONS, function),
    **dict.fromkeys(PAIRS, pair),
    "Concat": concatenation, "Transpose": transposition, "Slice": slicing, "PadV2": padding,
    **dict.fromkeys(["Mean", "Max"], reduction),
    **dict.fromkeys(["BatchMatMul", "_FusedMatMul"], product),
}


def forms(call):
    """The call as models, the same in different forms; NotAsked of what is none."""
    inputs = {}
    for name, tensor in call["inputs"].items():
        for place, one in enumerate(tensor if isinstance(tensor, list) else [tensor]):
            inputs[f"{name}{place}" if isinstance(tensor, list) else name] = array(one)
    return KERNELS[call["kernel"]](call, inputs)
