"""The bytes that a bag holds are those that the middleware and the libraries of others would write."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trust_seg_ros.messages.fields import DetectionFields, HeaderFields, ImageFields, LabelFields
from trust_seg_ros.recordings.replay.message_types import COMPRESSED, DETECTIONS, IMAGE, LABELS, type_store
from trust_seg_ros.recordings.replay.serialise import compressed_cdr, detections_cdr, image_cdr, labels_cdr

headers = st.builds(HeaderFields, st.integers(0, 2**31 - 1), st.integers(0, 999_999_999), st.text(max_size=9))
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
planes = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16, np.float32]), hnp.array_shapes(min_dims=2, max_dims=3, max_side=5)
)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
detections = st.builds(
    DetectionFields,
    texts,
    st.tuples(numbers, numbers),
    st.tuples(numbers, numbers),
    st.lists(st.tuples(texts, numbers), max_size=4).map(tuple),
)
CLASSES = st.lists(st.tuples(st.integers(0, 65535), texts), max_size=3)
HEADERS = headers.filter(lambda h: "\0" not in h.frame_id)


@given(planes, texts, HEADERS)
def test_images_are_what_rosbags_would_write(data, encoding, header):
    types = type_store().types
    stamp = types["builtin_interfaces/msg/Time"](header.sec, header.nanosec)
    message = types[IMAGE](
        header=types["std_msgs/msg/Header"](stamp, header.frame_id),
        height=data.shape[0],
        width=data.shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=int(np.prod(data.shape[1:])) * data.itemsize,
        data=np.frombuffer(data.tobytes(), np.uint8),
    )
    assert bytes(image_cdr(ImageFields(encoding, data), header)) == bytes(type_store().serialize_cdr(message, IMAGE))


@given(st.binary(max_size=9), texts, HEADERS)
def test_compressed_images_too(data, kind, header):
    types = type_store().types
    stamp = types["builtin_interfaces/msg/Time"](header.sec, header.nanosec)
    message = types[COMPRESSED](types["std_msgs/msg/Header"](stamp, header.frame_id), kind, np.frombuffer(data, "u1"))
    expected = bytes(type_store().serialize_cdr(message, COMPRESSED))
    assert bytes(compressed_cdr(data, kind, header)) == expected


@pytest.fixture(scope="module")
def wire():
    """The node's own messages, serialised by the middleware."""
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from rclpy.serialization import serialize_message

    from trust_seg_ros.node import messages

    return messages, serialize_message


@given(st.lists(detections, max_size=3), HEADERS, CLASSES, numbers)
@settings(max_examples=50)
def test_the_node_sends_the_same(wire, found, header, classes, threshold):
    messages, serialize_message = wire
    sent = serialize_message(messages.detections_message(found, header))
    assert _written_anew(sent, DETECTIONS) == detections_cdr(found, header)
    labels = LabelFields(tuple(classes), threshold)
    assert _written_anew(serialize_message(messages.labels_message(labels, header)), LABELS) == labels_cdr(
        labels, header
    )
    image = ImageFields("mono8", np.full((3, 5), 7, np.uint8))
    assert _written_anew(serialize_message(messages.image_message(image, header)), IMAGE) == image_cdr(image, header)


def _written_anew(sent: bytes, kind: str) -> bytes:
    """The same message with zeros between its fields, where the middleware leaves what happens to lie there."""
    store = type_store()
    return bytes(store.serialize_cdr(store.deserialize_cdr(sent, kind), kind))


@pytest.mark.parametrize("kind", [DETECTIONS, LABELS])
def test_the_types_are_those_of_the_interface_package(kind):
    package, _, name = kind.split("/")
    described = Path(sys.prefix, "share", package, "msg", f"{name}.json")
    if not described.is_file():
        pytest.skip("vision_msgs of this environment describes no types")
    hashes = {entry["type_name"]: entry["hash_string"] for entry in json.loads(described.read_text())["type_hashes"]}
    assert type_store().hash_rihs01(kind) == hashes[kind]
