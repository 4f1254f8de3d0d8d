"""What numba compiles for the first frames of a node: ``first_frame_process ENCODING``, a process for each.

Prints ``ENCODING NAME...``: the kernels that gained a signature after the node was configured.
"""

import sys
import time

import cv2
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from ros_bench import IMAGES, image_of, mixed
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from trust_seg_ros.node.arrivals import Arrived
from trust_seg_ros.node.node import TrustSegNode
from trust_seg_ros.node.transitions import SUCCESS


def kernels():
    rooms = [module for name, module in sys.modules.items() if name.startswith("trust_seg_ros")]
    found = [value for module in rooms for value in vars(module).values()]
    return {id(k): (k.__name__, len(k.signatures)) for k in found if hasattr(k, "signatures") and hasattr(k, "py_func")}


def message(encoding, picture):
    bgr = np.ascontiguousarray(picture[..., ::-1])
    if encoding == "compressed":
        msg = CompressedImage(format="png")
        msg.data.frombytes(cv2.imencode(".png", bgr)[1].tobytes())
        return msg
    msg = image_of(bgr if encoding == "bgr8" else picture)
    msg.encoding = encoding
    return msg


def first_frames(encoding):
    """Names of the kernels compiled for a frame of the size warmed for, and for one of another size."""
    values = {"autostart": False, "model": "node_networks:painted", "meta_model": "none", "warm_up.width": 128,
              "warm_up.height": 96, "input": "compressed" if encoding == "compressed" else "raw"}  # fmt: skip
    node = TrustSegNode(parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])
    try:
        return gained_by(node, encoding)
    finally:  # a thread that goes on would keep the process for ever
        assert node.close()
        node.destroy_node()


def gained_by(node, encoding):
    """The same, of this node."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    for name in (*IMAGES, "gradient", "segments"):
        kind = Detection2DArray if name == "segments" else Image
        node.create_subscription(kind, f"~/{name}", lambda _: None, 10)
    assert node.trigger_configure() == SUCCESS
    before = kernels()
    assert before, "no kernels found to look at"
    assert node.trigger_activate() == SUCCESS
    for done, picture in enumerate((np.tile(mixed(), (n, n, 1)) for n in (2, 3)), 1):
        end = time.monotonic() + 60
        kind = "compressed" if encoding == "compressed" else "raw"
        node._on_frame(Arrived.of(kind, bytes(serialize_message(message(encoding, picture)))))
        while node._statistics.summary().counts.get("processed", 0) < done:
            assert time.monotonic() < end, node._statistics.summary()
            executor.spin_once(timeout_sec=0.02)
    return [name for key, (name, count) in kernels().items() if count > before.get(key, (name, 0))[1]]


def main():
    rclpy.init()
    print(sys.argv[1], *first_frames(sys.argv[1]))
    rclpy.shutdown()
    return 0
