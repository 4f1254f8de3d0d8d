"""Times the collecting of segments (trust-seg fit) by number of workers, and its memory by number of images.

    python benchmarks/bench_collect.py [--images 60] [--few 50] [--many 500]

Frames of the synthetic drive and the embedded network. Every row is a process of its own; "peak" is its largest
resident memory, and that of its largest worker. The rate is that between the first image and the last; "start" is what
comes before the first: loading the network here and in the workers, and asking it for its identity.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table

from trust_seg_ros.datasets.folders import paired_folder
from trust_seg_ros.fitting.collect import collect
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.synthetic import training_sample

SMALL = (96, 128)
DISTINCT = 25


def write_images(root: Path, count: int, size: tuple[int, int]) -> None:
    """``count`` labelled images below ``root``; from the 26th on they are the first ones again."""
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    for k in range(count):
        names = [root / kind / f"s_{k:05d}.png" for kind in ("images", "labels")]
        if k < DISTINCT:
            image, labels = training_sample(k, size)
            cv2.imwrite(str(names[0]), image[..., ::-1])
            cv2.imwrite(str(names[1]), labels)
        else:
            for name in names:
                name.hardlink_to(name.with_name(f"s_{k % DISTINCT:05d}.png"))


def peak_mib(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def one(root: Path, workers: int, small: bool) -> None:
    """Collect in this process, print what it took as JSON."""
    settings = NetworkSettings(device="cpu", input_size=SMALL if small else None)
    times = []
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as store:
        found = collect(
            settings,
            paired_folder(root, 11, (11, 255)),
            store,
            "val",
            workers=workers,
            progress=lambda done, total: times.append(time.perf_counter()),
        )
        end = time.perf_counter()
        size = sum(part.stat().st_size for part in found.parts("val"))
    result = {
        "images": len(found.entry("val").images),
        "segments": found.entry("val").segments,
        "start": times[1] - begin,
        "rate": (len(times) - 2) / (times[-1] - times[1]),
        "total": end - begin,
        "main": peak_mib(resource.RUSAGE_SELF),
        "worker": peak_mib(resource.RUSAGE_CHILDREN) if workers > 1 else 0.0,
        "size": size / 2**20,
    }
    print(json.dumps(result))


def measured(root: Path, workers: int, small: bool) -> dict[str, float]:
    words = [sys.executable, __file__, "--one", str(root), str(workers), str(int(small))]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=60, help="images of 480x360 for the rates")
    parser.add_argument("--few", type=int, default=50, help="small images of the first run for memory")
    parser.add_argument("--many", type=int, default=500, help="small images of the second run for memory")
    parser.add_argument("--one", nargs=3, metavar=("FOLDER", "WORKERS", "SMALL"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(Path(args.one[0]), int(args.one[1]), bool(int(args.one[2])))
        return
    table = Table(title="Collecting segments")
    for head in (
        "image",
        "images",
        "segments",
        "workers",
        "start, s",
        "images/s",
        "in all, s",
        "peak, MiB",
        "peak of a worker, MiB",
        "table, MiB",
    ):
        table.add_column(head, justify="right")
    rows = [((360, 480), args.images, 1), ((360, 480), args.images, 2)]
    rows += [(SMALL, count, workers) for workers in (1, 2) for count in (args.few, args.many)]
    with tempfile.TemporaryDirectory() as folder:
        for size, count, workers in rows:
            root = Path(folder) / f"{size[0]}_{count}"
            if not root.is_dir():
                write_images(root, count, size)
            m = measured(root, workers, size == SMALL)
            cells = [f"{size[1]}×{size[0]}", f"{m['images']}", f"{m['segments']}", f"{workers}", f"{m['start']:.1f}"]
            cells += [f"{m['rate']:.1f}", f"{m['total']:.1f}", f"{m['main']:.0f}"]
            table.add_row(*cells, f"{m['worker']:.0f}" if workers > 1 else "", f"{m['size']:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
