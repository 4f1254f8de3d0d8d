"""Guarantees for segments: the share of wrong segments not flagged, and of unknown objects missed, image by image.

Everything to be found in an image (its wrong segments, its unknown objects) has a value in [0, 1]: P(false positive),
or the largest P(OoD) of the OoD segments that touch it. It is found if the value is at or above the threshold. An
image's loss is the share that is not found, 0 if there is nothing to find; ``RiskCurve.threshold`` then gives the
guarantee of conformal risk control. Exact: the thresholds are the values themselves, where the loss changes.
"""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.segments import components
from trust_seg_ros.thresholds.curves import CurveError, RecallCurve, RiskCurve
from trust_seg_ros.types import UNLABELLED

POINTS = 4097
"""Thresholds kept of a curve; omitted ones lie between two whose risks differ by less than a 4,096th."""


def segment_risk_curve(
    p_wrong: np.ndarray, wrong: np.ndarray, image: np.ndarray, images: int, points: int = POINTS
) -> RiskCurve:
    """Mean share of an image's wrong segments with P(false positive) below the threshold.

    Args:
        p_wrong: (n,) float in [0, 1] of the segments of all images; NaN is never flagged.
        wrong: (n,) bool, IoU_adj = 0.
        image: (n,) integer, the image of each, 0 .. images - 1.
        images: number of images, including images without segments.
        points: largest number of thresholds, >= 2.

    Returns:
        Thresholds in [0, 1], the first 0 (where everything is flagged); -inf before it where there are NaN.

    Raises:
        CurveError: shapes or values do not fit.
    """
    p_wrong, wrong, image = np.asarray(p_wrong, np.float64), np.asarray(wrong, bool), np.asarray(image)
    if wrong.shape != p_wrong.shape or image.shape != p_wrong.shape:
        raise CurveError(f"wrong {wrong.shape}, image {image.shape}: expected {p_wrong.shape}, as P(false positive)")
    return _risk_curve(p_wrong[wrong], image[wrong], images, points)


def object_risk_curve(
    p_found: np.ndarray, image: np.ndarray, images: int, points: int = POINTS, *, discarded: bool = False
) -> RiskCurve:
    """Mean share of an image's unknown objects that no OoD segment with P(OoD) at or above the threshold touches.

    Objects that no segment touches at all are missed by every threshold: the risk cannot get below their mean share,
    and a smaller alpha is refused (``RiskOutOfReachError``); only more sensitive OoD segments can find them. An alpha
    slightly above it is refused for some calibration images and not for others, and the promise then holds for both
    cases together: choose an alpha well above it, or ``discarded``, which can always be promised.

    Args:
        p_found: (n,) of the objects of all images, from :func:`object_probabilities`.
        image: (n,) integer, the image of each, 0 .. images - 1.
        images: number of images, including images without objects.
        points: largest number of thresholds, >= 2.
        discarded: count an object as missed only if segments touch it and all of these are below the threshold, so
            that the meta model discards it. The share is of all objects of the image.

    Returns:
        Thresholds in [0, 1], the first 0; -inf before it if some objects are not touched, unless ``discarded``.

    Raises:
        CurveError: shapes or values do not fit.
    """
    curve = _risk_curve(np.asarray(p_found, np.float64), np.asarray(image), images, points)
    if discarded and curve.thresholds[0] == -math.inf:
        risk = np.maximum(curve.risk[1:] - curve.risk[0], 0.0)
        return RiskCurve(curve.thresholds[1:], risk, images)
    return curve


def segment_recall_curve(p_wrong: np.ndarray, wrong: np.ndarray, points: int = POINTS) -> RecallCurve:
    """Share of all wrong segments, of all images together, with P(false positive) at or above the threshold.

    Args:
        p_wrong, wrong, points: as for :func:`segment_risk_curve`.

    Raises:
        CurveError: shapes or values do not fit, or no segment is wrong.
    """
    values = np.asarray(p_wrong, np.float64)[np.asarray(wrong, bool)]
    curve = _risk_curve(values, np.zeros(len(values), np.intp), 1, points)
    return RecallCurve(curve.thresholds, 1.0 - curve.risk, len(values))


def object_probabilities(segment_ids: np.ndarray, p_ood: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """The largest P(OoD) of the OoD segments that touch each unknown object of one image.

    Args:
        segment_ids: (H, W) integer, 0 = none, else the number of an OoD segment (``OodSegments.ids``).
        p_ood: (m,) of segments 1 .. m; NaN = too small to be judged, counts as touching nothing.
        unknown: (H, W) bool, ground truth; objects are its 8-connected components.

    Returns:
        (n,) float64 in raster order of the objects' first pixels; -inf for an object that no segment touches.

    Raises:
        CurveError: shapes differ, or there are more segments than probabilities.
    """
    if segment_ids.shape != unknown.shape or unknown.dtype != bool:
        raise CurveError(f"unknown {unknown.shape} {unknown.dtype}: expected {segment_ids.shape} bool, as segment ids")
    if segment_ids.size and segment_ids.max() > len(p_ood):
        raise CurveError(f"segment number {segment_ids.max()}: expected at most {len(p_ood)}, as P(OoD) has")
    objects, count = components(np.where(unknown, np.uint8(0), np.uint8(UNLABELLED)))
    by_segment = np.append(-math.inf, np.where(np.isnan(p_ood), -math.inf, p_ood))
    best = np.full(count, -math.inf)
    np.maximum.at(best, objects[unknown] - 1, by_segment[segment_ids[unknown]])
    return best


def image_losses(values: np.ndarray, image: np.ndarray, images: int, thresholds: np.ndarray) -> np.ndarray:
    """(images, k) float64: the share of each image's values below each threshold; 0 for an image without any.

    Args:
        values: (n,) of everything to be found; no threshold finds NaN and -inf.
        image: (n,) integer, 0 .. images - 1.
        images: number of images.
        thresholds: (k,) ascending.

    Raises:
        CurveError: shapes or values do not fit.
    """
    _check(values, image, images)
    k = len(thresholds)
    bins = np.where(values > -math.inf, np.searchsorted(thresholds, values, side="right"), 0)
    counts = np.bincount(image * (k + 1) + bins, minlength=images * (k + 1)).reshape(images, k + 1)
    return np.cumsum(counts, axis=1)[:, :k] / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _risk_curve(values: np.ndarray, image: np.ndarray, images: int, points: int) -> RiskCurve:
    _check(values, image, images)
    if points < 2:
        raise CurveError(f"points = {points}: expected at least 2 thresholds")
    if ((values > 1.0) | ((values < 0.0) & (values > -math.inf))).any():
        raise CurveError(f"values from {np.nanmin(values):g} to {np.nanmax(values):g}: expected probabilities")
    values = np.where(np.isnan(values), -math.inf, values)
    weights = 1.0 / np.bincount(image, minlength=images)[image] / images  # weight of each in the mean over images
    order = np.argsort(values, kind="stable")
    values, missed = values[order], np.append(0.0, np.cumsum(weights[order]))
    thresholds = np.unique(np.concatenate([[0.0, 1.0], values[values > -math.inf]]))
    risk = np.minimum(missed[np.searchsorted(values, thresholds, side="left")], 1.0)
    kept = _spread(risk, points)
    thresholds, risk = thresholds[kept], risk[kept]
    if risk[0] > 0.0:
        thresholds, risk = np.append(-math.inf, thresholds), np.append(risk[0], risk)
    return RiskCurve(thresholds, risk, images)


def _spread(risk: np.ndarray, points: int) -> np.ndarray:
    """Which thresholds to keep: the largest of each step of the risk, and both ends."""
    if len(risk) <= points:
        return np.arange(len(risk))
    steps = np.linspace(risk[0], risk[-1], points - 1)
    return np.unique(np.append(0, np.searchsorted(risk, steps, side="right") - 1))


def _check(values: np.ndarray, image: np.ndarray, images: int) -> None:
    if values.ndim != 1 or image.shape != values.shape:
        raise CurveError(f"image {image.shape} beside values {values.shape}: expected (n,) both")
    if images < 1:
        raise CurveError(f"{images} images: expected at least one")
    if values.size and not (np.issubdtype(image.dtype, np.integer) and image.min() >= 0 and image.max() < images):
        raise CurveError(f"image numbers {image.dtype} {image.min()} to {image.max()}: expected 0 to {images - 1}")
