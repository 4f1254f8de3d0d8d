"""Points of a cloud and of a depth image with what the frame says of their pixels."""

import numpy as np
import pytest
from judged_grids import CAR, NAMES, ROAD, judged

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.hazards import hazard_maps
from trust_seg_ros.ground.labelled_points import label_cloud, label_depth
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.ground.roles import ClassRoles

GRID = (30, 40)
CAMERA = CameraModel.pinhole((60, 80), 60.0)  # judged on a grid of half
CLASSES = np.full(GRID, ROAD, np.uint8)
CLASSES[:, 20:] = CAR
OOD = np.zeros(GRID, int)
OOD[:5, :5], OOD[:5, 5:10] = 1, 2
ENTROPY = np.linspace(0, 1, CLASSES.size).reshape(GRID)
FRAME = judged(CLASSES, ENTROPY, {ROAD: 0.1, CAR: 0.6}, (CAR,), OOD, [0.8, np.nan], [True, False])
MAPS = hazard_maps(FRAME, ClassRoles.of(NAMES))


@pytest.mark.parametrize("size", [(60, 80), (30, 40), (120, 160), (17, 23)])
def test_every_pixel_of_a_depth_image_becomes_its_point(size: tuple[int, int]) -> None:
    depth = np.full(size, 4000, np.uint16)
    depth[0, 0] = 0
    found = label_depth(depth, CAMERA, FRAME, MAPS)
    points = found.points
    assert len(found) == depth.size - 1
    assert np.allclose(points["z"], 4.0)
    pixels = CAMERA.project(np.column_stack([points[name] for name in "xyz"]).astype(float))
    row, column = (pixels[:, 1] + 0.5) / 2, (pixels[:, 0] + 0.5) / 2
    near = np.abs(column - 20) > 40 / size[1]
    assert (points["class_id"][near] == np.where(column < 20, ROAD, CAR)[near]).all()
    assert (points["kind"][near & (column > 20)] == 2).all()
    exact = np.abs(row - np.floor(row) - 0.5) < 0.3
    assert np.abs(points["entropy"][exact] - ENTROPY[row.astype(int), column.astype(int)][exact]).max() < 1e-3
    assert np.array_equal(np.divmod(found.index, size[1])[0] // 1, np.sort(found.index // size[1]))


def test_metres_and_millimetres_are_the_same_and_holes_have_no_point() -> None:
    rng = np.random.default_rng(0)
    metres = rng.uniform(1, 30, (60, 80)).round(3).astype(np.float32)
    one = label_depth(metres, CAMERA, FRAME, MAPS).points
    two = label_depth((metres * 1000).round().astype(np.uint16), CAMERA, FRAME, MAPS).points
    assert np.allclose(one["z"], two["z"], atol=1e-3)
    metres[0, :4] = [np.nan, np.inf, -1, 0]
    assert len(label_depth(metres, CAMERA, FRAME, MAPS)) == 60 * 80 - 4


def test_points_carry_what_was_said_of_their_segments() -> None:
    found = label_depth(np.ones(GRID, np.float32), CAMERA, FRAME, MAPS).points.reshape(GRID)
    assert found["p_wrong"][10, 5] == pytest.approx(0.1)
    assert found["p_wrong"][10, 30] == pytest.approx(0.6)
    assert found["p_ood"][2, 2] == pytest.approx(0.8)
    assert np.isnan(found["p_ood"][2, 7])
    assert found["p_ood"][20, 20] == 0
    assert found["kind"][2, 2] == 3
    assert np.array_equal(found["p"], MAPS.p)


def test_points_of_a_cloud_are_found_in_the_image_wherever_the_sensor_is() -> None:
    mounted = Pose.from_angles(0.1, -0.2, 0.3, np.array([0.5, -0.2, 1.0]))
    in_view = np.array([[-1.0, 0.0, 5.0], [1.0, 0.0, 5.0]])
    out = np.array([[0.0, 0.0, -5.0], [50.0, 0.0, 5.0], [np.nan, 0, 1]])
    cloud = mounted.inverse().apply(np.concatenate([out, in_view]))
    found = label_cloud(cloud.astype(np.float32), mounted, CAMERA, FRAME, MAPS)
    assert found.index.tolist() == [3, 4]
    assert found.points["class_id"].tolist() == [ROAD, CAR]
    assert np.allclose(np.column_stack([found.points[name] for name in "xyz"]), cloud[3:], atol=1e-5)


def test_points_behind_others_have_no_label() -> None:
    wall = np.array([[-1.0, 0.0, 5.0], [-2.0, 0.0, 10.0], [-1.04, 0.0, 5.2], [2.0, 0.0, 10.0]])
    assert label_cloud(wall, Pose(), CAMERA, FRAME, MAPS).index.tolist() == [0, 2, 3]


def test_clouds_and_depth_images_of_another_form_are_refused() -> None:
    with pytest.raises(GroundError, match="expected \\(N, 3\\)"):
        label_cloud(np.zeros((4, 2)), Pose(), CAMERA, FRAME, MAPS)
    for depth in (np.zeros((4, 4), np.uint8), np.zeros((0, 4), np.float32), np.zeros((4, 4, 1), np.float32)):
        with pytest.raises(GroundError, match="depth image"):
            label_depth(depth, CAMERA, FRAME, MAPS)
    assert len(label_cloud(np.zeros((0, 3)), Pose(), CAMERA, FRAME, MAPS)) == 0
