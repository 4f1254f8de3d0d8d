"""Risk curves of groups of errors: of predicted classes, of regions of the image, of images by their mean score.

Mondrian conformal risk control: the rule of Angelopoulos et al. (2022) within each group, on the images that have
errors of that group. An image without any is no evidence about them: counted with a loss of 0, as in the curve of whole
images, it would make the promise cheap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from trust_seg_ros.thresholds.curves import CurveError, RiskCurve
from trust_seg_ros.thresholds.policies.groupings import CLASS, IMAGE, REGION
from trust_seg_ros.types import Json

VERSION = 1
"""Version of this part of a calibration file."""
_Curves = tuple[RiskCurve | None, ...]


@dataclass(frozen=True)
class GroupCurves:
    """Risk curves by group; the ``images`` of a curve are those with errors of the group. None: no image has any.

    Attributes:
        classes: (q,) of the errors predicted as each class; () = not made.
        regions: of the errors in each region, row by row; () = not made.
        shape: rows and columns of regions.
        images: (k,) of the errors of images by their mean score: below edges[0], from there to edges[1], and so on.
        edges: (k - 1,) ascending means of images of the calibration that belong to no group.

    Raises:
        CurveError: numbers of curves, regions and edges do not belong together, or edges do not ascend.
    """

    classes: _Curves = ()
    regions: _Curves = ()
    shape: tuple[int, int] = (0, 0)
    images: _Curves = ()
    edges: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.regions) != self.shape[0] * self.shape[1] or min(self.shape) < 0:
            raise CurveError(f"{len(self.regions)} curves of regions: expected {self.shape[0]} x {self.shape[1]}")
        if len(self.images) != len(self.edges) + bool(self.images):
            raise CurveError(f"{len(self.images)} curves of images, {len(self.edges)} edges: expected one edge fewer")
        finite = all(map(math.isfinite, self.edges))
        if not finite or any(b <= a for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise CurveError(f"edges between groups of images {self.edges}: expected ascending numbers")

    def of(self, by: str) -> _Curves:
        """The curves of one grouping: "class", "region" or "image"."""
        return {CLASS: self.classes, REGION: self.regions, IMAGE: self.images}[by]

    def changed(self, change: Callable[[RiskCurve], RiskCurve]) -> GroupCurves:
        """The same with every curve changed."""
        parts = ([None if c is None else change(c) for c in of] for of in (self.classes, self.regions, self.images))
        classes, regions, images = map(tuple, parts)
        return replace(self, classes=classes, regions=regions, images=images)

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "version": VERSION,
            CLASS: _plain(self.classes),
            REGION: {"rows": self.shape[0], "columns": self.shape[1], "curves": _plain(self.regions)},
            IMAGE: {"edges": list(self.edges), "curves": _plain(self.images)},
        }

    @classmethod
    def from_json(cls, data: Json) -> GroupCurves:
        """Back from :meth:`to_json`; raises CurveError, KeyError, TypeError or ValueError if it is damaged."""
        if data["version"] != VERSION:
            raise CurveError(
                f"curves by group of version {data['version']!r}: this program reads {VERSION}; update it, or "
                "calibrate again with this one"
            )
        region, image = data[REGION], data[IMAGE]
        return cls(
            _read(data[CLASS]),
            _read(region["curves"]),
            (int(region["rows"]), int(region["columns"])),
            _read(image["curves"]),
            tuple(float(edge) for edge in image["edges"]),
        )


def _plain(curves: _Curves) -> list[Json | None]:
    return [None if curve is None else curve.to_json() for curve in curves]


def _read(data: Sequence[Json | None]) -> _Curves:
    return tuple(None if curve is None else RiskCurve.from_json(curve) for curve in data)
