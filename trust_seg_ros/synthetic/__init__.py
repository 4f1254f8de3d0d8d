"""The synthetic drive: an endless street in perspective with exact ground truth for classes and unknown objects.

The 11 classes are CamVid's; as there, grass and hedges are Tree and lane marks are Road. Nothing is read from disk:
every picture is made from a seed.
"""

from trust_seg_ros.synthetic.checks import SyntheticDriveError
from trust_seg_ros.synthetic.drive import SyntheticDrive, training_sample
from trust_seg_ros.synthetic.ground_settings import GroundSettings
from trust_seg_ros.synthetic.ground_truth import DriveGround, Footprint
from trust_seg_ros.synthetic.sets import SyntheticSet, parse_synthetic_set
from trust_seg_ros.synthetic.settings import (
    CLASS_NAMES,
    UNKNOWN_KINDS,
    WEATHERS,
    DriveFrame,
    DriveObject,
    DriveSettings,
)

__all__ = [
    "CLASS_NAMES",
    "UNKNOWN_KINDS",
    "WEATHERS",
    "DriveFrame",
    "DriveGround",
    "DriveObject",
    "DriveSettings",
    "Footprint",
    "GroundSettings",
    "SyntheticDrive",
    "SyntheticDriveError",
    "SyntheticSet",
    "parse_synthetic_set",
    "training_sample",
]
