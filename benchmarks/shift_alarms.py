"""False alarms and detections of the shift monitor on drives whose frames hang together: the tables of
docs/methods/thresholds.md. ``python benchmarks/shift_alarms.py`` takes eight minutes.

Frame means come once a second and are those of a Gaussian process with an exponential autocorrelation, or the same
with each value mapped to Student's t with three degrees of freedom. "One clip": the reference is a drive of the same
kind, one image a second; "independent": its images are independent draws.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.signal import lfilter
from scipy.special import ndtr, stdtrit

from trust_seg_ros.thresholds.shift import ShiftMonitor, ShiftSettings
from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference

TIMES_S = (0, 1, 5, 10, 30, 60)
"""Correlation times."""
LENGTHS = (50, 100, 200, 500, 1000)
"""Images of the reference."""
SHIFTS = (2.0, 3.0, 4.0, 6.0, 8.0)
"""In standard deviations of the frame mean."""


@dataclass(frozen=True)
class Case:
    """What is simulated.

    Attributes:
        tau_s: correlation time of the drive in seconds.
        images: number of images of the reference.
        clip: whether they are one drive, too, or independent.
        heavy: whether frame means are Student's with three degrees of freedom, or Gaussian.
        noise: share of the variance that is independent from frame to frame.
    """

    tau_s: float
    images: int = 200
    clip: bool = True
    heavy: bool = False
    noise: float = 0.0

    def drive(self, rng: np.random.Generator, seconds: int, tau_s: float | None = None) -> np.ndarray:
        """(seconds,) frame means with the median 0."""
        tau_s = self.tau_s if tau_s is None else tau_s
        rho = math.exp(-1.0 / tau_s) if tau_s else 0.0
        step = rng.standard_normal(seconds)
        step[1:] *= math.sqrt(1 - rho * rho)
        slow, loose = lfilter([1.0], [1.0, -rho], step), rng.standard_normal(seconds)
        means = math.sqrt(1 - self.noise) * slow + math.sqrt(self.noise) * loose
        return stdtrit(3, ndtr(means)) if self.heavy else means

    def reference(self, rng: np.random.Generator) -> ShiftReference | None:
        """A new one; None if it counts for too few independent images, so that there is no monitor."""
        try:
            return ShiftReference(self.drive(rng, self.images, self.tau_s if self.clip else 0.0))
        except ShiftError:
            return None


def alarms(rng: np.random.Generator, case: Case, hours: int, settings: ShiftSettings) -> tuple[float, float]:
    """False alarms per hour, and the share of full windows with p below the level; a new reference every hour."""
    starts, below = 0, 0
    for _ in range(hours):
        reference, means = case.reference(rng), case.drive(rng, 3600)
        if reference is None:
            continue
        monitor, fired = ShiftMonitor({"score": reference}, settings), False
        for second, mean in enumerate(means):
            state = monitor.update("score", float(mean), float(second))
            starts, fired = starts + (state.fired and not fired), state.fired
            if state.frames == 30 and state.test is not None:
                below += state.test.p_value < settings.level
    return starts / hours, below / hours / (3600 - 29)


def seen(rng: np.random.Generator, case: Case, shift: float, level: float) -> float:
    """Share of single windows of 30 s with p below the level; ten for each of 100 references."""
    found = []
    for _ in range(100):
        reference = case.reference(rng)
        windows = [case.drive(rng, 30) + shift for _ in range(10)]
        found += [reference is not None and reference.compare(w).p_value < level for w in windows]
    return float(np.mean(found))


def alarm_table(title: str, base: Case, rng: np.random.Generator, args: argparse.Namespace) -> Table:
    """Alarms per hour, with the share of windows, by correlation time and number of images."""
    table = Table("correlation time, s", *(f"{images} images" for images in LENGTHS), title=title)
    settings = ShiftSettings(level=args.level)
    for tau_s in TIMES_S:
        cases = [replace(base, tau_s=tau_s, images=images) for images in LENGTHS]
        found = [alarms(rng, case, args.hours, settings) for case in cases]
        table.add_row(f"{tau_s:g}", *(f"{per_hour:.2f} ({share:.2%})" for per_hour, share in found))
    return table


def power_table(rng: np.random.Generator, level: float) -> Table:
    """Windows seen, by kind of reference, correlation time and shift."""
    table = Table("correlation time, s", "reference", *(f"{s:g}" for s in SHIFTS), title="Windows seen, by shift")
    for tau_s in (1, 10, 30):
        for case, name in (
            (Case(tau_s, clip=False), "200 independent images"),
            (Case(tau_s), "one clip of 200 s"),
            (Case(tau_s, 1000), "one clip of 1000 s"),
        ):
            table.add_row(f"{tau_s:g}", name, *(f"{seen(rng, case, shift, level):.0%}" for shift in SHIFTS))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=20, help="of each drive (default: 20)")
    parser.add_argument("--level", type=float, default=0.01, help="default: 0.01")
    parser.add_argument("--noise", type=float, default=0.0, help="share of independent variance (default: 0)")
    parser.add_argument("--power-only", action="store_true", help="only the table of detections")
    args = parser.parse_args()
    console, rng = Console(width=140), np.random.default_rng(0)
    for title, heavy in (("Alarms per hour (share of windows), reference: one clip", False), ("Heavy tails", True)):
        base = Case(0, heavy=heavy, noise=args.noise)
        if not args.power_only:
            console.print(alarm_table(title, base, rng, args))
    console.print(power_table(rng, args.level))


if __name__ == "__main__":
    main()
