"""The shift monitor measured: the tables of docs/results/time/shift.md.

``level``: false alarms in 24 hours of simulated drives at 10 Hz whose frames hang together, with a clip as reference.
``collect``: runs networks over clean and corrupted drives once and keeps the statistics of every frame in a folder.
``power``: seconds to the alarm on these, beside the monitor of before (a test of the entropy in windows of 30 s).
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.signal import lfilter
from scipy.special import ndtr, stdtrit

from trust_seg_ros.thresholds.frame_statistics import STATISTICS, Watched, frame_statistics
from trust_seg_ros.thresholds.shift import ShiftMonitor, ShiftSettings
from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference

RATE = 10.0
"""Frames per second of simulated and synthetic drives."""
PARTS = 4
"""Statistics of a simulated drive."""
FAMILIES = ("over_exposure", "motion_blur", "night", "fog", "rain", "defocus", "low_contrast")
SEVERITIES = dict.fromkeys(FAMILIES, (3, 5)) | {"motion_blur": (3, 4, 5)}
CONDITIONS = ("clean", *(f"{family}:{s}" for family in FAMILIES for s in SEVERITIES[family]))


@dataclass(frozen=True)
class Kind:
    """A simulated drive.

    Attributes:
        tau_s: correlation time in seconds.
        heavy: Student's t with three degrees of freedom instead of Gaussian.
        scene_s: mean length of scenes whose level jumps; 0 = none. They have half of the variance.
    """

    tau_s: float
    heavy: bool = False
    scene_s: float = 0.0

    def __str__(self) -> str:
        parts = (f"{self.tau_s:g} s", "heavy tails" * self.heavy, f"scenes of {self.scene_s:g} s" * bool(self.scene_s))
        return ", ".join(part for part in parts if part)

    def drive(self, rng: np.random.Generator, frames: int, rate: float = RATE) -> np.ndarray:
        """(frames,) of one statistic."""
        rho = math.exp(-1.0 / (rate * self.tau_s)) if self.tau_s else 0.0
        steps = rng.standard_normal(frames)
        steps[1:] *= math.sqrt(1 - rho * rho)
        found = lfilter([1.0], [1.0, -rho], steps)
        if self.scene_s:
            scene = np.cumsum(rng.random(frames) < 1.0 / (rate * self.scene_s))
            found = (found + rng.standard_normal(scene[-1] + 1)[scene]) / math.sqrt(2.0)
        return stdtrit(3, ndtr(found)) if self.heavy else found


class WindowTest:
    """The monitor of before: a window of the last 30 s of one score, fired after 5 s below the level."""

    def __init__(self, reference: ShiftReference, level: float = 0.01) -> None:
        self._reference, self._level = reference, level
        self._frames: deque[tuple[float, float]] = deque()
        self.fired, self._against = False, -1.0

    def update(self, value: float, stamp_s: float) -> bool:
        """Whether it has fired, after a frame."""
        self._frames.append((stamp_s, value))
        while self._frames[0][0] <= stamp_s - 30.0:
            self._frames.popleft()
        if len(self._frames) < 10:
            return self.fired
        unlike = self._reference.compare(np.array([v for _, v in self._frames])).p_value < self._level
        if unlike == self.fired:
            self._against = -1.0
        elif self._against < 0.0:
            self._against = stamp_s
        elif stamp_s - self._against >= 5.0:
            self.fired, self._against = unlike, -1.0
        return self.fired


def references(values: dict[str, np.ndarray]) -> dict[str, ShiftReference]:
    """References of those that can be one."""
    found = {}
    for name, numbers in values.items():
        with contextlib.suppress(ShiftError):
            found[name] = ShiftReference.from_means(numbers)
    return found


def false_alarms(rng: np.random.Generator, kind: Kind, clip: tuple[int, float], hours: int) -> tuple[int, float, int]:
    """Alarms, share of the time with one, and frames; a new clip, one of (frames, rate), as reference every hour."""
    alarms, under, frames = 0, 0, 0
    for _ in range(hours):
        known = references({f"part {k}": kind.drive(rng, *clip) for k in range(PARTS)})
        monitor, fired, hour = ShiftMonitor(known), False, int(3600 * RATE)
        drive = {name: kind.drive(rng, hour) for name in known}
        for k in range(hour if known else 0):
            state = monitor.update({name: values[k] for name, values in drive.items()}, k / RATE)
            alarms, fired = alarms + (state.fired and not fired), state.fired
            under += fired
        frames += hour
    return alarms, under / frames, frames


def level_table(rng: np.random.Generator, hours: int) -> Table:
    """False alarms in 24 hours, by kind of drive and clip."""
    clips = {"60 s at 10 Hz": (600, RATE), "200 s at 1 Hz": (200, 1.0), "1000 s at 1 Hz": (1000, 1.0)}
    table = Table("correlation time", *clips, title=f"False alarms in 24 h ({hours} h each; % of the time)")
    kinds = [Kind(tau) for tau in (0.0, 1.0, 5.0, 10.0, 30.0)]
    for kind in (*kinds, Kind(1.0, scene_s=20.0), Kind(1.0, heavy=True), Kind(10.0, heavy=True)):
        found = [false_alarms(rng, kind, clip, hours) for clip in clips.values()]
        table.add_row(str(kind), *(f"{24 * alarms / hours:.2f} ({under:.2%})" for alarms, under, _ in found))
        print(str(kind), found, file=sys.stderr, flush=True)  # each row takes minutes
    return table


def corrupted(image: np.ndarray, condition: str, name: str) -> np.ndarray:
    """The image under a condition, "clean" or FAMILY:SEVERITY."""
    from trust_seg_ros.datasets.corruptions.apply import corrupt

    family, _, severity = condition.partition(":")
    return image if condition == "clean" else corrupt(image, family, int(severity), name=name)


def synthetic(seed: int, frames: int) -> Iterator[tuple[str, float, np.ndarray]]:
    """Name, stamp and image of a drive at 10 Hz."""
    from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive

    drive = SyntheticDrive(DriveSettings(size=(360, 480), seed=seed, fps=RATE))
    for k in range(frames):
        yield str(k), k / RATE, drive.frame(k).image


def camvid(data: Path, split: str) -> Iterator[tuple[str, float, np.ndarray]]:
    """The same of a split; stamps by the numbers of the frames, 30 a second, drives 1000 s apart."""
    import cv2

    drives: dict[str, int] = {}
    for path in sorted((data / split / "images").iterdir()):
        drive, number = path.stem.split("_")
        stamp = 1000.0 * drives.setdefault(drive, len(drives)) + int("".join(filter(str.isdigit, number))) / 30.0
        yield path.stem, stamp, cv2.imread(str(path))[:, :, ::-1]


def collect(args: argparse.Namespace) -> None:
    """Statistics of every frame of a drive under every condition, into the cache."""
    from trust_seg_ros import uncertainty
    from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline

    made_up = args.drive.startswith("synthetic")
    pipeline = TrustPipeline.load(PipelineSettings(model="embedded:synthetic" if made_up else "embedded", threads=1))
    frames = synthetic(int(args.drive[9:]), args.frames) if made_up else camvid(args.data, args.drive)
    rows: dict[str, list[list[float]]] = {condition: [] for condition in CONDITIONS}
    for k, (name, stamp, image) in enumerate(frames):
        for condition in CONDITIONS:
            main = condition in ("clean", "over_exposure:5", "motion_blur:4")
            if made_up and condition != "clean" and (k >= args.shifted or (not main and k % 5)):
                continue  # the others at 2 Hz, to save time
            seen = corrupted(image, condition, name)
            answer = pipeline.infer(seen)
            found = frame_statistics(Watched(seen, answer, uncertainty.uncertainty_maps(answer).host()))
            rows[condition].append([stamp, *found.values()])
        if k % 50 == 49:
            np.savez(args.cache / f"{args.drive}.npz", **{c: np.array(r) for c, r in rows.items() if r})
    np.savez(args.cache / f"{args.drive}.npz", **{c: np.array(r) for c, r in rows.items() if r})


def seconds_to_alarm(reference: np.ndarray, stream: np.ndarray, settings: ShiftSettings) -> tuple[float, float, str]:
    """Seconds until this monitor, and the one of before, fire (NaN: never), and what moved most; rows as collected."""
    known = references(dict(zip(STATISTICS, reference[:, 1:].T, strict=True)))
    monitor, before, what = ShiftMonitor(known, settings), None, ""
    old = references({"entropy": reference[:, 1]}).get("entropy")
    before = None if old is None else WindowTest(old)
    first = [math.nan, math.nan]
    for stamp, *values in stream:
        state = monitor.update(dict(zip(STATISTICS, values, strict=True)), stamp)
        if state.fired and math.isnan(first[0]):
            first[0], what = stamp - stream[0, 0], state.statistic
        if before is not None and before.update(values[0], stamp) and math.isnan(first[1]):
            first[1] = stamp - stream[0, 0]
    return first[0], first[1], what


def power_table(title: str, reference: np.ndarray, streams: dict[str, np.ndarray], settings: ShiftSettings) -> Table:
    """Seconds to the alarm, of this monitor and the one of before, and the statistic that moved most."""
    table = Table("condition", "frames", "seconds", "fires after, s", "by", "before, s", title=title)
    for condition, stream in streams.items():
        now, before, what = seconds_to_alarm(reference, stream, settings)
        span = f"{stream[-1, 0] - stream[0, 0]:.0f}"
        shown = ["never" if math.isnan(value) else f"{value:.1f}" for value in (now, before)]
        table.add_row(condition, str(len(stream)), span, shown[0], what, shown[1])
    return table


def power(args: argparse.Namespace, console: Console) -> None:
    """Tables of all drives in the cache."""
    settings = ShiftSettings(level=args.level)
    for path in sorted(args.cache.glob("*.npz")):
        found = dict(np.load(path).items())
        clean = found["clean"]
        if path.stem.startswith("synthetic"):  # the clip follows the frames that are judged
            end = max(rows[-1, 0] for name, rows in found.items() if name != "clean")
            reference, found["clean"] = clean[clean[:, 0] > end + 1.0], clean[clean[:, 0] <= end]
            if not len(reference):
                raise SystemExit(f"{path}: not collected to the end")
            console.print(power_table(f"{path.stem}, clip of the same drive", reference, found, settings))
            turned = {"clean": reference}
            console.print(power_table(f"{path.stem}, the other way round", found["clean"], turned, settings))
            continue
        last = np.flatnonzero(clean[:, 0] >= 1000.0 * (clean[-1, 0] // 1000.0))  # the last drive
        half = last[len(last) // 2]
        reference, later = clean[last[0] : half], {condition: rows[half:] for condition, rows in found.items()}
        console.print(power_table(f"{path.stem}, first half of the drive as reference", reference, later, settings))
        shuffled = np.column_stack([reference[:, 0], np.sort(reference[:, 1:], axis=0)])
        console.print(power_table(f"{path.stem}, the same, unordered", shuffled, later, settings))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("level", "collect", "power"))
    parser.add_argument("--hours", type=int, default=24, help="level: of each kind of drive (default: %(default)s)")
    parser.add_argument("--level", type=float, default=ShiftSettings.level, help="power: (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("shift_cache"), help="folder (default: %(default)s)")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/camvid"), help="CamVid (default: %(default)s)"
    )
    parser.add_argument("--drive", default="synthetic21", help="collect: syntheticSEED, or a split of CamVid")
    parser.add_argument("--frames", type=int, default=900, help="collect: of a synthetic drive (default: %(default)s)")
    parser.add_argument("--shifted", type=int, default=300, help="collect: of these, first ones that are corrupted")
    args = parser.parse_args()
    console = Console(width=140)
    args.cache.mkdir(parents=True, exist_ok=True)
    if args.what == "collect":
        collect(args)
    elif args.what == "power":
        power(args, console)
    else:
        console.print(level_table(np.random.default_rng(0), args.hours))


if __name__ == "__main__":
    main()
