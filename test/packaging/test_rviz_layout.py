"""The RViz layout shows what the node publishes, with QoS that can match."""

import re

import pytest
import yaml
from places import ROOT

from trust_seg_ros.messages.outputs import OUTPUTS

LAYOUT = yaml.safe_load((ROOT / "config" / "trust_seg.rviz").read_text())
TOPICS = {d["Name"]: d["Topic"] for d in LAYOUT["Visualization Manager"]["Displays"]}


def test_layout_shows_camera_overlay_entropy_flagged_and_unknown_segments():
    assert {name: topic["Value"] for name, topic in TOPICS.items()} == {
        "Camera": "/image_raw",
        "Overlay": "/trust_seg/overlay",
        "Entropy": "/trust_seg/entropy_color",
        "Unreliable": "/trust_seg/unreliable",
        "Unknown": "/trust_seg/ood",
    }
    assert all(d["Enabled"] for d in LAYOUT["Visualization Manager"]["Displays"])


def test_every_display_has_a_dock():
    assert set(TOPICS) <= set(LAYOUT["Window Geometry"])


def test_every_output_shown_is_one_the_node_publishes():
    outputs = {t["Value"].removeprefix("/trust_seg/") for n, t in TOPICS.items() if n != "Camera"}
    assert outputs <= set(OUTPUTS)


@pytest.mark.parametrize("name", TOPICS)
def test_quality_of_service_matches_the_publisher(name):
    """A display that asks for more than the publisher offers shows nothing: cameras offer best effort."""
    assert TOPICS[name]["Reliability Policy"] == ("Best Effort" if name == "Camera" else "Reliable")
    assert TOPICS[name]["Durability Policy"] == "Volatile"
    assert TOPICS[name]["History Policy"] == "Keep Last"


def test_the_launch_file_remaps_every_output_that_is_shown():
    launch = (ROOT / "launch" / "trust_seg.launch.py").read_text()
    shown = re.search(r"SHOWN_IN_RVIZ = \((.*?)\)", launch).group(1)
    outputs = {t["Value"].rpartition("/")[2] for n, t in TOPICS.items() if n != "Camera"}
    assert set(re.findall(r'"(\w+)"', shown)) == outputs
