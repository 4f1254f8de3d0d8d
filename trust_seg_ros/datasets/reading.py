"""Reading images of a data set in which some may be damaged."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np

from trust_seg_ros.datasets.errors import DatasetError

Item = TypeVar("Item", contravariant=True)


class Readable(Protocol[Item]):
    """Images with labels: a labelled folder, or a set of images with OoD objects."""

    def read(self, item: Item, /) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and labels (H, W) uint8; raises DatasetError."""


def read_or_skip(
    images: Readable[Item], item: Item, name: str, keep_going: bool, skipped: dict[str, str]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Read image and labels; None if they cannot be read and ``keep_going`` is on.

    Args:
        images, item: ``images.read(item)`` is called.
        name: name of the image.
        keep_going: leave out images that cannot be read.
        skipped: receives name -> reason of an image that is left out.

    Raises:
        DatasetError: it cannot be read, and ``keep_going`` is off.
    """
    try:
        return images.read(item)
    except DatasetError as error:
        if not keep_going:
            raise
        skipped[name] = str(error)
        return None
