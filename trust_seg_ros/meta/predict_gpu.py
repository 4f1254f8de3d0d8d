"""Linear meta models on the GPU: metrics of segments -> the predictions of ``MetaModel`` and ``OodModel``, one launch.

Everything is float64 and follows ``fitted_range``: metrics are clipped to the range fitted on, and outside it the
answer moves towards the base rate.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import triton
import triton.language as tl

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.features import ONE_HOT, is_one_hot
from trust_seg_ros.meta.fitted_range import HALF_AT, MARGIN
from trust_seg_ros.meta.linear import LinearPart
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.ood import OodModel

SEGMENTS, FEATURES = tl.constexpr(32), tl.constexpr(16)
"""Segments of a program, one per thread, and metrics that it takes at a time."""
_STRENGTH = tl.constexpr(1.0 / HALF_AT)


@dataclass(frozen=True, eq=False)
class DevicePredictions:
    """Predictions for the segments of an image, on the device; 0 beyond the last segment.

    Attributes:
        rows: (2 or 3, capacity) float64: distance outside the range fitted on, in widths of it; P(false positive), or
            P(false alarm) of an ``OodModel``, in [0, 1]; predicted IoU_adj in [0, 1], of a ``MetaModel`` only.
    """

    rows: torch.Tensor

    def host(self, n: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Of the first n segments: P and IoU_adj (n,) float64, and (n,) bool which lie outside, as ``Placed`` says."""
        beyond, p, *iou = self.rows[:, :n].cpu().numpy()
        return p, iou[0] if iou else None, beyond > MARGIN


def can_predict(model: MetaModel | OodModel, names: Sequence[str]) -> bool:
    """Whether the model is linear, looks at no metrics over time, and finds all of its metrics among ``names``."""
    linear = model.trees is None and model.time is None and bool(np.isfinite(_slopes(model)).all())
    return linear and all(is_one_hot(name) for name in set(model.features) - set(names))


def device_predict(
    model: MetaModel | OodModel,
    names: Sequence[str],
    metrics: torch.Tensor,
    count: torch.Tensor,
    class_ids: torch.Tensor,
) -> DevicePredictions:
    """What ``MetaModel.predict`` and ``OodModel.judge`` say of every segment, within rounding.

    The numbers of a model are copied to the device once.

    Args:
        model: a linear model.
        names: columns of ``metrics``.
        metrics: (capacity, m) float64, finite.
        count: (1,) int32, number of segments.
        class_ids: (capacity,) int32 predicted class; may be a column of a table.

    Raises:
        MetaModelError: a model that :func:`can_predict` denies.
    """
    columns, numbers = _uploaded(model, tuple(names), metrics.device)
    with_iou, capacity = isinstance(model, MetaModel), len(metrics)
    rows = torch.empty((2 + with_iou, capacity), dtype=torch.float64, device=metrics.device)
    table = metrics, metrics.stride(0), class_ids, class_ids.stride(0), count
    grid = (triton.cdiv(capacity, SEGMENTS.value),)
    with torch.cuda.device_of(rows):
        _predict[grid](table, columns, numbers, rows, capacity, len(columns), with_iou, num_warps=1)
    return DevicePredictions(rows)


_Uploaded = tuple[torch.Tensor, torch.Tensor]
_UPLOADED: dict[int, dict[tuple[tuple[str, ...], torch.device], _Uploaded]] = {}
"""id of a model -> its numbers by columns and device; dropped with the model."""


def _uploaded(model: MetaModel | OodModel, names: tuple[str, ...], device: torch.device) -> _Uploaded:
    if id(model) not in _UPLOADED:
        weakref.finalize(model, _UPLOADED.pop, id(model), None)
    kept = _UPLOADED.setdefault(id(model), {})
    if (names, device) not in kept:
        columns, numbers = _numbers(model, names)
        kept[names, device] = torch.from_numpy(columns).to(device), torch.from_numpy(numbers).to(device)
    return kept[names, device]


def _numbers(model: MetaModel | OodModel, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Columns (m,) int32 of the metrics, -1 - c for ``class_c``; and (6 m + 4,) float64 as the kernel reads them."""
    if not can_predict(model, names):
        raise MetaModelError("the meta model has trees, or metrics that are not on the GPU; predict on the host")
    position = {name: column for column, name in enumerate(names)}
    columns = [position[name] if name in position else -1 - int(name.removeprefix(ONE_HOT)) for name in model.features]
    priors = model.priors if isinstance(model, MetaModel) else (model.prior, 0.0)
    width = model.ranges[:, 1] - model.ranges[:, 0]
    width = np.maximum(np.where(width > 0, width, model.scales), np.finfo(np.float64).tiny)
    ends = [*(part.intercept for part in _parts(model)), *priors]
    per_metric = np.stack([*model.ranges.T, 1.0 / width, model.means, *_slopes(model)], axis=1)
    return np.array(columns, np.int32), np.concatenate([per_metric.ravel(), ends])


def _parts(model: MetaModel | OodModel) -> tuple[LinearPart, LinearPart]:
    """Of an ``OodModel`` the second one is not used."""
    return model.classifier, model.regressor if isinstance(model, MetaModel) else model.classifier


def _slopes(model: MetaModel | OodModel) -> np.ndarray:
    """(2, m) float64, coefficients of metrics that are not divided by their scale."""
    with np.errstate(over="ignore"):
        slopes: np.ndarray = np.stack([part.coefficients for part in _parts(model)]) / model.scales
    return slopes


@triton.jit
def _predict(table, columns, numbers, out, capacity, features, WITH_IOU: tl.constexpr):
    metrics, step, class_ids, class_step, count = table
    segments = (tl.program_id(0) * SEGMENTS + tl.arange(0, SEGMENTS)).to(tl.int64)
    kept = segments < capacity
    here = kept & (segments < tl.load(count))
    classes = tl.load(class_ids + segments * class_step, mask=here, other=0)
    beyond = tl.zeros((SEGMENTS,), tl.float64)
    log_odds, overlap = beyond, beyond
    for start in range(0, features, FEATURES):
        at = (start + tl.arange(0, FEATURES))[:, None]  # sums over rows stay within a thread
        used = at < features
        column = tl.load(columns + at, mask=used, other=0)
        cell = metrics + segments[None, :] * step + column
        x = tl.load(cell, mask=here[None, :] & used & (column >= 0), other=0.0)
        x = tl.where(column < 0, (classes[None, :] == -1 - column).to(tl.float64), x)
        numbers_at = numbers + at * 6
        low = tl.load(numbers_at, mask=used, other=0.0)
        nearest = tl.minimum(tl.maximum(x, low), tl.load(numbers_at + 1, mask=used, other=0.0))
        per_width = tl.load(numbers_at + 2, mask=used, other=0.0)
        beyond = tl.maximum(beyond, tl.max(tl.abs(x - nearest) * per_width, 0))
        centred = nearest - tl.load(numbers_at + 3, mask=used, other=0.0)
        log_odds += tl.sum(centred * tl.load(numbers_at + 4, mask=used, other=0.0), 0)
        overlap += tl.sum(centred * tl.load(numbers_at + 5, mask=used, other=0.0), 0)
    ends = numbers + 6 * features
    log_odds += tl.load(ends)
    tail = tl.exp(-tl.abs(log_odds))  # of the less likely side: neither overflows nor loses a small probability
    wrong = tl.where(log_odds < 0, tail, 1.0) / (1.0 + tail)
    weight = tl.exp2(-beyond * _STRENGTH)
    wrong = weight * wrong + (1.0 - weight) * tl.load(ends + 2)
    tl.store(out + segments, tl.where(here, beyond, 0.0), mask=kept)
    tl.store(out + capacity + segments, tl.where(here, wrong, 0.0), mask=kept)
    if WITH_IOU:
        overlap = tl.minimum(tl.maximum(overlap + tl.load(ends + 1), 0.0), 1.0)
        overlap = weight * overlap + (1.0 - weight) * tl.load(ends + 3)
        tl.store(out + 2 * capacity + segments, tl.where(here, overlap, 0.0), mask=kept)
