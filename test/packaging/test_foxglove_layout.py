"""The layouts for Foxglove: each shows what there is where it is used, and every panel has something to show."""

import re

import numpy as np
import pytest
from drive_frames import made_result
from foxglove_layouts import LIVE, REPLAY, Layout, matched
from places import ROOT

from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.messages.summary import SUMMARY, summary_fields
from trust_seg_ros.node.camera import CameraView
from trust_seg_ros.node.diagnostics import NodeView, report
from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.node.statistics import Spread, Summary
from trust_seg_ros.node.threshold_watch import InForce
from trust_seg_ros.recordings.replay.options import TOPICS

NODE = "/trust_seg/"
LAYOUTS = {LIVE: Layout(LIVE), REPLAY: Layout(REPLAY)}
GROUND = {"caution", "hazards", "free_space"}
KNOWN_PANELS = {"Image", "3D", "Tab", "Plot", "StateTransitions", "Indicator", "DiagnosticSummary"}
"""Panels of Foxglove and of its open relative Lichtblick, by the names that layouts use."""


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return LAYOUTS[request.param]


def test_every_panel_stands_once_in_the_window_and_shows_something(layout):
    assert sorted(layout.in_the_window()) == sorted(layout.panels)
    assert len({panel["foxglovePanelTitle"] for panel in layout.panels.values()}) == len(layout.panels)
    assert {name.partition("!")[0] for name in layout.panels} <= KNOWN_PANELS
    assert [name for name in layout.panels if not name.startswith("Tab!") and not layout.topics_of(name)] == []


@pytest.mark.parametrize("name", LAYOUTS)
def test_it_shows_overlay_entropy_flagged_and_unknown_segments(name):
    images = {panel["imageMode"]["imageTopic"] for panel in LAYOUTS[name].of("Image").values()}
    maps = {f"{NODE}{output}" for output in ("overlay", "entropy_color", "unreliable", "ood")}
    assert images == maps | ({"/image_raw"} if name == LIVE else set())


def test_the_replay_layout_shows_what_a_replay_writes_and_nothing_else():
    assert {topic.removeprefix(NODE) for topic in LAYOUTS[REPLAY].topics()} <= set(TOPICS)


def test_the_live_layout_shows_what_a_node_publishes():
    own = {topic.removeprefix(NODE) for topic in LAYOUTS[LIVE].topics() if topic.startswith(NODE)}
    assert own <= {*OUTPUTS, SUMMARY, "trust_state", *GROUND}
    assert own >= GROUND | {SUMMARY, "trust_state", "annotations"}
    assert LAYOUTS[LIVE].topics() - {f"{NODE}{name}" for name in own} == {"/image_raw", "/diagnostics"}


def test_annotations_are_drawn_on_an_image_with_the_same_stamps(layout):
    """Synchronised: live they come later than the image that they belong to."""
    (panel,) = (p for p in layout.of("Image").values() if p["imageMode"]["annotations"])
    assert panel["imageMode"]["annotations"] == {"/trust_seg/annotations": {"visible": True}}
    assert panel["imageMode"]["synchronize"] is True


def test_the_map_is_seen_from_behind_the_vehicle_and_what_is_unknown_hides_nothing():
    (panel,) = LAYOUTS[LIVE].of("3D").values()
    assert panel["followTf"] == settings_from({}).caution.base_frame
    grid = panel["topics"]["/trust_seg/caution"]
    assert grid["unknownColor"].endswith("00"), "transparent"
    assert panel["topics"]["/trust_seg/hazards"]["colorField"] == "p"


@pytest.fixture(scope="module")
def said():
    """(status, key) -> value, as a node says them that has judged frames."""
    summary = Summary(counts={"processed": 9}, processing=Spread(20.0, 30.0), latency=Spread(25.0, 60.0))
    force = InForce({"unreliable": 0.5, "pixel": 0.6, "ood": 0.7, "ood_meta": 0.4})
    camera = CameraView("/image_raw", "Image", ("Image",), 1, "reliable", "")
    view = NodeView("/trust_seg", "active", True, settings_from({}), camera, summary, open_s=1.0, in_force=force)
    return {(s.name, pair.key): pair.value for s in report(view) for pair in s.values}


def plotted(topic):
    every = (path for layout in LAYOUTS.values() for path in layout.paths())
    return sorted({path for path in every if matched(path)["topic"] == topic})


@pytest.mark.parametrize("path", plotted("/diagnostics"))
def test_every_plotted_value_is_a_number_that_the_node_says(path, said):
    parts = matched(path)
    assert float(said[parts["name"], parts["key"]]) > 0


@pytest.mark.parametrize("path", plotted("/trust_seg/summary"))
def test_every_plotted_number_of_a_frame_is_one_of_the_summary(path):
    numbers = dict(summary_fields(made_result(np.repeat([[0, 1]], 6, 0).astype(np.uint8))))
    float(numbers[matched(path)["key"]])


@pytest.mark.parametrize("path", plotted("/trust_seg/trust_state"))
def test_every_state_is_a_key_of_the_trust_state(path):
    page = (ROOT / "docs" / "trust_state.md").read_text("utf-8")
    keys = re.findall(r"^\| `(\w+)` \|", page.partition("## Keys")[2].partition("\n## ")[0], re.MULTILINE)
    assert matched(path)["key"] in keys


def test_every_state_has_a_colour():
    (panel,) = LAYOUTS[LIVE].of("Indicator").values()
    assert [rule["rawValue"] for rule in panel["rules"]] == ["NOMINAL", "DEGRADED", "UNTRUSTED"]
    assert len({rule["color"] for rule in panel["rules"]} | {panel["fallbackColor"]}) == 4


def test_every_plotted_topic_is_one_of_three():
    topics = {matched(path)["topic"] for layout in LAYOUTS.values() for path in layout.paths()}
    assert topics == {"/diagnostics", "/trust_seg/summary", "/trust_seg/trust_state"}
