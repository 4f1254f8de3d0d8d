"""Recordings for tests of the replay, a replay of them, and what came out of it."""

import contextlib
import io
from functools import lru_cache

import cv2
import numpy as np
import pytest
from places import CAMVID

pytest.importorskip("rosbags", reason="needs the library rosbags")
pytest.importorskip("pyarrow", reason="needs the library pyarrow")
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer

from trust_seg_ros import cli
from trust_seg_ros.bags.reader import BagReader
from trust_seg_ros.messages.fields import HeaderFields, ImageFields
from trust_seg_ros.recordings.replay.message_types import IMAGE, type_store
from trust_seg_ros.recordings.replay.serialise import image_cdr
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive

SECOND = 1_000_000_000
BEGIN_S = 1_600_000_000
DELAY_NS = SECOND // 4
"""Between the stamp and the recorder."""
TOPIC, LIVE, TEXT = "/camera/image_raw", "/trust_seg/segmentation", "std_msgs/msg/String"
LIGHT = ("-p", "model:=node_networks:colours", "-p", "meta_model:=none", "-p", "threads:=1")
"""Parameters of a network that is fast, and gives no gradients."""


def photographs(count, size=None):
    """(stamp_ns, RGB) of consecutive frames of a real drive, 1 s apart; shrunken to ``size`` (H, W)."""
    names = sorted((CAMVID / "test" / "images").glob("Seq05VD_*.jpg"))[:count]
    if len(names) < count:
        pytest.skip(f"needs the CamVid test images in {CAMVID}")
    first = int(names[0].stem.rpartition("f")[2])
    for name in names:
        picture = cv2.cvtColor(cv2.imread(str(name)), cv2.COLOR_BGR2RGB)
        if size is not None:
            picture = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
        yield BEGIN_S * SECOND + (int(name.stem.rpartition("f")[2]) - first) * SECOND // 30, picture


@lru_cache(maxsize=4)
def synthetic(count, size=(96, 128), seed=3):
    """(stamp_ns, RGB) of a synthetic drive with unknown objects, 0.4 s apart."""
    drive = SyntheticDrive(DriveSettings(seed=seed, size=size, unknown_rate=8.0))
    step = 2 * SECOND // 5
    return tuple((BEGIN_S * SECOND + i * step, drive.frame(i * 6).image) for i in range(count))


def image(pixels, stamp_ns, encoding="rgb8", frame_id="camera"):
    """CDR of an Image; ``pixels`` in the order of the encoding."""
    return bytes(image_cdr(ImageFields(encoding, pixels), HeaderFields(*divmod(stamp_ns, SECOND), frame_id)))


def drive_messages(frames, topic=TOPIC, encoding="rgb8", frame_id="camera"):
    """(topic, type, recorded_ns, CDR) of RGB frames."""
    flip = {"rgb8": lambda p: p, "bgr8": lambda p: p[..., ::-1], "mono8": lambda p: cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)}
    return [
        (topic, IMAGE, stamp + DELAY_NS, image(flip[encoding](pixels), stamp, encoding, frame_id))
        for stamp, pixels in frames
    ]


def write_bag(path, messages, storage="mcap"):
    """A rosbag2 folder of (topic, type, recorded_ns, CDR); returns its path."""
    with Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()]) as writer:
        connections = {}
        for topic, kind, recorded_ns, data in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=type_store())
            writer.write(connections[topic], recorded_ns, data)
    return path


def replay(source, out, *words):
    """``trust-seg replay`` in this process unless ``words`` say otherwise; returns what it said."""
    status, said = _command(source, out, words)
    assert status == 0, said
    return said


def refused(source, out, *words):
    """The same for what must fail; returns what it said, in one line."""
    status, said = _command(source, out, words)
    assert status != 0, said
    return " ".join(said.split())


def _command(source, out, words):
    if "--workers" not in words:
        words = (*words, "--workers", "1")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = cli.main(["replay", str(source), "--out", str(out), *map(str, words)])
    return status, said.getvalue()


def read_bag(path, topics=None):
    """Topic -> [(recorded_ns, type, CDR)]."""
    found = {}
    with BagReader.open(path) as reader:
        for message in reader.messages(topics):
            kind = reader.topics[message.topic].type_name
            found.setdefault(message.topic, []).append((message.recorded_ns, kind, bytes(message.data)))
        assert reader.damage == ""
    return found


def decoded(messages):
    """[(recorded_ns, type, CDR)] → [(recorded_ns, message)]."""
    return [(at, type_store().deserialize_cdr(data, kind)) for at, kind, data in messages]


def pixels(message):
    """(H, W) or (H, W, C) array of an Image message."""
    kind = {"32FC1": np.float32, "16UC1": np.uint16}.get(message.encoding, np.uint8)
    found = np.frombuffer(memoryview(message.data), kind).reshape(message.height, message.width, -1)
    return found[..., 0] if found.shape[2] == 1 else found


def stamp_ns(message):
    """Of its header, or of itself."""
    stamp = message.header.stamp if hasattr(message, "header") else message.timestamp
    return stamp.sec * SECOND + stamp.nanosec


def frame_table(out):
    """Columns of frames.parquet as arrays."""
    import pyarrow.parquet as pq

    table = pq.read_table(out / "frames.parquet")
    return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}


def by_rosbags(path):
    """Topic -> [(recorded_ns, type, CDR)] by the library rosbags."""
    found = {}
    with AnyReader([path]) as reader:
        for connection, at, data in reader.messages():
            assert reader.deserialize(data, connection.msgtype) is not None
            found.setdefault(connection.topic, []).append((at, connection.msgtype, bytes(data)))
    return found


def chatter(at, words):
    """A message of another topic."""
    message = type_store().types[TEXT](data=words)
    return "/chatter", TEXT, at, bytes(type_store().serialize_cdr(message, TEXT))


def busy_bag(path, count):
    """A camera (bgr8), something else, and what a node said while it was recorded."""
    images = drive_messages(synthetic(count), encoding="bgr8")
    others = [chatter(at + 10_000_000, f"word {i}") for i, (_, _, at, _) in enumerate(images)]
    lone = np.full((96, 128), 3, np.uint8)
    live = [(LIVE, kind, at + SECOND // 10, image(lone, at - DELAY_NS, "mono8")) for _, kind, at, _ in images]
    return write_bag(path, sorted(images + others + live, key=lambda m: m[2]))
