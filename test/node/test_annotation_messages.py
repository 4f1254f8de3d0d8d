"""``~/annotations``: the messages that the node sends, and the node without the package foxglove_msgs."""

import os
import subprocess
import sys

import numpy as np
import pytest
from drive_frames import made_result
from places import ROOT

os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("foxglove_msgs.msg", reason="needs foxglove_msgs (make test builds interfaces/foxglove_msgs)")
pytest.importorskip("rosbags", reason="needs the library rosbags")
from rclpy.serialization import deserialize_message

from trust_seg_ros.messages.annotations import image_annotations
from trust_seg_ros.messages.fields import HeaderFields, MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.node.annotations import annotations_message, annotations_type
from trust_seg_ros.recordings.replay.message_types import FOXGLOVE
from trust_seg_ros.recordings.replay.serialise import output_cdr

pytestmark = pytest.mark.ros

HEADER = HeaderFields(12, 345_678_901, "front/optical")
NAMES = tuple(f"class {i}" for i in range(11))
MSG = ROOT / "interfaces" / "foxglove_msgs" / "msg"
RESULTS = {
    "one class": made_result(np.zeros((12, 16), np.uint8)),
    "two classes": made_result(np.repeat([[0, 1]], 6, 0).repeat([5, 3], 1).astype(np.uint8)),
}


@pytest.fixture(params=RESULTS)
def fields(request):
    return image_annotations(Rendering(RESULTS[request.param], MessageOptions(NAMES, np.zeros((11, 3), np.uint8))))


def test_the_node_sends_what_a_replay_writes(fields):
    assert annotations_message(fields, HEADER) == output_cdr(fields, HEADER)


def test_the_middleware_reads_what_the_node_sends(fields):
    message = deserialize_message(annotations_message(fields, HEADER), annotations_type())
    stamps = {
        (s.sec, s.nanosec) for s in (message.timestamp, *(a.timestamp for a in (*message.points, *message.texts)))
    }
    assert stamps == {(12, 345_678_901)}
    assert [[(p.x, p.y) for p in outline.points] for outline in message.points] == [
        [tuple(corner) for corner in corners] for corners in fields.corners.tolist()
    ]
    assert {outline.type for outline in message.points} <= {type(outline).LINE_LOOP for outline in message.points}
    assert [text.text for text in message.texts] == [fields.heading, *(label for label in fields.labels if label)]
    assert len(message.points) == len(fields.boxes)


def test_the_package_built_here_declares_what_a_replay_writes():
    """Comments aside; that the fields are those of foxglove_msgs itself was read off its files, version 3.4.3."""
    for name, text in FOXGLOVE.items():
        lines = [line for line in (MSG / f"{name}.msg").read_text().splitlines() if line and not line.startswith("#")]
        assert lines == text.splitlines(), name
    assert {path.stem for path in MSG.glob("*.msg")} == set(FOXGLOVE)


def test_without_the_package_the_output_is_left_out():
    """In a process of its own, which cannot find it."""
    program = (
        "import sys; sys.modules['foxglove_msgs'] = None\n"
        "import rclpy; from rclpy.lifecycle import LifecycleNode\n"
        "from trust_seg_ros.node.outputs import Outputs; from trust_seg_ros.messages.outputs import OUTPUTS\n"
        "rclpy.init(); node = LifecycleNode('lonely')\n"
        "outputs = Outputs(node); outputs.destroy(); outputs = Outputs(node)\n"
        "print(sorted(set(OUTPUTS) - set(outputs.names)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert ran.stdout.strip() == "['annotations']"
    assert ran.stderr.count("foxglove_msgs") == 1, "told once"
    assert "apt install" in ran.stderr, "with the way out"
