"""Maps, labelling and sums on the device: equal to the CPU's on random class maps, and the same bits in two runs.

    python benchmarks/gpu_day/equality.py [--count 1000] [--keep FILE] [--minutes M] [--rehearse]

Ids, boxes, sizes and numbers of neighbours are exact; sums of maps and of class probabilities are within ``UNIT`` of a
map's largest value, for every pixel that was added. With ``--keep`` one line is written for every map, and a run that
was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT), str(ROOT / "test" / "helpers")]

import numpy as np  # noqa: E402 - the checkout is found only once it is on the path

UNIT = 2.0**-20
"""Most that a pixel adds wrongly to a sum, as a share of the largest value that a map can have: eight roundings of a
float32 below 1."""
CLOSE = 1e-5
"""Most that a pixel's entropy, margin and variation ratio may differ."""
SEED = 19
INTERPRETED = 60
"""Rows of programs times classes up to which the interpreter has the time to add up class probabilities."""


class NoClasses:
    """Stands in for the class probabilities of a map whose classes are too few, or too many, for a network."""

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes

    def add(self, band: Any, out: np.ndarray) -> None:
        """Nothing to add."""


def differences(classes: np.ndarray, seed: int, device: str) -> list[str]:
    """What the device says otherwise than the CPU of a class map (H, W) uint8; [] = nothing."""
    import torch

    from trust_seg_ros.segments.labelling import find_components
    from trust_seg_ros.segments.labelling_gpu import device_components
    from trust_seg_ros.segments.probabilities import LogitSource
    from trust_seg_ros.segments.sums import CLASSES, NEIGHBOURS, sum_segments
    from trust_seg_ros.segments.sums_gpu import TILE, device_sums
    from trust_seg_ros.types import LogitMaps
    from trust_seg_ros.uncertainty.logits import MAX_CLASSES, MIN_CLASSES
    from trust_seg_ros.uncertainty.maps_gpu import device_maps

    rng = np.random.default_rng(seed)
    known = classes[classes != 255]
    q = int(known.max()) + 1 if known.size else MIN_CLASSES
    height, width = classes.shape
    low = (-(-height // 4), -(-width // 4))
    wide = device == "cpu" and low[0] * -(-width // 32) > 12  # interpreted: few programs
    cheap = device != "cpu" or low[0] * -(-width // 128) * q <= INTERPRETED
    logits = torch.from_numpy(rng.normal(0, 3, (q, *low)).astype(np.float32))
    answer = LogitMaps(logits.to(device), (height, width)) if MIN_CLASSES <= q <= MAX_CLASSES and cheap else None
    planes = {name: rng.random(classes.shape, np.float32) for name in ("E", "D", "energy")}
    planes["energy"] *= np.float32(-(10.0 ** rng.integers(-3, 4)))
    named = classes if seed % 2 else np.minimum(rng.integers(0, q + 1, classes.shape), q - 1).astype(np.uint8)

    usual = find_components(classes)
    source = NoClasses(q) if answer is None else LogitSource(LogitMaps(logits, (height, width)))
    wanted = sum_segments(usual, planes, source, named, {NEIGHBOURS} | ({CLASSES} if answer else set()))
    on_device = {name: torch.from_numpy(plane).to(device) for name, plane in planes.items()}
    runs = []
    for _ in range(1 if wide else 2):
        found = device_components(
            torch.from_numpy(classes).to(device), **({"tile": (64, 512), "block": 1 << 15} if wide else {})
        )
        log_sum = device_maps(answer).log_sum if answer else None
        runs.append(
            device_sums(
                found, on_device, named=torch.from_numpy(named).to(device), answer=answer, log_sum=log_sum,
                neighbours=True, n_classes=q, capacity=max(len(usual), 1), tile=(256, 512) if wide else TILE,
            )
        )  # fmt: skip
    wrong = _maps(answer) if answer else []
    wrong += [] if _bits(runs[0]) == _bits(runs[-1]) else ["two runs differ in bits"]
    if not np.array_equal(found.ids.cpu().numpy(), usual.ids):
        return [*wrong, "ids"]
    return wrong + _sums(runs[0], usual, wanted, planes)


def _maps(answer: Any) -> list[str]:
    """Names of the maps that are not those of the CPU; of classes that are as likely either may be named."""
    from trust_seg_ros.uncertainty import uncertainty_maps
    from trust_seg_ros.uncertainty.maps_gpu import device_maps

    own, usual = device_maps(answer), uncertainty_maps(replace(answer, logits=answer.logits.cpu()))
    names = ("entropy", "margin", "variation_ratio")
    wrong = [n for n in names if float((getattr(own, n).cpu() - getattr(usual, n)).abs().max()) > CLOSE]
    differ = (own.classes.cpu() != usual.classes) & (usual.margin < 1 - CLOSE)
    return wrong + ["classes"] * bool(differ.any())


def _bits(sums: Any) -> list[bytes]:
    tensors = [sums.count, sums.outlines, sums.places, *sums.maps.values(), sums.cprob, sums.ndist]
    return [tensor.cpu().numpy().tobytes() for tensor in tensors if tensor is not None]


def _sums(sums: Any, usual: Any, wanted: Any, planes: dict[str, np.ndarray]) -> list[str]:
    """Names of the sums that are not those of the CPU."""
    from trust_seg_ros.segments.features import MAP_FIELDS

    n = len(usual)
    if int(sums.count.cpu()[0]) != n:
        return ["count"]
    outlines, own = sums.host(n)
    exact = {
        "outlines": (outlines, np.column_stack([usual.class_ids, usual.boxes, usual.sizes])),
        "sizes": (own.sizes, wanted.sizes),
        "neighbours": (own.ndist, wanted.ndist),
    }
    wrong = [name for name, (a, b) in exact.items() if not np.array_equal(a, b)]
    pixels = usual.sizes[:, None]
    for name, plane in planes.items():
        largest = 1.0 if name in MAP_FIELDS else float(np.abs(plane).max())
        most = UNIT * pixels * largest * np.array([1.0, 1.0, largest, largest])
        if not (np.abs(own.maps[name] - wanted.maps[name]) <= most).all():
            wrong.append(f"sums of {name}")
    if wanted.cprob is not None and not (np.abs(own.cprob - wanted.cprob) <= UNIT * pixels).all():
        wrong.append("sums of class probabilities")
    return wrong


def equality(
    rehearse: bool, seconds: float, count: int | None = None, keep: Path | None = None
) -> Iterator[tuple[str, Any]]:
    """The step of the day with a GPU; maps that ``keep`` has a line of are not done again."""
    from class_maps import random_maps

    device, count, end = "cpu" if rehearse else "cuda", count or (6 if rehearse else 1000), time.monotonic() + seconds
    lines = keep.read_text().splitlines() if keep and keep.exists() else []
    found: dict[int, list[str]] = dict(map(json.loads, lines))
    for k, classes in enumerate(random_maps(SEED, count)):
        if time.monotonic() > end:
            break
        if k not in found:
            found[k] = differences(np.array(classes), k, device)  # a copy, as turned ones have negative strides
            if keep:
                with keep.open("a") as file:
                    file.write(json.dumps([k, found[k]]) + "\n")
        yield "maps compared", len(found)
    wrong = [f"map {k}: {', '.join(names)}" for k, names in found.items() if names]
    yield "maps that differ", len(wrong)
    yield "failed", wrong[:20] or [f"{len(found)} of {count} maps were compared in time"] * (len(found) < count)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="maps (default: 1000)")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="a line for every map; maps in it are not done again")
    parser.add_argument("--minutes", type=float, default=600, help="end after so many")
    parser.add_argument("--rehearse", action="store_true", help="in Triton's interpreter on the CPU")
    args = parser.parse_args()
    if args.rehearse:
        os.environ["TRITON_INTERPRET"] = "1"
    results = dict(equality(args.rehearse, 60 * args.minutes, args.count, args.keep))
    print(results)
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
