"""A data set whose images are corrupted as they are read."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.datasets.corruptions.names import Corruption, CorruptionError
from trust_seg_ros.datasets.folders import LabelledFolder, Sample


@dataclass(frozen=True)
class CorruptedFolder(LabelledFolder):
    """A ``LabelledFolder`` with the same samples and labels that returns corrupted images; nothing is written.

    Attributes:
        corruption: kind, severity and seed; must not be None.
    """

    corruption: Corruption | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.corruption is None:
            raise CorruptionError("a corrupted data set needs a corruption, for example Corruption('fog', 3)")

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Corrupted image (H, W, 3) uint8 RGB, and the unchanged labels (H, W) uint8.

        Raises:
            DatasetError: as ``LabelledFolder.read``.
            CorruptionError: the image is smaller than 16x16.
        """
        image, labels = super().read(sample)
        wish = self.corruption
        assert wish is not None
        return corrupt(image, wish.kind, wish.severity, wish.seed, sample.name), labels


def corrupted(folder: LabelledFolder, corruption: Corruption | None) -> LabelledFolder:
    """``folder`` with ``corruption`` applied to its images; ``folder`` itself if ``corruption`` is None.

    Raises:
        CorruptionError: the folder already has a corruption.
    """
    if corruption is None:
        return folder
    if isinstance(folder, CorruptedFolder):
        raise CorruptionError(f"the data set has the corruption {folder.corruption} already; expected a clean one")
    parts = {field.name: getattr(folder, field.name) for field in fields(folder)}
    return CorruptedFolder(**parts, corruption=corruption)
