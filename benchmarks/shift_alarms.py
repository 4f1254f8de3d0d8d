"""False alarms and detections of the shift monitor on drives whose frames hang together: the tables of
docs/methods/thresholds.md. ``python benchmarks/shift_alarms.py`` takes a minute or two.

Frame means are Gaussian, one a second, with an exponential autocorrelation; "half noise": half of their variance is
independent from frame to frame.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.signal import lfilter

from trust_seg_ros.thresholds.shift import ShiftMonitor, ShiftSettings
from trust_seg_ros.thresholds.shift_statistic import ShiftReference

DRIVES = ((0, 0.0), (1, 0.0), (5, 0.0), (10, 0.0), (30, 0.0), (100, 0.0), (100, 0.5), (1000, 0.0))
"""Correlation time in seconds, share of independent noise."""
SHIFTS = (1.5, 2.0, 3.0, 4.0, 6.0)


def drive(rng: np.random.Generator, seconds: int, tau_s: float, noise: float) -> np.ndarray:
    """(seconds,) standard normal frame means."""
    rho = math.exp(-1.0 / tau_s) if tau_s else 0.0
    step = rng.standard_normal(seconds)
    step[1:] *= math.sqrt(1 - rho * rho)
    return math.sqrt(1 - noise) * lfilter([1.0], [1.0, -rho], step) + math.sqrt(noise) * rng.standard_normal(seconds)


def alarms(
    rng: np.random.Generator, tau_s: float, noise: float, args: argparse.Namespace, c: int
) -> tuple[float, float]:
    """False alarms per hour, and the share of all windows with p below the level; two hours for each reference."""
    settings = ShiftSettings(level=args.level, independent=c)
    starts, below, windows = 0, 0, 0
    for _ in range(max(1, args.hours // 2)):
        monitor = ShiftMonitor({"score": ShiftReference(rng.standard_normal(args.images))}, settings)
        fired = False
        for second, mean in enumerate(drive(rng, 7200, tau_s, noise)):
            state = monitor.update("score", float(mean), float(second))
            starts, fired = starts + (state.fired and not fired), state.fired
            if state.frames == 30 and state.test is not None:
                windows, below = windows + 1, below + (state.test.p_value < args.level)
    return starts / max(1, args.hours // 2) / 2, below / windows


def seen(rng: np.random.Generator, tau_s: float, shift: float, args: argparse.Namespace) -> float:
    """Share of single windows of 30 s with p below the level; ten for each reference."""
    found = []
    for _ in range(100):
        reference = ShiftReference(rng.standard_normal(args.images))
        for _ in range(10):
            found.append(reference.compare(drive(rng, 30, tau_s, 0.0) + shift).p_value < args.level)
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=40, help="of each drive (default: 40)")
    parser.add_argument("--images", type=int, default=200, help="of the reference (default: 200)")
    parser.add_argument("--level", type=float, default=0.01, help="default: 0.01")
    args = parser.parse_args()
    console, rng = Console(width=120), np.random.default_rng(0)
    for c in (5, 30):
        table = Table("correlation time, s", "alarms per hour", "windows", title=f"False alarms, independent = {c}")
        for tau_s, noise in DRIVES:
            per_hour, share = alarms(rng, tau_s, noise, args, c)
            table.add_row(f"{tau_s:g}{', half noise' if noise else ''}", f"{per_hour:.2f}", f"{share:.2%}")
        console.print(table)
    table = Table("correlation time, s", *(f"{shift:g}" for shift in SHIFTS), title="Windows seen, by shift in std")
    for tau_s in (0, 1, 10, 30, 100):
        table.add_row(f"{tau_s:g}", *(f"{seen(rng, tau_s, shift, args):.0%}" for shift in SHIFTS))
    console.print(table)


if __name__ == "__main__":
    main()
