"""The layout for replays beside what a replay with everything at its default writes: no panel stays empty."""

import math

import pytest
from foxglove_layouts import LIVE, REPLAY, Layout, matched, value_of
from replay_bench import TOPIC, busy_bag, replay

pytest.importorskip("mcap_ros2", reason="needs the library mcap-ros2-support")
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

FRAMES = 6


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Topic -> messages of a replay without options but the camera, by the readers of the MCAP format's authors."""
    folder = tmp_path_factory.mktemp("drive")
    bag = busy_bag(folder / "bag", FRAMES)
    replay(bag, folder / "out", "--image-topic", TOPIC)
    found = {}
    for path in sorted((folder / "out").glob("*.mcap")):
        with path.open("rb") as stream:
            reader = make_reader(stream, decoder_factories=[DecoderFactory()])
            for _, channel, _, message in reader.iter_decoded_messages():
                found.setdefault(channel.topic, []).append(message)
    return found


def empty(layout, written):
    """Panels that show nothing of what was written."""

    def is_empty(name):
        panel = layout.panels[name]
        if "paths" not in panel:
            return not all(len(written.get(topic, ())) == FRAMES for topic in layout.topics_of(name))
        return not all(_numbers(path["value"], written) for path in panel["paths"])

    return [name for name in layout.panels if not name.startswith("Tab!") and is_empty(name)]


def _numbers(path, written):
    values = [value_of(message, path) for message in written.get(matched(path)["topic"], ())]
    return [value for value in values if value is not None and math.isfinite(float(value))]


def test_no_panel_of_the_layout_for_replays_is_empty(written):
    assert empty(Layout(REPLAY), written) == []


def test_the_live_layout_would_have_empty_ones(written):
    """Why there are two: a replay has no diagnostics and no trust state (they belong to a machine), and no map."""
    found = empty(Layout(LIVE), written)
    assert {"DiagnosticSummary!all", "Plot!thresholds", "Plot!times", "3D!caution"} <= set(found)


def test_every_value_of_a_plot_is_there_in_every_frame(written):
    for path in Layout(REPLAY).paths():
        assert len(_numbers(path, written)) == FRAMES, path


def test_there_are_boxes_to_see(written):
    assert sum(len(message.points) for message in written["/trust_seg/annotations"]) > 0
