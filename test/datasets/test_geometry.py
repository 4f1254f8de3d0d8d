"""Camera calibrations of ROS and the geometry of a labelled data set: what is read, and what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.camera_file import read_camera
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.geometry import read_geometry
from trust_seg_ros.ground.camera_info import camera_model
from trust_seg_ros.ground.errors import GroundError

CAMERA = """image_width: 640
image_height: 480
camera_name: front
camera_matrix:
  rows: 3
  cols: 3
  data: [400, 0, 320, 0, 401.5, 239, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.1, 0.01, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [380, 0, 318, 0, 0, 385, 238, 0, 0, 0, 1, 0]}
"""
GEOMETRY = "camera: front.yaml\nextrinsics: {x: 1.6, z: 1.4, pitch: 0.05}\n"


def written(folder, geometry: str = GEOMETRY, camera: str = CAMERA):
    (folder / "front.yaml").write_text(camera)
    (folder / "geometry.yaml").write_text(geometry)
    return folder / "geometry.yaml"


def test_a_calibration_of_ros_is_a_camera(tmp_path) -> None:
    written(tmp_path)
    info = read_camera(tmp_path / "front.yaml")
    model = camera_model(info, (480, 640), False)
    assert model.distortion == "plumb_bob"
    assert model.k[1, 1] == 401.5
    assert camera_model(info, (480, 640), True).k[0, 0] == 380


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("image_width: 640", "image_width: wide", "image_width is 'wide'"),
        ("camera_matrix", "matrix", "camera_matrix is None"),
        ("0, 0, 1]}\nprojection", "0, 0]}\nprojection", "rectification_matrix has 8 numbers; expected 9"),
        ("[-0.1, 0.01", "[a, 0.01", "distortion_coefficients"),
        ("plumb_bob", "[1]", "distortion_model"),
    ],
)
def test_damaged_calibrations_are_refused(tmp_path, old: str, new: str, text: str) -> None:
    assert old in CAMERA
    written(tmp_path, camera=CAMERA.replace(old, new, 1))
    with pytest.raises(DatasetError, match=text):
        read_camera(tmp_path / "front.yaml")


def test_the_geometry_of_a_data_set(tmp_path) -> None:
    more = (
        "depth: depth\nposes: poses.csv\nhz: 5\nunit: image\nunlabelled: hazard\nground: {z: -0.2}\nrectified: true\n"
    )
    path = written(tmp_path, GEOMETRY + more)
    (tmp_path / "depth" / "a").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "depth" / "a" / "0001.png"), np.array([[0, 1500], [2000, 65535]], np.uint16))
    np.save(tmp_path / "depth" / "a" / "0002.npy", np.array([[1.5, -1.0], [np.inf, 3.0]]))
    (tmp_path / "poses.csv").write_text("name,x,y,z,qx,qy,qz,qw\na/0001,1,2,0,0,0,0,1\n")
    found = read_geometry(path)
    assert (found.hz, found.unit, found.unlabelled, found.rectified) == (5.0, "image", "hazard", True)
    assert found.model((480, 640)).k[0, 0] == 380
    ahead = found.pose.apply(np.array([[0.0, 0.0, 10.0]]))[0]
    assert ahead == pytest.approx([1.6 + 10 * np.cos(0.05), 0.0, 1.4 - 10 * np.sin(0.05)])  # pitch looks down
    assert found.plane.above(np.array([[5.0, 1.0, -0.2]])) == pytest.approx([0.0])
    assert np.allclose(found.depth_of("a/0001", (2, 2)), [[np.nan, 1.5], [2.0, 65.535]], equal_nan=True)
    assert np.allclose(found.depth_of("a/0002", (2, 2))[:, 0], [1.5, np.inf])
    assert np.isnan(found.depth_of("a/0002", (2, 2))[0, 1])
    assert found.pose_of("a/0001").translation.tolist() == [1, 2, 0]
    with pytest.raises(DatasetError, match=r"no depth for the image b; expected b.png or b.npy"):
        found.depth_of("b", (2, 2))
    with pytest.raises(DatasetError, match=r"depth of shape \(2, 2\); expected that of the image, \(4, 2\)"):
        found.depth_of("a/0001", (4, 2))
    with pytest.raises(DatasetError, match="none for the image b"):
        found.pose_of("b")
    with pytest.raises(GroundError, match="wrong size"):
        found.model((240, 320))


def test_what_is_left_out_has_defaults(tmp_path) -> None:
    found = read_geometry(written(tmp_path))
    assert (found.hz, found.unit, found.unlabelled, found.rectified) == (10.0, "drive", "ignore", False)
    assert found.depth_of("a", (2, 2)) is None
    assert found.pose_of("a") is None


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("hight: 3", "hight"),
        ("hz: 0", "hz is 0; expected a positive number"),
        ("unit: frame", "expected drive or image"),
        ("unlabelled: 3", "expected ignore or hazard"),
        ("rectified: 1", "expected false or true"),
        ("ground: {hight: 1}", "ground is"),
        ("ground: {pitch: steep}", "pitch of ground"),
        ("ground: {pitch: .nan}", "roll, pitch, yaw"),
        ("poses: nowhere.csv", "no such table of poses"),
        ("poses: front.yaml", "no column name"),
        ("depth: nowhere", "nowhere"),
        ("camera: 3", "camera"),
    ],
)
def test_malformed_geometries_are_refused(tmp_path, more: str, text: str) -> None:
    base = GEOMETRY.replace("camera: front.yaml\n", "") if more.startswith("camera") else GEOMETRY
    with pytest.raises((DatasetError, GroundError), match=text):
        read_geometry(written(tmp_path, f"{base}{more}\n"))


def test_no_geometry_at_all(tmp_path) -> None:
    with pytest.raises(DatasetError, match="no such geometry"):
        read_geometry(tmp_path / "geometry.yaml")
    with pytest.raises(DatasetError, match="no geometry of a data set"):
        read_geometry(written(tmp_path, "just a text"))
    with pytest.raises(DatasetError, match="extrinsics is None"):
        read_geometry(written(tmp_path, "camera: front.yaml"))
