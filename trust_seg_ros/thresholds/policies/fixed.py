"""Policy ``fixed``."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.thresholds.policies.base import About, Policy, parameter


@dataclass(frozen=True)
class Fixed(Policy):
    """A constant.

    Attributes:
        value: in the unit of the score; infinite: nothing or everything is flagged.

    Raises:
        PolicyError: the value is NaN.
    """

    name = "fixed"
    about = About(
        threshold="that number",
        choose="you know the score and the camera; the simplest to explain",
        beware="says nothing about errors; another network or camera needs another number",
    )
    judged = (0.6,)
    holds_on_shift = "the threshold is the constant that was set, which promises nothing"

    value: float = parameter(
        0.6,
        {
            "pixel": "pixel score from which a pixel is flagged, in the unit of `thresholds.pixel_score`. 0.6 finds "
            "little: 13 % of the misclassified pixels of CamVid test with the entropy of the embedded network.",
            "unreliable": "P(false positive) from which a segment is flagged.",
            "ood": "score from which a pixel is out of distribution, in the unit of `ood.score`; -1e6: the threshold "
            "that the OoD meta model of this score was fitted at. Without such a model it is 0.7, the paper's for the "
            "entropy, for scores of the softmax (with a warning in /diagnostics for others than the entropy); any "
            "other score needs a number of its own or another policy: as a start value -1e6 is refused then, and "
            "until one is set no pixel is out of distribution.",
            "ood_meta": "P(OoD) below which an out-of-distribution segment is discarded as a false alarm; -1: the "
            "threshold that the file of the meta model names, 0.5 if it names none. Segments whose metrics lie outside "
            "the range that the model was fitted on are never discarded.",
        },
        expected="a number in the unit of the score",
        defaults={"unreliable": 0.5, "ood": -1e6, "ood_meta": -1.0},
    )

    def describe(self) -> str:
        """The name alone: the number is shown beside it."""
        return self.name
