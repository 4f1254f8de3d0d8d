"""Masks as other tools write them: run lengths of COCO, and polygons along the borders of pixels."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.library.unknown import Box


def run_lengths(mask: np.ndarray, box: Box, size: tuple[int, int]) -> list[int]:
    """Lengths of alternating runs, down the columns of the image from left to right; the first counts zeros.

    Args:
        mask: (bottom - top, right - left) bool.
        box: left, top, right, bottom of the mask in the image.
        size: (H, W) of the image.
    """
    columns, rows = np.nonzero(mask.T)
    if not len(rows):
        return [size[0] * size[1]]
    pixels = (columns.astype(np.int64) + box[0]) * size[0] + rows + box[1]
    breaks = np.flatnonzero(np.diff(pixels) != 1)
    starts = pixels[np.concatenate([[0], breaks + 1])]
    ends = pixels[np.concatenate([breaks, [len(pixels) - 1]])] + 1
    edges = np.stack([starts, ends], axis=1).ravel()
    found: list[int] = np.diff(np.concatenate([[0], edges, [size[0] * size[1]]])).tolist()
    return found if found[-1] else found[:-1]


def compressed(lengths: list[int]) -> str:
    """Run lengths as the text that the COCO API reads.

    From the fourth on, a length is written as its difference to the one two before. A number is cut into groups of five
    bits, the lowest first, in two's complement; a group is one character: 48 + bits, + 32 if another one follows.
    """
    text = []
    for k, length in enumerate(lengths):
        rest = length - lengths[k - 2] if k > 2 else length
        more = True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)
            text.append(chr(48 + bits + 32 * more))
    return "".join(text)


def polygons(mask: np.ndarray, box: Box, *, holes: bool = False) -> list[np.ndarray]:
    """Borders of a mask, in pixels of the image.

    Borders run along the edges of pixels: that of the pixel in column 3, row 5 has the corners (3, 5) and (4, 6).
    Pixels that touch at a corner belong to one polygon, which passes this corner twice.

    Args:
        mask: (bottom - top, right - left) bool.
        box: left, top, right, bottom of the mask in the image.
        holes: with the borders of holes, so that the pixels inside an odd number of polygons are those of the mask;
            else holes are filled.

    Returns:
        For each piece, (k, 2) int64 columns and rows of the corners, k >= 4; each is followed by its holes, which run
        the other way round.
    """
    # OpenCV's borders run through centres of pixels: of each doubled pixel, through those nearest to its corners
    doubled = cv2.resize(mask.view(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    mode = cv2.RETR_CCOMP if holes else cv2.RETR_EXTERNAL
    contours, levels = cv2.findContours(doubled, mode, cv2.CHAIN_APPROX_NONE)
    found = [_corners((contour[:, 0].astype(np.int64) + 1) // 2) + box[:2] for contour in contours]
    if not holes or levels is None:
        return found
    outer = [k if parent < 0 else parent for k, parent in enumerate(levels[0, :, 3].tolist())]
    order = sorted(range(len(found)), key=lambda k: (outer[k], outer[k] != k, k))
    return [found[k] for k in order]


def one_ring(rings: list[np.ndarray]) -> np.ndarray:
    """Several polygons as one, (k, 2), for tools that know neither holes nor pieces: lines join them, there and back.

    Args:
        rings: at least one, as :func:`polygons` gives them.
    """
    joined = rings[0]
    for ring in rings[1:]:
        near = int(np.abs(joined - ring[0]).sum(axis=1).argmin())
        there = [joined[: near + 1], ring, ring[:1], joined[near:]]
        joined = np.concatenate(there)
    return joined


def _corners(ring: np.ndarray) -> np.ndarray:
    """A closed line of unit steps and repeated points (k, 2), reduced to the points where it turns."""
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns: np.ndarray = (before != after).any(axis=1)
    return np.asarray(ring[turns])
