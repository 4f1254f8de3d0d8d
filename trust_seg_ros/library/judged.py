"""A result with the names of its classes, so that each of its segments can say what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from trust_seg_ros import types
from trust_seg_ros.library.errors import ExportError
from trust_seg_ros.library.segments import Segments
from trust_seg_ros.library.unknown import UnknownObject
from trust_seg_ros.segmentation.labels import LabelSet


@dataclass(frozen=True, eq=False, repr=False)
class JudgedImage(types.TrustFrame):
    """What exports need of a result.

    Attributes:
        labels: names and colours of the classes.
        name: the image's file, or its place in a recording; "" where it has none.
    """

    labels: LabelSet = field(kw_only=True)
    name: str = field(default="", kw_only=True)

    @cached_property
    def segments(self) -> Segments | None:
        """Components, with ``ids`` (H, W) and boxes in pixels of the image; each is a ``Segment``. None: not wanted."""
        table = super().segments
        if table is None:
            return None
        parts = (table.ids, table.class_ids, table.boxes, table.sizes, table.interior_sizes, table.names, table.metrics)
        return Segments(*parts, labels=self.labels, trust=self.trust)

    @cached_property
    def unknown_objects(self) -> tuple[UnknownObject, ...]:
        """The out-of-distribution segments that were kept (``ood`` holds the discarded ones, too); () if not wanted."""
        if self.ood is None:
            return ()
        return tuple(UnknownObject(self.ood, k, self.labels) for k in np.flatnonzero(self.ood.kept).tolist())

    def needed_segments(self, what: str) -> Segments:
        """The segments, for an export.

        Raises:
            ExportError: they were not computed.
        """
        if self.segments is None:
            raise ExportError(f"{what} needs segments, and this result was computed without: leave them in Wanted(...)")
        return self.segments
