"""The two outputs of a mask network in an ONNX graph, known by their names or by their shapes."""

from __future__ import annotations

from typing import Any

from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.segmentation.masks.queries import CONTRACT, NAMES

FLOATS = (1, 10, 11, 16)
"""ONNX types of floating point numbers."""


def mask_outputs(graph: Any, name: str) -> tuple[str, str] | None:
    """Names of the outputs with class logits (1, Q, K+1) and mask logits (1, Q, h, w); None for other networks.

    Args:
        graph: of the model.
        name: its name, for errors.

    Raises:
        ModelFileError: masks without classes, or several outputs that may be either.
    """
    floats = [value for value in graph.output if value.type.tensor_type.elem_type in FLOATS]
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in floats}
    for classes, masks in NAMES:
        if ranks.get(classes) == 3 and ranks.get(masks) == 4:
            return classes, masks
    alone = next((masks for _, masks in NAMES if ranks.get(masks) == 4), None)
    if alone is not None:
        raise ModelFileError(
            f"{name}: answers with masks, {alone}, without the classes of their queries; export it with both, "
            f"{CONTRACT}"
        )
    if ranks.get("logits") == 4 or ranks.get("out") == 4:
        return None
    pairs = [(a.name, b.name) for a in floats for b in floats if _fit(a, b)]
    if len(pairs) > 1:
        names = "; ".join(f"{a} with {b}" for a, b in pairs)
        raise ModelFileError(
            f"{name}: several of its outputs may be classes and masks of queries, {names}; name the right ones "
            f"{NAMES[0][0]!r} and {NAMES[0][1]!r} when you export it"
        )
    return pairs[0] if pairs else None


def _fit(classes: Any, masks: Any) -> bool:
    """Whether one may be (1, Q, K+1) and the other (1, Q, h, w)."""
    a, b = (list(value.type.tensor_type.shape.dim) for value in (classes, masks))
    if len(a) != 3 or len(b) != 4:
        return False
    q = a[1].dim_value, b[1].dim_value
    return q[0] == q[1] or 0 in q
