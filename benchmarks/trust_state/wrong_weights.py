"""Which wrong weights the trust state's fast gate sees, and how often it is wrong about the right ones.

    python benchmarks/trust_state/wrong_weights.py [--write]

The shipped network on pictures that neither its calibration nor the gate's limits were made with: photos of obstacles
on roads, videos of DAVIS, every fourth picture of a motorway film, other seeds of the synthetic drive in all weathers;
then with its weights spoilt. Counts of implausible frames into docs/results/planner/wrong_weights.csv. Five minutes.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np
import torch
from image_checks import DATA, OUT, Picture, film, folder, synthetic

from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.trust_state.plausible import implausible
from trust_seg_ros.types import Frame, Wanted

TABLE = OUT.with_name("wrong_weights.csv")
Weights = dict[str, torch.Tensor]


def clean() -> Iterable[Picture]:
    """Pictures of every source."""
    yield from folder("obstacles on roads", "roadanomaly_open/images/*")
    yield from folder("DAVIS", "objects_davis/images/**/*.jpg", every=3)
    yield from islice(film("motorway film", DATA / "video" / "solidWhiteRight.mp4"), 0, None, 4)
    yield from synthetic(range(30, 34), (0, 60, 120))


def random_like(_: str, w: torch.Tensor) -> torch.Tensor:
    """Convolutions drawn anew, as spread as they were."""
    return torch.randn_like(w) * w.std() if w.dim() == 4 else w


def untrained(_: str, w: torch.Tensor) -> torch.Tensor:
    """Convolutions as before training (He et al. 2015)."""
    return torch.randn_like(w) * (2 / w[0].numel()) ** 0.5 if w.dim() == 4 else w


def fresh_statistics(name: str, w: torch.Tensor) -> torch.Tensor:
    """Batch statistics as before training."""
    if "running_var" in name:
        return torch.ones_like(w)
    return torch.zeros_like(w) if "running_mean" in name else w


def zero_head(name: str, w: torch.Tensor) -> torch.Tensor:
    """A last layer of zeros."""
    return torch.zeros_like(w) if name.startswith("classifier") else w


def other_order(name: str, w: torch.Tensor) -> torch.Tensor:
    """Classes in another order."""
    return w.roll(1, 0) if name.startswith("classifier") else w


def mixed_layer(last: str) -> Callable[[str, torch.Tensor], torch.Tensor]:
    """The outputs of one layer in another order."""
    return lambda name, w: w[torch.randperm(len(w))] if name == last else w


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    options = parser.parse_args()
    pipeline = TrustPipeline.load()
    module = next(part for part in vars(pipeline.network).values() if isinstance(part, torch.nn.Module))
    good: Weights = {name: w.clone() for name, w in module.state_dict().items()}
    images = list(clean())
    rows: list[list[object]] = []

    def see(kind: str, pictures: list[Picture]) -> None:
        by_source: dict[str, list[bool]] = {}
        for source, image in pictures:
            pipeline.start_anew()
            watched = pipeline(Frame(image, 10**9), None, Wanted(False, False, False)).watched
            by_source.setdefault(source if kind == "right" else "all", []).append(
                bool(implausible(watched, pipeline.shift_references))
            )
        for source, found in by_source.items():
            rows.append([kind, source, len(found), int(np.sum(found))])
            print(*rows[-1], sep="\t", flush=True)

    see("right", images)
    late = [name for name, w in good.items() if w.dim() == 4][-2]
    spoilt = {
        "drawn anew": random_like,
        "untrained": untrained,
        "zeros in the last layer": zero_head,
        "batch statistics reset": fresh_statistics,
        "one late layer mixed up": mixed_layer(late),
        "classes in another order": other_order,
    }
    for kind, change in spoilt.items():
        torch.manual_seed(0)
        module.load_state_dict({name: change(name, w.clone()) for name, w in good.items()})
        see(kind, images[::6])
    if options.write:
        with TABLE.open("w", newline="") as file:
            head = ["weights", "pictures", "number", "implausible"]
            csv.writer(file, lineterminator="\n").writerows([head, *rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
