"""Results whose planes lie on a device: each comes to the host when it is first read.

They are the types that everybody knows, with a function in place of an array; reading the field calls it once.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Protocol

import numpy as np
import torch

from trust_seg_ros.types.maps import UncertaintyMaps
from trust_seg_ros.types.segments import OodSegments, SegmentTable


class _WhenRead:
    """A field of a dataclass that may be set to a function () -> value, which is called at the first read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        if obj is None:
            return self
        value = obj.__dict__[self._name]
        if callable(value):
            value = obj.__dict__[self._name] = value()
        return value

    def __set__(self, obj: Any, value: Any) -> None:
        obj.__dict__[self._name] = value


def _plain(kind: type, obj: Any) -> tuple[type, tuple[Any, ...]]:
    """How to copy or pickle ``obj``: as its base class, with everything read."""
    return kind, tuple(getattr(obj, part.name) for part in fields(kind))


class PlaneSource(Protocol):
    """Where the planes of fetched maps come from."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        ...

    def plane(self, name: str) -> torch.Tensor:
        """A whole map on the host."""
        ...

    def part(self, name: str, first: tuple[int, int], step: tuple[int, int]) -> np.ndarray:
        """As ``UncertaintyMaps.part``."""
        ...

    def faulty(self) -> int:
        """The number of faulty pixels."""
        ...

    def on_device(self, name: str) -> torch.Tensor | None:
        """A plane where it lies: a map, "segments.ids", "ood.ids" or "flags"; None if it was made on the host."""
        ...


class FetchedMaps(UncertaintyMaps):
    """Maps, on the host for whoever reads them."""

    def __init__(self, source: PlaneSource) -> None:
        object.__setattr__(self, "_source", source)

    @property
    def source(self) -> PlaneSource:
        """Where the planes come from."""
        source: PlaneSource = self._source  # type: ignore[attr-defined]
        return source

    classes = property(lambda self: self._source.plane("classes"))
    entropy = property(lambda self: self._source.plane("entropy"))
    margin = property(lambda self: self._source.plane("margin"))
    variation_ratio = property(lambda self: self._source.plane("variation_ratio"))
    faulty_pixels = property(lambda self: self._source.faulty())
    size = property(lambda self: self._source.size)

    def part(self, name: str, first: tuple[int, int], step: tuple[int, int]) -> np.ndarray:
        """As ``UncertaintyMaps``; only the part comes to the host."""
        return self.source.part(name, first, step)

    def host(self) -> UncertaintyMaps:
        """Themselves."""
        return self

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return _plain(UncertaintyMaps, self)


class FetchedTable(SegmentTable):
    """A segment table whose ``ids`` may be given as a function."""

    ids = _WhenRead()

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return _plain(SegmentTable, self)


class FetchedOod(OodSegments):
    """OoD segments whose ``ids`` may be given as a function."""

    ids = _WhenRead()

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return _plain(OodSegments, self)
