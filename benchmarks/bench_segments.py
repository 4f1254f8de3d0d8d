"""Times components and metaseg metrics against a straightforward implementation, in one run.

    python benchmarks/bench_segments.py [--repeat 15] [--threads 2]

The input is random but shaped like a street prediction: smooth low-resolution logits with large and small structures;
the share of small structures is searched so that the wished number of segments comes out. The straightforward
implementation is what one writes with OpenCV and NumPy: the upsampled softmax, connectedComponents class by class,
boundaries by erosion, and one bincount per metric. Both give the same table (the largest difference is printed).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from trust_seg_ros.segments import components, segment_table, segment_table_from_softmax, warm_up
from trust_seg_ros.types import LogitMaps, SegmentTable, UncertaintyMaps
from trust_seg_ros.uncertainty import uncertainty_maps

SCENES = (
    ((1024, 2048), (256, 512), 19, 100),
    ((1024, 2048), (256, 512), 19, 1000),
    ((1024, 2048), (256, 512), 19, 2000),
    ((1024, 2048), (256, 512), 19, 10000),
    ((360, 480), (90, 120), 11, 150),
)


def street_logits(size: tuple[int, int], low: tuple[int, int], q: int, wanted: int) -> LogitMaps:
    """Random logits (q, *low) whose prediction at ``size`` has about ``wanted`` segments."""
    rng = np.random.default_rng(wanted)
    layers = []
    for sigma in (low[0] / 8, low[0] / 40, 1.5):
        noise = rng.standard_normal((*low, q)).astype(np.float32)
        layer = cv2.GaussianBlur(noise, (0, 0), sigma).transpose(2, 0, 1)
        layers.append(layer / layer.std())
    lowest, highest = 0.0, 4.0
    for _ in range(12):
        fine = (lowest + highest) / 2
        logits = 4 * layers[0] + 1.5 * min(fine, 1.0) * layers[1] + fine * layers[2]
        maps = LogitMaps(torch.from_numpy(np.ascontiguousarray(logits, np.float32)), size)
        count = components(uncertainty_maps(maps).classes.numpy())[1]
        lowest, highest = (fine, highest) if count < wanted else (lowest, fine)
    return maps


def straightforward(prob: np.ndarray, maps: UncertaintyMaps) -> tuple[np.ndarray, np.ndarray]:
    """Ids and metaseg metrics (n, 15 + q) of a full-resolution softmax with OpenCV and NumPy."""
    classes = maps.classes.numpy()
    ids, n = np.zeros(classes.shape, np.int32), 0
    for c in range(len(prob)):
        count, part = cv2.connectedComponents((classes == c).astype(np.uint8), connectivity=8)
        ids[part > 0] = part[part > 0] + n
        n += count - 1
    kernel, reflect = np.ones((3, 3), np.uint8), cv2.BORDER_REPLICATE
    same = cv2.erode(classes, kernel, borderType=reflect) == cv2.dilate(classes, kernel, borderType=reflect)
    flat, inner = ids.ravel(), ids[same]
    size, inside = (np.bincount(part, minlength=n + 1)[1:].astype(float) for part in (flat, inner))
    outside = size - inside
    columns = [size, inside, outside, size / outside, inside / outside]
    for values in (maps.entropy.numpy(), maps.margin.numpy()):
        total = np.bincount(flat, values.ravel(), n + 1)[1:]
        within = np.bincount(inner, values[same], n + 1)[1:]
        mean, mean_in = total / size, within / np.maximum(inside, 1)
        columns += [mean, mean_in, (total - within) / outside, mean * columns[3], mean_in * columns[4]]
    columns += [np.bincount(flat, plane.ravel(), n + 1)[1:] / size for plane in prob]
    return ids, np.stack(columns, 1)


def softmax_of(logit_maps: LogitMaps) -> np.ndarray:
    grown = torch.nn.functional.interpolate(logit_maps.logits[None], logit_maps.size, mode="bilinear")
    return grown[0].softmax(0).numpy()


def best(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Smallest and median time in ms."""
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1e3)
    return min(times), median(times)


def difference(table: SegmentTable, ids: np.ndarray, metrics: np.ndarray) -> float:
    """Largest difference of a metric, relative to 1 or to the metric if that is more."""
    order = ids.ravel()[np.unique(table.ids, return_index=True)[1]][-len(table) :] - 1
    return float((np.abs(table.metrics - metrics[order]) / np.maximum(np.abs(metrics[order]), 1)).max())


def measure(scene: tuple, repeat: int, threads: int) -> list[str]:
    size, low, q, wanted = scene
    logits = street_logits(size, low, q, wanted)
    maps = uncertainty_maps(logits)
    prob = softmax_of(logits)
    table = segment_table(maps, logits)
    worst = difference(table, *straightforward(prob, maps))
    timed = {
        "maps": lambda: uncertainty_maps(logits, threads=threads),
        "components": lambda: components(maps.classes.numpy(), threads),
        "one": lambda: segment_table(maps, logits, threads=1),
        "table": lambda: segment_table(maps, logits, threads=threads),
        "extended": lambda: segment_table(maps, logits, "meta_ood", threads=threads),
        "softmax": lambda: segment_table_from_softmax(prob, maps=maps, threads=threads),
        "all": lambda: segment_table(uncertainty_maps(logits, threads=threads), logits, threads=threads),
    }
    ms = {name: best(work, repeat) for name, work in timed.items()}
    plain = best(lambda: straightforward(softmax_of(logits), maps), 5)
    cells = [f"{size[1]}×{size[0]}, {q}", f"{len(table)}", f"{np.median(table.sizes):.0f}"]
    cells += [f"{low:.1f} / {mid:.1f}" for low, mid in ms.values()]
    return [*cells, f"{plain[0]:.0f} / {plain[1]:.0f}", f"{plain[0] / ms['table'][0]:.0f}×", f"{worst:.0e}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    warm_up()
    console = Console(width=190)
    table = Table(title=f"Segments, ms (smallest / median of {arguments.repeat}), {arguments.threads} threads")
    heads = (
        "image, classes",
        "segments",
        "median px",
        "maps",
        "components",
        "metaseg, 1 thread",
        "metaseg",
        "meta_ood",
    )
    heads += ("metaseg from softmax", "maps + metaseg", "OpenCV + NumPy", "ratio to metaseg", "difference")
    for head in heads:
        table.add_column(head, justify="right")
    for scene in SCENES:
        table.add_row(*measure(scene, arguments.repeat, arguments.threads))
    console.print(table)
    console.print("metaseg: components, 15 + q metrics and boxes, from the maps and the low-resolution logits.")


if __name__ == "__main__":
    main()
