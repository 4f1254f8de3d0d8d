"""How long a network takes on each library: measured once on a machine, and kept beside its graph."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Collection, Mapping
from importlib import metadata
from pathlib import Path

import torch

from trust_seg_ros.segmentation.graphs.placed import Place
from trust_seg_ros.support.resumable import whole_file

_LIBRARIES = ("torch", "onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "openvino")


def kept_times(file: Path | None, names: Collection[str], place: Place) -> dict[str, float]:
    """Milliseconds of each library, as :func:`keep_times` wrote them.

    Args:
        file: where they are; None = nothing is kept.
        names: the libraries that there is a choice of.
        place: what the network runs on.

    Returns:
        Name -> milliseconds; {} where they must be measured: nothing is kept, the file is damaged, or a library, its
        version, the number of threads or the machine is another.
    """
    if file is None or not file.is_file():
        return {}
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        times = {str(name): float(value) for name, value in said["times"].items()}
        fits = said["machine"] == _machine(place) and set(times) == set(names)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
    return times if fits and all(0 < value < math.inf for value in times.values()) else {}


def keep_times(file: Path | None, times: Mapping[str, float], place: Place) -> None:
    """Write the milliseconds of each library, completely or not at all; nothing where ``file`` is None."""
    if file is None:
        return
    text = json.dumps({"machine": _machine(place), "times": dict(times)}, indent=1)
    with whole_file(file, file.with_name(f"{file.name}.{os.getpid()}")) as draft:
        draft.write_text(text, encoding="utf-8")


def _machine(place: Place) -> dict[str, str | int]:
    """What the times depend on."""
    device = place.device
    versions: dict[str, str | int] = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    here: dict[str, str | int] = {"processor": _processor(), "cores": os.cpu_count() or 1, "device": str(device)}
    here["providers"] = ",".join(place.providers)
    if device.type == "cuda":
        here["gpu"] = torch.cuda.get_device_name(device)
    return {**versions, **here, "threads": torch.get_num_threads()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(named, "") or platform.processor() or platform.machine()
