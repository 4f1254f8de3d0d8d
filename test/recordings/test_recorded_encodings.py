"""Recorded messages decode like live ones: same table, same pixels, same refusals."""

import os
import sys

import cv2
import numpy as np
import pytest

from trust_seg_ros.recordings.decode import ENCODINGS, decode_compressed, decode_image
from trust_seg_ros.recordings.errors import UnreadableFrame

BYTES_PER_PIXEL = {"rgb8": 3, "bgr8": 3, "8UC3": 3, "rgba8": 4, "bgra8": 4, "mono16": 2, "16UC1": 2,
                   "yuv422": 2, "uyvy": 2, "yuyv": 2, "yuv422_yuy2": 2}  # fmt: skip


def buffer(encoding, height, width, padding=0):
    """Random bytes of an image of this encoding, and their step."""
    step = width * BYTES_PER_PIXEL.get(encoding, 1) + padding
    rows = height * 3 // 2 if encoding in ("nv12", "nv21") else height
    return np.random.default_rng(width).integers(0, 256, step * rows, dtype=np.uint8), step


@pytest.fixture
def live():
    """The node's table, as the node uses it; needs ROS."""
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from trust_seg_ros import image_pixels as conversions

    return conversions


def test_every_encoding_of_the_node_is_read(live):
    assert set(ENCODINGS) == set(live.ENCODINGS)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("big_endian", [False, True])
def test_pixels_are_those_the_node_sees(live, encoding, big_endian):
    from trust_seg_ros.image_messages import RawImage
    from trust_seg_ros.message_fields import HeaderFields

    data, step = buffer(encoding, 6, 8)
    raw = RawImage(HeaderFields(), 6, 8, encoding, big_endian, step, data)
    np.testing.assert_array_equal(decode_image(encoding, 6, 8, step, data, big_endian), live.to_rgb(raw, 1000))


@pytest.mark.parametrize("encoding", [e for e in ENCODINGS if e not in ("nv12", "nv21")])
def test_padding_of_rows_is_not_shown(encoding):
    data, step = buffer(encoding, 4, 6)
    padded = np.pad(data.reshape(-1, step), ((0, 0), (0, 5)), constant_values=77).reshape(-1)
    np.testing.assert_array_equal(
        decode_image(encoding, 4, 6, step + 5, padded), decode_image(encoding, 4, 6, step, data)
    )


def test_sixteen_bits_keep_the_upper_eight_in_either_byte_order():
    values = np.array([[0x1234, 0xFF00]])
    little, big = (np.frombuffer(values.astype(order).tobytes(), np.uint8) for order in ("<u2", ">u2"))
    for data, big_endian in ((little, False), (big, True)):
        assert decode_image("mono16", 1, 2, 4, data, big_endian)[0, :, 0].tolist() == [0x12, 0xFF]


@pytest.mark.parametrize(
    ("encoding", "height", "width"),
    [("yuyv", 4, 5), ("uyvy", 4, 5), ("yuv422", 4, 5), ("nv12", 4, 5), ("nv21", 5, 4), ("nv12", 5, 4)],
)
def test_odd_sizes_of_shared_colours_are_refused(encoding, height, width):
    with pytest.raises(UnreadableFrame, match=rf"{width}x{height} {encoding}.*even"):
        decode_image(encoding, height, width, 2 * width, np.zeros(200, np.uint8))


@pytest.mark.parametrize(
    ("height", "width", "step", "length"), [(0, 4, 12, 48), (4, 0, 12, 48), (4, 4, 11, 48), (4, 4, 12, 47)]
)
def test_sizes_that_contradict_each_other_are_refused(height, width, step, length):
    with pytest.raises(UnreadableFrame, match=f"{width}x{height} rgb8.*step {step} and {length} bytes"):
        decode_image("rgb8", height, width, step, np.zeros(length, np.uint8))


def test_nv12_needs_its_colour_rows():
    with pytest.raises(UnreadableFrame, match=r"step \* 6 bytes"):
        decode_image("nv12", 4, 4, 4, np.zeros(16, np.uint8))


def test_an_exif_orientation_is_ignored_as_the_node_ignores_it(live):
    from trust_seg_ros.image_messages import RawCompressed
    from trust_seg_ros.message_fields import HeaderFields

    jpeg = cv2.imencode(".jpg", np.zeros((16, 32, 3), np.uint8))[1].tobytes()
    tiff = b"MM\x00\x2a\x00\x00\x00\x08" + b"\x00\x01" + b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00" + bytes(4)
    exif = b"Exif\x00\x00" + tiff
    turned = np.frombuffer(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:], np.uint8)
    assert cv2.imdecode(turned, cv2.IMREAD_COLOR).shape == (32, 16, 3), "the file does ask to be turned"
    assert decode_compressed(turned).shape == (16, 32, 3)
    assert live.decompress(RawCompressed(HeaderFields(), "jpeg", turned), 1000).shape == (16, 32, 3)


def test_compressed_bytes_that_ask_for_too_much_are_refused():
    png = bytearray(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    png[16:24] = (1 << 20).to_bytes(4, "big") * 2
    with pytest.raises(UnreadableFrame, match="could not be decoded"):
        decode_compressed(np.frombuffer(bytes(png), np.uint8))
