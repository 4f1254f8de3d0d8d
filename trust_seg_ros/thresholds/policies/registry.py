"""Every threshold policy, one row each; docs/extending.md shows how to add one."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.thresholds.policies.adaptive import Adaptive
from trust_seg_ros.thresholds.policies.auto import Auto
from trust_seg_ros.thresholds.policies.base import Declared, Policy
from trust_seg_ros.thresholds.policies.conformal import Conformal
from trust_seg_ros.thresholds.policies.fixed import Fixed
from trust_seg_ros.thresholds.policies.mean_std import MeanStd
from trust_seg_ros.thresholds.policies.otsu import Otsu
from trust_seg_ros.thresholds.policies.quantile import Quantile
from trust_seg_ros.thresholds.policies.target_recall import TargetRecall
from trust_seg_ros.thresholds.targets import TARGETS


@dataclass(frozen=True)
class PolicyRow:
    """A policy and the targets it serves.

    Attributes:
        policy: its class; the class names the calibration that it needs.
        targets: keys of ``TARGETS``. Calibration curves of a pixel score say which misclassified pixels it finds,
            nothing about unknown objects, so no calibrated policy serves "ood". An image has a handful of OoD segments:
            too few for a per-image policy, so none serves "ood_meta". Only pixel scores have a shipped calibration,
            so "auto" serves "pixel"; labels tell which pixels are misclassified, so "adaptive" does, too.
    """

    policy: type[Policy]
    targets: tuple[str, ...]


POLICY_ROWS: tuple[PolicyRow, ...] = (
    PolicyRow(Auto, ("pixel",)),
    PolicyRow(Fixed, ("pixel", "unreliable", "ood", "ood_meta")),
    PolicyRow(Quantile, ("pixel", "unreliable", "ood")),
    PolicyRow(MeanStd, ("pixel", "unreliable", "ood")),
    PolicyRow(Otsu, ("pixel", "unreliable", "ood")),
    PolicyRow(TargetRecall, ("pixel", "unreliable", "ood_meta")),
    PolicyRow(Conformal, ("pixel", "unreliable", "ood_meta")),
    PolicyRow(Adaptive, ("pixel",)),
)

POLICIES: dict[str, type[Policy]] = {row.policy.name: row.policy for row in POLICY_ROWS}
"""Name -> policy."""
CALIBRATED = tuple(name for name, policy in POLICIES.items() if policy.needs)
"""Names of the policies that need calibration curves."""
UNCALIBRATED = tuple(name for name in POLICIES if name not in (*CALIBRATED, Auto.name, Adaptive.name))
"""Names of those that need none, nor labels while they run."""
TARGET_POLICIES: dict[str, tuple[str, ...]] = {
    target: tuple(row.policy.name for row in POLICY_ROWS if target in row.targets) for target in TARGETS
}
"""Target -> names of the policies that serve it."""


def parameters_of(target: str) -> dict[str, tuple[str, Declared]]:
    """Parameters of all policies that serve a target: field -> (name of the policy, declaration).

    Numbers come first, then words, then switches.
    """
    found = {
        field: (name, declared)
        for name in TARGET_POLICIES[target]
        for field, declared in POLICIES[name].declared().items()
        if declared.text_for(TARGETS[target])
    }
    return dict(sorted(found.items(), key=lambda item: (item[1][1].switch, bool(item[1][1].choices))))
