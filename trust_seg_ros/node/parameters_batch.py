"""Parameters of cameras that share one network."""

from __future__ import annotations

from trust_seg_ros.node.parameter import AT_CONFIGURE, Parameter

BATCH_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "batch.wait_ms",
        10.0,
        "Where cameras share one network (`multi_camera.launch.py batch:=true`): longest time that an image of this "
        "camera is held back for images of others that are due. 0: never; images that come while the network is busy "
        "are still taken together. No effect on a node alone.",
        AT_CONFIGURE,
        low=0.0,
        high=1000.0,
    ),
    Parameter(
        "batch.images",
        0,
        "Largest number of images in a pass of the network with one of this camera; 0: one of each camera on a GPU, "
        "and 1 on a CPU, where larger passes save no time. No effect on a node alone.",
        AT_CONFIGURE,
        low=0,
        high=64,
    ),
)
