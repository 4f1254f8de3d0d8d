"""Results whose planes lie on a device: each comes to the host when it is first read.

They are the types that everybody knows, with a function in place of an array; reading the field calls it once.
"""

from __future__ import annotations

from typing import Any

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


class FetchedMaps(UncertaintyMaps):
    """Maps, on the host for whoever reads them; every field may be given as a function."""

    classes = _WhenRead()
    entropy = _WhenRead()
    margin = _WhenRead()
    variation_ratio = _WhenRead()
    faulty_pixels = _WhenRead()


class FetchedTable(SegmentTable):
    """A segment table whose ``ids`` may be given as a function."""

    ids = _WhenRead()


class FetchedOod(OodSegments):
    """OoD segments whose ``ids`` may be given as a function."""

    ids = _WhenRead()
