"""Video packets → RGB pixels: H.264 and H.265 in sensor_msgs/CompressedImage, and packets of ffmpeg_image_transport.

A picture of a video refers to earlier ones, so every packet is decoded, in order, whether its picture is wanted or not.
Where one is missing, pictures are smeared until the next key frame; they are refused until then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.h26x import H264Stream, has_key_frame_h265, units
from trust_seg_ros.messages.image_bytes import ImageError, RawCompressed, RawPacket
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.types import Frame

if TYPE_CHECKING:
    import av

H264, H265 = "h264", "hevc"
_NAMES = ((re.compile(r"264|\bavc"), H264), (re.compile(r"265|hevc"), H265))
_KEY_FLAG = 1
"""AV_PKT_FLAG_KEY, in the flags of an FFMPEGPacket."""
_MOST_DELAYED = 64
"""Pictures that a decoder may hold back, at most: their headers are kept."""


class VideoError(ImageError):
    """A packet gives no picture; the text says why, and from when on there will be pictures again."""


def codec_of(text: str) -> str:
    """The codec that a message names, as FFmpeg calls it; "" for none.

    >>> codec_of("h265"), codec_of("video/H.264"), codec_of("bgr8; jpeg compressed bgr8")
    ('hevc', 'h264', '')
    """
    return next((name for pattern, name in _NAMES if pattern.search(text.lower())), "")


@dataclass(frozen=True)
class VideoPacket:
    """One packet.

    Attributes:
        header: of the message.
        codec: ``h264``, ``hevc`` or another name of FFmpeg.
        data: the packet; of H.264 and H.265 in Annex B form.
        key: whether decoding can begin here; None where the packet itself must say.
        number: its ``pts``; None without one. Where it counts packets one by one, a missing packet is noticed.
    """

    header: HeaderFields
    codec: str
    data: bytes
    key: bool | None = None
    number: int | None = None

    @classmethod
    def of(cls, message: RawCompressed | RawPacket) -> VideoPacket:
        """The packet in a message.

        Raises:
            VideoError: the message names no codec.
        """
        if isinstance(message, RawCompressed):
            return cls(message.header, codec_of(message.format), message.data.tobytes())
        name = message.encoding.split(";")[0].strip()
        if not name:
            raise VideoError(f"packet refused: encoding {message.encoding!r} names no codec, expected for example h264")
        codec, key = codec_of(name) or name, bool(message.flags & _KEY_FLAG)
        return cls(message.header, codec, message.data.tobytes(), key, message.pts)


class VideoDecoder:
    """Decodes one stream.

    Args:
        max_pixels: largest height · width.

    Raises:
        VideoError: PyAV is missing.
    """

    def __init__(self, max_pixels: int) -> None:
        try:
            import av
        except ImportError as error:
            raise VideoError(f"video needs PyAV; install it: {how_to_install('av')}") from error
        self._av, self._max_pixels = av, max_pixels
        self._codec = ""
        self._context: Any = None
        self._headers: dict[int, HeaderFields] = {}
        self._count = 0
        self._stamp: int | None = None
        self.lost("the stream begins")

    def lost(self, why: str) -> None:
        """Packets are missing before the next one: wait for a key frame."""
        self._waiting, self._h264 = why, H264Stream()
        self._number: int | None = None
        self._counts = False
        self._headers.clear()
        self._context = None

    def decode(self, packet: VideoPacket) -> list[tuple[HeaderFields, av.VideoFrame]]:
        """Decode the next packet.

        Args:
            packet: in the order of the stream.

        Returns:
            The pictures that are ready, with the headers of their packets: usually one; none where the stream has
            pictures that refer to later ones.

        Raises:
            VideoError: no picture can be had; the text says why.
        """
        self._follow(packet)
        self._count += 1
        self._headers[self._count] = packet.header
        while len(self._headers) > _MOST_DELAYED:
            del self._headers[min(self._headers)]
        data = self._av.Packet(len(packet.data))  # with the zeros behind it that decoders read; of bytes it has none
        data.update(packet.data)
        data.pts = self._count
        try:
            frames = self._context.decode(data)
        except self._av.error.FFmpegError as error:
            self.lost(
                f"a packet of {len(packet.data)} bytes cannot be decoded ({error.strerror or error}){self._limit()}"
            )
            raise VideoError(f"packet refused: {self._waiting}; waiting for a key frame") from error
        found = [(self._headers.pop(frame.pts), frame) for frame in frames if frame.pts in self._headers]
        if any(frame.is_corrupt for _, frame in found):
            self.lost("a picture is damaged")
            raise VideoError(f"packet refused: {self._waiting}; waiting for a key frame")
        return found

    def _follow(self, packet: VideoPacket) -> None:
        """See that the packet continues the stream, or begins one; VideoError if neither."""
        if packet.codec in (H264, H265) and not units(packet.data[:64]):
            begin = packet.data[:4].hex() or "nothing"
            raise VideoError(
                f"packet refused: {packet.codec} without start codes (begins with {begin}), expected Annex B form; set "
                "the encoder so, for example by the filter h264_mp4toannexb"
            )
        stamp, last = packet.header.stamp_ns, self._stamp
        self._stamp = stamp or last
        if packet.codec != self._codec:
            self.lost(f"the stream is {packet.codec} now" if self._codec else "the stream begins")
            self._codec = packet.codec
        elif stamp and last is not None and stamp < last:
            self.lost(f"time jumped back by {(last - stamp) / 1e9:.3f} s")
        key, missing = self._looked_at(packet)
        if missing and not key:
            self.lost(f"packets are missing: {missing}")
            key, _ = self._looked_at(packet)
        if not self._waiting:
            return
        if not key:
            raise VideoError(f"packet refused: {self._waiting}; waiting for a key frame of the {packet.codec} stream")
        self._open()

    def _looked_at(self, packet: VideoPacket) -> tuple[bool, str]:
        """Whether decoding can begin at the packet, and what is missing before it."""
        key, missing = packet.key, ""
        if packet.codec == H264:
            key, missing = self._h264.packet(packet.data)
        elif packet.codec == H265:
            key = has_key_frame_h265(packet.data)
        if packet.number is not None:
            missing = missing or self._counted(packet.number)
        return bool(key), missing

    def _counted(self, number: int) -> str:
        last, self._number = self._number, number
        if last is None or number <= last:
            return ""
        counts, self._counts = self._counts, self._counts or number == last + 1
        return f"packet {number} follows {last}" if counts and number != last + 1 else ""

    def _open(self) -> None:
        try:
            self._context = self._av.CodecContext.create(self._codec, "r")
        except (self._av.error.FFmpegError, ValueError) as error:
            raise VideoError(
                f"packet refused: FFmpeg has no decoder {self._codec!r}, expected for example h264"
            ) from error
        self._context.thread_type, self._context.thread_count = "SLICE", 1  # threads by frame would add delay
        # missing references are errors, and no packet can ask for gigabytes
        self._context.options = {"err_detect": "explode", "max_pixels": str(self._max_pixels)}
        self._waiting = ""

    def _limit(self) -> str:
        """A hint where it was the first packet: what decodes at all is not too large."""
        begun = self._context.width * self._context.height
        return "" if 0 < begun <= self._max_pixels else f"; max_image_pixels allows {self._max_pixels} pixels"


def frame_of_video(header: HeaderFields, picture: av.VideoFrame) -> Frame:
    """The decoded picture as an RGB frame; by far slower than decoding, so only done for pictures that are judged."""
    pixels: np.ndarray = picture.to_ndarray(format="rgb24")
    return Frame(pixels, header.stamp_ns, header.frame_id)
