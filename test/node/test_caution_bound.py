import numpy as np
import pytest

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.caution_settings import CautionSettings
from trust_seg_ros.ground.hazard_bound import HazardBound, HazardBoundError, MapConditions
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.roles import ClassRoles
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.node.caution_bound import CautionBound
from trust_seg_ros.thresholds.calibration import Calibration
from trust_seg_ros.thresholds.curves import RiskCurve

NAMES = ("Road", "Car", "Sky")
ROLES = ClassRoles.of(NAMES)
MAP = CautionSettings(fuse=True, free_below=0.4)


def view(height=1.4):
    camera = CameraModel.pinhole((360, 480), 400)
    return GroundView(camera, Pose.from_angles(0, 0.05, 0, np.array([0, 0, height])) @ OPTICAL, GroundPlane())


def calibration():
    made_for = MapConditions.of(view(), MAP, ROLES, NAMES)
    curve = RiskCurve([0.0, 0.1, 0.2, 0.5], [0.0, 0.01, 0.05, 0.4], 40)
    return Calibration("net", NAMES, hazards=HazardBound(curve, "drive", made_for, 480, 5000).to_json())


def test_without_an_alpha_the_threshold_is_as_it_is_set():
    bound = CautionBound(None, ROLES, NAMES)
    bound.check(0.0)
    assert bound.settings(MAP, 0.0, view()) is MAP


def test_an_alpha_sets_the_threshold_and_nothing_else():
    bound = CautionBound(calibration(), ROLES, NAMES)
    bound.check(0.1)
    found = bound.settings(MAP, 0.1, view())
    assert found == CautionSettings(fuse=True, free_below=0.2)
    assert bound.settings(MAP, 0.05, view()).free_below == 0.1


def test_where_the_promise_cannot_be_made_there_is_no_map():
    with pytest.raises(HazardBoundError, match="there is no calibration"):
        CautionBound(None, ROLES, NAMES).check(0.1)
    bound = CautionBound(calibration(), ROLES, NAMES)
    with pytest.raises(HazardBoundError, match=r"camera at 2\.5 m above the ground, calibrated"):
        bound.settings(MAP, 0.1, view(2.5))
    with pytest.raises(HazardBoundError, match="map of single frames"):
        bound.settings(CautionSettings(fuse=False), 0.1, view())
    other = CautionBound(calibration(), ClassRoles.of(NAMES, ground=["Road", "Car"]), NAMES)
    with pytest.raises(HazardBoundError, match="ground classes Car, Road"):
        other.settings(MAP, 0.1, view())
