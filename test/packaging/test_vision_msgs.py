"""The message package of the pip route: the same fields as vision_msgs 4.1/4.2, and it works with rclpy."""

import pytest
from places import ROOT

vision_msgs = pytest.importorskip("vision_msgs.msg", reason="no ROS 2: make test builds interfaces/vision_msgs")
serialization = pytest.importorskip("rclpy.serialization", reason="no ROS 2: rclpy is missing")

MSG = ROOT / "interfaces" / "vision_msgs" / "msg"

# read off ros-perception/vision_msgs 4.1.1
UPSTREAM = {
    "BoundingBox2D": {"center": "vision_msgs/Pose2D", "size_x": "double", "size_y": "double"},
    "Detection2D": {
        "header": "std_msgs/Header",
        "results": "sequence<vision_msgs/ObjectHypothesisWithPose>",
        "bbox": "vision_msgs/BoundingBox2D",
        "id": "string",
    },
    "Detection2DArray": {"header": "std_msgs/Header", "detections": "sequence<vision_msgs/Detection2D>"},
    "LabelInfo": {
        "header": "std_msgs/Header",
        "class_map": "sequence<vision_msgs/VisionClass>",
        "threshold": "float",
    },
    "ObjectHypothesis": {"class_id": "string", "score": "double"},
    "ObjectHypothesisWithPose": {
        "hypothesis": "vision_msgs/ObjectHypothesis",
        "pose": "geometry_msgs/PoseWithCovariance",
    },
    "Point2D": {"x": "double", "y": "double"},
    "Pose2D": {"position": "vision_msgs/Point2D", "theta": "double"},
    "VisionClass": {"class_id": "uint16", "class_name": "string"},
}
IDL_NAMES = {"float64": "double", "float32": "float"}


def declared_fields(text):
    """Field -> type as Python reports it, in the order of a .msg file."""
    fields = {}
    for line in text.splitlines():
        code = line.partition("#")[0].split()
        if code:
            kind, name = code
            element = kind.removesuffix("[]")
            element = IDL_NAMES.get(element, element)
            fields[name] = f"sequence<{element}>" if kind.endswith("[]") else element
    return fields


def test_every_message_is_there():
    assert {path.stem for path in MSG.glob("*.msg")} == set(UPSTREAM)


@pytest.mark.parametrize("name", UPSTREAM)
def test_files_declare_the_fields_of_upstream_in_order(name):
    declared = declared_fields((MSG / f"{name}.msg").read_text())
    assert list(declared.items()) == list(UPSTREAM[name].items())


@pytest.mark.parametrize("name", UPSTREAM)
def test_installed_messages_have_the_fields_of_upstream_in_order(name):
    installed = getattr(vision_msgs, name).get_fields_and_field_types()
    assert list(installed.items()) == list(UPSTREAM[name].items())


def round_trip(message):
    return serialization.deserialize_message(serialization.serialize_message(message), type(message))


def test_detections_survive_the_wire():
    array = vision_msgs.Detection2DArray()
    array.header.frame_id = "camera"
    array.header.stamp.sec, array.header.stamp.nanosec = 12, 34
    for number in range(3):
        detection = vision_msgs.Detection2D(header=array.header, id=str(number))
        detection.bbox.center.position.x, detection.bbox.center.position.y = 10.5 + number, 20.25
        detection.bbox.size_x, detection.bbox.size_y = 3.0, 4.0
        for class_id, score in (("car", 0.75), ("unreliable", 0.125)):
            result = vision_msgs.ObjectHypothesisWithPose()
            result.hypothesis.class_id, result.hypothesis.score = class_id, score
            detection.results.append(result)
        array.detections.append(detection)
    received = round_trip(array)
    assert received == array
    assert [d.bbox.center.position.x for d in received.detections] == [10.5, 11.5, 12.5]
    assert received.detections[2].results[1].hypothesis.score == 0.125


def test_label_info_survives_the_wire():
    info = vision_msgs.LabelInfo(threshold=0.25)
    info.class_map = [vision_msgs.VisionClass(class_id=i, class_name=n) for i, n in ((0, "sky"), (255, "unlabelled"))]
    received = round_trip(info)
    assert received == info
    assert [(c.class_id, c.class_name) for c in received.class_map] == [(0, "sky"), (255, "unlabelled")]


def test_wire_type_is_the_one_of_upstream():
    """DDS matches topics by type name; a distribution's subscriber asks for these."""
    for name in UPSTREAM:
        assert getattr(vision_msgs, name).__module__.startswith("vision_msgs.msg."), name
