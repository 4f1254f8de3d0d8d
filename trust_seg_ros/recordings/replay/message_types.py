"""Types of the written messages: from rosbags if it has them; ``vision_msgs`` is defined here."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from trust_seg_ros.bags.errors import MissingLibrary
from trust_seg_ros.support.libraries import how_to_install

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
DETECTIONS = "vision_msgs/msg/Detection2DArray"
LABELS = "vision_msgs/msg/LabelInfo"

# Same fields as in vision_msgs 4.1 (see interfaces/vision_msgs); a test compares their hashes.
_VISION = {
    "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections\n",
    "Detection2D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\nvision_msgs/BoundingBox2D bbox\n"
        "string id\n"
    ),
    "BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y\n",
    "Pose2D": "vision_msgs/Point2D position\nfloat64 theta\n",
    "Point2D": "float64 x\nfloat64 y\n",
    "ObjectHypothesisWithPose": "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose\n",
    "ObjectHypothesis": "string class_id\nfloat64 score\n",
    "LabelInfo": "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold\n",
    "VisionClass": "uint16 class_id\nstring class_name\n",
}


@lru_cache(maxsize=1)
def type_store() -> Typestore:
    """All types that a replay reads or writes.

    Raises:
        MissingLibrary: ``rosbags`` is not installed.
    """
    try:
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore
    except ImportError as error:
        raise MissingLibrary(
            f"bags are read and written by the library rosbags; install it: {how_to_install('rosbags')}"
        ) from error
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for name, text in _VISION.items():
        types.update(get_types_from_msg(text, f"vision_msgs/msg/{name}"))
    store.register(types)
    return store
