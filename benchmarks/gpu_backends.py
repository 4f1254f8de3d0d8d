"""The embedded network on every library of a machine with a GPU: agreement with torch on the CPU, and times in turns.

    python benchmarks/gpu_backends.py [--device cuda] [--rounds 100] [--out gpu_backends] [--minutes 8]

Writes OUT.json and OUT.md. What is not installed is left out by name; on a machine without a GPU ``--device cpu``
rehearses it with what runs there. Logits as a share of the largest one, classes and entropy on the film of a motorway
that comes with the package; times of the network with its preprocessing, and of a whole frame.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.exporting.logits import export_logits
from trust_seg_ros.exporting.targets import TARGETS
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.recordings.sources import open_source
from trust_seg_ros.segmentation.graphs.tensorrt_graph import build_engine
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.types import Frame
from trust_seg_ros.uncertainty import uncertainty_maps

FRAMES = 24


@dataclass
class Way:
    """One way to run the network."""

    name: str
    settings: Mapping[str, Any]
    pipeline: TrustPipeline | None = None
    row: dict[str, Any] = field(default_factory=dict)


def main() -> None:
    """Read the command line, measure, write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu for a rehearsal (default: cuda)")
    parser.add_argument("--rounds", type=int, default=100, metavar="N", help="turns of each way (default: 100)")
    parser.add_argument("--out", type=Path, default=Path("gpu_backends"), help="files to write (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=8, help="start nothing after so many (default: 8)")
    args = parser.parse_args()
    end = time.monotonic() + args.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        ways = _ways(args.device, Path(folder))
        images = [frame.image for frame, _ in zip(open_source("motorway"), range(FRAMES), strict=False)]
        reference = TrustPipeline.load(PipelineSettings(device="cpu", half="off"))
        for way in ways:
            _start(way, images[0], end)
        ready = [way for way in ways if way.pipeline is not None]
        for way in ready:
            _agreement(way, reference, images)
        _times(ready, images[0], args.rounds, end)
        _write(args.out, ways, _machine(args.device))


def _ways(device: str, folder: Path) -> list[Way]:
    found = [Way("torch, CPU, float32", {"device": "cpu"})]
    by = ("cpu",) if device == "cpu" else ("cuda", "tensorrt")
    runs = {"torch": {}} | {f"onnxruntime by {one}": {"backend": "onnxruntime", "providers": one} for one in by}
    for name, settings in {**runs, "TensorRT": {"backend": "tensorrt"}}.items():
        for half in ("off",) if device == "cpu" else ("off", "on"):
            precision = {"off": "float32", "on": "half"}[half]
            found.append(Way(f"{name}, {precision}", {"device": device, "half": half, **settings}))
    return [*found, Way("a .engine file", {"device": device, "model": str(folder / "embedded.engine")})]


def _start(way: Way, image: np.ndarray, end: float) -> None:
    """Load a way and run it once, or say why not."""
    begin = time.monotonic()
    if begin > end:
        way.row["left out"] = "no time left"
        return
    try:
        model = Path(way.settings.get("model", ""))
        if model.suffix == ".engine":
            export_logits(NetworkSettings(model="embedded"), model.with_suffix(".onnx"), TARGETS["onnx"])
            build_engine(model.with_suffix(".onnx"), model, device=way.settings["device"])
        way.pipeline = TrustPipeline.load(PipelineSettings(**way.settings))
        way.pipeline.warm_up(image.shape[:2])
    except (TrustSegError, ImportError, OSError) as error:
        way.pipeline, way.row["left out"] = None, " ".join(str(error).split()).partition("; ")[0]
        return
    way.row |= {"start, s": time.monotonic() - begin, "runs by": way.pipeline.network.backend}


def _agreement(way: Way, reference: TrustPipeline, images: list[np.ndarray]) -> None:
    """How far answers are from those of torch on the CPU in float32."""
    same, gap, most = 0.0, 0.0, 0.0
    for image in images:
        own, other = reference.network.infer(image), way.pipeline.network.infer(image)
        gone = (other.logits.float().cpu() - own.logits).abs().max()
        most = max(most, float(gone / own.logits.abs().max()))
        wanted, found = uncertainty_maps(own), uncertainty_maps(other)
        same += float((found.classes.cpu() == wanted.classes).float().mean()) / len(images)
        gap = max(gap, float((found.entropy.cpu() - wanted.entropy).abs().max()))
    way.row |= {"same classes": same, "logits, largest": most, "entropy, largest": gap}


def _times(ways: list[Way], image: np.ndarray, rounds: int, end: float) -> None:
    """Median milliseconds, all ways in turns, each waited for."""
    taken: dict[tuple[int, str], list[float]] = {}
    for turn in range(rounds + 3):
        for k, way in enumerate(ways):
            for part, call in (("network, ms", way.pipeline.network.infer), ("frame, ms", way.pipeline)):
                begin = time.perf_counter()
                call(image if part == "network, ms" else Frame(image))
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                if turn >= 3:  # the first ones allocate
                    taken.setdefault((k, part), []).append(time.perf_counter() - begin)
        if time.monotonic() > end:
            break
    for (k, part), values in taken.items():
        ways[k].row[part] = statistics.median(values) * 1e3


def _machine(device: str) -> dict[str, str]:
    named = torch.cuda.get_device_name(device) if device != "cpu" else platform.processor() or "CPU"
    libraries = ("torch", "onnxruntime", "onnxruntime-gpu", "tensorrt")
    return {"device": named} | {d.name: d.version for d in distributions() if d.name in libraries}


def _write(out: Path, ways: list[Way], machine: dict[str, str]) -> None:
    out.with_suffix(".json").write_text(json.dumps({"machine": machine} | {w.name: w.row for w in ways}, indent=1))
    columns = ["same classes", "logits, largest", "entropy, largest", "network, ms", "frame, ms", "start, s", "runs by"]
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines += ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for way in ways:
        cells = [way.row.get(column, "") for column in columns]
        text = " | ".join(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells)
        lines.append(
            f"| {way.name} | {text} |" if way.pipeline else f"| {way.name} | left out: {way.row['left out']} |"
        )
    out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
