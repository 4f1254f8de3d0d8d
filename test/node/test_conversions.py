import array
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, peek_header
from trust_seg_ros.node.conversions import read_compressed, read_image

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=9)
WORD = st.integers(0, 2**32 - 1)


def image(**fields):
    msg = Image()
    msg.header.stamp.sec, msg.header.stamp.nanosec = fields.pop("stamp", (5, 6))
    msg.header.frame_id = fields.pop("frame_id", "camera")
    msg.data = array.array("B", fields.pop("data", b"abc"))
    for name, value in fields.items():
        setattr(msg, name, value)
    return msg


@settings(max_examples=60, deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), WORD, TEXT, WORD, WORD, TEXT, st.booleans(), WORD, st.binary(max_size=40))
def test_reading_in_place_equals_the_message(sec, nanosec, frame_id, height, width, encoding, big, step, data):
    msg = image(
        stamp=(sec, nanosec), frame_id=frame_id, height=height, width=width, encoding=encoding, step=step, data=data
    )
    msg.is_bigendian = int(big)
    buffer = bytes(serialize_message(msg))
    result = read_image(buffer)
    assert peek_header(buffer) == result.header == HeaderFields(sec, nanosec, frame_id)
    assert (result.height, result.width, result.encoding) == (height, width, encoding)
    assert (result.is_bigendian, result.step, result.data.tobytes()) == (big, step, data)


@settings(max_examples=30, deadline=None)
@given(TEXT, TEXT, st.binary(max_size=40))
def test_compressed_equals_the_message(frame_id, name, data):
    msg = CompressedImage(format=name, data=array.array("B", data))
    msg.header.frame_id = frame_id
    result = read_compressed(bytes(serialize_message(msg)))
    assert (result.header.frame_id, result.format, result.data.tobytes()) == (frame_id, name, data)


def test_the_data_is_a_view():
    buffer = bytes(serialize_message(image(data=b"x" * 1000)))
    assert np.shares_memory(read_image(buffer).data, np.frombuffer(buffer, np.uint8))


def test_big_endian_messages():
    body = struct.pack(">iI", -3, 7) + struct.pack(">I4s", 4, b"cam\0") + struct.pack(">II", 2, 1)
    body += struct.pack(">I6s", 6, b"mono8\0") + b"\1" + b"\0" + struct.pack(">I", 1) + struct.pack(">I2s", 2, b"hi")
    result = read_image(b"\0\0\0\0" + body)
    assert result.header == HeaderFields(-3, 7, "cam")
    assert (result.height, result.width, result.step, result.data.tobytes()) == (2, 1, 1, b"hi")


def test_a_frame_id_that_is_not_utf_8_is_refused_since_it_could_not_be_sent_on_unchanged():
    buffer = bytes(serialize_message(image(frame_id="camera"))).replace(b"camera", b"cam\xe9ra")
    for read in (peek_header, read_image):
        with pytest.raises(ImageError, match=r"frame_id is b'cam\\xe9ra', expected UTF-8"):
            read(buffer)


def test_every_cut_of_a_message_is_refused():
    buffer = bytes(serialize_message(image(encoding="mono8", data=b"x" * 40)))
    content = 4 + 8 + 4 + 8 + 8 + 4 + 8 + 4 + 4 + 40
    for length in range(content):
        with pytest.raises(ImageError, match="image refused"):
            read_image(buffer[:length])


def test_a_foreign_representation_goes_through_rclpy():
    with pytest.raises(ImageError, match="not a Image"):
        read_image(b"\x00\x33\x00\x00garbage")
    with pytest.raises(ImageError, match="0033"):
        peek_header(b"\x00\x33\x00\x00garbage")
