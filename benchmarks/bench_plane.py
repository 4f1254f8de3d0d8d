"""The plane of the ground ahead, estimated from road pixels, against the fixed one: slopes, places on the road, times.

    python benchmarks/bench_plane.py [--drives 4] [--frames 60] [--labels truth|network] [--seed 300]
                                     [--poses exact|no-sway|planar]

Synthetic drives at 480x360 with slopes to 5 %, a body that sways, and three lenses. Settings were chosen on the seeds
100 to 105: take others here. By how much is the range off that the plane gives to places of the true road 10, 20 and
30 m ahead: median, 90 % quantile, and share of frames within 10 %? "at hand": frames in which images show the slope.

"with motion" uses the poses of the vehicle too: exact ones; without what the body pitches and rolls on its springs
(no-sway), as odometry often is; or place and heading alone (planar), which are wrong about the direction of travel too,
as the vehicle of these drives is tilted against the road all along.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.ground.hazards import hazard_maps
from trust_seg_ros.ground.placing import GroundPlane, Pose
from trust_seg_ros.ground.plane_ahead import MOTION, MOTION_HELD, PlaneAhead, warm_up
from trust_seg_ros.ground.plane_filter import HELD, ROAD, PlaneEstimate, PlaneFilter
from trust_seg_ros.ground.roles import FLAT, GROUND, ClassRoles
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.synthetic import CLASS_NAMES, DriveFrame, DriveGround, DriveSettings, GroundSettings, SyntheticDrive
from trust_seg_ros.synthetic.ground_settings import FRONT_AXLE_M
from trust_seg_ros.types import Frame

SIZE, FPS = (360, 480), 10.0
RANGES_M = (10.0, 20.0, 30.0)
CAMERAS = {
    "pinhole 60°": GroundSettings(fov_deg=60.0, slope=0.05, sway=True),
    "pinhole 90°": GroundSettings(fov_deg=90.0, slope=0.05, sway=True),
    "fisheye 120°": GroundSettings(lens="fisheye", fov_deg=120.0, pitch_deg=5.0, slope=0.05, sway=True),
}
FIXED, BORDERS, WITH_MOTION = "fixed", "estimated", "estimated, with motion"
Masks = Callable[[DriveFrame], tuple[np.ndarray, np.ndarray]]


@dataclass
class Found:
    """What was measured of one kind of plane with one camera: a row for each frame."""

    slope: list[float] = field(default_factory=list)
    sigma: list[float] = field(default_factory=list)
    ranges: list[np.ndarray] = field(default_factory=list)
    at_hand: list[bool] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def add(self, true: DriveGround, plane: GroundPlane, estimate: PlaneEstimate | None, ms: float = 0.0) -> None:
        """A frame's error; without an estimate the slope is taken for none."""
        slope = -true.plane.normal[0] / true.plane.normal[2]
        self.slope.append((0.0 if estimate is None else estimate.slope) - slope)
        self.sigma.append(np.inf if estimate is None else estimate.sigma)
        self.ranges.append(_range_errors(true, plane))
        self.at_hand.append(estimate is not None and estimate.source in (ROAD, HELD, MOTION, MOTION_HELD))
        self.ms.append(ms)


def main() -> None:
    """Read the command line, measure, print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drives", type=int, default=4, metavar="N", help="drives of each camera (default: 4)")
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="frames of each drive (default: 60)")
    parser.add_argument("--seed", type=int, default=300, metavar="N", help="of the first drive (default: 300)")
    parser.add_argument(
        "--labels", choices=("truth", "network"), default="truth", help="whose classes (default: truth)"
    )
    parser.add_argument(
        "--poses", choices=("exact", "no-sway", "planar"), default="exact", help="what odometry knows (default: exact)"
    )
    args = parser.parse_args()
    masks = _by_truth if args.labels == "truth" else _by_network()
    warm_up()
    print("| camera | frames | plane | slope: median, 90 % | " + " | ".join(f"{r:g} m" for r in RANGES_M) + " | ms |")
    print("|---|---:|---|---:|" + "---:|" * (len(RANGES_M) + 1))
    for name, settings in CAMERAS.items():
        found = {plane: Found() for plane in (FIXED, BORDERS, WITH_MOTION)}
        for seed in range(args.seed, args.seed + args.drives):
            _measure(found, _frames(settings, seed, args.frames), masks, args.poses)
        _print(name, found)


def _frames(settings: GroundSettings, seed: int, frames: int) -> Iterator[tuple[int, DriveFrame]]:
    drive = SyntheticDrive(DriveSettings(ground=settings, size=SIZE, seed=seed, fps=FPS, unknown_rate=1.0))
    for part in range(0, frames, 20):  # pieces of 2 s, from all along the street
        for index in range(10 * part, 10 * part + min(20, frames - part)):
            yield index * round(1e9 / FPS), drive.frame(index)


def _by_truth(frame: DriveFrame) -> tuple[np.ndarray, np.ndarray]:
    role = ClassRoles.of(CLASS_NAMES).table[frame.labels]
    return role == GROUND, role == FLAT


def _by_network() -> Masks:
    pipeline = TrustPipeline.load(PipelineSettings(device="cpu"))
    roles = ClassRoles.of(pipeline.labels.names)

    def masks(frame: DriveFrame) -> tuple[np.ndarray, np.ndarray]:
        maps = hazard_maps(pipeline(Frame(frame.image)).on_grid, roles)
        return maps.trusted_ground, (maps.role == FLAT) & (maps.kind == 0)

    return masks


def _measure(found: dict[str, Found], frames: Iterator[tuple[int, DriveFrame]], masks: Masks, poses: str) -> None:
    borders, ahead, given = PlaneFilter(), PlaneAhead(), GroundPlane()
    for stamp_ns, frame in frames:
        ground, beside = masks(frame)
        true = frame.ground
        assert true is not None
        base_in_fixed = _known(true, poses)
        found[FIXED].add(true, given, None)
        begin = time.perf_counter()
        estimate = borders.update(ground, beside, true.camera, true.pose, given, stamp_ns)
        middle = time.perf_counter()
        found[BORDERS].add(true, estimate.plane, estimate, 1000 * (middle - begin))
        middle = time.perf_counter()
        estimate = ahead.update(frame.image, ground, beside, true.camera, true.pose, given, base_in_fixed, stamp_ns)
        found[WITH_MOTION].add(true, estimate.plane, estimate, 1000 * (time.perf_counter() - middle))


def _known(true: DriveGround, poses: str) -> Pose:
    """What odometry knows of the pose of the vehicle."""
    exact = true.base_in_fixed
    if poses == "exact":
        return exact
    yaw = float(np.arctan2(exact.rotation[1, 0], exact.rotation[0, 0]))
    if poses == "planar":
        return Pose.from_angles(0.0, 0.0, yaw, exact.translation * np.array([1.0, 1.0, 0.0]))
    axle = np.array([FRONT_AXLE_M, 0.0, 0.0])  # about which the body sways
    tilt = Pose.from_angles(0.0, float(np.arctan(true.slope)), yaw, exact.apply(axle[None])[0])
    return tilt @ Pose(translation=-axle)


def _range_errors(true: DriveGround, plane: GroundPlane) -> np.ndarray:
    """By which part the ranges of places on the true road are off; 1 where the plane does not meet their ray."""
    x, y = np.array(RANGES_M), np.zeros(len(RANGES_M))
    places = np.column_stack([x, y, true.plane.heights(x, y)])
    rays = places - true.pose.translation
    down = -rays @ plane.normal
    with np.errstate(divide="ignore", invalid="ignore"):
        times = plane.above(true.pose.translation[None])[0] / down
    off: np.ndarray = np.where(down > 0, np.minimum(np.abs(times - 1) * np.linalg.norm(rays, axis=1) / x, 1.0), 1.0)
    return off


def _print(name: str, found: dict[str, Found]) -> None:
    for plane, of in found.items():
        at_hand = np.array(of.at_hand)
        rows = [(plane, np.ones(len(at_hand), bool))]
        if at_hand.any():
            rows.append((f"{plane}, at hand", at_hand))
        for words, which in rows:
            slope = np.degrees(np.abs(np.array(of.slope)[which]))
            off = (100 * np.array(of.ranges)[which]).T
            cells = " | ".join(
                f"{np.median(o):.1f} %, {np.quantile(o, 0.9):.0f} %, {np.mean(o <= 10):.0%}" for o in off
            )
            ms = f"{np.median(of.ms):.2f}" if at_hand.any() else ""
            shown = f"{np.median(slope):.2f}°, {np.quantile(slope, 0.9):.2f}°"
            print(f"| {name} | {which.sum()} | {words} | {shown} | {cells} | {ms} |", flush=True)
        if at_hand.any():
            within = np.mean(np.abs(np.array(of.slope)[at_hand]) <= 1.96 * np.array(of.sigma)[at_hand])
            print(f"|  |  | {plane}: within 1.96 σ | {within:.0%} |" + " |" * (len(RANGES_M) + 1), flush=True)


if __name__ == "__main__":
    main()
