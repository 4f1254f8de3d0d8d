"""What is said of thresholds once the data have shifted."""

from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.policies.registry import POLICIES
from trust_seg_ros.thresholds.promises import promises
from trust_seg_ros.thresholds.targets import TARGETS


def test_calibrated_thresholds_lose_what_they_promise():
    found = promises(
        ThresholdSettings(
            pixel=PolicySettings("target_recall", recall=0.8), ood_meta=PolicySettings("conformal", alpha=0.1)
        )
    )
    assert found.void == (
        "pixel flags target_recall 0.8: the share of errors that it finds is not known",
        "OoD segments conformal alpha = 0.1: more than alpha of the errors may be missed",
    )
    assert len(found.holds) == len(TARGETS)
    assert found.holds[0] == "pixel flags target_recall 0.8: the threshold is the constant that it was"


def test_constants_and_policies_of_the_image_promise_nothing():
    found = promises(ThresholdSettings(pixel=PolicySettings("quantile", quantile=0.9)))
    assert found.void == ()
    assert found.holds[0] == "pixel flags quantile 0.9: flags by the image alone, as before"
    assert "which promises nothing" in found.holds[1]


def test_conservative_thresholds_say_what_acts_now():
    found = promises(ThresholdSettings(pixel=PolicySettings("conformal", on_shift="conservative", quantile=0.95)))
    assert found.holds[0].endswith("the stricter of the constant and the image's quantile 0.95 acts now")


def test_every_policy_says_what_holds():
    assert all(policy.holds_on_shift for policy in POLICIES.values())
