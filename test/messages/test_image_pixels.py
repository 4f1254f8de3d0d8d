import dataclasses
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.messages.encodings import ENCODINGS
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, RawImage
from trust_seg_ros.messages.image_pixels import to_rgb

LIMIT = 1 << 26


def raw(array, encoding, *, pad=0, height=None, width=None, big=False, **changes):
    """The message a camera would send for (rows, W[, C]) pixels, with ``pad`` bytes after every row."""
    rows = np.ascontiguousarray(array).view(np.uint8).reshape(array.shape[0], -1)
    padded = np.pad(rows, ((0, 0), (0, pad)), constant_values=77)
    data = np.frombuffer(padded.tobytes(), np.uint8)
    fields = {
        "header": HeaderFields(),
        "height": array.shape[0] if height is None else height,
        "width": array.shape[1] if width is None else width,
        "encoding": encoding,
        "is_bigendian": big,
        "step": padded.shape[1],
        "data": data,
    }
    return RawImage(**(fields | changes))


@pytest.fixture
def picture():
    return np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("pad", [0, 5])
def test_colour_orders(picture, pad):
    alpha = np.full((6, 8, 1), 9, np.uint8)
    bgr = picture[..., ::-1]
    for encoding, pixels in {
        "rgb8": picture,
        "bgr8": bgr,
        "8UC3": bgr,
        "rgba8": np.concatenate([picture, alpha], 2),
        "bgra8": np.concatenate([bgr, alpha], 2),
        "8UC4": np.concatenate([bgr, alpha], 2),
    }.items():
        np.testing.assert_array_equal(to_rgb(raw(pixels, encoding, pad=pad), LIMIT), picture, err_msg=encoding)


def test_rgb8_is_a_view_into_the_message(picture):
    message = raw(picture, "rgb8", pad=3)
    assert np.shares_memory(to_rgb(message, LIMIT), message.data)


@pytest.mark.parametrize("pad", [0, 6])
@pytest.mark.parametrize("big", [False, True])
def test_colours_of_16_bits(picture, pad, big):
    wide = picture.astype(">u2" if big else "<u2") * 257
    wide[0, 0] = 65535
    expected = picture.copy()
    expected[0, 0] = 255
    bgr, alpha = wide[..., ::-1], np.full((6, 8, 1), 65535, wide.dtype)
    for encoding, pixels in {
        "rgb16": wide,
        "bgr16": bgr,
        "16UC3": bgr,
        "rgba16": np.concatenate([wide, alpha], 2),
        "bgra16": np.concatenate([bgr, alpha], 2),
        "16UC4": np.concatenate([bgr, alpha], 2),
    }.items():
        message = raw(pixels.astype(wide.dtype), encoding, pad=pad, width=8, big=big)
        np.testing.assert_array_equal(to_rgb(message, LIMIT), expected, err_msg=encoding)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_becomes_three_equal_channels(encoding):
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    np.testing.assert_array_equal(to_rgb(raw(grey, encoding, pad=2), LIMIT), np.repeat(grey[..., None], 3, 2))


@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
@pytest.mark.parametrize("big", [False, True])
def test_16_bit_grey_keeps_its_upper_byte_in_either_byte_order(encoding, big):
    grey = (np.arange(48, dtype=np.uint16).reshape(6, 8) * 1311).astype(">u2" if big else "<u2")
    expected = np.repeat((grey // 256).astype(np.uint8)[..., None], 3, 2)
    np.testing.assert_array_equal(to_rgb(raw(grey, encoding, pad=4, width=8, big=big), LIMIT), expected)


@pytest.mark.parametrize(("largest", "bits"), [(255, 8), (256, 10), (1023, 10), (4095, 12), (9000, 14), (16384, 16)])
def test_the_bits_in_use_are_found(largest, bits):
    grey = np.full((6, 8), largest // 2, "<u2")
    grey[2, 3] = largest
    found = BitRange()
    result = to_rgb(raw(grey, "mono16", width=8), LIMIT, found)
    assert found.bits == bits
    assert result[2, 3].tolist() == [largest >> bits - 8] * 3
    (remark,) = found.remarks
    assert remark == f"mono16: {bits} of 16 bits are in use (found in its values; the node's image_bits fixes it)"


def test_the_bits_in_use_grow_and_never_shrink():
    found = BitRange()
    dark, bright = (np.full((6, 8), value, "<u2") for value in (900, 4000))
    shown = [to_rgb(raw(grey, "mono16", width=8), LIMIT, found)[0, 0, 0] for grey in (dark, bright, dark)]
    assert shown == [900 >> 2, 4000 >> 4, 900 >> 4]
    assert len(found.remarks) == 1
    assert "12 of 16 bits" in found.remarks[0]


def test_fixed_bits_are_kept_and_larger_values_become_white():
    fixed = BitRange(12)
    grey = np.full((6, 8), 300, "<u2")
    grey[0, 0] = 5000
    result = to_rgb(raw(grey, "mono16", width=8), LIMIT, fixed)
    assert result[0, 0, 0] == 255
    assert result[1, 1, 0] == 300 >> 4
    assert fixed.remarks == ()
    assert to_rgb(raw(grey, "mono16", width=8), LIMIT, BitRange(4))[1, 1, 0] == 255


@pytest.mark.parametrize("bits", range(1, 17))
def test_every_value_becomes_its_upper_8_bits(bits):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    limited = np.minimum(values, (1 << bits) - 1).astype(int)
    expected = limited >> bits - 8 if bits >= 8 else np.minimum(values.astype(int) << 8 - bits, 255)
    for samples in (values, values.astype(">u2"), np.dstack([values] * 4)[..., 0]):
        np.testing.assert_array_equal(BitRange(bits).to_8_bits(samples, "mono16"), expected)


def test_a_depth_image_among_16_bit_greys_is_named():
    found = BitRange()
    to_rgb(raw(np.full((6, 8), 3000, "<u2"), "16UC1", width=8), LIMIT, found)
    assert "if these are distances of a depth camera, choose its colour topic" in found.remarks[0]


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_mosaic_of_12_bits_is_that_of_its_upper_8(pattern):
    mosaic = np.random.default_rng(5).integers(0, 256, (8, 10), np.uint8)
    mosaic[0, 0] = 255
    wide = mosaic.astype("<u2") << 4
    expected = to_rgb(raw(mosaic, f"bayer_{pattern}8"), LIMIT)
    np.testing.assert_array_equal(to_rgb(raw(wide, f"bayer_{pattern}16", pad=2, width=10), LIMIT), expected)


def rgb_of_yuv(y, u, v):
    """ITU-R BT.601, limited range, as cameras send it."""
    y, u, v = (np.asarray(part, np.float64) for part in (y, u, v))
    c = 1.164383 * (y - 16)
    rgb = np.stack(
        [c + 1.596027 * (v - 128), c - 0.391762 * (u - 128) - 0.812968 * (v - 128), c + 2.017232 * (u - 128)]
    )
    return np.clip(np.moveaxis(rgb, 0, -1), 0, 255)


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuyv", "yuv422_yuy2"])
def test_packed_yuv(encoding):
    rng = np.random.default_rng(1)
    y = rng.integers(16, 236, (6, 8), dtype=np.uint8)
    u, v = (rng.integers(60, 200, (6, 4), dtype=np.uint8) for _ in range(2))
    chroma = np.stack([u, v], 2).reshape(6, 8)
    pixels = np.stack([chroma, y] if encoding in ("yuv422", "uyvy") else [y, chroma], 2)
    expected = rgb_of_yuv(y, np.repeat(u, 2, 1), np.repeat(v, 2, 1))
    np.testing.assert_allclose(to_rgb(raw(pixels, encoding, pad=6), LIMIT), expected, atol=2)


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
@pytest.mark.parametrize("pad", [0, 8])
def test_planar_yuv(encoding, pad):
    rng = np.random.default_rng(2)
    y = rng.integers(16, 236, (6, 8), dtype=np.uint8)
    u, v = (rng.integers(60, 200, (3, 4), dtype=np.uint8) for _ in range(2))
    pairs = [u, v] if encoding == "nv12" else [v, u]
    buffer = np.concatenate([y, np.stack(pairs, 2).reshape(3, 8)])
    big = [np.repeat(np.repeat(part, 2, 0), 2, 1) for part in (u, v)]
    result = to_rgb(raw(buffer, encoding, pad=pad, height=6), LIMIT)
    np.testing.assert_allclose(result, rgb_of_yuv(y, *big), atol=2)


@pytest.mark.parametrize("pad", [0, 3])
def test_planar_yuv_with_a_colour_for_every_pixel(pad):
    rng = np.random.default_rng(2)
    y = rng.integers(16, 236, (5, 7), dtype=np.uint8)
    u, v = (rng.integers(60, 200, (5, 7), dtype=np.uint8) for _ in range(2))
    pairs = np.stack([u, v], 2).reshape(5, 14)
    rows = [np.pad(y, ((0, 0), (0, pad))), np.pad(pairs, ((0, 0), (0, 2 * pad)))]
    data = np.concatenate([part.reshape(-1) for part in rows])
    message = raw(y, "nv24", data=data, step=7 + pad)
    np.testing.assert_allclose(to_rgb(message, LIMIT), rgb_of_yuv(y, u, v), atol=1)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_of_one_colour_is_that_colour(pattern):
    colour = {"r": 200, "g": 90, "b": 30}
    tile = np.array([[colour[c] for c in pattern[:2]], [colour[c] for c in pattern[2:]]], np.uint8)
    mosaic = np.tile(tile, (4, 5))
    result = to_rgb(raw(mosaic, f"bayer_{pattern}8", pad=1), LIMIT)
    np.testing.assert_array_equal(result, np.broadcast_to(np.array([200, 90, 30], np.uint8), (8, 10, 3)))


HEADER = "include/sensor_msgs/sensor_msgs/image_encodings.hpp"


def test_every_encoding_that_ros_names_is_read_or_refused_with_a_way_out():
    header = Path(sys.prefix) / HEADER
    if not header.is_file():
        pytest.skip("sensor_msgs is installed without its headers")
    names = re.findall(r'const char \w+\[\] = "(\w+)";', header.read_text())
    assert len(names) > 50
    refused = []
    for name in names:
        message = raw(np.zeros((12, 64), np.uint8), name, height=4, width=4)
        if name in ENCODINGS:
            result = to_rgb(message, LIMIT)
            assert (result.shape, result.dtype) == ((4, 4, 3), np.uint8), name
            continue
        refused.append(name)
        with pytest.raises(ImageError, match="choose the camera's colour topic, or have it publish rgb8"):
            to_rgb(message, LIMIT)
    numbers = [f"{kind}C{n}" for kind in ("8S", "16S", "32S", "32F", "64F") for n in "1234"]
    assert sorted(refused) == sorted([*numbers, "8UC2", "16UC2"])


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [
        ("32FC1", "holds numbers such as depth in metres, expected colours or greys"),
        ("16SC1", "holds signed numbers"),
        ("8UC2", "has 2 channels, expected 1, 3 or 4"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(encoding, reason):
    with pytest.raises(ImageError, match=reason):
        to_rgb(raw(np.zeros((4, 64), np.uint8), encoding, width=4), LIMIT)


def test_no_message_recommends_cv_bridge():
    found = [p for p in (ROOT / "trust_seg_ros").rglob("*.py") if "cv_bridge" in p.read_text("utf-8")]
    assert found == []


def test_every_encoding_of_the_table_yields_rgb():
    for name, encoding in ENCODINGS.items():
        data = np.zeros((int(4 * encoding.rows), 4 * encoding.pixel_bytes), np.uint8)
        result = to_rgb(raw(data, name, height=4, width=4), LIMIT)
        assert (result.shape, result.dtype) == ((4, 4, 3), np.uint8), name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "rgb565"}, ["'rgb565'", "expected one of rgb8"]),
        ({"encoding": ""}, ["''", "expected one of"]),
        ({"step": 23}, ["step is 23", "at least 24", "8 pixels"]),
        ({"step": 0}, ["step is 0", "at least 24"]),
        ({"step": 25}, ["144 bytes", "expected 150"]),
        ({"data": np.zeros(100, np.uint8)}, ["100 bytes", "expected 144"]),
        ({"data": np.zeros(0, np.uint8)}, ["0 bytes", "expected 144"]),
        ({"height": 0}, ["8 × 0", "at least 1 × 1"]),
        ({"width": 0}, ["0 × 6", "at least 1 × 1"]),
        ({"height": 2**32 - 1, "width": 2**32 - 1}, ["4294967295 × 4294967295", "at most 67108864"]),
        ({"encoding": "nv12", "height": 5}, ["8 × 5", "even"]),
        ({"encoding": "yuyv", "width": 7}, ["7 × 6", "even"]),
        ({"encoding": "bayer_rggb8", "width": 2}, ["2 × 6", "at least 3 × 3"]),
        ({"encoding": "bayer_grbg8", "height": 1}, ["8 × 1", "at least 3 × 3"]),
    ],
)
def test_impossible_images_are_refused_by_name(picture, changes, words):
    with pytest.raises(ImageError) as error:
        to_rgb(dataclasses.replace(raw(picture, "rgb8"), **changes), LIMIT)
    for word in words:
        assert word in str(error.value)
