"""The bytes of an ImageAnnotations are those that a general serialiser writes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip("rosbags", reason="needs the library rosbags")
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from trust_seg_ros.messages.annotation_bytes import annotations_cdr
from trust_seg_ros.messages.annotations import BEHIND, LINE_LOOP, NO_FILL, AnnotationFields
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.recordings.replay.message_types import ANNOTATIONS, FOXGLOVE, type_store

ROOM = "foxglove_msgs/msg/"


def older():
    """The types before foxglove_msgs 3.2.5: without metadata, and without a timestamp of the whole."""
    store, types = get_typestore(Stores.ROS2_JAZZY), {}
    for name, text in FOXGLOVE.items():
        text = text.replace("foxglove_msgs/KeyValuePair[] metadata\n", "")
        if name == "ImageAnnotations":
            text = text.replace("builtin_interfaces/Time timestamp\n", "")
        if name != "KeyValuePair":
            types.update(get_types_from_msg(text, ROOM + name))
    store.register(types)
    return store


STORES = {True: type_store(), False: older()}


def generally(fields, header, metadata):
    """Made as objects, one by one, and serialised by rosbags."""
    store = STORES[metadata]
    types, end = store.types, ([],) if metadata else ()
    stamp = types["builtin_interfaces/msg/Time"](header.sec, header.nanosec)
    point, text = types[ROOM + "Point2"], types[ROOM + "TextAnnotation"]
    colour = types[ROOM + "Color"]
    outlines = [
        types[ROOM + "PointsAnnotation"](
            stamp, LINE_LOOP, [point(*xy) for xy in corners], colour(*own), [], colour(*NO_FILL), fields.thickness, *end
        )
        for corners, own in zip(fields.corners.tolist(), fields.colours, strict=True)
    ]
    texts = [
        text(stamp, point(*xy), words, fields.font_size, colour(*own), colour(*BEHIND), *end)
        for xy, words, own in fields.texts
    ]
    begin = (stamp,) if metadata else ()
    return bytes(store.serialize_cdr(types[ANNOTATIONS](*begin, [], outlines, texts, *end), ANNOTATIONS))


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
SIZES = st.floats(1, 100, allow_nan=False)


@st.composite
def some_fields(draw):
    count = draw(st.integers(0, 5))
    boxes = draw(hnp.arrays(np.float64, (count, 4), elements=st.floats(-10, 5000, allow_nan=False)))
    unknown = draw(hnp.arrays(bool, count))
    labels = draw(st.lists(WORDS, min_size=count, max_size=count))
    return AnnotationFields(boxes, unknown, tuple(labels), draw(WORDS), draw(SIZES), draw(SIZES))


@given(some_fields(), st.integers(0, 2**31 - 1), st.integers(0, 999_999_999), st.booleans())
def test_bytes_are_those_of_a_general_serialiser(fields, sec, nanosec, metadata):
    header = HeaderFields(sec, nanosec, "camera")
    assert annotations_cdr(fields, header, metadata) == generally(fields, header, metadata)
