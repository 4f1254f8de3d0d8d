"""Segments as small objects: indexed, filtered, iterated. All are views of the tables, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np

from trust_seg_ros.library.errors import SelectionError
from trust_seg_ros.library.unknown import Box, as_box
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.types import SegmentTable, SegmentTrust


@dataclass(frozen=True, repr=False)
class Segment:
    """One segment of a result. Two are equal if they are the same segment of the same result.

    Attributes:
        of: the segments of the image.
        position: its place among them, from 0.
    """

    of: Segments
    position: int

    @property
    def number(self) -> int:
        """Its number in ``segments.ids``, from 1."""
        return self.position + 1

    @property
    def class_id(self) -> int:
        """Predicted class."""
        return int(self.of.class_ids[self.position])

    @property
    def class_name(self) -> str:
        """Name of the predicted class."""
        return self.of.labels.names[self.class_id]

    @property
    def box(self) -> Box:
        """Left, top, right, bottom in pixels of the image; right and bottom exclusive."""
        return as_box(self.of.boxes[self.position])

    @property
    def area(self) -> int:
        """Number of pixels of the image; 0 where the image is smaller than the grid and none of them is left."""
        return int(self.of.areas[self.position])

    @property
    def p_wrong(self) -> float | None:
        """P(wrong) in [0, 1]: that no pixel of it has the class it claims; None without a meta model."""
        return None if self.of.trust is None else float(self.of.trust.p_wrong[self.position])

    @property
    def iou(self) -> float | None:
        """Expected IoU_adj in [0, 1]; None without a meta model."""
        return None if self.of.trust is None else float(self.of.trust.iou[self.position])

    @property
    def unreliable(self) -> bool:
        """Whether P(wrong) reaches the threshold and it is large enough to be flagged; False without a meta model."""
        return self.of.trust is not None and bool(self.of.trust.unreliable[self.position])

    @property
    def outside(self) -> bool:
        """Whether its metrics lie outside the range that the meta models were fitted on."""
        trust = self.of.trust
        return trust is not None and trust.outside is not None and bool(trust.outside[self.position])

    @property
    def metrics(self) -> Mapping[str, float]:
        """Name -> value of its segment metrics."""
        return dict(zip(self.of.names, self.of.metrics[self.position].tolist(), strict=True))

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, its pixels in the image."""
        found: np.ndarray = self.of.ids == self.number
        return found

    def __repr__(self) -> str:
        judged = "" if self.p_wrong is None else f", P(wrong) {self.p_wrong:.2f}, expected IoU {self.iou:.2f}"
        flag = ", unreliable" if self.unreliable else ""
        return f"Segment({self.number}: {self.class_name}, {self.area:,} px, box {self.box}{judged}{flag})"


class Selection(Sequence[Segment]):
    """Some segments of an image, in an order of their own; indexed like a list, or filtered like an array.

    Args:
        of: all segments of the image.
        positions: (k,) which of them, from 0.
    """

    def __init__(self, of: Segments, positions: np.ndarray) -> None:
        self.of, self.positions = of, positions

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[Segment]:
        return (Segment(self.of, position) for position in self.positions.tolist())

    @overload
    def __getitem__(self, key: int) -> Segment: ...

    @overload
    def __getitem__(self, key: slice | Sequence[int] | Sequence[bool] | np.ndarray) -> Selection: ...

    def __getitem__(self, key: Any) -> Segment | Selection:
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            if not -len(self) <= key < len(self):
                raise SelectionError(f"there is no segment {key}; expected {_range(len(self))}")
            return Segment(self.of, int(self.positions[key]))
        return Selection(self.of, self.positions[key if isinstance(key, slice) else self._checked(key)])

    def unreliable(self) -> Selection:
        """Those that are flagged: P(wrong) at or above the threshold, and large enough. None without a meta model."""
        return self[self._flags]

    def reliable(self) -> Selection:
        """Those that are not flagged."""
        return self[~self._flags]

    def of_class(self, *names: str) -> Selection:
        """Those predicted as one of these classes; upper and lower case are alike.

        Raises:
            LabelError: no such class; the text lists the classes.
        """
        ids = [self.of.labels.id_of(name) for name in names]
        return self[np.isin(self.class_ids, ids)]

    def least_trusted(self, number: int | None = None) -> Selection:
        """Ordered by P(wrong), the largest first (without a meta model by mean entropy); at most ``number`` of them."""
        trust = self.of.trust
        distrust = self.of.column("E") if trust is None else trust.p_wrong
        order = np.argsort(-distrust[self.positions], kind="stable")
        return Selection(self.of, self.positions[order[:number]])

    @property
    def class_ids(self) -> np.ndarray:
        """(k,) uint8 predicted classes."""
        return _rows(self.of.class_ids, self.positions)

    @property
    def boxes(self) -> np.ndarray:
        """(k, 4) int32 left, top, right, bottom in pixels of the image."""
        return _rows(self.of.boxes, self.positions)

    @property
    def areas(self) -> np.ndarray:
        """(k,) int64 pixels of the image."""
        return _rows(self.of.areas, self.positions)

    @property
    def p_wrong(self) -> np.ndarray | None:
        """(k,) P(wrong) in [0, 1]; None without a meta model."""
        return None if self.of.trust is None else self.of.trust.p_wrong[self.positions]

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, pixels of the image that lie in one of them."""
        chosen = np.zeros(len(self.of) + 1, bool)
        chosen[self.positions + 1] = True
        found: np.ndarray = chosen[self.of.ids]
        return found

    def __repr__(self) -> str:
        flagged = "" if self.of.trust is None else f", {int(self._flags.sum())} unreliable"
        return f"Selection({len(self)} of {len(self.of)} segments{flagged})"

    @property
    def _flags(self) -> np.ndarray:
        trust = self.of.trust
        return np.zeros(len(self), bool) if trust is None else trust.unreliable[self.positions]

    def _checked(self, key: Any) -> np.ndarray:
        """A mask or positions as an array that NumPy can use here."""
        try:
            found = np.asarray(key)
        except ValueError:  # a list of lists of different lengths
            found = np.array(key, object)
        if found.ndim == 1 and found.dtype == np.bool_ and len(found) == len(self):
            return found
        if found.ndim == 1 and (found.dtype.kind in "iu" or not found.size):
            found = found.astype(np.intp)
            if not ((found < -len(self)) | (found >= len(self))).any():
                return found
        what = f"an array of {found.dtype} {found.shape}" if found.ndim and found.dtype != object else repr(key)[:80]
        raise SelectionError(
            f"segments are asked for by {what}; expected {_range(len(self))}, a slice, a list of such numbers, or a "
            f"mask of {len(self)} truth values, for example segments[segments.p_wrong > 0.5]; by class: "
            "segments.of_class(...)"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Segments(SegmentTable):
    """All segments of a result: the table, and every row of it as a :class:`Segment`.

    ``segments[3]`` is one segment, ``segments[1:4]``, ``segments[mask]`` and ``segments.unreliable()`` are some.

    Attributes:
        labels: names and colours of the classes.
        trust: predictions of the meta models; None without.
    """

    labels: LabelSet = field(kw_only=True)
    trust: SegmentTrust | None = field(default=None, kw_only=True)

    @cached_property
    def every(self) -> Selection:
        """All of them as a selection."""
        return Selection(self, np.arange(len(self)))

    @cached_property
    def areas(self) -> np.ndarray:
        """(n,) int64 pixels of the image; ``sizes`` are pixels of the grid that was judged on."""
        return np.bincount(self.ids.ravel(), minlength=len(self) + 1)[1:]

    @property
    def p_wrong(self) -> np.ndarray | None:
        """(n,) P(wrong) in [0, 1]; None without a meta model."""
        return None if self.trust is None else self.trust.p_wrong

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.every)

    @overload
    def __getitem__(self, key: int) -> Segment: ...

    @overload
    def __getitem__(self, key: slice | Sequence[int] | Sequence[bool] | np.ndarray) -> Selection: ...

    def __getitem__(self, key: Any) -> Segment | Selection:
        found: Segment | Selection = self.every[key]
        return found

    def unreliable(self) -> Selection:
        """Those that are flagged; see :meth:`Selection.unreliable`."""
        return self.every.unreliable()

    def reliable(self) -> Selection:
        """Those that are not flagged."""
        return self.every.reliable()

    def of_class(self, *names: str) -> Selection:
        """Those predicted as one of these classes; see :meth:`Selection.of_class`."""
        return self.every.of_class(*names)

    def least_trusted(self, number: int | None = None) -> Selection:
        """Those of the largest P(wrong), in order; see :meth:`Selection.least_trusted`."""
        return self.every.least_trusted(number)

    def __repr__(self) -> str:
        flagged = "" if self.trust is None else f", {int(self.trust.unreliable.sum())} unreliable"
        return f"Segments({len(self)} segments{flagged}; {len(self.names)} metrics)"


def _rows(column: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return np.asarray(column[positions])


def _range(count: int) -> str:
    return f"a number from {-count} to {count - 1}" if count else "none, as there are no segments"
