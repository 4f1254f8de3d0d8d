"""Best and worst images side by side: image, ground truth, score map, segments kept and discarded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.drawing.pictures import colour_map, spotlight
from trust_seg_ros.drawing.tiles import header, row_of
from trust_seg_ros.evaluation.anomaly.benchmark import ScoreResult, image_f1
from trust_seg_ros.evaluation.anomaly.passes import Look, Seen, walk
from trust_seg_ros.evaluation.report.best_worst import best_and_worst, scaled, write_rows
from trust_seg_ros.grid import resized
from trust_seg_ros.segments import ood_segments
from trust_seg_ros.types import UNLABELLED

_CAPTIONS = ("image", "ground truth: anomaly cyan, void dark", "score", "kept cyan, discarded amber")


@dataclass(frozen=True)
class Panel:
    """The best and worst images of one score.

    Attributes:
        look, images: to compute the images again.
        result: results of the score that is shown.
        number: at most so many best and so many worst images.
    """

    look: Look
    images: OodImages
    result: ScoreResult
    number: int = 3

    @property
    def caption(self) -> str:
        """One line for the report."""
        return (
            f"Images with the best and the worst F1 over their pixels, score {self.result.score}, "
            f"threshold {self.result.threshold:.3f}"
        )

    def draw(self, path: Path) -> bool:
        """Write the picture; False if no image has an anomaly or a segment."""
        shown = self.chosen()
        if not shown:
            return False
        rows = [self._row(place, f1) for place, f1 in shown]
        return write_rows(path, header(_CAPTIONS), rows)

    def chosen(self) -> list[tuple[int, float]]:
        """(position in ``result.cut``, F1), best first; none twice."""
        f1 = image_f1(self.result)
        order = [int(k) for k in np.argsort(-f1, kind="stable") if np.isfinite(f1[k])]
        return [(place, float(f1[place])) for place in best_and_worst(order, self.number)]

    def _row(self, place: int, f1: float) -> np.ndarray:
        found, score = self.result.cut, self.result.score
        seen = next(walk(self.look, self.images, [found.indices[place]]))
        discarded = None if self.result.meta is None else self.result.meta.discarded
        kept = found.kept(discarded)[place]
        plane = np.where(seen.void, np.nan, seen.planes[score])
        ids = seen.published(ood_segments(plane, self.result.threshold).ids)
        mask = np.append(False, kept)[ids]
        truth = spotlight(seen.image, np.zeros_like(mask), ood=seen.truth == 1)
        truth[seen.truth == UNLABELLED] = 0
        heat = colour_map(self._scaled(seen))
        result = spotlight(seen.image, (ids > 0) & ~mask, ood=mask)
        title = f"{self.images.names[found.indices[place]]}: F1 {100 * f1:.1f} %"
        return row_of((seen.image, truth, heat, result), title)

    def _scaled(self, seen: Seen) -> np.ndarray:
        """Scores in [0, 1], one scale for all images: 1 to 99.9 % of all pixels; 1 where logits were not finite."""
        counts = self.result.pixels.counts
        finite = np.isfinite(counts.thresholds)
        if not finite.any():
            return np.ones(seen.truth.shape)
        above = (counts.true_positives + counts.false_positives)[finite] / (counts.positives + counts.negatives)
        places = np.searchsorted(above, (0.99, 0.001)).clip(max=len(above) - 1)
        low, high = counts.thresholds[finite][places]
        return scaled(resized(seen.planes[self.result.score], seen.truth.shape), low, high)
