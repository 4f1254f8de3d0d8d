import threading
import time

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from trust_seg_ros.node.player import CameraPlayer, Pace, PlayerSettings, ReadAhead
from trust_seg_ros.recordings.decode import decode_compressed
from trust_seg_ros.recordings.errors import UnreadableFrame
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


def receive(kind, topic, wanted, play):
    """Messages a subscriber gets while ``play`` runs."""
    node = rclpy.create_node("listener")
    got = []
    node.create_subscription(kind, topic, got.append, QoSProfile(depth=50))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while len(got) < wanted and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
    thread.join(5)
    executor.shutdown()
    node.destroy_node()
    return got


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


def test_compressed_with_the_recordings_stamps_and_a_limit(ros):
    settings = PlayerSettings(topic="/clip", wait_for="listener", compressed=True, keep_stamps=True, frames=2)
    player = CameraPlayer(clip(5), settings)
    messages = receive(CompressedImage, "/clip", 2, player.play)
    assert player.sent == 2
    assert [m.header.stamp.nanosec for m in messages] == [0, 20_000_000]
    image = decode_compressed(np.frombuffer(messages[1].data, np.uint8))
    assert np.abs(image.astype(int) - [10, 5, 0]).max() <= 6


def test_a_source_that_breaks_off_is_told_after_its_good_frames(ros):
    source = clip(2)
    source.frames.append(UnreadableFrame("frame 2 is broken"))
    player = CameraPlayer(source, PlayerSettings(topic="/clip"))
    with pytest.raises(UnreadableFrame, match="frame 2"):
        player.play()
    assert player.sent == 2


def test_pace_keeps_the_recordings_time_and_forgives_being_late():
    pace = Pace(slack=0.05)
    assert pace.delay(1_000_000_000, now=100.0) == 0
    assert pace.delay(1_100_000_000, now=100.02) == pytest.approx(0.08)
    assert pace.delay(1_200_000_000, now=105.0) == 0, "late: sent at once"
    assert pace.delay(1_300_000_000, now=105.0) == pytest.approx(0.1), "and the next one keeps its distance"


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
