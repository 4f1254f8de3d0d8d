"""Masks as PNG, as image_transport sends them."""

import cv2
import numpy as np
import pytest

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.messages.compressed_masks import MASKS, png_fields
from trust_seg_ros.messages.fields import ImageFields
from trust_seg_ros.messages.outputs import OUTPUTS


@pytest.mark.parametrize(("encoding", "kind", "top"), [("mono8", np.uint8, 256), ("16UC1", np.uint16, 65535)])
@pytest.mark.parametrize("shape", [(48, 64), (1, 1), (5, 1027)])
def test_a_subscriber_of_image_transport_gets_the_same_pixels(encoding, kind, top, shape):
    """Its plugin takes the encoding before the semicolon, and decodes the file as it is."""
    pixels = np.random.default_rng(0).integers(0, top, shape).astype(kind)
    fields = png_fields(ImageFields(encoding, pixels))
    assert fields.format == f"{encoding}; png compressed "
    assert fields.format[: fields.format.find(";")] == encoding
    decoded = cv2.imdecode(fields.data, cv2.IMREAD_UNCHANGED)
    assert decoded.dtype == kind
    np.testing.assert_array_equal(decoded, pixels)


def test_a_mask_is_a_small_file():
    mask = np.zeros((360, 480), np.uint8)
    mask[200:, 100:300] = 7
    assert len(png_fields(ImageFields("mono8", mask)).data) < mask.size / 50


@pytest.mark.parametrize("encoding", ["32FC1", "rgb8"])
def test_what_png_would_change_is_refused(encoding):
    with pytest.raises(TrustSegError, match=f"{encoding} is not sent as PNG; expected mono8 or 16UC1"):
        png_fields(ImageFields(encoding, np.zeros((2, 2, 3), np.uint8)))


def test_the_masks_are_the_outputs_whose_encoding_is_always_one_of_a_png():
    assert set(MASKS) == {name for name, output in OUTPUTS.items() if output.encoding in ("mono8", "16UC1")}
