"""The user's settings of one threshold: the policy, and the parameters of all policies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Any

from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.thresholds.policies.base import Policy, PolicyError, check_number
from trust_seg_ros.thresholds.policies.groupings import CLASS, REGION
from trust_seg_ros.thresholds.policies.registry import POLICIES

ON_SHIFT = ("warn", "conservative")
"""What happens when the shift monitor fires."""


@dataclass(frozen=True)
class _Choice:
    """Base of :class:`PolicySettings`, without the parameters of policies."""

    if TYPE_CHECKING:
        policy: str
        smoothing_s: float
        on_shift: str

    def __post_init__(self) -> None:
        for name, choices in (("policy", POLICIES), ("on_shift", ON_SHIFT)):
            check_choice(name, getattr(self, name), choices)
        for policy in POLICIES.values():
            self._made(policy)
        check_number(
            "smoothing_s", self.smoothing_s, 0.0, math.inf, "seconds, at least 0 (0 = no smoothing)", open_high=True
        )

    @property
    def chosen(self) -> Policy:
        """The policy in use with its parameters."""
        return self._made(POLICIES[self.policy])

    @property
    def calibrated(self) -> bool:
        """Whether the policy needs calibration curves."""
        return bool(POLICIES[self.policy].needs)

    @property
    def by_class(self) -> bool:
        """Whether each predicted class has its own threshold."""
        return self.chosen.by == CLASS

    @property
    def within_image(self) -> bool:
        """Whether pixels of one image have different thresholds."""
        return self.chosen.by in (CLASS, REGION)

    def describe(self) -> str:
        """The policy and its parameters in a few words, for diagnostics."""
        return self.chosen.describe()

    def _made(self, policy: type[Policy]) -> Policy:
        return policy(**{name: getattr(self, name) for name in policy.declared()})


def check_choice(name: str, value: object, choices: Iterable[str], error: type[Exception] = PolicyError) -> None:
    """Refuse a value that is not among the choices; the text lists them and names the nearest."""
    known = tuple(choices)
    if value not in known:
        raise error(f"{name} = {value!r}: expected one of {', '.join(known)}{did_you_mean(value, known)}")


if TYPE_CHECKING:

    class PolicySettings(_Choice):
        """For the type checker: parameters of policies are attributes, whichever policies there are."""

        def __init__(
            self, policy: str = "fixed", *, smoothing_s: float = 0.0, on_shift: str = "warn", **parameters: float | str
        ) -> None: ...

        def __getattr__(self, name: str) -> float: ...

else:
    _PARAMETERS: list[tuple[str, Any, Any]] = [
        (name, type(declared.default), field(default=declared.default))
        for policy in POLICIES.values()
        for name, declared in policy.declared().items()
    ]
    # two policies with a parameter of the same name are refused here: "Field name duplicated"
    PolicySettings = make_dataclass(
        "PolicySettings",
        [
            ("policy", str, field(default="fixed")),
            *(parameter for parameter in _PARAMETERS if parameter[1] not in (bool, str)),
            ("smoothing_s", float, field(default=0.0)),
            *(parameter for parameter in _PARAMETERS if parameter[1] is bool),
            ("on_shift", str, field(default="warn")),
            *(parameter for parameter in _PARAMETERS if parameter[1] is str),
        ],
        bases=(_Choice,),
        namespace={"__module__": __name__},
        frozen=True,
    )
    PolicySettings.__doc__ = """The policy of one threshold.

    Parameters of policies not in use are kept and checked, so that they can be set in any order.

    Attributes:
        policy: a key of ``POLICIES``.
        value, quantile, k, recall, per_class, alpha, conformal_by: fields of the policies, as their classes describe
            them. on_shift = conservative uses ``quantile``, too.
        smoothing_s: time constant in seconds for thresholds computed from the image, 0 = no smoothing. Constants are
            not smoothed: a new one acts at once.
        on_shift: "warn", or "conservative": while the data no longer resemble the calibration data, the threshold is
            the stricter of the constant and the image's quantile. Per-image policies do not change.

    Raises:
        PolicyError: a value is outside its range; the text names it and what was expected.
    """
