"""The parameters of thresholds and their policies; a part of the table in ``parameters.py``."""

from __future__ import annotations

from trust_seg_ros.node.parameter import AT_CONFIGURE, Parameter, listed
from trust_seg_ros.thresholds.policies.auto import Auto
from trust_seg_ros.thresholds.policies.fixed import Fixed
from trust_seg_ros.thresholds.policies.registry import TARGET_POLICIES, parameters_of
from trust_seg_ros.thresholds.policies.settings import ON_SHIFT
from trust_seg_ros.thresholds.policies.target_recall import TargetRecall
from trust_seg_ros.thresholds.settings import MIN_SHARE
from trust_seg_ros.thresholds.shift import ShiftSettings
from trust_seg_ros.thresholds.targets import TARGETS
from trust_seg_ros.uncertainty.perturbation_settings import STATISTICS, PerturbationSettings
from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES, PIXEL_SCORES, SCORES

_STANDS_FOR = {TargetRecall.name: " or `auto`", Fixed.name: ", or `auto` without a calibration of the score"}
"""Policy -> when ``auto`` stands for it, on a target that has ``auto``."""


def _policy(target: str, text: str) -> Parameter:
    """The parameter that chooses a target's policy."""
    name, choices = TARGETS[target].parameter("policy"), TARGET_POLICIES[target]
    return Parameter(name, Auto.name if Auto.name in choices else Fixed.name, text, choices=choices)


def _declared(target: str) -> tuple[Parameter, ...]:
    """The parameters of all policies of a target, the constant first."""
    found = []
    for field, (policy, declared) in parameters_of(target).items():
        t = TARGETS[target]
        low, high = declared.range_for(t)
        auto = _STANDS_FOR.get(policy, "") if Auto.name in TARGET_POLICIES[target] else ""
        text = f"With `{policy}`{auto}: {declared.text_for(t)}"
        default, choices = declared.default_for(t), declared.choices
        found.append(Parameter(t.parameter(field), default, text, low=low, high=high, choices=choices))
    return tuple(found)


_PIXEL_CONSTANT, *_PIXEL_PARAMETERS = _declared("pixel")
_OOD_CONSTANT, *_OOD_PARAMETERS = _declared("ood")

_PIXEL = (
    _policy(
        "pixel",
        "Policy for the pixel threshold of `~/unreliable`: fixed, computed per image, or calibrated "
        "(docs/thresholds.md). `auto`: `target_recall` where the calibration holds the score, as the shipped ones do, "
        "else `fixed`; /diagnostics says which. Any other policy whose calibration is missing is refused.",
    ),
    _PIXEL_CONSTANT,
    Parameter(
        "thresholds.pixel_score",
        "entropy",
        "Score that the pixel threshold acts on; a score that the configured network cannot give is refused. "
        f"{listed(PERTURBATION_SCORES)} run the network `perturbation.passes` more times. `~/label_info` holds the "
        "threshold on `~/confidence`, which is 1 - entropy; for any other score it is 0.",
        choices=PIXEL_SCORES,
    ),
    *_PIXEL_PARAMETERS,
)

_PERTURBATION = (
    Parameter(
        "perturbation.passes",
        PerturbationSettings.passes,
        "With a `thresholds.pixel_score` of perturbed passes: number of further passes of the network. Refused if "
        "`perturbation.budget_ms` leaves no time for them; the error names the largest number that fits.",
        low=2,
        high=64,
    ),
    Parameter(
        "perturbation.budget_ms",
        0.0,
        "Perturbed passes with which a frame would take longer than this are refused; 0: no limit.",
        low=0.0,
        high=1e6,
    ),
    Parameter(
        "perturbation.statistic",
        PerturbationSettings.statistic,
        "Statistic computed from the passes (docs/methods/perturbation.md).",
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
    _policy("unreliable", "Policy for the threshold on P(false positive) of segments."),
    *_declared("unreliable"),
    Parameter(
        "thresholds.unreliable_min_share",
        MIN_SHARE,
        "Smallest segment that is flagged, as a share of the image: 0.0003 is 0.03 %, 52 pixels of a grid of 480×360. "
        "Smaller ones are specks, half of the flagged segments that flicker on films; 0: flag segments of any size. "
        "`target_recall` and `conformal` flag segments of any size, as they promise something about all of them. "
        "P(false positive) is published for every segment (`publish_all_segments`).",
        low=0.0,
        high=1.0,
    ),
)

_OOD = (
    Parameter(
        "ood.score",
        "entropy",
        "Score that finds out-of-distribution segments: connected pixels at or above the threshold. Gradient scores "
        "are logarithms of norms. A score that the configured network cannot give is refused.",
        choices=SCORES,
    ),
    _policy(
        "ood",
        "Policy for the threshold on `ood.score`. None is calibrated, as labelled data contain no unknown objects.",
    ),
    _OOD_CONSTANT,
    *_OOD_PARAMETERS,
    Parameter("ood.min_size", 50, "Smallest out-of-distribution segment that is kept, in pixels.", low=1, high=1 << 30),
    Parameter(
        "ood.meta_model",
        "auto",
        "Meta model that recognises false alarms among out-of-distribution segments: `auto` (the shipped one for the "
        "embedded network, none for others), `none`, or a file of `trust-seg benchmark --save-meta`. It judges "
        "segments on a grid of about the area that its file names, which is what `grid: fitted` gives; on other grids "
        "they are kept unjudged. A file of 0.1.0, which names no grid, judges images of about the size it names.",
        AT_CONFIGURE,
    ),
    _policy("ood_meta", "Policy for the threshold on P(OoD) of out-of-distribution segments."),
    *_declared("ood_meta"),
)

THRESHOLD_PARAMETERS: tuple[Parameter, ...] = (
    *_PIXEL,
    *_UNRELIABLE,
    Parameter(
        "thresholds.smoothing_s",
        0.0,
        "Time constant in seconds of message time for smoothing the thresholds that `quantile`, `mean_std` and `otsu` "
        "compute from the image; 0: no smoothing.",
        low=0.0,
        high=3600.0,
    ),
    *_PERTURBATION,
    *_OOD,
    Parameter(
        "on_shift",
        "warn",
        "What to do while the shift monitor fires. `warn`: warn in the diagnostics; `conservative`: also replace "
        "constant thresholds on pixels and on P(false positive) by the image's quantile where that is stricter.",
        choices=ON_SHIFT,
    ),
    Parameter(
        "shift.window_s",
        ShiftSettings.window_s,
        "The shift monitor counts the frames of this many seconds as one observation, until it has measured how long "
        "frames of the drive stay alike. A longer gap between frames starts a new drive.",
        low=0.1,
        high=3600.0,
    ),
    Parameter(
        "shift.level",
        ShiftSettings.level,
        "False alarms of the shift monitor to expect in 24 hours, at most; each start of a drive counts as one hour.",
        low=1e-9,
        high=0.5,
    ),
)
"""The rows for thresholds, in the order of docs/parameters.md."""
