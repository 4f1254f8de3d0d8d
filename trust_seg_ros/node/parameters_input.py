"""Parameters of the camera's topic: the type of its messages."""

from __future__ import annotations

from trust_seg_ros.node.parameter import AT_ACTIVATE, Parameter

INPUT_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "input",
        "auto",
        "Type of `~/image`: `raw` (Image), `compressed` (CompressedImage: JPEG, PNG …, or H.264 and H.265), `packets` "
        "(FFMPEGPacket of ffmpeg_image_transport), or `auto`: what the topic's publishers offer, raw first, looked at "
        "again when they change. Video needs PyAV.",
        AT_ACTIVATE,
        choices=("auto", "raw", "compressed", "packets"),
    ),
)
