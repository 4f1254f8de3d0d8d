"""``~/annotations`` for Foxglove: published where the package foxglove_msgs is installed, and only there."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from rclpy.type_support import check_for_type_support

from trust_seg_ros.messages.annotations import BEHIND, LINE_LOOP, NO_FILL, WHITE, AnnotationFields, Colour
from trust_seg_ros.messages.fields import HeaderFields

MISSING = (
    "~/annotations (boxes and labels for Foxglove) is not published: there is no package foxglove_msgs; "
    "sudo apt install ros-$ROS_DISTRO-foxglove-msgs"
)
"""Told once where it is not installed; everything else works without it."""


@lru_cache(maxsize=1)
def foxglove_msgs() -> Any:
    """The module ``foxglove_msgs.msg``, or None where it is not installed or was built for another distribution."""
    try:
        found = import_module("foxglove_msgs.msg")
        check_for_type_support(found.ImageAnnotations)
    except Exception:  # whatever is wrong with an optional package, the node works without it
        return None
    return found


def annotations_message(fields: AnnotationFields, header: HeaderFields) -> Any:
    """A foxglove_msgs/ImageAnnotations; every annotation carries the frame's stamp."""
    kinds = foxglove_msgs()
    stamp = import_module("builtin_interfaces.msg").Time(sec=header.sec, nanosec=header.nanosec)

    def colour(rgba: Colour) -> Any:
        return kinds.Color(**dict(zip("rgba", rgba, strict=True)))

    def text(position: Any, words: str, own: Any) -> Any:
        place = kinds.Point2(x=position[0], y=position[1])
        return kinds.TextAnnotation(
            timestamp=stamp,
            position=place,
            text=words,
            font_size=fields.font_size,
            text_color=own,
            background_color=behind,
        )

    colours, nothing, behind = [colour(one) for one in fields.colours], colour(NO_FILL), colour(BEHIND)
    message = kinds.ImageAnnotations()
    if hasattr(message, "timestamp"):  # from version 3.2.5 on
        message.timestamp = stamp
    message.points = [
        kinds.PointsAnnotation(
            timestamp=stamp,
            type=LINE_LOOP,
            points=[kinds.Point2(x=x, y=y) for x, y in corners],
            outline_color=own,
            fill_color=nothing,
            thickness=fields.thickness,
        )
        for corners, own in zip(fields.corners.tolist(), colours, strict=True)
    ]
    labels = zip(fields.positions.tolist(), fields.labels, colours, strict=True)
    message.texts = [text(fields.heading_position, fields.heading, colour(WHITE)), *(text(*one) for one in labels)]
    return message
