"""What the files for all labelling tools have in common: classes, images, and what is pre-labelled on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from trust_seg_ros.library.things import Thing, finite, names_with_unknown
from trust_seg_ros.mining.moment import Moment
from trust_seg_ros.segmentation.labels import LabelSet

UNKNOWN_COLOR = (255, 0, 255)
_DIGITS = 4


@dataclass(frozen=True, eq=False)
class Classes:
    """What can be drawn: the classes of a network, and at the end unknown objects.

    Attributes:
        names: (q + 1,) distinct names.
        colors: (q + 1,) red, green, blue, 0..255.
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, labels: LabelSet) -> Classes:
        """The classes of a label set, and unknown objects."""
        colors = [(int(r), int(g), int(b)) for r, g, b in labels.palette]
        return cls(names_with_unknown(labels), (*colors, UNKNOWN_COLOR))

    def hex_colors(self) -> list[str]:
        """(q + 1,) colours as ``#rrggbb``."""
        return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in self.colors]


@dataclass(frozen=True, eq=False)
class Entry:
    """An image of an export.

    Attributes:
        number: from 1, in the order of writing.
        file: its name in the folder of the images.
        size: (H, W).
        moment: where it comes from.
        things: segments, then unknown objects, which lie on top of them.
    """

    number: int
    file: str
    size: tuple[int, int]
    moment: Moment
    things: tuple[Thing, ...]

    def facts(self) -> dict[str, Any]:
        """What is known of the image."""
        moment = self.moment
        facts = {"rank": moment.rank, "why": moment.why, "informative": _rounded(moment.score), "source": moment.source}
        return facts if moment.stamp_ns is None else facts | {"stamp_ns": moment.stamp_ns}


def trust_of(thing: Thing, classes: Classes) -> dict[str, Any]:
    """How far to trust a region: p_wrong, iou, p_ood in [0, 1], rounded, or None; unreliable, unknown."""
    known = thing.attributes
    numbers = {name: _rounded(known.get(name)) for name in ("p_wrong", "iou", "p_ood")}
    unknown = thing.class_id == len(classes.names) - 1
    return {**numbers, "unreliable": bool(known.get("unreliable")), "unknown": unknown}


def _rounded(value: float | None) -> float | None:
    return None if value is None or finite(value) is None else round(float(value), _DIGITS)


Add = Callable[[Entry], None]
Open = Callable[[Path, Classes], AbstractContextManager[Add]]


@dataclass(frozen=True, kw_only=True)
class ExportForm:
    """Files for one labelling tool.

    Attributes:
        name: as ``--to`` and ``--from`` name it.
        tool: name of the tool.
        text: one line of documentation: what is written.
        images: folder of the images in the export.
        open: folder, classes -> a block that takes one image after the other, and completes its files at its end.
        steps: how to import it, two lines of README.txt; the last one says how labels leave the tool.
        returned: what leaves the tool, as ``trust-seg labels`` takes it.
    """

    name: str
    tool: str
    text: str
    images: str
    open: Open
    steps: tuple[str, str, str]
    returned: str


class JsonItems:
    """A list in a JSON file that is written item by item, so that it never lies in memory.

    Args:
        file: open for text.
        head: what stands before the list.
    """

    def __init__(self, file: TextIO, head: str = "[") -> None:
        self._file, self._next = file, head + "\n"

    def add(self, item: Any) -> None:
        """Write one item."""
        self._file.write(self._next + as_json(item))
        self._next = ",\n"

    def close(self, tail: str = "]\n") -> None:
        """Write what stands behind the list."""
        self._file.write(("\n" if self._next == ",\n" else self._next) + tail)


def as_json(content: Any) -> str:
    """JSON on one line; letters of every script stay as they are."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def row_lengths(mask: np.ndarray) -> list[int]:
    """Lengths of alternating runs along the rows of a mask (h, w); the first counts zeros, and may be 0."""
    flat = np.asarray(mask, bool).ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *runs] if flat.size and flat[0] else runs
