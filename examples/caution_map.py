"""A caution map without ROS: 30 frames of the synthetic drive, judged, brought to the ground and remembered.

python examples/caution_map.py [OUT]

Writes OUT/caution_map.png (OUT: out): the camera's image beside the map that a planner gets.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.drawing.ground_map import beside, draw_feet, draw_vehicle, legend, map_picture
from trust_seg_ros.ground.caution import CautionMapper, CautionSettings
from trust_seg_ros.ground.hazards import hazard_maps
from trust_seg_ros.ground.roles import ClassRoles
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.synthetic import DriveSettings, GroundSettings, SyntheticDrive
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame, Wanted

FIRST, FRAMES = 91, 30
RANGE_M, CELL_PX = 30.0, 5


def main(out: Path) -> None:
    """Judge, map, draw, save."""
    ground = GroundSettings(pitch_deg=4.0, clear_lane=True, on_lane=(160.0,))  # a crate
    drive = SyntheticDrive(DriveSettings(size=(480, 640), seed=12, fps=10.0, ground=ground))
    pipeline = TrustPipeline.load(PipelineSettings())
    roles = ClassRoles.of(pipeline.labels.names)
    mapper = CautionMapper(CautionSettings(range_m=RANGE_M, width_m=RANGE_M))
    for number in range(FIRST, FIRST + FRAMES):
        frame = drive.frame(number)
        stamp_ns = round(number / drive.settings.fps * 1e9)
        result = pipeline(Frame(frame.image, stamp_ns), ThresholdSettings(), Wanted(pixel_flags=False))
        view = GroundView(frame.ground.camera, frame.ground.pose, frame.ground.plane)
        maps = hazard_maps(result.on_grid, roles)
        caution = mapper.update(maps, view, frame.ground.base_in_fixed, stamp_ns)
    print(caution)

    picture = map_picture(caution.occupancy, caution.free, CELL_PX)
    scale, base = CELL_PX / caution.resolution, frame.ground.base_in_fixed
    draw_vehicle(picture, tuple(base.translation[:2] - caution.origin), scale)
    draw_feet(picture, base.apply(caution.feet.points)[:, :2] - caution.origin, scale)
    both = beside(frame.image, picture)
    out.mkdir(parents=True, exist_ok=True)
    picture = np.concatenate([both, legend(both.shape[1])])
    cv2.imwrite(str(out / "caution_map.png"), picture[..., ::-1])
    print(f"{out / 'caution_map.png'}: {int(caution.free.sum())} free cells, {len(caution.feet)} feet of hazards")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
