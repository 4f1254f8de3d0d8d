"""Threshold policies as words: ``quantile:0.95``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.thresholds.policies import (
    Calibrated,
    Conformal,
    Fixed,
    MeanStd,
    Otsu,
    Policy,
    PolicyError,
    Quantile,
    TargetRecall,
)
from trust_seg_ros.uncertainty.score_names import SOFTMAX_SCORES

_KINDS: dict[str, Callable[[float], Policy]] = {
    "fixed": Fixed,
    "quantile": Quantile,
    "mean_std": MeanStd,
    "target_recall": TargetRecall,
    "conformal": Conformal,
}


@dataclass(frozen=True)
class NamedPolicy:
    """A policy and how it is called in tables.

    Attributes:
        name: as typed, e.g. ``quantile:0.95``; ``SCORE=fixed:V`` is called ``fixed:V``.
        policy: of ``thresholds.policies``.
        score: the one score it is for; "" = all.
    """

    name: str
    policy: Policy
    score: str = ""

    @property
    def calibrated(self) -> bool:
        """Whether its threshold comes from calibration data."""
        return isinstance(self.policy, Calibrated)

    def fits(self, score: str) -> bool:
        """Whether it says anything about this score: a constant belongs to the unit of one score.

        A constant named without a score is for those of the softmax, which share the range [0, 1].
        """
        if self.score:
            return self.score == score
        return not isinstance(self.policy, Fixed) or score in SOFTMAX_SCORES


def parse_policy(word: str) -> NamedPolicy:
    """``otsu``, ``KIND:PARAMETER`` or ``SCORE=fixed:VALUE``.

    Raises:
        TrustStudyError: another word, or a parameter out of its range.
    """
    score, equals, rest = word.rpartition("=")
    kind, colon, text = rest.partition(":")
    if kind == "otsu" and not colon and not equals:
        return NamedPolicy(word, Otsu())
    if kind not in _KINDS or not colon or (equals and kind != "fixed"):
        raise TrustStudyError(
            f"--policy {word}: expected otsu, one of {', '.join(_KINDS)} with a parameter, for example quantile:0.95, "
            "or energy=fixed:-8"
        )
    try:
        return NamedPolicy(rest, _KINDS[kind](float(text)), score)
    except ValueError as error:  # PolicyError is one
        reason = error if isinstance(error, PolicyError) else f"{text!r} is not a number"
        raise TrustStudyError(f"--policy {word}: {reason}") from error


def parse_policies(words: Sequence[str], scores: Sequence[str]) -> tuple[NamedPolicy, ...]:
    """Several, none twice.

    Raises:
        TrustStudyError: as :func:`parse_policy`, or one is for a score that is not judged.
    """
    found = tuple(dict.fromkeys(parse_policy(word) for word in words))
    for policy in found:
        if policy.score and policy.score not in scores:
            raise TrustStudyError(
                f"--policy {policy.score}={policy.name}: that score is not judged; expected one of {', '.join(scores)}"
                f"{did_you_mean(policy.score, scores)}"
            )
    return found
