"""What tools/first_ten_minutes.sh uses where a user has nothing yet: a photograph, a bag and a network.

usage: python tools/stand_ins.py PHOTO BAG NETWORK; what is there already is left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

import trust_seg_ros
from trust_seg_ros.segmentation.compact import load_compact

PACKAGE = Path(trust_seg_ros.__file__).parent
FILM = PACKAGE / "recordings" / "clips" / "motorway.mp4"
WEIGHTS = PACKAGE / "segmentation" / "weights" / "synthetic.safetensors"
EVERY = 3
"""Frames of the film for one of the bag: 25 a second are more than a user has patience for."""


class Normalised(nn.Module):
    """A network for images normalised as ImageNet's, which is what a .pt2 file is given; logits (1, q, h, w)."""

    def __init__(self, net: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.net = net
        there = [torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std)]
        given = [torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
        self.register_buffer("scale", given[1] / there[1])
        self.register_buffer("shift", (given[0] - there[0]) / there[1])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(1, 3, h, w) -> (1, q, h / 4, w / 4)."""
        logits: torch.Tensor = self.net(image * self.scale + self.shift)[0]
        return logits


def frames() -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and pixels, (H, W, 3) uint8 BGR, of some frames of the shipped film."""
    film = cv2.VideoCapture(str(FILM))
    rate, number = film.get(cv2.CAP_PROP_FPS), 0
    while (read := film.read())[0]:
        if number % EVERY == 0:
            yield number / rate, read[1]
        number += 1


def write_photo(path: Path) -> None:
    """The frame after four seconds."""
    cv2.imwrite(str(path), next(image for second, image in frames() if second >= 4))


def write_bag(path: Path) -> None:
    """A rosbag2 of sensor_msgs/Image on /camera/image."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    kinds = (store.types[f"{name}"] for name in ("sensor_msgs/msg/Image", "std_msgs/msg/Header"))
    image_type, header_type = kinds
    time_type = store.types["builtin_interfaces/msg/Time"]
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        topic = bag.add_connection("/camera/image", image_type.__msgtype__, typestore=store)
        for second, pixels in frames():
            stamp = time_type(sec=int(second) + 1, nanosec=int(second % 1 * 1e9))
            height, width = pixels.shape[:2]
            message = image_type(
                header=header_type(stamp=stamp, frame_id="camera"),
                height=height,
                width=width,
                encoding="bgr8",
                is_bigendian=0,
                step=3 * width,
                data=pixels.reshape(-1),
            )
            data = store.serialize_cdr(message, image_type.__msgtype__)
            bag.write(topic, stamp.sec * 1_000_000_000 + stamp.nanosec, data)


def write_network(path: Path) -> None:
    """The shipped weights that drawn scenes taught, as a program that names none of our modules."""
    net = load_compact(weights=WEIGHTS)
    module = Normalised(net, net.mean, net.std).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, *net.input_size),)), path)


def main() -> None:
    """Write what is missing."""
    for path, write in zip(map(Path, sys.argv[1:]), (write_photo, write_bag, write_network), strict=True):
        if not path.exists():
            write(path)


if __name__ == "__main__":
    main()
