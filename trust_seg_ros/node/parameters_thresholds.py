"""The parameters of thresholds and their policies; a part of the table in ``parameters.py``."""

from __future__ import annotations

from trust_seg_ros.node.parameter import AT_CONFIGURE, Parameter, listed
from trust_seg_ros.thresholds.policies.registry import TARGET_POLICIES, parameters_of
from trust_seg_ros.thresholds.policies.settings import ON_SHIFT
from trust_seg_ros.thresholds.shift import ShiftSettings
from trust_seg_ros.thresholds.targets import TARGETS
from trust_seg_ros.uncertainty.perturbation_settings import STATISTICS, PerturbationSettings
from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES, PIXEL_SCORES, SCORES


def _policy(target: str, text: str) -> Parameter:
    """The parameter that chooses the policy of a target."""
    name = TARGETS[target].parameter("policy")
    return Parameter(name, "fixed", text, choices=TARGET_POLICIES[target])


def _declared(target: str) -> tuple[Parameter, ...]:
    """The parameters of all policies of a target, the constant first."""
    found = []
    for field, (policy, declared) in parameters_of(target).items():
        t = TARGETS[target]
        low, high = declared.range_for(t)
        text = f"With `{policy}`: {declared.text_for(t)}"
        found.append(Parameter(t.parameter(field), declared.default_for(t), text, low=low, high=high))
    return tuple(found)


_PIXEL_CONSTANT, *_PIXEL_PARAMETERS = _declared("pixel")
_OOD_CONSTANT, *_OOD_PARAMETERS = _declared("ood")

_PIXEL = (
    _policy(
        "pixel",
        "What gives the threshold of `~/unreliable`'s single pixels: a number, each image itself, or the calibration "
        "(docs/thresholds.md). Refused where the calibration it needs is missing.",
    ),
    _PIXEL_CONSTANT,
    Parameter(
        "thresholds.pixel_score",
        "entropy",
        "Score that the pixel threshold acts on; one that the configured network cannot give is refused. "
        f"{listed(PERTURBATION_SCORES)} ask the network `perturbation.passes` times more. `~/label_info` holds the "
        "threshold on `~/confidence`, which is 1 - entropy: 0 for any other score.",
        choices=PIXEL_SCORES,
    ),
    *_PIXEL_PARAMETERS,
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
    _policy("unreliable", "What gives the threshold on P(false positive) of segments."),
    *_declared("unreliable"),
)

_OOD = (
    Parameter(
        "ood.score",
        "entropy",
        "Score that out-of-distribution segments are made from, connected pixels at or above the threshold; gradient "
        "scores are logarithms of norms. One that the configured network cannot give is refused.",
        choices=SCORES,
    ),
    _policy(
        "ood", "What gives the threshold on `ood.score`; none is calibrated, as labelled data hold no unknown objects."
    ),
    _OOD_CONSTANT,
    *_OOD_PARAMETERS,
    Parameter("ood.min_size", 50, "Smallest out-of-distribution segment in pixels.", low=1, high=1 << 30),
    Parameter(
        "ood.meta_model",
        "auto",
        "What tells false alarms among out-of-distribution segments: `auto` (the shipped one for the embedded network, "
        "none for others), `none`, or a file of `trust-seg benchmark --save-meta`. It judges images of about the size "
        "that its file names (within a tenth); segments of others are kept unjudged.",
        AT_CONFIGURE,
    ),
    _policy("ood_meta", "What gives the threshold on P(OoD) of out-of-distribution segments."),
    *_declared("ood_meta"),
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
