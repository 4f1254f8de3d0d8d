"""A small data set and a network that sees it by colour, in a process or in several."""

import sys
import textwrap

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.folders import paired_folder
from trust_seg_ros.segmentation.settings import NetworkSettings

NETWORK = """
from pathlib import Path

import torch
from torch import nn
from trust_seg_ros.segmentation import LabelSet


class Colours(nn.Module):
    labels = LabelSet("colours", ("red", "green", "blue"), ignore=9)
    mean, std, stride = (0.5,) * 3, (0.25,) * 3, 1

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 3, 1)
        gain = float(Path(__file__).with_suffix(".weights").read_text())
        with torch.no_grad():
            self.head.weight.copy_(gain * torch.eye(3)[:, :, None, None])
            self.head.bias.zero_()

    def forward(self, x):
        return self.head(x)
"""


def write_images(root, count, size=(40, 56), seed=0):
    """``count`` pictures of coloured blobs; the labels are the colours before noise, a tenth of them wrong or void."""
    rng = np.random.default_rng(seed)
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    for k in range(count):
        labels = rng.integers(0, 3, (size[0] // 8, size[1] // 8), dtype=np.uint8)
        truth = np.where(rng.random(labels.shape) < 0.1, rng.choice([0, 1, 2, 9], labels.shape), labels)
        labels, truth = (
            cv2.resize(a.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) for a in (labels, truth)
        )
        image = np.clip(np.eye(3)[labels] * 120 + rng.normal(70, 40, (*size, 3)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / "images" / f"{'ab'[k % 2]}_{k:03d}.png"), image[..., ::-1])
        cv2.imwrite(str(root / "labels" / f"{'ab'[k % 2]}_{k:03d}.png"), truth)


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """Settings of a network of three classes; its weights are one number in ``colours_net.weights``."""
    home = tmp_path / "net"
    home.mkdir()
    (home / "colours_net.py").write_text(textwrap.dedent(NETWORK))
    (home / "colours_net.weights").write_text("2.0")
    monkeypatch.syspath_prepend(home)
    monkeypatch.delitem(sys.modules, "colours_net", raising=False)  # that of another test, with another's weights
    return NetworkSettings("colours_net:Colours", device="cpu")


@pytest.fixture
def blobs(tmp_path):
    """Ten labelled images of two drives."""
    write_images(tmp_path / "blobs" / "val", 10)
    return paired_folder(tmp_path / "blobs" / "val", 3, (9, 255))
