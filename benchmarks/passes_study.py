"""docs/networks.md: what windows, scales and the mirrored image gain on a labelled data set, and what they cost.

    python benchmarks/passes_study.py ../shared/data/camvid --split val test

For every setting of ``SETTINGS``: mIoU over all labelled pixels at the labels' resolution, how well the entropy of the
averaged answer tells wrong pixels from right ones (AUROC, and AuPRC of the wrong ones), and the time of the network for
an image, in turns with the other settings, as wall time and as processor time of all threads. The settings were written
down before any of them was run on the test images.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.evaluation.confusion import ConfusionMatrix
from trust_seg_ros.segmentation import load_network
from trust_seg_ros.segmentation.averaged import AveragedNetwork
from trust_seg_ros.segmentation.passes import Passes
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import UNLABELLED
from trust_seg_ros.uncertainty import uncertainty_maps

THREE = (0.75, 1.0, 1.25)
SETTINGS = {
    "one pass": Passes(),
    "flip": Passes(flip=True),
    "scale 1.25 alone": Passes(scales=(1.25,)),
    "scales 0.75, 1, 1.25": Passes(scales=THREE),
    "scales and flip": Passes(scales=THREE, flip=True),
    "scales and flip, probabilities": Passes(scales=THREE, flip=True, average="probabilities"),
    "windows of 288x224": Passes(window=(224, 288), window_overlap=1 / 3),
}
BINS = 20_000


@dataclass
class Tally:
    """What is counted of one setting."""

    confusion: ConfusionMatrix
    right: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    wrong: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    wall_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def add(self, network: SegmentationNetwork, image: np.ndarray, truth: np.ndarray) -> None:
        """Judge one image."""
        wall, processor = time.perf_counter(), time.process_time()
        answer = network.infer(image)
        self.wall_ms.append(1e3 * (time.perf_counter() - wall))
        self.processor_ms.append(1e3 * (time.process_time() - processor))
        maps = uncertainty_maps(answer).host()
        shape = (truth.shape[1], truth.shape[0])
        classes = cv2.resize(maps.classes.numpy(), shape, interpolation=cv2.INTER_NEAREST)
        entropy = cv2.resize(maps.entropy.numpy(), shape, interpolation=cv2.INTER_NEAREST)
        self.confusion.add(truth, classes)
        known = truth != UNLABELLED
        bins = np.minimum((entropy[known] * BINS).astype(np.int64), BINS - 1)
        wrong = classes[known] != truth[known]
        self.wrong += np.bincount(bins[wrong], minlength=BINS)
        self.right += np.bincount(bins[~wrong], minlength=BINS)

    def auroc(self) -> float:
        """P(a wrong pixel has the larger entropy), ties count half."""
        below = np.concatenate([[0], np.cumsum(self.right)[:-1]])
        return float((self.wrong * (below + self.right / 2)).sum() / (self.wrong.sum() * self.right.sum()))

    def auprc(self) -> float:
        """Mean precision over the wrong pixels, from the most uncertain down."""
        hits, alarms = np.cumsum(self.wrong[::-1]), np.cumsum((self.wrong + self.right)[::-1])
        return float((self.wrong[::-1] * hits / np.maximum(alarms, 1)).sum() / self.wrong.sum())


def study(model: str, data: Path, split: str, every: int) -> dict[str, Tally]:
    """Judge every setting on the same images, in turns."""
    network = load_network(model, device="cpu")
    networks = {name: network if p.single else AveragedNetwork(network, p) for name, p in SETTINGS.items()}
    tallies = {name: Tally(ConfusionMatrix(len(network.labels))) for name in networks}
    folder = open_dataset(data, split, network.labels)
    for sample in track(folder.samples[::every], split):
        image, truth = folder.read(sample)
        for name, each in networks.items():
            tallies[name].add(each, image, truth)
    return tallies


def main() -> None:
    """Print a table of each split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", nargs="+", default=["val"])
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--every", type=int, default=1, help="only every Nth image")
    args = parser.parse_args()
    for split in args.split:
        tallies = study(args.model, args.data, split, args.every)
        print(
            f"\n| {split} | mIoU | accuracy | AUROC | AuPRC | ms | ms of a processor |\n|---|---|---|---|---|---|---|"
        )
        for name, tally in tallies.items():
            share = (tally.confusion.mean_iou(), tally.confusion.accuracy(), tally.auroc(), tally.auprc())
            times = [statistics.median(values) for values in (tally.wall_ms, tally.processor_ms)]
            cells = [f"{100 * value:.2f}" for value in share] + [f"{value:.0f}" for value in times]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
