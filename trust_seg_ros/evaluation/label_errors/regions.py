"""Regions of an image where labels and network disagree, and what each is measured by.

A pixel is *disputed* if label and predicted class differ and both are classes. It is *tolerated*, and so in no region,
if its predicted class is labelled within ``TOLERANCE`` pixels of it, or its label predicted that near (chessboard
distance): ribbons of one or two pixels lie along every border; they are the inaccuracy of network and annotator, not a
shifted border.

Regions are 8-connected components of the other disputed pixels, of three kinds: of equal label and equal predicted
class (``pair``); of equal label, whatever is predicted, if several classes are (``label``: an object that is not
there, for the network made of several things); of equal predicted class, whatever is labelled (``predicted``: an
object that the labels leave out before several others). They overlap; :mod:`.ranking` lists of those that do the
likeliest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.types import UNLABELLED

TOLERANCE = 1
"""Pixels from a border that are not disputed, on both sides: a border may lie twice as far off."""
KINDS = ("pair", "label", "predicted")
MEASURES = (
    "size",
    "depth",
    "log_label",
    "log_predicted",
    "label_share",
    "predicted_share",
    "label_agrees",
    "predicted_agrees",
    "row",
    "column",
    "edge_labelled",
    "edge_predicted",
)
"""Columns of ``Regions.measures``: pixels; largest distance of a pixel to the nearest border of the labels, in pixels;
means of log p of the labelled and of the predicted class; the region as a share of the label segment, and of the
predicted segment, that most of it lies in; the share of that label segment's, and of that predicted segment's pixels
on which label and prediction agree; the mean position as shares of height and width; the mean of :func:`edges` along
the border of the labels, and of the prediction, within ``TOLERANCE`` + 1 pixels of the region."""
_CODES = 254  # of a uint8 class map, without UNLABELLED
_LEAST = 1e-6  # probability, so that logarithms stay finite


@dataclass(frozen=True, eq=False)
class Regions:
    """n regions of one image; they may overlap.

    Attributes:
        pixels: (P,) int32 positions in the flattened image, region after region.
        starts: (n + 1,) int64; the pixels of region k are ``pixels[starts[k]:starts[k + 1]]``, ascending.
        kinds: (n,) uint8 position in ``KINDS``.
        labelled: (n,) uint8 class that most of its pixels are labelled as; the smallest of several.
        predicted: (n,) uint8 class that the network predicts on most of it; the smallest of several.
        segments: (n,) int32 predicted segment that most of it lies in, 1..; 0 = none.
        boxes: (n, 4) int32 left, top, right, bottom in pixels, right and bottom exclusive.
        measures: (n, len(MEASURES)) float64.
    """

    pixels: np.ndarray
    starts: np.ndarray
    kinds: np.ndarray
    labelled: np.ndarray
    predicted: np.ndarray
    segments: np.ndarray
    boxes: np.ndarray
    measures: np.ndarray

    def __len__(self) -> int:
        return len(self.kinds)

    def __repr__(self) -> str:
        return f"Regions({len(self)} disputed)"

    def of(self, index: int) -> np.ndarray:
        """(size,) int32, the pixels of one region."""
        part: np.ndarray = self.pixels[self.starts[index] : self.starts[index + 1]]
        return part

    def chosen(self, which: np.ndarray) -> Regions:
        """Some of the regions, by mask (n,) bool."""
        sizes = np.diff(self.starts)
        starts = np.concatenate([[0], np.cumsum(sizes[which])]).astype(np.int64)
        rows = (self.kinds, self.labelled, self.predicted, self.segments, self.boxes, self.measures)
        return Regions(self.pixels[np.repeat(which, sizes)], starts, *(values[which] for values in rows))

    def measure(self, name: str) -> np.ndarray:
        """(n,) float64, a column of ``measures``."""
        column: np.ndarray = self.measures[:, MEASURES.index(name)]
        return column


def find_regions(
    truth: np.ndarray, classes: np.ndarray, prob: np.ndarray, ids: np.ndarray, edge: np.ndarray, min_size: int = 1
) -> Regions:
    """The disputed regions of an image, pairs first, each kind in raster order of the first pixel.

    Args:
        truth: (H, W) uint8 labels, 255 = no class.
        classes: (H, W) uint8 predicted classes, 255 = none.
        prob: (q, H, W) floating point, softmax of the network.
        ids: (H, W) int32 predicted segments, 0 = none; of ``segment_table(..., ground_truth=truth)``.
        edge: (H, W) float32, :func:`edges` of the image.
        min_size: pixels of the smallest region.
    """
    pixels, sizes, kinds = _grouped(truth, classes, disputed_pixels(truth, classes))
    kept = sizes >= min_size
    pixels, sizes, kinds = pixels[np.repeat(kept, sizes)], sizes[kept], kinds[kept]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    labels, said = truth.ravel()[pixels], classes.ravel()[pixels]
    flat = prob.reshape(len(prob), -1)
    actual = find_components(truth).ids.ravel()
    right = ((truth == classes) & (truth != UNLABELLED)).ravel()
    segments, places = ids.ravel(), _most(owner, actual[pixels], len(sizes))
    inside = _most(owner, segments[pixels], len(sizes))
    boxes = _boxes(pixels, starts, truth.shape[1])
    measures = np.stack(
        [
            sizes.astype(float),
            _largest(border_distance(truth).ravel()[pixels], starts),
            _mean(owner, np.log(np.maximum(flat[labels, pixels].astype(float), _LEAST)), sizes),
            _mean(owner, np.log(np.maximum(flat[said, pixels].astype(float), _LEAST)), sizes),
            sizes / _count(actual)[places],
            sizes / _count(segments)[inside],
            _share(actual, right)[places],
            _share(segments, right)[inside],
            _mean(owner, pixels // truth.shape[1] + 0.5, sizes) / truth.shape[0],
            _mean(owner, pixels % truth.shape[1] + 0.5, sizes) / truth.shape[1],
            *_edges_along(pixels, starts, boxes, (borders(truth), borders(classes)), edge),
        ],
        axis=1,
    )
    return Regions(
        pixels.astype(np.int32),
        starts,
        kinds,
        _most(owner, labels, len(sizes)).astype(np.uint8),
        _most(owner, said, len(sizes)).astype(np.uint8),
        inside.astype(np.int32),
        boxes,
        measures,
    )


def disputed_pixels(truth: np.ndarray, classes: np.ndarray, tolerance: int = TOLERANCE) -> np.ndarray:
    """(H, W) bool, where label and predicted class differ and no border within ``tolerance`` pixels explains it."""
    found: np.ndarray = (truth != classes) & (truth != UNLABELLED) & (classes != UNLABELLED)
    kernel = np.ones((2 * tolerance + 1, 2 * tolerance + 1), np.uint8)
    for one, other in ((truth, classes), (classes, truth)):
        for c in np.unique(other[found]):
            near = cv2.dilate((one == c).astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
            found = found & ~((other == c) & near.astype(bool))
    return found


def border_distance(truth: np.ndarray) -> np.ndarray:
    """(H, W) float32, pixels to the nearest pixel at a border of the labels (Euclidean) + 1; else the diagonal."""
    border = borders(truth)
    if not border.any():
        return np.full(truth.shape, np.hypot(*truth.shape), np.float32)
    return cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) + np.float32(1)


def borders(classes: np.ndarray) -> np.ndarray:
    """(H, W) bool, pixels beside, above or below one of another class."""
    found = np.zeros(classes.shape, bool)
    across, down = classes[:, 1:] != classes[:, :-1], classes[1:] != classes[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found


def edges(image: np.ndarray) -> np.ndarray:
    """(H, W) float32, how sharp the edge in the image is, at most one pixel from here.

    The logarithm of the gradient of all colours together, by the mean over the image; from -3 to 3.
    """
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)
    squares = (cv2.Sobel(smooth, cv2.CV_32F, *step) ** 2 for step in ((1, 0), (0, 1)))
    size = cv2.dilate(np.sqrt(sum(part.sum(2) for part in squares)), np.ones((3, 3), np.uint8))
    found: np.ndarray = np.log((size + 1) / (size.mean() + 1)).clip(-3, 3)
    return found


def _edges_along(
    pixels: np.ndarray, starts: np.ndarray, boxes: np.ndarray, lines: tuple[np.ndarray, np.ndarray], edge: np.ndarray
) -> np.ndarray:
    """(2, n) mean edge along two kinds of borders close to every region; where there are none, over the image."""
    found, reach = np.full((2, len(boxes)), float(edge.mean())), TOLERANCE + 1
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    for k, (left, top, right, bottom) in enumerate(boxes.tolist()):
        rows = slice(max(top - reach, 0), min(bottom + reach, edge.shape[0]))
        columns = slice(max(left - reach, 0), min(right + reach, edge.shape[1]))
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        own = pixels[starts[k] : starts[k + 1]]
        mask[own // edge.shape[1] - rows.start, own % edge.shape[1] - columns.start] = 1
        near = cv2.dilate(mask, kernel).astype(bool)
        for row, line in enumerate(lines):
            along = edge[rows, columns][near & line[rows, columns]]
            if len(along):
                found[row, k] = along.mean(dtype=float)
    return found


def _grouped(truth: np.ndarray, classes: np.ndarray, disputed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of all regions, their sizes, their kinds."""
    none = np.uint8(UNLABELLED)
    pair = truth.astype(np.int32) * 256 + classes
    pairs = np.unique(pair[disputed])
    found = []
    for start in range(0, max(len(pairs), 1), _CODES):  # so many pairs fit into one class map
        part = pairs[start : start + _CODES]
        codes = np.searchsorted(part, pair).clip(0, max(len(part) - 1, 0))
        here = disputed & np.isin(pair, part)
        found.append((*_components(np.where(here, codes, none).astype(np.uint8), None), 0))
    for kind, by, other in ((1, truth, classes), (2, classes, truth)):
        found.append((*_components(np.where(disputed, by, none), other), kind))
    pixels = np.concatenate([part[0] for part in found])
    sizes = np.concatenate([part[1] for part in found])
    kinds = np.concatenate([np.full(len(part[1]), part[2], np.uint8) for part in found])
    return pixels, sizes, kinds


def _components(codes: np.ndarray, other: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and sizes of the components; only of those with several classes in ``other`` if that is given."""
    found = find_components(codes)
    ids, sizes = found.ids.ravel(), found.sizes
    pixels = np.flatnonzero(ids)
    pixels = pixels[np.argsort(ids[pixels], kind="stable")]
    if other is None or not len(sizes):
        return pixels, sizes
    starts, values = np.concatenate([[0], np.cumsum(sizes)])[:-1], other.ravel()[pixels]
    several = np.maximum.reduceat(values, starts) != np.minimum.reduceat(values, starts)
    return pixels[np.repeat(several, sizes)], sizes[several]


def _most(owner: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """(n,) most frequent value of each region's pixels, the smallest of several."""
    keys, counts = np.unique(owner.astype(np.int64) << 32 | values.astype(np.int64), return_counts=True)
    order = np.lexsort((keys & 0xFFFFFFFF, -counts, keys >> 32))
    first = np.searchsorted(keys[order] >> 32, np.arange(n))
    return keys[order][first] & 0xFFFFFFFF


def _mean(owner: np.ndarray, values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.bincount(owner, weights=values, minlength=len(sizes)) / sizes


def _largest(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.maximum.reduceat(values, starts[:-1]).astype(float) if len(starts) > 1 else np.zeros(0)


def _count(ids: np.ndarray) -> np.ndarray:
    """Pixels of every number; at least 1, so that one may divide."""
    return np.maximum(np.bincount(ids), 1)


def _share(ids: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.bincount(ids, weights=true) / _count(ids)


def _boxes(pixels: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    if len(starts) < 2:
        return np.zeros((0, 4), np.int32)
    rows, columns, at = pixels // width, pixels % width, starts[:-1]
    ends = (np.maximum.reduceat(columns, at) + 1, np.maximum.reduceat(rows, at) + 1)
    return np.stack([np.minimum.reduceat(columns, at), np.minimum.reduceat(rows, at), *ends], axis=1).astype(np.int32)
