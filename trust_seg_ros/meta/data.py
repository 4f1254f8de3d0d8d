"""Segments of many images with their ground truth: the data for fitting and evaluating meta models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trust_seg_ros.grid import Size, alike, in_words
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.segments.history.window import TimeWindow
from trust_seg_ros.segments.origins import COMPONENTS


@dataclass(frozen=True)
class SegmentData:
    """n segments of many images, stacked.

    Attributes:
        names: names of the metrics, as in ``segments.features``.
        metrics: (n, m) float64.
        iou, iou_adj: (n,) float64 in [0, 1]; MetaSeg, section 2.
        class_ids: (n,) uint8 predicted class.
        image: (n,) int32, position in ``images`` of the image a segment comes from.
        images: names of the images; an image may have no segment.
        drives: of each image, the recording it comes from ("" if the data set does not say).
        network: name of the network that predicted.
        class_names: names of its classes.
        network_sha256: hash of its weights; "" = not known.
        grid: (H', W') of the grid that the segments were made on, by its area; None = not known, or several.
        image_sizes: sizes of the images, each once; () = not known.
        segments_from: what the segments are, see ``segments.origins``.
        time: how far the metrics over time among these look back; None = there are none.
    """

    names: tuple[str, ...]
    metrics: np.ndarray
    iou: np.ndarray
    iou_adj: np.ndarray
    class_ids: np.ndarray
    image: np.ndarray
    images: tuple[str, ...]
    drives: tuple[str, ...]
    network: str
    class_names: tuple[str, ...]
    network_sha256: str = ""
    grid: Size | None = None
    image_sizes: tuple[Size, ...] = ()
    segments_from: str = COMPONENTS
    time: TimeWindow | None = None

    def __len__(self) -> int:
        return len(self.iou_adj)

    @property
    def false_positive(self) -> np.ndarray:
        """(n,) bool, IoU_adj = 0: no pixel of the segment has the class it claims."""
        wrong: np.ndarray = self.iou_adj == 0
        return wrong

    def rows(self, chosen: np.ndarray) -> SegmentData:
        """Some of the segments, by mask (n,) bool or positions; images keep their numbers."""
        return SegmentData(
            self.names,
            self.metrics[chosen],
            self.iou[chosen],
            self.iou_adj[chosen],
            self.class_ids[chosen],
            self.image[chosen],
            self.images,
            self.drives,
            self.network,
            self.class_names,
            self.network_sha256,
            self.grid,
            self.image_sizes,
            self.segments_from,
            self.time,
        )


def joined(parts: Sequence[SegmentData]) -> SegmentData:
    """Segments of several data sets as one; images are numbered consecutively.

    Raises:
        MetaModelError: no data sets, or they are of different networks, classes, metrics or grids.
    """
    if not parts:
        raise MetaModelError("no segments to join; expected at least one data set")
    first = parts[0]
    for part in parts[1:]:
        for what in ("network", "network_sha256", "class_names", "segments_from", "names"):
            if getattr(part, what) != getattr(first, what):
                raise MetaModelError(
                    f"segment tables differ in their {what}: {getattr(first, what)!r} and {getattr(part, what)!r}; "
                    "only tables of one network and one set of metrics can be joined"
                )
        if part.grid is not None and first.grid is not None and not alike(part.grid, first.grid):
            raise MetaModelError(
                f"segments on grids of {in_words(first.grid)} and of {in_words(part.grid)}: their sizes mean different "
                f"things; collect both on one, for example --grid area:{in_words(first.grid)}"
            )
    offsets = np.cumsum([0, *(len(part.images) for part in parts)])
    stacked = {
        what: np.concatenate([getattr(part, what) for part in parts])
        for what in ("metrics", "iou", "iou_adj", "class_ids")
    }
    image = np.concatenate([part.image + offset for part, offset in zip(parts, offsets, strict=False)])
    return SegmentData(
        names=first.names,
        image=image.astype(np.int32),
        images=sum((part.images for part in parts), ()),
        drives=sum((part.drives for part in parts), ()),
        network=first.network,
        class_names=first.class_names,
        network_sha256=first.network_sha256,
        grid=first.grid,
        segments_from=first.segments_from,
        time=_all_rates([part.time for part in parts]),
        image_sizes=tuple(dict.fromkeys(size for part in parts for size in part.image_sizes)),
        **stacked,
    )


def _all_rates(times: Sequence[TimeWindow | None]) -> TimeWindow | None:
    """The window of all, with the frame rates of all."""
    known = [time for time in times if time is not None]
    if not known:
        return None
    rates = [rate for time in known for rate in time.rate_hz if rate] or [0.0]
    return replace(known[0], rate_hz=(min(rates), max(rates)))
