"""The first look at everything: one line per frame, kept on disk, so that a stopped run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from trust_seg_ros.library.pipeline import TrustPipeline
from trust_seg_ros.library.result import TrustFrame
from trust_seg_ros.mining.information import information
from trust_seg_ros.mining.likeness import likeness
from trust_seg_ros.mining.origins import Origin
from trust_seg_ros.support.resumable import FolderLock, fingerprint, fingerprint_of_files, write_text
from trust_seg_ros.types import Frame, LogitMaps

_DIGITS = 5
"""Of the numbers of a vector on disk: far finer than frames differ."""


@dataclass(frozen=True, eq=False)
class Glance:
    """What the first look keeps of a frame.

    Attributes:
        origin: position of its origin among all.
        number: of the frame in its origin, from 0.
        name: what to call it; not yet unique.
        stamp_ns: its time; None = none.
        information: what there is to learn, 0 or more, see ``information``.
        why: one short sentence for a person.
        vector: (d,) what it is like, see ``likeness``.
    """

    origin: int
    number: int
    name: str
    stamp_ns: int | None
    information: float
    why: str
    vector: np.ndarray


class Surveyor(TrustPipeline):
    """The pipeline that also says how much there is to learn from a frame, and what it is like."""

    answer: LogitMaps | None = None

    def infer(self, image: np.ndarray) -> LogitMaps:
        """See the base class; the answer is kept until the next one."""
        self.answer = super().infer(image)
        return self.answer

    def judged(self, frame: Frame) -> TrustFrame:
        """The result of one frame on its own: chosen frames are judged again, without those before them."""
        self.reset()
        return self(frame)

    def glance(self, origin: int, number: int, name: str, stamp_ns: int | None, frame: Frame) -> Glance:
        """Look at one frame.

        Raises:
            TrustSegError: the network fails.
        """
        result = self.judged(frame)
        assert self.answer is not None
        found = information(result)
        vector = likeness(self.answer, result.on_grid.maps, len(self.labels))
        return Glance(origin, number, name, stamp_ns, found.total, found.why, vector)


def survey(
    pipeline: Surveyor,
    origins: Sequence[Origin],
    table: Path,
    settings: dict[str, Any],
    *,
    every_s: float = 0.0,
    tick: Callable[[int, int], None] = lambda origin, frames: None,
) -> list[Glance]:
    """Look at all frames; those that the table holds already are not looked at again.

    Args:
        pipeline: the network.
        origins: what to look at.
        table: folder of the table: one file per origin, a line of JSON per frame.
        settings: plain values that decide what is found; lines made with others are made anew.
        every_s: of recordings, so many seconds lie between two frames; 0 = every frame.
        tick: called with the position of the origin and the number of its frames passed, after each frame.

    Raises:
        FolderInUseError: another run writes into the table.
        SourceError: a recording cannot be read.
        OSError: the table cannot be written.
    """
    found: list[Glance] = []
    with FolderLock(table):
        for position, origin in enumerate(origins):
            key = fingerprint({**settings, "every": every_s, "topic": origin.topic, "content": _content(origin)})
            with _Lines(table / f"{key[:16]}.jsonl", key) as lines:
                found += _one(pipeline, position, origin, lines, every_s, tick)
    return found


def _one(
    pipeline: Surveyor,
    position: int,
    origin: Origin,
    lines: _Lines,
    every_s: float,
    tick: Callable[[int, int], None],
) -> Iterator[Glance]:
    due, step = None, round(every_s * 1e9)
    for number, name, stamp, frame in origin.frames():
        if stamp is None or due is None or stamp >= due:
            due = _next(due, stamp, step)
            glance = lines.kept.get(number)
            if glance is None or glance.stamp_ns != stamp:
                glance = pipeline.glance(position, number, name, stamp, frame)
                lines.add(glance)
            yield replace(glance, origin=position)
        tick(position, number + 1)


def _next(due: int | None, stamp: int | None, step: int) -> int | None:
    """When the next frame is due: the steps do not drift where frames come between them, and begin anew after a gap."""
    if stamp is None:
        return None
    return stamp + step if due is None or due + step <= stamp else due + step


class _Lines:
    """The lines of one origin: what is there is read, what is new is appended; a torn last line is left out."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self.kept: dict[int, Glance] = {}
        self._file: TextIO | None = None

    def __enter__(self) -> _Lines:
        self._read()
        head = json.dumps({"fingerprint": self.key})
        write_text(self.path, "\n".join([head, *(_line(glance) for glance in self.kept.values())]) + "\n")
        self._file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, glance: Glance) -> None:
        assert self._file is not None
        self._file.write(_line(glance) + "\n")
        self._file.flush()

    def _read(self) -> None:
        try:
            head, *rows = self.path.read_text(encoding="utf-8").splitlines()
            if json.loads(head)["fingerprint"] != self.key:
                return
        except (OSError, ValueError, KeyError, TypeError):  # none there, or damaged: it is made anew
            return
        for row in rows:
            try:
                glance = _glance(json.loads(row))
            except (ValueError, KeyError, TypeError):  # torn when the run was stopped
                break
            self.kept[glance.number] = glance


def _line(glance: Glance) -> str:
    values = asdict(glance) | {"vector": [round(float(v), _DIGITS) for v in glance.vector]}
    del values["origin"]
    return json.dumps(values, ensure_ascii=False)


def _glance(values: dict[str, Any]) -> Glance:
    vector = np.array(values.pop("vector"), np.float32)
    return Glance(origin=-1, vector=vector, **values)


def _content(origin: Origin) -> str | list[str]:
    """What a copy elsewhere has in common with the origin."""
    if origin.source is None:
        return [fingerprint_of_files(path) for path in origin.images]
    return origin.name if origin.file is None else fingerprint_of_files(origin.file)
