"""The end of an OpenVINO graph: which output holds the scores of classes, and the last convolution before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.segmentation.graphs.graph_tails import Ending, Step, ending_of
from trust_seg_ros.segmentation.masks.queries import NAMES
from trust_seg_ros.types import Classifier

_FLOATS = ("f32", "f16", "bf16", "f64")
_PASSED = ("Convert", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Interpolate", "Gather", "VariadicSplit")
"""What may lie behind a choice of classes."""


@dataclass(frozen=True, eq=False)
class IrTail:
    """What to ask a model for.

    Attributes:
        model: an ``openvino.Model`` with these outputs alone.
        outputs: names of the logits and, where they are known, of the features.
        ending: the convolution between them, and what lies behind it; None = not known.
        remarks: what was taken off, a sentence each.
    """

    model: Any
    outputs: tuple[str, ...]
    ending: Ending | None
    remarks: tuple[str, ...]


def cut_ir_to_logits(model: Any, name: str) -> IrTail:
    """A model that answers with its logits and, where its last convolution is found, with the features before it.

    Args:
        model: an ``openvino.Model``.
        name: its name, for errors.

    Raises:
        ModelFileError: it has no output of class scores.
    """
    logits, features = _chosen(model, name)
    last, steps, remarks = _last_convolution(logits)
    if features is not None:
        plain = last is not None and not remarks and last.features == features and last.logits == logits
        last, remarks = (last, ()) if plain else (None, ())
    ending = None if last is None else ending_of([last.classifier], steps)
    if ending is not None and ending.tail.where.corners and not _of_the_image(model, logits):
        ending = None
    if last is None or ending is None:
        wanted = [logits] if features is None else [logits, features]
        return IrTail(_asked_for(model, wanted), ("logits", "features")[: len(wanted)], None, ())
    return IrTail(_asked_for(model, [last.logits, last.features]), ("logits", "features"), ending, remarks)


def _of_the_image(model: Any, port: Any) -> bool:
    """Whether an answer has the size of the image, as the model says."""
    shapes = [side.get_partial_shape() for side in (model.inputs[0], port)]
    if any(shape.is_dynamic for shape in shapes):
        return False
    image, answer = ([int(side) for side in shape.to_shape()] for shape in shapes)
    return answer[2:] in (image[2:], image[1:3] if image[3] == 3 else None)


def _chosen(model: Any, name: str) -> tuple[Any, Any]:
    """The ports that hold logits and features; None for features that are not given out."""
    results = [(output.get_names(), result.input_value(0)) for output, result in _outputs(model)]
    called = {one for names, _ in results for one in names}
    if any(called.issuperset(pair) for pair in NAMES):
        raise ModelFileError(
            f"{name}: gives classes and masks; mask networks are read from .onnx files, which OpenVINO runs, too: "
            "export it again with --to onnx, and set backend:=openvino"
        )
    scores = [(names, port) for names, port in results if _is_scores(port)]
    named = [port for names, port in scores if names & {"logits", "out"}]
    features = next((port for names, port in scores if "features" in names), None)
    ports = [port for _, port in scores]
    if not named and features is None and len(ports) == 2:  # one is the other's convolution
        for a, b in (ports, ports[::-1]):
            last, _, _ = _last_convolution(a)
            if last is not None and last.features == b:
                named, features = [a], b
    rest = [port for port in ports if port != features]
    if named or len(rest) == 1:
        return (named or rest)[0], features
    if len(rest) > 1:
        said = ", ".join(min(names, default="?") for names, port in scores if port != features)
        raise ModelFileError(
            f"{name}: answers with several maps, {said}; name that of the class scores 'logits' when you export it"
        )
    raise ModelFileError(f"{name}: {_why_none([port for _, port in results])}")


def _outputs(model: Any) -> list[tuple[Any, Any]]:
    return list(zip(model.outputs, model.get_results(), strict=True))


def _is_scores(port: Any) -> bool:
    rank = port.get_partial_shape().rank
    return port.get_element_type().get_type_name() in _FLOATS and (rank.is_dynamic or rank.get_length() == 4)


def _why_none(ports: list[Any]) -> str:
    """Why none of the outputs is a map of class scores, and the way out."""
    for port in ports:
        node = port.get_node()
        while node.get_type_name() in _PASSED:
            node = node.input_value(0).get_node()
        if node.get_type_name() == "TopK":
            return (
                "this graph gives classes only, without which there is no uncertainty: its argmax is folded in; "
                "export the network without it, with logits (1, q, h, w) as output"
            )
    said = ", ".join(f"{port.get_partial_shape()} {port.get_element_type().get_type_name()}" for port in ports)
    return f"answers with {said or 'nothing'}; expected logits (1, q, h, w) as floating point numbers"


@dataclass(frozen=True, eq=False)
class _Last:
    """A last convolution: its output, bias included, its input and its kernel."""

    logits: Any
    features: Any
    classifier: Classifier


def _last_convolution(port: Any) -> tuple[_Last | None, list[Step], tuple[str, ...]]:
    """The plain convolution before an output, what lies in between, and remarks on it; (None, [], ()) without one."""
    steps: list[Step] = []
    remarks: list[str] = []
    while True:
        node = port.get_node()
        kind, attributes = node.get_type_name(), node.get_attributes()
        if kind in ("Convolution", "Add"):
            found = _convolution(port)
            return (None, [], ()) if found is None else (found, steps, tuple(remarks))
        if kind in ("Softmax", "LogSoftmax") and attributes.get("axis") in (1, -3):
            remarks.append("a softmax is folded into the graph; the logits before it are used")
        elif kind == "Interpolate" and (corners := _upsampling(node, attributes)) is not None:
            steps.append(Step(upsampled=corners))
        elif kind != "Convert":
            return None, [], ()
        port = node.input_value(0)


def _upsampling(node: Any, attributes: dict[str, Any]) -> bool | None:
    """Whether corners lie on corners in a bilinear upsampling that the package knows; None for another one."""
    mode, how = attributes.get("mode"), attributes.get("coordinate_transformation_mode")
    if not (mode == "linear_onnx" or (mode == "linear" and _only_sides(node, attributes))):
        return None
    if attributes.get("antialias", False) or any((*attributes.get("pads_begin", ()), *attributes.get("pads_end", ()))):
        return None
    if how == "align_corners" or (how is None and attributes.get("align_corners")):  # None: the first operator set
        return True
    return False if how in ("half_pixel", "pytorch_half_pixel") else None


def _only_sides(node: Any, attributes: dict[str, Any]) -> bool:
    if "axes" in attributes:
        return sorted(attributes["axes"]) == [2, 3]
    axes = _constant(node.input_value(2)) if node.get_input_size() > 2 else None
    return axes is not None and sorted(int(axis) % 4 for axis in axes) == [2, 3]


def _convolution(port: Any) -> _Last | None:
    """A convolution, with the addition of its bias or without; None unless it is plain: see ``last_layer.is_plain``."""
    node, bias = port.get_node(), None
    if node.get_type_name() == "Add":
        sides = [node.input_value(k) for k in (0, 1)]
        inner = next((side for side in sides if side.get_node().get_type_name() == "Convolution"), None)
        if inner is None:
            return None
        bias = _constant(sides[1 - sides.index(inner)], ("Convert", "Reshape", "Unsqueeze"))  # (q,) as (1, q, 1, 1)
        if bias is None or bias.size not in (1, inner.get_partial_shape()[1].get_length()):
            return None
        node = inner.get_node()
    weight = _constant(node.input_value(1))
    if weight is None or weight.ndim != 4:
        return None
    height, width = weight.shape[2:]
    attributes = node.get_attributes()
    dilations, before, behind = (list(attributes[key]) for key in ("dilations", "pads_begin", "pads_end"))
    same = attributes.get("auto_pad") in ("same_upper", "same_lower")
    keeps = same or before + behind == [dilations[0] * (height // 2)] * 4
    square = height == width and height % 2 == 1 and dilations[0] == dilations[1]
    if not (square and keeps and list(attributes["strides"]) == [1, 1]):
        return None
    flat = None if bias is None else np.broadcast_to(bias.reshape(-1), len(weight)).copy()
    kernel = Classifier(torch.from_numpy(weight), None if flat is None else torch.from_numpy(flat), int(dilations[0]))
    return _Last(port, node.input_value(0), kernel)


def _constant(port: Any, passed: tuple[str, ...] = ("Convert",)) -> np.ndarray | None:
    """A stored tensor as float32, also behind conversions from half precision; None if the graph computes it."""
    node = port.get_node()
    while node.get_type_name() in passed:
        node = node.input_value(0).get_node()
    return np.array(node.data, np.float32) if node.get_type_name() == "Constant" else None


def _asked_for(model: Any, ports: list[Any]) -> Any:
    """A model with these outputs, called ``logits`` and ``features``; operations that they do not need are left out."""
    import openvino
    from openvino import opset13

    results = []
    for port, name in zip(ports, ("logits", "features"), strict=False):
        kind = port.get_element_type().get_type_name()
        result = opset13.result(port if kind == "f32" else opset13.convert(port, "f32"))
        result.output(0).get_tensor().set_names({name})
        results.append(result)
    return openvino.Model(results, model.get_parameters(), "network")
