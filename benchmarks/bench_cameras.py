"""Cameras that share one network: what a pass of several images costs, and how long images are held back for others.

The first table compares passes of N images with N passes of one, by turns, so that both see the same load of the
machine. The second drives N cameras, each from a thread of its own, at a rate that the machine bears: in step; with a
quarter of a period between them; one of them alone; and in step with one that is always late.

    python benchmarks/bench_cameras.py
    python benchmarks/bench_cameras.py --size 1280x800 --device cuda --rate 20 --wait-ms 5
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from trust_seg_ros.recordings.sources import SyntheticSource
from trust_seg_ros.segmentation.batcher import Batcher, Seat
from trust_seg_ros.segmentation.protocol import BatchedNetwork, SegmentationNetwork
from trust_seg_ros.segmentation.settings import NetworkSettings


def passes(network: SegmentationNetwork, images: Sequence[np.ndarray], repeat: int) -> Table:
    """Passes of 2, 3, … images against as many of one."""
    assert isinstance(network, BatchedNetwork)
    table = Table(title=f"{network.name} on {network.device}, {repeat} by turns: median (least) ms")
    for column in ("images", "one pass", "one pass each", "ratio of the medians"):
        table.add_column(column, justify="right")
    for count in range(2, len(images) + 1):
        together, alone = [], []
        for n in range(repeat + 2):
            lasted = timed(network, lambda count=count: network.infer_batch(images[:count]))
            single = timed(network, lambda count=count: [network.infer(image) for image in images[:count]])
            if n >= 2:
                together.append(lasted)
                alone.append(single)
        ratio = statistics.median(alone) / statistics.median(together)
        cells = [f"{statistics.median(values):.1f} ({min(values):.1f})" for values in (together, alone)]
        table.add_row(str(count), *cells, f"{ratio:.2f}x")
    return table


def timed(network: SegmentationNetwork, call: Callable[[], object]) -> float:
    """Milliseconds of a call."""
    start = time.perf_counter()
    call()
    if network.device.type == "cuda":
        torch.cuda.synchronize(network.device)
    return 1e3 * (time.perf_counter() - start)


def driven(
    compute: Callable[[Sequence[np.ndarray]], list[object]],
    offsets_ms: Sequence[float | None],
    rate: float,
    wait_ms: float,
    frames: int,
) -> list[str]:
    """A row: images in a pass, and milliseconds from question to answer and held back; None = a silent camera."""
    batcher: Batcher[np.ndarray, object] = Batcher(compute, len(offsets_ms))
    image, begin, took = np.zeros((1, 1, 3), np.uint8), time.perf_counter() + 0.1, []

    def drive(seat: Seat, offset_ms: float) -> None:
        for n in range(frames):
            time.sleep(max(0.0, begin + n / rate + offset_ms / 1e3 - time.perf_counter()))
            start = time.perf_counter()
            batcher.ask(seat, image)
            took.append(1e3 * (time.perf_counter() - start))

    threads = []
    for number, offset_ms in enumerate(offsets_ms):
        seat = Seat(f"camera {number}", wait_ms / 1e3)
        batcher.join(seat)
        if offset_ms is not None:
            threads.append(threading.Thread(target=drive, args=(seat, offset_ms)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batches, items, held_s = batcher.counts
    return [
        f"{items / batches:.2f}",
        f"{statistics.median(took):.1f}",
        f"{max(took):.1f}",
        f"{1e3 * held_s / items:.2f}",
    ]


def waiting(
    compute: Callable[[Sequence[np.ndarray]], list[object]],
    count: int,
    rate: float,
    wait_ms: float,
    frames: int,
    pass_ms: float,
) -> Table:
    """The table of how long images are held back."""
    period = 1e3 / rate
    cases: dict[str, list[float | None]] = {
        "in step": [0.0] * count,
        "a share of a period apart": [period * n / count for n in range(count)],
        "one live, the others silent": [0.0, *[None] * (count - 1)],
        f"in step, one {2 * wait_ms:g} ms late": [*[0.0] * (count - 1), 2 * wait_ms],
        "in step, one silent": [*[0.0] * (count - 1), None],
    }
    table = Table(
        title=f"{count} cameras at {rate:g} Hz, {frames} frames each, limit {wait_ms:g} ms, a pass {pass_ms:.1f} ms"
    )
    for column in (
        "cameras",
        "images a pass",
        "answer after, median ms",
        "longest ms",
        "waited before the pass, mean ms",
    ):
        table.add_column(column, justify="right")
    for name, offsets in cases.items():
        table.add_row(name, *driven(compute, offsets, rate, wait_ms, frames))
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", default="480x360", help="WIDTHxHEIGHT of the cameras")
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0.0, help="frames per second; 0 = half of what the network bears")
    parser.add_argument("--wait-ms", type=float, default=10.0)
    parser.add_argument("--repeat", type=int, default=30)
    options = parser.parse_args(arguments)
    width, height = map(int, options.size.split("x"))
    frames = iter(SyntheticSource((height, width)))
    images = [next(frames).image for _ in range(options.cameras)]
    network = NetworkSettings(options.model, device=options.device).load()
    assert isinstance(network, BatchedNetwork)
    Console(width=140).print(passes(network, images, options.repeat))
    pass_ms = statistics.median(timed(network, lambda: network.infer(images[0])) for _ in range(10))

    def compute(asked: Sequence[np.ndarray]) -> list[object]:
        return list(network.infer_batch(images[: len(asked)]))

    rate = options.rate or 1e3 / pass_ms / options.cameras / 2
    table = waiting(compute, options.cameras, rate, options.wait_ms, options.repeat, pass_ms)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
