"""docs/results/label_errors.md: of 200 errors made in labels, how many stand within the first 100 to 500 listed.

    python benchmarks/label_errors_study.py ../shared/data/camvid --split test --seeds 11 12 13
    python benchmarks/label_errors_study.py ../shared/data/camvid --split test --drive Seq05VD --seeds 11 12 13
    python benchmarks/label_errors_study.py ../shared/data/street_photos --seeds 11 12 13

Errors are made by rules of this file, written apart from those that ``trust-seg label-errors`` learns from
(``evaluation/label_errors/injected.py``): classes that annotators confuse, objects only, sizes and shifts of their own.
An entry of the list finds an error if at least half of its pixels are pixels whose label was changed. The network runs
once; what was made is drawn by seed, without looking at what the network says.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from trust_seg_ros.datasets.layouts import has_splits, open_dataset
from trust_seg_ros.evaluation.label_errors.evidence import evidence_of
from trust_seg_ros.evaluation.label_errors.find import SMALLEST, prediction_of
from trust_seg_ros.evaluation.label_errors.listing import LabelError, listed
from trust_seg_ros.evaluation.label_errors.ranking import ranked
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.types import UNLABELLED, LogitMaps

KINDS = ("class swapped", "object missing", "border shifted")
PLAUSIBLE = {
    "Sky": ("Building", "Tree"),
    "Building": ("Tree", "Fence", "Sky"),
    "Pole": ("SignSymbol", "Tree"),
    "Road": ("Pavement",),
    "Pavement": ("Road", "Fence"),
    "Tree": ("Building", "Fence"),
    "SignSymbol": ("Pole", "Building"),
    "Fence": ("Building", "Pavement", "Car"),
    "Car": ("Bicyclist", "Building", "Fence"),
    "Pedestrian": ("Bicyclist", "Pole", "SignSymbol"),
    "Bicyclist": ("Pedestrian", "Car"),
}
"""What a segment may be taken for."""
OBJECTS = ("Pole", "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist")
LEAST_CHANGED, LEAST_SEGMENT = 200, 400
"""Pixels that every error changes at least; of a segment that is swapped or shifted at least."""
MOST_PER_IMAGE, WIDTHS, AT = 2, (4, 10), (100, 200, 300, 500)


@dataclass(frozen=True, eq=False)
class Image:
    """What is kept of an image: pixels, labels, logits as float16."""

    name: str
    pixels: np.ndarray
    truth: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True, eq=False)
class Made:
    """An error that was made: kind, image, and (H, W) bool of changed pixels."""

    kind: str
    image: int
    changed: np.ndarray


def main() -> None:
    """Run the network, make errors, look for them, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--drive", default="", help="only images whose names begin so")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--errors", type=int, default=200)
    args = parser.parse_args()
    images, names = looked_at(args)
    found = {seed: judged(images, names, seed, args.errors) for seed in args.seeds}
    print(f"{len(images)} images, {args.errors} errors, seeds {', '.join(map(str, args.seeds))}\n")
    print(markdown(found))


def looked_at(args: argparse.Namespace) -> tuple[list[Image], tuple[str, ...]]:
    """Images with the network's answers, and the class names."""
    network = NetworkSettings(args.model).load()
    split = args.split if has_splits(args.dataset) else None
    folder = open_dataset(args.dataset, split, network.labels, None, None)
    images = []
    for sample in folder:
        if sample.name.startswith(args.drive):
            pixels, truth = folder.read(sample)
            logits = network.infer(pixels).logits.float().cpu().numpy().astype(np.float16)
            images.append(Image(sample.name, pixels, truth, logits))
    return images, network.labels.names


def judged(images: Sequence[Image], names: Sequence[str], seed: int, count: int) -> list[tuple[str, float]]:
    """Of every error that was made: its kind, and the position of the first entry that finds it, infinity = none."""
    labels, errors = damaged([image.truth for image in images], names, count, np.random.default_rng(seed))
    entries = the_list(images, labels, AT[-1])
    first = [np.inf] * len(errors)
    for position, entry in enumerate(entries):
        for index, error in enumerate(errors):
            if error.image == entry.image and error.changed.ravel()[entry.pixels].mean() >= 0.5:
                first[index] = min(first[index], position)
    return [(error.kind, place) for error, place in zip(errors, first, strict=True)]


def the_list(images: Sequence[Image], labels: Sequence[np.ndarray], top: int) -> list[LabelError]:
    """As ``find_label_errors`` lists them."""
    import torch

    evidence = []
    for index, (image, truth) in enumerate(zip(images, labels, strict=True)):
        logits = LogitMaps(torch.from_numpy(image.logits.astype(np.float32)), (truth.shape[0], truth.shape[1]))
        said = prediction_of(logits, truth)
        least, rng = max(round(SMALLEST * truth.size), 1), np.random.default_rng((0, index))
        evidence.append(evidence_of(image.pixels, truth, said.classes, said.prob, said.table, rng, least))
    return listed([part.regions for part in evidence], ranked(evidence).p, [part.size for part in evidence], top)


def damaged(
    truths: Sequence[np.ndarray], names: Sequence[str], count: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[Made]]:
    """Copies of the labels with errors, the kinds in turn, at most two per image; and the errors."""
    labels, errors = [truth.copy() for truth in truths], list[Made]()
    taken, number = [np.zeros(truth.shape, bool) for truth in truths], np.zeros(len(truths), int)
    for _ in range(200 * count):
        if len(errors) == count:
            break
        kind, index = KINDS[len(errors) % len(KINDS)], int(rng.integers(len(truths)))
        new = None if number[index] >= MOST_PER_IMAGE else changed(truths[index], kind, names, rng)
        if new is None:
            continue
        where = new != truths[index]
        if where.sum() < LEAST_CHANGED or (where & taken[index]).any():
            continue
        labels[index][where] = new[where]
        taken[index] |= cv2.dilate(where.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
        number[index] += 1
        errors.append(Made(kind, index, where))
    return labels, errors


def changed(truth: np.ndarray, kind: str, names: Sequence[str], rng: np.random.Generator) -> np.ndarray | None:
    """Labels with one error of a kind; None if the image has no segment for it."""
    found = find_components(truth)
    least = LEAST_CHANGED if kind == "object missing" else LEAST_SEGMENT
    fits = (found.sizes >= least) & (found.sizes <= (0.3 if kind == "border shifted" else 0.2) * truth.size)
    if kind == "object missing":
        fits &= np.isin(found.class_ids, [names.index(name) for name in OBJECTS if name in names])
    if kind == "border shifted":
        fits &= found.class_ids != names.index("Sky")
    if not fits.any():
        return None
    chosen = int(rng.choice(np.flatnonzero(fits)))
    own, inside = int(found.class_ids[chosen]), found.ids == chosen + 1
    if kind == "class swapped":
        new = np.where(inside, np.uint8(names.index(str(rng.choice(PLAUSIBLE[names[own]])))), truth)
    elif kind == "object missing":
        new = filled(truth, inside, ~inside & (truth != own))
    else:
        new = shifted(truth, inside, own, rng)
    return np.where(truth == UNLABELLED, truth, new)


def shifted(truth: np.ndarray, inside: np.ndarray, own: int, rng: np.random.Generator) -> np.ndarray:
    """The segment grown or shrunk by 4 to 10 pixels, or moved by 6 to 12."""
    width, how = int(rng.integers(WIDTHS[0], WIDTHS[1] + 1)), int(rng.integers(3))
    area, square = inside.astype(np.uint8), np.ones((3, 3), np.uint8)
    if how == 0:
        return np.where(cv2.dilate(area, square, iterations=width).astype(bool), np.uint8(own), truth)
    if how == 1:
        return filled(truth, inside & ~cv2.erode(area, square, iterations=width).astype(bool), ~inside)
    right, down = ((width + 2, 0), (-width - 2, 0), (0, width + 2), (0, -width - 2))[int(rng.integers(4))]
    step = np.array([[1, 0, right], [0, 1, down]], np.float32)
    moved = cv2.warpAffine(area, step, truth.shape[::-1], flags=cv2.INTER_NEAREST).astype(bool)
    return np.where(moved, np.uint8(own), filled(truth, inside & ~moved, ~inside))


def filled(truth: np.ndarray, hole: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The hole with the nearest labels of ``source``."""
    source = source & (truth != UNLABELLED)
    if not source.any():
        return truth
    rows, columns = distance_transform_edt(~source, return_distances=False, return_indices=True)
    return np.where(hole, truth[rows, columns], truth)


def markdown(found: dict[int, list[tuple[str, float]]]) -> str:
    """Recall by kind within the first entries, in percent, mean ± standard deviation over the seeds."""
    lines = ["| | " + " | ".join(f"first {at}" for at in AT) + " |", "|---|" + "---|" * len(AT)]
    made = {kind for rows in found.values() for kind, _ in rows}
    for kind in ("all", *(kind for kind in KINDS if kind in made)):
        cells = []
        for at in AT:
            shares = [
                100 * np.mean([place < at for its, place in rows if kind in ("all", its)]) for rows in found.values()
            ]
            cells.append(f"{np.mean(shares):.1f} ± {np.std(shares):.1f}")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
