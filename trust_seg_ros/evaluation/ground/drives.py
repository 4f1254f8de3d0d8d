"""The drives of the study: which streets, cameras and unknown objects settings are chosen on, and which ones judge.

Seeds that no shipped network, meta model or calibration has seen. Kinds of unknown objects on the lane: settings are
chosen on those that the shipped judge of OoD segments was fitted with, and judged on those that nothing was fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.evaluation.ground.recording import Stretch
from trust_seg_ros.synthetic import DriveSettings
from trust_seg_ros.synthetic.ground_settings import GroundSettings

SIZE = (360, 480)
CRUISE_M_S = 30.0 / 3.6
CHOSEN_WITH = ("sheep", "barrel", "ball", "trolley")
JUDGED_BY = ("sofa", "ladder", "crate", "suitcase")
FIRST_M, APART_M = 55.0, 60.0
"""Unknown objects on the lane: the first is so far ahead at the beginning, the others so far apart."""
BEGIN_M = 20.0


@dataclass(frozen=True)
class Lens:
    """One of the cameras: its lens and horizontal field of view."""

    lens: str
    fov_deg: float

    @property
    def name(self) -> str:
        """For example ``120° fisheye``."""
        return f"{self.fov_deg:g}° {self.lens}"


CAMERAS = (Lens("pinhole", 60.0), Lens("pinhole", 90.0), Lens("fisheye", 120.0))


def map_stretches(seeds: range, camera: Lens, frames: int = 6, hz: float = 5.0) -> list[Stretch]:
    """Drives with traffic, unknown objects of all kinds anywhere, slopes to 5 % and a swaying body."""
    ground = GroundSettings(camera.lens, camera.fov_deg, slope=0.05, sway=True)
    return [
        Stretch(
            DriveSettings(SIZE, seed, speed=CRUISE_M_S, unknown_rate=2.0, ground=ground),
            BEGIN_M, CRUISE_M_S, hz, frames,
        )
        for seed in seeds
    ]  # fmt: skip


def lane_stretches(seeds: range, kinds: tuple[str, ...], objects: int = 3, hz: float = 10.0) -> list[Stretch]:
    """Drives at 30 km/h up to the last of some unknown objects on a lane that is clear otherwise.

    Args:
        seeds: of the drives.
        kinds: of the objects.
        objects: how many; 0 = a clear lane over the same way.
        hz: frames per second.
    """
    places = tuple(BEGIN_M + FIRST_M + APART_M * k for k in range(objects))
    ground = GroundSettings("pinhole", 60.0, slope=0.03, sway=True, clear_lane=True, on_lane=places)
    end = BEGIN_M + FIRST_M + APART_M * max(objects - 1, 2) - 4.0
    return [
        Stretch(
            DriveSettings(SIZE, seed, speed=CRUISE_M_S, unknowns=kinds, unknown_rate=0.0, ground=ground),
            BEGIN_M, CRUISE_M_S, hz, round((end - BEGIN_M) / CRUISE_M_S * hz),
        )
        for seed in seeds
    ]  # fmt: skip


MAPS = range(61000, 61050)
CHOICE, JUDGED, CLEAR = range(63000, 63008), range(62000, 62022), range(64000, 64008)
