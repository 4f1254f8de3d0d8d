"""sensor_msgs/CompressedImage → RGB pixels.

The bytes say what kind of file they are; ``format`` says what the pixels in it mean. ROS writes it in image_transport
as ``ENCODING; CODEC compressed TARGET``: the encoding of the original message, and the one that was put into the file.
Others write the codec alone (``jpeg``), or the encoding alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.messages.encodings import MOSAICS, SMALLEST_MOSAIC
from trust_seg_ros.messages.image_bytes import ImageError, RawCompressed
from trust_seg_ros.messages.video import codec_of
from trust_seg_ros.support.encoded_image import EncodedImageError, decode

_TIFF = (b"II", b"MM")


@dataclass(frozen=True)
class PixelMeaning:
    """What ``format`` says about the pixels of the file.

    Attributes:
        source: encoding of the original message, or whatever stands there.
        swapped: the file holds blue where red belongs.
        mosaic: Bayer pattern of a grey file without its number of bits, such as "bayer_rggb"; "" if it is grey.
        depth: the transport of depth images.
    """

    source: str
    swapped: bool = False
    mosaic: str = ""
    depth: bool = False

    @classmethod
    def of(cls, text: str, tiff: bool = False) -> PixelMeaning:
        """Read a ``format``; any text is taken.

        image_transport hands the pixels of TARGET to OpenCV, which takes them for BGR. With a target that begins with
        rgb, red and blue are swapped in the file. TIFFs are written without a target, in the order of ENCODING.

        >>> PixelMeaning.of("rgb8; jpeg compressed bgr8").swapped
        False
        >>> PixelMeaning.of("bgr8; jpeg compressed rgb8").swapped
        True
        >>> PixelMeaning.of("bayer_rggb8; png compressed ").mosaic
        'bayer_rggb'
        """
        source, _, rest = (part.strip() for part in text.partition(";"))
        target = rest.partition("compressed ")[2].strip()
        stored = target or (source if tiff and "compressed" in rest else "")
        pattern = (target or source).rstrip("168")
        return cls(
            source=source,
            swapped=stored.startswith("rgb"),
            mosaic=pattern if pattern in MOSAICS else "",
            depth="compressedDepth" in rest,
        )


def decompress(
    image: RawCompressed, max_pixels: int, bits: BitRange | None = None, strict_jpeg: bool = True
) -> np.ndarray:
    """Decode a compressed image message (JPEG, PNG, TIFF, WebP or BMP) to RGB pixels.

    The size is read from the file's own header before anything is decoded, so a small message cannot ask for gigabytes.

    Args:
        image: the message.
        max_pixels: largest height · width accepted.
        bits: the camera's bits in use, for samples of 16 bits; None takes them from this image alone.
        strict_jpeg: refuse JPEGs whose decoder reports damage.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: another kind of file, damaged, cut short, or too large.
    """
    if codec_of(image.format):
        raise ImageError(
            f"image refused: format {image.format!r} is video, whose packets the node decodes in their order; play the "
            "recording to the node"
        )
    meaning = PixelMeaning.of(image.format, image.data[:2].tobytes() in _TIFF)
    try:
        pixels = decode(image.data, max_pixels, strict_jpeg)
    except EncodedImageError as error:
        raise ImageError(f"image refused: {_depth(meaning, image)}{error}") from error
    if pixels.dtype == np.uint16:
        pixels = (bits or BitRange()).to_8_bits(pixels, meaning.source or "16-bit file")
    if pixels.ndim == 2:
        return _from_grey(pixels, meaning)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if meaning.swapped else pixels


def _from_grey(pixels: np.ndarray, meaning: PixelMeaning) -> np.ndarray:
    if not meaning.mosaic:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if min(pixels.shape) < SMALLEST_MOSAIC:
        height, width = pixels.shape
        raise ImageError(
            f"image refused: size {width} × {height}, {meaning.mosaic} needs at least "
            f"{SMALLEST_MOSAIC} × {SMALLEST_MOSAIC}"
        )
    return MOSAICS[meaning.mosaic](pixels)


def _depth(meaning: PixelMeaning, image: RawCompressed) -> str:
    if meaning.depth:
        return f"format {image.format!r} is a depth image, which holds distances; choose the camera's colour topic: "
    return f"format {image.format!r}: "
