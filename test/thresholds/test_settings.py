"""Settings of thresholds: constants and policies, their ranges, and what is refused."""

import pickle
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from trust_seg_ros.thresholds import PolicySettings, ThresholdError, ThresholdSettings
from trust_seg_ros.thresholds.policies import POLICIES, MeanStd
from trust_seg_ros.thresholds.policies.registry import TARGET_POLICIES, parameters_of
from trust_seg_ros.thresholds.settings import OF_MODEL
from trust_seg_ros.thresholds.targets import TARGETS


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("unreliable", 1.01),
        ("ood_meta", -0.1),
        ("pixel", float("nan")),
        ("ood", float("nan")),
        ("pixel_score", "entropie"),
        ("ood_score", "softmax"),
        ("ood_min_size", 0),
        ("unreliable_min_share", -0.1),
        ("unreliable_min_share", 1.5),
        ("unreliable_min_share", float("nan")),
    ],
)
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(ThresholdError, match=f"{field} = .*{value}"):
        ThresholdSettings.constants(**{field: value})


def test_constants_are_settings_whose_policies_are_fixed():
    found = ThresholdSettings.constants(unreliable=0.3, pixel=0.2, pixel_score="margin", ood=0.25, ood_min_size=7)
    assert {target: policy.describe() for target, policy in found.policies.items()} == dict.fromkeys(TARGETS, "fixed")
    assert [policy.value for policy in found.policies.values()] == [0.2, 0.3, 0.25, OF_MODEL]
    assert (found.pixel_score, found.ood_score, found.ood_min_size) == ("margin", "entropy", 7)
    fixed = ThresholdSettings().with_policy("pixel", policy="fixed", recall=0.95)
    assert ThresholdSettings.constants() == fixed


def test_calibrated_policies_flag_segments_of_any_size():
    settings = ThresholdSettings(unreliable_min_share=0.01)
    assert settings.min_share == 0.01
    assert settings.with_policy("unreliable", policy="otsu").min_share == 0.01
    for calibrated in ("target_recall", "conformal"):
        assert settings.with_policy("unreliable", policy=calibrated).min_share == 0.0


def test_equal_constants_are_one_object_so_that_frames_compare_nothing():
    assert ThresholdSettings.constants(pixel=0.31) is ThresholdSettings.constants(pixel=0.31)
    assert ThresholdSettings.constants(pixel=0.31) is not ThresholdSettings.constants(pixel=0.32)


@pytest.mark.parametrize(
    ("make", "near"),
    [
        (lambda: PolicySettings("quantil"), "did you mean quantile?"),
        (lambda: PolicySettings("target_recal"), "did you mean target_recall?"),
        (lambda: PolicySettings(on_shift="warning"), "did you mean warn?"),
        (lambda: ThresholdSettings(pixel_score="entropie"), "did you mean entropy?"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(make, near):
    with pytest.raises(ValueError, match="expected one of") as error:
        make()
    assert near in str(error.value)


def test_settings_of_a_policy_are_plain_data():
    settings = PolicySettings("target_recall", recall=0.7, per_class=True, smoothing_s=2.0)
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert hash(replace(settings, recall=0.7)) == hash(settings)
    assert replace(settings, policy="mean_std", k=3.0).chosen == MeanStd(3.0)
    assert asdict(settings) == {
        **asdict(PolicySettings()), "policy": "target_recall", "recall": 0.7, "per_class": True, "smoothing_s": 2.0
    }  # fmt: skip
    assert settings.by_class
    assert not replace(settings, policy="conformal").by_class
    with pytest.raises(TypeError, match="wishes"):
        PolicySettings(wishes=1.0)


def test_every_parameter_of_a_policy_can_be_set_on_the_targets_that_the_policy_serves():
    for target, policies in TARGET_POLICIES.items():
        found = parameters_of(target)
        for policy in policies:
            own = {field for field, (owner, _) in found.items() if owner == policy}
            numbers = {field for field, declared in POLICIES[policy].declared().items() if declared.number}
            assert numbers <= own
        for declared in (declared for _, declared in found.values() if declared.number):
            low, high = declared.range_for(TARGETS[target])
            declared.check("lowest", low)
            declared.check("highest", high)
            assert low <= declared.default_for(TARGETS[target]) <= high


def test_policies_are_listed_without_loading_torch_or_numba():
    """As ``trust-seg trust --help`` does."""
    code = (
        "import sys, trust_seg_ros.thresholds.policies as p; print(*p.POLICIES, *{'torch', 'numba'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.split() == list(POLICIES)
