"""What comes from the camera: the kinds of messages, and one message that waits for the worker."""

from __future__ import annotations

from typing import NamedTuple

from trust_seg_ros.messages.image_bytes import ImageError, is_plain, read_compressed
from trust_seg_ros.messages.video import codec_of

AUTO, RAW, COMPRESSED, PACKETS = "auto", "raw", "compressed", "packets"
"""Values of the parameter ``input``: found by itself; Image, CompressedImage, FFMPEGPacket."""
TYPES = {
    RAW: "sensor_msgs/msg/Image",
    COMPRESSED: "sensor_msgs/msg/CompressedImage",
    PACKETS: "ffmpeg_image_transport_msgs/msg/FFMPEGPacket",
}
"""Kind -> type of its messages, in the order of preference where a topic has several."""
QUEUE = 300
"""Packets of video that may wait: ten seconds at 30 a second. If one is dropped, so are all to the next key frame."""


class Arrived(NamedTuple):
    """A message of the camera.

    Attributes:
        kind: ``raw``, ``compressed`` or ``packets``.
        data: serialised, as the middleware gave it.
        video: whether it is a packet of a video, which must be decoded even where its picture is not wanted.
    """

    kind: str
    data: bytes
    video: bool = False

    @classmethod
    def of(cls, kind: str, data: bytes) -> Arrived:
        """A message, looked at as far as is needed to know whether it is a packet of a video."""
        return cls(kind, data, kind == PACKETS or (kind == COMPRESSED and _names_codec(data)))


def chosen_kind(setting: str, types: set[str], now: str) -> str:
    """The kind to subscribe to.

    Args:
        setting: the parameter ``input``.
        types: types that the topic's publishers offer.
        now: the current kind, which stays while there is no better one.

    >>> chosen_kind("auto", {"sensor_msgs/msg/CompressedImage"}, "raw")
    'compressed'
    """
    if setting != AUTO:
        return setting
    if TYPES[now] in types:
        return now
    return next((kind for kind, name in TYPES.items() if name in types), now)


def _names_codec(data: bytes) -> bool:
    try:
        return is_plain(data) and bool(codec_of(read_compressed(data).format))
    except ImageError:
        return False
