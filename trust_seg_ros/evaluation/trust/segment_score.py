"""P(wrong) of segments in the study of pixels: as a score of their pixels, and judged segment by segment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trust_seg_ros import uncertainty
from trust_seg_ros.datasets.reading import read_or_skip
from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.meta.measures import auroc
from trust_seg_ros.evaluation.report.tabular import Column, Table, Value
from trust_seg_ros.evaluation.trust.passes import LabelledImages
from trust_seg_ros.fitting.calibrate_pass import wrong_segments
from trust_seg_ros.grid import resized
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.thresholds.flags import large_enough
from trust_seg_ros.types import LogitMaps, UncertaintyMaps

NAME = "p_wrong"
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class SegmentScore:
    """P(wrong) of the segment that a pixel lies in; pixels of no segment have 1.

    Attributes:
        pipeline: a network and the meta model that judges its segments, on the grid of that model.
        fingerprint: identifies the meta model.
        min_share: smallest segment that is flagged, as a share of the image; pixels have their P(wrong) whatever it is.
    """

    pipeline: TrustPipeline
    fingerprint: str
    min_share: float = 0.0

    def __call__(self, image: np.ndarray, answer: LogitMaps, maps: UncertaintyMaps) -> np.ndarray:
        """The score of every pixel (H, W) float32, of the size of ``maps``."""
        own = uncertainty.on_grid(answer, self.pipeline.grid)
        table = self.pipeline.segment_table(maps if own is answer else uncertainty.uncertainty_maps(own).host(), own)
        by_segment = np.append(1.0, self._meta.predict(table)[0]).astype(np.float32)
        height, width = maps.classes.shape
        return resized(by_segment[table.ids], (height, width))

    def __str__(self) -> str:
        return f"{NAME} {self.fingerprint}"

    @property
    def _meta(self) -> MetaModel:
        assert self.pipeline.meta is not None
        return self.pipeline.meta

    def segments(self, image: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """P(wrong) of the segments of an image with labelled pixels, and whether none of these has their class.

        Args:
            image: (H, W, 3) uint8 RGB.
            truth: (H, W) uint8 class ids, 255 = none.

        Returns:
            (n,) float64 P(wrong), (n,) bool wrong, and (n,) bool large enough to be flagged.
        """
        answer = self.pipeline.infer(image)
        table = self.pipeline.segment_table(uncertainty.uncertainty_maps(answer).host(), answer)
        height, width = table.ids.shape
        wrong, judged = wrong_segments(table, resized(truth, (height, width)))
        large = large_enough(table.sizes, table.ids.size, self.min_share)
        return self._meta.predict(table)[0][judged], wrong[judged], large[judged]


def judged_segments(
    score: SegmentScore,
    images: LabelledImages,
    keep_going: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Table:
    """Thresholds on P(wrong), judged on the segments of all images.

    Raises:
        TrustStudyError: there is no segment with a labelled pixel.
        DatasetError: an image cannot be read, and ``keep_going`` is off.
        TrustSegError: the network fails.
    """
    parts, skipped = [], dict[str, str]()
    for place, sample in enumerate(images):
        read = read_or_skip(images, sample, sample.name, keep_going, skipped)
        if read is not None:
            parts.append(score.segments(*read))
        if progress is not None:
            progress(place + 1, len(images))
    none = (np.empty(0), np.empty(0, bool), np.empty(0, bool))
    p, wrong, large = (np.concatenate(part) for part in zip(none, *parts, strict=True))
    if not p.size:
        raise TrustStudyError("--meta-model: no segment has a labelled pixel; expected labels to judge segments by")
    if not large.any():
        raise TrustStudyError(
            f"--min-share {score.min_share:g}: all segments with a labelled pixel are smaller; expected a smaller share"
        )
    small = ""
    if score.min_share:
        small = (
            f" Left out: {(~large).sum():,} segments below {100 * score.min_share:g} % of the image (--min-share), "
            f"which are never flagged; {(wrong & ~large).sum():,} of them are wrong."
        )
    return segment_table(p[large], wrong[large], small)


def segment_table(p_wrong: np.ndarray, wrong: np.ndarray, more: str = "") -> Table:
    """One row per threshold.

    Args:
        p_wrong: (n,) P(wrong), n >= 1.
        wrong: (n,) bool, no labelled pixel of the segment has its class.
        more: words at the end of the note.
    """
    rows: list[tuple[Value, ...]] = []
    for threshold in THRESHOLDS:
        flagged = p_wrong >= threshold
        found = int((flagged & wrong).sum())
        recall, precision = _ratio(found, int(wrong.sum())), _ratio(found, int(flagged.sum()))
        rows.append((threshold, recall, precision, float(flagged.mean())))
    ranked = float(auroc(p_wrong, wrong)) if 0 < wrong.sum() < wrong.size else np.nan
    columns = (Column("P(wrong) from", "number"), Column("recall, %"), Column("precision, %"), Column("flagged, %"))
    note = (
        f"{len(p_wrong):,} segments with labelled pixels, {100 * wrong.mean():.1f} % of them wrong: none of these "
        f"pixels has their class. AUROC {Column('').text(ranked)} %. The node flags from thresholds.unreliable, 0.5."
        f"{more}"
    )
    return Table("segments", "Segments flagged by P(wrong)", columns, tuple(rows), note)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else np.nan
