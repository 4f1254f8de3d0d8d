"""``~/annotations`` for Foxglove: published where the package foxglove_msgs is installed, and only there."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from rclpy.type_support import check_for_type_support

from trust_seg_ros.messages.annotation_bytes import annotations_cdr
from trust_seg_ros.messages.annotations import AnnotationFields
from trust_seg_ros.messages.fields import HeaderFields

MISSING = (
    "~/annotations (boxes and labels for Foxglove) is not published: there is no package foxglove_msgs; "
    "sudo apt install ros-$ROS_DISTRO-foxglove-msgs"
)
"""Told once where it is not installed; everything else works without it."""

_KNOWN = (["timestamp", "circles", "points", "texts", "metadata"], ["circles", "points", "texts"])
"""Fields of ImageAnnotations from version 3.2.5 on, and before."""


@lru_cache(maxsize=1)
def annotations_type() -> Any:
    """The class ``foxglove_msgs.msg.ImageAnnotations``; None if it is not installed, or has fields not known here."""
    try:
        found = import_module("foxglove_msgs.msg").ImageAnnotations
        check_for_type_support(found)
    except Exception:  # whatever is wrong with an optional package, the node works without it
        return None
    return found if list(found.get_fields_and_field_types()) in _KNOWN else None


def annotations_message(fields: AnnotationFields, header: HeaderFields) -> bytes:
    """A foxglove_msgs/ImageAnnotations, serialised, with the fields of the version that is installed."""
    return annotations_cdr(fields, header, "metadata" in annotations_type().get_fields_and_field_types())
