"""Processes one image: runs the network, compares with ground truth, and writes the rows of its segments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import torch

from trust_seg_ros.datasets.folders import DatasetError, LabelledFolder, Sample
from trust_seg_ros.fitting.store_files import Shapes, file_sizes, rows_note
from trust_seg_ros.fitting.store_folder import writing
from trust_seg_ros.fitting.store_identity import Answer, NetworkIdentity, answer_of
from trust_seg_ros.fitting.store_rows import FEATURES, image_rows, write_image
from trust_seg_ros.grid import AS_IMAGE, Grid, resized
from trust_seg_ros.segmentation.probe import noise_image
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments import segment_table, targets
from trust_seg_ros.segments.origins import COMPONENTS
from trust_seg_ros.segments.scores import score_planes
from trust_seg_ros.uncertainty import on_grid, uncertainty_maps
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics

_NOISE_SIZE = (128, 256)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch with one thread, because the last bits of a convolution depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Collector:
    """Computes rows of the segment table; to be used inside :func:`one_thread`.

    Attributes:
        network: the network to run.
        folder: images with ground truth.
        threads: number of threads for steps whose results do not depend on it (maps, sums over segments).
        scores: pixel scores whose means over segments become metrics, too; gradient scores with the node's defaults.
        grid: the grid that segments are made on; ground truth is brought to it by nearest neighbour.
        statistics: what feature scores among them compare with.
        segments_from: what the segments are, see ``segments.origins``.
    """

    network: SegmentationNetwork
    folder: LabelledFolder
    threads: int | None = None
    scores: tuple[str, ...] = ()
    grid: Grid = AS_IMAGE
    statistics: NetworkStatistics = NO_STATISTICS
    segments_from: str = COMPONENTS

    def rows(self, index: int) -> pa.Table:
        """Rows of one image, see ``store_rows``.

        Raises:
            DatasetError: the image or its labels cannot be read or do not fit together.
            TrustSegError: the network fails.
        """
        return self._measured(index)[0]

    def write(self, index: int, path: Path) -> None:
        """Write the rows of one image to their file.

        Raises:
            StoreError: the file cannot be written.
            TrustSegError: as :meth:`rows`.
        """
        sizes = file_sizes(self.folder.samples[index])
        rows, shapes = self._measured(index)
        with writing(path):
            write_image(path, rows, rows_note(rows, sizes, shapes))

    def identity(self) -> NetworkIdentity:
        """Identity of the network, by its answer to a picture of noise."""
        truth = np.zeros(_NOISE_SIZE, np.uint8)
        rows = self._rows("noise", 0, "", noise_image(_NOISE_SIZE), truth)[0]
        answer = rows_answer(rows, len(self.network.labels))
        known = self.statistics.features_id
        return NetworkIdentity.of(self.network, answer, self.scores, str(self.grid), known, self.segments_from)

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image and labels as from ``LabelledFolder.read``; errors of OpenCV become DatasetError, too."""
        try:
            return self.folder.read(sample)
        except (cv2.error, OSError) as error:  # raised by OpenCV for huge images
            raise DatasetError(f"{sample.image}: cannot be read ({' '.join(str(error).split())[:200]})") from error

    def _measured(self, index: int) -> tuple[pa.Table, Shapes]:
        sample = self.folder.samples[index]
        return self._rows(sample.name, index, sample.drive, *self.read(sample))

    def _rows(self, name: str, index: int, drive: str, image: np.ndarray, truth: np.ndarray) -> tuple[pa.Table, Shapes]:
        """Rows of an image, and the sizes of image and grid."""
        answer = self.network.infer(image)
        logits = on_grid(answer, self.grid)
        truth = resized(truth, logits.size)
        maps = uncertainty_maps(logits, threads=self.threads)
        extra = score_planes(FrameScores(logits, maps, statistics=self.statistics), self.scores)
        table = segment_table(
            maps,
            logits,
            FEATURES,
            extra=extra,
            ground_truth=truth,
            threads=self.threads,
            segments_from=self.segments_from,
        )
        found = (targets(table, truth, variant) for variant in ("component", "released"))
        return image_rows(name, index, drive, table, *found), (answer.size, logits.size)


def rows_answer(rows: pa.Table, classes: int) -> Answer:
    """The network's answer, computed from the rows of an image."""
    return answer_of(rows["size"].to_numpy(), lambda name: rows[name].to_numpy(), classes)


def portable_reason(error: DatasetError, sample: Sample) -> str:
    """The problem with an image, without the names of its folders."""
    text = str(error)
    for path in (sample.image, sample.labels):
        text = text.replace(str(path), path.name).replace(f"{path.parent}/", "")
    return text
