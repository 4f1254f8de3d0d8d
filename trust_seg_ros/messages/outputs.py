"""The output topics: what each needs from a TrustFrame, and what fills it. Used by the node and for recordings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from trust_seg_ros.messages.annotations import AnnotationFields, image_annotations
from trust_seg_ros.messages.detections import detections
from trust_seg_ros.messages.fields import DetectionFields, ImageFields, MessageOptions
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
from trust_seg_ros.types import TrustFrame, Wanted
from trust_seg_ros.types.fetched import FetchedMaps

GRADIENT = "gradient"
IMAGE, DETECTIONS = "sensor_msgs/msg/Image", "vision_msgs/msg/Detection2DArray"
ANNOTATIONS = "foxglove_msgs/msg/ImageAnnotations"
"""Published only where the package foxglove_msgs is installed; a replay always writes it."""

OutputFields = ImageFields | tuple[DetectionFields, ...] | AnnotationFields
"""What fills a message, by the type of the output."""

_PARTS = ("segments", "ood", "pixel_flags")


@dataclass(frozen=True, kw_only=True)
class Output:
    """One per-frame output topic.

    Attributes:
        build: makes the fields from a rendering: an image, detections, or annotations.
        text: what it contains, one line of Markdown.
        encoding: encoding of the image, for documentation; "" for what is no image.
        needs: the parts of a TrustFrame that it requires: ``segments``, ``ood``, ``pixel_flags``, names of pixel
            scores, and ``GRADIENT`` for the gradient score of the current label. If the network cannot give a score,
            the topic stays empty.
        type: ``IMAGE``, ``DETECTIONS`` or ``ANNOTATIONS``.
    """

    build: Callable[[Rendering], OutputFields]
    text: str
    encoding: str = "mono8"
    needs: frozenset[str] = frozenset()
    type: str = IMAGE


OUTPUTS: Mapping[str, Output] = {
    "segmentation": Output(build=segmentation, text="class id, 255 = unlabelled, at the input's resolution"),
    "confidence": Output(
        build=confidence,
        text="255 · (1 − entropy); Nav2's semantic layer reads it with `~/segmentation` and `~/label_info`",
    ),
    "entropy": Output(build=entropy, text="normalised entropy, 0 to 255 or 0 to 1", encoding="mono8 or 32FC1"),
    "margin": Output(
        build=margin,
        text="1 − difference of the two largest probabilities, 0 to 255 or 0 to 1",
        encoding="mono8 or 32FC1",
    ),
    "unreliable": Output(
        build=unreliable,
        text="255 on segments flagged unreliable, 128 where only the pixel threshold fires, 0 elsewhere",
        needs=frozenset({"segments", "pixel_flags"}),
    ),
    "ood": Output(
        build=ood,
        text="255 on out-of-distribution segments (connected, `ood.score` at or above `ood.threshold`), 128 on "
        "segments discarded as too small or as false alarms, 0 elsewhere",
        needs=frozenset({"ood"}),
    ),
    "gradient": Output(
        build=gradient,
        text="gradient score: the logarithm of the norm with its sign, or 0 to 255 from the frame's smallest to its "
        "largest value",
        encoding="mono8 or 32FC1",
        needs=frozenset({GRADIENT}),
    ),
    "segments": Output(
        build=detections,
        text="flagged segments: box, `id` = value in `~/segment_ids`, class with P(correct), then `unreliable`, `ood`, "
        "`iou`; then the out-of-distribution segments: `id` = value in `~/ood_ids`, dominant class with 1 − P(OoD), "
        "`ood` with P(OoD); with `tracking` every `id` is that of a [track](#tracks)",
        encoding="",
        needs=frozenset({"segments", "ood"}),
        type=DETECTIONS,
    ),
    "segment_ids": Output(
        build=segment_ids,
        text="number of each pixel's segment, from 1",
        encoding="16UC1",
        needs=frozenset({"segments"}),
    ),
    "ood_ids": Output(
        build=ood_ids,
        text="number of each pixel's out-of-distribution segment; numbers continue after those in `~/segment_ids`",
        encoding="16UC1",
        needs=frozenset({"segments", "ood"}),
    ),
    "overlay": Output(
        build=overlay,
        text="for viewing: the camera image tinted by class, flagged segments marked",
        encoding="rgb8",
        needs=frozenset({"segments", "pixel_flags"}),
    ),
    "entropy_color": Output(build=entropy_color, text="for viewing: entropy as a heat map", encoding="rgb8"),
    "annotations": Output(
        build=image_annotations,
        text="for viewing: boxes and labels of the flagged segments for [Foxglove](foxglove.md); only where "
        "`foxglove_msgs` is installed",
        encoding="",
        needs=frozenset({"segments", "ood"}),
        type=ANNOTATIONS,
    ),
}
"""Name of the topic, relative to the node -> how to fill it."""


def rendering(result: TrustFrame, options: MessageOptions, topics: Collection[str]) -> Rendering:
    """A rendering for these topics (keys of ``OUTPUTS``), whose pictures come from the GPU where the maps lie there."""
    view = Rendering(result, options)
    if isinstance(result.on_grid.maps, FetchedMaps):
        from trust_seg_ros.messages.render_gpu import fetch_planes

        fetch_planes(view, topics)
    return view


def wanted(topics: Iterable[str], gradient_label: str = "onehot") -> Wanted:
    """What the pipeline must compute so that these topics (keys of ``OUTPUTS``) can be filled.

    Args:
        topics: their names.
        gradient_label: as in ``MessageOptions``.
    """
    topics = tuple(topics)
    needs = {need for topic in topics for need in OUTPUTS[topic].needs}
    scores = dict.fromkeys(score for topic in topics for score in needed_scores(topic, gradient_label))
    return Wanted("segments" in needs, "ood" in needs, "pixel_flags" in needs, tuple(scores))


def needed_scores(topic: str, gradient_label: str = "onehot") -> tuple[str, ...]:
    """Names of the pixel scores that a topic shows, sorted."""
    names = (f"gradient_{gradient_label}" if need == GRADIENT else need for need in OUTPUTS[topic].needs)
    return tuple(sorted(name for name in names if name not in _PARTS))


def unfillable(
    topics: Iterable[str], unavailable: Callable[[str], str | None], gradient_label: str = "onehot"
) -> dict[str, str]:
    """The topics that a network cannot fill, topic -> reason.

    Args:
        topics: keys of ``OUTPUTS``.
        unavailable: returns why the network cannot give a score, or None, like ``TrustPipeline.unavailable``.
        gradient_label: as in ``MessageOptions``.
    """
    reasons = {}
    for topic in topics:
        for score in needed_scores(topic, gradient_label):
            if (reason := unavailable(score)) is not None:
                reasons[topic] = reason
    return reasons


def topic_table() -> str:
    """The outputs as a table of docs/topics.md."""
    rows = ["| topic | type | content |", "|---|---|---|"]
    for name, output in OUTPUTS.items():
        kind = f"Image {output.encoding}" if output.type == IMAGE else output.type.replace("/msg/", "/")
        rows.append(f"| `~/{name}` | {kind} | {output.text} |")
    return "\n".join(rows) + "\n"
