"""Small mask networks that are nobody's, with every form of answer, as modules and as ONNX graphs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

CLASSES, QUERIES = 11, 5


class TinyMasks(nn.Module):
    """Masks at a quarter of the input's size; their classes depend on the whole image.

    Attributes:
        form: how it answers, one of ``FORMS``.
        columns: of the class logits; ``CLASSES`` and "no object" by default.
    """

    def __init__(self, form: str = "hugging face", columns: int = CLASSES + 1, queries: int = QUERIES) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.masks = nn.Conv2d(8, queries, 1)
        self.classes = nn.Linear(8, queries * columns)
        self.dropout = nn.Dropout(0.0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(
                    torch.randn(parameter.shape, generator=generator) * (0.3 if parameter.ndim > 1 else 1.0)
                )
            self.masks.weight.mul_(5)
            self.masks.bias.zero_()
        self.form, self.queries = form, queries

    def forward(self, pixels: torch.Tensor) -> Any:
        features = self.stem(pixels)
        masks = self.masks(self.dropout(features))
        classes = self.classes(features.relu().mean((2, 3))).unflatten(1, (self.queries, -1))
        return FORMS[self.form](classes, masks, features)


FORMS: dict[str, Any] = {
    "hugging face": lambda c, m, f: {"class_queries_logits": c, "masks_queries_logits": m, "encoder": f},
    "detectron2": lambda c, m, f: {"pred_logits": c, "pred_masks": m, "aux_outputs": [{"pred_logits": c}]},
    "detr": lambda c, m, f: {"logits": c, "pred_masks": m},
    "object": lambda c, m, f: SimpleNamespace(class_queries_logits=c, masks_queries_logits=m, logits=None),
    "tuple": lambda c, m, f: (c, m),
    "tuple, masks first": lambda c, m, f: (m, c),
    "tuple of more": lambda c, m, f: (m, f, c),
}


def graph(path: Any, names: tuple[str, str] = ("c", "m"), masks_only: bool = False, more: bool = False) -> None:
    """``TinyMasks`` as an .onnx file whose outputs, classes and masks, have these names.

    Args:
        path: of the file.
        names: of the outputs.
        masks_only: leave the classes out.
        more: a second output that may be classes.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    net = TinyMasks()
    stored = [numpy_helper.from_array(value.detach().numpy(), name) for name, value in net.named_parameters()] + [
        numpy_helper.from_array(torch.tensor([1, QUERIES, CLASSES + 1]).numpy(), "shape")
    ]
    nodes = [
        helper.make_node("Conv", ["image", "stem.weight", "stem.bias"], ["f"], strides=[4, 4]),
        helper.make_node("Conv", ["f", "masks.weight", "masks.bias"], [names[1]]),
        helper.make_node("Relu", ["f"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["v"]),
        helper.make_node("Gemm", ["v", "classes.weight", "classes.bias"], ["w"], transB=1),
        helper.make_node("Reshape", ["w", "shape"], [names[0]]),
        helper.make_node("Relu", [names[0]], ["other"]),
    ]
    masks = helper.make_tensor_value_info(names[1], TensorProto.FLOAT, (1, QUERIES, None, None))
    classes = helper.make_tensor_value_info(names[0], TensorProto.FLOAT, (1, QUERIES, CLASSES + 1))
    other = helper.make_tensor_value_info("other", TensorProto.FLOAT, (1, QUERIES, CLASSES + 1))
    outputs = [masks] if masks_only else [masks, classes, *([other] if more else [])]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, None, None))
    made = helper.make_graph(nodes, "tiny masks", [image], outputs, stored)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
