import os
import subprocess
import sys

import numpy as np
import pytest
from caution_frames import caution_frame
from sensor_msgs.msg import PointField

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.ground import GROUND_OUTPUTS, HAZARD_POINT, Frames
from trust_seg_ros.node.ground_messages import cloud_message, grid_message

HEADER = HeaderFields(12, 345_678_901, "camera_optical")
FRAMES = Frames("base_link", "odom")


def test_a_map_is_a_grid_that_nav2_accepts():
    fields = GROUND_OUTPUTS["caution"].build(caution_frame(), FRAMES)
    grid = grid_message(fields, HEADER)
    assert (grid.header.stamp.sec, grid.header.stamp.nanosec, grid.header.frame_id) == (12, 345_678_901, "base_link")
    assert grid.info.map_load_time == grid.header.stamp
    assert (grid.info.height, grid.info.width, grid.info.resolution) == (3, 4, 0.5)
    at, turned = grid.info.origin.position, grid.info.origin.orientation
    assert (at.x, at.y, at.z, turned.x, turned.y, turned.z, turned.w) == (10.0, -1.5, 0.0, 0.0, 0.0, 0.0, 1.0)
    assert grid.data.typecode == "b"
    assert np.array(grid.data).reshape(3, 4).tolist() == fields.data.tolist()


def test_a_cloud_is_read_back_by_its_own_fields():
    fields = GROUND_OUTPUTS["hazards"].build(caution_frame(), FRAMES)
    cloud = cloud_message(fields, HEADER)
    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (1, 2, 24, 48)
    assert not cloud.is_bigendian
    assert cloud.is_dense
    kinds = {PointField.FLOAT32: "<f4", PointField.UINT8: "u1"}
    layout = {"names": [f.name for f in cloud.fields], "formats": [kinds[f.datatype] for f in cloud.fields],
              "offsets": [f.offset for f in cloud.fields], "itemsize": cloud.point_step}  # fmt: skip
    read = np.frombuffer(cloud.data, np.dtype(layout))
    assert read.tolist() == fields.points.tolist()
    assert read.dtype == HAZARD_POINT
    assert {f.count for f in cloud.fields} == {1}


def test_an_empty_cloud_has_its_fields_all_the_same():
    fields = GROUND_OUTPUTS["free_space"].build(caution_frame(free_below=0.0), FRAMES)
    cloud = cloud_message(fields, HEADER)
    assert (cloud.width, cloud.row_step, len(cloud.data)) == (0, 0, 0)
    assert [f.name for f in cloud.fields] == ["x", "y", "z", "p"]


@pytest.mark.slow
@pytest.mark.skipif("ROS_PYTHON_CHECK_FIELDS" in os.environ, reason="this is the run with field checks")
def test_all_of_this_holds_with_field_checks():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    run = subprocess.run(
        command, env=os.environ | {"ROS_PYTHON_CHECK_FIELDS": "1"}, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout[-3000:]
