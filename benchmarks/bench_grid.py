"""What a frame costs besides the network, by the size of the image and the grid that it is judged on.

The same picture at each size, by turns, so that all sizes see the same load of the machine; the fitted grid, then the
image's own pixels. Preparing the network's input belongs to the network's time and is shown beside it.

    python benchmarks/bench_grid.py
    python benchmarks/bench_grid.py --sizes 480x360 1280x720 3840x2160 --repeat 40
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.outputs import OUTPUTS, wanted
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.recordings.sources import SyntheticSource
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame

Size = tuple[int, int]
_MASKS = ("segmentation", "confidence", "unreliable", "ood", "segments", "segment_ids", "ood_ids")
_PICTURES = ("overlay", "entropy_color")
_THRESHOLDS = ThresholdSettings.constants(ood=0.6, ood_min_size=50)


def frame_ms(pipeline: TrustPipeline, image: np.ndarray) -> dict[str, float]:
    """Milliseconds of every step of one frame."""
    options = MessageOptions(pipeline.labels.names, pipeline.labels.palette)
    result = pipeline(Frame(image), _THRESHOLDS, wanted((*_MASKS, *_PICTURES)))
    found = dict(result.timings_ms)
    view = Rendering(result, options)
    for what, topics in (("masks and detections", _MASKS), ("pictures for people", _PICTURES)):
        start = time.perf_counter()
        for name in topics:
            OUTPUTS[name].build(view)
        found[what] = 1e3 * (time.perf_counter() - start)
    start = time.perf_counter()
    preprocess(image, pipeline.network.input_spec, pipeline.network.device)
    found["of that, preparing the input"] = 1e3 * (time.perf_counter() - start)
    judged = [name for name in found if name not in ("network", "of that, preparing the input", "pictures for people")]
    found["all but the network and pictures"] = sum(found[name] for name in judged)
    return found


def run(sizes: Sequence[Size], grid: str, repeat: int) -> Table:
    """The table for one grid."""
    pipeline = TrustPipeline.load(PipelineSettings(device="cpu", grid=grid))
    scene = next(iter(SyntheticSource((1080, 1440)))).image
    images = [cv2.resize(scene, size[::-1], interpolation=cv2.INTER_AREA) for size in sizes]
    pipeline.warm_up(sizes[0])
    times: list[list[dict[str, float]]] = [[] for _ in sizes]
    for n in range(repeat + 2):
        for place, image in enumerate(images):
            found = frame_ms(pipeline, image)
            if n >= 2:
                times[place].append(found)
    table = Table(title=f"grid {grid}, {repeat} frames by turns: median (least) ms, and the ratio to the first size")
    table.add_column("step")
    for size in sizes:
        table.add_column(f"{size[1]}x{size[0]}", justify="right")
    for name in times[0][0]:
        cells, first = [], 0.0
        for own in times:
            values = [found[name] for found in own]
            middle, least = statistics.median(values), min(values)
            first = first or least
            cells.append(f"{middle:.2f} ({least:.2f}) {least / first:.2f}x")
        table.add_row(name, *cells)
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["480x360", "1920x1080"], help="WIDTHxHEIGHT")
    parser.add_argument("--grids", nargs="+", default=["fitted", "image"])
    parser.add_argument("--repeat", type=int, default=60)
    options = parser.parse_args(arguments)
    sizes = [(int(height), int(width)) for width, height in (text.split("x") for text in options.sizes)]
    for grid in options.grids:
        Console(width=140).print(run(sizes, grid, options.repeat))


if __name__ == "__main__":
    main()
