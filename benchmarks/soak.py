"""Half an hour of a busy node: does its memory, its threads, its open files or /dev/shm grow?

    python benchmarks/soak.py [--minutes 30] [--rate 20] [--size 160x120] [--out out/soak]

The real node with the embedded network gets small frames from this process over real topics. Meanwhile parameters are
set, listeners come and go, and every now and then the node is deactivated and activated, or cleaned up and configured.
Every five seconds the node is weighed: private and shared memory (Pss, USS), threads, open files, and what it has
in /dev/shm. The table compares the first third after the warm-up with the last third; status 1 if something grew, or if
frames failed. The samples are in soak.csv, the curves in soak.png.
"""

# ruff: noqa: E402 - the tests' helpers are found only once their folder is on the path

from __future__ import annotations

import argparse
import csv
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "helpers"))

import matplotlib
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from ros_bench import Bench, NodeProcess

from trust_seg_ros.recordings.sources import SyntheticSource

matplotlib.use("Agg")
from matplotlib import pyplot as plt

OUTPUTS = ("segmentation", "entropy", "unreliable", "ood", "segments", "overlay")
EVERY_S = 5.0
WARM_UP_S = 120.0
"""Until every branch has been taken once: caches of the kernels, of cuDNN's like, of the middleware."""
ALLOWED = {"uss_mb": 1.02, "threads": 1.0, "files": 1.0, "shm_mb": 1.0}
"""How many times the first third's median the last third's may be."""


@dataclass(frozen=True)
class Sample:
    """The node's weight at one moment."""

    seconds: float
    uss_mb: float
    pss_mb: float
    threads: int
    files: int
    shm_mb: float
    answered: int


def weigh(pid: int, seconds: float, answered: int) -> Sample:
    """Read /proc and /dev/shm."""
    kb: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split()[:2]
        kb[name.rstrip(":")] = int(value)
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    maps = [line.split(maxsplit=5) for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    shared = {Path(line[5]) for line in maps if len(line) == 6 and line[5].startswith("/dev/shm/")}
    shm = sum(path.stat().st_size for path in shared if path.exists())
    return Sample(
        seconds=round(seconds, 1),
        uss_mb=(kb["Private_Clean"] + kb["Private_Dirty"]) / 1024,
        pss_mb=kb["Pss"] / 1024,
        threads=int(status["Threads"]),
        files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        shm_mb=shm / 2**20,
        answered=answered,
    )


class Churn:
    """What a busy stack does to a node besides sending images."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._random = bench, random.Random(0)
        self._extra: list[object] = []
        self.done: dict[str, int] = {"parameters": 0, "listeners": 0, "activations": 0, "configurations": 0}

    def step(self) -> None:
        """One parameter, one listener."""
        draw, bench = self._random, self._bench
        name, value = draw.choice(
            (
                ("thresholds.pixel", round(draw.uniform(0.2, 0.9), 3)),
                ("ood.threshold", round(draw.uniform(0.2, 0.9), 3)),
                ("thresholds.pixel_policy", draw.choice(("fixed", "otsu", "quantile"))),
                ("publish_all_segments", draw.random() < 0.5),
                ("overlay.alpha", round(draw.random(), 2)),
            )
        )
        answer = bench.set(name, value)
        assert answer.successful, f"{name} = {value}: {answer.reason}"
        self.done["parameters"] += 1
        if self._extra and draw.random() < 0.5:
            bench.node.destroy_subscription(self._extra.pop())
        else:
            from sensor_msgs.msg import Image

            topic = draw.choice(("margin", "confidence", "entropy_color", "segment_ids"))
            self._extra.append(bench.node.create_subscription(Image, f"/trust_seg/{topic}", lambda _: None, 1))
        self.done["listeners"] += 1

    def restart(self, whole: bool) -> None:
        """Deactivate and activate; ``whole``: with cleanup and configure between."""
        for label in ("deactivate", *(("cleanup", "configure") if whole else ()), "activate"):
            assert self._bench.change(label), label
        self.done["configurations" if whole else "activations"] += 1


class Camera:
    """Sends the drive's frames at a fixed rate whenever it is asked whether one is due."""

    def __init__(self, bench: Bench, size: tuple[int, int], rate: float) -> None:
        source = SyntheticSource(size)
        self._frames = [np.ascontiguousarray(frame.image) for frame, _ in zip(source, range(40), strict=False)]
        self._bench, self._period = bench, 1 / rate
        self._due = time.monotonic()
        self.sent = 0
        bench.camera()

    def tick(self) -> None:
        """Send what is due; frames that could not be sent in time are left out."""
        now = time.monotonic()
        if now >= self._due:
            stamp = time.time_ns()
            self._bench.send(self._frames[self.sent % len(self._frames)], stamp=divmod(stamp, 10**9))
            self.sent += 1
            self._due = max(self._due + self._period, now)


def soak(
    minutes: float, rate: float, size: tuple[int, int], step: Callable[[float], None]
) -> tuple[list[Sample], dict]:
    """Run it; gives the samples and the counts."""
    node = NodeProcess(model="embedded", meta_model="auto", **{"warm_up.width": size[1], "warm_up.height": size[0]})
    bench, samples, answered = Bench(), [], 0
    try:
        bench.until(lambda: bench.value("model", "lifecycle") == "active", "active")
        bench.listen(*OUTPUTS)
        camera, churn = Camera(bench, size, rate), Churn(bench)
        # services are waited for with the camera running, as in a stack
        spin = bench.executor.spin_once
        bench.executor.spin_once = lambda timeout_sec=0.0: (camera.tick(), spin(timeout_sec=min(timeout_sec, 0.005)))
        started = time.monotonic()
        acts: dict[float, Callable[[], None]] = {
            EVERY_S: lambda: samples.append(weigh(node.process.pid, time.monotonic() - started, answered)),
            1.0: churn.step,
            20.0: lambda: churn.restart(False),
            75.0: lambda: churn.restart(True),
        }
        due = {every: every for every in acts}
        while (seconds := time.monotonic() - started) < minutes * 60:
            bench.executor.spin_once(timeout_sec=0.005)
            for name in OUTPUTS:
                answered += len(bench.received[name]) if name == "segmentation" else 0
                bench.received[name].clear()
            bench.sent.clear()
            for every, act in acts.items():
                if seconds >= due[every]:
                    due[every] = seconds + every
                    act()
            step(seconds)
        counts = {"sent": camera.sent, "answered": answered, **churn.done}
        counts |= {key: int(bench.value("processing", key) or 0) for key in ("failed", "faulty")}
        status, said = node.stop()
        counts |= {"exit status": status, "errors in the log": said.count("[ERROR]")}
        return samples, counts
    finally:
        bench.close()
        node.kill()


def verdict(samples: list[Sample]) -> list[tuple[str, float, float, bool]]:
    """(quantity, median of the first third, of the last third, whether it grew) after the warm-up."""
    warm = [s for s in samples if s.seconds >= min(WARM_UP_S, samples[-1].seconds / 3)]
    third = max(1, len(warm) // 3)
    rows = []
    for name, most in ALLOWED.items():
        first = median(getattr(s, name) for s in warm[:third])
        last = median(getattr(s, name) for s in warm[-third:])
        rows.append((name, first, last, last > first * most))
    return rows


def draw(samples: list[Sample], path: Path) -> None:
    """Curves of everything weighed."""
    figure, axes = plt.subplots(len(ALLOWED), 1, sharex=True, figsize=(8, 8))
    for axis, name in zip(axes, ALLOWED, strict=True):
        axis.plot([s.seconds / 60 for s in samples], [getattr(s, name) for s in samples])
        axis.set_ylabel({"uss_mb": "own memory (MB)", "shm_mb": "/dev/shm (MB)", "files": "open files"}.get(name, name))
        axis.set_ylim(bottom=0)
    axes[-1].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=20.0, help="frames/s (default: 20)")
    parser.add_argument("--size", default="160x120", help="width x height of the frames (default: 160x120)")
    parser.add_argument("--out", type=Path, default=Path("out/soak"))
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with Progress() as bar:
        task = bar.add_task("soaking", total=options.minutes * 60)
        samples, counts = soak(
            options.minutes, options.rate, (height, width), lambda done: bar.update(task, completed=done)
        )
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "soak.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*asdict(samples[0])])
        writer.writeheader()
        writer.writerows(asdict(sample) for sample in samples)
    draw(samples, options.out / "soak.png")
    table = Table("quantity", "first third", "last third", "grew")
    rows = verdict(samples)
    for name, first, last, grew in rows:
        table.add_row(name, f"{first:.1f}", f"{last:.1f}", "yes" if grew else "no")
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name}: {count}" for name, count in counts.items()))
    bad = counts["failed"] + counts["faulty"] + counts["errors in the log"] + counts["exit status"]
    return 1 if bad or any(grew for *_, grew in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
