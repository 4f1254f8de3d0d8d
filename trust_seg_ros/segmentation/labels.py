"""The classes of a network: names, colours, and the files in config/labels that hold them.

A file is YAML::

    name: camvid11
    ignore: 11            # id of "no class" in ground truth; optional
    source: where the classes come from; optional
    classes:
      - {name: Sky, color: [128, 128, 128]}
      - {name: Building, color: [128, 0, 0]}

Ids are positions in ``classes``. Colours are red, green, blue, 0..255; if no class has one, they are made up.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trust_seg_ros.segmentation.errors import LabelError
from trust_seg_ros.support.paths import PathsError, label_file
from trust_seg_ros.support.reading import cut, shown
from trust_seg_ros.support.yaml_text import read_yaml
from trust_seg_ros.types import UNLABELLED

MAX_CLASSES = 254
"""Most classes that fit a uint8 class map, in which 255 means "no class"; the uncertainty maps have the same limit."""
_KEYS = {"name", "ignore", "source", "classes"}


@dataclass(frozen=True, eq=False)
class LabelSet:
    """The q classes of a network, in the order of its logits.

    Attributes:
        name: name of the set.
        names: (q,) class names, distinct, 2 <= q <= 254.
        palette: (q, 3) uint8 colours, red, green, blue; read-only.
        ignore: id of "no class" in ground truth of this set, or None; never the id of a class.

    Raises:
        LabelError: counts differ, names repeat or are empty, a colour is out of range.
    """

    name: str
    names: tuple[str, ...]
    palette: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.uint8), repr=False)
    ignore: int | None = None

    def __post_init__(self) -> None:
        names = tuple(self.names)
        if not 2 <= len(names) <= MAX_CLASSES:
            raise LabelError(
                f"labels {self.name!r} have {len(names)} classes; expected 2 to {MAX_CLASSES} "
                f"(class maps are bytes, {UNLABELLED} means no class): give the network other classes"
            )
        if any(not isinstance(n, str) or not n.strip() for n in names):
            raise LabelError(f"labels {self.name!r} have a class without a name: {names}; expected text for each")
        double = sorted({n for n in names if names.count(n) > 1})
        if double:
            raise LabelError(f"labels {self.name!r} name a class twice: {', '.join(double)}; names must differ")
        if self.ignore is not None and not (len(names) <= self.ignore <= UNLABELLED):
            raise LabelError(
                f"labels {self.name!r}: ignore is {shown(self.ignore)}, expected an id after the last class, "
                f"{len(names)} to {UNLABELLED}"
            )
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "palette", self._checked_palette(len(names)))

    def _checked_palette(self, count: int) -> np.ndarray:
        palette = np.asarray(self.palette)
        if palette.size == 0:
            palette = made_up_palette(count)
        if palette.shape != (count, 3):
            raise LabelError(
                f"labels {self.name!r} have {count} names but a palette of shape {palette.shape}; expected ({count}, 3)"
            )
        if palette.dtype.kind not in "ui" or palette.min() < 0 or palette.max() > 255:
            raise LabelError(f"labels {self.name!r}: palette out of range; expected whole numbers from 0 to 255")
        palette = palette.astype(np.uint8)
        palette.setflags(write=False)
        return palette

    @property
    def without_class(self) -> tuple[int, ...]:
        """Values in ground truth of this set that mean "no class": ``ignore``, if there is one, and 255."""
        return tuple(sorted({UNLABELLED} if self.ignore is None else {self.ignore, UNLABELLED}))

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelSet):
            return NotImplemented
        mine, theirs = ((s.name, s.names, s.palette.tobytes(), s.ignore) for s in (self, other))
        return mine == theirs

    def __hash__(self) -> int:
        return hash((self.name, self.names))

    def id_of(self, name: str) -> int:
        """Id of the class called ``name`` (case does not matter).

        Raises:
            LabelError: no such class; the text lists the classes.
        """
        lowered = [n.casefold() for n in self.names]
        if name.casefold() not in lowered:
            raise LabelError(f"labels {self.name!r} have no class {name!r}; there are: {', '.join(self.names)}")
        return lowered.index(name.casefold())


def made_up_palette(count: int) -> np.ndarray:
    """(count, 3) uint8 colours in which classes with neighbouring ids differ clearly; the same at every call."""
    golden = 0.618033988749895
    rows = [colorsys.hsv_to_rgb(i * golden % 1.0, 0.65 + 0.3 * (i % 2), 0.95 - 0.2 * (i % 3)) for i in range(count)]
    return np.round(np.array(rows).reshape(count, 3) * 255).astype(np.uint8)


def load_labels(name_or_path: str | Path) -> LabelSet:
    """A shipped label set by name (``trust_seg_ros.support.paths.label_names`` lists them), or one from a YAML file.

    Args:
        name_or_path: ``camvid11``, or the path of a .yaml or .yml file.

    Raises:
        LabelError: unknown name (the text lists the known ones), no such file, or a malformed one.
    """
    try:
        path = label_file(name_or_path)
    except PathsError as error:
        raise LabelError(str(error)) from None
    return parse_labels(read_yaml(path, "YAML file", LabelError), path)


def parse_labels(content: Any, path: Path) -> LabelSet:
    """A label set from the content of a YAML file; ``path`` is for messages and the default name.

    Raises:
        LabelError: the content is malformed; the text names the wrong entry and what was expected.
    """
    if not isinstance(content, dict) or not isinstance(content.get("classes"), list):
        raise LabelError(f"{path}: expected a mapping with a list 'classes', found {type(content).__name__}")
    unknown = sorted(str(k) for k in content.keys() - _KEYS)
    if unknown:
        raise LabelError(f"{path}: unknown keys {cut(', '.join(unknown))}; known are {', '.join(sorted(_KEYS))}")
    name = content.get("name", path.stem)
    if isinstance(name, (list, dict)):
        raise LabelError(f"{path}: name is {shown(name)}; expected a text")
    names, colors = [], []
    for index, entry in enumerate(content["classes"]):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or entry.keys() - {"name", "color"}:
            raise LabelError(f"{path}: class {index} is {shown(entry)}; expected {{name: text, color: [r, g, b]}}")
        names.append(entry["name"])
        if "color" in entry:
            colors.append(_color(entry["color"], f"{path}: class {index} ({entry['name']})"))
    if colors and len(colors) != len(names):
        raise LabelError(f"{path}: {len(names)} names but {len(colors)} colours; give every class one, or none")
    ignore = content.get("ignore")
    if ignore is not None and (isinstance(ignore, bool) or not isinstance(ignore, int)):
        raise LabelError(f"{path}: ignore is {shown(ignore)}; expected a whole number")
    try:
        return LabelSet(str(name), tuple(names), np.array(colors, int).reshape(-1, 3), ignore)
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from None


def _color(value: Any, where: str) -> Sequence[int]:
    whole = isinstance(value, list) and all(isinstance(v, int) and not isinstance(v, bool) for v in value)
    if not whole or len(value) != 3 or not all(0 <= v <= 255 for v in value):
        raise LabelError(f"{where}: color is {shown(value)}; expected [red, green, blue], whole numbers from 0 to 255")
    return list(value)
