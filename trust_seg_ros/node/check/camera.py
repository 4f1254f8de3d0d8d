"""Checks of a camera: is its topic there, do types and QoS fit, does a first frame come, and can it be read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from trust_seg_ros.node.check.findings import Finding, failed, ok, skipped, warning

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_OLD_S = 5.0


def of_camera(topic: str, wait_s: float) -> Iterator[Finding]:
    """The topic, its QoS, and its first frame.

    Args:
        topic: name of the camera's topic.
        wait_s: how long to wait for publishers, and then for a frame.
    """
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = rclpy.create_node("trust_seg_check", context=context, use_global_arguments=False)
        try:
            yield from _looked_at(node, topic if topic.startswith("/") else f"/{topic}", wait_s)
        finally:
            node.destroy_node()
    finally:
        rclpy.shutdown(context=context)


def _looked_at(node: Any, topic: str, wait_s: float) -> Iterator[Finding]:
    until(lambda: _are_known(node.get_publishers_info_by_topic(topic)), wait_s)
    infos = node.get_publishers_info_by_topic(topic)
    if not infos:
        yield failed("topic", f"nobody publishes {topic}{_others(node)}", _where_else(node, topic))
        yield from (skipped(name, f"nobody publishes {topic}") for name in ("QoS", "first frame"))
        return
    types = sorted({info.topic_type for info in infos})
    fitting = [info for info in infos if info.topic_type in (IMAGE, COMPRESSED)]
    if not fitting:
        way_out = f"give the topic of an {IMAGE} or a {COMPRESSED} with --topic"
        yield failed("topic", f"{topic} holds {', '.join(types)}", way_out)
        yield from (skipped(name, f"{topic} holds no images") for name in ("QoS", "first frame"))
        return
    kind = fitting[0].topic_type
    names = ", ".join(sorted({info.node_name for info in fitting}))
    yield ok("topic", f"{topic} ({kind}) from {names}")
    yield from _frames(node, topic, kind, [info for info in fitting if info.topic_type == kind], wait_s)


def _frames(node: Any, topic: str, kind: str, infos: list[Any], wait_s: float) -> Iterator[Finding]:
    from rclpy.qos import QoSProfile

    from trust_seg_ros.node.qos import choose_reliability, incompatibility

    reliability = choose_reliability("auto", infos)
    wanted = QoSProfile(depth=1, reliability=reliability)
    reason = incompatibility(infos, wanted)
    offers = ", ".join(f"{info.node_name}: {info.qos_profile.reliability.name.lower()}" for info in infos)
    if reason:
        yield failed("QoS", reason, f"set image_reliability, or qos_overrides.{topic}.subscription.durability")
    elif len(infos) > 1:
        yield warning("QoS", offers, "several cameras on one topic: remap them apart, one node each")
    else:
        yield ok("QoS", f"{offers}; the node asks for {reliability.name.lower()}")
    buffer = _first(node, topic, kind, wanted, wait_s)
    yield _missing(topic, wait_s) if buffer is None else _read(buffer, kind, node.get_clock().now().nanoseconds)


def _first(node: Any, topic: str, kind: str, qos: Any, wait_s: float) -> bytes | None:
    from rclpy.executors import SingleThreadedExecutor
    from sensor_msgs.msg import CompressedImage, Image

    found: list[bytes] = []
    message = Image if kind == IMAGE else CompressedImage
    subscription = node.create_subscription(message, topic, found.append, qos, raw=True)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    end = time.monotonic() + wait_s
    while not found and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    node.destroy_subscription(subscription)
    return found[0] if found else None


def _missing(topic: str, wait_s: float) -> Finding:
    return failed(
        "first frame",
        f"none within {wait_s:g} s",
        f"ros2 topic hz {topic}: where that shows frames, large images get lost on the way: see the lines Fast DDS "
        "profile and shared memory, which concern the camera driver, too",
    )


def _read(buffer: bytes, kind: str, now_ns: int) -> Finding:
    from trust_seg_ros.messages.image_bytes import ImageError
    from trust_seg_ros.messages.image_pixels import frame_of
    from trust_seg_ros.node.conversions import read_compressed, read_image
    from trust_seg_ros.node.settings import settings_from

    try:
        message = read_image(buffer) if kind == IMAGE else read_compressed(buffer)
        header, frame = frame_of(message, settings_from({}).max_image_pixels)
    except ImageError as error:
        return failed("first frame", str(error), "docs/images.md lists the encodings that are read")
    height, width = frame.image.shape[:2]
    what = getattr(message, "encoding", None) or getattr(message, "format", "")
    found = f"{width}x{height} {what}, frame_id {header.frame_id or '(empty)'}"
    age = (now_ns - header.stamp_ns) / 1e9
    if abs(age) > _OLD_S:
        way_out = "a recording with its own stamps: ros2 bag play --clock and use_sim_time:=true; else set the clocks"
        return warning("first frame", f"{found}; its stamp is {age:.0f} s old, max_age_ms may drop it", way_out)
    if kind == COMPRESSED:
        return warning("first frame", found, "start the node with input:=compressed")
    return ok("first frame", f"{found}, {1000 * age:.0f} ms old")


def _are_known(infos: list[Any]) -> bool:
    """Whether there are publishers, and the middleware has learned whose they are."""
    return bool(infos) and all("UNKNOWN" not in info.node_name for info in infos)


def _images(node: Any) -> list[str]:
    return sorted(name for name, types in node.get_topic_names_and_types() if {IMAGE, COMPRESSED} & set(types))


def _others(node: Any) -> str:
    found = _images(node)
    return f"; topics with images: {', '.join(found)}" if found else "; there is no topic with images"


def _where_else(node: Any, topic: str) -> str:
    found = _images(node)
    if found:
        best = (get_close_matches(topic, found, n=1, cutoff=0.0) or found)[0]
        return f"trust-seg check --topic {best}, and start the node with -r trust_seg/image:={best}"
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    return (
        f"start the camera driver in this domain (ROS_DOMAIN_ID {domain}), or see that one works: trust-seg play "
        f"synthetic --loop --topic {topic}"
    )


def until(condition: Callable[[], Any], seconds: float) -> bool:
    """Wait until a condition holds, at most so long; whether it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
