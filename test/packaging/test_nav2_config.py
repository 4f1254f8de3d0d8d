"""config/nav2: names of parameters against those that the real sources declare, values against what we publish.

Nav2 cannot run here. The lists were read in its sources, commit a3a97043 of August 2026 (branch main; what differs on
humble, jazzy and kilted is said), and in kiwicampus/semantic_segmentation_layer, commit a70cf6ec.
"""

import ast
import re

import numpy as np
import pytest
import yaml
from places import ROOT

from trust_seg_ros.messages.ground import FREE_POINT, GROUND_OUTPUTS, HAZARD_POINT
from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.node.speed_limit import PARAMETERS
from trust_seg_ros.node.speed_rule import SpeedRule
from trust_seg_ros.segmentation.labels import load_labels

FOLDER = ROOT / "config/nav2"
# nav2_costmap_2d/src/costmap_2d_ros.cpp
COSTMAP = {
    "global_frame", "robot_base_frame", "rolling_window", "width", "height", "resolution", "track_unknown_space",
    "trinary_costmap", "lethal_cost_threshold", "unknown_cost_value", "use_maximum", "transform_tolerance",
    "update_frequency", "publish_frequency", "plugins",
}  # fmt: skip
PLUGINS = {
    # nav2_costmap_2d/plugins/static_layer.cpp; restore_cleared_footprint from kilted on
    "nav2_costmap_2d::StaticLayer": {
        "enabled", "subscribe_to_updates", "footprint_clearing_enabled", "restore_cleared_footprint", "map_topic",
        "map_subscribe_transient_local",
    },
    # nav2_costmap_2d/plugins/obstacle_layer.cpp
    "nav2_costmap_2d::ObstacleLayer": {
        "enabled", "footprint_clearing_enabled", "min_obstacle_height", "max_obstacle_height", "combination_method",
        "observation_sources", "tf_filter_tolerance",
    },
    # nav2_costmap_2d/plugins/inflation_layer.cpp
    "nav2_costmap_2d::InflationLayer": {
        "enabled", "inflation_radius", "cost_scaling_factor", "inflate_unknown", "inflate_around_unknown",
    },
    # semantic_segmentation_layer/src/semantic_segmentation_layer.cpp
    "semantic_segmentation_layer::SemanticSegmentationLayer": {
        "enabled", "combination_method", "observation_sources", "publish_debug_topics", "use_approximate_time_sync",
    },
}  # fmt: skip
OBSTACLE_SOURCE = {
    "topic", "sensor_frame", "observation_persistence", "expected_update_rate", "data_type", "min_obstacle_height",
    "max_obstacle_height", "inf_is_valid", "marking", "clearing", "transport_type", "obstacle_max_range",
    "obstacle_min_range", "raytrace_max_range", "raytrace_min_range",
}  # fmt: skip
SEMANTIC_SOURCE = {
    "segmentation_topic", "confidence_topic", "labels_topic", "pointcloud_topic", "observation_persistence",
    "expected_update_rate", "class_types", "max_obstacle_distance", "min_obstacle_distance", "tile_map_decay_time",
    "visualize_tile_map", "use_cost_selection",
}  # fmt: skip
CLASS_TYPE = {"classes", "base_cost", "max_cost", "mark_confidence", "samples_to_max_cost", "dominant_priority"}
# nav2_collision_monitor/src/collision_monitor_node.cpp, polygon.cpp, source.cpp, pointcloud.cpp
MONITOR = {
    "base_frame_id", "odom_frame_id", "cmd_vel_in_topic", "cmd_vel_out_topic", "state_topic", "transform_tolerance",
    "source_timeout", "base_shift_correction", "stop_pub_timeout", "polygons", "observation_sources", "enabled",
}  # fmt: skip
POLYGON = {
    "type", "points", "action_type", "min_points", "slowdown_ratio", "linear_limit", "angular_limit", "visualize",
    "polygon_pub_topic", "enabled", "sources_names", "time_before_collision", "simulation_time_step",
}  # fmt: skip
CLOUD_SOURCE = {
    "type", "topic", "enabled", "source_timeout", "min_height", "max_height", "min_range", "use_global_height",
    "transport_type",
}  # fmt: skip


def load(name):
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


def costmap(name):
    return load(name)["local_costmap"]["local_costmap"]["ros__parameters"]


def checked_layers(parameters):
    """Layer -> its parameters without its sources; every name exists in the sources of its plugin."""
    names = parameters["plugins"]
    assert parameters.keys() - set(names) <= COSTMAP
    layers = {}
    for name in names:
        layer = dict(parameters[name])
        plugin = layer.pop("plugin")
        sources = layer.get("observation_sources", "").split()
        own = {key: value for key, value in layer.items() if key not in sources}
        assert own.keys() <= PLUGINS[plugin], name
        layers[name] = layer
    return layers


def test_the_costmap_of_the_caution_map():
    layers = checked_layers(parameters := costmap("caution_costmap.yaml"))
    assert layers["caution_layer"]["map_topic"] == "/trust_seg/caution"
    assert layers["caution_layer"]["map_subscribe_transient_local"], "~/caution is latched"
    assert parameters["track_unknown_space"], "what is unknown must not become free"
    assert not parameters["trinary_costmap"]
    hazards = layers["hazard_layer"]
    for name in ("hazards", "free_space"):
        source = hazards[name]
        assert source.keys() <= OBSTACLE_SOURCE
        assert source["topic"] == f"/trust_seg/{name}"
        assert GROUND_OUTPUTS[name].type == "sensor_msgs/msg/PointCloud2"
        assert source["data_type"] == "PointCloud2"
        assert source["min_obstacle_height"] < 0 < source["max_obstacle_height"], "the default 0 to 0 drops the ground"
    assert (hazards["hazards"]["marking"], hazards["hazards"]["clearing"]) == (True, False)
    assert (hazards["free_space"]["marking"], hazards["free_space"]["clearing"]) == (False, True)


def test_the_semantic_layer_knows_every_class_of_the_shipped_label_sets():
    """A class that it does not know is an error in its log and no cost in its map."""
    layer = checked_layers(costmap("semantic_layer.yaml"))["semantic_layer"]
    source = layer["camera"]
    types = source["class_types"]
    assert source.keys() - set(types) <= SEMANTIC_SOURCE
    assert all(source[name].keys() == CLASS_TYPE for name in types)
    named = [name for kind in types for name in source[kind]["classes"]]
    assert len(named) == len(set(named))
    for labels in ("camvid11", "cityscapes19"):
        assert set(load_labels(labels).names) <= set(named), labels
    for key in ("segmentation", "confidence"):
        assert source[f"{key}_topic"] == f"/trust_seg/{key}"
        assert OUTPUTS[key].encoding == "mono8"
    assert all(
        0 <= source[kind][cost] <= 255 for kind in types for cost in ("base_cost", "max_cost", "mark_confidence")
    )


def test_the_collision_monitor():
    parameters = load("collision_monitor.yaml")["collision_monitor"]["ros__parameters"]
    polygons, sources = parameters["polygons"], parameters["observation_sources"]
    assert parameters.keys() - {*polygons, *sources} <= MONITOR
    assert all(parameters[name].keys() <= POLYGON for name in polygons)
    for name, topic in (("hazards", "/trust_seg/hazards"), ("trust", "/trust_seg_speed_limit/stop")):
        source = parameters[name]
        assert source.keys() <= CLOUD_SOURCE
        assert (source["type"], source["topic"]) == ("pointcloud", topic)
        assert source["min_height"] < 0, "feet lie on the ground; 0.05 is the default"
    assert 0 < parameters["source_timeout"] <= 1.0, "0 would keep a dead source"


def test_the_points_that_stop_lie_in_the_stop_polygon():
    limit = load("speed_limit.yaml")["trust_seg_speed_limit"]["ros__parameters"]
    assert limit.keys() <= PARAMETERS.keys()
    assert {name: type(value) for name, value in limit.items()} == {n: type(PARAMETERS[n][0]) for n in limit}
    SpeedRule(limit["degraded_percent"], limit["untrusted_percent"], limit["silence_s"])
    monitor = load("collision_monitor.yaml")["collision_monitor"]["ros__parameters"]
    stop = monitor["PolygonStop"]
    corners = np.array(ast.literal_eval(stop["points"]))
    x, y, z = limit["stop_at"]
    assert corners[:, 0].min() + 0.02 < x < corners[:, 0].max() - 0.02
    assert corners[:, 1].min() + 0.02 < y < corners[:, 1].max() - 0.02
    assert monitor["trust"]["min_height"] < z < monitor["trust"]["max_height"]
    assert limit["stop_points"] >= stop["min_points"]


@pytest.mark.parametrize("kind", [HAZARD_POINT, FREE_POINT], ids=["hazards", "free_space"])
def test_nav2_finds_the_fields_of_our_clouds(kind):
    """It reads float32 named x, y and z (sensor_msgs::PointCloud2ConstIterator<float>), at any offset."""
    assert [kind.fields[name][0] for name in "xyz"] == [np.dtype("<f4")] * 3


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_the_walk_through_names_every_file(path):
    assert re.search(rf"config/nav2/{path.name}\b", (ROOT / "docs/nav2.md").read_text("utf-8"))
