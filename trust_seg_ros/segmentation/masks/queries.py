"""What a mask network answers with: for each of Q queries the logits of its classes and those of its mask.

The class sums at a pixel x are L_c(x) = sum over queries q of softmax(class logits of q)_c * sigmoid(mask logits of
q)(x), where the last class, "no object", is left out: Cheng, Schwing, Kirillov, "Per-Pixel Classification is Not All
You Need for Semantic Segmentation" (MaskFormer), NeurIPS 2021, section 3.4, semantic inference. Mask2Former (Cheng et
al., CVPR 2022), OneFormer (Jain et al., CVPR 2023) and EoMT (Kerssies et al., CVPR 2025) are used in the same way; they
differ in the resolution at which masks are combined, see ``mask_models``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from trust_seg_ros.segmentation.errors import ModelOutputError
from trust_seg_ros.segmentation.labels import LabelSet

NAMES = (
    ("class_queries_logits", "masks_queries_logits"),
    ("pred_logits", "pred_masks"),
    ("logits", "pred_masks"),
)
"""What networks call the two: Hugging Face; Mask2Former's own code and Detectron2; DETR of Hugging Face."""
CONTRACT = (
    "class logits (1, Q, K+1) and mask logits (1, Q, h, w) as 'class_queries_logits' and 'masks_queries_logits', as "
    "'pred_logits' and 'pred_masks', or as a tuple of the two"
)
_THINGS = frozenset(
    ("person", "people", "pedestrian", "human", "rider", "car", "truck", "bus", "bicycle", "motorcycle", "dog", "chair")
)
# fmt: off
_STUFF = frozenset((
    "road", "street", "sky", "ground", "grass", "floor", "wall", "building", "tree", "vegetation", "water", "sidewalk",
    "pavement", "terrain", "earth", "background", "ceiling", "sea", "sand", "snow", "mountain", "land", "lane", "area",
    "surface", "field", "dirt",
))
# fmt: on


class MaskAnswerError(ModelOutputError):
    """A network answers with masks where logits of each pixel are needed."""


@dataclass(frozen=True, eq=False)
class MaskAnswer:
    """The answer of a mask network to B images.

    Attributes:
        classes: (B, Q, K+1) floating point, logits; the last one is "no object".
        masks: (B, Q, h, w) floating point, logits.
    """

    classes: torch.Tensor
    masks: torch.Tensor

    def queries(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities (B, Q, K) without "no object" and masks (B, Q, h, w) in 0..1, both float32."""
        return self.classes.float().softmax(-1)[..., :-1], self.masks.float().sigmoid()

    def sums(self) -> torch.Tensor:
        """The class sums (B, K, h, w) float32."""
        return class_sums(*self.queries())


def class_sums(probabilities: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """L (B, K, h, w) from (B, Q, K) and (B, Q, h, w); see the head of this file."""
    return torch.einsum("bqc, bqhw -> bchw", probabilities, masks)


def read_masks(output: object) -> MaskAnswer | None:
    """The two outputs of a mask network, known by their names or, in a tuple, by their shapes.

    Args:
        output: whatever a network returned.

    Returns:
        None if this is no answer of a mask network; shapes are not checked further.

    Raises:
        ModelOutputError: masks without classes.
    """
    if isinstance(output, (tuple, list)) and not hasattr(output, "_fields"):
        return _by_shape(output)
    for classes, masks in NAMES:
        pair = _get(output, classes), _get(output, masks)
        if isinstance(pair[0], torch.Tensor) and isinstance(pair[1], torch.Tensor):
            return MaskAnswer(pair[0], pair[1])
        if isinstance(pair[1], torch.Tensor) and classes != "logits" and not _has_other_classes(output, masks):
            raise ModelOutputError(
                f"the network returned masks as {masks!r} {tuple(pair[1].shape)} without the classes of their queries, "
                f"which it should return as {classes!r} (1, Q, K+1)"
            )
    return None


def _has_other_classes(output: object, masks: str) -> bool:
    return any(isinstance(_get(output, classes), torch.Tensor) for classes, other in NAMES if other == masks)


def _get(output: object, name: str) -> Any:
    return output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)


def _by_shape(output: tuple[Any, ...] | list[Any]) -> MaskAnswer | None:
    """Exactly one (B, Q, n) with exactly one (B, Q, h, w)."""
    tensors = [value for value in output if isinstance(value, torch.Tensor) and value.is_floating_point()]
    pairs = [(a, b) for a in tensors for b in tensors if a.ndim == 3 and b.ndim == 4 and a.shape[:2] == b.shape[:2]]
    return MaskAnswer(*pairs[0]) if len(pairs) == 1 else None


def check_masks(answer: MaskAnswer, labels: LabelSet, name: str, images: int = 1) -> None:
    """Check that an answer has Q >= 1 queries, the classes of the labels and "no object".

    Raises:
        ModelOutputError: it has not; the text names what was found and what was expected.
    """
    classes, masks = answer.classes, answer.masks
    shapes = f"classes {tuple(classes.shape)} {classes.dtype} and masks {tuple(masks.shape)} {masks.dtype}"
    fits = classes.ndim == 3 and masks.ndim == 4 and classes.shape[:2] == masks.shape[:2]
    plain = 0 not in (*classes.shape, *masks.shape) and classes.is_floating_point() and masks.is_floating_point()
    if not (fits and plain) or classes.shape[0] != images:
        raise ModelOutputError(
            f"network {name!r} returned {shapes}; expected ({images}, Q, K+1) and ({images}, Q, h, w), floating point"
        )
    columns, count = classes.shape[2], len(labels)
    if columns == count:
        raise ModelOutputError(
            f"network {name!r} answers with masks of {columns} classes, and labels {labels.name!r} name as many: none "
            'is left for "no object", as with a sigmoid for each class; return logits (1, Q, K+1) whose last class is '
            '"no object", or, if the last of these is that, give labels without it'
        )
    if columns != count + 1:
        raise ModelOutputError(
            f'network {name!r} answers with masks of {columns - 1} classes and "no object", but labels {labels.name!r} '
            f"name {count}; give the labels it was trained with"
        )


def check_are_logits(answer: MaskAnswer, name: str) -> None:
    """Check that an answer to a noise picture is not put through a softmax or a sigmoid already.

    Raises:
        ModelOutputError: it is.
    """
    classes, masks = answer.classes.float(), answer.masks.float()
    if bool((classes >= 0).all()) and bool(((classes.sum(-1) - 1).abs() < 1e-2).all()):
        raise ModelOutputError(
            f"network {name!r} gives probabilities of classes, which sum to 1; expected their logits: return what the "
            "softmax is applied to"
        )
    if bool((masks >= 0).all()) and bool((masks <= 1).all()) and bool(masks.any()):
        raise ModelOutputError(
            f"network {name!r} gives masks from 0 to 1; expected their logits: return what the sigmoid is applied to"
        )


def things_only(labels: LabelSet) -> str:
    """A remark if labels name things but no ground, sky or wall, as those of instance segmentation do; else ""."""
    words = {word.lower() for name in labels.names for word in re.findall(r"[A-Za-z]+", name)}
    if not words & _THINGS or words & _STUFF:
        return ""
    return (
        "its classes are things only, no road, sky or wall: a network for instance segmentation gives every pixel to "
        "one of them or to nothing; take one trained for semantic or panoptic segmentation"
    )
