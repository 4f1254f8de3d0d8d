"""What a drive refuses, and how it says so."""

import pytest

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive, SyntheticDriveError, training_sample


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"size": (0, 640)}, r"\(0, 640\)"),
        ({"size": (384, 100000)}, "100000"),
        ({"size": (384.0, 640)}, r"384\.0"),
        ({"size": 640}, "640"),
        ({"size": (1, 2, 3)}, r"\(1, 2, 3\)"),
        ({"seed": -1}, "-1"),
        ({"seed": 1.5}, r"1\.5"),
        ({"seed": True}, "True"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": float("nan")}, "nan"),
        ({"weather": "hail"}, "hail.*overcast"),
        ({"unknowns": ("unicorn",)}, "unicorn.*deer"),
        ({"unknowns": "deer"}, "expected a tuple"),
        ({"unknown_rate": -0.1}, r"-0\.1"),
        ({"noise": float("inf")}, "inf"),
        ({"traffic": "much"}, "much"),
        ({"speed": 1000}, "1000"),
    ],
)
def test_a_wrong_setting_is_named(wrong, named):
    with pytest.raises(SyntheticDriveError, match=named):
        DriveSettings(**wrong)


@pytest.mark.parametrize("index", [-1, 0.5, True, "3"])
def test_a_wrong_frame_number_is_named(index):
    with pytest.raises(SyntheticDriveError, match=r"frame index is .*expected an integer >= 0"):
        SyntheticDrive(DriveSettings(size=(32, 32))).frame(index)


def test_a_training_sample_checks_as_settings_do():
    with pytest.raises(TrustSegError, match="size"):
        training_sample(0, (3, 3))


def test_none_means_every_kind_and_empty_means_no_kind():
    assert len(DriveSettings().kinds) >= 10
    assert DriveSettings(unknowns=()).kinds == ()
