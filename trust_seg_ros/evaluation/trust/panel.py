"""Best and worst images: image, prediction, score, and which pixels are wrong and which are flagged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.drawing.lettering import write
from trust_seg_ros.drawing.panels import INK
from trust_seg_ros.drawing.pictures import colour_map, label_picture
from trust_seg_ros.drawing.tiles import GAP, TILE, header, row_of
from trust_seg_ros.evaluation.report.best_worst import best_and_worst, scaled, write_rows
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.passes import LabelledImages, Look, Seen, walk
from trust_seg_ros.evaluation.trust.policy_words import NamedPolicy
from trust_seg_ros.evaluation.trust.study import Study
from trust_seg_ros.thresholds.flags import flags
from trust_seg_ros.types import UNLABELLED

CAUGHT, MISSED, NEEDLESS = (0, 190, 255), (255, 40, 90), (255, 200, 0)
"""RGB of misclassified and flagged, misclassified and missed, correct and flagged."""
_LEGEND = (
    (CAUGHT, "wrong, flagged"),
    (MISSED, "wrong, missed"),
    (NEEDLESS, "right, flagged"),
    ((0, 0, 0), "void"),
)
_CAPTIONS = ("image", "predicted classes", "score")


@dataclass(frozen=True)
class Panel:
    """The images where one policy on one score does best and worst.

    Attributes:
        look, images: to compute the images again.
        study: holds the thresholds.
        arrangement: its first draw is shown, so only images judged there.
        policy: the policy that flags.
        number: at most so many best and so many worst images.
    """

    look: Look
    images: LabelledImages
    study: Study
    arrangement: Arrangement
    policy: NamedPolicy
    number: int = 3

    @property
    def caption(self) -> str:
        """One line for the report."""
        return (
            f"Images with the best and the worst F1 of {self.policy.name} on {self.study.best_score}, "
            f"{self.arrangement.draws[0].name} of {self.arrangement.name}: misclassified and flagged pixels blue, "
            "misclassified and missed red, correct and flagged yellow"
        )

    def draw(self, path: Path) -> bool:
        """Write the picture; False if no image has a misclassified pixel or the policy has no threshold."""
        chosen = self.chosen()
        if not chosen:
            return False
        counts = self.study.counts
        seen = {s.place: s for s in walk(self.look, self.images, [int(counts.places[row]) for row, *_ in chosen])}
        rows = [self._row(seen[int(counts.places[row])], threshold, f1) for row, threshold, f1 in chosen]
        return write_rows(path, _header(), rows)

    def chosen(self) -> list[tuple[int, float, float]]:
        """(row in the counts, threshold, F1), best first; none twice."""
        counts = self.study.counts.scores[self.study.best_score]
        judged = self.arrangement.draws[0].judged
        if self.policy.calibrated:
            key = (self.arrangement.name, self.study.best_score, self.policy.name)
            calibrated = self.study.thresholds[key]
            if calibrated.reason:
                return []
            thresholds = np.full(len(judged), calibrated.values[0])
            found = counts.at(calibrated.values[0])
        else:
            own = counts.flagged[self.policy.name]
            thresholds, found = own.thresholds, own.pixels
        errors = counts.totals[:, 1]
        f1 = 2 * found[:, 1] / np.maximum(found.sum(1) + errors, 1)
        order = [int(k) for k in np.argsort(-f1, kind="stable") if judged[k] and errors[k]]
        return [(row, float(thresholds[row]), float(f1[row])) for row in best_and_worst(order, self.number)]

    def _row(self, seen: Seen, threshold: float, f1: float) -> np.ndarray:
        plane = seen.planes[self.study.best_score]
        flagged = flags(plane, threshold, seen.predicted)
        palette = self.look.network.labels.palette
        shown = judgement(seen.image, seen.predicted, seen.truth, flagged)
        tiles = (seen.image, label_picture(seen.predicted, palette), colour_map(self._scaled(plane)), shown)
        valid = seen.truth != UNLABELLED
        wrong = valid & (seen.predicted != seen.truth)
        recall = (wrong & flagged).sum() / max(int(wrong.sum()), 1)
        share = (valid & flagged).sum() / max(int(valid.sum()), 1)
        title = (
            f"{seen.sample.name}: {100 * wrong.sum() / max(int(valid.sum()), 1):.1f} % misclassified, of these "
            f"{100 * recall:.0f} % flagged; {100 * share:.1f} % of the image flagged at {threshold:.3g}; "
            f"F1 {100 * f1:.0f} %"
        )
        return row_of(tiles, title)

    def _scaled(self, plane: np.ndarray) -> np.ndarray:
        """Scores in [0, 1], one scale for all images: 1 to 99.9 % of all pixels; 1 where logits were not finite."""
        edges = self.study.counts.scores[self.study.best_score].edges
        pixels = self.study.clean.curves[self.study.best_score].sum(0)
        share = np.cumsum(pixels) / max(int(pixels.sum()), 1)
        finite = np.isfinite(edges)
        low, high = (edges[finite][np.searchsorted(share[finite], level).clip(max=finite.sum() - 1)] for level in (
            0.01,
            0.999,
        ))  # fmt: skip
        return scaled(plane, low, high)


def shown_policy(s: Study, arrangement: Arrangement) -> NamedPolicy:
    """The policy with the best F1 on the best score, so one that flags neither almost nothing nor almost everything."""
    found = [o for o in s.clean.outcomes[arrangement.name] if o.score == s.best_score]
    f1 = [np.nan_to_num(np.mean(2 * o.recall * o.precision / np.maximum(o.recall + o.precision, 1e-9))) for o in found]
    return found[int(np.argmax(f1))].policy


def judgement(image: np.ndarray, predicted: np.ndarray, truth: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """The image in dim grey, with pixels coloured as ``CAUGHT``, ``MISSED`` and ``NEEDLESS``, void black.

    Args:
        image: (H, W, 3) uint8 RGB.
        predicted, truth: (H, W) uint8, 255 = none.
        flagged: (H, W) bool.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    grey = cv2.convertScaleAbs(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), alpha=0.6, beta=20)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    wrong = predicted != truth
    for mask, colour in ((wrong & flagged, CAUGHT), (wrong & ~flagged, MISSED), (~wrong & flagged, NEEDLESS)):
        picture[mask] = (0.25 * picture[mask] + 0.75 * np.array(colour)).astype(np.uint8)
    picture[truth == UNLABELLED] = 0
    return picture


def _header() -> np.ndarray:
    head = header(_CAPTIONS)
    left = len(_CAPTIONS) * (TILE + GAP)
    for colour, words in _LEGEND:
        head[11:24, left : left + 13] = colour
        left = write(head, words, left + 16, 10, 14, INK) + 6
    return head
