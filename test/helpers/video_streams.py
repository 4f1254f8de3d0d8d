"""Video streams made by PyAV: packets and the pictures in them."""

from fractions import Fraction

import av
import cv2
import numpy as np

ENCODERS = {
    "h264": ("libx264", {"tune": "zerolatency", "preset": "ultrafast"}),
    "hevc": (
        "libx265",
        {"tune": "zerolatency", "preset": "ultrafast", "x265-params": "log-level=none:repeat-headers=1"},
    ),
    "mpeg4": ("mpeg4", {}),
}
"""Decoder -> encoder and its options; without pictures that refer to later ones."""


def moving(count, size=(96, 128), start=0):
    """(H, W, 3) RGB pictures of a scene that moves on smoothly."""
    rng = np.random.default_rng(7)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (size[0], size[1] + 400, 3), dtype=np.uint8), (0, 0), 5)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    return [np.ascontiguousarray(scene[:, 4 * i : 4 * i + size[1]]) for i in range(start, start + count)]


def encoded(codec, pictures, every=10, **more):
    """The packets of a stream with a key frame every so many pictures, one per picture."""
    name, options = ENCODERS[codec]
    context = av.CodecContext.create(name, "w")
    context.height, context.width = pictures[0].shape[:2]
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, 30), 30
    context.gop_size, context.max_b_frames = every, 0
    context.bit_rate = 2_000_000
    context.options = options | more
    packets = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = index
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets + [bytes(packet) for packet in context.encode(None)]
