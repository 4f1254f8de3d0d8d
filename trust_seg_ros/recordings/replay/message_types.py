"""Types of the written messages: from rosbags if it has them; others, as ``vision_msgs``, are defined here."""

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
DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"
ANNOTATIONS = "foxglove_msgs/msg/ImageAnnotations"

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

# Same fields, in the same order, as in foxglove_msgs 3.4 (older versions lack `metadata`, and the first `timestamp`).
FOXGLOVE = {
    "ImageAnnotations": (
        "builtin_interfaces/Time timestamp\nfoxglove_msgs/CircleAnnotation[] circles\n"
        "foxglove_msgs/PointsAnnotation[] points\nfoxglove_msgs/TextAnnotation[] texts\n"
        "foxglove_msgs/KeyValuePair[] metadata\n"
    ),
    "CircleAnnotation": (
        "builtin_interfaces/Time timestamp\nfoxglove_msgs/Point2 position\nfloat64 diameter\nfloat64 thickness\n"
        "foxglove_msgs/Color fill_color\nfoxglove_msgs/Color outline_color\nfoxglove_msgs/KeyValuePair[] metadata\n"
    ),
    "PointsAnnotation": (
        "builtin_interfaces/Time timestamp\nuint8 UNKNOWN=0\nuint8 POINTS=1\nuint8 LINE_LOOP=2\nuint8 LINE_STRIP=3\n"
        "uint8 LINE_LIST=4\nuint8 type\nfoxglove_msgs/Point2[] points\nfoxglove_msgs/Color outline_color\n"
        "foxglove_msgs/Color[] outline_colors\nfoxglove_msgs/Color fill_color\nfloat64 thickness\n"
        "foxglove_msgs/KeyValuePair[] metadata\n"
    ),
    "TextAnnotation": (
        "builtin_interfaces/Time timestamp\nfoxglove_msgs/Point2 position\nstring text\nfloat64 font_size\n"
        "foxglove_msgs/Color text_color\nfoxglove_msgs/Color background_color\nfoxglove_msgs/KeyValuePair[] metadata\n"
    ),
    "Point2": "float64 x\nfloat64 y\n",
    "Color": "float64 r\nfloat64 g\nfloat64 b\nfloat64 a\n",
    "KeyValuePair": "string key\nstring value\n",
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
    for package, texts in (("vision_msgs", _VISION), ("foxglove_msgs", FOXGLOVE)):
        for name, text in texts.items():
            types.update(get_types_from_msg(text, f"{package}/msg/{name}"))
    store.register(types)
    return store
