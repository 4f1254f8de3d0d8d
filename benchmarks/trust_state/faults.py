"""Twelve faults on the real node: the trust state that each reaches, its reason, and how soon after it can be known.

    python benchmarks/trust_state/faults.py [--only WORD ...] [--repeats 3] [--write]

``--write`` puts the table into docs/results/planner/faults.csv and faults.md. Status 1 if a fault does not reach its
state within 300 ms of being knowable. Eight minutes with three repeats.
"""

# ruff: noqa: E402 - the tests' helpers are found only once their folder is on the path

from __future__ import annotations

import argparse
import csv
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "helpers"))
os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from image_checks import covered
from moody_networks import BLIND, FROZEN, HANGS, KEEPS_LOCK, WELL
from rclpy.duration import Duration
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import QoSProfile
from ride import RATE, Camera, Heard, Ride

from trust_seg_ros.node.findings import _JITTER_S
from trust_seg_ros.node.parameters_liveness import LivenessSettings
from trust_seg_ros.trust_state.reasons import REASONS, Level

OUT = ROOT / "docs" / "results" / "planner"
COMMAND = "python benchmarks/trust_state/faults.py --write"
LIMIT_MS = 300.0
_LIMITS = LivenessSettings()
_OVERDUE_S = _LIMITS.error_periods / RATE + _JITTER_S
_WAIT_S = 20.0


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: for the table.
        key: the reason that must be given.
        level: the state that must be reached.
        camera: what the camera does from then on.
        knowable: in words.
        after: seconds from the first bad image, or from the last good one, until the fault can be known.
        images: of bad images that must have been sent for that; 0 = none come.
    """

    name: str
    key: str
    level: Level
    camera: Camera
    knowable: str
    after: float = 0.0
    images: int = 1


def _once(code: int) -> Callable[[int], int]:
    """This mood for the first image, WELL for the others."""
    left = [code]
    return lambda _: left.pop() if left else WELL


def _dirty() -> Callable[[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(5)
    state = rng.bit_generator.state

    def cover(image: np.ndarray) -> np.ndarray:
        rng.bit_generator.state = state  # the same side every time
        return covered(image, 0.7, 60, rng)

    return cover


def _soft(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 6.0)


def faults() -> tuple[Fault, ...]:
    """All but wrong weights, which are known before there is an image."""
    d, u = Level.DEGRADED, Level.UNTRUSTED
    black, third = REASONS["dark"].frames, REASONS["blurred"].frames
    return (
        Fault(
            "frozen camera", "frozen_camera", u, Camera(standing=True),
            f"{_LIMITS.frozen_s:g} s after the first repeated image", _LIMITS.frozen_s,
        ),
        Fault("black images", "dark", u, Camera(picture=np.zeros_like), "second black image", images=black),
        Fault(
            "out of focus (σ = 6 of 320 columns)", "blurred", u, Camera(picture=_soft), "third such image",
            images=third,
        ),
        Fault(
            "over-exposed", "overexposed", u, Camera(picture=lambda image: np.full_like(image, 255)),
            "third such image", images=third,
        ),
        Fault("lens 70 % covered", "covered", u, Camera(picture=_dirty()), "1 s after the first such image", 1.0),
        Fault("late frames: 5 s old", "stale", u, Camera(stamp_ahead_s=-5.0), "first such image"),
        Fault(
            "dropped frames: every second", "dropped", d, Camera(skip=lambda number: number % 2 == 0),
            "a quarter of the images of the last 3 s missing: 1.5 s of such loss", 1.5,
        ),
        Fault(
            "hung network", "hung", u, Camera(mood=_once(HANGS)),
            f"{_LIMITS.error_periods:g} usual periods and 50 ms after the image was sent", _OVERDUE_S,
        ),
        Fault(
            "frozen network", "frozen_network", u, Camera(mood=lambda _: FROZEN),
            f"{_LIMITS.frozen_s:g} s after the first changed image", _LIMITS.frozen_s,
        ),
        Fault("all logits NaN", "bad_outputs", u, Camera(mood=lambda _: BLIND), "first such image"),
        Fault(
            "camera lost", "camera_lost", u, Camera(sends=False),
            f"{_LIMITS.error_periods:g} usual periods and 50 ms after the last image", _OVERDUE_S, 0,
        ),
        Fault("clock jump: 30 s back", "clock_jump", u, Camera(stamp_ahead_s=-30.0), "first such image"),
        Fault("clock jump: 0.9 s ahead", "clock_jump", d, Camera(stamp_ahead_s=0.9), "first such image"),
    )  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What one fault led to.

    Attributes:
        ms: from when it was knowable to the message, for each repeat.
        reasons: all reasons given at that moment.
        back_s: from the end of the fault to NOMINAL, for each repeat.
    """

    ms: tuple[float, ...]
    reasons: tuple[str, ...]
    back_s: tuple[float, ...]


def observe(ride: Ride, fault: Fault, pictures: tuple[np.ndarray, ...]) -> Seen:
    """Inject the fault once, with these images, and end it."""
    ride.well()
    first, since = len(ride.sent), len(ride.heard)
    if not fault.images:
        begin = ride.sent[-1]
    ride.camera = replace(fault.camera, pictures=pictures)

    def told() -> Heard | None:
        return next((h for h in ride.heard[since:] if fault.key in h.reasons and h.level >= fault.level), None)

    ride.until(told, f"{fault.name}: {fault.key}, {fault.level.name}", _WAIT_S)
    heard = told()
    assert heard is not None
    if fault.images:
        begin = ride.sent[first + fault.images - 1]
    if fault.key in ("frozen_camera", "frozen_network", "covered"):  # the first image at or after that time tells
        due = begin + fault.after
        knowable = next((sent for sent in ride.sent[first:] if sent >= due), due)
    else:
        knowable = begin + fault.after
    over = time.monotonic()
    ride.well(0.0)
    return Seen((1e3 * (heard.at - knowable),), heard.reasons, (ride.heard[-1].at - over,))


def wrong_weights() -> Seen:
    """Weights of another hash than the parameter names: knowable when configure refuses them (time of its log line)."""
    ms = []
    reasons: tuple[str, ...] = ()
    parameters: dict[str, object] = {"model": "embedded", "model_sha256": "0123456789ab", "autostart": False}
    with Ride(parameters, frames=2) as ride:
        ride.until(lambda: ride.heard, "the first message")
        ride.bench.ask("configure")
        ride.until(lambda: ride.heard and "model_mismatch" in ride.heard[-1].reasons, "a mismatch")
        heard = next(h for h in ride.heard if "model_mismatch" in h.reasons)
        ride.run(0.5)
        said = re.search(r"\[ERROR\] \[(\d+\.\d+)\].*on_configure failed", ride.node.said())
        assert said is not None, ride.node.said()
        ms.append(1e3 * (float(heard.values["stamp"]) - float(said.group(1))))
        reasons = heard.reasons
    return Seen(tuple(ms), reasons, ())


def kept_lock(ride: Ride) -> Seen:
    """A network that keeps the interpreter's lock: knowable when the deadline has passed; told by the middleware."""
    missed: list[float] = []
    qos = QoSProfile(depth=1, deadline=Duration(seconds=ride.deadline_s))
    events = SubscriptionEventCallbacks(deadline=lambda _: missed.append(time.monotonic()))
    topic = f"/{ride.name}/trust_state"
    hearing = ride.bench.node.create_subscription(DiagnosticStatus, topic, lambda _: None, qos, event_callbacks=events)
    ride.well()
    missed.clear()
    since = len(ride.heard)
    ride.camera = Camera(mood=_once(KEEPS_LOCK))
    ride.until(lambda: missed, "a missed deadline", _WAIT_S)
    last = ride.heard[-1].at
    ride.until(lambda: "stood_still" in ride.heard[-1].reasons, "stood still", _WAIT_S)
    reasons = ride.heard[-1].reasons
    over = time.monotonic()
    ride.well(0.0)
    ride.bench.node.destroy_subscription(hearing)
    assert len(ride.heard) > since
    return Seen((1e3 * (missed[0] - last - ride.deadline_s),), reasons, (ride.heard[-1].at - over,))


def joined(seen: list[Seen]) -> Seen:
    """Repeats of one fault."""
    return Seen(
        tuple(ms for one in seen for ms in one.ms),
        seen[-1].reasons,
        tuple(back for one in seen for back in one.back_s),
    )


def table(rows: list[dict[str, str]]) -> str:
    """The rows as Markdown."""
    head = list(rows[0])
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row.values())} |" for row in rows)]) + "\n"


def row_of(fault: Fault, seen: Seen) -> dict[str, str]:
    """One line of the table."""
    return {
        "fault": fault.name,
        "state": fault.level.name,
        "reason": fault.key,
        "all reasons then": " ".join(seen.reasons),
        "knowable": fault.knowable,
        "ms after that, median": f"{statistics.median(seen.ms):.0f}",
        "largest": f"{max(seen.ms):.0f}",
        "NOMINAL again after s": f"{statistics.median(seen.back_s):.1f}" if seen.back_s else "–",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="faults with one of these in their name")
    parser.add_argument("--repeats", type=int, default=3, help="of each fault")
    parser.add_argument("--write", action="store_true", help="write docs/results/planner/faults.csv and faults.md")
    options = parser.parse_args()
    found: list[tuple[Fault, Seen]] = []
    bad = 0
    wanted = [f for f in faults() if not options.only or any(word in f.name for word in options.only)]
    weights = Fault("wrong weights", "model_mismatch", Level.UNTRUSTED, Camera(), "configure refuses the network")
    if not options.only or "weights" in options.only:
        found.append((weights, joined([wrong_weights() for _ in range(options.repeats)])))
    if wanted or "lock" in options.only:
        with Ride() as ride:
            made = {fault.name: ride.prepared(fault.camera).pictures for fault in wanted}
            for fault in wanted:
                seen = [observe(ride, _fresh(fault), made[fault.name]) for _ in range(options.repeats)]
                found.append((fault, joined(seen)))
                print(*row_of(*found[-1]).values(), sep="\t", flush=True)
            if not options.only or "lock" in options.only:
                lock = Fault(
                    "network keeps the interpreter's lock", "deadline, then stood_still", Level.UNTRUSTED, Camera(),
                    f"{1e3 * ride.deadline_s:g} ms after the last message",
                )  # fmt: skip
                found.append((lock, joined([kept_lock(ride) for _ in range(options.repeats)])))
                print(*row_of(*found[-1]).values(), sep="\t", flush=True)
    for fault, seen in found:
        if max(seen.ms) > LIMIT_MS:
            bad += 1
            print(f"TOO LATE: {fault.name}: {max(seen.ms):.0f} ms after it could be known")
    rows = [row_of(*one) for one in found]
    if options.write:
        OUT.mkdir(parents=True, exist_ok=True)
        with (OUT / "faults.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        (OUT / "faults.md").write_text(f"<!-- made by {COMMAND} -->\n\n{table(rows)}")
    return 1 if bad else 0


def _fresh(fault: Fault) -> Fault:
    """The same fault, whose camera has not begun."""
    return next((one for one in faults() if one.name == fault.name), fault)


if __name__ == "__main__":
    sys.exit(main())
