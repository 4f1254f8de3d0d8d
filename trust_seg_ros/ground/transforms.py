"""Transforms between frames over time: what tf2's buffer does, as far as a map of the ground needs it, without ROS.

Conventions are those of tf2 (read in geometry2's ``buffer_core.cpp`` and ``cache.cpp``): a transform of ``child`` in
``parent`` takes points of the child into the parent; ``lookup(target, source)`` takes points of the source into the
target; 10 s are kept; between two stamps translations are interpolated linearly and rotations by slerp; a leading slash
of a name is dropped; static transforms hold at any time and survive jumps of time.

Otherwise than tf2: a frame that gets two parents at the same time is refused (tf2 takes the newer one, and a lookup
changes with every message); a lookup may go beyond the newest stamp by a tolerance, with the last known motion.
"""

from __future__ import annotations

import bisect
import difflib
import math
import threading
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.ground.quaternions import (
    Quaternion,
    Vector,
    conjugate,
    from_matrix,
    product,
    rotate,
    slerp,
    unit,
)

KEEP_S = 10.0
"""Seconds of transforms that are kept, as in tf2."""
_BACK_NS = 1_000_000_000  # a stamp that much older than the newest one of its frame means that time has jumped back
_UNIT_TOLERANCE = 0.01  # of the squared length of a quaternion, as in tf2
_SHOWN = 12

_Moment = tuple[Quaternion, Vector]


@dataclass
class _Frame:
    """One frame in its parent, over time."""

    parent: str
    static: bool
    stamps: list[int] = field(default_factory=list)
    moments: list[_Moment] = field(default_factory=list)
    rival: tuple[str, int | None] | None = None  # another parent, and when it was last named; None: it is static


class TransformBuffer:
    """Transforms of the last seconds. Thread-safe.

    Args:
        keep_s: seconds that are kept.
    """

    def __init__(self, keep_s: float = KEEP_S) -> None:
        if not (math.isfinite(keep_s) and keep_s > 0):
            raise GroundError(f"keep_s {keep_s!r} of transforms: expected seconds above 0")
        self._keep_ns = int(keep_s * 1e9)
        self._frames: dict[str, _Frame] = {}
        self._refused: dict[str, str] = {}
        self._lock = threading.Lock()
        self.cleared = 0
        """How many times stamps have jumped back, and all but the static transforms were forgotten."""

    def set(self, parent: str, child: str, stamp_ns: int, pose: Pose, static: bool = False) -> None:
        """``pose`` takes points of ``child`` into ``parent`` at ``stamp_ns``; see ``add``."""
        self.add(parent, child, stamp_ns, from_matrix(pose.rotation), tuple(pose.translation.tolist()), static)

    def add(
        self,
        parent: str,
        child: str,
        stamp_ns: int,
        quaternion: tuple[float, ...],
        translation: tuple[float, ...],
        static: bool = False,
    ) -> None:
        """The same with the numbers of a message.

        Args:
            parent: ``header.frame_id``.
            child: ``child_frame_id``.
            stamp_ns: when it holds, nanoseconds; of no meaning for static ones.
            quaternion: (x, y, z, w).
            translation: (x, y, z) in metres.
            static: from /tf_static.

        Raises:
            GroundError: an empty name, a frame in itself, a loop, a second parent, numbers that are not finite, or a
                quaternion that is not of length 1. The transform is left out; lookups that need it say why.
        """
        parent, child = parent.removeprefix("/"), child.removeprefix("/")
        with self._lock:
            try:
                moment = _moment(parent, child, quaternion, translation)
                self._insert(parent, child, stamp_ns, moment, static)
            except GroundError as error:
                if child:
                    self._refused[child] = str(error)
                raise
            self._refused.pop(child, None)

    def clear(self) -> None:
        """Forget all but the static transforms: time has jumped back."""
        with self._lock:
            self._clear()

    def frames(self) -> tuple[str, ...]:
        """Names of all known frames."""
        with self._lock:
            return self._names()

    def lookup(self, target: str, source: str, stamp_ns: int | None, tolerance_s: float = 0.0) -> Pose:
        """The pose of ``source`` in ``target``: takes points of the source into the target.

        Args:
            target: frame to have points in.
            source: frame that points are given in.
            stamp_ns: when, in nanoseconds; None for the newest moment that all frames on the way have.
            tolerance_s: how far beyond known stamps the last known motion may be continued.

        Raises:
            GroundError: an unknown frame, frames that are not connected, a loop, a frame with two parents, or stamps
                beyond the known ones; the text says which, and what is known.
        """
        target, source = target.removeprefix("/"), source.removeprefix("/")
        with self._lock:
            for name in (target, source):
                self._known(name)
            up, down = self._way(target, source)
            if stamp_ns is None:
                stamp_ns = self._newest_common(up + down)
            slack = round(tolerance_s * 1e9)
            from_source = self._chain(up, stamp_ns, slack)
            from_target = self._chain(down, stamp_ns, slack)
        back = conjugate(from_target[0])
        away = [s - t for s, t in zip(from_source[1], from_target[1], strict=True)]
        moved = rotate(back, (away[0], away[1], away[2]))
        return Pose.from_quaternion(np.array(product(back, from_source[0])), np.array(moved))

    def _insert(self, parent: str, child: str, stamp_ns: int, moment: _Moment, static: bool) -> None:
        known = self._frames.get(child)
        if known is not None and known.parent != parent:
            known = self._reparent(known, parent, child, stamp_ns, static)
        if known is None or known.static != static:
            self._refuse_loop(parent, child)
            known = self._frames[child] = _Frame(parent, static)
        if static:
            known.stamps, known.moments = [0], [moment]
            return
        if known.stamps and stamp_ns < known.stamps[-1] - _BACK_NS:
            self._clear()
            self.cleared += 1
            known = self._frames[child] = _Frame(parent, static)
        place = bisect.bisect_left(known.stamps, stamp_ns)
        if place < len(known.stamps) and known.stamps[place] == stamp_ns:
            known.moments[place] = moment
            return
        known.stamps.insert(place, stamp_ns)
        known.moments.insert(place, moment)
        old = bisect.bisect_left(known.stamps, known.stamps[-1] - self._keep_ns)
        del known.stamps[:old], known.moments[:old]

    def _reparent(self, known: _Frame, parent: str, child: str, stamp_ns: int, static: bool) -> _Frame | None:
        """A new parent is taken where the old one has not been heard of for as long as is kept."""
        if not known.static and not static and stamp_ns > known.stamps[-1] + self._keep_ns:
            return None
        known.rival = (parent, None if static else stamp_ns)
        raise GroundError(
            f"tf: {child} has two parents, {known.parent} and {parent}: stop one of the two publishers "
            "(ros2 run tf2_tools view_frames shows them)"
        )

    def _refuse_loop(self, parent: str, child: str) -> None:
        way = [child, parent]
        while (frame := self._frames.get(way[-1])) is not None:
            way.append(frame.parent)
            if frame.parent == child:
                raise GroundError(f"tf: a loop of frames, {' in '.join(way)}")

    def _clear(self) -> None:
        self._frames = {name: frame for name, frame in self._frames.items() if frame.static}
        self._refused.clear()

    def _names(self) -> tuple[str, ...]:
        return tuple(sorted({*self._frames, *(frame.parent for frame in self._frames.values())}))

    def _known(self, name: str) -> None:
        names = self._names()
        if name in names:
            return
        if not name:
            raise GroundError("tf: the name of a frame is empty: set the frame_id of the message")
        if why := self._refused.get(name):
            raise GroundError(f"tf: frame {name} is not known: its transform was refused: {why}")
        if not names:
            raise GroundError(f"tf: frame {name} is not known: no transform has arrived on /tf or /tf_static")
        close = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        raise GroundError(f"tf: frame {name} is not known, only {listed}{hint}")

    def _way(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """Frames from the source up to the first common one, and from the target up to it (that one left out)."""
        up, down = self._to_root(source), self._to_root(target)
        if up[-1] != down[-1]:
            raise GroundError(
                f"tf: {source} and {target} are not connected: they are in two trees, with the roots {up[-1]} and "
                f"{down[-1]}; a publisher of the transform between the two is missing"
            )
        while up and down and up[-1] == down[-1]:
            up.pop()
            down.pop()
        return up, down

    def _to_root(self, name: str) -> list[str]:
        way = [name]
        while (frame := self._frames.get(way[-1])) is not None:
            way.append(frame.parent)
        return way

    def _newest_common(self, names: list[str]) -> int:
        return min((f.stamps[-1] for n in names if not (f := self._frames[n]).static), default=0)

    def _chain(self, names: list[str], stamp_ns: int, slack: int) -> _Moment:
        quaternion: Quaternion = (0.0, 0.0, 0.0, 1.0)
        place: Vector = (0.0, 0.0, 0.0)
        for name in names:
            q, t = self._moment(name, stamp_ns, slack)
            x, y, z = rotate(q, place)
            place = (x + t[0], y + t[1], z + t[2])
            quaternion = product(q, quaternion)
        return quaternion, place

    def _moment(self, name: str, stamp_ns: int, slack: int) -> _Moment:
        frame = self._frames[name]
        if frame.rival is not None:
            rival, named = frame.rival
            if frame.static or named is None or abs(stamp_ns - named) <= self._keep_ns:
                raise GroundError(f"tf: {name} has two parents, {frame.parent} and {rival}: stop one publisher")
        if frame.static:
            return frame.moments[0]
        stamps, moments = frame.stamps, frame.moments
        after = bisect.bisect_left(stamps, stamp_ns)
        if after < len(stamps) and stamps[after] == stamp_ns:
            return moments[after]
        if 0 < after < len(stamps):
            return _between(frame, after - 1, after, stamp_ns)
        beyond = stamp_ns - stamps[-1] if after else stamps[0] - stamp_ns
        if beyond > slack:
            raise GroundError(self._too_far(name, frame, stamp_ns, beyond, slack))
        if len(stamps) == 1:
            return moments[0]
        if after:  # over at least as long as is continued, for the sake of noise
            other = max(bisect.bisect_right(stamps, stamps[-1] - beyond) - 1, 0)
            return _between(frame, min(other, len(stamps) - 2), len(stamps) - 1, stamp_ns)
        other = min(bisect.bisect_left(stamps, stamps[0] + beyond), len(stamps) - 1)
        return _between(frame, 0, max(other, 1), stamp_ns)

    def _too_far(self, name: str, frame: _Frame, stamp_ns: int, beyond: int, slack: int) -> str:
        first, last = frame.stamps[0], frame.stamps[-1]
        side = "after the newest" if stamp_ns > last else "before the oldest"
        allowed = f", {slack / 1e9:g} s are allowed" if slack else ""
        why = f"; refused since: {self._refused[name]}" if name in self._refused else ""
        return (
            f"tf: {name} in {frame.parent} is known from {first / 1e9:.3f} to {last / 1e9:.3f} s, asked for "
            f"{stamp_ns / 1e9:.3f}: {beyond / 1e9:.3g} s {side} one{allowed}{why}"
        )


def _moment(parent: str, child: str, quaternion: tuple[float, ...], translation: tuple[float, ...]) -> _Moment:
    if not parent or not child:
        raise GroundError(f"tf: transform of {child!r} in {parent!r}: the name of a frame is empty")
    if parent == child:
        raise GroundError(f"tf: {child} is its own parent")
    if len(quaternion) != 4 or len(translation) != 3 or not all(map(math.isfinite, (*quaternion, *translation))):
        raise GroundError(
            f"tf: {child} in {parent} has the rotation {list(quaternion)} and translation {list(translation)}: "
            "expected finite numbers"
        )
    if abs(sum(part * part for part in quaternion) - 1) > _UNIT_TOLERANCE:
        raise GroundError(f"tf: {child} in {parent} has the quaternion {list(quaternion)}: expected length 1")
    x, y, z, w = quaternion
    return unit((x, y, z, w)), (translation[0], translation[1], translation[2])


def _between(frame: _Frame, first: int, second: int, stamp_ns: int) -> _Moment:
    """Between two moments, or beyond them with the same motion."""
    start, end = frame.stamps[first], frame.stamps[second]
    ratio = (stamp_ns - start) / (end - start)
    (q, t), (r, u) = frame.moments[first], frame.moments[second]
    x, y, z = (a + (b - a) * ratio for a, b in zip(t, u, strict=True))
    return slerp(q, r, ratio), (x, y, z)
