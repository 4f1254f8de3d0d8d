"""The real node with a camera of 10 Hz: what /diagnostics says of a fault, how soon, and what still comes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from moody_networks import WELL
from ros_bench import Bench, NodeProcess
from sensor_msgs.msg import Image

from trust_seg_ros.node.parameters import BY_NAME

RATE = 10.0
OK, WARN, ERROR = b"\x00", b"\x01", b"\x02"
SHIPPED = {name: BY_NAME[name].default for name in BY_NAME if name.startswith("diagnostics.") or name == "max_age_ms"}
"""What a user has who sets nothing; the tests' node has other defaults."""
_READY_S = 120.0


@dataclass(frozen=True)
class Seen:
    """What one fault led to.

    Attributes:
        says: what the node or the command says of it.
        warn_s: seconds until the first WARN or worse; None: never.
        error_s: seconds until the first ERROR, or until the command had ended; None: never.
        after: what comes out from then on.
        wrong: why this is not what should happen, or "".
    """

    says: str
    warn_s: float | None
    error_s: float | None
    after: str
    wrong: str = ""


class Scene:
    """One node process and its camera, from before the fault until it is closed."""

    def __init__(self, **parameters: object) -> None:
        self.node = NodeProcess(**SHIPPED | {"model": "moody_networks:moody"} | parameters)
        self.bench = Bench()
        self.mood: Callable[[int], int] = lambda _: WELL
        self.sends, self.same, self.stamp_ahead_s = True, False, 0.0
        self.changes: dict[str, object] = {}
        self.diary: list[tuple[float, str, bytes, str]] = []
        self.results: list[float] = []
        self._random, self._frames, self._due = np.random.default_rng(0), 0, 0.0
        self._picture = np.zeros((48, 64, 3), np.uint8)
        self.bench.node.create_subscription(DiagnosticArray, "/diagnostics", self._note, 100)
        self.bench.node.create_subscription(Image, "/trust_seg/segmentation", self._result, 10)
        self.bench.camera()

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        self.bench.close()
        self.node.kill()

    def well(self) -> None:
        """Run until results come and every level is OK."""
        self.bench.until(
            lambda: self.results and len(self.bench.statuses) == 5 and self._all_ok(), "OK", _READY_S, self._send
        )
        self.run(2.0)

    def run(self, seconds: float) -> None:
        """Let it go on for so long."""
        end = time.monotonic() + seconds
        self.bench.until(lambda: time.monotonic() > end, "the end", seconds + 60, self._send)

    def watch(self, part: str, seconds: float, inject: Callable[[Scene], None]) -> tuple[Seen, int]:
        """Inject the fault and watch one status; gives what was seen, and how often its level changed after 10 s."""
        self.diary.clear()
        begin = time.monotonic()
        inject(self)
        self.run(seconds)
        told = [(t - begin, level, text) for t, of, level, text in self.diary if of == part]
        warn = next((t for t, level, _ in told if level >= WARN), None)
        error = next((t for t, level, _ in told if level >= ERROR), None)
        late = [level for t, level, _ in told if t > seconds / 2]
        flips = sum(a != b for a, b in pairwise(late))
        last = [t for t in self.results if t > begin + seconds / 2]
        after = f"{len(last) / (seconds / 2):.1f} frames/s" if last else "nothing"
        worst = max((level for _, level, _ in told), default=OK)
        says = next((text for _, level, text in reversed(told) if level == worst), "")
        return Seen(says, warn, error, after), flips

    def _all_ok(self) -> bool:
        return all(self.bench.statuses[part].level == OK for part in ("camera", "processing", "model"))

    def _send(self) -> None:
        now = time.monotonic()
        if not self.sends or now < self._due:
            return
        self._due = max(self._due + 1 / RATE, now)
        if not self.same:
            self._picture = self._random.integers(1, 256, (48, 64, 3)).astype(np.uint8)
        self._picture[0, 0] = self.mood(self._frames)
        self._frames += 1
        stamp = divmod(time.time_ns() + round(self.stamp_ahead_s * 1e9), 10**9)
        self.bench.send(self._picture, stamp=stamp, **self.changes)

    def _note(self, message: DiagnosticArray) -> None:
        for status in message.status:
            node, _, part = status.name.partition(": ")
            if node == self.bench.target:
                self.diary.append((time.monotonic(), part, status.level, status.message))

    def _result(self, _: Image) -> None:
        self.results.append(time.monotonic())
