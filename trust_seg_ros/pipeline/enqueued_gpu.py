"""What is enqueued on a GPU for one answer: maps, components with their metrics and predictions, flags.

With ``cuda_graph`` the whole of a :class:`Plan` is recorded, and replayed for the frames that have the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.predict_gpu import can_predict, device_predict
from trust_seg_ros.segmentation.graph_capture import Replayed
from trust_seg_ros.segments.families import families_of
from trust_seg_ros.segments.features import MAP_FIELDS, FeatureSet
from trust_seg_ros.segments.labelling_gpu import device_components, over_threshold
from trust_seg_ros.segments.metrics_gpu import device_metrics, knows
from trust_seg_ros.segments.sums import CLASSES, NEIGHBOURS
from trust_seg_ros.segments.sums_gpu import device_sums
from trust_seg_ros.types import UNLABELLED, LogitMaps, Placement
from trust_seg_ros.uncertainty.maps_gpu import device_maps

SEGMENTS, OOD = "segments", "ood"
MAPS = ("classes", "entropy", "margin", "variation_ratio")
_PREFIXES = {name: prefix for prefix, name in MAP_FIELDS.items()}
_PLANS = 4
"""Plans that are kept recorded: each holds the memory of a frame."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Components whose metrics are being made.

    Attributes:
        names: names of the metrics.
        rows: segments that the tables have room for.
        again: makes the tables with another number of rows.
        tables: name -> tensor, all that the host needs but the ids.
    """

    names: tuple[str, ...]
    rows: int
    again: Callable[[int], dict[str, torch.Tensor]]
    tables: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Plan:
    """What all frames need that are alike, softmax scores only; two that are equal need the same launches.

    Attributes:
        size, raw, placement: as in ``LogitMaps``.
        model: predicts of segments; None = nothing does. Compared by identity.
        segments: metrics of segments, and rows of their tables; None = not wanted.
        ood: score, threshold, metrics and rows; None = not wanted, or at a threshold that is not known yet.
        flags: score and threshold of the pixel flags; None likewise.
    """

    size: tuple[int, int]
    raw: bool
    placement: Placement | None
    model: MetaModel | None = field(hash=False, compare=False)
    segments: tuple[FeatureSet, int] | None
    ood: tuple[str, float, FeatureSet, int] | None
    flags: tuple[str, float] | None


class Enqueued:
    """The launches for one answer, and the tensors that they fill.

    Attributes:
        planes: name -> (H, W): the maps, ``segments.ids``, ``ood.ids``, ``flags``.
        found: "segments", "ood" -> their tables.
        faulty: (1,) int32, number of faulty pixels.
    """

    def __init__(self, answer: LogitMaps, model: MetaModel | None) -> None:
        self._answer, self._model = answer, model
        made = device_maps(answer)
        self._log_sum, self.faulty = made.log_sum, made.faulty
        self.planes: dict[str, torch.Tensor] = {name: getattr(made, name) for name in MAPS}
        self.found: dict[str, Measured] = {}

    def run(self, plan: Plan) -> Enqueued:
        """Enqueue a plan."""
        if plan.segments is not None:
            self.segments(*plan.segments, {})
        if plan.ood is not None:
            score, threshold, features, rows = plan.ood
            self.ood(score, self.planes[score], threshold, features, rows)
        if plan.flags is not None:
            self.flag(self.planes[plan.flags[0]], plan.flags[1])
        return self

    def flag(self, score: torch.Tensor, threshold: float) -> None:
        """Pixels whose score reaches the threshold, and those without a class."""
        reached = score >= float(np.float32(threshold))
        self.planes["flags"] = reached.logical_or_(self.planes["classes"] == UNLABELLED)

    def segments(self, features: FeatureSet, rows: int, extra: Mapping[str, torch.Tensor]) -> None:
        """The segments and their metrics; ``extra`` are the planes of further scores by name."""
        self._measure(SEGMENTS, self.planes["classes"], features, extra, "", rows)

    def ood(self, name: str, score: torch.Tensor, threshold: float, features: FeatureSet, rows: int) -> None:
        """The OoD segments of a score, their metrics and the sums of the score."""
        mask, total = over_threshold(score, threshold), _PREFIXES.get(name, name)
        self._measure(OOD, mask, features, {total: score}, total, rows)

    def _measure(
        self,
        kind: str,
        classes: torch.Tensor,
        features: FeatureSet,
        extra: Mapping[str, torch.Tensor],
        total: str,
        rows: int,
    ) -> None:
        families = families_of(features.families)
        if not knows(families):
            return
        planes = {prefix: self.planes[MAP_FIELDS[prefix]] for prefix in features.maps if prefix in MAP_FIELDS}
        planes |= {name: plane for name, plane in extra.items() if name in (*features.maps, total)}
        added = {name for family in families for name in family.sums}
        q, (height, width) = self._answer.logits.shape[0], self._answer.size
        components, names = device_components(classes), features.names(q)
        model = self._model if kind == SEGMENTS and self._model and can_predict(self._model, names) else None

        def made(rows: int) -> dict[str, torch.Tensor]:
            sums = device_sums(
                components,
                planes,
                named=self.planes["classes"],
                answer=self._answer if CLASSES in added else None,
                log_sum=self._log_sum if CLASSES in added else None,
                neighbours=NEIGHBOURS in added,
                n_classes=q,
                capacity=rows,
            )
            metrics = device_metrics(sums, families, features.maps, q, (height, width))
            tables = {"count": components.count, "outlines": sums.outlines, "interior": sums.places[:, 0]}
            tables["metrics"] = metrics
            if total:
                summed = sums.maps[total]
                tables["total"] = (summed[:, 0] + summed[:, 1]).double() * sums.map_scales[total][0]
            if model is not None:
                predicted = device_predict(model, names, metrics, components.count, sums.outlines[:, 0])
                tables["predicted"] = predicted.rows
            return tables

        self.found[kind] = Measured(names, rows, made, made(rows))
        self.planes[f"{kind}.ids"] = components.ids

    # --- as a recorded pass gives it ---

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All tensors, in an order that depends on the plan alone."""
        tables = (table for measured in self.found.values() for table in measured.tables.values())
        return (self.faulty, self._log_sum, *self.planes.values(), *tables)

    def with_tensors(self, tensors: tuple[torch.Tensor, ...]) -> Enqueued:
        """The same with other tensors, in the order of :meth:`tensors`."""
        other = object.__new__(Enqueued)
        rest = iter(tensors)
        other._answer, other._model = self._answer, self._model
        other.faulty, other._log_sum = next(rest), next(rest)
        other.planes = {name: next(rest) for name in self.planes}
        other.found = {
            kind: replace(measured, tables={name: next(rest) for name in measured.tables})
            for kind, measured in self.found.items()
        }
        return other


class Recordings:
    """The recorded passes of the last plans of a camera.

    Args:
        tell: is given the reason, where passes cannot be recorded.
        replayed: makes a pass that records itself.
    """

    def __init__(
        self, tell: Callable[[str], None], replayed: Callable[..., Callable[..., tuple[torch.Tensor, ...]]] = Replayed
    ) -> None:
        self._tell, self._replayed = tell, replayed
        self._kept: OrderedDict[tuple[Plan, int], tuple[Callable[..., tuple[torch.Tensor, ...]], list[Enqueued]]] = (
            OrderedDict()
        )

    def run(self, plan: Plan, logits: torch.Tensor) -> Enqueued:
        """What a plan gives for logits (q, h, w)."""
        key = plan, id(plan.model)
        if key not in self._kept:
            last: list[Enqueued] = []

            def enqueue(logits: torch.Tensor) -> tuple[torch.Tensor, ...]:
                answer = LogitMaps(logits, plan.size, plan.raw, placement=plan.placement)
                last[:] = [Enqueued(answer, plan.model).run(plan)]
                return last[0].tensors()

            self._kept[key] = self._replayed(enqueue, self._tell), last
        self._kept.move_to_end(key)
        while len(self._kept) > _PLANS:
            self._kept.popitem(last=False)
        replayed, last = self._kept[key]
        tensors = replayed(logits)
        return last[0].with_tensors(tensors)
