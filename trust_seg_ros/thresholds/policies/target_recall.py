"""Policy ``target_recall``."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.thresholds.policies.base import About, Calibrated, parameter

PIXEL_RECALL = 0.8
"""Share of the misclassified pixels to find by default. On CamVid each further point costs pixels that are hardly more
often wrong than any pixel: docs/results/trust.md."""
_FIND = "share of the {errors} of the calibration data to find."


@dataclass(frozen=True)
class TargetRecall(Calibrated):
    """The constant that finds this share of the misclassified pixels of the calibration data.

    Attributes:
        recall: in (0, 1].
        per_class: a threshold for each predicted class.

    Raises:
        PolicyError: ``recall`` is out of range.
    """

    name = "target_recall"
    about = About(
        threshold="the constant that finds this share of all errors of the calibration data",
        choose="missing errors is what costs, and there is labelled data",
        beware="a mean over pixels: images with many errors count most; no guarantee for new images",
    )
    needs = "recall"
    judged = (0.95, PIXEL_RECALL)
    void_on_shift = "the share of errors that it finds is not known"
    holds_on_shift = "the threshold is the constant that it was"

    recall: float = parameter(
        0.95,
        {
            "pixel": _FIND
            + f" The default, {PIXEL_RECALL:g}, flags 25 % of the pixels of CamVid test with the embedded "
            "network, 32 % of which are misclassified; docs/results/trust.md says what it finds elsewhere.",
            "unreliable": _FIND,
            "ood_meta": _FIND,
        },
        0.0,
        1.0,
        open_low=True,
        defaults={"pixel": PIXEL_RECALL},
    )
    per_class: bool = parameter(
        False,
        {"pixel": "each predicted class gets its own threshold, if the calibration data hold enough of its errors."},
    )

    @property
    def promise(self) -> float:
        """The recall."""
        return self.recall

    @property
    def class_recall(self) -> float | None:
        """The same recall for each class, if ``per_class`` is set."""
        return self.recall if self.per_class else None

    def describe(self) -> str:
        """For example ``target_recall 0.95 per class``."""
        return f"{self.name} {self.recall:g}" + (" per class" if self.per_class else "")
