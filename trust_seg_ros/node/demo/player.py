"""A simulated camera: publishes the frames of any source as ``sensor_msgs/Image``, at the pace of the recording."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from trust_seg_ros.bags.errors import NothingThere, UnreadableFrame
from trust_seg_ros.messages.fields import HeaderFields, ImageFields
from trust_seg_ros.node.demo.pace import CLOCK_PERIOD_S, ClockPublisher, Pace
from trust_seg_ros.node.messages import header_message, image_message
from trust_seg_ros.recordings.files import NANOSECONDS
from trust_seg_ros.recordings.refusals import Refusals
from trust_seg_ros.recordings.sources import FrameSource, check_speed
from trust_seg_ros.types import Frame

_MEETING_S = 2.0
_AHEAD_BYTES = 96 << 20


@dataclass(frozen=True)
class PlayerSettings:
    """Settings of the simulated camera.

    Attributes:
        topic: name of the topic.
        reliability: "reliable" (nothing is lost on the way) or "best_effort" (sensor data, as most camera drivers).
        compressed: publish CompressedImage (JPEG) instead of Image.
        frame_id: coordinate frame where the recording names none.
        keep_stamps: keep the recording's stamps instead of stamping each frame when it is sent.
        clock: publish the recording's time on ``/clock``, for nodes with ``use_sim_time``; stamps are kept then.
        speed: how many times as fast as it was recorded.
        wait_for: name of a node that must subscribe before the first frame goes out; "" does not wait.
        frames: end after so many frames; 0 plays to the end of the source.
    """

    topic: str = "/camera/image"
    reliability: str = "reliable"
    compressed: bool = False
    frame_id: str = "camera"
    keep_stamps: bool = False
    clock: bool = False
    speed: float = 1.0
    wait_for: str = ""
    frames: int = 0


class ReadAhead:
    """Iterates a source in a thread of low priority, some frames ahead, so that decoding never delays publishing."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._frames: queue.Queue[Frame | BaseException | None] = queue.Queue(maxsize=2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="read-ahead", daemon=True)

    def __iter__(self) -> Iterator[Frame]:
        self._thread.start()
        while True:
            item = self._frames.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def stop(self) -> None:
        """End the thread, after the frame that is being read."""
        self._stopped.set()
        if self._thread.ident is not None:
            # A thread that Python cuts off at exit inside C++ code takes the process down with std::terminate.
            self._thread.join(timeout=3.0)

    def _read(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        try:
            for frame in self._source:
                # The queue is as long as the memory set aside for it allows; a live camera must not queue at all.
                self._frames.maxsize = 1 if self._source.live else max(2, _AHEAD_BYTES // max(1, frame.image.nbytes))
                if not self._put(frame):
                    return
            self._put(None)
        except BaseException as error:
            self._put(error)

    def _put(self, item: Frame | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._frames.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False


class CameraPlayer(Node):
    """The node that publishes the frames.

    Args:
        source: where the frames come from.
        settings: how to play them.
        refusals: counts the images that the source leaves out.

    Raises:
        SourceError: the source cannot be played at this speed.
    """

    def __init__(self, source: FrameSource, settings: PlayerSettings, refusals: Refusals | None = None) -> None:
        check_speed(settings.speed, source)
        super().__init__("camera_player", parameter_overrides=[])
        self.source, self.settings, self._refusals = source, settings, refusals
        self.sent = 0
        self._pace = Pace(settings.speed, 1 / source.rate)
        self._clock_publisher = ClockPublisher(self, self._pace) if settings.clock else None
        reliability = ReliabilityPolicy[settings.reliability.upper()]
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=reliability)
        kind = CompressedImage if settings.compressed else Image
        self._publisher = self.create_publisher(kind, settings.topic, qos)

    def play(self) -> int:
        """Play until the source ends, ``frames`` are sent or ROS shuts down; returns the number of frames sent.

        Raises:
            SourceError: the source breaks off, has no frame at all, or none that can be read.
        """
        ahead, frame = ReadAhead(self.source), None
        try:
            for frame in ahead:
                if self.sent == 0 and not self._wait_for_subscriber():
                    break
                if not self._wait_until_due(frame):
                    break
                self._publisher.publish(self._message(frame))
                self.sent += 1
                if self.sent == self.settings.frames:
                    break
            if frame is None:
                raise NothingThere(f"{self.source.description} has no frame to play")
            if self.sent and rclpy.ok():  # destroying the publisher at once would lose the last frames
                self._publisher.wait_for_all_acked(Duration(seconds=2))
        except NothingThere as error:
            if self._refusals is None or not self._refusals.count:
                raise
            raise UnreadableFrame(
                f"{self.source.description}: all {self._refusals.count} images were refused; the first: "
                f"{self._refusals.first}"
            ) from error
        finally:
            ahead.stop()
        return self.sent

    def _wait_for_subscriber(self) -> bool:
        name = self.settings.wait_for
        while name and name not in {
            i.node_name for i in self.get_subscriptions_info_by_topic(self._publisher.topic_name)
        }:
            if not self._wait(0.1):
                return False
        # the graph may list the subscriber before the two are connected, and messages sent in between are lost
        while name and not self._publisher.get_subscription_count():
            if not self._wait(0.01):
                return False
        # the subscriber's side connects a moment later, and so do the subscribers of its outputs
        return self._wait(_MEETING_S if name else 0.0)

    def _wait_until_due(self, frame: Frame) -> bool:
        """Wait until the frame is due; returns whether ROS still runs then."""
        stamp_ns = stamp_of(frame)
        seconds = 0.0 if self.source.live else self._pace.delay(stamp_ns, time.monotonic())
        running = self._wait(seconds, self._clock_publisher)
        if running and self._clock_publisher is not None:
            self._clock_publisher.publish(stamp_ns)
        return running

    def _wait(self, seconds: float, clock: ClockPublisher | None = None) -> bool:
        """Sleep in steps short enough to notice a shutdown and to publish the clock; returns whether ROS still runs."""
        end = time.monotonic() + seconds
        while rclpy.ok():
            left = end - time.monotonic()
            if left <= 0:
                return True
            if clock is not None:
                clock.tick(time.monotonic())
            time.sleep(min(left, CLOCK_PERIOD_S if clock is not None else 0.1))
        return False

    def _message(self, frame: Frame) -> Image | CompressedImage:
        sec, nanosec = divmod(stamp_of(frame), NANOSECONDS)
        if not (self.settings.keep_stamps or self.settings.clock):
            sec, nanosec = self.get_clock().now().seconds_nanoseconds()
        header = HeaderFields(sec, nanosec, frame.frame_id or self.settings.frame_id)
        if not self.settings.compressed:
            return image_message(ImageFields("rgb8", np.ascontiguousarray(frame.image)), header)
        message = CompressedImage(header=header_message(header), format="rgb8; jpeg compressed bgr8")
        data = cv2.imencode(".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))[1]
        message.data.frombytes(data.data.cast("B"))  # assigning would copy element by element
        return message


def stamp_of(frame: Frame) -> int:
    """The recording's stamp in nanoseconds, at least 1: ROS takes 0 for a message without a stamp."""
    return max(1, frame.stamp_ns)


def play(source: FrameSource, settings: PlayerSettings, refusals: Refusals | None = None) -> int:
    """Publish a source until it ends or a signal comes; returns the number of frames sent.

    Raises:
        SourceError: the source breaks off, or none of its images can be read.
    """
    rclpy.init(args=[])
    try:
        player = CameraPlayer(source, settings, refusals)
    except BaseException:
        rclpy.try_shutdown()
        raise
    try:
        player.play()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:  # rclpy's errors derive from it: publishing after a signal has shut down the context
        if rclpy.ok():
            raise
    finally:
        player.destroy_node()  # also after a signal: the middleware's threads must not outlive Python
        rclpy.try_shutdown()
    return player.sent
