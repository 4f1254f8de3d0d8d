"""Threshold policies as words: ``quantile:0.95``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.thresholds.policies.base import Calibrated, Policy, PolicyError
from trust_seg_ros.thresholds.policies.fixed import Fixed
from trust_seg_ros.thresholds.policies.registry import CALIBRATED, POLICIES, UNCALIBRATED


def main_parameter(policy: type[Policy]) -> str:
    """Name of the parameter given in a word, i.e. the first number of a policy; "" if it has none."""
    return next((name for name, declared in policy.declared().items() if declared.number), "")


_JUDGED = {name: POLICIES[name] for name in (*UNCALIBRATED, *CALIBRATED)}  # without auto, which stands for another
_WITH_NUMBER = tuple(name for name, policy in _JUDGED.items() if main_parameter(policy))
_ALONE = tuple(name for name in _JUDGED if name not in _WITH_NUMBER)


def _judged(policy: type[Policy]) -> tuple[str, ...]:
    name = main_parameter(policy)
    if not name:
        return (policy.name,)
    return tuple(f"{policy.name}:{value:g}" for value in policy.judged or (policy.declared()[name].default,))


DEFAULTS = tuple(word for policy in _JUDGED.values() for word in _judged(policy))
"""Policies judged by default: the node's defaults, and some with a parameter that flags more or less."""


def policy_lines() -> str:
    """Every policy with its threshold, one line each, for --help."""
    words = {
        policy: name + (f":{main_parameter(policy).upper()}" if name in _WITH_NUMBER else "")
        for name, policy in _JUDGED.items()
    }
    width = max(map(len, words.values())) + 2
    return "".join(f"  {word:{width}}{policy.about.threshold.replace('*', '')}\n" for policy, word in words.items())


@dataclass(frozen=True)
class NamedPolicy:
    """A policy and its name in tables.

    Attributes:
        name: as typed, e.g. ``quantile:0.95``; ``SCORE=fixed:V`` is named ``fixed:V``.
        policy: a policy of ``thresholds.policies``.
        score: the only score it applies to; "" = all.
    """

    name: str
    policy: Policy
    score: str = ""

    @property
    def calibrated(self) -> bool:
        """Whether its threshold comes from calibration data."""
        return isinstance(self.policy, Calibrated)

    def fits(self, score: str) -> bool:
        """Whether it applies to this score: a constant is in the unit of one score.

        A constant named without a score applies to the softmax scores, which share the range [0, 1].
        """
        if self.score:
            return self.score == score
        if not isinstance(self.policy, Fixed):
            return True
        from trust_seg_ros.uncertainty.score_names import SOFTMAX_SCORES  # loads torch; --help reads this file

        return score in SOFTMAX_SCORES


def parse_policy(word: str) -> NamedPolicy:
    """Parse ``otsu``, ``KIND:PARAMETER`` or ``SCORE=fixed:VALUE``.

    Raises:
        TrustStudyError: another word, or a parameter out of its range.
    """
    score, equals, rest = word.rpartition("=")
    kind, colon, text = rest.partition(":")
    if kind in _ALONE and not colon and not equals:
        return NamedPolicy(word, _JUDGED[kind]())
    if kind not in _WITH_NUMBER or not colon or (equals and kind != Fixed.name):
        raise TrustStudyError(
            f"--policy {word}: expected {', '.join(_ALONE)}, one of {', '.join(_WITH_NUMBER)} with a parameter, for "
            f"example quantile:0.95, or energy=fixed:-8{'' if kind in _JUDGED else did_you_mean(kind, _JUDGED)}"
        )
    policy = _JUDGED[kind]
    try:
        return NamedPolicy(rest, policy(**{main_parameter(policy): float(text)}), score)
    except ValueError as error:  # PolicyError is one
        reason = error if isinstance(error, PolicyError) else f"{text!r} is not a number"
        raise TrustStudyError(f"--policy {word}: {reason}") from error


def parse_policies(words: Sequence[str], scores: Sequence[str]) -> tuple[NamedPolicy, ...]:
    """Parse several policies; duplicates are dropped.

    Raises:
        TrustStudyError: as :func:`parse_policy`, or a policy is for a score that is not judged.
    """
    found = tuple(dict.fromkeys(parse_policy(word) for word in words))
    for policy in found:
        if policy.score and policy.score not in scores:
            raise TrustStudyError(
                f"--policy {policy.score}={policy.name}: that score is not judged; expected one of {', '.join(scores)}"
                f"{did_you_mean(policy.score, scores)}"
            )
    return found
