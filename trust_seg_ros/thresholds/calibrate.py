"""Labelled images -> ``Calibration``, in one pass over the network's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.segments import SegmentTargets
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError, ScoreCalibration
from trust_seg_ros.thresholds.curve_builder import UNIT_GRID, CurveBuilder
from trust_seg_ros.thresholds.curves import RecallCurve
from trust_seg_ros.thresholds.temperature import LogitSample
from trust_seg_ros.types import UNLABELLED, Json, LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.frame_scores import IN_LOGARITHMS, FrameScores
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.score_names import SOFTMAX_SCORES
from trust_seg_ros.uncertainty.standardized import ClassStatistics, StatisticsBuilder

DEFAULT_SCORES = ("entropy", "margin")
CLASS_STEP = 8
"""Curves by class keep every eighth threshold: they are for a handful of recalls, and coarser is only stricter."""


@dataclass
class Calibrator:
    """Takes image after image; memory does not grow with them but for two numbers per image and score.

    Attributes:
        network, class_names: of the network.
        scores: names of the pixel scores to make curves of.
        gradient: of gradient scores.
        statistics: from an earlier calibration, for the curves of standardized_max_logit.
        images: number added.
    """

    network: str
    class_names: tuple[str, ...]
    scores: Sequence[str] = DEFAULT_SCORES
    gradient: GradientSettings = IN_LOGARITHMS
    statistics: ClassStatistics | None = None
    images: int = 0
    _sample: LogitSample = field(default_factory=LogitSample)
    _pixels: int = 0
    _wrong: int = 0

    def __post_init__(self) -> None:
        q = len(self.class_names)
        self._statistics: StatisticsBuilder | None = StatisticsBuilder(q)
        self._curves = {name: _ScoreCurves(name in SOFTMAX_SCORES, q) for name in self.scores}
        self._segments = {"p_wrong": CurveBuilder(), "p_ood": CurveBuilder()}

    def add(self, answer: LogitMaps, maps: UncertaintyMaps, truth: np.ndarray) -> None:
        """Add one labelled image.

        Args:
            answer, maps: of the network for it.
            truth: (H, W) uint8 class ids, 255 = no class: does not count.

        Raises:
            UncertaintyError: the network cannot give a score; the text says why.
        """
        classes, labelled = maps.classes.numpy(force=True), truth != UNLABELLED
        wrong = (classes != truth) & labelled
        if not answer.raw:
            self._statistics = None
        if self._statistics is not None:
            self._statistics.add(answer, classes, labelled)
        self._sample.add(answer, truth)
        frame = FrameScores(answer, maps, self.gradient, self.statistics)
        for name, curves in self._curves.items():
            curves.add(frame.get(name).numpy(), wrong, labelled, classes)
        self.images += 1
        self._pixels += int(labelled.sum())
        self._wrong += int(wrong.sum())

    def add_segments(self, p_wrong: np.ndarray, found: SegmentTargets) -> None:
        """Add the segments of one labelled image.

        Args:
            p_wrong: (n,) float64 in [0, 1], P(false positive).
            found: what ground truth says of them.
        """
        self._segments["p_wrong"].add(p_wrong, found.false_positive)

    def add_objects(self, p_ood: np.ndarray) -> None:
        """Add the OoD objects of one image of unknown objects.

        Args:
            p_ood: (m,) float64, the largest P(OoD) of the OoD segments that touch each object; -inf where none does.
        """
        self._segments["p_ood"].add(p_ood, np.ones(len(p_ood), bool))

    def result(self, summary: Json | None = None) -> Calibration:
        """What was learned.

        Raises:
            CalibrationError: no image, or no labelled pixel.
            SettingError: the largest logit is the same everywhere.
        """
        if not self._pixels:
            raise CalibrationError(
                f"{self.images} images without a labelled pixel: expected ground truth to calibrate by"
            )
        counts = {"images": self.images, "pixels": self._pixels, "misclassified_pixels": self._wrong}
        gradient = {"p": self.gradient.p, "variant": self.gradient.variant, "scale": self.gradient.scale}
        segments = {name: builder for name, builder in self._segments.items() if builder.images}
        return Calibration(
            self.network,
            self.class_names,
            None if self._statistics is None else self._statistics.statistics(),
            {**counts, "gradient": gradient, **(summary or {})},
            self._sample.temperature(),
            {name: curves.result() for name, curves in self._curves.items()},
            {name: builder.risk_curve() for name, builder in segments.items()},
        )


class _ScoreCurves:
    """Curves of one score. Where its range is not known, the first images are kept: their quantiles make the grid."""

    FIRST = 8

    def __init__(self, in_unit_range: bool, classes: int) -> None:
        self._classes = classes
        self._builder = CurveBuilder(UNIT_GRID, classes) if in_unit_range else None
        self._held: list[tuple[np.ndarray, ...]] = []
        self._means: list[float] = []

    def add(self, score: np.ndarray, wrong: np.ndarray, labelled: np.ndarray, classes: np.ndarray) -> None:
        finite = score[np.isfinite(score)]
        self._means.append(float(finite.mean(dtype=np.float64)) if finite.size else float("nan"))
        if self._builder is not None:
            self._builder.add(score, wrong, labelled, classes)
            return
        self._held.append((score, wrong, labelled, classes))
        if len(self._held) == self.FIRST:
            self._begin()

    def _begin(self) -> CurveBuilder:
        values = np.concatenate([score[np.isfinite(score)] for score, *_ in self._held])
        # thresholds are float32, as the scores are, so that none lies between two of them by rounding
        grid = np.quantile(values, np.linspace(0.0, 1.0, len(UNIT_GRID)), method="nearest") if values.size else [0.0]
        builder = self._builder = CurveBuilder(np.unique(np.asarray(grid, np.float64)), self._classes)
        for image in self._held:
            builder.add(*image)
        self._held = []
        return builder

    def result(self) -> ScoreCalibration:
        builder = self._builder or self._begin()
        by_class = builder.class_recall_curves()
        return ScoreCalibration(
            builder.recall_curve() if builder.positives else None,
            builder.risk_curve(),
            tuple(None if curve is None else _thinned(curve) for curve in by_class),
            tuple(mean for mean in self._means if np.isfinite(mean)),
        )


def _thinned(curve: RecallCurve) -> RecallCurve:
    return RecallCurve(curve.thresholds[::CLASS_STEP], curve.recall[::CLASS_STEP], curve.positives)
