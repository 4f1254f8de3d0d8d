"""The RViz layout shows what the node publishes, with QoS that can match, in properties that RViz has."""

import re

import pytest
import yaml
from places import ROOT

from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.node.settings import settings_from

LAYOUT = yaml.safe_load((ROOT / "config" / "trust_seg.rviz").read_text())
MANAGER = LAYOUT["Visualization Manager"]
DISPLAYS = {d["Name"]: d for d in MANAGER["Displays"]}
TOPICS = {name: d["Topic"] for name, d in DISPLAYS.items() if "Topic" in d}
CAMERAS, DOCKS = {"Camera", "Camera in 3D"}, {"Image", "Camera"}
GROUND = {"Caution map": "caution", "Hazards": "hazards", "Free space": "free_space"}
LATCHED = {"Caution map"}

EVERY = {"Class", "Name", "Enabled", "Value"}
FROM_A_TOPIC = EVERY | {"Topic"}
POINTS = {
    "Selectable", "Style", "Size (m)", "Size (Pixels)", "Alpha", "Decay Time", "Position Transformer",
    "Color Transformer",
}  # fmt: skip
INTENSITY = {
    "Channel Name", "Use rainbow", "Invert Rainbow", "Min Color", "Max Color", "Autocompute Intensity Bounds",
    "Min Intensity", "Max Intensity",
}  # fmt: skip
PROPERTIES = {
    "Image": FROM_A_TOPIC | {"Normalize Range", "Min Value", "Max Value", "Median window"},
    "Camera": FROM_A_TOPIC | {"Image Rendering", "Overlay Alpha", "Zoom Factor", "Far Plane Distance", "Visibility"},
    "Grid": EVERY
    | {"Reference Frame", "Plane Cell Count", "Normal Cell Count", "Cell Size", "Color", "Alpha", "Plane", "Offset"},
    "TF": EVERY | {"Show Names", "Show Axes", "Show Arrows", "Marker Scale", "Update Interval", "Frame Timeout"},
    "Map": FROM_A_TOPIC | {"Update Topic", "Alpha", "Color Scheme", "Draw Behind", "Use Timestamp"},
    "PointCloud2": FROM_A_TOPIC | POINTS | INTENSITY | {"Color"},
}
"""Class of a display -> its properties, read off the sources of ros2/rviz (rolling, commit f7112b1a)."""
CHOICES = {
    "Color Scheme": {"map", "costmap", "raw"},
    "Style": {"Points", "Squares", "Flat Squares", "Spheres", "Boxes", "Tiles"},
    "Position Transformer": {"XYZ"},
    "Color Transformer": {"Intensity", "FlatColor", "AxisColor", "RGB8", "RGBF32"},
    "Image Rendering": {"background", "overlay", "background and overlay"},
    "Plane": {"XY", "XZ", "YZ"},
}
"""Property -> what may be chosen, from the same sources."""
QOS = {"Value", "Depth", "History Policy", "Reliability Policy", "Durability Policy", "Filter size"}
VIEW = {"Class", "Name", "Value", "Target Frame", "Distance", "Focal Point", "Yaw", "Pitch", "Near Clip Distance"}


def test_layout_shows_camera_overlay_entropy_flags_and_the_ground():
    assert {name: topic["Value"] for name, topic in TOPICS.items()} == {
        "Camera": "/image_raw",
        "Camera in 3D": "/image_raw",
        "Overlay": "/trust_seg/overlay",
        "Entropy": "/trust_seg/entropy_color",
        "Unreliable": "/trust_seg/unreliable",
        "Unknown": "/trust_seg/ood",
        **{name: f"/trust_seg/{topic}" for name, topic in GROUND.items()},
    }
    off = [name for name, d in DISPLAYS.items() if not d["Enabled"]]
    assert off == ["Camera in 3D"], "it needs CameraInfo and tf: without them its dock is black"


@pytest.mark.parametrize("name", DISPLAYS)
def test_every_property_is_one_of_rviz(name):
    """RViz ignores names that it does not know, without a word."""
    display = DISPLAYS[name]
    package, _, kind = display["Class"].partition("/")
    assert package == "rviz_default_plugins"
    assert display.keys() <= PROPERTIES[kind]
    assert display["Enabled"] == display["Value"]
    for choice in display.keys() & CHOICES.keys():
        assert display[choice] in CHOICES[choice]
    assert display.get("Topic", {}).keys() <= QOS


def test_every_picture_has_a_dock():
    assert {name for name, d in DISPLAYS.items() if d["Class"].rpartition("/")[2] in DOCKS} <= set(
        LAYOUT["Window Geometry"]
    )


def test_every_output_shown_is_one_the_node_publishes():
    outputs = {t["Value"].removeprefix("/trust_seg/") for n, t in TOPICS.items() if n not in CAMERAS}
    assert outputs - set(GROUND.values()) <= set(OUTPUTS)


@pytest.mark.parametrize("name", TOPICS)
def test_quality_of_service_matches_the_publisher(name):
    """A display that asks for more than the publisher offers shows nothing: cameras offer best effort."""
    assert TOPICS[name]["Reliability Policy"] == ("Best Effort" if name in CAMERAS else "Reliable")
    assert TOPICS[name]["Durability Policy"] == ("Transient Local" if name in LATCHED else "Volatile")
    assert TOPICS[name]["History Policy"] == "Keep Last"


def test_the_view_is_from_behind_the_vehicle_in_the_frame_of_the_map():
    base = settings_from({}).caution.base_frame
    assert MANAGER["Global Options"]["Fixed Frame"] == base
    view = MANAGER["Views"]["Current"]
    assert view["Class"] == "rviz_default_plugins/Orbit"
    assert view.keys() <= VIEW
    assert view["Target Frame"] == base
    assert view["Focal Point"].keys() == {"X", "Y", "Z"}
    assert view["Yaw"] == pytest.approx(3.14, abs=0.01), "RViz looks along x from there"


def test_the_camera_in_3d_shows_points_and_hides_what_covers_the_image():
    seen = DISPLAYS["Camera in 3D"]["Visibility"]
    assert seen.keys() - {"Value"} <= DISPLAYS.keys()
    assert {name for name, there in seen.items() if there} == {"Value", "Hazards", "Free space"}


def test_hazards_have_the_colour_of_their_probability():
    display = DISPLAYS["Hazards"]
    assert (display["Channel Name"], display["Min Intensity"], display["Max Intensity"]) == ("p", 0, 1)
    assert display["Autocompute Intensity Bounds"] is False


def test_the_launch_file_remaps_every_output_that_is_shown():
    launch = (ROOT / "launch" / "trust_seg.launch.py").read_text()
    shown = re.search(r"SHOWN_IN_RVIZ = \((.*?)\)", launch, re.DOTALL).group(1)
    outputs = {t["Value"].rpartition("/")[2] for n, t in TOPICS.items() if n not in CAMERAS}
    assert set(re.findall(r'"(\w+)"', shown)) == outputs
