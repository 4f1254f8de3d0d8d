"""Messages of the camera → RGB frames: images of any encoding, files, and packets of video."""

from __future__ import annotations

from collections.abc import Callable

from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_pixels import frame_of
from trust_seg_ros.messages.video import VideoDecoder, VideoPacket, frame_of_video
from trust_seg_ros.node.arrivals import COMPRESSED, PACKETS, Arrived
from trust_seg_ros.node.conversions import read_compressed, read_image, read_packet
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.support.encoded_image import jpeg_remark
from trust_seg_ros.types import Frame

_MOST_SKIPPED = 60
"""Pictures in a row that are only decoded, at most: where decoding alone is too slow, one is judged all the same."""


class ImageReader:
    """Reads the messages of one camera, in their order.

    Args:
        image_bits: bits in use of 16-bit images; 0 = found in the values.
        waiting: returns how many messages wait behind this one.
    """

    def __init__(self, image_bits: int, waiting: Callable[[], int] = lambda: 0) -> None:
        self._bits, self._waiting = BitRange(image_bits), waiting
        self._video: VideoDecoder | None = None
        self._max_pixels = self._skipped = 0
        self.remarks: tuple[str, ...] = ()
        """What is to be said about how the camera's images are read."""

    def read(self, arrived: Arrived, settings: NodeSettings) -> tuple[HeaderFields, Frame] | None:
        """Header and RGB frame of a message; None of a packet of video whose picture is not wanted, or not ready.

        Raises:
            ImageError: the message cannot be used; the text says why.
        """
        strict = settings.refuse_damaged_jpegs
        self.remarks = self._bits.remarks
        if arrived.video:
            return self._picture(arrived, settings)
        compressed = arrived.kind == COMPRESSED
        message = read_compressed(arrived.data) if compressed else read_image(arrived.data)
        header, frame = frame_of(message, settings.max_image_pixels, self._bits, strict)
        self.remarks = self._bits.remarks
        if compressed and (doubt := jpeg_remark(strict)):
            self.remarks += (doubt,)
        return header, frame

    def skip(self, arrived: Arrived) -> None:
        """A message is not read, as nobody listens: a video can only be continued at a key frame."""
        if arrived.video and self._video is not None:
            self._video.lost("nobody listened")

    def _picture(self, arrived: Arrived, settings: NodeSettings) -> tuple[HeaderFields, Frame] | None:
        message = (read_packet if arrived.kind == PACKETS else read_compressed)(arrived.data)
        if self._video is None or self._max_pixels != settings.max_image_pixels:
            self._max_pixels = settings.max_image_pixels
            self._video = VideoDecoder(self._max_pixels)
        pictures = self._video.decode(VideoPacket.of(message))
        self._skipped += 1
        newer = settings.mode == "latest" and self._waiting() > 0 and self._skipped < _MOST_SKIPPED
        if not pictures or newer:
            return None
        self._skipped = 0
        header, picture = pictures[-1]
        return header, frame_of_video(header, picture)
