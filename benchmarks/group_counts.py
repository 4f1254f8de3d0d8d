"""Counts of right and wrong pixels by class, region and score, for ``conformal_groups.py``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from trust_seg_ros import uncertainty
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.fitting.calibrate import SOFTMAX_GRID
from trust_seg_ros.grid import resized
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.thresholds.policies.groupings import ALL, CLASS, REGION
from trust_seg_ros.thresholds.regions import REGIONS, region_ids
from trust_seg_ros.thresholds.shift import frame_mean
from trust_seg_ros.types import UNLABELLED
from trust_seg_ros.uncertainty.frame_scores import FrameScores

GRID = SOFTMAX_GRID
"""Thresholds that pixels are counted at."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Pixels of n images by group, at or above each threshold of ``GRID``; groups are classes, then regions.

    Attributes:
        classes: names of the q classes.
        drives: (n,) recordings.
        means: (n,) mean score.
        right, wrong: (n, q + 9, k + 1) uint32; the first column is all pixels.
        losses: grouping -> (n, g, k) share of the errors of each group below each threshold; NaN without errors.
    """

    classes: tuple[str, ...]
    drives: np.ndarray
    means: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    losses: dict[str, np.ndarray]

    def part(self, chosen: np.ndarray) -> Counts:
        """Some of the images."""
        parts = (part[chosen] for part in (self.drives, self.means, self.right, self.wrong))
        return Counts(self.classes, *parts, {by: losses[chosen] for by, losses in self.losses.items()})

    def of(self, by: str, what: np.ndarray) -> np.ndarray:
        """(n, g, k + 1) of one grouping; one group of all pixels for "all" and "image"."""
        return _of(by, what, len(self.classes))


def _of(by: str, what: np.ndarray, q: int) -> np.ndarray:
    if by == CLASS:
        return what[:, :q]
    return what[:, q:] if by == REGION else what[:, q:].sum(axis=1, keepdims=True)


def _losses(by: str, wrong: np.ndarray, q: int) -> np.ndarray:
    counts = _of(by, wrong, q).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return 1.0 - counts[..., 1:] / counts[..., :1]


def counted(root: Path, split: str, model: str, score_name: str, ignore: tuple[int, ...], out: Path) -> Counts:
    """The counts of a data set, from the file of an earlier run in ``out`` if it fits."""
    network = load_network(model, device="cpu")
    folder, q = open_dataset(root, split, network.labels, ignore=ignore), len(network.labels)
    what = f"{network_sha256(network)} {score_name} {[sample.name for sample in folder]}"
    path = out / f"{root.resolve().name}_{split}_{score_name}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["what"]) == what:
                return _whole(network.labels.names, {key: kept[key] for key in _KEYS})
    drives, means, counts = [], [], []
    for sample in track(list(folder), f"{root.name} {split}"):
        image, truth = folder.read(sample)
        answer = network.infer(image)
        maps = uncertainty.uncertainty_maps(answer).host()
        score = FrameScores(answer, maps).get(score_name).numpy()
        truth = resized(truth, answer.size)
        if (truth != UNLABELLED).any():
            drives.append(sample.drive)
            means.append(frame_mean(score))
            counts.append(of_image(score, maps.classes.numpy(), truth, q))
    right, wrong = np.array(counts, np.uint32).transpose(1, 0, 2, 3)
    found = dict(zip(_KEYS, (np.array(drives), np.array(means), right, wrong), strict=True))
    np.savez_compressed(path, what=np.array(what), **found)
    return _whole(network.labels.names, found)


_KEYS = ("drives", "means", "right", "wrong")


def _whole(classes: tuple[str, ...], found: dict[str, np.ndarray]) -> Counts:
    losses = {by: _losses(by, found["wrong"], len(classes)) for by in (ALL, CLASS, REGION)}
    return Counts(classes, *(found[key] for key in _KEYS), losses)


def of_image(score: np.ndarray, classes: np.ndarray, truth: np.ndarray, q: int) -> np.ndarray:
    """(2, q + 9, k + 1) right and wrong pixels of each group at or above each threshold."""
    regions, labelled, width = region_ids(score.shape), truth != UNLABELLED, len(GRID) + 1
    level = np.searchsorted(GRID, score[labelled], side="right")
    level[classes[labelled] == UNLABELLED] = len(GRID)
    wrong = (classes != truth)[labelled]
    found = np.zeros((2, q + REGIONS[0] * REGIONS[1], width), np.int64)
    for kind in (0, 1):
        for first, ids in ((0, classes), (q, regions)):
            here = (wrong == kind) & ((ids[labelled] < q) | (first > 0))
            place = (ids[labelled][here].astype(np.int64) + first) * width + level[here]
            found[kind] += np.bincount(place, minlength=found[kind].size).reshape(found[kind].shape)
    return found[..., ::-1].cumsum(-1)[..., ::-1]
