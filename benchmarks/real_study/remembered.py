"""A network that remembers its answers in a folder: several parts of the study look at the same pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.types import LogitMaps


class Remembered:
    """A network whose logits are kept, by its weights and the pixels of the image; all else is the network's own.

    Features are not kept: they take ten times the room.
    """

    def __init__(self, network: SegmentationNetwork, folder: Path) -> None:
        self._network = network
        self._folder = folder / network_sha256(network)[:12]
        self._folder.mkdir(parents=True, exist_ok=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def infer(self, image: np.ndarray) -> LogitMaps:
        """Logits of one image."""
        size = (image.shape[0], image.shape[1])
        digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes() + repr(image.shape).encode(), digest_size=12)
        path = self._folder / f"{digest.hexdigest()}.npy"
        if path.is_file():
            return LogitMaps(torch.from_numpy(np.load(path)), size, self._network.raw)
        answer = self._network.infer(image)
        part = path.with_suffix(".part.npy")
        np.save(part, answer.logits.numpy())
        part.replace(path)
        return LogitMaps(answer.logits, size, self._network.raw)
