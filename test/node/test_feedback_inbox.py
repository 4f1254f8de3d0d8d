"""Messages of ``~/feedback`` between executor and worker: a few per frame, never an exception, never without bound."""

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from threshold_bench import picture

from trust_seg_ros.node.feedback import REFUSED, FeedbackInbox
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.types import Frame

SETTINGS = ThresholdSettings(pixel=PolicySettings("adaptive", adaptive_alpha=0.2))
S = 1_000_000_000


@pytest.fixture
def pipeline():
    return TrustPipeline(load_network("node_networks:colours"))


@pytest.fixture
def inbox(pipeline):
    inbox = FeedbackInbox(pipeline, Statistics(), lambda _, text: inbox.said.append(text))
    inbox.said = []
    return inbox


def counts(inbox):
    return inbox._statistics.summary().counts.get(REFUSED, 0)


def message(stamp_s, labels, **changes):
    height, width = labels.shape
    msg = Image(height=height, width=width, encoding="mono8", step=width * labels.itemsize)
    msg.header.stamp.sec = stamp_s
    msg.data.frombytes(labels.tobytes())
    for name, value in changes.items():
        setattr(msg, name, value)
    return bytes(serialize_message(msg))


def others(result):
    return np.where(result.maps.classes.numpy() == 0, 1, 0).astype(np.uint8)


def test_a_burst_is_read_a_few_at_a_time(pipeline, inbox):
    labels = {n: others(pipeline(Frame(picture(n), n * S), SETTINGS)) for n in range(1, 11)}
    for n, truth in labels.items():
        inbox.put(message(n, truth))
    used = []
    for _ in range(4):
        inbox.learn(1 << 20)
        used.append(pipeline.adapted.state.counts["used"])
    assert used == [4, 8, 10, 10]
    assert inbox.said == []


def test_more_than_can_wait_are_dropped_and_counted(pipeline, inbox):
    for _ in range(70):
        inbox.put(message(1, np.zeros((48, 64), np.uint8)))
    assert counts(inbox) == 6
    assert "dropped: more than 64 arrived before the next frame" in inbox.said[0]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\x00\x01\x00\x00rubbish", "~/feedback refused: "),
        (message(1, np.zeros((48, 64), np.uint8), encoding="32FC1"), "encoding '32FC1', expected class ids: mono8"),
        (message(1, np.zeros((48, 64), np.uint8), step=3), "step is 3 bytes, expected at least 64"),
        (message(1, np.zeros((48, 64), np.uint8), height=4000), "data holds 3072 bytes, expected 256000"),
        (message(1, np.zeros((48, 64), np.uint8), height=1 << 20), "expected at most 1048576 (parameter max_image"),
        (message(1, np.full((48, 64), 200, np.uint8)), "class 200: expected the network's ids"),
        (message(1, np.full((48, 64), 999, np.uint16), encoding="16UC1"), "class 999: expected the network's ids"),
        (message(7, np.zeros((48, 64), np.uint8)), "stamp 7.000000000 is not used, it is about no frame"),
        (message(1, np.zeros((64, 48), np.uint8)), "48×64 on a frame judged on a grid of 64×48"),
    ],
)
def test_what_cannot_be_used_is_said_and_the_frame_still_waits(pipeline, inbox, raw, words):
    truth = others(pipeline(Frame(picture(1), S), SETTINGS))
    inbox.put(raw)
    inbox.learn(1 << 20)
    assert len(inbox.said) == 1
    assert words in inbox.said[0]
    assert counts(inbox) == ("is not used" not in words)
    inbox.put(message(1, truth))
    inbox.learn(1 << 20)
    assert pipeline.adapted.state.counts["used"] == 1


def test_big_endian_16_bits_are_read(pipeline, inbox):
    truth = others(pipeline(Frame(picture(1), S), SETTINGS))
    inbox.put(message(1, truth.astype(">u2"), encoding="16UC1", is_bigendian=1))
    inbox.learn(1 << 20)
    assert pipeline.adapted.state.counts == {"used": 1}
