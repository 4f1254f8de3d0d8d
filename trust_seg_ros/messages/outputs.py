"""The output topics: what each needs of a TrustFrame, and what fills it. The node and the recordings share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from trust_seg_ros.messages.detections import detections
from trust_seg_ros.messages.fields import DetectionFields, ImageFields
from trust_seg_ros.messages.render import (
    Rendering,
    confidence,
    entropy,
    entropy_color,
    gradient,
    margin,
    ood,
    ood_ids,
    overlay,
    segment_ids,
    segmentation,
    unreliable,
)
from trust_seg_ros.types import Wanted

GRADIENT = "gradient"


@dataclass(frozen=True)
class Output:
    """One per-frame output topic.

    Attributes:
        needs: the parts of a TrustFrame (fields of ``Wanted``) it cannot do without, and ``GRADIENT`` for the gradient
            score of the label in force.
        build: the fields, from a rendering; an image, or detections.
    """

    needs: frozenset[str]
    build: Callable[[Rendering], ImageFields] | Callable[[Rendering], tuple[DetectionFields, ...]]


OUTPUTS: Mapping[str, Output] = {
    "segmentation": Output(frozenset(), segmentation),
    "confidence": Output(frozenset(), confidence),
    "entropy": Output(frozenset(), entropy),
    "margin": Output(frozenset(), margin),
    "unreliable": Output(frozenset({"segments", "pixel_flags"}), unreliable),
    "ood": Output(frozenset({"ood"}), ood),
    "gradient": Output(frozenset({GRADIENT}), gradient),
    "segments": Output(frozenset({"segments", "ood"}), detections),
    "segment_ids": Output(frozenset({"segments"}), segment_ids),
    "ood_ids": Output(frozenset({"segments", "ood"}), ood_ids),
    "overlay": Output(frozenset({"segments", "pixel_flags"}), overlay),
    "entropy_color": Output(frozenset(), entropy_color),
}
"""Name of the topic, relative to the node -> how to fill it. ``segments`` is a Detection2DArray, the rest images."""


def wanted(topics: Iterable[str], gradient_label: str = "onehot") -> Wanted:
    """What the pipeline must compute so that these topics (keys of ``OUTPUTS``) can be filled.

    Args:
        topics: their names.
        gradient_label: as in ``MessageOptions``.
    """
    needs = {need for topic in topics for need in OUTPUTS[topic].needs}
    scores = (f"gradient_{gradient_label}",) if GRADIENT in needs else ()
    return Wanted("segments" in needs, "ood" in needs, "pixel_flags" in needs, scores)
