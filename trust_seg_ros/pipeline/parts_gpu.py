"""The maps, segments and flags of one frame, made on the device of the logits by some twenty launches.

All of them are enqueued before the host waits: maps, components, sums, metrics and predictions, for thresholds that are
constants also OoD segments and pixel flags. Then tables and flags, and those planes that the host read of the last
frame, come over together; what else is read comes when it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch

from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.ood_judge import OodJudge
from trust_seg_ros.meta.predict_gpu import DevicePredictions
from trust_seg_ros.pipeline.device_memory import MOST_ROWS, DeviceMemory, PartKey, ScoresOf
from trust_seg_ros.pipeline.enqueued_gpu import OOD, SEGMENTS, Enqueued, Measured, Plan, Recordings
from trust_seg_ros.pipeline.parts import HostParts, Measuring
from trust_seg_ros.segments.features import FeatureSet, feature_set
from trust_seg_ros.support.block_copy import to_host
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.control import FrameThresholds
from trust_seg_ros.types import LogitMaps, OodSegments, SegmentTable, Wanted
from trust_seg_ros.types.fetched import FetchedMaps, FetchedOod, FetchedTable
from trust_seg_ros.uncertainty.score_names import SOFTMAX_SCORES

_FETCHED_TABLE: Callable[..., SegmentTable] = FetchedTable
_FETCHED_OOD: Callable[..., OodSegments] = FetchedOod
HostKey = tuple[object, ...]
"""What came to the host: (kind, table), ("faulty",), ("flags",), or a ``PartKey``."""


class DeviceParts(HostParts):
    """``Parts`` by Triton's kernels; whatever they cannot do is done on the host, from the same maps.

    Args:
        answer: logits on the device, no class sums.
        scores_of, measuring, meta, judge: as in ``DeviceUse``.
        memory: of the frame before; it is changed.
        recordings: recorded launches, for frames that are alike; None = everything is launched one by one.
    """

    def __init__(
        self,
        answer: LogitMaps,
        scores_of: ScoresOf,
        measuring: Measuring,
        meta: MetaModel | None,
        judge: OodJudge,
        memory: DeviceMemory,
        recordings: Recordings | None = None,
    ) -> None:
        self._meta, self._judge, self._memory = meta, judge, memory
        self._expected, memory.read = memory.read, set()
        self._recordings = recordings
        self._host: dict[HostKey, torch.Tensor] = {}
        self._ood_key: tuple[str, float] | None = None
        self._flag_key: tuple[str, float] | None = None
        maps = FetchedMaps(self)
        super().__init__(answer, maps, scores_of(maps), measuring)

    @cached_property
    def _work(self) -> Enqueued:
        return Enqueued(self._answer, self._meta)

    @property
    def _found(self) -> dict[str, Measured]:
        return self._work.found

    @property
    def _planes(self) -> dict[str, torch.Tensor]:
        return self._work.planes

    def begin(self, settings: ThresholdSettings, wanted: Wanted, constant: Callable[[str], float | None]) -> None:
        """Enqueue all that is wanted, and fetch it."""
        ood = constant(OOD) if wanted.ood else None
        pixel = constant("pixel") if wanted.pixel_flags else None
        self._ood_key = None if ood is None else (settings.ood_score, float(np.float32(ood)))
        self._flag_key = None if pixel is None else (settings.pixel_score, pixel)
        if not self._replay(wanted):
            if wanted.segments:
                self._measure_segments()
            if self._ood_key is not None:
                self._measure_ood(*self._ood_key)
            if self._flag_key is not None:
                self._work.flag(self._plane(self._flag_key[0]), self._flag_key[1])
        fetched: dict[HostKey, torch.Tensor] = {("faulty",): self._work.faulty}
        if "flags" in self._planes:
            fetched["flags",] = self._planes["flags"]
        self._fetch(tuple(self._found), fetched)

    def _replay(self, wanted: Wanted) -> bool:
        """Whether all of it was enqueued as a recorded whole."""
        keys = [key for key in (self._ood_key, self._flag_key) if key is not None]
        plain = not self._measuring.scores and all(name in SOFTMAX_SCORES for name, _ in keys)
        if self._recordings is None or not plain or "_work" in self.__dict__:
            return False
        rows = self._memory.rows
        plan = Plan(
            self.size,
            self._answer.raw,
            self._answer.placement,
            self._meta,
            (self._measuring.chosen, rows[SEGMENTS]) if wanted.segments else None,
            None if self._ood_key is None else (*self._ood_key, self._ood_features(self._ood_key[0]), rows[OOD]),
            self._flag_key,
        )
        self.__dict__["_work"] = self._recordings.run(plan, self._answer.logits)
        return True

    def table(self) -> SegmentTable:
        """As ``Parts``."""
        if SEGMENTS not in self._found:
            self._measure_segments()
            self._fetch((SEGMENTS,), {})
        found = self._found.get(SEGMENTS)
        if found is None:
            return super().table()
        outlines, interior, metrics = self._rows(SEGMENTS, "outlines", "interior", "metrics")
        class_ids = outlines[:, 0].astype(np.uint8)
        return _segment_table(partial(self._array, "segments.ids"), class_ids, outlines, interior, found.names, metrics)

    def prediction(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """As ``Parts``."""
        found = self._found.get(SEGMENTS)
        if found is None or "predicted" not in found.tables:
            return None
        p_wrong, iou, outside = DevicePredictions(self._host[SEGMENTS, "predicted"]).host(self._count(SEGMENTS))
        assert iou is not None  # of a ``MetaModel``
        return p_wrong, iou, outside

    def pixel_flags(self, name: str, limits: FrameThresholds) -> np.ndarray:
        """As ``Parts``."""
        at = limits.plain("pixel")
        if at is None or (name, at) != self._flag_key:
            self._planes.pop("flags", None)
            return super().pixel_flags(name, limits)
        limits.find("pixel", None)
        return self._host["flags",].numpy()

    def ood(self, name: str, limits: FrameThresholds, min_size: int) -> tuple[OodSegments, float]:
        """As ``Parts``."""
        at = limits.plain(OOD)
        threshold = self.threshold(OOD, name, limits) if at is None else limits.find(OOD, None).value
        key = name, float(np.float32(threshold))
        if self._ood_key != key or OOD not in self._found:
            self._ood_key = key
            self._measure_ood(*key)
            self._fetch((OOD,), {})
        # faulty pixels have the score +inf, which sums of whole numbers cannot hold
        if OOD not in self._found or (self.maps.faulty_pixels and name not in SOFTMAX_SCORES):
            self._ood_key = None
            self._planes.pop("ood.ids", None)
            return self.ood_at(name, threshold, min_size), threshold
        outlines, total = self._rows(OOD, "outlines", "total")
        sizes, boxes = _sizes_and_boxes(outlines)
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

        def ids() -> np.ndarray:
            numbers: np.ndarray = np.append(0, np.where(found.kept, np.cumsum(found.kept), 0)).astype(np.int32)
            kept: np.ndarray = numbers[found.ids]
            return kept

        return _segment_table(ids, class_ids, outlines, interior, names, metrics)

    def threshold(self, target: str, name: str, limits: FrameThresholds) -> float:
        """As ``HostParts``; what a policy needs of the score is counted on the device, and waited for."""
        return limits.find(target, self._plane(name), self._planes["classes"]).value

    # --- on the device ---

    def _plane(self, name: str) -> torch.Tensor:
        """(H, W) float32 of a score, on the device."""
        return self._planes[name] if name in SOFTMAX_SCORES else self.scores.on_device(name)

    def _measure_segments(self) -> None:
        chosen = self._measuring.chosen
        extra = {name: self._plane(name) for name in self._measuring.scores}
        chosen = chosen.with_maps(tuple(extra)) if chosen.extra else chosen
        self._work.segments(chosen, self._memory.rows[SEGMENTS], extra)

    def _measure_ood(self, name: str, threshold: float) -> None:
        for key in [key for key in self._host if key[0] in (OOD, "ood.ids")]:
            del self._host[key]  # of another threshold
        score, features = self._plane(name), self._ood_features(name)
        self._work.ood(name, score, threshold, features, self._memory.rows[OOD])

    def _ood_features(self, name: str) -> FeatureSet:
        return feature_set(self._judge.features(name, self.size))

    # --- to the host ---

    def _fetch(self, kinds: tuple[str, ...], fetched: dict[HostKey, torch.Tensor]) -> None:
        """Bring these tables, ``fetched`` and the expected planes to the host; again for more room, where it lacks."""
        kinds = tuple(kind for kind in kinds if kind in self._found)
        expected: dict[HostKey, torch.Tensor] = {
            key: self._part(key) for key in self._expected if key[0] in self._planes
        }
        fetched = {**expected, **fetched}
        while kinds or fetched:
            for kind in kinds:
                fetched |= {(kind, name): part for name, part in self._found[kind].tables.items()}
            self._host |= to_host({name: part for name, part in fetched.items() if name not in self._host})
            short = tuple(kind for kind in kinds if self._count(kind) > self._found[kind].rows)
            kinds, fetched = tuple(kind for kind in short if self._enlarge(kind)), {}

    def _enlarge(self, kind: str) -> bool:
        """Measure again with room for all segments; False if there are too many."""
        found, count = self._found[kind], self._count(kind)
        for name in found.tables:
            self._host.pop((kind, name))
        if count > MOST_ROWS:
            del self._found[kind], self._planes[f"{kind}.ids"]
            return False
        self._memory.rows[kind] = rows = min(MOST_ROWS, 1 << (count + count // 4).bit_length())
        self._found[kind] = replace(found, rows=rows, tables=found.again(rows))
        return True

    def _count(self, kind: str) -> int:
        return int(self._host[kind, "count"])

    def _rows(self, kind: str, *names: str) -> list[np.ndarray]:
        """Tables of a kind, as far as there are segments."""
        n = self._count(kind)
        return [self._host[kind, name].numpy()[:n] for name in names]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        height, width = self._answer.size
        return height, width

    def faulty(self) -> int:
        """The number of faulty pixels."""
        if ("faulty",) not in self._host:
            self._host |= to_host({("faulty",): self._work.faulty})
        return int(self._host["faulty",])

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
        if key not in self._host:
            self._host |= to_host({key: self._part(key)})
        return self._host[key]

    def _part(self, key: PartKey) -> torch.Tensor:
        name, first, step = key
        return self._planes[name][first[0] :: step[0], first[1] :: step[1]]

    def _array(self, name: str) -> np.ndarray:
        return self.plane(name).numpy()


def _segment_table(
    ids: Callable[[], np.ndarray],
    class_ids: np.ndarray,
    outlines: np.ndarray,
    interior: np.ndarray,
    names: tuple[str, ...],
    metrics: np.ndarray,
) -> SegmentTable:
    """A table from the rows of the device's tables; a segment that fills the image has no interior."""
    sizes, boxes = _sizes_and_boxes(outlines)
    return _FETCHED_TABLE(ids, class_ids, boxes, sizes, np.where(interior == sizes, 0, interior), names, metrics)


def _sizes_and_boxes(outlines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return outlines[:, 5].astype(np.int64), np.ascontiguousarray(outlines[:, 1:5])
