"""The definitions, pixel by pixel in plain Python: slow, obvious, and the reference that the fast code must match.

Nothing here is used at run time. Symbols follow Rottmann et al. (MetaSeg): a segment k, its interior k_in
(all eight neighbours inside the image belong to k), its boundary k_bd = k without k_in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from trust_seg_ros.segments.features import FeatureSet
from trust_seg_ros.types import UNLABELLED

Pixel = tuple[int, int]


def neighbours(pixel: Pixel, shape: tuple[int, int]) -> Iterator[Pixel]:
    """The up to eight neighbours of a pixel that lie inside the image."""
    y, x = pixel
    for v in (y - 1, y, y + 1):
        for u in (x - 1, x, x + 1):
            if (v, u) != pixel and 0 <= v < shape[0] and 0 <= u < shape[1]:
                yield v, u


def components(classes: np.ndarray) -> tuple[np.ndarray, int]:
    """8-connected components of equal class by flood fill, numbered in raster order of the first pixel.

    Args:
        classes: (H, W) uint8; 255 belongs to no component.

    Returns:
        (H, W) int32 ids, 0 = none, and the number of components.
    """
    ids = np.zeros(classes.shape, np.int32)
    count = 0
    for start in np.ndindex(*classes.shape):
        if ids[start] or classes[start] == UNLABELLED:
            continue
        count += 1
        ids[start] = count
        todo = [start]
        while todo:
            for near in neighbours(todo.pop(), classes.shape):
                if not ids[near] and classes[near] == classes[start]:
                    ids[near] = count
                    todo.append(near)
    return ids, count


def pixels_of(ids: np.ndarray) -> dict[int, set[Pixel]]:
    """Pixels of every component, in the order of their numbers."""
    found: dict[int, set[Pixel]] = {}
    for pixel in np.ndindex(*ids.shape):
        if ids[pixel]:
            found.setdefault(int(ids[pixel]), set()).add(pixel)
    return {number: found[number] for number in sorted(found)}


def interior(segment: set[Pixel], shape: tuple[int, int]) -> set[Pixel]:
    """Pixels whose neighbours inside the image all belong to the segment; empty if the segment is the whole image."""
    inside = {p for p in segment if all(n in segment for n in neighbours(p, shape))}
    return set() if len(inside) == len(segment) else inside


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def segment_metrics(
    segment: set[Pixel],
    classes: np.ndarray,
    maps: Mapping[str, np.ndarray],
    prob: np.ndarray,
    features: FeatureSet,
) -> dict[str, float]:
    """All metrics of one segment.

    Args:
        segment: its pixels.
        classes: (H, W) uint8 predicted classes.
        maps: prefix -> (H, W) map, for every prefix of ``features.maps``.
        prob: (q, H, W) softmax.
        features: which metrics.

    Returns:
        Metric name -> value, in the order of ``features.names(q)``.
    """
    inside = interior(segment, classes.shape)
    parts = {"": segment, "_in": inside, "_bd": segment - inside}
    row: dict[str, float] = {f"S{part}": float(len(pixels)) for part, pixels in parts.items()}
    row["S_rel"] = row["S"] / row["S_bd"]
    row["S_in_rel"] = row["S_in"] / row["S_bd"]
    for prefix in features.maps:
        means = {part: _mean(float(maps[prefix][p]) for p in pixels) for part, pixels in parts.items()}
        squares = {part: _mean(float(maps[prefix][p]) ** 2 for p in pixels) for part, pixels in parts.items()}
        forms = [("", means)]
        if "variance" in features.families:
            forms.append(("_var", {part: max(squares[part] - means[part] ** 2, 0.0) for part in parts}))
        for suffix, value in forms:
            row |= {f"{prefix}{part}{suffix}": value[part] for part in parts}
            row[f"{prefix}_rel{suffix}"] = value[""] * row["S_rel"]
            row[f"{prefix}_in_rel{suffix}"] = value["_in"] * row["S_in_rel"]
    if "centroid" in features.families:
        row["row"], row["column"] = _mean(y for y, _ in segment), _mean(x for _, x in segment)
    if "cprob" in features.families:
        row |= {f"cprob_{c}": _mean(float(prob[c, p[0], p[1]]) for p in segment) for c in range(len(prob))}
    if "ndist" in features.families:
        around = [classes[n] for p in segment for n in neighbours(p, classes.shape) if n not in segment]
        row |= {f"ndist_{c}": _mean(float(a == c) for a in around) for c in range(len(prob))}
    if "share" in features.families:
        height, width = classes.shape
        row["S_area"], row["S_in_area"] = len(segment) / (height * width), len(inside) / (height * width)
        row["S_bd_diagonal"] = len(parts["_bd"]) / (height**2 + width**2) ** 0.5
        row["S_compact"] = len(segment) / len(parts["_bd"]) ** 2
    if "relative_centroid" in features.families:
        row["row_share"] = _mean((y + 0.5) / classes.shape[0] for y, _ in segment)
        row["column_share"] = _mean((x + 0.5) / classes.shape[1] for _, x in segment)
    return {name: row[name] for name in features.names(len(prob))}


def targets(classes: np.ndarray, truth: np.ndarray, variant: str = "component") -> tuple[list[float], list[float]]:
    """IoU and IoU_adj of every predicted segment, straight from the set definitions (MetaSeg, section 2).

    Args:
        classes: (H, W) uint8 predicted classes, 255 wherever ``truth`` is 255.
        truth: (H, W) uint8 ground truth, 255 = ignore.
        variant: "component" (the paper) or "released" (the authors' code).

    Returns:
        IoU and IoU_adj, in the order of the component numbers.
    """
    predicted = pixels_of(components(classes)[0])
    actual = pixels_of(components(truth)[0])
    missed = pixels_of(components(np.where(classes == truth, UNLABELLED, truth).astype(np.uint8))[0])
    iou, adjusted = [], []
    for k in predicted.values():
        c = classes[next(iter(k))]
        union = set[Pixel]().union(*(g for g in actual.values() if truth[next(iter(g))] == c and g & k))
        iou.append(len(k & union) / len(k | union))
        if variant == "component":
            same_class = (q for q in predicted.values() if classes[next(iter(q))] == c and q & union)
            beyond = union - set[Pixel]().union(*same_class)
        else:
            near = {n for p in k for n in neighbours(p, classes.shape)}
            beyond = set[Pixel]().union(*(m for m in missed.values() if truth[next(iter(m))] == c and m & near))
        adjusted.append(len(k & union) / len(k | beyond) if k & union else 0.0)
    return iou, adjusted
