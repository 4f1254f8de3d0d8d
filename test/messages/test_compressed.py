"""CompressedImage: the bytes say what file it is, ``format`` what its pixels mean."""

import cv2
import numpy as np
import pytest

from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.messages.compressed import PixelMeaning, decompress
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, RawCompressed, RawImage
from trust_seg_ros.messages.image_pixels import to_rgb

LIMIT = 1 << 26


def compressed(data, name="jpeg"):
    return RawCompressed(HeaderFields(), name, np.frombuffer(bytes(data), np.uint8))


def smooth():
    rows, columns = np.mgrid[:40, :60]
    return np.stack([rows * 6, columns * 4, rows + columns], 2).astype(np.uint8)


def file_of(suffix, pixels, *options):
    return cv2.imencode(suffix, np.ascontiguousarray(pixels), options)[1].tobytes()


def decoded(data, form, bits=None):
    return decompress(compressed(data, form), LIMIT, bits)


LOSSLESS = {".png": (), ".tif": (), ".webp": (cv2.IMWRITE_WEBP_QUALITY, 101), ".bmp": ()}


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("form", ["", "png", "jpeg", "image/tiff", "rgb8", "bgr8; png compressed bgr8", "\x01;;\u2603"])
def test_the_bytes_beat_the_name(suffix, form):
    data = file_of(suffix, smooth()[..., ::-1], *LOSSLESS[suffix])
    np.testing.assert_array_equal(decoded(data, form), smooth())


def test_jpeg_decodes_to_rgb():
    jpeg = decoded(file_of(".jpg", smooth()[..., ::-1]), "rgb8; jpeg compressed bgr8")
    np.testing.assert_allclose(jpeg.astype(int), smooth().astype(int), atol=16)


@pytest.mark.parametrize("grey", [".jpg", ".png", ".tif"])
def test_grey_files_become_three_channels(grey):
    result = decoded(file_of(grey, smooth()[..., 0]), "mono8; jpeg compressed mono8")
    assert result.shape == (40, 60, 3)
    assert np.abs(result[..., 0].astype(int) - smooth()[..., 0]).max() <= 4


@pytest.mark.parametrize("target", ["rgb8", "rgba8"])
@pytest.mark.parametrize("source", ["rgb8", "bgr8", "bgra8"])
def test_a_target_of_rgb_means_swapped_channels_in_the_file(source, target):
    """image_transport hands the target's pixels to OpenCV, which takes them for BGR."""
    pixels = smooth() if target == "rgb8" else np.dstack([smooth(), np.full((40, 60), 9, np.uint8)])
    data = file_of(".png", pixels)
    np.testing.assert_array_equal(decoded(data, f"{source}; png compressed {target}"), smooth())


@pytest.mark.parametrize(("source", "pixels"), [("rgb8", smooth()), ("bgr8", smooth()[..., ::-1])])
def test_a_tiff_of_image_transport_has_the_order_of_its_source(source, pixels):
    np.testing.assert_array_equal(decoded(file_of(".tif", pixels), f"{source}; tiff compressed "), smooth())


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("rest", ["; png compressed ", "; png compressed bayer_{}8", "", "; jpeg compressed"])
def test_a_grey_file_of_a_mosaic_becomes_colours_like_a_raw_one(pattern, rest):
    mosaic = np.random.default_rng(1).integers(0, 256, (12, 16), np.uint8)
    message = RawImage(HeaderFields(), 12, 16, f"bayer_{pattern}8", False, 16, mosaic.reshape(-1))
    result = decoded(file_of(".png", mosaic), f"bayer_{pattern}8" + rest.format(pattern))
    np.testing.assert_array_equal(result, to_rgb(message, LIMIT))


def test_a_mosaic_that_was_converted_before_is_not_converted_again():
    data = file_of(".png", smooth()[..., ::-1])
    np.testing.assert_array_equal(decoded(data, "bayer_rggb8; png compressed bgr8"), smooth())
    grey = decoded(file_of(".png", smooth()[..., 0]), "bayer_rggb8; jpeg compressed mono8")
    np.testing.assert_array_equal(grey, np.repeat(smooth()[..., :1], 3, 2))


def test_a_mosaic_too_small_to_convert_is_refused():
    with pytest.raises(ImageError, match=r"size 2 × 9, bayer_rggb needs at least 3 × 3"):
        decoded(file_of(".png", np.zeros((9, 2), np.uint8)), "bayer_rggb8; png compressed ")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_files_keep_the_bits_in_use(suffix, channels):
    wide = smooth()[..., :channels].astype(np.uint16) << 4
    wide[0, 0] = 4095
    expected = smooth()[..., :channels].copy()
    expected[0, 0] = 255
    found = BitRange()
    source = "mono16" if channels == 1 else "bgr16"
    result = decoded(file_of(suffix, wide[..., ::-1]), f"{source}; png compressed bgr16", found)
    np.testing.assert_array_equal(result, np.broadcast_to(expected, (40, 60, 3)))
    (remark,) = found.remarks
    assert remark == f"{source}: 12 of 16 bits are in use (found in its values; the node's image_bits fixes it)"


def test_a_mosaic_of_16_bits():
    mosaic = np.random.default_rng(1).integers(0, 65536, (12, 16), np.uint16)
    message = RawImage(HeaderFields(), 12, 16, "bayer_gbrg16", False, 32, mosaic.reshape(-1).view(np.uint8))
    result = decoded(file_of(".png", mosaic), "bayer_gbrg16; png compressed ")
    np.testing.assert_array_equal(result, to_rgb(message, LIMIT))


@pytest.mark.parametrize("form", ["32FC1; compressedDepth", "16UC1; compressedDepth png", "16UC1; compressedDepth rvl"])
def test_depth_images_are_named(form):
    data = bytes(12) + file_of(".png", np.zeros((9, 9), np.uint16))
    with pytest.raises(
        ImageError, match=rf"'{form}' is a depth image.*choose the camera's colour topic.*expected JPEG"
    ):
        decoded(data, form)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_every_cut_of_a_file_is_refused(suffix):
    data = file_of(suffix, smooth())
    for length in [*range(0, len(data) - 1, max(1, len(data) // 40)), len(data) - 1]:
        with pytest.raises(ImageError, match="image refused: "):
            decoded(data[:length], "jpeg")


def test_huge_and_foreign_files_are_refused():
    for suffix in (".png", ".jpg", ".tif", ".webp", ".bmp"):
        with pytest.raises(ImageError, match=r"60 × 40 is 2400 pixels, expected at most 2399"):
            decompress(compressed(file_of(suffix, smooth())), 2399)
    with pytest.raises(ImageError, match=r"'theora'.*starting with '00 00 00 01 67 00 00 00', expected JPEG, PNG"):
        decoded(b"\0\0\0\1\x67" + bytes(40), "theora")


@pytest.mark.parametrize(
    ("form", "meaning"),
    [
        ("", PixelMeaning("")),
        ("jpeg", PixelMeaning("jpeg")),
        ("rgb8; jpeg compressed bgr8", PixelMeaning("rgb8")),
        ("mono16; png compressed ", PixelMeaning("mono16")),
        ("bgr8;jpeg compressed rgb8", PixelMeaning("bgr8", swapped=True)),
        ("bayer_rggb16; png compressed ", PixelMeaning("bayer_rggb16", mosaic="bayer_rggb")),
        ("bayer_rggb8; jpeg compressed bayer_grbg8", PixelMeaning("bayer_rggb8", mosaic="bayer_grbg")),
        ("16UC1; compressedDepth", PixelMeaning("16UC1", depth=True)),
    ],
)
def test_what_a_format_says(form, meaning):
    assert PixelMeaning.of(form) == meaning


def test_video_is_no_image_file_and_the_way_out_is_said():
    message = RawCompressed(HeaderFields(), "h264", np.frombuffer(b"\0\0\0\1g", np.uint8))
    with pytest.raises(ImageError, match="'h264' is video, whose packets the node decodes"):
        decompress(message, 1000)
