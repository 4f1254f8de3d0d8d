"""The parameters of thresholds and their policies; a part of the table in ``parameters.py``."""

from __future__ import annotations

from trust_seg_ros.node.parameter import AT_CONFIGURE, Parameter, listed
from trust_seg_ros.thresholds.policy_settings import ON_SHIFT
from trust_seg_ros.thresholds.settings import TARGET_POLICIES
from trust_seg_ros.thresholds.shift import ShiftSettings
from trust_seg_ros.uncertainty.perturbation_settings import STATISTICS, PerturbationSettings
from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES, PIXEL_SCORES, SCORES

_MAX_SCORE = 1e6
"""Thresholds are limited to it; no logit, energy or logarithm comes near."""
_LEAST = 1e-4
"""Smallest quantile, recall and alpha: ranges of ROS parameters include their ends, and 0 is none of these."""


def _quantile(prefix: str, default: float, what: str) -> Parameter:
    text = f"With `quantile`: what lies above is flagged, at most the share 1 - quantile of the {what}."
    return Parameter(f"{prefix}quantile", default, text, low=_LEAST, high=1.0)


def _k(prefix: str, what: str) -> Parameter:
    text = f"With `mean_std`: standard deviations above the mean of the {what}."
    return Parameter(f"{prefix}k", 2.0, text, low=0.0, high=100.0)


def _recall(prefix: str, what: str) -> Parameter:
    text = f"With `target_recall`: share of {what} of the calibration data to find."
    return Parameter(f"{prefix}recall", 0.95, text, low=_LEAST, high=1.0)


def _alpha(prefix: str, what: str) -> Parameter:
    text = f"With `conformal`: expected share of {what}; the smaller, the more calibration images it takes."
    return Parameter(f"{prefix}alpha", 0.05, text, low=_LEAST, high=1.0 - _LEAST)


_PIXEL = (
    Parameter(
        "thresholds.pixel_policy",
        "fixed",
        "What gives the threshold of `~/unreliable`'s single pixels: a number, each image itself, or the calibration "
        "(docs/thresholds.md). Refused where the calibration it needs is missing.",
        choices=TARGET_POLICIES["pixel"],
    ),
    Parameter(
        "thresholds.pixel",
        0.6,
        "With `fixed`: pixel score from which a pixel is flagged, in the unit of `thresholds.pixel_score`. 0.6 finds "
        "little: 7 % of the misclassified pixels of CamVid test with the entropy of the embedded network. To find a "
        "share of your choice, set `thresholds.pixel_policy` to `target_recall` or `conformal` and `calibration` to a "
        "file of `trust-seg calibrate`.",
        low=-_MAX_SCORE,
        high=_MAX_SCORE,
    ),
    Parameter(
        "thresholds.pixel_score",
        "entropy",
        "Score that the pixel threshold acts on; one that the configured network cannot give is refused. "
        f"{listed(PERTURBATION_SCORES)} ask the network `perturbation.passes` times more. `~/label_info` holds the "
        "threshold on `~/confidence`, which is 1 - entropy: 0 for any other score.",
        choices=PIXEL_SCORES,
    ),
    _quantile("thresholds.pixel_", 0.95, "image"),
    _k("thresholds.pixel_", "image's scores"),
    _recall("thresholds.pixel_", "the misclassified pixels"),
    _alpha("thresholds.pixel_", "an image's misclassified pixels that is missed"),
    Parameter(
        "thresholds.pixel_per_class",
        False,
        "With `target_recall`: each predicted class has its own threshold, where calibration saw enough of its errors.",
    ),
)

_PERTURBATION = (
    Parameter(
        "perturbation.passes",
        PerturbationSettings.passes,
        "With a `thresholds.pixel_score` of perturbed passes: how often the network is asked again. Refused where "
        "`max_age_ms` leaves no time for it; the answer names the largest number that fits.",
        low=2,
        high=64,
    ),
    Parameter(
        "perturbation.statistic",
        PerturbationSettings.statistic,
        "What is taken from the passes (docs/methods/perturbation.md).",
        choices=STATISTICS,
    ),
    Parameter(
        "perturbation.noise",
        PerturbationSettings.sigma,
        "With `input_noise`: standard deviation of the noise in grey levels.",
        low=0.1,
        high=255.0,
    ),
    Parameter(
        "perturbation.dropout",
        PerturbationSettings.dropout,
        "With `mc_dropout`: share of the last layer's input channels to drop; 0: the network's own dropout layers.",
        low=0.0,
        high=0.95,
    ),
)

_UNRELIABLE = (
    Parameter(
        "thresholds.unreliable_policy",
        "fixed",
        "What gives the threshold on P(false positive) of segments.",
        choices=TARGET_POLICIES["unreliable"],
    ),
    Parameter(
        "thresholds.unreliable",
        0.5,
        "With `fixed`: P(false positive) from which a segment is flagged.",
        low=0.0,
        high=1.0,
    ),
    _quantile("thresholds.unreliable_", 0.95, "image's segments"),
    _k("thresholds.unreliable_", "P(false positive) of the image's segments"),
    _recall("thresholds.unreliable_", "the wrong segments"),
    _alpha("thresholds.unreliable_", "an image's wrong segments that is missed"),
)

_OOD = (
    Parameter(
        "ood.score",
        "entropy",
        "Score that out-of-distribution segments are made from, connected pixels at or above the threshold; gradient "
        "scores are logarithms of norms. One that the configured network cannot give is refused.",
        choices=SCORES,
    ),
    Parameter(
        "ood.policy",
        "fixed",
        "What gives the threshold on `ood.score`; none is calibrated, as labelled data hold no unknown objects.",
        choices=TARGET_POLICIES["ood"],
    ),
    Parameter(
        "ood.threshold",
        0.7,
        "With `fixed`: score from which a pixel is out of distribution, in the unit of `ood.score`.",
        low=-_MAX_SCORE,
        high=_MAX_SCORE,
    ),
    _quantile("ood.", 0.99, "image"),
    _k("ood.", "image's scores"),
    Parameter("ood.min_size", 50, "Smallest out-of-distribution segment in pixels.", low=1, high=1 << 30),
    Parameter(
        "ood.meta_model",
        "auto",
        "What tells false alarms among out-of-distribution segments: `auto` (the shipped one for the embedded network, "
        "none for others), `none`, or a file of `trust-seg benchmark --save-meta`. It judges images of about the size "
        "that its file names (within a tenth); segments of others are kept unjudged.",
        AT_CONFIGURE,
    ),
    Parameter(
        "ood.meta_policy",
        "fixed",
        "What gives the threshold on P(OoD) of out-of-distribution segments.",
        choices=TARGET_POLICIES["ood_meta"],
    ),
    Parameter(
        "ood.meta_threshold",
        0.5,
        "With `fixed`: P(OoD) below which an out-of-distribution segment is discarded as a false alarm.",
        low=0.0,
        high=1.0,
    ),
    _recall("ood.meta_", "the unknown objects"),
    _alpha("ood.meta_", "an image's unknown objects that is missed"),
)

THRESHOLD_PARAMETERS: tuple[Parameter, ...] = (
    *_PIXEL,
    *_UNRELIABLE,
    Parameter(
        "thresholds.smoothing_s",
        0.0,
        "Time constant in seconds of thresholds that `quantile`, `mean_std` and `otsu` take from the image, in message "
        "time; 0: none.",
        low=0.0,
        high=3600.0,
    ),
    *_PERTURBATION,
    *_OOD,
    Parameter(
        "on_shift",
        "warn",
        "When the shift monitor fires: `warn`, or `conservative`, too: constant thresholds on pixels and on P(false "
        "positive) give way to the image's quantile where that is stricter.",
        choices=ON_SHIFT,
    ),
    Parameter(
        "shift.window_s",
        ShiftSettings.window_s,
        "Seconds of message time that the shift monitor compares with the calibration data.",
        low=0.1,
        high=3600.0,
    ),
    Parameter(
        "shift.level",
        ShiftSettings.level,
        "The p-value below which it fires: the share of false alarms among windows that are not shifted.",
        low=1e-9,
        high=0.5,
    ),
)
"""In the order of the documents."""
