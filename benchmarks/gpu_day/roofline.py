"""Launches, bytes and the least time of every kernel at 2 MP, 19 classes, 2,000 segments: computed, not measured.

    python benchmarks/gpu_day/roofline.py [--write]

The launches are those of the functions themselves, called with tensors that have no memory; bytes are the sizes of the
tensors that they get, read or written once but for what ``KERNELS`` says. A kernel takes at least as long as its bytes
need at the memory's speed, its instructions at that of float32, and its exponentials at that of the special function
units. ``--write`` puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch
from calls import FUNCTIONS, scene_of, street
from compiled import Launch, launches

from trust_seg_ros.node.reference import with_table

SIZE, LOW, CLASSES = (1080, 1920), (270, 480), 19
PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
NAME, COMMAND = "kernels, computed", "python benchmarks/gpu_day/roofline.py --write"
LAUNCH_US = 2.5
"""Between two launches in a row, whatever they compute; in a CUDA graph about half."""
DEVICES = {
    # as their makers say: memory in 10^9 bytes/s; float32 in 10^12 operations/s, two of them for a multiply-add
    "Jetson AGX Orin": (204.8, 5.3),
    "RTX 5090": (1792.0, 104.8),
    "H200": (4800.0, 66.9),
}


@dataclass(frozen=True)
class Kernel:
    """What a kernel does beside reading or writing each of its tensors once.

    Attributes:
        pixel, cell: instructions for every pixel of the image, and for every pixel and class.
        roots, exps: roots, exponentials and logarithms for every pixel, and for every pixel and class.
        shares: argument -> how often its bytes are moved: 2 = read and written, 0.05 = a twentieth is touched.
    """

    pixel: float = 10
    cell: float = 0
    roots: float = 0
    exps: float = 0
    shares: dict[str, float] = field(default_factory=dict)


KERNELS = {
    "upload.prepare": Kernel(50),
    "maps.maps_kernel": Kernel(140, 28, roots=3, exps=1),
    "labelling.label_tiles": Kernel(250),
    "labelling.label_seams": Kernel(20, shares={"classes": 0.07, "parent": 0.14}),
    "labelling.rank_roots": Kernel(75),
    "labelling.add_up": Kernel(0, shares={"counts": 2}),
    "labelling.paint": Kernel(42),
    "labelling.reach": Kernel(6),
    "sum_kernels.add_maps": Kernel(450),
    "sum_kernels.add_classes": Kernel(30, 32, exps=1),
    "metrics.metrics": Kernel(0),
    "predict.predict": Kernel(0),
    "gradient.sums_kernel": Kernel(16 * 9, roots=16),  # 256 features on a quarter of rows and columns: 16 a pixel
    "gradient.norms_kernel": Kernel(360, roots=10),
    "gradient.scores_kernel": Kernel(210, roots=10),
    "paint.paint": Kernel(80),
    "histogram.digits_kernel": Kernel(84),
    "histogram.range_kernel": Kernel(18),
    "histogram.edges_kernel": Kernel(0),
    "histogram.bins_kernel": Kernel(114),
    "histogram.moments_kernel": Kernel(28),
}
"""Instructions as the compiler makes them for sm_90 (``cuobjdump -sass``), by the pixels of a thread: those in the loop
over classes once for each, those of union-find as if two turns were enough, those of sums over segments as if one or
two lay in a tile. Kernels with another name do ten for a pixel."""


@dataclass(frozen=True)
class Work:
    """One launch: programs, bytes, instructions, and special functions."""

    kernel: str
    programs: int
    bytes: float
    instructions: float
    special: float

    def us(self, gbs: float, tflops: float) -> float:
        """Least microseconds; a multiprocessor does 128 instructions, or 16 special functions, at a time."""
        return max(self.bytes / gbs / 1e3, 2 * self.instructions / tflops / 1e6, 16 * self.special / tflops / 1e6)


def works() -> dict[str, list[Work]]:
    """Function of ``calls.FUNCTIONS`` -> its launches."""
    found = {}
    with launches() as noted:
        scene = scene_of(street(SIZE, LOW, CLASSES, torch.device("meta")))
        for name, function in FUNCTIONS.items():
            noted.clear()
            function(scene)
            found[name] = [_work(launch) for launch in noted]
    return found


def _work(launch: Launch) -> Work:
    does, pixels = KERNELS.get(launch.name, Kernel()), math.prod(SIZE)
    tensors = [
        (name, tensor)
        for name, value in launch.arguments.items()
        for tensor in (value if isinstance(value, tuple) else (value,))
        if isinstance(tensor, torch.Tensor)
    ]
    moved = sum(does.shares.get(name, 1.0) * tensor.numel() * tensor.element_size() for name, tensor in tensors)
    instructions, special = does.pixel + does.cell * CLASSES, does.roots + does.exps * CLASSES
    return Work(launch.name, math.prod(launch.grid), moved, pixels * instructions, pixels * special)


def table(found: dict[str, list[Work]]) -> str:
    """One row per kernel of a function, for one launch; then the sum of a frame's first three steps."""
    lines = ["| function | kernel | programs | MB | " + " | ".join(f"{name}, µs" for name in DEVICES) + " |"]
    lines.append("|---|---|" + "---:|" * (2 + len(DEVICES)))
    for function, launched in found.items():
        for work, times in Counter(launched).items():
            cells = [f"{work.us(*device):.1f}" for device in DEVICES.values()]
            row = (
                function,
                f"`{work.kernel}`" + f", {times} times" * (times > 1),
                f"{work.programs:,}",
                f"{work.bytes / 1e6:.1f}",
                *cells,
            )
            lines.append("| " + " | ".join(row) + " |")
    frame = [work for name in ("maps", "labelling", "sums of metaseg") for work in found[name]]
    totals = [f"**{sum(work.us(*d) for work in frame) + LAUNCH_US * len(frame):.0f}**" for d in DEVICES.values()]
    first = f"**maps, labelling, sums of metaseg, with {LAUNCH_US:g} µs a launch**"
    row = (first, f"{len(frame)} launches", "", f"{sum(w.bytes for w in frame) / 1e6:.1f}", *totals)
    return "\n".join([*lines, "| " + " | ".join(row) + " |"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    text = table(works())
    if parser.parse_args().write:
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), NAME, text, COMMAND), "utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
