"""Bags for tests, written by other libraries than the one under test."""

import struct
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="needs the library rosbags")
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_HUMBLE)
STORE1 = get_typestore(Stores.ROS1_NOETIC)
IMAGE, COMPRESSED, TEXT = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "std_msgs/msg/String"
TYPES = {"/cam": IMAGE, "/cam_small": COMPRESSED, "/chatter": TEXT}

STORAGES = [
    (plugin, mode)
    for plugin in StoragePlugin
    for mode in CompressionMode
    if (plugin, mode) != (StoragePlugin.SQLITE3, CompressionMode.STORAGE)
]


def drive(count=60, size=20_000, seed=0, step_ns=10_000_000, topics=("/cam", "/chatter")):
    """(topic, time, bytes) with random contents; two messages at a time have the same stamp."""
    rng = np.random.default_rng(seed)
    return [
        (topics[i % len(topics)], 1_000_000_000 + i // 2 * step_ns, b"\x00\x01\x00\x00" + rng.bytes(size - 4))
        for i in range(count)
    ]


def write(path, messages, plugin=StoragePlugin.MCAP, mode=CompressionMode.NONE, qos=(), types=TYPES):
    """A rosbag2 folder; returns its path."""
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, time_ns, data in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(
                    topic, types[topic], typestore=STORE, offered_qos_profiles=list(qos)
                )
            writer.write(connections[topic], time_ns, data)
    return path


def storage_file(folder: Path) -> Path:
    """The only storage file of a rosbag2 folder."""
    (found,) = [path for path in folder.iterdir() if path.name != "metadata.yaml"]
    return found


def write_ros1(path, messages, compression=None, chunk_bytes=1 << 20):
    """A ROS 1 bag of strings: (topic, time, text). Returns the messages as a reader of CDR has them."""
    writer = Writer1(path)
    writer.chunk_threshold = chunk_bytes
    if compression is not None:
        writer.set_compression(compression)
    expected = []
    with writer:
        connections = {}
        for topic, time_ns, text in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, TEXT, typestore=STORE1)
            writer.write(connections[topic], time_ns, struct.pack("<I", len(text)) + text.encode())
            message = STORE.types[TEXT](data=text)
            expected.append((topic, time_ns, bytes(STORE.serialize_cdr(message, TEXT))))
    return expected


def write_mcap(path, messages, types=TYPES, **options):
    """An MCAP file by the ``mcap`` library, which has all options of the format. Returns its path."""
    writers = pytest.importorskip("mcap.writer", reason="needs the library mcap")
    with path.open("wb") as file:
        writer = writers.Writer(file, **options)
        writer.start(profile="ros2")
        channels = {}
        for topic, time_ns, data in messages:
            if topic not in channels:
                definition = STORE.generate_msgdef(TYPES[topic], ros_version=2)[0]
                schema = writer.register_schema(types[topic], "ros2msg", definition.encode())
                channels[topic] = writer.register_channel(topic, "cdr", schema)
            writer.add_message(channels[topic], time_ns, data, time_ns)
        writer.finish()
    return path


def plain(messages):
    """Messages of the reader as (topic, time, bytes)."""
    return [(m.topic, m.recorded_ns, m.data) for m in messages]
