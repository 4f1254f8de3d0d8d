"""The output topic that docs/extending.md adds: published by the node, written by a replay, documented."""

import json

import guide
import pytest

HEADING = "Add an output topic"


def run(code, folder):
    done = guide.run_extended(HEADING, code, folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_takes_one_file_and_one_row():
    assert sorted(guide.changed_files(HEADING)) == [
        "trust_seg_ros/messages/energy_image.py",
        "trust_seg_ros/messages/outputs.py",
    ]


@pytest.mark.ros
def test_the_node_publishes_it_and_the_table_says_it(tmp_path):
    pytest.importorskip("rclpy")
    code = """
import rclpy
from trust_seg_ros.messages.outputs import topic_table, wanted
from trust_seg_ros.node.node import TrustSegNode
values = {"autostart": "false", "model": "node_networks:colours", "meta_model": "none"}
rclpy.init(args=["--ros-args", *(word for name, value in values.items() for word in ("-p", f"{name}:={value}"))])
node = TrustSegNode()
node.trigger_configure()
print(*(info.topic_type for info in node.get_publishers_info_by_topic("/trust_seg/energy")))
print(wanted(["energy"]).scores, wanted(["energy"]).segments)
print(topic_table())
node.close()
"""
    lines = run(code, tmp_path).splitlines()
    assert lines[:2] == ["sensor_msgs/msg/Image", "('energy',) False"]
    assert "| `~/energy` | Image mono8 | free energy, from the frame's least value (0) to its largest (255) |" in lines


@pytest.mark.slow
def test_a_replay_writes_it_and_its_recording_is_recognised(tmp_path):
    pytest.importorskip("rosbags")
    code = """
import json
import numpy as np
from replay_bench import LIGHT, TOPIC, drive_messages, read_bag, replay, synthetic, write_bag
from pathlib import Path
from trust_seg_ros import Frame
from trust_seg_ros.commands.replay_parameters import replay_parameters
from trust_seg_ros.messages.image_bytes import read_image
from trust_seg_ros.messages.render import stretched
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.recordings.export.bag_topics import sort_topics
from trust_seg_ros.types import Wanted
frames = synthetic(3)
write_bag(Path("in"), drive_messages(frames))
replay(Path("in"), Path("out"), "--image-topic", TOPIC, "--topics", "energy", "segmentation", "--keep", "none", *LIGHT)
found = read_bag(Path("out"))
energies = [read_image(raw) for _, _, raw in found["/trust_seg/energy"]]
pipeline = TrustPipeline.load(replay_parameters(None, LIGHT[1::2]).pipeline)
results = [pipeline(Frame(pixels, stamp), wanted=Wanted(scores=("energy",))) for stamp, pixels in frames]
direct = [stretched(result.scores["energy"].numpy()) for result in results]
same = all(e.data.tobytes() == d.tobytes() for e, d in zip(energies, direct))
known = sort_topics({"/trust_seg/energy": "sensor_msgs/msg/Image", "/trust_seg/segmentation": "sensor_msgs/msg/Image"})
print(json.dumps({"frames": len(energies), "same": same, "outputs": sorted(known.outputs), "cameras": known.cameras}))
"""
    found = json.loads(run(code, tmp_path).splitlines()[-1])
    outputs = ["/trust_seg/energy", "/trust_seg/segmentation"]
    assert found == {"frames": 3, "same": True, "outputs": outputs, "cameras": []}
