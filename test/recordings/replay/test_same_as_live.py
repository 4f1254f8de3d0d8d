"""A drive through the real node over real topics, and the same drive replayed offline: every field of every message."""

import os
import re
import sys

import numpy as np
import pytest

# before anything imports rclpy
os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
pytest.importorskip("rclpy", reason="needs ROS 2")
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from replay_bench import (
    BEGIN_S,
    SECOND,
    TOPIC,
    drive_messages,
    frame_table,
    image,
    photographs,
    read_bag,
    replay,
    stamp_ns,
    write_bag,
)
from ros_bench import OPTIONAL, PUBLISHED, Bench, NodeProcess
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray, LabelInfo

from trust_seg_ros.bags.reader import BagReader
from trust_seg_ros.messages.summary import SUMMARY

pytestmark = pytest.mark.ros

TYPES = dict.fromkeys(PUBLISHED, Image) | {
    "segments": Detection2DArray,
    "label_info": LabelInfo,
    SUMMARY: DiagnosticArray,
    **OPTIONAL,
}
PER_FRAME = (*PUBLISHED, SUMMARY)
OF_THE_NODE = {"network_ms", "processing_ms", "age_ms", "trust_state", "reasons"}
"""What a summary tells of the node, not of the frame."""
COMMON = {"mode": "every", "queue_size": 100, "image_reliability": "reliable", "warm_up.width": 64,
          "warm_up.height": 48, "threads": 1}  # fmt: skip
"""One thread: convolutions may round differently with another number of them."""
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)

SETTINGS = {
    "as_shipped": (5, {}),
    "other_encodings": (
        4,
        {
            "entropy_encoding": "32FC1",
            "publish_all_segments": True,
            "gradient.label": "uniform",
            "overlay.alpha": 0.25,
            "thresholds.pixel_policy": "quantile",
            "thresholds.pixel_quantile": 0.9,
            "thresholds.smoothing_s": 2.0,
            "thresholds.unreliable": 0.3,
            "ood.score": "energy",
            "ood.policy": "mean_std",
            "ood.min_size": 50,
        },
    ),
    "tracked": (5, {"tracking": "on", "publish_all_segments": True, "output_size": "200x150"}),
}


class Drive:
    """One drive, live and replayed with one parameter file."""

    def __init__(self, folder, name):
        count, parameters = SETTINGS[name]
        self.parameters = COMMON | parameters
        self.file = folder / "parameters.yaml"
        lines = [f"    {key}: {str(value).lower() if isinstance(value, bool) else value}" for key, value in
                 self.parameters.items()]  # fmt: skip
        self.file.write_text("\n".join(["/**:", "  ros__parameters:", *lines, ""]), "utf-8")
        self.bag = write_bag(folder / "drive", drive_messages(photographs(count), encoding="bgr8"))
        self.sent = [data for _, _, data in read_bag(self.bag)[TOPIC]]
        self.stamps = [stamp for stamp, _ in photographs(count)]
        self.live = self._through_the_node()
        self.said = replay(self.bag, folder / "out", "--params-file", self.file, "--chunk-frames", "4")
        self.out = folder / "out"
        self.offline = {
            topic.removeprefix("/trust_seg/"): [(at, deserialize_message(data, TYPES[topic[11:]])) for at, _, data in
                                                messages]
            for topic, messages in read_bag(self.out).items()
            if topic.rpartition("/")[2] in TYPES
        }  # fmt: skip

        self._count_from_the_drive()

    def _count_from_the_drive(self):
        """The node counts the tracks of the images before the drive, too: ids as if it had begun with the drive."""
        if self.parameters.get("tracking") != "on":
            return
        for prefix in ("", "ood_"):

            def numbers(message, prefix=prefix):
                found = [(d, d.id.removeprefix(prefix)) for d in message.detections if d.id.startswith(prefix)]
                return [(d, int(number)) for d, number in found if number.isdecimal()]

            live, offline = self.live["segments"][0], self.offline["segments"][0][1]
            before = min(n for _, n in numbers(live)) - min(n for _, n in numbers(offline))
            for message in self.live["segments"]:
                for detection, number in numbers(message):
                    detection.id = f"{prefix}{number - before}"
            for text in (text for message in self.live.get("annotations", []) for text in message.texts):
                text.text = re.sub(
                    rf"^{prefix}(\d+): ", lambda m, p=prefix, n=before: f"{p}{int(m[1]) - n}: ", text.text
                )

    def _through_the_node(self):
        node = NodeProcess(
            file=self.file, model="embedded", meta_model="auto",
            **{key: value for key, value in COMMON.items() if key.startswith("warm_up")},
        )  # fmt: skip
        bench = Bench()
        try:
            bench.listen(*TYPES)
            camera = bench.node.create_publisher(Image, "/trust_seg/image", RELIABLE)
            bench.until(lambda: bench.received["label_info"], "label info")
            told = bench.received["label_info"][:1]
            self._connect(bench, camera)
            begun = len(bench.received["label_info"])
            for index, (stamp, raw) in enumerate(zip(self.stamps, self.sent, strict=True), 1):
                camera.publish(raw)  # one at a time, so that no queue can overflow
                bench.until(lambda s=stamp: answered(bench, s), f"frame {index}")
            found = {name: [m for m in bench.received[name] if stamp_ns(m) <= self.stamps[-1]] for name in PER_FRAME}
            self.live_qos = {name: self._qos(bench, f"/trust_seg/{name}") for name in TYPES}
            return found | {"label_info": told + bench.received["label_info"][begun:]}
        finally:
            bench.close()
            node.kill()
            print(node.said())

    @staticmethod
    def _qos(bench, topic):
        (info,) = bench.node.get_publishers_info_by_topic(topic)
        return info.qos_profile.reliability.name, info.qos_profile.durability.name

    @staticmethod
    def _connect(bench, camera):
        """Send grey images until all topics have found each other; of later stamps, so that the drive begins anew."""
        grey = np.full((48, 64, 3), 128, np.uint8)
        first, last = (BEGIN_S + 10_000) * SECOND, (BEGIN_S + 20_000) * SECOND
        bench.until(lambda: answered(bench, first), "an answer", each=lambda: camera.publish(image(grey, first)))
        camera.publish(image(grey, last))
        bench.until(lambda: answered(bench, last), "the last answer before the drive")


def answered(bench, stamp):
    """Whether every topic has the frame with that stamp."""
    return all(any(stamp_ns(m) == stamp for m in bench.received[name]) for name in PER_FRAME)


@pytest.fixture(scope="module", params=SETTINGS)
def drive(request, tmp_path_factory):
    return Drive(tmp_path_factory.mktemp(request.param), request.param)


def fields(message, path=""):
    """Path -> value of every field, down to numbers, texts and arrays."""
    if hasattr(message, "get_fields_and_field_types"):
        return {k: v for name in message.get_fields_and_field_types()
                for k, v in fields(getattr(message, name), f"{path}.{name}").items()}  # fmt: skip
    if isinstance(message, (list, tuple)) and any(hasattr(m, "get_fields_and_field_types") for m in message):
        inner = {k: v for i, m in enumerate(message) for k, v in fields(m, f"{path}[{i}]").items()}
        return {f"{path}.length": len(message), **inner}
    if isinstance(message, (int, float, str)):
        return {path: message}
    return {path: (len(message), bytes(np.asarray(message).data))}


@pytest.mark.slow
def test_both_have_the_same_topics_and_as_many_frames(drive):
    frames = len(drive.sent)
    assert drive.offline.keys() == TYPES.keys()
    assert {name: len(drive.live[name]) for name in PER_FRAME} == dict.fromkeys(PER_FRAME, frames)
    assert {name: len(drive.offline[name]) for name in PER_FRAME} == dict.fromkeys(PER_FRAME, frames)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_field_of_every_frame_is_equal(drive, name):
    for index, (live, (_, offline)) in enumerate(zip(drive.live[name], drive.offline[name], strict=True)):
        one, other = fields(live), fields(offline)
        assert one.keys() == other.keys()
        differing = [path for path in one if one[path] != other[path]]
        assert differing == [], f"frame {index}"


def test_summaries_tell_the_same_numbers(drive):
    """The shift monitor's where frames are judged in order; times and the trust state are of the machine."""
    in_order = "thresholds.smoothing_s" in drive.parameters or drive.parameters.get("tracking") == "on"
    for live, (_, offline) in zip(drive.live[SUMMARY], drive.offline[SUMMARY], strict=True):
        assert live.header == offline.header
        one, other = ({pair.key: pair.value for pair in m.status[0].values} for m in (live, offline))
        assert list(one) == list(other)
        differing = {key for key in one if one[key] != other[key]} - OF_THE_NODE
        assert differing <= (set() if in_order else {key for key in one if key.startswith("shift_")})
        assert live.status[0].name == offline.status[0].name == "trust_seg: summary"
        assert live.status[0].message.endswith(offline.status[0].message)


def test_the_comparison_sees_every_part_of_a_message(drive):
    """All that is compared is there: pixels that are not all alike, detections with results, and headers."""
    image = fields(drive.live["entropy"][0])
    assert {".header.stamp.sec", ".header.frame_id", ".encoding", ".step", ".is_bigendian", ".data"} <= image.keys()
    assert image[".header.frame_id"] == "camera"
    assert len(set(image[".data"][1])) > 50
    found = fields(drive.live["segments"][0])
    assert found[".detections.length"] > 0
    parts = {"id", "bbox.center.position.x", "bbox.size_y", "header.stamp.sec", "results[0].hypothesis.score",
             "results[1].hypothesis.class_id", "results[0].pose.covariance"}  # fmt: skip
    assert {f".detections[0].{part}" for part in parts} <= found.keys()


def test_ids_are_those_of_tracks_with_tracking(drive):
    frames = [{d.id for d in m.detections} for m in drive.live["segments"]]
    assert frames == [{d.id for d in m.detections} for _, m in drive.offline["segments"]]
    if drive.parameters.get("tracking") != "on":
        assert not any(number.startswith("ood_") for ids in frames for number in ids)
        return
    assert {"1"} < frames[0], "the replay counts from 1"
    assert any(number.startswith("ood_") for number in frames[0])
    assert len(frames[0] & frames[-1]) >= 3, "at a frame per second little overlaps"
    assert frames[-1] - frames[0]


def test_topics_are_offered_alike(drive):
    with BagReader.open(drive.out) as reader:
        recorded = {
            name: [(qos.reliability.name, qos.durability.name) for qos in reader.topics[f"/trust_seg/{name}"].qos]
            for name in TYPES
        }
    assert recorded == {name: [qos] for name, qos in drive.live_qos.items()}


def test_settings_of_the_file_reached_both(drive):
    given = drive.parameters
    encoding = given.get("entropy_encoding", "mono8")
    assert (
        {m.encoding for m in drive.live["entropy"]} == {m.encoding for _, m in drive.offline["entropy"]} == {encoding}
    )
    flagged = [len(m.detections) for m in drive.live["segments"]]
    segments = frame_table(drive.out)["segments"]
    assert (flagged >= segments).all() == given.get("publish_all_segments", False)
    smoothed = "thresholds.smoothing_s" in given
    assert (len(set(frame_table(drive.out)["threshold_pixel"])) > 1) == smoothed


def test_label_info_says_the_same(drive):
    live, offline = drive.live["label_info"], [m for _, m in drive.offline["label_info"]]
    assert {str(m.class_map) for m in live} == {str(m.class_map) for m in offline}
    assert live[0].threshold == offline[0].threshold
    assert {m.header.frame_id for m in [*live, *offline]} == {""}
    assert {m.threshold for m in live} == {m.threshold for m in offline}
    constant = "thresholds.pixel_policy" not in drive.parameters
    in_force = {np.float32(1 - value) for value in frame_table(drive.out)["threshold_pixel"]} if constant else {0.0}
    assert {m.threshold for m in offline} == in_force
