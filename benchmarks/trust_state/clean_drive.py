"""A clean drive must never leave NOMINAL: an hour of it by the rules alone, and some minutes on the real node.

    python benchmarks/trust_state/clean_drive.py [--seconds 3600] [--node 45] [--write]

By the rules: frames of the synthetic drive (144×192, 2 a second, six weathers in turn, a new seed every five minutes)
go through the checks of stamps and images and the rules of the trust state by a clock that is set; a frame takes 57 ms
in the mean, drawn, one in a hundred 80 ms longer. The network and the shift monitor are not run.
``--node``: seconds on the real node with the shipped network, calibration and defaults, in each weather, at 10 Hz.
``--write``: docs/results/planner/clean_drive.csv, where rows of what was not run now stay. An hour by the rules takes
two minutes of an idle core.
"""

# ruff: noqa: E402 - the tests' helpers are found only once their folder is on the path

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections import Counter
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "helpers"))
os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

import numpy as np
from ride import Ride

from trust_seg_ros.node.frame_checks import FrameChecks
from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.node.trust_state_look import NodeNow, TrustLook
from trust_seg_ros.synthetic.drive import SyntheticDrive
from trust_seg_ros.synthetic.settings import WEATHERS, DriveSettings

OUT = ROOT / "docs" / "results" / "planner" / "clean_drive.csv"
RATE, LOOKS = 2, 12
"""Frames a second, and looks at the state for each."""
CHANGE_S = 300
SIZE = (144, 192)
STARTS_S = 2.0


class Hour:
    """The rules by a clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.statistics = Statistics(lambda: self.now)
        self.checks = FrameChecks(self.statistics, self._notice, {})
        self.look = TrustLook(self.statistics)
        self.settings = settings_from({})
        self.found: Counter[str] = Counter()
        self._rng, self._open = np.random.default_rng(0), self.now

    def frame(self, image: np.ndarray) -> None:
        """One frame from its arrival to the next one."""
        begin, stamp_s = self.now, 5e8 + self.now
        self.now += float(self._rng.gamma(2.0, 0.002))  # the transport
        self.statistics.arrived(0)
        self.checks.stamp(round(1e9 * stamp_s), round(1e9 * (5e8 + self.now)))
        self.checks.image(image, self.settings.liveness.frozen_s, self.settings.trust_state)
        took = 0.045 + float(self._rng.gamma(2.0, 0.006)) + (0.08 if self._rng.random() < 0.01 else 0.0)
        taken = self.now
        self.now += took
        self.statistics.finished(1e3 * took, 1e3 * (self.now - begin), {}, round(1e9 * stamp_s))
        self.statistics.let_go(taken)
        for k in range(LOOKS):
            self.now = max(self.now, begin + (k + 1) / (RATE * LOOKS))
            node = NodeNow(self.settings, "active", True, open_s=self.now - self._open, clock_s=5e8 + self.now)
            state, _ = self.look.look(node)
            if self.now - self._open > STARTS_S:
                self.found[state.level.name] += 1
                self.found.update(state.reasons)

    def _notice(self, kind: str, text: str) -> None:
        if text:
            self.statistics.count(kind, text)


def by_rules(seconds: int) -> list[list[object]]:
    """Rows: weather, what, seconds, looks, looks that were not NOMINAL, reasons."""
    rows: list[list[object]] = []
    hour = Hour()
    for part in range(-(-seconds // CHANGE_S)):
        weather, hour.found = WEATHERS[part % len(WEATHERS)], Counter()
        drive = SyntheticDrive(DriveSettings(size=SIZE, seed=100 + part, weather=weather, fps=float(RATE)))
        for index in range(RATE * min(CHANGE_S, seconds - part * CHANGE_S)):
            hour.frame(drive.frame(index).image)
        rows.append(row("rules", weather, 100 + part, min(CHANGE_S, seconds - part * CHANGE_S), hour.found))
        print(*rows[-1], sep="\t", flush=True)
    return rows


def on_node(seconds: float, model: str) -> list[list[object]]:
    """The same rows for the real node."""
    rows: list[list[object]] = []
    for weather, number in zip(WEATHERS, count()):
        with Ride({"model": model, "warm_up.width": 320, "warm_up.height": 240}, weather, 150) as ride:
            ride.well(0.0)
            first = len(ride.heard)
            ride.run(seconds)
            found: Counter[str] = Counter()
            for heard in ride.heard[first:]:
                found[heard.values["state"]] += 1
                found.update(heard.reasons)
            gap = max(b.at - a.at for a, b in zip(ride.heard[first:-1], ride.heard[first + 1 :], strict=True))
            said = next((h.values["shifted"] for h in ride.heard[first:] if h.values["shifted"]), "")
        rows.append(row(f"node, {model}", weather, number, round(seconds), found))
        print(*rows[-1], f"longest silence {gap:.2f} s", said, sep="\t", flush=True)
    return rows


def row(how: str, weather: str, seed: int, seconds: int, found: Counter[str]) -> list[object]:
    """One row of the table."""
    levels = {name: found.pop(name, 0) for name in ("NOMINAL", "DEGRADED", "UNTRUSTED")}
    reasons = " ".join(f"{key}:{number}" for key, number in found.most_common())
    return [how, weather, seed, seconds, *levels.values(), reasons]


def write(rows: list[list[object]]) -> None:
    """Put the rows into the file; those of what was not run now stay."""
    kept: list[list[object]] = []
    if OUT.is_file():
        with OUT.open(newline="") as file:
            kept = [list(line) for line in csv.reader(file)][1:]
    now = {line[0] for line in rows}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with OUT.open("w", newline="") as file:
        head = ["how", "weather", "seed", "seconds", "NOMINAL", "DEGRADED", "UNTRUSTED", "reasons"]
        lines = sorted([*(line for line in kept if line[0] not in now), *rows], key=lambda line: str(line[0]))
        csv.writer(file, lineterminator="\n").writerows([head, *lines])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3600, help="of drive by the rules; 0: none")
    parser.add_argument("--node", type=float, default=0.0, help="seconds on the node in each weather; 0: none")
    parser.add_argument("--model", default="embedded", help="network of the node; moody_networks:moody costs nothing")
    parser.add_argument("--write", action="store_true", help=f"write {OUT.relative_to(ROOT)}")
    options = parser.parse_args()
    rows = by_rules(options.seconds) if options.seconds else []
    rows += on_node(options.node, options.model) if options.node else []
    if options.write:
        write(rows)
    return 1 if any(line[5] or line[6] for line in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
