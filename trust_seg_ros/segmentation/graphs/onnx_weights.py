"""The stored tensors of an ONNX graph, also those that it keeps as whole numbers with a scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from trust_seg_ros.types import Classifier

if TYPE_CHECKING:
    import onnx

_TYPES = {1: torch.float32, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16}


class Weights:
    """The stored tensors of a graph."""

    def __init__(self, graph: onnx.GraphProto, makers: dict[str, Any]) -> None:
        """Look at a graph.

        Args:
            graph: the graph, its weights inside.
            makers: name of a value -> the node that makes it.
        """
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = makers

    def classifier(self, node: Any) -> Classifier | None:
        """The kernel of a convolution, in the type it is computed in, if it is plain: see ``last_layer.is_plain``."""
        biased = len(node.input) > 2 and bool(node.input[2])
        weight = self.tensor(node.input[1])
        bias = self.tensor(node.input[2]) if biased else None
        if weight is None or weight.ndim != 4 or (bias is None and biased):
            return None
        height, width = weight.shape[2:]
        dilations = list(attribute(node, "dilations", [1, 1]))
        same = attribute(node, "auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER")
        pads = list(attribute(node, "pads", [0, 0, 0, 0]))
        keeps = same or pads == [dilations[0] * (height // 2)] * 4
        square = height == width and height % 2 == 1 and dilations[0] == dilations[1]
        unit = list(attribute(node, "strides", [1, 1])) == [1, 1] and attribute(node, "group", 1) == 1
        if not (square and keeps and unit):
            return None
        return Classifier(weight, bias, int(dilations[0]))

    def tensor(self, name: str) -> torch.Tensor | None:
        """A stored tensor of floating point numbers, as the graph computes with it; None if it is computed."""
        node = self._makers.get(name) if name not in self._stored else None
        if node is None or node.op_type == "Constant":
            return self._floats(name)
        inner = self.tensor(node.input[0]) if node.op_type in ("Identity", "Cast") else None
        if inner is not None and node.op_type == "Cast":
            kind = _TYPES.get(attribute(node, "to", 1))
            return None if kind is None else inner.to(kind)
        return self._scaled(node) if node.op_type == "DequantizeLinear" else inner

    def numbers(self, name: str) -> np.ndarray | None:
        """A stored tensor of any numbers as float32; None if the graph computes it."""
        tensor = self.tensor(name)
        if tensor is not None:
            return np.asarray(tensor.float().numpy())
        array = self._array(name)
        return None if array is None or array.dtype.kind not in "iu" else array.astype(np.float32)

    def _scaled(self, node: Any) -> torch.Tensor | None:
        """``(stored - zero point) * scale`` of a DequantizeLinear of stored whole numbers, or of a rounded tensor."""
        whole = self._array(node.input[0])
        scale = self._floats(node.input[1])
        zero = self._array(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(1)
        maker = self._makers.get(node.input[0])
        if scale is None or zero is None or attribute(node, "block_size", 0):
            return None
        axis = attribute(node, "axis", 1)
        if whole is None and maker is not None and maker.op_type == "QuantizeLinear":  # rounded when it is loaded
            plain = self._floats(maker.input[0])
            if plain is None or list(maker.input[1:]) != list(node.input[1:]):
                return None
            shape = _along(scale, plain, axis)
            spread = torch.from_numpy(zero.astype(np.float32)).reshape(shape) if zero.size > 1 else float(zero.max())
            low, high = (-128, 127) if zero.dtype == np.int8 else (0, 255)
            if zero.dtype not in (np.int8, np.uint8):
                return None
            rounded = (torch.round(plain / scale.reshape(shape)) + spread).clamp(low, high)
            return (rounded - spread) * scale.reshape(shape)
        if whole is None:
            return None
        values = torch.from_numpy(whole.astype(np.float64))
        shape = _along(scale, values, axis)
        if any(side not in (1, size) for side, size in zip(shape, values.shape, strict=True)):
            raise ValueError(f"{scale.numel()} scales for weights of {tuple(values.shape)} along axis {axis}")
        offset = torch.from_numpy(np.broadcast_to(zero.astype(np.float64).reshape(-1), (scale.numel(),)).copy())
        return ((values - offset.reshape(shape)) * scale.double().reshape(shape)).to(scale.dtype)

    def _floats(self, name: str) -> torch.Tensor | None:
        array = self._array(name)
        tensor = self._stored.get(name)
        if array is None or array.dtype.kind not in "fV":
            return None
        kind = _TYPES.get(tensor.data_type if tensor is not None else self._constant(name).data_type)
        return None if kind is None else torch.from_numpy(np.array(array, np.float32)).to(kind)

    def _array(self, name: str) -> np.ndarray | None:
        from onnx.numpy_helper import to_array

        tensor = self._stored.get(name, self._constant(name))
        return None if tensor is None else np.array(to_array(tensor))

    def _constant(self, name: str) -> Any:
        node = self._makers.get(name)
        return attribute(node, "value", None) if node is not None and node.op_type == "Constant" else None


def _along(scale: torch.Tensor, values: torch.Tensor, axis: int) -> tuple[int, ...]:
    """Shape of one scale for everything, or of one for each index along an axis."""
    if scale.numel() == 1:
        return (1,) * values.ndim
    return tuple(scale.numel() if k == axis % values.ndim else 1 for k in range(values.ndim))


def attribute(node: Any, name: str, default: Any) -> Any:
    """The value of a node's attribute."""
    from onnx.helper import get_attribute_value

    return next((get_attribute_value(a) for a in node.attribute if a.name == name), default)
