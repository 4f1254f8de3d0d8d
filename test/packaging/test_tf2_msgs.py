"""The message of /tf in the pip route: the same type as in every distribution, and it works with rclpy."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from places import ROOT

tf2_msgs = pytest.importorskip("tf2_msgs.msg", reason="no ROS 2: make test builds interfaces/tf2_msgs")
serialization = pytest.importorskip("rclpy.serialization", reason="no ROS 2: rclpy is missing")

OF_A_DISTRIBUTION = "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"
"""What ``ros2 topic info --verbose /tf`` says on Jazzy, and what bags of Jazzy carry."""


def description():
    """The generated description: types, and their hashes as the build computed them."""
    path = Path(sys.prefix) / "share" / "tf2_msgs" / "msg" / "TFMessage.json"
    if not path.is_file():
        pytest.skip(f"no {path}: tf2_msgs comes from a distribution")
    return json.loads(path.read_text("utf-8"))


def rihs01(described):
    """REP 2011: SHA-256 of the description without default values and comments, in JSON with spaces."""

    def fields(kind):
        names = ("name", "type")
        return {"type_name": kind["type_name"], "fields": [{n: field[n] for n in names} for field in kind["fields"]]}

    message = described["type_description_msg"]
    hashed = {
        "type_description": fields(message["type_description"]),
        "referenced_type_descriptions": [fields(kind) for kind in message["referenced_type_descriptions"]],
    }
    return "RIHS01_" + hashlib.sha256(json.dumps(hashed, separators=(", ", ": ")).encode()).hexdigest()


def test_the_file_declares_the_field_of_upstream():
    lines = (ROOT / "interfaces" / "tf2_msgs" / "msg" / "TFMessage.msg").read_text("utf-8").split()
    assert lines == ["geometry_msgs/TransformStamped[]", "transforms"]


def test_the_type_hash_is_that_of_a_distribution():
    described = description()
    assert described["type_hashes"][0] == {"type_name": "tf2_msgs/msg/TFMessage", "hash_string": OF_A_DISTRIBUTION}
    assert rihs01(described) == OF_A_DISTRIBUTION


def test_transforms_survive_the_wire():
    geometry = pytest.importorskip("geometry_msgs.msg")
    transform = geometry.TransformStamped(child_frame_id="camera")
    transform.header.frame_id = "base_link"
    transform.header.stamp.sec = 12
    transform.transform.translation.z = 1.4
    message = tf2_msgs.TFMessage(transforms=[transform, geometry.TransformStamped()])
    received = serialization.deserialize_message(serialization.serialize_message(message), tf2_msgs.TFMessage)
    assert received == message
    assert received.transforms[0].transform.translation.z == 1.4
