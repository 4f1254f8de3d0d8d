"""A camera in its own process: ``camera_process.py TOPIC RELIABILITY FOLDER FRAME_ID``.

Publishes the folder's pictures in turn, or a made-up one when FOLDER is "-", at about 20 Hz until it is told to end.
"""

import contextlib
import itertools
import sys
from pathlib import Path

import cv2
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_bench import image_of, mixed
from sensor_msgs.msg import Image


def pictures(folder):
    if folder == "-":
        return [mixed()]
    return [cv2.cvtColor(cv2.imread(str(p)), cv2.COLOR_BGR2RGB) for p in sorted(Path(folder).iterdir())[:10]]


def main(topic, reliability, folder, frame_id):
    rclpy.init()
    node = rclpy.create_node("camera")
    publisher = node.create_publisher(Image, topic, QoSProfile(depth=5, reliability=ReliabilityPolicy[reliability]))
    messages = itertools.cycle([image_of(picture) for picture in pictures(folder)])

    def publish():
        msg = next(messages)
        msg.header.stamp, msg.header.frame_id = node.get_clock().now().to_msg(), frame_id
        publisher.publish(msg)
        print(msg.header.stamp.sec, msg.header.stamp.nanosec, flush=True)

    node.create_timer(0.05, publish)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)


if __name__ == "__main__":
    main(*sys.argv[1:])
