"""Times segments, their metrics and targets, and measures memory, in one run.

    python benchmarks/bench_segments.py [--repeat 15] [--threads 2] [--only features|growth]

The input is random but shaped like a street prediction: smooth low-resolution logits with large and small structures;
the share of small structures is searched so that the wished number of segments comes out.

The first table compares with a straightforward implementation, what one writes with OpenCV and NumPy: the upsampled
softmax, connectedComponents class by class, boundaries by erosion, and one bincount per metric. Both give the same
table (the largest difference is printed).

The others begin at a softmax map at full resolution and end at all metrics of metaseg and meta_ood (the second holds
the first) with IoU and IoU_adj: by pixels at one number of segments, and by segments at one size. Every row is a
process of its own on as many cores as threads, that finds the softmax (float32; the "input") and the ground truth in
files. "peak" is the largest resident memory of that process from its start, libraries and input included; "extra" is
that of one call beyond what was there before it. Kernels come compiled from the cache. "CPU" adds up the cores' time;
on a busy machine only that and the smallest times mean something.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from trust_seg_ros.segments import (
    components,
    maps_from_softmax,
    segment_table,
    segment_table_from_softmax,
    targets,
    warm_up,
)
from trust_seg_ros.types import LogitMaps, SegmentTable, UncertaintyMaps
from trust_seg_ros.uncertainty import uncertainty_maps

SCENES = (
    ((1024, 2048), (256, 512), 19, 100),
    ((1024, 2048), (256, 512), 19, 1000),
    ((1024, 2048), (256, 512), 19, 2000),
    ((1024, 2048), (256, 512), 19, 10000),
    ((360, 480), (90, 120), 11, 150),
)

CLASSES = 19
BY_PIXELS = [((512, 512), 1000), ((1024, 1024), 1000), ((1024, 2048), 1000), ((2048, 2048), 1000)]
BY_SEGMENTS = [((1024, 2048), wanted) for wanted in (100, 1000, 2000, 10000)]


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


def best(
    work: Callable[[], object], repeat: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float]:
    """Smallest and median time in ms."""
    times = []
    for _ in range(repeat):
        begin = clock()
        work()
        times.append((clock() - begin) * 1e3)
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


def features_table(repeat: int, threads: int) -> Table:
    """Components and metrics from low-resolution logits, against the straightforward way."""
    table = Table(title=f"Segments, ms (smallest / median of {repeat}), {threads} threads")
    heads = "image, classes|segments|median px|maps|components|metaseg, 1 thread|metaseg|meta_ood|metaseg from softmax"
    heads += "|maps + metaseg|OpenCV + NumPy|ratio to metaseg|difference"
    for head in heads.split("|"):
        table.add_column(head, justify="right")
    for scene in SCENES:
        table.add_row(*measure(scene, repeat, threads))
    return table


def write_scene(folder: Path, size: tuple[int, int], wanted: int) -> None:
    """Softmax and ground truth: the prediction moved by some pixels; its lowest rows are ignored (one's own bonnet)."""
    logits = street_logits(size, (size[0] // 4, size[1] // 4), CLASSES, wanted)
    truth = np.roll(uncertainty_maps(logits).classes.numpy(), (3, 5), (0, 1))
    truth[-size[0] // 16 :] = 255
    np.save(folder / "softmax.npy", softmax_of(logits))
    np.save(folder / "truth.npy", truth)


def resident_mib(key: str) -> float:
    """``VmRSS`` (now) or ``VmHWM`` (largest so far) of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def memory_of(work: Callable[[], object]) -> tuple[float, float]:
    """Largest resident MiB since the process began, ``work`` included, and of ``work`` beyond what was there before."""
    try:
        so_far = resident_mib("VmHWM")
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what was freed before must not hide what this takes
        before = resident_mib("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # starts the high-water mark anew
        kept = work()
        during = resident_mib("VmHWM")
    except OSError:  # not Linux
        return math.nan, math.nan
    del kept
    return max(so_far, during), during - before


def whole_way(folder: Path, repeat: int, threads: int) -> None:
    """From the softmax in ``folder`` to metrics and targets in this process; prints what it took as JSON."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    warm_up()
    prob, truth = np.load(folder / "softmax.npy"), np.load(folder / "truth.npy")

    def everything() -> SegmentTable:
        table = segment_table_from_softmax(prob, "meta_ood", ground_truth=truth, threads=threads)
        targets(table, truth)
        return table

    peak, extra = memory_of(everything)
    maps, table = maps_from_softmax(prob, threads=threads), everything()
    parts = {
        "maps": lambda: maps_from_softmax(prob, threads=threads),
        "metrics": lambda: segment_table_from_softmax(prob, "meta_ood", maps=maps, ground_truth=truth, threads=threads),
        "targets": lambda: targets(table, truth),
        "released": lambda: targets(table, truth, "released"),
        "all": everything,
    }
    found = {name: best(work, repeat) for name, work in parts.items()}
    found |= {"cpu": best(everything, repeat, time.process_time), "segments": len(table)}
    print(json.dumps(found | {"peak": peak, "extra": extra, "input": prob.nbytes / 2**20}))


def growth_table(title: str, rows: list, key: Callable, repeat: int, threads: int) -> tuple[Table, list[str]]:
    """The whole way for every row (size, segments), and how the time grows with ``key`` of a row's measurement."""
    table = Table(title=f"{title}; ms (smallest / median of {repeat}), {threads} cores", title_justify="left")
    heads = "image, classes|segments|input, MiB|maps|segments, metrics|targets|all|all, CPU|ns per pixel|extra, MiB"
    for head in [*heads.split("|"), "peak, MiB", "released targets"]:
        table.add_column(head, justify="right")
    grown: list[tuple[float, float, float]] = []
    for size, wanted in rows:
        with tempfile.TemporaryDirectory() as folder:
            write_scene(Path(folder), size, wanted)
            words = [sys.executable, __file__, "--one", folder, "--repeat", str(repeat), "--threads", str(threads)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        m = json.loads(done.stdout.splitlines()[-1])
        names = ("maps", "metrics", "targets", "all", "cpu", "released")
        *ms, released = (" / ".join(f"{v:.1f}" for v in m[name]) for name in names)
        cells = [f"{size[1]}×{size[0]}, {CLASSES}", f"{m['segments']:,}", f"{m['input']:.0f}", *ms]
        cells += [f"{m['all'][0] * 1e6 / math.prod(size):.0f}", f"{m['extra']:.0f}", f"{m['peak']:.0f}", released]
        table.add_row(*cells)
        grown.append((key(size, m["segments"]), m["all"][0], m["cpu"][0]))
    n, ms, cpu = grown[0]
    return table, [
        f"{a / n:.1f} times as many: {b / ms:.2f} times the time, {c / cpu:.2f} CPU" for a, b, c in grown[1:]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("features", "growth"))
    parser.add_argument("--one", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    repeat, threads = arguments.repeat, arguments.threads
    if arguments.one:
        whole_way(arguments.one, repeat, threads)
        return
    warm_up()
    console = Console(width=190)
    if arguments.only != "growth":
        console.print(features_table(repeat, threads))
        console.print("metaseg: components, 15 + q metrics and boxes, from the maps and the low-resolution logits.")
    if arguments.only == "features":
        return
    tables = (
        ("From a softmax to meta_ood with targets, by pixels", BY_PIXELS, lambda size, _: math.prod(size)),
        ("From a softmax to meta_ood with targets, by segments", BY_SEGMENTS, lambda _, segments: segments),
    )
    for title, rows, key in tables:
        table, lines = growth_table(title, rows, key, repeat, threads)
        console.print(table)
        console.print("\n".join([*lines, ""]), highlight=False)
    console.print("extra: beyond the input, in one call; peak: the process, with libraries and input.")


if __name__ == "__main__":
    main()
