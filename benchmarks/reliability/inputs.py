"""What is wrong, made in code: damaged images and recordings, labels of other conventions, exported networks."""

from __future__ import annotations

from pathlib import Path

import cv2
import fault_bags
import numpy as np
import torch
from networks import Dropping

from trust_seg_ros.synthetic import training_sample

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * "0" + "\nsize 12345\n"


def exported_in_training(path: Path) -> Path:
    """A .pt2 of a network that still drops out."""
    program = torch.export.export(Dropping().train(), (torch.rand(1, 3, 64, 96),))
    torch.export.save(program, path)
    return path


def label_file(path: Path) -> Path:
    """The label set of the networks here."""
    colours = {"red": [255, 0, 0], "green": [0, 255, 0], "blue": [0, 0, 255]}
    rows = [f"  - {{name: {name}, color: {colour}}}\n" for name, colour in colours.items()]
    path.write_text("name: colours\nclasses:\n" + "".join(rows))
    return path


def bag(path: Path, count: int = 6, **changed: object) -> Path:
    """A rosbag2 of images."""
    return fault_bags.write_bag(path, [fault_bags.image(i, **changed) for i in range(count)])


def bag_with_an_empty_image(path: Path) -> Path:
    """The image in the middle has no bytes."""
    empty = {"height": 0, "width": 0, "step": 0, "data": np.zeros(0, np.uint8)}
    return fault_bags.write_bag(path, [fault_bags.image(i, **(empty if i == 3 else {})) for i in range(6)])


def bag_of_damaged_jpegs(path: Path) -> Path:
    """A third of each JPEG's bytes is zero."""
    return fault_bags.write_bag(path, [fault_bags.jpeg(i, data=damaged_jpeg(i)) for i in range(6)])


def jpeg(seed: int = 0) -> bytes:
    """A whole one of the synthetic drive."""
    image, _ = training_sample(seed, (240, 320))
    return cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()


def damaged_jpeg(seed: int = 0) -> bytes:
    """The same with a third zeroed."""
    data = bytearray(jpeg(seed))
    third = len(data) // 3
    data[third : 2 * third] = bytes(third)
    return bytes(data)


def drive(root: Path, count: int = 3) -> Path:
    """Images and labels of the synthetic drive, for the embedded network."""
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        image, labels = training_sample(seed, (240, 320))
        cv2.imwrite(str(root / "images" / f"s_{seed}.png"), image[..., ::-1])
        cv2.imwrite(str(root / "labels" / f"s_{seed}.png"), labels)
    return root


def relabelled(root: Path, table: dict[int, int]) -> Path:
    """The drive with other values in its label files."""
    drive(root)
    for path in (root / "labels").iterdir():
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        look_up = np.arange(256, dtype=np.uint8)
        look_up[[*table]] = [*table.values()]
        cv2.imwrite(str(path), look_up[labels])
    return root
