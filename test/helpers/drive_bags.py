"""Bags with what a node sends of a short synthetic drive, and what the camera sent it."""

import cv2
from drive_frames import drive_results
from rosbags.rosbag2 import StoragePlugin, Writer

from trust_seg_ros.messages.fields import HeaderFields, MessageOptions, label_fields
from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.messages.render import ImageFields, Rendering
from trust_seg_ros.recordings.replay.message_types import COMPRESSED, DETECTIONS, IMAGE, LABELS, type_store
from trust_seg_ros.recordings.replay.serialise import compressed_cdr, detections_cdr, image_cdr, labels_cdr
from trust_seg_ros.segmentation.labels import load_labels

NODE, CAMERA, SECOND = "/front/trust_seg", "/front/image_raw", 1_000_000_000
TOPICS = ("overlay", "segmentation", "entropy", "margin", "unreliable", "ood", "segments", "segment_ids")


def write_bag(path, messages):
    """messages: (topic, type, recorded_ns, CDR)."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for topic, kind, recorded_ns, data in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=type_store())
            writer.write(connections[topic], recorded_ns, data)
    return path


def header(result):
    return HeaderFields(result.frame.stamp_ns // SECOND, result.frame.stamp_ns % SECOND, "front")


def diagnostics(values):
    types = type_store().types
    pairs = [types["diagnostic_msgs/msg/KeyValue"](key=key, value=value) for key, value in values.items()]
    status = types["diagnostic_msgs/msg/DiagnosticStatus"](
        level=0, name=f"{NODE[1:]}: thresholds", message="", hardware_id=CAMERA, values=pairs
    )
    kind = "diagnostic_msgs/msg/DiagnosticArray"
    stamped = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 0), "")
    return kind, bytes(type_store().serialize_cdr(types[kind](header=stamped, status=[status]), kind))


def frame_messages(result, names, encoding="mono8", compressed=False):
    """Of one frame; recorded half a second after its stamp."""
    at, head = result.frame.stamp_ns + SECOND // 2, header(result)
    if compressed:
        packed = cv2.imencode(".png", result.frame.image[..., ::-1])[1].tobytes()
        yield CAMERA, COMPRESSED, at, compressed_cdr(packed, "png", head)
    else:
        yield CAMERA, IMAGE, at, image_cdr(ImageFields("rgb8", result.frame.image), head)
    options = MessageOptions(names, load_labels("camvid11").palette, encoding, every_segment=True)
    view = Rendering(result, options)
    for name in TOPICS:
        fields = OUTPUTS[name].build(view)
        if name == "segments":
            yield f"{NODE}/{name}", DETECTIONS, at, detections_cdr(fields, head)
        else:
            yield f"{NODE}/{name}", IMAGE, at, image_cdr(fields, head)


def drive_messages(encoding="mono8", compressed=False):
    names, results = drive_results()
    yield f"{NODE}/label_info", LABELS, SECOND, labels_cdr(label_fields(names, 0.75), HeaderFields())
    for result in results:
        yield from frame_messages(result, names, encoding, compressed)
