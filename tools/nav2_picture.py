"""Makes docs/images/nav2.jpg: what Nav2's static layer makes of a caution map, and the collision monitor's polygons.

`python tools/nav2_picture.py [FILE]`. Costs follow nav2_costmap_2d/plugins/static_layer.cpp (interpretValue) with the
parameters of config/nav2/caution_costmap.yaml; Nav2 itself is not needed.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import cv2
import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "config" / "nav2"
PIXELS_PER_CELL, FRAMES = 3, 20
UNKNOWN, LETHAL, INSCRIBED = 255, 254, 253
STOP, SLOW, FOOT = (214, 48, 56), (236, 160, 40), (255, 60, 200)
COLOURS = {"PolygonStop": STOP, "PolygonSlow": SLOW}


def static_layer(occupancy: np.ndarray, parameters: dict) -> np.ndarray:
    """Costs (rows, columns) uint8 of occupancy -1 to 100, as Nav2's static layer has them."""
    value = occupancy.astype(np.uint8)
    lethal = parameters["lethal_cost_threshold"]
    costs = (np.minimum(value, lethal).astype(float) / lethal * LETHAL).astype(np.uint8)
    costs[value >= lethal] = LETHAL
    costs[value == 99] = INSCRIBED
    costs[value == 255] = UNKNOWN if parameters["track_unknown_space"] else 0
    return costs


def drawn(costs: np.ndarray) -> np.ndarray:
    """Costs as a picture with x upwards and y to the left: free is white, lethal black, unknown grey."""
    grey = 255 - np.minimum(costs, LETHAL)
    picture = np.stack([grey] * 3, -1)
    picture[costs == UNKNOWN] = (120, 126, 136)
    turned = np.ascontiguousarray(picture[::-1, ::-1].transpose(1, 0, 2))
    return turned.repeat(PIXELS_PER_CELL, 0).repeat(PIXELS_PER_CELL, 1)


def place(points: np.ndarray, frame, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels (n, 2) of places (n, 2) in the map's frame, in such a picture."""
    scale = PIXELS_PER_CELL / frame.resolution
    x, y = ((points - np.array(frame.origin)) * scale).T
    return np.stack([shape[1] - y, shape[0] - x], 1).round().astype(np.int32)


def main(arguments: list[str]) -> int:
    """Judge a synthetic drive, and write the picture."""
    from trust_seg_ros.drawing.ground_map import beside
    from trust_seg_ros.ground.caution import CautionMapper
    from trust_seg_ros.ground.hazards import hazard_maps
    from trust_seg_ros.ground.roles import ClassRoles
    from trust_seg_ros.ground.view import GroundView
    from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
    from trust_seg_ros.synthetic.drive import SyntheticDrive
    from trust_seg_ros.synthetic.ground_settings import GroundSettings
    from trust_seg_ros.synthetic.settings import DriveSettings
    from trust_seg_ros.types import Frame

    file = Path(arguments[0]) if arguments else ROOT / "docs/images/nav2.jpg"
    drive = SyntheticDrive(DriveSettings(seed=3, ground=GroundSettings(on_lane=(42.0,))))
    pipeline, mapper = TrustPipeline.load(PipelineSettings(device="cpu")), CautionMapper()
    roles = ClassRoles.of(pipeline.labels.names)
    for index in range(FRAMES):
        shown = drive.frame(index)
        ground, stamp = shown.ground, round(shown.time_s * 1e9)
        result = pipeline(Frame(shown.image, stamp))
        view = GroundView(ground.camera, ground.pose, ground.plane)
        found = mapper.update(hazard_maps(result.on_grid, roles), view, ground.base_in_fixed, stamp)
    costmap = yaml.safe_load((CONFIG / "caution_costmap.yaml").read_text("utf-8"))
    costs = static_layer(found.occupancy, costmap["local_costmap"]["local_costmap"]["ros__parameters"])
    picture = drawn(costs)
    monitor = yaml.safe_load((CONFIG / "collision_monitor.yaml").read_text("utf-8"))["collision_monitor"][
        "ros__parameters"
    ]
    for name in monitor["polygons"]:
        corners = np.array(ast.literal_eval(monitor[name]["points"]))
        in_map = ground.base_in_fixed.apply(np.pad(corners, ((0, 0), (0, 1))))[:, :2]
        cv2.polylines(picture, [place(in_map, found, picture.shape)], True, COLOURS[name], 2, cv2.LINE_AA)
    image = np.ascontiguousarray(shown.image)
    seen = ground.camera.project(ground.pose.inverse().apply(found.feet.points))
    for u, v in seen[np.isfinite(seen).all(1)]:
        cv2.circle(image, (round(u), round(v)), 2, FOOT, -1, cv2.LINE_AA)
    cv2.imwrite(str(file), cv2.cvtColor(beside(image, picture), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(f"{file}: {len(found.feet)} feet, {(costs == LETHAL).sum()} lethal cells of {costs.size}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
