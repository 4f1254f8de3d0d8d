"""Faults of a running node: what is stuck, slow, blind or gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from moody_networks import BLIND, FROZEN, HANGS, RAISES, SLOW, SPECKLED, WELL
from scene import ERROR, OK, WARN, Scene, Seen


@dataclass(frozen=True)
class NodeFault:
    """One fault, and what the node must make of it.

    Attributes:
        name: for the table.
        part: the status that must tell.
        level: the worst level that it must reach.
        within_s: seconds in which it must reach it.
        words: that must be in what it says.
        inject: brings the fault about.
        parameters: of the node.
        seconds: how long it is watched.
    """

    name: str
    part: str
    level: bytes
    within_s: float
    words: str
    inject: Callable[[Scene], None]
    parameters: dict[str, object] = field(default_factory=dict)
    seconds: float = 24.0

    def run(self) -> Seen:
        """Run it in a node of its own."""
        with Scene(**self.parameters) as scene:
            scene.well()
            seen, flips = scene.watch(self.part, self.seconds, self.inject)
        return replace(seen, wrong="; ".join(self._wrong(seen, flips)))

    def _wrong(self, seen: Seen, flips: int) -> Iterator[str]:
        reached = {OK: 0.0, WARN: seen.warn_s, ERROR: seen.error_s}[self.level]
        if reached is None:
            yield "the level is not reached"
        elif reached > self.within_s:
            yield f"after {reached:.1f} s, expected {self.within_s:g}"
        if (self.level < ERROR and seen.error_s is not None) or (self.level == OK and seen.warn_s is not None):
            yield "the level is too high"
        if flips > self.seconds / 20:
            yield f"the level changed {flips} times in {self.seconds / 2:.0f} s"
        if self.words not in seen.says:
            yield f"does not say {self.words!r}"


def _mood(*codes: int) -> Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        scene.mood = lambda frame: codes[frame % len(codes)]

    return inject


def _gone(scene: Scene) -> None:
    scene.sends = False
    scene.bench.unplug()


def _stopped(scene: Scene) -> None:
    os.kill(scene.node.process.pid, signal.SIGSTOP)
    scene.run(5.0)
    os.kill(scene.node.process.pid, signal.SIGCONT)


def _scene(**values: object) -> Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        for name, value in values.items():
            setattr(scene, name, value)

    return inject


FAULTS = (
    NodeFault("nothing is wrong", "processing", OK, 0.0, "frames/s", _mood(WELL)),
    NodeFault("the network hangs for seconds", "processing", ERROR, 1.0, "in hand", _mood(HANGS)),
    NodeFault("the network takes half a second instead of none", "processing", WARN, 1.0, "in hand", _mood(SLOW)),
    NodeFault("the network raises on every third frame", "processing", ERROR, 2.0, "lost", _mood(RAISES, WELL, WELL)),
    NodeFault("all logits are NaN", "processing", ERROR, 2.0, "not finite", _mood(BLIND)),
    NodeFault("one logit in 200 is NaN", "processing", WARN, 2.0, "not finite", _mood(SPECKLED)),
    NodeFault("the same answer to every image", "processing", ERROR, 6.0, "frozen", _mood(FROZEN)),
    NodeFault("the camera falls silent", "camera", ERROR, 1.0, "no frames", _scene(sends=False), seconds=40.0),
    NodeFault("the camera's process is gone", "camera", ERROR, 1.0, "", _gone, seconds=40.0),
    NodeFault("the camera repeats one image", "camera", WARN, 6.0, "the same", _scene(same=True)),
    NodeFault("every image is shorter than it states", "camera", WARN, 2.0, "", _scene(changes={"step": 10_000})),
    NodeFault("stamps are 5 s old", "processing", WARN, 2.0, "older", _scene(stamp_ahead_s=-5.0)),
    NodeFault("stamps are 5 s ahead", "processing", WARN, 2.0, "ahead", _scene(stamp_ahead_s=5.0)),
    NodeFault("the node is stopped for 5 s", "processing", ERROR, 7.0, "stood still", _stopped),
    NodeFault(
        "a parameter is misspelt",
        "parameters",
        WARN,
        2.0,
        "treshold",
        lambda _: None,
        parameters={"treshold.pixel": 0.4},
    ),
)
