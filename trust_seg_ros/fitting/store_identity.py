"""Checks whether a network is the same as before: by name, classes and input, and by its answers.

Weights can change under the same name, so names are not enough. Two answers are stored and compared: the answer to a
picture of noise (with the network), and the answer to the first image of a split (its rows in the table).

On the machine that gave the first answer they must be the same to the last bit, as they are on a CPU with one thread of
torch. Another processor, a GPU or another torch rounds differently, and a pixel between two classes may change its
class; there the means over all pixels of the maps and of the probabilities must agree to ``TOLERANCE``. Measured on the
embedded network: other convolution routines change the means by 1e-8; a change of 0.01 % in every weight changes the
mean entropy of the noise by 1.6e-3.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from trust_seg_ros.grid import IMAGE, parsed_grid
from trust_seg_ros.segmentation.passes import passes_of
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments.history.window import TimeWindow
from trust_seg_ros.segments.origins import COMPONENTS
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.json_file import portable_name
from trust_seg_ros.support.resumable import changes
from trust_seg_ros.types import Json
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES

TOLERANCE = 1e-3
"""Relative difference of mean answers that is allowed on another machine."""

Answer = dict[str, float]
"""Mean over the pixels of all segments, of the maps E, D, V and of every class's probability."""


@dataclass(frozen=True)
class NetworkIdentity:
    """Identifies a network; plain values, for the manifest.

    Attributes:
        name: portable name, see ``portable_name``.
        class_names: its classes, in order.
        input: its ``InputSpec``.
        answer: its answer to a picture of noise.
        machine: machine that computed the answer; "" = answers are not expected to repeat to the last bit.
        scores: pixel scores whose means over segments are metrics, too.
        sha256: hash of its weights; "" = not known.
        grid: the grid that segments are made on, as in ``trust_seg_ros.grid``.
        features: hash of the statistics that feature scores among ``scores`` compare with; "" = there is none.
        segments_from: what the segments are, see ``segments.origins``.
        time: how far columns over time look back, see ``segments.history``; None = there are none. Frame rates are not
            part of it.
        passes: how often the network looks at an image, which the answer to a small picture need not tell; "" = once.
    """

    name: str
    class_names: tuple[str, ...]
    input: Json
    answer: Answer
    machine: str
    scores: tuple[str, ...] = ()
    sha256: str = ""
    grid: str = IMAGE
    features: str = ""
    segments_from: str = COMPONENTS
    passes: str = ""
    time: TimeWindow | None = None

    @classmethod
    def of(
        cls,
        network: SegmentationNetwork,
        answer: Answer,
        scores: Sequence[str] = (),
        grid: str = IMAGE,
        features: str = "",
        segments_from: str = COMPONENTS,
        time: TimeWindow | None = None,
    ) -> NetworkIdentity:
        """Identity of a loaded network whose answer to the noise, on the grid, is ``answer``."""
        shape = json.loads(json.dumps(asdict(network.input_spec)))  # lists, as when read from a file
        return cls(
            portable_name(network.name),
            tuple(network.labels.names),
            shape,
            answer,
            machine_name(network.device),
            tuple(scores),
            network_sha256(network),
            grid,
            features if set(scores) & set(FEATURE_SCORES) else "",
            segments_from,
            passes_of(network),
            None if time is None else replace(time, rate_hz=(0.0, 0.0)),
        )

    @classmethod
    def from_json(cls, data: Json) -> NetworkIdentity:
        """Read an identity from the manifest; raises KeyError, TypeError or ValueError."""
        return cls(
            str(data["name"]),
            tuple(str(name) for name in data["class_names"]),
            dict(data["input"]),
            {str(name): float(value) for name, value in data["answer"].items()},
            str(data["machine"]),
            tuple(str(name) for name in data.get("scores", ())),
            str(data.get("sha256", "")),
            str(parsed_grid(data.get("grid", IMAGE))),
            str(data.get("features", "")),
            str(data.get("segments_from", COMPONENTS)),
            str(data.get("passes", "")),
            TimeWindow.from_json(data["time"]) if "time" in data else None,
        )

    def to_json(self) -> Json:
        """Values for the manifest; scores, hashes and grid only if there are any, as in tables of earlier versions."""
        without: Json = {"scores": (), "sha256": "", "grid": IMAGE, "features": "", "segments_from": COMPONENTS}
        without |= {"passes": "", "time": None}
        found = {name: value for name, value in asdict(self).items() if name not in without or value != without[name]}
        return {**found, **({} if self.time is None else {"time": self.time.to_json()})}

    def repeats(self, other: NetworkIdentity) -> bool:
        """Whether both were computed on the same machine, where answers are equal to the last bit."""
        return bool(self.machine) and self.machine == other.machine

    def differences(self, now: NetworkIdentity) -> list[str]:
        """Differences to ``now``, in words; empty for the same network."""
        found = []
        if self.name != now.name:
            found.append(f"it is of network {self.name!r}, now it is {now.name!r}")
        if self.class_names != now.class_names:
            found.append(f"its classes are {', '.join(self.class_names)}; now they are {', '.join(now.class_names)}")
        for key, then, this in changes(self.input, now.input):
            found.append(f"the network's input had {key} {then}, now it has {this}")
        if self.scores != now.scores:
            a, b = (", ".join(scores) or "none" for scores in (self.scores, now.scores))
            found.append(f"it has metrics of the scores {a}, wanted now: {b}")
        if self.grid != now.grid:
            found.append(f"its segments are made on the grid {self.grid}, wanted now: {now.grid}")
        if self.segments_from != now.segments_from:
            found.append(f"its segments are {self.segments_from}, wanted now: {now.segments_from}")
        if self.time != now.time:
            then, this = (_looks_back(time) for time in (self.time, now.time))
            found.append(f"its metrics over time look back {then}, wanted now: {this}")
        if self.passes != now.passes:
            then, this = (passes or "once" for passes in (self.passes, now.passes))
            found.append(f"its network looked at an image: {then}; now: {this}")
        if self.features != now.features:
            then, this = (digest or "none" for digest in (self.features, now.features))
            found.append(f"its feature scores are of statistics with sha256 {then}, now they are {this}")
        if self.sha256 and now.sha256 and self.sha256 != now.sha256:
            found.append(f"it is of other weights: sha256 {self.sha256}, now {now.sha256}")
        if not found and not agree(self.answer, now.answer, self.repeats(now)):
            found.append(f"the network {self.name!r} gives another answer than before; its weights have changed")
        return found


def _looks_back(time: TimeWindow | None) -> str:
    return "not at all" if time is None else f"{time.window_s:g} s in {time.length} rows"


def answer_of(sizes: np.ndarray, column: Callable[[str], np.ndarray], classes: int) -> Answer:
    """The answer of a network to one image, computed from its segments.

    Args:
        sizes: (n,) pixels of every segment.
        column: name of a metric -> its values (n,).
        classes: number of classes q.
    """
    total = sizes.sum()
    names = ("E", "D", "V", *(f"cprob_{c}" for c in range(classes)))
    return {name: float((column(name) * sizes).sum() / total) for name in names} if total else {}


def agree(then: Answer, now: Answer, exactly: bool) -> bool:
    """Whether two answers come from the same network, see the top of this file."""
    if exactly or then.keys() != now.keys():
        return then == now
    a, b = (np.array([answer[name] for name in then]) for answer in (then, now))
    return bool(np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE / 10))


def machine_name(device: torch.device) -> str:
    """Processor and versions, on which a network's answers on the CPU depend; "" for a GPU."""
    if device.type != "cpu":
        return ""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    except OSError:  # not Linux
        pass
    return f"{model}, torch {torch.__version__}, numpy {np.__version__}"


def package_version() -> str:
    """Version of this package, "unknown" when it is not installed."""
    try:
        return version("trust_seg_ros")
    except PackageNotFoundError:
        return "unknown"
