"""The readable form of :func:`.regions.find_regions`: pixel by pixel, for tests; the fast one gives the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np

from trust_seg_ros.evaluation.label_errors.regions import MEASURES, TOLERANCE, Regions
from trust_seg_ros.types import UNLABELLED

Pixel = tuple[int, int]
_LEAST = 1e-6


def reference_regions(
    truth: np.ndarray, classes: np.ndarray, prob: np.ndarray, ids: np.ndarray, edge: np.ndarray, min_size: int = 1
) -> Regions:
    """As :func:`.regions.find_regions`; takes seconds for a small image."""
    height, width = truth.shape
    disputed = {(y, x) for y in range(height) for x in range(width) if _is_disputed(truth, classes, y, x)}
    found: list[tuple[int, list[Pixel]]] = []
    pairs = sorted({(int(truth[p]), int(classes[p])) for p in disputed})
    by_pair = [_components({p for p in disputed if (truth[p], classes[p]) == pair}) for pair in pairs]
    found += [(0, part) for part in _merged(by_pair, width)]
    for kind, by, other in ((1, truth, classes), (2, classes, truth)):
        by_class = [_components({p for p in disputed if by[p] == c}) for c in range(UNLABELLED)]
        found += [(kind, part) for part in _merged(by_class, width) if len({int(other[p]) for p in part}) > 1]
    found = [(kind, part) for kind, part in found if len(part) >= min_size]
    actual = _numbered(truth)
    rows = [_measured(part, truth, classes, prob, ids, edge, actual) for _, part in found]
    starts = np.cumsum([0, *(len(part) for _, part in found)])
    return Regions(
        np.array([y * width + x for _, part in found for y, x in part], np.int32),
        starts.astype(np.int64),
        np.array([kind for kind, _ in found], np.uint8),
        np.array([_most(truth[p] for p in part) for _, part in found], np.uint8),
        np.array([_most(classes[p] for p in part) for _, part in found], np.uint8),
        np.array([_most(ids[p] for p in part) for _, part in found], np.int32),
        np.array([_box(part) for _, part in found], np.int32).reshape(-1, 4),
        np.array([[row[name] for name in MEASURES] for row in rows], float).reshape(-1, len(MEASURES)),
    )


def _is_disputed(truth: np.ndarray, classes: np.ndarray, y: int, x: int) -> bool:
    label, said = truth[y, x], classes[y, x]
    if UNLABELLED in (label, said) or label == said:
        return False
    around = (slice(max(y - TOLERANCE, 0), y + TOLERANCE + 1), slice(max(x - TOLERANCE, 0), x + TOLERANCE + 1))
    return not (truth[around] == said).any() and not (classes[around] == label).any()


def _components(pixels: set[Pixel]) -> list[list[Pixel]]:
    """8-connected parts, each in raster order."""
    left, parts = set(pixels), []
    while left:
        queue, part = [left.pop()], []
        while queue:
            y, x = queue.pop()
            part.append((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            queue += near
        parts.append(sorted(part))
    return parts


def _merged(groups: list[list[list[Pixel]]], width: int) -> list[list[Pixel]]:
    """All parts, in raster order of their first pixels."""
    return sorted((part for parts in groups for part in parts), key=lambda part: part[0][0] * width + part[0][1])


def _numbered(truth: np.ndarray) -> np.ndarray:
    """(H, W) int, label segments, 0 = none."""
    ids, count = np.zeros(truth.shape, int), 0
    for c in {int(value) for value in truth.ravel()} - {UNLABELLED}:
        for part in _components({(int(y), int(x)) for y, x in zip(*np.nonzero(truth == c), strict=True)}):
            count += 1
            for pixel in part:
                ids[pixel] = count
    return ids


def _measured(
    part: list[Pixel],
    truth: np.ndarray,
    classes: np.ndarray,
    prob: np.ndarray,
    ids: np.ndarray,
    edge: np.ndarray,
    actual: np.ndarray,
) -> dict[str, float]:
    size, (height, width) = len(part), truth.shape
    label, segment = actual == _place(actual, part, truth), ids == _most(ids[p] for p in part)
    agrees = (truth == classes) & (truth != UNLABELLED)
    border = [(y, x) for y in range(height) for x in range(width) if _at_border(truth, y, x)]
    far = math.hypot(height, width)
    depth = max(min((math.dist(p, other) for other in border), default=far - 1) + 1 for p in part)
    return {
        "size": size,
        "depth": depth,
        "log_label": sum(math.log(max(float(prob[truth[p]][p]), _LEAST)) for p in part) / size,
        "log_predicted": sum(math.log(max(float(prob[classes[p]][p]), _LEAST)) for p in part) / size,
        "label_share": size / label.sum(),
        "predicted_share": size / segment.sum(),
        "label_agrees": agrees[label].mean(),
        "predicted_agrees": agrees[segment].mean(),
        "row": sum(y + 0.5 for y, _ in part) / size / height,
        "column": sum(x + 0.5 for _, x in part) / size / width,
        "edge_labelled": _edge(part, truth, edge),
        "edge_predicted": _edge(part, classes, edge),
    }


def _place(actual: np.ndarray, part: list[Pixel], truth: np.ndarray) -> int:
    """Number of the label segment that most of the part lies in; of several the first in raster order."""
    counts = Counter(int(actual[p]) for p in part)
    most = max(counts.values())
    return min((n for n in counts if counts[n] == most), key=lambda n: int(np.flatnonzero(actual.ravel() == n)[0]))


def _edge(part: list[Pixel], classes: np.ndarray, edge: np.ndarray) -> float:
    reach = TOLERANCE + 1
    near = {(y + dy, x + dx) for y, x in part for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)}
    along = [float(edge[y, x]) for y, x in near if _within(y, x, edge) and _at_border(classes, y, x)]
    return sum(along) / len(along) if along else float(edge.mean())


def _at_border(classes: np.ndarray, y: int, x: int) -> bool:
    beside = ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
    return any(_within(v, u, classes) and classes[v, u] != classes[y, x] for v, u in beside)


def _within(y: int, x: int, plane: np.ndarray) -> bool:
    return 0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]


def _most(values: Iterable[np.integer]) -> int:
    counts = Counter(int(value) for value in values)
    return min(counts, key=lambda value: (-counts[value], value))


def _box(part: list[Pixel]) -> list[int]:
    rows, columns = [y for y, _ in part], [x for _, x in part]
    return [min(columns), min(rows), max(columns) + 1, max(rows) + 1]
