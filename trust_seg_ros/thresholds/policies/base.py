"""Base classes of threshold policies, and the declaration of their parameters.

A policy gives one number from the scores of an image or from calibration curves; scores at or above it are flagged, so
a lower number is stricter.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.thresholds.policies.groupings import ALL, CLASS

if TYPE_CHECKING:
    import numpy as np
    import torch

    from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve
    from trust_seg_ros.thresholds.group_curves import GroupCurves
    from trust_seg_ros.thresholds.targets import Target

_LEAST = 1e-4
"""Ranges of ROS parameters include their ends; if a range excludes an end, the parameter stays this far from it."""


class PolicyError(TrustSegError, ValueError):
    """A policy, or a parameter of one, cannot be used."""


class CurvesNeededError(PolicyError):
    """A calibrated policy lacks the curves that it reads its threshold from."""


class Curve(Protocol):
    """A calibration curve: gives the threshold for a promised recall or risk."""

    def threshold(self, wanted: float, /) -> float:
        """The largest threshold that keeps the promise."""


@dataclass(frozen=True)
class Curves:
    """Calibration curves of one score.

    Attributes:
        recall: share of misclassified pixels found against the threshold.
        risk: mean share missed against the threshold.
        class_recall: the recall curve of each predicted class; None, or left out at the end, if there is none.
        groups: risk curves by class, region and image; None if there are none.
    """

    recall: RecallCurve | None = None
    risk: RiskCurve | None = None
    class_recall: Sequence[RecallCurve | None] = ()
    groups: GroupCurves | None = None

    def get(self, name: str) -> Curve | None:
        """The curve that :attr:`Policy.needs` names; None if there is none."""
        return self.recall if name == "recall" else self.risk if name == "risk" else None


@dataclass(frozen=True)
class Declared:
    """One parameter of a policy, besides its name.

    Attributes:
        default: a number, False for a switch, or one of the choices.
        text: a sentence, in which {whole}, {scores} and {errors} stand for words of the target; or target -> sentence,
            if other targets do not have the parameter.
        low, high: smallest and largest value, both included unless open.
        open_low, open_high: whether this end does not belong to the range.
        expected: the range in words, for errors; "" = in mathematical notation.
        defaults: target -> default of the node's parameter, if it differs.
        choices: the words that it can be; () = a number or a switch.
    """

    default: float | str
    text: str | Mapping[str, str]
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    expected: str = ""
    defaults: Mapping[str, float] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    @property
    def switch(self) -> bool:
        """Whether it is on or off rather than a number."""
        return isinstance(self.default, bool)

    @property
    def number(self) -> bool:
        """Whether it is a number."""
        return not self.switch and not self.choices

    def check(self, name: str, value: object) -> None:
        """Refuse a number out of range, anything that is not a number, or a word that is not among the choices.

        Raises:
            PolicyError: the text names the value and what was expected.
        """
        if self.choices and value not in self.choices:
            raise PolicyError(
                f"{name} = {value!r}: expected one of {', '.join(self.choices)}{did_you_mean(value, self.choices)}"
            )
        if not self.number:
            return
        span = f"{'(' if self.open_low else '['}{self.low:g}, {self.high:g}{')' if self.open_high else ']'}"
        expected = self.expected or f"a number in {span}"
        check_number(name, value, self.low, self.high, expected, open_low=self.open_low, open_high=self.open_high)

    def text_for(self, target: Target) -> str:
        """The text for a target; "" if the target does not have the parameter."""
        text = self.text if isinstance(self.text, str) else self.text.get(target.name, "")
        return text.format(whole=target.whole, scores=target.scores, errors=target.errors)

    def default_for(self, target: Target) -> float | str:
        """Default of the node's parameter."""
        return self.defaults.get(target.name, self.default)

    def range_for(self, target: Target) -> tuple[float | None, float | None]:
        """Smallest and largest value of the node's parameter; (None, None) for a switch or a word."""
        if not self.number:
            return None, None
        low = self.low + _LEAST * self.open_low if math.isfinite(self.low) else target.low
        high = self.high - _LEAST * self.open_high if math.isfinite(self.high) else target.high
        return low, high


def parameter(
    default: float | str, text: str | Mapping[str, str], low: float = -math.inf, high: float = math.inf, **more: Any
) -> Any:
    """A dataclass field of a policy that users can set; arguments as the attributes of :class:`Declared`."""
    return field(default=default, metadata={"declared": Declared(default, text, low, high, **more)})


@dataclass(frozen=True)
class About:
    """One row of the table in docs/thresholds.md, and a line of ``trust-seg trust --help``.

    Attributes:
        threshold: what the threshold is.
        choose: when to choose the policy.
        beware: what it cannot do.
    """

    threshold: str
    choose: str
    beware: str


@dataclass(frozen=True)
class Policy(ABC):
    """Base of :class:`PerImage`, :class:`Calibrated` and ``Fixed``. Fields are made by :func:`parameter`.

    Attributes:
        name: as users write it.
        about: texts for the documentation.
        needs: the calibration curve that it reads, "recall" or "risk"; "" = none.
        judged: values of the first field that ``trust-seg trust`` judges if no policy is named; () = its default.
        void_on_shift: what it promises no longer once the data have shifted, in words; "" = it promises nothing.
        holds_on_shift: what holds of it nevertheless, in words.

    Raises:
        PolicyError: a value is out of its range.
    """

    name: ClassVar[str]
    about: ClassVar[About]
    needs: ClassVar[str] = ""
    judged: ClassVar[tuple[float, ...]] = ()
    void_on_shift: ClassVar[str] = ""
    holds_on_shift: ClassVar[str] = "flags by the image alone, as before"

    def __post_init__(self) -> None:
        for name, declared in self.declared().items():
            declared.check(name, getattr(self, name))

    @classmethod
    def declared(cls) -> dict[str, Declared]:
        """Field -> its declaration."""
        return {f.name: f.metadata["declared"] for f in fields(cls)}

    @property
    def class_recall(self) -> float | None:
        """Share of errors to be found in each predicted class separately; None = one threshold for all classes."""
        return None

    @property
    def by(self) -> str:
        """What the threshold is separate for, one of ``GROUPINGS``."""
        return ALL if self.class_recall is None else CLASS

    def describe(self) -> str:
        """The policy and its parameters in a few words."""
        words = [f"{name} = {getattr(self, name):g}" for name, d in self.declared().items() if d.number]
        return " ".join((self.name, ", ".join(words))).strip()


@dataclass(frozen=True)
class PerImage(Policy):
    """A policy that computes its threshold from the image."""

    @abstractmethod
    def of_image(self, scores: np.ndarray, threads: int | None) -> float:
        """The threshold for the scores of one image.

        Args:
            scores: (H, W) float32, or (n,) float64 of segments. The policy must leave out values that are not finite.
            threads: how many threads may work; None for one per core, at most 8.

        Returns:
            In the unit of the score; +inf without a finite score. Never NaN.
        """

    def of_device(self, scores: torch.Tensor, classes: torch.Tensor | None) -> float | None:
        """The same for a score map that lies on a GPU; None: there are no kernels, copy it.

        Args:
            scores: (H, W) float32.
            classes: (H, W) uint8; pixels without a class do not count.
        """
        return None


@dataclass(frozen=True)
class Calibrated(Policy):
    """A policy that reads its constant from the calibration curve that ``needs`` names."""

    @property
    @abstractmethod
    def promise(self) -> float:
        """The recall, or the largest risk, that the threshold must keep."""

    def of_curve(self, curve: Curve) -> float:
        """The threshold; -inf if no threshold of the curve is strict enough."""
        return float(curve.threshold(self.promise))


def check_number(
    name: str,
    value: object,
    low: float,
    high: float,
    expected: str,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Refuse anything but a number from ``low`` to ``high``, each end included unless open.

    Raises:
        PolicyError: the text names the value and what was expected.
    """
    number: Any = value if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    fits = low <= number <= high  # no NaN
    if not fits or (open_low and value == low) or (open_high and value == high):
        raise PolicyError(f"{name} = {value!r}: expected {expected}")
