"""The report of a replay tells of the drive, whatever the chunks it was made in."""

import json
import re

import numpy as np
import pytest
from replay_bench import LIGHT, LIVE, TOPIC, drive_messages, image, replay, synthetic, write_bag

from trust_seg_ros.recordings.replay.message_types import IMAGE

pytest.importorskip("plotly", reason="needs the library plotly")
LATE_MS = 40


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Nine frames, a node that said something of each 40 ms after its stamp, and an image that cannot be used."""
    frames = synthetic(9)
    messages = drive_messages(frames)
    said = [
        (LIVE, IMAGE, stamp + LATE_MS * 1_000_000, image(np.zeros((4, 4), np.uint8), stamp, "mono8"))
        for stamp, _ in frames
    ]
    broken = (TOPIC, IMAGE, messages[4][2] + 1, b"")
    everything = sorted([*messages, *said, broken], key=lambda message: message[2])
    return write_bag(tmp_path_factory.mktemp("report") / "drive", everything)


def page(out):
    """(text, the data its scripts draw from)."""
    text = (out / "report.html").read_text("utf-8")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return text, json.loads(data)


@pytest.fixture(scope="module")
def made(bag, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    replay(bag, out, *LIGHT, "--report", "--chunk-frames", 4)
    return out


def test_the_page_tells_of_every_frame(made):
    text, data = page(made)
    assert data["cameras"] == [TOPIC]
    assert len(data["pictures"]) == 9
    assert "1 of 10 images were refused" in text
    assert "trust-seg replay" in text, "the command that made it"


def test_latency_is_that_of_the_node_that_ran_while_it_was_recorded(made):
    (live,) = page(made)[1]["latency"]
    assert live["topic"] == LIVE
    assert live["ms"] == [LATE_MS] * 9


def test_the_report_does_not_depend_on_the_chunks(bag, made, tmp_path):
    replay(bag, tmp_path / "out", *LIGHT, "--report", "--chunk-frames", 100)
    one, other = (page(out)[1] for out in (made, tmp_path / "out"))
    assert one == other


def test_without_report_none_is_written(bag, tmp_path):
    replay(bag, tmp_path / "out", *LIGHT, "--topics", "segmentation")
    assert not (tmp_path / "out" / "report.html").exists()


def test_every_camera_has_its_own_part(tmp_path):
    rear = "/rear/image_raw"
    both = [*drive_messages(synthetic(4)), *drive_messages(synthetic(4, seed=4), topic=rear)]
    source = write_bag(tmp_path / "two", sorted(both, key=lambda message: message[2]))
    replay(source, tmp_path / "out", *LIGHT, "--report", "--image-topic", TOPIC, "--image-topic", rear)
    assert page(tmp_path / "out")[1]["cameras"] == sorted([TOPIC, rear])
