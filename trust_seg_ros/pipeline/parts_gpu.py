"""The maps, segments and flags of one frame, made on the device of the logits by a dozen launches.

All of them are enqueued before the host waits: maps, components, sums, metrics and predictions, for thresholds that are
constants also OoD segments and pixel flags. Then tables and flags, and those planes that the host read of the last
frame, come over together; what else is read comes when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from trust_seg_ros.meta.fitted_range import MARGIN
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.ood_judge import OodJudge
from trust_seg_ros.meta.predict_gpu import can_predict, device_predict
from trust_seg_ros.pipeline.device_memory import MOST_ROWS, DeviceMemory, PartKey, ScoresOf
from trust_seg_ros.pipeline.parts import HostParts, Measuring
from trust_seg_ros.segments.families import families_of
from trust_seg_ros.segments.features import MAP_FIELDS, FeatureSet, feature_set
from trust_seg_ros.segments.labelling_gpu import device_components, over_threshold
from trust_seg_ros.segments.metrics_gpu import device_metrics, knows
from trust_seg_ros.segments.sums import CLASSES, NEIGHBOURS
from trust_seg_ros.segments.sums_gpu import device_sums
from trust_seg_ros.support.block_copy import to_host
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.control import FrameThresholds
from trust_seg_ros.types import UNLABELLED, LogitMaps, OodSegments, SegmentTable, Wanted
from trust_seg_ros.types.fetched import FetchedMaps, FetchedOod, FetchedTable
from trust_seg_ros.uncertainty.maps_gpu import device_maps
from trust_seg_ros.uncertainty.score_names import SOFTMAX_SCORES

SEGMENTS, OOD = "segments", "ood"
_PREFIXES = {field: prefix for prefix, field in MAP_FIELDS.items()}
_MAPS = ("classes", "entropy", "margin", "variation_ratio")
_FETCHED_TABLE: Callable[..., SegmentTable] = FetchedTable
_FETCHED_OOD: Callable[..., OodSegments] = FetchedOod


@dataclass(frozen=True, eq=False)
class _Measured:
    """Components whose metrics are being made.

    Attributes:
        names: names of the metrics.
        rows: segments that the tables have room for.
        again: makes the same with another number of rows.
        tables: name -> tensor, all that the host needs but the ids.
        ids: (H, W) int32.
    """

    names: tuple[str, ...]
    rows: int
    again: Callable[[int], _Measured]
    tables: Mapping[str, torch.Tensor]
    ids: torch.Tensor


class DeviceParts(HostParts):
    """``Parts`` by Triton's kernels; whatever they cannot do is done on the host, from the same maps.

    Args:
        answer: logits on the device, no class sums.
        scores_of, measuring, meta, judge: as in ``DeviceUse``.
        memory: of the frame before; it is changed.
    """

    def __init__(
        self,
        answer: LogitMaps,
        scores_of: ScoresOf,
        measuring: Measuring,
        meta: MetaModel | None,
        judge: OodJudge,
        memory: DeviceMemory,
    ) -> None:
        self._meta, self._judge, self._memory = meta, judge, memory
        self._expected, memory.read = memory.read, set()
        self._made = device_maps(answer)
        self._planes = {name: getattr(self._made, name) for name in _MAPS}
        self._host: dict[str, torch.Tensor] = {}
        self._found: dict[str, _Measured] = {}
        self._ood_key: tuple[str, float] | None = None
        self._flag_key: tuple[str, float] | None = None
        maps = FetchedMaps(self)
        super().__init__(answer, maps, scores_of(maps), measuring)

    def begin(self, settings: ThresholdSettings, wanted: Wanted, constant: Callable[[str], float | None]) -> None:
        """Enqueue all that is wanted, and fetch it."""
        fetched = {"faulty": self._made.faulty}
        if wanted.segments:
            self._measure_segments()
        at = constant(OOD) if wanted.ood else None
        if at is not None:
            self._measure_ood(settings.ood_score, at)
        at = constant("pixel") if wanted.pixel_flags else None
        if at is not None:
            self._flag_key = settings.pixel_score, at
            fetched["flags"] = self._planes["flags"] = self._flagged(settings.pixel_score, at)
        self._fetch(tuple(self._found), fetched)

    def table(self) -> SegmentTable:
        """As ``Parts``."""
        if SEGMENTS not in self._found:
            self._measure_segments()
            self._fetch((SEGMENTS,), {})
        found = self._found.get(SEGMENTS)
        if found is None:
            return super().table()
        outlines, interior, metrics = self._rows(SEGMENTS, "outlines", "interior", "metrics")
        sizes = outlines[:, 5].astype(np.int64)
        return _FETCHED_TABLE(
            partial(self._array, "segments.ids"),
            outlines[:, 0].astype(np.uint8),
            np.ascontiguousarray(outlines[:, 1:5]),
            sizes,
            np.where(interior == sizes, 0, interior),
            found.names,
            metrics,
        )

    def prediction(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """As ``Parts``."""
        found = self._found.get(SEGMENTS)
        if found is None or "predicted" not in found.tables:
            return None
        beyond, p_wrong, iou = np.ascontiguousarray(self._rows(SEGMENTS, "predicted")[0].T)
        return p_wrong, iou, beyond > MARGIN

    def pixel_flags(self, name: str, limits: FrameThresholds) -> np.ndarray:
        """As ``Parts``."""
        at = limits.plain("pixel")
        if at is None or (name, at) != self._flag_key:
            self._planes.pop("flags", None)
            return super().pixel_flags(name, limits)
        limits.find("pixel", None)
        return self._host["flags"].numpy()

    def ood(self, name: str, limits: FrameThresholds, min_size: int) -> tuple[OodSegments, float]:
        """As ``Parts``."""
        at = limits.plain(OOD)
        threshold = self.threshold(OOD, name, limits) if at is None else limits.find(OOD, None).value
        if self._ood_key != (name, threshold):
            self._measure_ood(name, threshold)
            self._fetch((OOD,), {})
        # faulty pixels have the score +inf, which sums of whole numbers cannot hold
        if OOD not in self._found or (self.maps.faulty_pixels and name not in SOFTMAX_SCORES):
            self._ood_key = None
            self._planes.pop("ood.ids", None)
            return self.ood_at(name, threshold, min_size), threshold
        outlines, total = self._rows(OOD, "outlines", "total")
        sizes = outlines[:, 5].astype(np.int64)
        boxes = np.ascontiguousarray(outlines[:, 1:5])
        ids = partial(self._array, "ood.ids")
        return _FETCHED_OOD(ids, boxes, sizes, total / np.maximum(sizes, 1), sizes >= min_size), threshold

    def ood_table(self, found: OodSegments, features: str | FeatureSet) -> SegmentTable:
        """As ``Parts``."""
        if self._ood_key is None:
            return super().ood_table(found, features)
        names = self._found[OOD].names
        outlines, interior, metrics = (rows[found.kept] for rows in self._rows(OOD, "outlines", "interior", "metrics"))
        first = names.index("cprob_0")
        class_ids = metrics[:, first : first + self._answer.logits.shape[0]].argmax(axis=1).astype(np.uint8)
        sizes = outlines[:, 5].astype(np.int64)

        def ids() -> np.ndarray:
            numbers: np.ndarray = np.append(0, np.where(found.kept, np.cumsum(found.kept), 0)).astype(np.int32)
            kept: np.ndarray = numbers[found.ids]
            return kept

        inside = np.where(interior == sizes, 0, interior)
        boxes = np.ascontiguousarray(outlines[:, 1:5])
        return _FETCHED_TABLE(ids, class_ids, boxes, sizes, inside, names, metrics)

    def threshold(self, target: str, name: str, limits: FrameThresholds) -> float:
        """As ``HostParts``; what a policy needs of the score is counted on the device, and waited for."""
        return limits.find(target, self._plane(name), self._planes["classes"]).value

    # --- on the device ---

    def _plane(self, name: str) -> torch.Tensor:
        """(H, W) float32 of a score, on the device."""
        return self._planes[name] if name in SOFTMAX_SCORES else self.scores.on_device(name)

    def _flagged(self, name: str, threshold: float) -> torch.Tensor:
        found = self._plane(name) >= float(np.float32(threshold))
        return found.logical_or_(self._planes["classes"] == UNLABELLED)

    def _measure_segments(self) -> None:
        chosen = self._measuring.chosen
        extra = {name: self._plane(name) for name in self._measuring.scores}
        if chosen.extra:
            chosen = chosen.with_maps(tuple(extra))
        self._measure(SEGMENTS, self._planes["classes"], chosen, extra, "", self._memory.rows[SEGMENTS])

    def _measure_ood(self, name: str, threshold: float) -> None:
        self._ood_key = name, threshold
        score = self._plane(name)
        features = feature_set(self._judge.features(name, self.size))
        mask = over_threshold(score, float(np.float32(threshold)))
        self._measure(
            OOD, mask, features, {_PREFIXES.get(name, name): score}, _PREFIXES.get(name, name), self._memory.rows[OOD]
        )

    def _measure(
        self,
        kind: str,
        classes: torch.Tensor,
        features: FeatureSet,
        extra: Mapping[str, torch.Tensor],
        total: str,
        rows: int,
    ) -> None:
        """Enqueue components of ``classes`` and their metrics; and, named by ``total``, the sum of one of ``extra``."""
        families = families_of(features.families)
        if not knows(families):
            return
        planes = {prefix: self._plane(MAP_FIELDS[prefix]) for prefix in features.maps if prefix in MAP_FIELDS}
        planes |= {name: plane for name, plane in extra.items() if name in (*features.maps, total)}
        added = {name for family in families for name in family.sums}
        q = self._answer.logits.shape[0]
        components = device_components(classes)
        names = features.names(q)

        def made(rows: int) -> _Measured:
            sums = device_sums(
                components,
                planes,
                named=self._planes["classes"],
                answer=self._answer if CLASSES in added else None,
                log_sum=self._made.log_sum if CLASSES in added else None,
                neighbours=NEIGHBOURS in added,
                n_classes=q,
                capacity=rows,
            )
            metrics = device_metrics(sums, families, features.maps, q, self.size)
            tables = {
                "count": components.count,
                "outlines": sums.outlines,
                "interior": sums.places[:, 0],
                "metrics": metrics,
            }
            if total:
                summed = sums.maps[total]
                tables["total"] = (summed[:, 0] + summed[:, 1]).double() * sums.map_scales[total][0]
            elif self._meta is not None and can_predict(self._meta, names):
                class_ids = sums.outlines[:, 0]
                tables["predicted"] = device_predict(self._meta, names, metrics, components.count, class_ids).rows.T
            return _Measured(names, rows, made, tables, components.ids)

        self._found[kind] = made(rows)
        self._planes[f"{kind}.ids"] = components.ids

    # --- to the host ---

    def _fetch(self, kinds: tuple[str, ...], fetched: dict[str, torch.Tensor]) -> None:
        """Bring these tables, ``fetched`` and the expected planes to the host; again for more room, where it lacks."""
        expected = {str(key): self._part(key) for key in self._expected if key[0] in self._planes}
        fetched = {**expected, **fetched}
        while kinds or fetched:
            for kind in kinds:
                fetched |= {f"{kind}.{name}": part for name, part in self._found[kind].tables.items()}
            self._host |= to_host({name: part for name, part in fetched.items() if name not in self._host})
            short = tuple(kind for kind in kinds if self._count(kind) > self._found[kind].rows)
            kinds, fetched = tuple(kind for kind in short if self._enlarge(kind)), {}

    def _enlarge(self, kind: str) -> bool:
        """Measure again with room for all segments; False if there are too many."""
        found, count = self._found[kind], self._count(kind)
        for name in found.tables:
            self._host.pop(f"{kind}.{name}")
        if count > MOST_ROWS:
            del self._found[kind], self._planes[f"{kind}.ids"]
            return False
        self._memory.rows[kind] = rows = min(MOST_ROWS, 1 << (count + count // 4).bit_length())
        self._found[kind] = found.again(rows)
        return True

    def _count(self, kind: str) -> int:
        return int(self._host[f"{kind}.count"])

    def _rows(self, kind: str, *names: str) -> list[np.ndarray]:
        """Tables of a kind, as far as there are segments."""
        n = self._count(kind)
        return [self._host[f"{kind}.{name}"].numpy()[:n] for name in names]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        height, width = self._answer.size
        return height, width

    def faulty(self) -> int:
        """The number of faulty pixels."""
        if "faulty" not in self._host:
            self._host |= to_host({"faulty": self._made.faulty})
        return int(self._host["faulty"])

    def on_device(self, name: str) -> torch.Tensor | None:
        """A plane where it lies; None if it was made on the host."""
        return self._planes.get(name)

    def plane(self, name: str) -> torch.Tensor:
        """A plane on the host; the next frame's comes along unasked."""
        return self._read((name, (0, 0), (1, 1)))

    def part(self, name: str, first: tuple[int, int], step: tuple[int, int]) -> np.ndarray:
        """Some of its rows and columns, as ``UncertaintyMaps.part``."""
        return self._read((name, first, step)).numpy()

    def _read(self, key: PartKey) -> torch.Tensor:
        self._memory.read.add(key)
        if str(key) not in self._host:
            self._host |= to_host({str(key): self._part(key)})
        return self._host[str(key)]

    def _part(self, key: PartKey) -> torch.Tensor:
        name, first, step = key
        return self._planes[name][first[0] :: step[0], first[1] :: step[1]]

    def _array(self, name: str) -> np.ndarray:
        return self.plane(name).numpy()
