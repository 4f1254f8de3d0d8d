"""Small ONNX graphs, written by hand, and the torch module that each is."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

CLASSES, WIDTH = 11, 4
RNG = np.random.default_rng(5)
FIRST = (RNG.normal(size=(WIDTH, 3, 3, 3)) * 0.5).astype(np.float32)
LAST, BIAS = RNG.normal(size=(CLASSES, WIDTH, 1, 1)).astype(np.float32), RNG.normal(size=CLASSES).astype(np.float32)


class Net(torch.nn.Module):
    """What every graph here computes: features at half the size, and a 1x1 convolution on them."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, WIDTH, 3, 2, 1, bias=False)
        self.last = torch.nn.Conv2d(WIDTH, CLASSES, 1)
        self.first.weight.data, self.last.weight.data = torch.from_numpy(FIRST), torch.from_numpy(LAST)
        self.last.bias.data = torch.from_numpy(BIAS)

    def forward(self, pixels):
        return self.last(torch.relu(self.first(pixels)))


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def graph(
    path=None,
    *,
    behind=(),
    output="logits",
    kind=TensorProto.FLOAT,
    shape=(1, CLASSES, None, None),
    size=(None, None),
    batch=1,
    before=(),
    image_kind=TensorProto.FLOAT,
    image_shape=None,
    more_inputs=(),
    more_outputs=(),
    domain="",
    opset=17,
    metadata=(),
):
    """The graph of :class:`Net` with nodes before and behind it, saved if a path is given."""
    start = before[-1].output[0] if before else "image"
    nodes = [
        *before,
        helper.make_node("Conv", [start, "first"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "last", "bias"], ["logits"]),
        *behind,
    ]
    stored = [numpy_helper.from_array(a, n) for n, a in (("first", FIRST), ("last", LAST), ("bias", BIAS))]
    stored += [
        numpy_helper.from_array(np.array(values, np.float32), name)
        for name, values in (("two", [1, 1, 2, 2]), ("none", []))
    ]
    stored += [numpy_helper.from_array(np.array(1 / 16, np.float32), "step")]
    stored += [numpy_helper.from_array(np.array(0, np.int8), "zero")]
    inputs = [value("image", image_kind, image_shape or (batch, 3, *size)), *more_inputs]
    made = helper.make_graph(nodes, "net", inputs, [value(output, kind, shape), *more_outputs], stored)
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    model = helper.make_model(made, opset_imports=opsets, ir_version=8)
    for key, text in metadata:
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    if path is not None:
        onnx.save(model, str(path))
    return model
