"""Feedback to the real node: labels of earlier frames over real topics move the pixel threshold."""

import numpy as np
import pytest
from ros_bench import Bench, NodeProcess, watched
from sensor_msgs.msg import Image
from threshold_bench import one_frame, picture, pixels

pytestmark = pytest.mark.ros

ALPHA = 0.2


@pytest.fixture(scope="module")
def bench():
    more = {"thresholds.pixel_policy": "adaptive", "thresholds.pixel": 0.6, "thresholds.pixel_adaptive_alpha": ALPHA,
            "thresholds.pixel_adaptive_rate": 0.1, "thresholds.pixel_adaptive_keep_s": 60.0}  # fmt: skip
    node = NodeProcess("fed", entropy_encoding="32FC1", mode="every", queue_size=1000, **more)
    bench = Bench("fed")
    with watched(node, bench):
        bench.listen("segmentation", "entropy", "unreliable")
        bench.camera(depth=1000)
        bench.answer("unreliable")
        bench.feedback = bench.node.create_publisher(Image, "/fed/feedback", 10)
        bench.until(lambda: bench.feedback.get_subscription_count() == 1, "a subscription to ~/feedback")
        yield bench


def tell(bench, stamp, labels, encoding="mono8", nanosec=123):
    height, width = labels.shape
    msg = Image(height=height, width=width, encoding=encoding, step=width * labels.itemsize)
    msg.header.stamp.sec, msg.header.stamp.nanosec = stamp, nanosec
    msg.data.frombytes(labels.tobytes())
    bench.feedback.publish(msg)


def judged(bench, number):
    """Stamp, entropy, flags and predicted classes of a new frame."""
    stamp = bench.send(picture(number))
    score, flagged = one_frame(bench, stamp)
    bench.until(lambda: bench.received["segmentation"][-1].header.stamp.sec >= stamp, "classes")
    found = next(m for m in bench.received["segmentation"] if m.header.stamp.sec == stamp)
    return stamp, score, flagged, pixels(found)


def others(classes):
    """Labels that call every pixel wrong."""
    return np.where(classes == 0, 1, 0).astype(np.uint8)


def threshold(bench):
    return float(bench.value("thresholds", "pixel"))


def outcomes(bench):
    words = bench.value("thresholds", "feedback") or ""
    return {name: int(count) for count, name in (part.split(" ", 1) for part in words.split(", ") if part[0].isdigit())}


def after(bench, name, before):
    """Frames go on until the count of an outcome has risen; what the worker has learned is told by then."""
    bench.until(lambda: outcomes(bench).get(name, 0) > before.get(name, 0), name, each=lambda: bench.send(picture(0)))


def test_missed_errors_make_it_stricter_and_the_next_frame_is_judged_by_it(bench):
    stamp, score, flagged, classes = judged(bench, 1)
    bench.until(lambda: bench.value("thresholds", "pixel") not in (None, "n/a"), "a threshold")
    start, before = threshold(bench), outcomes(bench)
    assert np.array_equal(flagged, score >= np.float32(start))
    missed = (~flagged).mean()
    assert missed > ALPHA
    tell(bench, stamp, others(classes))
    after(bench, "used", before)
    bench.until(lambda: threshold(bench) < start, "a stricter threshold")
    _, score, flagged, _ = judged(bench, 2)
    moved = np.sqrt(0.6) + 0.1 * (ALPHA - missed)
    assert np.array_equal(flagged, score >= np.float32(moved**2))
    assert f"{100 * missed:.1f} % in 1 frames with feedback" in bench.value("thresholds", "errors missed")
    assert bench.value("thresholds", "pixel policy") == "adaptive 0.2"
    assert bench.value("thresholds", "feedback rate").startswith("one in ")


def test_what_cannot_be_used_is_counted_and_said_and_the_node_goes_on(bench):
    stamp, _, _, classes = judged(bench, 3)
    before, right = outcomes(bench), others(classes)
    tell(bench, stamp, right)
    after(bench, "used", before)
    tell(bench, stamp, right)
    after(bench, "again", before)
    tell(bench, stamp, right, nanosec=7)
    after(bench, "unknown", before)
    stamp, _, _, classes = judged(bench, 4)
    tell(bench, stamp, classes)
    after(bench, "no errors", before)
    stamp, _, _, classes = judged(bench, 5)
    tell(bench, stamp, np.where(classes == 0, 1, 0).astype(np.uint16), encoding="16UC1")
    after(bench, "used", outcomes(bench))


@pytest.mark.parametrize(
    ("labels", "encoding", "words"),
    [
        (np.full((48, 64), 77, np.uint8), "mono8", "class 77: expected the network's ids"),
        (np.zeros((48, 192), np.uint8), "rgb8", "encoding 'rgb8', expected class ids"),
        (np.zeros((24, 64), np.uint8), "mono8", "64×24 on a frame judged on a grid of 64×48"),
    ],
)
def test_a_refused_message_is_a_warning_that_names_the_reason(bench, labels, encoding, words):
    stamp = judged(bench, 6)[0]
    count = int(bench.value("thresholds", "feedback refused"))
    tell(bench, stamp, labels, encoding)
    bench.until(
        lambda: int(bench.value("thresholds", "feedback refused")) > count, "refused", each=lambda: bench.send()
    )
    assert words in bench.value("thresholds", "last feedback refused")


def test_the_topic_exists_only_with_the_policy(bench):
    assert bench.set("thresholds.pixel_policy", "fixed").successful
    bench.until(lambda: bench.feedback.get_subscription_count() == 0, "no subscription")
    bench.send()
    bench.until(lambda: bench.value("thresholds", "feedback") is None, "no words on feedback")
    assert bench.set("thresholds.pixel_policy", "adaptive").successful
    bench.until(lambda: bench.feedback.get_subscription_count() == 1, "a subscription")
