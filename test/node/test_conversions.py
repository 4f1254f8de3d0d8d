import dataclasses
import sys

import cv2
import numpy as np
import pytest

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, RawCompressed, RawImage
from trust_seg_ros.messages.image_pixels import ENCODINGS, decompress
from trust_seg_ros.node import conversions
from trust_seg_ros.node.conversions import to_rgb

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
    }.items():
        np.testing.assert_array_equal(to_rgb(raw(pixels, encoding, pad=pad), LIMIT), picture, err_msg=encoding)


def test_rgb8_is_a_view_into_the_message(picture):
    message = raw(picture, "rgb8", pad=3)
    assert np.shares_memory(to_rgb(message, LIMIT), message.data)


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


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_of_one_colour_is_that_colour(pattern):
    colour = {"r": 200, "g": 90, "b": 30}
    tile = np.array([[colour[c] for c in pattern[:2]], [colour[c] for c in pattern[2:]]], np.uint8)
    mosaic = np.tile(tile, (4, 5))
    result = to_rgb(raw(mosaic, f"bayer_{pattern}8", pad=1), LIMIT)
    np.testing.assert_array_equal(result, np.broadcast_to(np.array([200, 90, 30], np.uint8), (8, 10, 3)))


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


BRIDGE = """
from pathlib import Path
with open(Path(__file__).with_suffix(".log"), "a") as log:
    log.write("imported ")
{body}
"""


@pytest.fixture
def cv_bridge(tmp_path, monkeypatch):
    """Installs a module of that name; returns what was done with it."""
    conversions._cv_bridge.cache_clear()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv_bridge", raising=False)

    def install(body):
        (tmp_path / "cv_bridge.py").write_text(BRIDGE.format(body=body))
        return tmp_path / "cv_bridge.log"

    yield install
    conversions._cv_bridge.cache_clear()
    sys.modules.pop("cv_bridge", None)


def test_a_cv_bridge_that_cannot_be_imported_is_tried_once(cv_bridge, picture):
    log = cv_bridge("raise AttributeError('_ARRAY_API not found')")
    for _ in range(3):
        with pytest.raises(ImageError, match="others need cv_bridge"):
            to_rgb(raw(picture, "rgb16"), LIMIT)
    assert log.read_text().count("imported") == 1


def test_cv_bridge_reads_what_the_table_does_not_and_gets_whole_images_only(cv_bridge, picture):
    log = cv_bridge(
        "import numpy as np\n"
        "class CvBridge:\n"
        "    def imgmsg_to_cv2(self, msg, encoding):\n"
        "        return np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)[:, :24].reshape(6, 8, 3)\n"
    )
    message = raw(picture, "strange")
    for _ in range(2):
        np.testing.assert_array_equal(to_rgb(message, LIMIT), picture)
    assert log.read_text().count("imported") == 1
    for changes in ({"data": message.data[:-1]}, {"step": 7}):
        with pytest.raises(ImageError, match="expected a step of at least the width 8"):
            to_rgb(dataclasses.replace(message, **changes), LIMIT)


def compressed(data, name="jpeg"):
    return RawCompressed(HeaderFields(), name, np.frombuffer(bytes(data), np.uint8))


def smooth():
    rows, columns = np.mgrid[:40, :60]
    return np.stack([rows * 6, columns * 4, rows + columns], 2).astype(np.uint8)


def test_png_and_jpeg_decode_to_rgb():
    bgr = np.ascontiguousarray(smooth()[..., ::-1])
    png = decompress(compressed(cv2.imencode(".png", bgr)[1].tobytes(), "rgb8; png compressed bgr8"), LIMIT)
    np.testing.assert_array_equal(png, smooth())
    jpeg = decompress(compressed(cv2.imencode(".jpg", bgr)[1].tobytes()), LIMIT)
    np.testing.assert_allclose(jpeg.astype(int), smooth().astype(int), atol=16)


@pytest.mark.parametrize("grey", [".jpg", ".png"])
def test_grey_files_become_three_channels(grey):
    result = decompress(compressed(cv2.imencode(grey, smooth()[..., 0])[1].tobytes()), LIMIT)
    assert result.shape == (40, 60, 3)
    assert np.abs(result[..., 0].astype(int) - smooth()[..., 0]).max() <= 4


@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_every_cut_of_a_file_is_refused(kind):
    data = cv2.imencode(kind, smooth())[1].tobytes()
    for length in [*range(0, len(data) - 1, max(1, len(data) // 40)), len(data) - 1]:
        with pytest.raises(ImageError):
            decompress(compressed(data[:length]), LIMIT)


@pytest.mark.parametrize("padding", [1, 4096, 200_000])
@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_a_file_padded_with_zeros_is_whole_and_a_cut_one_padded_with_zeros_is_not(kind, padding):
    data = cv2.imencode(kind, smooth())[1].tobytes()
    np.testing.assert_array_equal(
        decompress(compressed(data + bytes(padding)), LIMIT), decompress(compressed(data), LIMIT)
    )
    for cut in (1, 2, 100):
        with pytest.raises(ImageError, match="cut short"):
            decompress(compressed(data[:-cut] + bytes(padding)), LIMIT)


def test_an_end_marker_in_the_middle_is_none():
    data = cv2.imencode(".jpg", smooth())[1].tobytes()
    with pytest.raises(ImageError, match="cut short"):
        decompress(compressed(data + data[: len(data) // 2]), LIMIT)
    with pytest.raises(ImageError, match="cut short"):
        decompress(compressed(data[:-20] + b"\xff\xd9" + b"\x01" * 18), LIMIT)


def test_files_of_another_kind_and_huge_files_are_refused():
    with pytest.raises(ImageError, match=r"'32FC1; compressedDepth'.*expected a JPEG"):
        decompress(compressed(b"\0" * 40, "32FC1; compressedDepth"), LIMIT)
    with pytest.raises(ImageError, match=r"60 × 40 is 2400 pixels, expected at most 2399"):
        decompress(compressed(cv2.imencode(".png", smooth())[1].tobytes()), 2399)
    with pytest.raises(ImageError, match=r"60 × 40 is 2400 pixels, expected at most 2399"):
        decompress(compressed(cv2.imencode(".jpg", smooth())[1].tobytes()), 2399)


def test_corrupt_insides_are_refused_or_decoded_but_never_crash():
    data = bytearray(cv2.imencode(".png", smooth())[1].tobytes())
    data[60:90] = bytes(30)
    with pytest.raises(ImageError, match="PNG"):
        decompress(compressed(data), LIMIT)
