"""Parameters of ``~/trust_state``: how often it is said, how long reasons stay, and the limits of the image checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trust_seg_ros.node.parameter import AT_START, Parameter
from trust_seg_ros.trust_state.image_checks import ImageLimits
from trust_seg_ros.trust_state.reasons import REASONS

_LIMITS = ImageLimits()
_KEYS = "|".join(REASONS)


@dataclass(frozen=True)
class TrustStateSettings:
    """How the trust state is found and said.

    Attributes:
        rate_hz: messages a second while nothing changes.
        deadline_s: the longest time between two messages that the topic promises, in seconds.
        hold: how many times the time of its row a reason stays after it was last found.
        ignore: reasons that do not count.
        images: whether images are checked.
        limits: of the image checks.
    """

    rate_hz: float = 10.0
    deadline_s: float = 0.5
    hold: float = 1.0
    ignore: tuple[str, ...] = ()
    images: bool = True
    limits: ImageLimits = field(default_factory=ImageLimits)


_DEFAULT = TrustStateSettings()

TRUST_STATE_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "trust_state.rate_hz",
        _DEFAULT.rate_hz,
        "Messages a second on `~/trust_state` while nothing changes; a change is said at once.",
        AT_START,
        low=5.0,
        high=50.0,
    ),
    Parameter(
        "trust_state.deadline_ms",
        1e3 * _DEFAULT.deadline_s,
        "Deadline that `~/trust_state` offers: a longer silence means that the node cannot be trusted.",
        AT_START,
        low=250.0,
        high=10_000.0,
    ),
    Parameter(
        "trust_state.hold",
        _DEFAULT.hold,
        "How many times its usual time a reason stays after it was last found; 0: it goes at once.",
        low=0.0,
        high=100.0,
    ),
    Parameter(
        "trust_state.ignore",
        "",
        "Reasons that do not count, with spaces between, such as `frozen_camera settings`; docs/trust_state.md lists "
        "them.",
        pattern=rf"\s*(({_KEYS})(\s+|$))*",
        form="keys of reasons with spaces between, or empty",
    ),
    Parameter(
        "trust_state.image_checks",
        True,
        "Check every image that is read: black, over-exposed, blurred, covered.",
    ),
    Parameter(
        "trust_state.dark",
        _LIMITS.dark,
        "An image is black if 99 % of its pixels are at or below this, of 255.",
        low=0.0,
        high=255.0,
    ),
    Parameter(
        "trust_state.overexposed",
        _LIMITS.saturated,
        "An image is over-exposed from this white share on; 1.01: never. In its lower half about half as much is "
        "enough.",
        low=0.01,
        high=1.01,
    ),
    Parameter(
        "trust_state.blurred",
        _LIMITS.edge,
        "An image is blurred if its strongest edges are at most this steep: 1 = a step from one pixel to the next of "
        "a 640 pixels wide image, 0.125 = a ramp over 8 of them; 0: never.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "trust_state.covered",
        _LIMITS.covered,
        "The lens is covered if this share of the image shows nothing; 1.01: never. Below the sky about half as much "
        "is enough.",
        low=0.01,
        high=1.01,
    ),
)
"""The group ``trust_state``."""


def trust_state_settings(v: Mapping[str, Any]) -> TrustStateSettings:
    """The settings that these parameters give; limits without a parameter keep their ratio to the one that has."""
    white, soft, flat = (v[f"trust_state.{name}"] for name in ("overexposed", "blurred", "covered"))
    white_times, flat_times = white / _LIMITS.saturated, flat / _LIMITS.covered
    limits = ImageLimits(
        dark=v["trust_state.dark"],
        saturated=white,
        saturated_below=_LIMITS.saturated_below * white_times,
        saturated_most=_LIMITS.saturated_most * white_times,
        saturated_below_most=_LIMITS.saturated_below_most * white_times,
        edge=soft,
        edge_least=_LIMITS.edge_least * soft / _LIMITS.edge,
        covered=flat,
        covered_below=_LIMITS.covered_below * flat_times,
    )
    return TrustStateSettings(
        v["trust_state.rate_hz"],
        v["trust_state.deadline_ms"] / 1e3,
        v["trust_state.hold"],
        tuple(v["trust_state.ignore"].split()),
        v["trust_state.image_checks"],
        limits,
    )
