"""Calibration of one score: its curves, and its means over the calibration images."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trust_seg_ros.thresholds.curves import CurveError, RecallCurve, RiskCurve
from trust_seg_ros.thresholds.group_curves import GroupCurves
from trust_seg_ros.types import Json


@dataclass(frozen=True)
class ScoreCalibration:
    """Calibration of one pixel score, or of one probability of segments.

    Attributes:
        recall: share of the errors (misclassified pixels, wrong segments, OoD objects) that a threshold finds; None
            if there were none.
        risk: mean share missed per image against the threshold.
        class_recall: (q,) the recall curve of each predicted class, None if none of it was misclassified; () for
            segments.
        frame_means: for each image the mean over the pixels with a finite score, in order of time as far as names
            tell; the shift monitor compares with them. () for segments.
        flagged: share of all labelled pixels (or segments), right and wrong, at or above the threshold; None if it
            was not counted.
        groups: risk curves by class, region and image; None for segments, and in older files.

    Raises:
        CurveError: a mean that is not finite.
    """

    recall: RecallCurve | None
    risk: RiskCurve
    class_recall: tuple[RecallCurve | None, ...] = ()
    frame_means: tuple[float, ...] = ()
    flagged: RecallCurve | None = None
    groups: GroupCurves | None = None

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.frame_means)):
            raise CurveError("means of frames: expected finite numbers")

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "recall": _json(self.recall),
            "risk": self.risk.to_json(),
            "class_recall": [_json(curve) for curve in self.class_recall],
            "frame_means": list(self.frame_means),
            "flagged": _json(self.flagged),
            **({} if self.groups is None else {"groups": self.groups.to_json()}),
        }

    @classmethod
    def from_json(cls, data: Json) -> ScoreCalibration:
        """Back from :meth:`to_json`; raises CurveError, KeyError, TypeError or ValueError if it is damaged."""
        return cls(
            _recall(data["recall"]),
            RiskCurve.from_json(data["risk"]),
            tuple(_recall(curve) for curve in data["class_recall"]),
            tuple(float(mean) for mean in data["frame_means"]),
            _recall(data.get("flagged")),
            None if data.get("groups") is None else GroupCurves.from_json(data["groups"]),
        )


def _json(curve: RecallCurve | None) -> Json | None:
    return None if curve is None else curve.to_json()


def _recall(data: Json | None) -> RecallCurve | None:
    return None if data is None else RecallCurve.from_json(data)
