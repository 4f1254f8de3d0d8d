"""Encoded images: whole ones are decoded as OpenCV does, damaged ones refused."""

import io
import logging
import struct

import cv2
import numpy as np
import pytest
from PIL import Image
from places import CAMVID, needs_camvid

from trust_seg_ros.support import encoded_image
from trust_seg_ros.support.encoded_image import EncodedImageError, decode, jpeg_remark
from trust_seg_ros.support.image_headers import read_header

NOISE = np.random.default_rng(3).integers(0, 255, (48, 64, 3), np.uint8)
SAMPLING = {"4:4:4": 0x111111, "4:2:2": 0x211111, "4:2:0": 0x221111, "4:4:0": 0x121111, "4:1:1": 0x411111}


def picture():
    """Large enough for blocks of 1,400 bytes: smooth shapes with some noise, 480 × 360."""
    rows, columns = np.mgrid[:360, :480]
    base = np.stack([128 + 100 * np.sin(columns / 40), rows / 2, 255 - columns / 3], 2)
    return np.clip(base + np.random.default_rng(0).normal(0, 12, base.shape), 0, 255).astype(np.uint8)


def jpeg(pixels, *options):
    return cv2.imencode(".jpg", pixels, options)[1].tobytes()


def pillow(mode, kind="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(picture()).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def by_opencv(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1]


@pytest.mark.parametrize("sampling", SAMPLING)
@pytest.mark.parametrize("progressive", [0, 1])
def test_jpegs_give_the_pixels_that_opencv_gives(sampling, progressive):
    data = jpeg(
        picture(), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[sampling], cv2.IMWRITE_JPEG_PROGRESSIVE, progressive
    )
    np.testing.assert_array_equal(decode(data), by_opencv(data))


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_other_colour_spaces_give_the_pixels_that_opencv_gives(mode):
    data = pillow(mode)
    pixels = decode(data)
    assert pixels.ndim == (2 if mode == "L" else 3)
    np.testing.assert_array_equal(np.atleast_3d(pixels), by_opencv(data)[..., : np.atleast_3d(pixels).shape[2]])


@pytest.mark.parametrize("restarts", [0, 4])
@pytest.mark.parametrize("kind", ["overwritten", "cut", "cut and ended", "cut and padded"])
def test_jpegs_with_damaged_blocks_are_refused(kind, restarts):
    whole = jpeg(picture(), cv2.IMWRITE_JPEG_RST_INTERVAL, restarts)
    rng = np.random.default_rng(1)
    for at in rng.integers(1000, len(whole) - 1500, 20):
        data = bytearray(whole)
        if kind == "overwritten":
            data[at : at + 1400] = rng.integers(0, 256, 1400, np.uint8).tobytes()
        else:
            data[at:] = {"cut": b"", "cut and ended": b"\xff\xd9", "cut and padded": bytes(len(whole) - at)}[kind]
        with pytest.raises(EncodedImageError, match="of JPEG are damaged or cut short"):
            decode(bytes(data))


@needs_camvid
def test_zeroed_blocks_of_photographs_are_refused():
    for path in sorted((CAMVID / "test" / "images").iterdir())[:20]:
        data = bytearray(path.read_bytes())
        at = len(data) // 2
        data[at : at + 1400] = bytes(1400)
        with pytest.raises(EncodedImageError, match="damaged or cut short"):
            decode(bytes(data))


@pytest.mark.parametrize(
    "behind", [b"\n", b"\0", b"\xff\xff", b"\xff\xd8\xff", bytes(200_000), NOISE.tobytes()[:4096]], ids=len
)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_bytes_behind_the_end_do_not_matter(suffix, behind):
    data = cv2.imencode(suffix, NOISE)[1].tobytes()
    np.testing.assert_array_equal(decode(data + behind), decode(data))


@pytest.mark.parametrize("kind", ["zeroed", "overwritten", "swapped", "flipped"])
def test_damaged_pngs_are_refused(kind):
    whole = cv2.imencode(".png", picture())[1].tobytes()
    rng = np.random.default_rng(2)
    for at in rng.integers(100, len(whole) // 2, 10):
        data, other = bytearray(whole), at + len(whole) // 3
        if kind == "flipped":
            data[at] ^= 1 << rng.integers(8)
        elif kind == "swapped":
            data[at : at + 1400], data[other : other + 1400] = whole[other : other + 1400], whole[at : at + 1400]
        else:
            data[at : at + 1400] = bytes(1400) if kind == "zeroed" else rng.integers(0, 256, 1400, np.uint8).tobytes()
        with pytest.raises(EncodedImageError, match="of PNG"):
            decode(bytes(data))


def test_a_png_with_a_part_of_4_gb_reserves_no_memory():
    data = bytearray(cv2.imencode(".png", NOISE)[1].tobytes())
    at = data.index(b"IDAT") - 4
    data[at : at + 4] = b"\xff\xff\xff\xf0"
    with pytest.raises(EncodedImageError, match="bytes of PNG are damaged or cut short"):
        read_header(bytes(data))


def test_a_jpeg_of_12_bits_is_refused_with_a_way_out():
    data = jpeg(NOISE)
    at = data.index(b"\xff\xc0") + 4
    with pytest.raises(EncodedImageError, match="JPEG of 12 bits per sample, expected 8; save it as"):
        decode(data[:at] + b"\x0c" + data[at + 1 :])


def test_floats_in_a_tiff_are_refused():
    data = cv2.imencode(".tif", np.ones((9, 9), np.float32))[1].tobytes()
    with pytest.raises(EncodedImageError, match="TIFF of 32 bits per sample, floats or signed numbers such as depth"):
        decode(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes expected JPEG, PNG, TIFF, WebP or BMP: damaged, cut off, or something else"),
        (b"GIF89a....", "10 bytes starting with '47 49 46 38 39 61 2e 2e', expected JPEG"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer instead of the image; .*git lfs pull"),
        (b"\xff\xd8\xff\xe0\x00\x10", "6 bytes of JPEG without a size in its header"),
        (b"II*\0" + struct.pack("<I", 1 << 31), "8 bytes of TIFF without a size"),
        (b"BM" + bytes(30), "size 0 × 0, expected at least 1 × 1"),
    ],
)
def test_what_is_no_image_is_refused(data, reason):
    with pytest.raises(EncodedImageError, match=reason):
        decode(data)


def test_small_files_that_state_a_huge_size_are_refused_before_decoding():
    data = bytearray(jpeg(NOISE))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65500, 65500)
    with pytest.raises(EncodedImageError, match=r"4290250000 pixels, expected at most 40000000 \(parameter max_image"):
        decode(bytes(data), 40_000_000)


def test_without_simplejpeg_jpegs_are_decoded_by_opencv_and_that_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(encoded_image, "simplejpeg", None)
    encoded_image._remark_once.cache_clear()
    whole = jpeg(picture())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            np.testing.assert_array_equal(decode(whole), by_opencv(whole))
    assert [r.message for r in caplog.records] == [jpeg_remark()]
    assert "damaged JPEGs are not noticed: simplejpeg is missing" in jpeg_remark()


def test_damage_is_let_through_where_it_is_asked_for():
    whole = jpeg(picture())
    cut = whole[: len(whole) // 2] + b"\xff\xd9"
    assert decode(cut, strict_jpeg=False).shape == (360, 480, 3)
    assert "refuse_damaged_jpegs is false" in jpeg_remark(False)
    assert jpeg_remark() == ""
