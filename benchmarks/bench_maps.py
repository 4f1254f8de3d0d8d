"""Times the per-pixel maps against the straightforward torch path: ``python benchmarks/bench_maps.py``.

The straightforward path is what the formulas suggest: upsample the logits, softmax, log, sum, topk, everything at full
resolution. Memory is the largest resident size during one call minus that before it minus the four maps.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.banded import banded_maps
from trust_seg_ros.uncertainty.fast import fast_maps
from trust_seg_ros.uncertainty.maps import warm_up

Version = Callable[[LogitMaps], UncertaintyMaps]
CASES = {  # classes, height and width of the logits, height and width of the maps
    "1024×2048, 19 classes, logits 256×512": (19, 256, 512, 1024, 2048),
    "1080×1920, 19 classes, logits 128×256 (no whole factor)": (19, 128, 256, 1080, 1920),
    "360×480, 11 classes, logits 90×120": (11, 90, 120, 360, 480),
    "360×480, 11 classes, logits 45×60": (11, 45, 60, 360, 480),
    "512×512, 150 classes, logits 128×128": (150, 128, 128, 512, 512),
}


def straightforward(maps: LogitMaps) -> UncertaintyMaps:
    """The maps as one would write them down."""
    full = torch.nn.functional.interpolate(maps.logits[None], size=maps.size, mode="bilinear", align_corners=False)[0]
    f = full.softmax(0)
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


def run_case(title: str, shape: tuple[int, ...], threads: int, seconds: float) -> Table:
    q, h, w, height, width = shape
    maps = LogitMaps(torch.randn(q, h, w, generator=torch.Generator().manual_seed(0)) * 3, (height, width))
    versions: dict[str, Version] = {
        f"torch, straightforward, {threads} threads": straightforward,
        f"torch, in bands, {threads} threads": banded_maps,
        "compiled, 1 thread": lambda maps: fast_maps(maps, threads=1),
        f"compiled, {threads} threads": lambda maps: fast_maps(maps, threads=threads),
    }
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
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warm_up()
    console = Console(width=110)
    for title, shape in CASES.items():
        console.print(run_case(title, shape, arguments.threads, arguments.seconds))


if __name__ == "__main__":
    main()
