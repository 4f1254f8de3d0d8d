"""Small bags for tests of the replay, written by another library than the replay's own, and what came of them."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from places import HELPERS

pytest.importorskip("rosbags", reason="needs the library rosbags")
pytest.importorskip("pyarrow", reason="needs the library pyarrow")
import pyarrow.parquet as pq
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_HUMBLE)
IMAGE, COMPRESSED, TEXT = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "std_msgs/msg/String"
SIZE = (32, 48)
BEGIN, STEP = 100 * 10**9, 10**8
"""Stamp of a bag's first image, and its period: 10 Hz."""
NETWORK = ("-p", "model:=fault_networks:colours")


@dataclass(frozen=True)
class Message:
    """One message to write."""

    topic: str
    at: int
    kind: str
    data: bytes


def pixels(i, size=SIZE, channels=3):
    """(H, W, 3) uint8: blocks of random colours, others for every i."""
    height, width = size
    blocks = np.random.default_rng(i).integers(0, 256, (-(-height // 8), -(-width // 8), channels), np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), np.uint8))[:height, :width]


def header(stamp):
    """A std_msgs/Header of the camera."""
    time = STORE.types["builtin_interfaces/msg/Time"](*divmod(stamp, 10**9))
    return STORE.types["std_msgs/msg/Header"](time, "camera")


def image_bytes(i, stamp, size=SIZE, encoding="rgb8", **changed):
    """A sensor_msgs/Image; ``changed`` fields need not fit the others."""
    data = pixels(i, size, 3 if encoding != "mono8" else 1)
    fields = {
        "height": size[0],
        "width": size[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": data[0].size,
        "data": data.reshape(-1),
    }
    return bytes(STORE.serialize_cdr(STORE.types[IMAGE](header(stamp), **{**fields, **changed}), IMAGE))


def image(i, at=None, topic="/cam", stamp=None, **changed):
    """The i-th image of a camera, recorded when it was taken unless said otherwise."""
    at = BEGIN + i * STEP if at is None else at
    return Message(topic, at, IMAGE, image_bytes(i, at if stamp is None else stamp, **changed))


def jpeg(i, at=None, topic="/cam", form="jpeg", data=None):
    """The same as CompressedImage, or with other bytes."""
    at = BEGIN + i * STEP if at is None else at
    data = cv2.imencode(".jpg", pixels(i))[1].tobytes() if data is None else data
    made = STORE.types[COMPRESSED](header(at), form, np.frombuffer(data, np.uint8))
    return Message(topic, at, COMPRESSED, bytes(STORE.serialize_cdr(made, COMPRESSED)))


def text(i, at=None, topic="/chatter", words="hello"):
    """A std_msgs/String."""
    at = BEGIN + i * STEP if at is None else at
    return Message(topic, at, TEXT, bytes(STORE.serialize_cdr(STORE.types[TEXT](f"{words} {i}"), TEXT)))


def images(count, **changed):
    """A camera's first images."""
    return [image(i, **changed) for i in range(count)]


def write_bag(path, messages, storage="mcap"):
    """A rosbag2 folder with the messages in the order given; returns its path."""
    with Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()]) as writer:
        connections = {}
        for message in messages:
            if message.topic not in connections:
                connections[message.topic] = writer.add_connection(message.topic, message.kind, typestore=STORE)
            writer.write(connections[message.topic], message.at, message.data)
    return path


def storage_file(bag):
    """The only storage file of a bag."""
    (found,) = [path for path in bag.iterdir() if path.suffix in (".mcap", ".db3")]
    return found


def cut(bag, share):
    """Cut the end off a bag's storage file, and its metadata, as after a power failure."""
    file = storage_file(bag)
    os.truncate(file, round(file.stat().st_size * share))
    (bag / "metadata.yaml").unlink()
    return bag


def command(bag, out, *words, workers=1):
    """Words of ``trust-seg`` that replay a bag with the light network."""
    sources = [bag] if isinstance(bag, (str, Path)) else list(bag)
    return ["replay", *map(str, sources), "--out", str(out), *NETWORK, "--workers", str(workers), *map(str, words)]


def program(*words):
    """The command as another process runs it, which finds the light network, too."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HELPERS), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    return [sys.executable, "-m", "trust_seg_ros.cli", *words], environment


def table(out):
    """Columns of the frame table, as lists."""
    return pq.read_table(out / "frames.parquet").to_pydict()


def contents(bag):
    """(topic, time, bytes) of a bag as another library reads it."""
    with Reader(bag) as reader:
        return [(connection.topic, at, bytes(data)) for connection, at, data in reader.messages()]


def files_of(folder):
    """Name -> bytes of every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def bag_files(out):
    """Name -> bytes of what makes up an output bag; other products hold times that were measured."""
    return {
        name: data for name, data in files_of(out).items() if name.startswith("trust_seg_") or name == "metadata.yaml"
    }
