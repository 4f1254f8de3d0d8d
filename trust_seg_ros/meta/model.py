"""Meta models: segment metrics -> P(false positive) and predicted IoU, by linear models or boosted trees.

Source: Rottmann et al., MetaSeg, IJCNN 2020, section III (logistic regression for IoU_adj = 0, linear regression
of IoU_adj, both on standardised metrics); boosted trees in their place after Maag, Rottmann, Gottschalk, Time-Dynamic
Estimates of the Reliability of Deep Semantic Segmentation Networks, ICTAI 2020. ``meta.model_file`` reads the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from trust_seg_ros.grid import Size
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.features import ONE_HOT, MetricSource, design_matrix
from trust_seg_ros.meta.fitted_range import Placed, place
from trust_seg_ros.meta.linear import LinearPart, logistic
from trust_seg_ros.meta.origin import check_origin
from trust_seg_ros.meta.over_time import check_time, time_json, time_numbers
from trust_seg_ros.meta.sizes import check_sizes, sizes_json
from trust_seg_ros.meta.trees import TreePair
from trust_seg_ros.segments.history.window import TimeWindow
from trust_seg_ros.segments.origins import COMPONENTS
from trust_seg_ros.support import json_parts
from trust_seg_ros.support.json_file import MadeFor, check_network, fingerprint, raised_as, write_json
from trust_seg_ros.types import Json

__all__ = ["FORMAT", "PREDICTIONS", "VERSION", "LinearPart", "MetaModel"]

FORMAT = "trust_seg_ros/meta-model"
VERSION = 2
PREDICTIONS = ("false_positive", "iou")
"""Names of both predictions in the file."""
_WAY_OUT = "fit one for it (trust-seg fit --model …), or set meta_model to none"


@dataclass(frozen=True)
class MetaModel:
    """Both meta models of one network: classifier and regressor.

    Attributes:
        features: names of the segment metrics used, m of them; ``class_c`` is 1 where class c is predicted, else 0.
        means, scales: (m,) statistics of the training part; a metric x enters as (x - mean) / scale.
        classifier: its logistic is P(false positive).
        regressor: predicted IoU_adj, clipped to [0, 1].
        network: name of the network it was fitted for; for a file or folder its last part, see :func:`portable_name`.
        class_names: class names of that network, in order.
        ranges: (m, 2) smallest and largest value of each metric seen in fitting; outside of them the predictions move
            towards the base rates, see ``meta.fitted_range``.
        summary: how it was fitted: data, split, number of segments, scores.
        predicted_ranges: (2, 2) smallest and largest P(false positive), and predicted IoU_adj, of the segments fitted
            on; None if an older file does not hold them.
        network_sha256: hash of that network's weights; "" = not known.
        grid: (H', W') of the grid that its segments were made on, by its area; None in older files: the images' own
            pixels.
        image_sizes: sizes of the images it was fitted on; () = not known.
        base_rates: share of false positives, and mean IoU_adj, of the segments fitted on; None if an older file does
            not hold them.
        segments_from: what its segments are, see ``segments.origins``; components in files that do not say.
        trees: boosted trees whose sums are added to both linear parts, on metrics that are not standardised; such a
            model has ``base_rates``. None = linear models.
        time: how far its metrics over time look back; None = it has none.

    Raises:
        MetaModelError: the parts do not fit together, or hold numbers that cannot be used.
    """

    features: tuple[str, ...]
    means: np.ndarray
    scales: np.ndarray
    classifier: LinearPart
    regressor: LinearPart
    network: str
    class_names: tuple[str, ...]
    ranges: np.ndarray
    summary: Json = field(default_factory=dict)
    predicted_ranges: np.ndarray | None = None
    network_sha256: str = ""
    grid: Size | None = None
    image_sizes: tuple[Size, ...] = ()
    base_rates: tuple[float, float] | None = None
    segments_from: str = COMPONENTS
    trees: TreePair | None = None
    time: TimeWindow | None = None

    def __post_init__(self) -> None:
        m = len(self.features)
        if not m or len(set(self.features)) < m:
            raise MetaModelError(
                f"features: {', '.join(self.features) or 'none'}; expected different names, at least one"
            )
        one_hot = {f"{ONE_HOT}{c}" for c in range(len(self.class_names))}
        if unknown := [name for name in self.features if name.startswith(ONE_HOT) and name not in one_hot]:
            raise MetaModelError(
                f"features: {', '.join(unknown)}; there are {len(one_hot)} classes, the first {ONE_HOT}0"
            )
        for name, value in (
            ("means", self.means),
            ("scales", self.scales),
            ("classifier coefficients", self.classifier.coefficients),
            ("regressor coefficients", self.regressor.coefficients),
            ("ranges", self.ranges),
        ):
            if len(value) != m:
                raise MetaModelError(f"{name}: {len(value)} numbers for {m} features")
            if not np.isfinite(value).all():
                raise MetaModelError(f"{name}: holds numbers that are not finite")
        if (self.ranges[:, 0] > self.ranges[:, 1]).any():
            raise MetaModelError("ranges: the smallest value of a metric is above its largest")
        if (self.scales <= 0).any():
            raise MetaModelError("scales: every one must be positive")
        if not math.isfinite(self.classifier.intercept + self.regressor.intercept):
            raise MetaModelError("intercepts: hold numbers that are not finite")
        check_sizes(self.grid, self.image_sizes)
        check_origin(self.segments_from, self.features)
        check_time(self.time, self.features)
        if self.base_rates is not None and not all(0.0 <= rate <= 1.0 for rate in self.base_rates):
            raise MetaModelError(f"base_rates: {self.base_rates}, expected two shares from 0 to 1")
        if self.trees is not None:
            self.trees.check_metrics(m)
            if self.base_rates is None:
                raise MetaModelError("base_rates: none; boosted trees need those of the fit")

    def standardise(self, source: MetricSource) -> np.ndarray:
        """(n, m) float64 standardised metrics of the features used, clipped to the range seen in fitting.

        Segments that it was fitted on do not change.

        Raises:
            MetaModelError: the table lacks a feature.
        """
        return self._standardised(self.placed(source))

    def placed(self, source: MetricSource) -> Placed:
        """Where the metrics of every segment lie relative to the range seen in fitting.

        Raises:
            MetaModelError: the table lacks a feature.
        """
        return place(design_matrix(source, self.features), self.ranges, self.scales)

    def predict(self, source: MetricSource) -> tuple[np.ndarray, np.ndarray]:
        """P(false positive) and predicted IoU_adj of every segment, each (n,) float64 in [0, 1].

        Args:
            source: a ``SegmentTable`` or ``SegmentData``.

        Raises:
            MetaModelError: the source lacks a feature.
        """
        return self.predict_placed(self.placed(source))

    def predict_placed(self, placed: Placed) -> tuple[np.ndarray, np.ndarray]:
        """The predictions of :meth:`predict` for metrics that :meth:`placed` has found."""
        log_odds, overlap = self.inside(placed)
        wrong, iou = self.priors
        return placed.towards(wrong, logistic(log_odds)), placed.towards(iou, np.clip(overlap, 0.0, 1.0))

    def inside(self, placed: Placed) -> tuple[np.ndarray, np.ndarray]:
        """Log-odds of a false positive, and IoU_adj not clipped, each (n,), at the nearest point of the range."""
        x = self._standardised(placed)
        log_odds, overlap = self.classifier(x), self.regressor(x)
        if self.trees is None:
            return log_odds, overlap
        return log_odds + self.trees.false_positive(placed.nearest), overlap + self.trees.iou(placed.nearest)

    def _standardised(self, placed: Placed) -> np.ndarray:
        standardised: np.ndarray = (placed.nearest - self.means) / self.scales
        return standardised

    @property
    def priors(self) -> tuple[float, float]:
        """P(false positive) and IoU_adj far outside the range: the base rates of the fit.

        For an older file, the predictions for a segment whose metrics are all the means of the fit.
        """
        if self.base_rates is not None:
            return self.base_rates
        wrong = 0.5 * (1.0 + math.tanh(0.5 * self.classifier.intercept))
        return wrong, min(max(self.regressor.intercept, 0.0), 1.0)

    def with_predicted_ranges(self, source: MetricSource) -> MetaModel:
        """The same model, with the range of its predictions for these segments (at least one)."""
        return replace(self, predicted_ranges=np.array([[part.min(), part.max()] for part in self.predict(source)]))

    @property
    def fingerprint(self) -> str:
        """Hash of the features, ranges, standardisation, classifier, trees and base rate that give P(false positive).

        Of what the segments are, too, where they are not components.
        """
        part, rate = self.classifier, () if self.base_rates is None else self.base_rates[:1]
        origin = () if self.segments_from == COMPONENTS else (self.segments_from,)
        numbers = self.means, self.scales, part.coefficients, part.intercept, self.ranges
        return fingerprint((*self.features, *origin), *numbers, *rate, *self._later_parts)

    @property
    def older_fingerprint(self) -> str:
        """The fingerprint in calibrations of earlier versions: without the ranges."""
        part = self.classifier
        return fingerprint(
            self.features, self.means, self.scales, part.coefficients, part.intercept, *self._later_parts
        )

    @property
    def _later_parts(self) -> tuple[np.ndarray | float, ...]:
        """What earlier versions had not: trees, and metrics over time."""
        return (*(() if self.trees is None else self.trees.false_positive.arrays), *time_numbers(self.time))

    def check_fits(self, network: str, class_names: Sequence[str], sha256: str = "") -> None:
        """Refuse a network other than the one this model was fitted for; its file or folder may have moved.

        Args:
            network: name of the running network.
            class_names: its classes, in order.
            sha256: hash of its weights; "" = not known, and then only names are compared.

        Raises:
            MetaModelError: names, classes or hashes differ.
        """
        fitted = MadeFor(self.network, self.class_names, self.network_sha256)
        with raised_as(MetaModelError):
            check_network(fitted, MadeFor(network, tuple(class_names), sha256), "the meta model", _WAY_OUT)

    def to_json(self) -> Json:
        """The content of the model file."""
        columns = zip(
            self.features,
            self.means,
            self.scales,
            self.classifier.coefficients,
            self.regressor.coefficients,
            self.ranges,
            strict=True,
        )
        ranges = {} if self.predicted_ranges is None else {"predicted_ranges": _ranges_json(self.predicted_ranges)}
        return {
            "format": FORMAT,
            "version": VERSION,
            "network": self.network,
            **({"network_sha256": self.network_sha256} if self.network_sha256 else {}),
            "classes": list(self.class_names),
            **sizes_json(self.grid, self.image_sizes),
            **({} if self.segments_from == COMPONENTS else {"segments_from": self.segments_from}),
            **time_json(self.time),
            "summary": json_parts.plain(self.summary),
            **ranges,
            **({} if self.base_rates is None else {"base_rates": dict(zip(PREDICTIONS, self.base_rates, strict=True))}),
            "intercepts": {"false_positive": float(self.classifier.intercept), "iou": float(self.regressor.intercept)},
            "features": {
                name: {
                    "mean": float(mean),
                    "scale": float(scale),
                    "false_positive": float(fp),
                    "iou": float(iou),
                    "range": [float(low), float(high)],
                }
                for name, mean, scale, fp, iou, (low, high) in columns
            },
            **({} if self.trees is None else {"trees": self.trees.to_json()}),
        }

    def save(self, path: str | Path) -> None:
        """Write the model file (JSON); atomic rename, so a broken run leaves nothing half-written.

        Raises:
            MetaModelError: it cannot be written there.
        """
        with raised_as(MetaModelError):
            write_json(self.to_json(), path, "the meta model", short_lists=self.trees is not None)


def _ranges_json(ranges: np.ndarray) -> Json:
    return dict(zip(PREDICTIONS, ranges.tolist(), strict=True))
