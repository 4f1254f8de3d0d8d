"""The Foxglove layout shows what the node publishes and plots what its diagnostics say."""

import json
import re

import pytest
from places import ROOT

from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.node.camera import CameraView
from trust_seg_ros.node.diagnostics import NodeView, report
from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.node.statistics import Spread, Summary
from trust_seg_ros.node.threshold_watch import InForce

LAYOUT = json.loads((ROOT / "config" / "trust_seg_foxglove.json").read_text())
PANELS = LAYOUT["configById"]
IMAGES = {n: p["imageMode"]["imageTopic"] for n, p in PANELS.items() if n.startswith("Image!")}
PLOTTED = [path["value"] for name, p in PANELS.items() if name.startswith("Plot!") for path in p["paths"]]
PATH = re.compile(r'/diagnostics\.status\[:\]\{name=="(.+?)"\}\.values\[:\]\{key=="(.+?)"\}\.value')


def leaves(tree):
    return [tree] if isinstance(tree, str) else leaves(tree["first"]) + leaves(tree["second"])


def test_it_shows_overlay_entropy_flagged_and_unknown_segments():
    shown = {topic.removeprefix("/trust_seg/") for topic in IMAGES.values()}
    assert shown == {"overlay", "entropy_color", "unreliable", "ood"}
    assert shown <= set(OUTPUTS)


def test_every_panel_stands_once_in_the_window():
    assert sorted(leaves(LAYOUT["layout"])) == sorted(PANELS)
    assert len({panel["foxglovePanelTitle"] for panel in PANELS.values()}) == len(PANELS)


def test_diagnostics_are_those_of_the_usual_topic():
    (panel,) = (p for n, p in PANELS.items() if n.startswith("DiagnosticSummary!"))
    assert panel["topicToRender"] == "/diagnostics"


@pytest.fixture(scope="module")
def said():
    """(status, key) -> value, as a node says them that has judged frames."""
    summary = Summary(counts={"processed": 9}, processing=Spread(20.0, 30.0), latency=Spread(25.0, 60.0))
    force = InForce({"unreliable": 0.5, "pixel": 0.6, "ood": 0.7, "ood_meta": 0.4})
    camera = CameraView("/image_raw", "Image", ("Image",), 1, "reliable", "")
    view = NodeView("/trust_seg", "active", True, settings_from({}), camera, summary, open_s=1.0, in_force=force)
    return {(s.name, pair.key): pair.value for s in report(view) for pair in s.values}


@pytest.mark.parametrize("path", PLOTTED)
def test_every_plotted_value_is_a_number_that_the_node_says(path, said):
    status, key = PATH.fullmatch(path).groups()
    assert float(said[status, key]) > 0
