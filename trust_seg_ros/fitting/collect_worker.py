"""Processes one image: runs the network, compares with ground truth, and writes the rows of its segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import torch

from trust_seg_ros.datasets.folders import DatasetError, LabelledFolder, Sample
from trust_seg_ros.datasets.image_files import read_image
from trust_seg_ros.fitting.store_files import file_sizes, rows_note
from trust_seg_ros.fitting.store_folder import writing
from trust_seg_ros.fitting.store_identity import Answer, NetworkIdentity, answer_of
from trust_seg_ros.fitting.store_rows import FEATURES, image_rows, metric_names, write_image
from trust_seg_ros.grid import AS_IMAGE, Grid, Size, resized
from trust_seg_ros.segmentation.probe import noise_image
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments import segment_table, targets
from trust_seg_ros.segments.history import TimeWindow, time_names
from trust_seg_ros.segments.origins import COMPONENTS
from trust_seg_ros.segments.scores import score_planes
from trust_seg_ros.segments.table import Plane
from trust_seg_ros.types import LogitMaps, SegmentTable, UncertaintyMaps
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


@dataclass(frozen=True, eq=False)
class Answered:
    """A network's answer to an image.

    Attributes:
        size: (H, W) of the image.
        logits, maps: on the grid.
        extra: further maps that are aggregated.
    """

    size: Size
    logits: LogitMaps
    maps: UncertaintyMaps
    extra: Mapping[str, Plane]


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
        time: how far columns over time look back; None = there are none. Those of a single image are 0; those of
            recordings come from ``collect_time.follow``.
    """

    network: SegmentationNetwork
    folder: LabelledFolder
    threads: int | None = None
    scores: tuple[str, ...] = ()
    grid: Grid = AS_IMAGE
    statistics: NetworkStatistics = NO_STATISTICS
    segments_from: str = COMPONENTS
    time: TimeWindow | None = None

    def rows(self, index: int) -> pa.Table:
        """Rows of one image, see ``store_rows``.

        Raises:
            DatasetError: the image or its labels cannot be read or do not fit together.
            TrustSegError: the network fails.
        """
        sample = self.folder.samples[index]
        image, truth = self.read(sample)
        answer = self.answer(image)
        table = self.with_zeros(self.table(answer, truth))
        return self._rows(sample.name, index, sample.drive, table, resized(truth, answer.logits.size))

    def write(self, index: int, path: Path) -> None:
        """Write the rows of one image to their file.

        Raises:
            StoreError: the file cannot be written.
            TrustSegError: as :meth:`rows`.
        """
        image, truth = self.read(self.folder.samples[index])
        answer = self.answer(image)
        self.keep(index, path, self.with_zeros(self.table(answer, truth)), answer, truth)

    def keep(self, index: int, path: Path, table: SegmentTable, answer: Answered, truth: np.ndarray) -> None:
        """Write the rows of one image, whose segments are measured already, to their file.

        Raises:
            StoreError: the file cannot be written.
        """
        sample = self.folder.samples[index]
        sizes = file_sizes(sample)
        rows = self._rows(sample.name, index, sample.drive, table, resized(truth, answer.logits.size))
        with writing(path):
            write_image(path, rows, rows_note(rows, sizes, (answer.size, answer.logits.size)))

    def identity(self) -> NetworkIdentity:
        """Identity of the network, by its answer to a picture of noise."""
        truth = np.zeros(_NOISE_SIZE, np.uint8)
        seen = self.answer(noise_image(_NOISE_SIZE))
        rows = self._rows("noise", 0, "", self.with_zeros(self.table(seen, truth)), resized(truth, seen.logits.size))
        answer = rows_answer(rows, len(self.network.labels))
        known = self.statistics.features_id
        return NetworkIdentity.of(
            self.network, answer, self.scores, str(self.grid), known, self.segments_from, self.time
        )

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image and labels as from ``LabelledFolder.read``; errors of OpenCV become DatasetError, too."""
        with _readable(sample.image):
            return self.folder.read(sample)

    def read_image(self, path: Path) -> np.ndarray:
        """An image without labels, (H, W, 3) uint8 RGB; raises DatasetError."""
        with _readable(path):
            return read_image(path)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics of a single frame."""
        return metric_names(len(self.network.labels), self.scores, self.segments_from)

    def answer(self, image: np.ndarray) -> Answered:
        """The network's answer to an image, and the maps of it."""
        found = self.network.infer(image)
        logits = on_grid(found, self.grid)
        maps = uncertainty_maps(logits, threads=self.threads)
        extra = score_planes(FrameScores(logits, maps, statistics=self.statistics), self.scores)
        return Answered(found.size, logits, maps, extra)

    def table(self, answer: Answered, truth: np.ndarray | None = None) -> SegmentTable:
        """The segments of an image, without the pixels that its labels, in any size, leave out."""
        return segment_table(
            answer.maps,
            answer.logits,
            FEATURES,
            extra=answer.extra,
            ground_truth=None if truth is None else resized(truth, answer.logits.size),
            threads=self.threads,
            segments_from=self.segments_from,
        )

    def with_zeros(self, table: SegmentTable) -> SegmentTable:
        """The table with columns over time, if there are any: those of a single image."""
        if self.time is None:
            return table
        more = time_names(table.names)
        metrics = np.concatenate([table.metrics, np.zeros((len(table), len(more)))], 1)
        return replace(table, names=(*table.names, *more), metrics=metrics)

    @staticmethod
    def _rows(name: str, index: int, drive: str, table: SegmentTable, truth: np.ndarray) -> pa.Table:
        found = (targets(table, truth, variant) for variant in ("component", "released"))
        return image_rows(name, index, drive, table, *found)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn errors of OpenCV and of the disk into DatasetError."""
    try:
        yield
    except (cv2.error, OSError) as error:  # raised by OpenCV for huge images
        raise DatasetError(f"{path}: cannot be read ({' '.join(str(error).split())[:200]})") from error


def rows_answer(rows: pa.Table, classes: int) -> Answer:
    """The network's answer, computed from the rows of an image."""
    return answer_of(rows["size"].to_numpy(), lambda name: rows[name].to_numpy(), classes)


def portable_reason(error: DatasetError, sample: Sample) -> str:
    """The problem with an image, without the names of its folders."""
    text = str(error)
    for path in (sample.image, sample.labels):
        text = text.replace(str(path), path.name).replace(f"{path.parent}/", "")
    return text
