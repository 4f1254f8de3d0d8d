"""The result of an image, as users hold it: it says what it is, shows itself, and goes on to other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros import types
from trust_seg_ros.library import coco, detections, html, labelme, picture, saving, tables
from trust_seg_ros.library.judged import JudgedImage
from trust_seg_ros.library.picture import Picture
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.types import Json

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv


@dataclass(frozen=True, eq=False, repr=False)
class TrustFrame(JudgedImage):
    """A frame, its prediction, and how far to trust it; see :class:`trust_seg_ros.types.TrustFrame` for the maps.

    Printed, it says what was found in one line; in a notebook it shows itself. A result is equal to itself only, so it
    can be a key or stand in a set.

    Attributes:
        labels: names and colours of the classes.
        name: the image's file, or its place in a recording; "" where it has none.

    Example:
        >>> result = pipeline("street.png")
        >>> result
        TrustFrame(480×360, 77 segments (25 unreliable), 1 unknown object, 1.8 % pixels flagged)
        >>> for segment in result.segments.unreliable():
        ...     print(segment.class_name, segment.p_wrong, segment.box)
    """

    @classmethod
    def speaking(cls, result: types.TrustFrame, labels: LabelSet, name: str = "") -> TrustFrame:
        """A plain result with the names of its classes; nothing is copied."""
        parts = (result.frame, result.on_grid, result.thresholds, result.shift, result.timings_ms, result.watched)
        return cls(*parts, labels=labels, name=name)

    def plot(self, width: int = 1600) -> Picture:
        """Camera image, predicted classes, entropy and what is flagged, side by side, with a legend.

        Args:
            width: of the picture in pixels, 640 or more.

        Returns:
            A picture that a notebook shows, ``.save(path)`` writes, and NumPy, PIL and matplotlib take as an array
            (height, width, 3) of uint8.

        Raises:
            PictureError: a width out of range.
        """
        return picture.plot(self, width)

    def save(self, path: str | Path) -> Path:
        """Write the result, by the ending of the path: .png or .jpg the picture of :meth:`plot`, .csv the segments as a
        table, .json everything as COCO, .npz the maps as arrays.

        Returns:
            The path.

        Raises:
            ExportError: another ending, a part that was not computed, or a file that cannot be written.
        """
        return saving.save(self, Path(path))

    def to_pandas(self) -> pd.DataFrame:
        """The segments as a table, one row each: number, class, P(wrong), expected IoU, box, area, every metric.

        Raises:
            ExportError: pandas is missing (the text says what to install), or the result has no segments.
        """
        return tables.to_pandas(self)

    def to_coco(self, *, into: Json | None = None, masks: str = "rle", min_area: int = 1) -> Json:
        """Segments and unknown objects as a COCO data set: images, categories, annotations.

        Args:
            into: a data set of earlier results, which is continued: ``into = result.to_coco(into=into)``.
            masks: "rle" (exact, as pycocotools writes it) or "polygons" (outer borders only; holes are filled).
            min_area: smallest segment in pixels of the image.

        Returns:
            What ``json.dump`` writes and pycocotools, FiftyOne and CVAT read. Every annotation has ``score`` (see
            :meth:`to_supervision`) and ``attributes``: p_wrong, iou, unreliable of a segment, p_ood of an unknown
            object.

        Raises:
            ExportError: the result has no segments, ``into`` has other categories, or there are no such masks.
        """
        return coco.to_coco(self, into=into, masks=masks, min_area=min_area)

    def to_supervision(self, *, min_area: int = 1) -> sv.Detections:
        """Segments and unknown objects as detections of Roboflow's supervision.

        Args:
            min_area: smallest segment in pixels of the image.

        Returns:
            Boxes, masks, class ids (an unknown object has the id after the last class), and as confidence how far the
            answer can be trusted: 1 - P(wrong), without a meta model the mean probability of the class; for an unknown
            object P(OoD), NaN where none was judged. ``data`` holds class_name, p_wrong, iou and unreliable.

        Raises:
            ExportError: supervision is missing (the text says what to install), the result has no segments, or the
                masks need more than 2 GiB.
        """
        return detections.to_supervision(self, min_area=min_area)

    def to_labelme(self, *, min_area: int = 1, embed: bool | None = None) -> Json:
        """Segments and unknown objects as polygons for labelme, larger ones first, as it paints one over the other.

        Polygons are outer borders: holes are filled, and what lies in a hole of a segment comes after it.

        Args:
            min_area: smallest segment in pixels of the image.
            embed: put the image into the file; None: only where the result does not know the image's file.

        Returns:
            What ``json.dump`` writes beside the image. ``description`` of a shape says P(wrong), and ``flags`` has
            "unreliable" where it is flagged.

        Raises:
            ExportError: the result has no segments.
        """
        return labelme.to_labelme(self, min_area=min_area, embed=embed)

    def _repr_html_(self) -> str:
        """What notebooks show: the picture, one line, and the least trusted segments."""
        return html.as_html(self)
