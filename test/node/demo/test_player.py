import itertools
import threading
import time

import cv2
import numpy as np
import pytest
import rclpy
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from trust_seg_ros.bags.errors import NothingThere, SourceError, UnreadableFrame
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import RawCompressed
from trust_seg_ros.messages.image_pixels import decompress
from trust_seg_ros.node.demo.pace import Pace
from trust_seg_ros.node.demo.player import CameraPlayer, PlayerSettings, ReadAhead
from trust_seg_ros.recordings.refusals import Refusals
from trust_seg_ros.recordings.sources import Looped, open_source
from trust_seg_ros.types import Frame


class Clip:
    """A recording in memory; breaks off where a frame is an exception."""

    live, description = False, "clip"

    def __init__(self, frames, rate=50.0):
        self.frames, self.rate = frames, rate

    def __iter__(self):
        for frame in self.frames:
            if isinstance(frame, Exception):
                raise frame
            yield frame


def clip(count, height=24, width=32):
    images = [np.full((height, width, 3), (10 * i, 5, 0), np.uint8) for i in range(count)]
    return Clip([Frame(image, stamp_ns=7_000_000_000 + i * 20_000_000) for i, image in enumerate(images)])


@pytest.fixture
def ros():
    rclpy.init()
    yield
    rclpy.try_shutdown()


def receive(kind, topic, wanted, play, each=None, beside=None):
    """Messages a subscriber gets while ``play`` runs; ``each`` is called with every one, ``beside`` spins, too."""
    node = rclpy.create_node("listener")
    got = []

    def note(message):
        got.append(message)
        if each is not None:
            each(message)

    node.create_subscription(kind, topic, note, QoSProfile(depth=50))
    executor = SingleThreadedExecutor()
    for one in filter(None, (node, beside)):
        executor.add_node(one)
    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while len(got) < wanted and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
    thread.join(5)
    executor.shutdown()
    node.destroy_node()
    return got


@pytest.mark.ros
def test_every_frame_arrives_with_pixels_frame_and_the_time_of_sending(ros):
    player = CameraPlayer(clip(5), PlayerSettings(topic="/clip", wait_for="listener", frame_id="front"))
    before = time.time()
    messages = receive(Image, "/clip", 5, player.play)
    assert [m.data[0] for m in messages] == [0, 10, 20, 30, 40]
    first = messages[0]
    assert (first.encoding, first.height, first.width, first.step) == ("rgb8", 24, 32, 96)
    assert first.header.frame_id == "front"
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in messages]
    assert before - 1 <= stamps[0] <= time.time()
    assert stamps == sorted(stamps)


@pytest.mark.ros
def test_compressed_with_the_recordings_stamps_and_a_limit(ros):
    options = PlayerSettings(topic="/clip", wait_for="listener", compressed=True, keep_stamps=True, frames=2)
    player = CameraPlayer(clip(5), options)
    messages = receive(CompressedImage, "/clip", 2, player.play)
    assert player.sent == 2
    assert [m.header.stamp.nanosec for m in messages] == [0, 20_000_000]
    data = np.frombuffer(messages[1].data, np.uint8)
    image = decompress(RawCompressed(HeaderFields(), messages[1].format, data), 1000)
    assert np.abs(image.astype(int) - [10, 5, 0]).max() <= 6


@pytest.mark.ros
def test_a_source_that_breaks_off_is_told_after_its_good_frames(ros):
    source = clip(2)
    source.frames.append(UnreadableFrame("frame 2 is broken"))
    player = CameraPlayer(source, PlayerSettings(topic="/clip"))
    with pytest.raises(UnreadableFrame, match="frame 2"):
        player.play()
    assert player.sent == 2


@pytest.mark.ros
def test_bad_images_are_left_out_and_only_bad_ones_are_an_error(ros, tmp_path):
    for name, good in (("1.png", True), ("2.png", False), ("3.png", True)):
        image = np.full((8, 8, 3), 100, np.uint8)
        (tmp_path / name).write_bytes(cv2.imencode(".png", image)[1].tobytes() if good else b"no picture")
    told = []
    refusals = Refusals(told.append)
    source = open_source(tmp_path, refusals=refusals)
    player = CameraPlayer(source, PlayerSettings(topic="/clip"), refusals)
    assert player.play() == 2
    assert refusals.count == 1
    assert "2.png" in told[0]
    for name in ("1.png", "3.png"):
        (tmp_path / name).write_bytes(b"no picture")
    refusals = Refusals(told.append)
    source = open_source(tmp_path, loop=True, refusals=refusals)
    with pytest.raises(UnreadableFrame, match=r"all 3 images were refused; the first: .*1\.png"):
        CameraPlayer(source, PlayerSettings(topic="/clip"), refusals).play()


def test_pace_keeps_the_recordings_time_and_forgives_being_late():
    pace = Pace(slack=0.05)
    assert pace.delay(1_000_000_000, now=100.0) == 0
    assert pace.delay(1_100_000_000, now=100.02) == pytest.approx(0.08)
    assert pace.delay(1_200_000_000, now=105.0) == 0, "late: sent at once"
    assert pace.delay(1_300_000_000, now=105.0) == pytest.approx(0.1), "and the next one keeps its distance"


@settings(max_examples=200)
@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=20), st.floats(0.01, 100), st.integers(0, 2 * 10**18))
def test_at_any_speed_frames_in_time_are_due_at_their_stamp_over_the_factor(gaps, speed, first):
    pace, stamp, now = Pace(speed), first, 50.0
    pace.delay(stamp, now)
    for gap in gaps:
        stamp += gap + 1
        now += pace.delay(stamp, now)
        assert now - 50 == pytest.approx((stamp - first) / 1e9 / speed, abs=1e-6, rel=1e-9)


def test_a_round_that_starts_again_follows_one_period_after_the_last_frame():
    pace = Pace(speed=2.0, period_s=0.1)
    assert pace.delay(3_000_000_000, now=10.0) == 0
    assert pace.delay(3_100_000_000, now=10.0) == pytest.approx(0.05)
    assert pace.delay(3_000_000_000, now=10.05) == pytest.approx(0.05), "back in time, forward on the wall"
    assert pace.delay(3_100_000_000, now=10.10) == pytest.approx(0.05)
    assert pace.delay(3_100_000_000, now=10.15) == pytest.approx(0.05), "a recording of one frame does not race"


def test_between_frames_the_recordings_time_runs_at_the_speed_and_never_ahead_of_the_next_frame():
    pace = Pace(speed=2.0)
    assert pace.at(1.0) is None
    pace.delay(1_700_000_000_000_000_001, now=10.0)
    assert pace.at(10.0) == 1_700_000_000_000_000_001
    pace.delay(1_700_000_001_000_000_001, now=10.0)
    assert pace.at(10.25) == 1_700_000_000_500_000_001
    assert pace.at(99.0) == 1_700_000_001_000_000_001


def sent_at(ros_speed):
    """Seconds on the wall between the first and the last of 11 frames 20 ms apart."""
    player = CameraPlayer(clip(11), PlayerSettings(topic="/clip", wait_for="listener", speed=ros_speed))
    arrived = []
    receive(Image, "/clip", 11, player.play, lambda _: arrived.append(time.monotonic()))
    return arrived[-1] - arrived[0]


@pytest.mark.ros
def test_speed_changes_how_long_a_recording_takes(ros):
    assert sent_at(0.25) >= 0.7, "0.2 s take 0.8 s"


@pytest.mark.ros
def test_kept_stamps_go_back_with_every_round_and_never_are_zero(ros):
    source = Looped(
        Clip([Frame(np.zeros((24, 32, 3), np.uint8), stamp_ns=i * 20_000_000) for i in range(3)]), jump=True
    )
    options = PlayerSettings(topic="/clip", wait_for="listener", keep_stamps=True, frames=7)
    messages = receive(Image, "/clip", 7, CameraPlayer(source, options).play)
    assert [m.header.stamp.nanosec for m in messages] == [1, 20_000_000, 40_000_000] * 2 + [1]


@pytest.mark.ros
def test_the_clock_follows_the_recording_and_jumps_back_once_a_round(ros):
    source = Looped(clip(6), jump=True)
    options = PlayerSettings(topic="/clip", wait_for="listener", clock=True, speed=0.2, frames=18)
    times, images = [], []
    node = rclpy.create_node("clock_listener")
    node.create_subscription(Clock, "/clock", lambda m: times.append(ns(m.clock)), 1000)
    images = receive(Image, "/clip", 18, CameraPlayer(source, options).play, beside=node)
    stamps = [ns(m.header.stamp) for m in images]
    assert len(stamps) == 18
    assert min(stamps) == 7_000_000_000, "the clock keeps the recording's stamps"
    assert set(stamps) <= set(times), "each frame's time is told"
    assert len(set(times)) > 2 * len(set(stamps)), "and times in between"
    assert (min(times), max(times)) == (min(stamps), max(stamps))
    assert sum(b < a for a, b in itertools.pairwise(times)) == 2, "three rounds"


def ns(stamp):
    return stamp.sec * 1_000_000_000 + stamp.nanosec


@pytest.mark.ros
@pytest.mark.parametrize("speed", [0.0, -1.0])
def test_a_speed_that_is_none_is_refused_before_anything_is_opened(ros, speed):
    with pytest.raises(SourceError, match="speed is"):
        CameraPlayer(clip(1), PlayerSettings(speed=speed))


@pytest.mark.ros
def test_a_source_without_a_frame_is_told(ros):
    with pytest.raises(NothingThere, match="clip has no frame"):
        CameraPlayer(Clip([]), PlayerSettings()).play()


def test_reading_ahead_stops_when_nobody_takes_frames():
    taken = []

    class Endless:
        rate, live, description = 10.0, False, "endless"

        def __iter__(self):
            while True:
                taken.append(1)
                yield Frame(np.zeros((1000, 1000, 3), np.uint8))

    ahead = ReadAhead(Endless())
    next(iter(ahead))
    ahead.stop()
    assert not ahead._thread.is_alive()
    assert len(taken) <= 40, "about 96 MB are read ahead at most"
