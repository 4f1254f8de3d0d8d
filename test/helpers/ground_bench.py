"""A camera over flat ground, drawn: its images, CameraInfo and tf for a node that makes caution maps."""

import numpy as np
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import OccupancyGrid
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_bench import LATCHED, Bench, NodeProcess
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from tf2_msgs.msg import TFMessage

SIZE, FOCAL, HEIGHT = (240, 320), 200.0, 1.5
CENTRE = (159.5, 119.5)
FOOT_ROW, COLUMNS = 152, (140, 180)
"""The obstacle ends above this row, and stands between these columns."""
FOOT_X = HEIGHT * FOCAL / (FOOT_ROW - 0.5 - CENTRE[1])
"""Where it stands: 9.375 m ahead."""
RED, GREEN, BLUE = np.eye(3, dtype=np.uint8) * 255
KINDS = {"caution": OccupancyGrid, "hazards": PointCloud2, "free_space": PointCloud2, "labelled_points": PointCloud2}
QUATERNION = (-0.5, 0.5, -0.5, 0.5)
"""An optical frame in a base with x ahead: as static_transform_publisher has it."""


def scene(obstacle=True, horizon=120):
    """(240, 320, 3): sky, ground from the horizon down, and an obstacle on it."""
    picture = np.empty((*SIZE, 3), np.uint8)
    picture[:horizon], picture[horizon:] = BLUE, RED
    if obstacle:
        picture[100:FOOT_ROW, slice(*COLUMNS)] = GREEN
    return picture


def ground_node(name, **parameters):
    """The real node: red is ground, blue is sky, green stands."""
    given = {
        "caution": "on", "caution.ground_classes": "red", "caution.ignored_classes": "blue",
        "caution.range_m": 20.0, "caution.width_m": 20.0, "caution.camera_info_max_age_s": 12.5,
        "caution.hold_s": 0.0, "warm_up.width": SIZE[1], "warm_up.height": SIZE[0],
    }  # fmt: skip
    return NodeProcess(name, **(given | parameters))


def without_tf(**parameters):
    """The parameters of the same camera where tf is not used."""
    return {
        "caution.extrinsics_from": "parameters",
        "caution.camera_position": [0.0, 0.0, HEIGHT],
        "caution.camera_angles": [0.0, 0.0, 0.0],
    } | parameters


def transform(parent, child, translation, quaternion=(0.0, 0.0, 0.0, 1.0), sec=0):
    found = TransformStamped(child_frame_id=child)
    found.header.frame_id, found.header.stamp.sec = parent, sec
    at, turned = found.transform.translation, found.transform.rotation
    at.x, at.y, at.z = translation
    turned.x, turned.y, turned.z, turned.w = quaternion
    return found


class GroundBench(Bench):
    """Publishes CameraInfo and the vehicle's place beside every image; ``place(sec)`` is where it is then."""

    def __init__(self, target, tf=True):
        super().__init__(target)
        self.place, self.changes, self.listeners = (lambda sec: (0.0, 0.0, 0.0)), {}, {}
        self.depth, self._depth = None, self.node.create_publisher(Image, f"/{target}/depth", 10)
        self.info = self.node.create_publisher(CameraInfo, f"/{target}/camera_info", 10)
        reliable = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
        self.tf = self.node.create_publisher(TFMessage, "/tf", reliable) if tf else None
        self.static = self.node.create_publisher(TFMessage, "/tf_static", LATCHED) if tf else None
        if tf:
            self.mount((0.0, 0.0, HEIGHT))

    def mount(self, translation, quaternion=QUATERNION):
        """Where the camera is on the vehicle."""
        self.static.publish(TFMessage(transforms=[transform("base_link", "front", translation, quaternion)]))

    def listen(self, *names):
        for name in names:
            self.received[name] = []
            qos = LATCHED if name == "caution" else 50
            topic = f"/{self.target}/{name}"
            listener = self.node.create_subscription(KINDS[name], topic, self.received[name].append, qos)
            self.listeners[name] = listener

    def deafen(self, name):
        """Listen to it no longer."""
        self.node.destroy_subscription(self.listeners.pop(name))

    def send(self, picture=None, **changes):
        sec = self._stamp + 1
        if self.tf is not None:  # ahead of the image, as the order of topics is not kept
            ahead = [transform("odom", "base_link", self.place(sec + s), sec=sec + s) for s in (0, 1, 2)]
            self.tf.publish(TFMessage(transforms=ahead))
        self.info.publish(camera_info(sec, **self.changes))
        if self.depth is not None:
            self._depth.publish(depth_image(self.depth, sec))
        return super().send(scene() if picture is None else picture, **changes)

    def fresh(self, name, picture=None, good=lambda message: True, what=""):
        """The first answer on a topic, to an image sent from now on, that is ``good``."""
        start = len(self.received[name])
        return self.until(
            lambda: [m for m in self.received[name][start:] if m.header.stamp.sec > 0 and good(m)],
            what or f"an answer on {name}",
            each=lambda: self.send(picture),
        )[0]


def camera_info(sec=0, size=SIZE, focal=FOCAL, frame="front", **changes):
    height, width = size
    found = CameraInfo(height=height, width=width, distortion_model="plumb_bob", d=[0.0] * 5)
    found.header.frame_id, found.header.stamp.sec = frame, sec
    cx, cy = CENTRE
    found.k = [focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0]
    found.r = np.eye(3).ravel().tolist()
    found.p = [focal, 0.0, cx, 0.0, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def depth_image(depth, sec=0):
    """The message of an (H, W) array of depths."""
    encoding = {np.uint16: "16UC1", np.float32: "32FC1", np.float64: "64FC1"}[depth.dtype.type]
    found = Image(height=depth.shape[0], width=depth.shape[1], encoding=encoding, step=depth.strides[0])
    found.header.frame_id, found.header.stamp.sec = "front", sec
    found.data.frombytes(depth.tobytes())
    return found


def cells(grid):
    """(rows, columns) of the values, and x, y of the centres of the cells."""
    data = np.array(grid.data, np.int8).reshape(grid.info.height, grid.info.width)
    row, column = np.indices(data.shape)
    cell, at = grid.info.resolution, grid.info.origin.position
    return data, at.x + (column + 0.5) * cell, at.y + (row + 0.5) * cell


def points(cloud):
    """The points as a structured array."""
    kinds = {7: "<f4", 2: "u1"}
    layout = {"names": [f.name for f in cloud.fields], "formats": [kinds[f.datatype] for f in cloud.fields],
              "offsets": [f.offset for f in cloud.fields], "itemsize": cloud.point_step}  # fmt: skip
    return np.frombuffer(cloud.data, np.dtype(layout))
