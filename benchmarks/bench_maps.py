"""Times the per-pixel maps against the straightforward torch path: ``python benchmarks/bench_maps.py``.

The straightforward path is what the formulas suggest: upsample the logits, softmax, log, sum, topk, everything at full
resolution. Memory is the largest resident size during one call minus that before it minus the four maps. Class sums of
mask networks (100 queries) are timed against the same, and against the softmax of as many logits; then their scores.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from trust_seg_ros.types import LogitMaps, MaskQueries, UncertaintyMaps
from trust_seg_ros.uncertainty.banded import banded_maps
from trust_seg_ros.uncertainty.fast import fast_maps
from trust_seg_ros.uncertainty.maps import warm_up
from trust_seg_ros.uncertainty.mask_scores import mask_uncertainty, maskomaly, rba

Version = Callable[[LogitMaps], Any]
CASES = {  # classes, height and width of the logits, height and width of the maps
    "1024×2048, 19 classes, logits 256×512": (19, 256, 512, 1024, 2048),
    "1080×1920, 19 classes, logits 128×256 (no whole factor)": (19, 128, 256, 1080, 1920),
    "360×480, 11 classes, logits 90×120": (11, 90, 120, 360, 480),
    "360×480, 11 classes, logits 45×60": (11, 45, 60, 360, 480),
    "512×512, 150 classes, logits 128×128": (150, 128, 128, 512, 512),
}
MASKS = {
    "1024×2048, 19 classes, sums 256×512": (19, 256, 512, 1024, 2048),
    "360×480, 11 classes, sums 90×120": (11, 90, 120, 360, 480),
    "512×512, 150 classes, sums 128×128": (150, 128, 128, 512, 512),
    "1080×1920, 150 classes, sums 270×480": (150, 270, 480, 1080, 1920),
}
QUERIES = 100


def upsampled(planes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return torch.nn.functional.interpolate(planes[None], size=size, mode="bilinear", align_corners=False)[0]


def straightforward(maps: LogitMaps) -> UncertaintyMaps:
    """The maps as one would write them down."""
    full = upsampled(maps.logits, maps.size)
    f = full / full.sum(0) if maps.linear else full.softmax(0)
    entropy = -(f * (f + 1e-12).log()).sum(0) / math.log(len(f))
    top = f.topk(2, dim=0)
    return UncertaintyMaps(
        top.indices[0].to(torch.uint8), entropy, 1 - top.values[0] + top.values[1], 1 - top.values[0]
    )


def best_and_median_ms(version: Version, maps: LogitMaps, seconds: float) -> tuple[float, float]:
    version(maps)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        version(maps)
        times.append((time.perf_counter() - start) * 1e3)
    return min(times), statistics.median(times)


def resident_mb(key: str) -> float:
    """``VmRSS`` (now) or ``VmHWM`` (largest so far) of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return math.nan


def extra_mb(version: Version, maps: LogitMaps) -> float:
    """Largest resident memory of one call beyond what there was before and the maps; NaN where Linux does not say."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what earlier calls have freed must not hide what this one takes
        Path("/proc/self/clear_refs").write_text("5")  # starts the high-water mark anew
        before = resident_mb("VmRSS")
        out = version(maps)
        parts = (out.classes, out.entropy, out.margin, out.variation_ratio)
        return resident_mb("VmHWM") - before - sum(part.nbytes for part in parts) / 2**20
    except OSError:
        return math.nan


def largest_difference(got: UncertaintyMaps, want: UncertaintyMaps) -> float:
    names = ("entropy", "margin", "variation_ratio")
    return max(float((getattr(got, name) - getattr(want, name)).abs().max()) for name in names)


def mask_network(q: int, h: int, w: int, height: int, width: int) -> LogitMaps:
    """A made-up answer: blobs that each belong mostly to one class."""
    generator = torch.Generator().manual_seed(0)
    p = (torch.randn(QUERIES, q + 1, generator=generator) * 4).softmax(1)[:, :-1].contiguous()
    masks = (upsampled(torch.randn(QUERIES, 8, 16, generator=generator) * 6 - 6, (h, w))).sigmoid()
    sums = torch.einsum("qc,qhw->chw", p, masks)
    return LogitMaps(sums, (height, width), raw=False, linear=True, queries=MaskQueries(p, masks))


def straightforward_scores(maps: LogitMaps) -> dict[str, Callable[[], torch.Tensor]]:
    assert maps.queries is not None
    p, masks = maps.queries.probabilities, maps.queries.masks
    likeliest = p.amax(1)
    return {
        "rba": lambda: -upsampled(maps.logits, maps.size).tanh().sum(0),
        "mask_uncertainty": lambda: 1 - (upsampled(masks, maps.size) * likeliest[:, None, None]).amax(0),
        "maskomaly": lambda: _maskomaly(upsampled(masks, maps.size), p, likeliest),
    }


def _maskomaly(masks: torch.Tensor, p: torch.Tensor, likeliest: torch.Tensor) -> torch.Tensor:
    score = 1 - (masks * (likeliest * (likeliest > 0.7))[:, None, None]).amax(0)
    border = (masks[likeliest >= 1 - p.sum(1)] > 0.1).sum(0) >= 2
    return score.masked_fill(border, 0.0)


def run_masks(title: str, shape: tuple[int, ...], threads: int, seconds: float) -> Iterator[Table]:
    maps = mask_network(*shape)
    logits = LogitMaps(maps.logits.log(), maps.size)
    yield maps_table(
        title,
        maps,
        {
            f"torch, straightforward, {threads} threads": straightforward,
            f"torch, in bands, {threads} threads": banded_maps,
            "compiled, 1 thread": lambda maps: fast_maps(maps, threads=1),
            f"compiled, {threads} threads": lambda maps: fast_maps(maps, threads=threads),
            f"compiled, softmax of as many logits, {threads} threads": lambda _: fast_maps(logits, threads=threads),
        },
        seconds,
    )
    table = Table(title=f"{title}: scores of {QUERIES} queries", title_justify="left")
    for column in ("score", "torch, straightforward, ms", "compiled, ms", "times as fast", "largest difference"):
        table.add_column(column, justify="left" if column == "score" else "right")
    wanted = straightforward_scores(maps)
    for function in (rba, mask_uncertainty, maskomaly):
        name = function.__name__
        plain = wanted[name]
        slow, fast = (best_and_median_ms(f, maps, seconds)[0] for f in (lambda _, f=plain: f(), function))
        difference = float((plain() - function(maps)).abs().max())  # at the border of maskomaly, a whole 1
        table.add_row(name, f"{slow:.2f}", f"{fast:.2f}", f"{slow / fast:.1f}", f"{difference:.0e}")
    yield table


def run_case(title: str, shape: tuple[int, ...], threads: int, seconds: float) -> Table:
    q, h, w, height, width = shape
    maps = LogitMaps(torch.randn(q, h, w, generator=torch.Generator().manual_seed(0)) * 3, (height, width))
    versions: dict[str, Version] = {
        f"torch, straightforward, {threads} threads": straightforward,
        f"torch, in bands, {threads} threads": banded_maps,
        "compiled, 1 thread": lambda maps: fast_maps(maps, threads=1),
        f"compiled, {threads} threads": lambda maps: fast_maps(maps, threads=threads),
    }
    return maps_table(title, maps, versions, seconds)


def maps_table(title: str, maps: LogitMaps, versions: dict[str, Version], seconds: float) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("version", "best ms", "median ms", "times as fast", "extra MB", "largest difference"):
        table.add_column(column, justify="left" if column == "version" else "right")
    extra = {name: extra_mb(version, maps) for name, version in reversed(versions.items())}  # the leanest first
    want, base = straightforward(maps), math.nan
    for name, version in versions.items():
        best, median = best_and_median_ms(version, maps, seconds)
        base = best if math.isnan(base) else base
        difference = largest_difference(version(maps), want)
        table.add_row(
            name,
            f"{best:.2f}",
            f"{median:.2f}",
            f"{base / best:.1f}",
            f"{max(extra[name], 0.0):.1f}",
            f"{difference:.0e}",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="CPU threads for every version (default 2)")
    parser.add_argument("--seconds", type=float, default=1.5, help="time for each version of each case (default 1.5)")
    parser.add_argument("--only", choices=("softmax", "masks"), help="a part alone (default both)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warm_up()
    console = Console(width=110)
    for title, shape in CASES.items() if arguments.only != "masks" else ():
        console.print(run_case(title, shape, arguments.threads, arguments.seconds))
    for title, shape in MASKS.items() if arguments.only != "softmax" else ():
        for table in run_masks(title, shape, arguments.threads, arguments.seconds):
            console.print(table)


if __name__ == "__main__":
    main()
