"""The meta classifier that finds false alarms among out-of-distribution (OoD) segments, and its model file.

Source: Chan, Rottmann, Gottschalk, Entropy Maximization and Meta Classification for Out-of-Distribution Detection in
Semantic Segmentation, ICCV 2021, section 4: logistic regression on hand-made metrics, false alarms are discarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trust_seg_ros.grid import Size, alike, in_words
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.features import MetricSource, design_matrix
from trust_seg_ros.meta.fitted_range import place
from trust_seg_ros.meta.linear import LinearPart, logistic
from trust_seg_ros.meta.ood_data import DISCARD_ABOVE, OodData, OodVerdict
from trust_seg_ros.meta.over_time import check_time, read_time, time_json, time_numbers
from trust_seg_ros.meta.sizes import check_sizes, read_sizes, sizes_json
from trust_seg_ros.meta.trees import Trees, trees_from_json
from trust_seg_ros.segments.history.window import TimeWindow
from trust_seg_ros.support import json_parts
from trust_seg_ros.support.json_file import MadeFor, check_network, fingerprint, raised_as, read_json, write_json
from trust_seg_ros.types import Json
from trust_seg_ros.uncertainty.errors import SettingError
from trust_seg_ros.uncertainty.score_names import find_score

__all__ = ["DISCARD_ABOVE", "OodData", "OodModel", "OodVerdict", "load_ood_model", "logistic"]

FORMAT = "trust_seg_ros/ood-meta-model"
VERSION = 2
SIZE_TOLERANCE = 10
"""For files without a grid: an image has about the size fitted on if its height and width differ by at most one part
in this many."""
_WAY_OUT = "fit one for it (trust-seg benchmark … --save-meta FILE)"


@dataclass(frozen=True)
class OodModel:
    """A fitted meta classifier of OoD segments.

    Attributes:
        features: names of the m metrics used.
        means, scales: (m,); a metric x enters as (x - mean) / scale.
        classifier: its logistic is P(false alarm).
        ranges: (m, 2) smallest and largest value of each metric seen in fitting; outside of them P moves towards the
            base rate, see ``meta.fitted_range``, and nothing is discarded.
        network, class_names: name and classes of the network it was fitted for.
        score: name of the score map whose segments it judges.
        threshold: threshold on that score at which these segments were taken.
        summary: how it was fitted.
        image_sizes: sizes of the images it was fitted on; () = not known.
        network_sha256: hash of that network's weights; "" = not known.
        grid: (H', W') of the grid that its segments were made on, by its area. Segment sizes are among the metrics and
            mean something else on another grid, so it does not judge there. None in older files: the images' own
            pixels then, and grids of about one of ``image_sizes`` are judged, or any where these are not known.
        base_rate: share of false alarms among the segments fitted on; None if an older file does not hold it.
        discard_above: P(false alarm) above which a segment is discarded, unless the user sets a threshold.
        fitted_thresholds: smallest and largest threshold at which the segments fitted on were taken; None = all at
            ``threshold``.
        trees: boosted trees whose sum is added to the classifier's log-odds, on metrics that are not standardised; None
            = a linear model.
        time: how far its metrics over time look back; None = it has none.

    Raises:
        MetaModelError: the parts do not fit together, or hold numbers that cannot be used.
    """

    features: tuple[str, ...]
    means: np.ndarray
    scales: np.ndarray
    classifier: LinearPart
    ranges: np.ndarray
    network: str
    class_names: tuple[str, ...]
    score: str
    threshold: float
    summary: Json = field(default_factory=dict)
    image_sizes: tuple[Size, ...] = ()
    network_sha256: str = ""
    grid: Size | None = None
    base_rate: float | None = None
    discard_above: float = DISCARD_ABOVE
    fitted_thresholds: tuple[float, float] | None = None
    trees: Trees | None = None
    time: TimeWindow | None = None

    def __post_init__(self) -> None:
        m = len(self.features)
        if not m or len(set(self.features)) < m:
            raise MetaModelError("features: expected different names, at least one")
        columns = {
            "means": self.means,
            "scales": self.scales,
            "coefficients": self.classifier.coefficients,
            "ranges": self.ranges,
        }
        for name, value in columns.items():
            if len(value) != m or not np.isfinite(value).all():
                raise MetaModelError(f"{name}: expected {m} finite numbers, one per feature")
        if (self.scales <= 0).any():
            raise MetaModelError("scales: every one must be positive")
        if not np.isfinite([self.classifier.intercept, self.threshold]).all():
            raise MetaModelError("intercept and threshold: expected finite numbers")
        check_sizes(self.grid, self.image_sizes)
        for name, share in (("base_rate", self.prior), ("discard_above", self.discard_above)):
            if not 0.0 <= share <= 1.0:
                raise MetaModelError(f"{name}: {share:g}, expected a number from 0 to 1")
        low, high = self.thresholds
        if not low <= self.threshold <= high:
            raise MetaModelError(f"fitted_thresholds: {low:g} to {high:g}, expected to hold {self.threshold:g}")
        if self.trees is not None:
            self.trees.check_metrics(m)
        check_time(self.time, self.features)

    def p_false_alarm(self, source: MetricSource) -> np.ndarray:
        """(n,) float64 in [0, 1], P(no pixel of the segment is OoD).

        Args:
            source: a ``SegmentTable`` of ``ood_segment_table``, or ``OodData``.

        Raises:
            MetaModelError: the source lacks a metric.
        """
        return self.judge(source).p_false_alarm

    def p_ood(self, source: MetricSource) -> np.ndarray:
        """(n,) 1 - P(false alarm)."""
        return 1.0 - self.p_false_alarm(source)

    def judge(self, source: MetricSource) -> OodVerdict:
        """P(false alarm) of every segment, and whether it lies outside the range fitted on.

        Raises:
            MetaModelError: the source lacks a metric.
        """
        placed = place(design_matrix(source, self.features), self.ranges, self.scales)
        logit = self.classifier((placed.nearest - self.means) / self.scales)
        if self.trees is not None:
            logit = logit + self.trees(placed.nearest)
        return OodVerdict(placed.towards(self.prior, logistic(logit)), placed.outside)

    @property
    def prior(self) -> float:
        """P(false alarm) far outside the range: the base rate of the fit.

        For an older file, the share that its summary names, or the P of a segment whose metrics are all the means of
        the fit.
        """
        if self.base_rate is not None:
            return self.base_rate
        alarms, segments = (self.summary.get(key) for key in ("false_alarms", "segments"))
        if isinstance(alarms, int) and isinstance(segments, int) and 0 <= alarms <= segments and segments:
            return alarms / segments
        return float(logistic(np.float64(self.classifier.intercept)))

    @property
    def thresholds(self) -> tuple[float, float]:
        """Smallest and largest threshold at which the segments fitted on were taken."""
        return self.fitted_thresholds or (self.threshold, self.threshold)

    @property
    def fingerprint(self) -> str:
        """Hash of what gives P(OoD), to tell models apart: features, standardisation, classifier, ranges, base rate.

        Without a base rate in the file, ranges are left out, so that a calibration made with such a file still fits:
        outside the range nothing is discarded, which a guarantee allows.
        """
        part = self.classifier
        numbers = (self.means, self.scales, part.coefficients, part.intercept)
        more = () if self.base_rate is None else (self.ranges, self.base_rate)
        trees = () if self.trees is None else self.trees.arrays
        return fingerprint(self.features, *numbers, *more, *trees, *time_numbers(self.time))

    def judges(self, grid: Size) -> bool:
        """Whether it judges segments made on a grid of this size: of about the area of the one it was fitted on."""
        if self.grid is not None:
            return alike(self.grid, grid)
        return not self.image_sizes or any(
            abs(height - grid[0]) * SIZE_TOLERANCE <= height and abs(width - grid[1]) * SIZE_TOLERANCE <= width
            for height, width in self.image_sizes
        )

    def size_gap(self, grid: Size | None) -> str:
        """Why it does not judge segments made on a grid of this size, in words; "" if it does, or if that is None."""
        if grid is None or self.judges(grid):
            return ""
        if self.grid is not None:
            return (
                f"segments are made on a grid of {in_words(grid)}, the OoD meta model was fitted on one of "
                f"{in_words(self.grid)}: set grid to area:{in_words(self.grid)}, or fit one on this grid"
            )
        known = " or ".join(f"{width}×{height}" for height, width in self.image_sizes)
        return f"images are {grid[1]}×{grid[0]}, the OoD meta model was fitted on images of {known}"

    def check_fits(self, network: str, class_names: Sequence[str], score: str, sha256: str = "") -> None:
        """Refuse to judge segments of another network or another score.

        Args:
            network, class_names: name and classes of the running network.
            score: name of the score map.
            sha256: hash of the network's weights; "" = not known, and then only names are compared.

        Raises:
            MetaModelError: network, classes, weights or score differ.
        """
        what, fitted = "the OoD meta model", MadeFor(self.network, self.class_names, self.network_sha256)
        with raised_as(MetaModelError):
            check_network(fitted, MadeFor(network, tuple(class_names), sha256), what, _WAY_OUT)
        if score != self.score:
            raise MetaModelError(
                f"{what} was fitted for segments of the score {self.score!r} at {self.threshold:g}, asked for is "
                f"{score!r}; choose that score, or {_WAY_OUT}"
            )

    def to_json(self) -> Json:
        """The content of the model file."""
        rows = zip(self.features, self.means, self.scales, self.classifier.coefficients, self.ranges, strict=True)
        return {
            "format": FORMAT,
            "version": VERSION,
            "network": self.network,
            **({"network_sha256": self.network_sha256} if self.network_sha256 else {}),
            "classes": list(self.class_names),
            "score": self.score,
            "threshold": float(self.threshold),
            **sizes_json(self.grid, self.image_sizes),
            **({"fitted_thresholds": [float(t) for t in self.fitted_thresholds]} if self.fitted_thresholds else {}),
            **({} if self.base_rate is None else {"base_rate": float(self.base_rate)}),
            "discard_above": float(self.discard_above),
            **time_json(self.time),
            "summary": json_parts.plain(self.summary),
            "intercepts": {"false_alarm": float(self.classifier.intercept)},
            "features": {
                name: {
                    "mean": float(mean),
                    "scale": float(scale),
                    "false_alarm": float(weight),
                    "range": [float(low), float(high)],
                }
                for name, mean, scale, weight, (low, high) in rows
            },
            **({} if self.trees is None else {"trees": self.trees.to_json()}),
        }

    def save(self, path: str | Path) -> None:
        """Write the model file (JSON), atomically; raises MetaModelError when it cannot be written there."""
        with raised_as(MetaModelError):
            write_json(self.to_json(), path, "the OoD meta model")


def load_ood_model(path: str | Path) -> OodModel:
    """Read a model file; ``~`` is the home directory.

    Raises:
        MetaModelError: the file is missing, not JSON, of another format or version, or inconsistent.
    """
    path = Path(path).expanduser().absolute()
    remedy = "expected a .json file written by trust-seg benchmark … --save-meta"
    with raised_as(MetaModelError):
        data = read_json(path, FORMAT, VERSION, "meta model file of OoD segments", remedy, _WAY_OUT)
    try:
        features = json_parts.part(data, "features", dict)
        rows = [json_parts.part(features, name, dict) for name in features]
        mean, scale, weight = (
            np.array([json_parts.number(row, key) for row in rows]) for key in ("mean", "scale", "false_alarm")
        )
        intercept = json_parts.number(json_parts.part(data, "intercepts", dict), "false_alarm")
        grid, image_sizes = read_sizes(data)
        return OodModel(
            tuple(features),
            mean,
            scale,
            LinearPart(weight, intercept),
            np.array([json_parts.pair(row, "range") for row in rows]).reshape(-1, 2),
            json_parts.part(data, "network", str),
            json_parts.texts(data, "classes"),
            find_score(json_parts.part(data, "score", str)).name,
            json_parts.number(data, "threshold"),
            json_parts.part({"summary": {}, **data}, "summary", dict),
            image_sizes,
            json_parts.part({"network_sha256": "", **data}, "network_sha256", str),
            grid,
            json_parts.number(data, "base_rate") if "base_rate" in data else None,
            json_parts.number({"discard_above": DISCARD_ABOVE, **data}, "discard_above"),
            _pair(data, "fitted_thresholds") if "fitted_thresholds" in data else None,
            trees_from_json(json_parts.part(data, "trees", dict)) if "trees" in data else None,
            read_time(data),
        )
    except (MetaModelError, SettingError, json_parts.JsonError) as error:
        raise MetaModelError(f"{path}: incomplete or damaged: {error}; {_WAY_OUT}") from error


def _pair(data: Json, key: str) -> tuple[float, float]:
    low, high = json_parts.pair(data, key)
    return low, high
