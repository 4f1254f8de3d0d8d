"""Tracks on the wire: ids that stay, and what begins new ones."""

import numpy as np
import pytest
from ros_bench import Bench, NodeProcess, watched
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from trust_seg_ros.messages.detections import TRACK_RESULTS

pytestmark = pytest.mark.ros


def scene(step):
    """48 x 64: a red box moves to the right over blue, and something undecided to the left."""
    shown = np.zeros((48, 64, 3), np.uint8)
    shown[..., 2] = 255
    shown[4:20, 8 + step : 24 + step] = (255, 0, 0)
    shown[28:40, 36 - step : 52 - step] = 128
    return shown


@pytest.fixture(scope="module")
def bench():
    node = NodeProcess(
        tracking="on",
        publish_all_segments=True,
        **{"ood.threshold": 0.8, "ood.min_size": 16, "tracking.max_gap_s": 30.0},
    )
    bench = Bench()
    with watched(node, bench):
        bench.listen("segments", "segment_ids", "ood_ids")
        bench.camera()
        told = bench.answer("segments", scene(0)).detections
        assert {"1", "ood_1"} <= {d.id for d in told}, "the tracks of the warm-up do not count"
        yield bench


def of_frame(bench, name, stamp):
    def there():
        return [m for m in bench.received[name] if m.header.stamp.sec == stamp]

    return bench.until(there, f"{name} of frame {stamp}")[0]


def frame(bench, step=0, **changes):
    """Detections of one frame, id -> results."""
    found = of_frame(bench, "segments", bench.send(scene(step), **changes))
    return {d.id: {r.hypothesis.class_id: r.hypothesis.score for r in d.results} for d in found.detections}


def test_ids_stay_while_things_move_and_pixels_have_the_number_told(bench):
    first = frame(bench)
    stamp = bench.sent[-1][0]
    assert first.keys() >= {"ood_1"}
    assert sum(not number.startswith("ood_") for number in first) >= 3
    for number, results in first.items():
        image = of_frame(bench, "ood_ids" if number.startswith("ood_") else "segment_ids", stamp)
        plane = np.frombuffer(image.data, np.uint16).reshape(48, 64)
        assert (plane == results["pixel_id"]).any(), number
    then = [frame(bench, 4 * k) for k in (1, 2, 3)]
    assert [found.keys() for found in then] == [first.keys()] * 3
    red = max((number for number in first if "red" in first[number]), key=lambda number: first[number]["red"])
    told = then[-1][red]
    assert list(told)[-len(TRACK_RESULTS) :] == list(TRACK_RESULTS)
    assert told["track_frames"] == first[red]["track_frames"] + 3
    assert told["track_age_s"] == pytest.approx(first[red]["track_age_s"] + 3.0)
    assert told["first_seen_s"] == pytest.approx(bench.sent[-1][0] + 1.23e-7 - told["track_age_s"])
    assert 1.5 < told["velocity_x"] <= 4.0
    assert then[-1]["ood_1"]["velocity_x"] < -1.0
    bench.until(lambda: str(bench.value("model", "tracking")).startswith("on, "), "the first report")


def test_a_jump_back_in_time_begins_new_tracks(bench):
    before = frame(bench)
    assert frame(bench).keys() == before.keys()
    after = frame(bench, stamp=(7, 123))
    assert after.keys().isdisjoint(before)
    assert {results["track_frames"] for results in after.values()} == {1.0}
    bench.answer("segments", scene(0))  # and forward by minutes, which forgets them, too


def test_reset_begins_new_tracks(bench):
    before = frame(bench)
    assert frame(bench).keys() == before.keys()
    assert bench.call(Trigger, "reset", Trigger.Request()).success
    after = frame(bench)
    assert after.keys().isdisjoint(before)
    assert {results["track_frames"] for results in after.values()} == {1.0}


def test_a_second_camera_on_the_topic_is_warned_of(bench):
    turn = 0

    def another():
        nonlocal turn
        turn += 1
        stamp = bench.sent[-1][0] + 1
        header = Header(frame_id=("front", "rear")[turn % 2])
        header.stamp.sec = stamp
        bench.send(scene(0), stamp=(stamp, 0), header=header)
        bench.pause(1)

    warning = bench.says("processing", "all tracks are forgotten: the camera changed from", another)
    assert warning.level == b"\x01"
