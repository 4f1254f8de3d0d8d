"""Learns a ``Calibration`` from labelled images, one image at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.fitting.curve_builder import UNIT_GRID, CurveBuilder, quantile_grid
from trust_seg_ros.fitting.group_risk import GroupRiskBuilder
from trust_seg_ros.fitting.segment_risk import object_risk_curve, segment_recall_curve, segment_risk_curve
from trust_seg_ros.grid import Size
from trust_seg_ros.thresholds import calibrated_grid
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError, ScoreCalibration
from trust_seg_ros.thresholds.curves import RecallCurve
from trust_seg_ros.thresholds.frame_statistics import STATISTICS, Watched, frame_mean, frame_statistics
from trust_seg_ros.thresholds.temperature import LogitSample
from trust_seg_ros.types import UNLABELLED, Json, LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS, score_range
from trust_seg_ros.uncertainty.standardized import StatisticsBuilder

DEFAULT_SCORES = ("entropy", "margin")
_SMALL = [2.0**e * (1 + j / 32) for e in range(-20, -5) for j in range(32)]
SOFTMAX_GRID = np.unique(np.concatenate([UNIT_GRID, _SMALL]))
"""Thresholds for scores in [0, 1]: even, and finer towards 0, where an overconfident network has its mistakes."""
FIRST = 8
"""Number of images kept in memory until their quantiles give the grid of a score without a range."""
CLASS_STEP = 8
"""Curves by class keep every eighth threshold: they serve a few recalls, and a coarser grid is only stricter."""
_TAIL = 64  # thresholds beyond either end of the first images' quantiles


@dataclass
class Calibrator:
    """Collects images one at a time; each adds 3 kB per score and two numbers per segment to memory.

    Attributes:
        network, class_names, network_sha256: name of the network, names of its classes, hash of its weights.
        scores: names of the pixel scores to make curves of.
        gradient: settings of gradient scores.
        statistics: from other images or an earlier pass, for the curves of standardized_max_logit and of feature
            scores; then stored in the calibration.
        images: number of images added that have labelled pixels.
        unlabelled: number without; mistakes in them are unknown, so they do not count.
        watched: statistics of frames that are kept for the shift monitor.
    """

    network: str
    class_names: tuple[str, ...]
    scores: Sequence[str] = DEFAULT_SCORES
    gradient: GradientSettings = IN_LOGARITHMS
    statistics: NetworkStatistics = NO_STATISTICS
    images: int = 0
    unlabelled: int = 0
    network_sha256: str = ""
    watched: Sequence[str] = tuple(STATISTICS)
    _sample: LogitSample = field(default_factory=LogitSample)
    _pixels: int = 0
    _wrong: int = 0

    def __post_init__(self) -> None:
        q = len(self.class_names)
        self._builder: StatisticsBuilder | None = StatisticsBuilder(q) if self.statistics.classes is None else None
        self._curves = {name: _ScoreCurves(_in_unit_range(name, q, self.gradient), q) for name in self.scores}
        self._segments, self._objects = _Values(), _Values()
        self._sizes = Counter[Size]()
        self._statistics: list[tuple[int, dict[str, float]]] = []

    def add(
        self,
        answer: LogitMaps,
        maps: UncertaintyMaps,
        truth: np.ndarray,
        place: int | None = None,
        image: np.ndarray | None = None,
    ) -> bool:
        """Add one labelled image.

        Args:
            answer, maps: the network's output for it.
            truth: (H, W) uint8 class ids, 255 = no class, not counted.
            place: position in the data set, i.e. in order of time; None = after the images added so far. The shift
                monitor needs the order to learn how similar neighbouring images are.
            image: (H, W, 3) uint8 RGB; None = the shift monitor will not watch images, only answers to them.

        Returns:
            False for an image without a labelled pixel, which is left out.

        Raises:
            UncertaintyError: the network cannot give a score; the text gives the reason.
        """
        classes, labelled = maps.classes.numpy(force=True), truth != UNLABELLED
        frame = FrameScores(answer, maps, self.gradient, self.statistics)
        frame.compute(self.scores)
        if not labelled.any():
            self.unlabelled += 1
            return False
        wrong = (classes != truth) & labelled
        if not answer.raw:
            self._builder = None
        if self._builder is not None:
            self._builder.add(answer, classes, labelled)
        self._sample.add(answer, truth)
        place = self.images if place is None else place
        for name, curves in self._curves.items():
            curves.add(frame.get(name).numpy(), wrong, labelled, classes, place)
        self._statistics.append((place, self._watch(answer, maps, image)))
        self.images += 1
        self._sizes[answer.size] += 1
        self._pixels += int(labelled.sum())
        self._wrong += int(wrong.sum())
        return True

    def _watch(self, answer: LogitMaps, maps: UncertaintyMaps, image: np.ndarray | None) -> dict[str, float]:
        names = [name for name in self.watched if image is not None or STATISTICS[name].network]
        nothing = np.zeros((0, 0, 3), np.uint8)
        frame = Watched(nothing if image is None else image, answer, maps.host(), self.statistics.features)
        return frame_statistics(frame, names)

    def add_segments(self, p_wrong: np.ndarray, wrong: np.ndarray) -> None:
        """Add the segments of one labelled image that have labelled pixels.

        Args:
            p_wrong: (n,) float64 in [0, 1], P(false positive).
            wrong: (n,) bool, no labelled pixel of the segment has its class (IoU_adj = 0).
        """
        self._segments.add(p_wrong, wrong)

    def add_objects(self, p_found: np.ndarray) -> None:
        """Add the OoD objects of one image of unknown objects.

        Args:
            p_found: (m,) float64, the largest P(OoD) of the OoD segments that touch each object; -inf where none does.
        """
        self._objects.add(p_found, np.ones(len(p_found), bool))

    def result(self, summary: Json | None = None) -> Calibration:
        """The calibration learned from the images so far.

        Args:
            summary: how it was made, for the file.

        Raises:
            CalibrationError: no image with a labelled pixel.
            SettingError: the largest logit is the same everywhere.
        """
        if not self._pixels:
            raise CalibrationError(f"{self.unlabelled} images without a labelled pixel: expected ground truth")
        counts = {
            "images": self.images,
            "images_without_labels": self.unlabelled,
            "pixels": self._pixels,
            "misclassified_pixels": self._wrong,
            **calibrated_grid.to_summary(self._sizes),
        }
        segments = {}
        if self._segments.images:
            p, wrong, image = self._segments.joined()
            risk, every = segment_risk_curve(p, wrong, image, self._segments.images), np.ones(len(p), bool)
            flagged = segment_recall_curve(p, every) if len(p) else None
            found = segment_recall_curve(p, wrong) if wrong.any() else None
            segments["p_wrong"] = ScoreCalibration(found, risk, flagged=flagged)
        if self._objects.images:
            p, _, image = self._objects.joined()
            risk = object_risk_curve(p, image, self._objects.images)
            segments["p_ood"] = ScoreCalibration(
                segment_recall_curve(p, np.ones(len(p), bool)) if len(p) else None, risk
            )
        return Calibration(
            self.network,
            self.class_names,
            self.statistics.classes if self._builder is None else self._builder.statistics(),
            {**counts, **(summary or {})},
            self._sample.temperature(),
            {name: curves.result() for name, curves in self._curves.items()},
            segments,
            self.gradient,
            self.network_sha256,
            self.statistics.features,
            self._statistics_of_frames(),
        )

    def _statistics_of_frames(self) -> dict[str, tuple[float, ...]]:
        """Name -> finite values in order of time, for statistics that have one."""
        rows = [row for _, row in sorted(self._statistics, key=lambda pair: pair[0])]
        found = {n: tuple(row[n] for row in rows if np.isfinite(row.get(n, np.nan))) for n in self.watched}
        return {name: numbers for name, numbers in found.items() if numbers}


class _Values:
    """Probabilities from many images, with the number of the image for each."""

    def __init__(self) -> None:
        self.images = 0
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, p: np.ndarray, wrong: np.ndarray) -> None:
        self._parts.append((np.asarray(p, np.float64), np.asarray(wrong, bool)))
        self.images += 1

    def joined(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n,) probability, wrong, number of the image."""
        p, wrong = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        return p, wrong, np.repeat(np.arange(self.images), [len(part) for part, _ in self._parts])


def _in_unit_range(name: str, classes: int, gradient: GradientSettings) -> bool:
    low, high = score_range(name, classes, gradient)
    return low >= 0.0 and high <= 1.0


_Builders = tuple[CurveBuilder, CurveBuilder, GroupRiskBuilder]


class _ScoreCurves:
    """Curves of one score. If its range is unknown, the first images are kept: their quantiles give the grid."""

    def __init__(self, in_unit_range: bool, classes: int) -> None:
        self._classes = classes
        self._held: list[tuple[np.ndarray, ...]] = []
        self._means: list[tuple[int, float]] = []
        self._builders = self._builders_of(SOFTMAX_GRID) if in_unit_range else None

    def _builders_of(self, grid: np.ndarray) -> _Builders:
        """Scores of the wrong pixels, of all pixels, and of the wrong ones by group."""
        return CurveBuilder(grid, self._classes), CurveBuilder(grid), GroupRiskBuilder(grid, self._classes)

    def add(self, score: np.ndarray, wrong: np.ndarray, labelled: np.ndarray, classes: np.ndarray, place: int) -> None:
        self._means.append((place, frame_mean(score)))
        if self._builders is not None:
            self._count(self._builders, score, wrong, labelled, classes)
            return
        self._held.append((score, wrong, labelled, classes))
        if len(self._held) == FIRST:
            self._begin()

    @staticmethod
    def _count(
        builders: _Builders,
        score: np.ndarray,
        wrong: np.ndarray,
        labelled: np.ndarray,
        classes: np.ndarray,
    ) -> None:
        builders[0].add(score, wrong, None, classes)
        builders[1].add(score, labelled, None, classes)
        builders[2].add(score, wrong, classes, frame_mean(score))

    def _begin(self) -> _Builders:
        every = np.concatenate([score[labelled] for score, _, labelled, _ in self._held] or [np.empty(0)])
        bad = np.concatenate([score[wrong] for score, wrong, _, _ in self._held] or [np.empty(0)])
        self._builders = self._builders_of(open_grid(bad, every))
        for image in self._held:
            self._count(self._builders, *image)
        self._held = []
        return self._builders

    def result(self) -> ScoreCalibration:
        wrong, every, groups = self._builders or self._begin()
        by_class = wrong.class_recall_curves()
        return ScoreCalibration(
            wrong.recall_curve() if wrong.positives else None,
            wrong.risk_curve(),
            tuple(None if curve is None else _thinned(curve) for curve in by_class),
            tuple(mean for _, mean in sorted(self._means) if np.isfinite(mean)),
            every.recall_curve(),
            groups.result(),
        )


def open_grid(wrong: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Thresholds for a score without a range: quantiles of a sample, and its width again beyond both ends.

    Args:
        wrong: (n,) scores of misclassified pixels of the sample; thresholds are densest where most of these are.
        every: (m,) scores of its labelled pixels, right and wrong.

    Returns:
        (k,) float64 ascending. Every threshold misses scores below all of them, which is only stricter.
    """
    parts = [
        quantile_grid(values, points) for values, points in ((wrong, 769), (every, 257)) if np.isfinite(values).any()
    ]
    if not parts:
        return np.zeros(1)
    grid = np.unique(np.concatenate(parts))
    width = float(grid[-1] - grid[0]) or 1.0
    steps = np.arange(1, _TAIL + 1) / _TAIL * width
    return np.unique(np.concatenate([grid[0] - steps, grid, grid[-1] + steps]))


def _thinned(curve: RecallCurve) -> RecallCurve:
    return RecallCurve(curve.thresholds[::CLASS_STEP], curve.recall[::CLASS_STEP], curve.positives)
