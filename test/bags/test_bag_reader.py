"""Intact bags of every kind give what was written, in order, reading no more than asked for."""

import random
import shutil
import sqlite3
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from bag_samples import (
    COMPRESSED,
    IMAGE,
    STORAGES,
    STORE,
    STORE1,
    TEXT,
    TYPES,
    drive,
    plain,
    storage_file,
    write,
    write_mcap,
    write_ros1,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from ruamel.yaml import YAML

from trust_seg_ros.bags.errors import MissingLibrary, NoImageTopic, NothingThere, SourceError
from trust_seg_ros.bags.reader import BagReader

QOS = Qos(
    QosHistory.KEEP_LAST, 5, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, QosTime(0, 0), QosTime(0, 0),
    QosLiveliness.AUTOMATIC, QosTime(0, 0), False,
)  # fmt: skip


def by_time(messages):
    return sorted(messages, key=lambda m: m[1])


def bytes_read(action):
    """Bytes that this process asked the system to read, whatever library did it."""
    counters = Path("/proc/self/io")
    if not counters.exists():
        pytest.skip("this system does not count the bytes read")

    def total():
        return int(counters.read_text().split("rchar: ")[1].split()[0])

    before = total()
    action()
    return total() - before


@pytest.mark.parametrize(("plugin", "mode"), STORAGES)
def test_every_storage_gives_what_was_written(tmp_path, plugin, mode):
    messages = drive()
    bag = write(tmp_path / "bag", messages, plugin, mode, qos=[QOS])
    with BagReader.open(bag) as reader:
        assert reader.damage == ""
        assert plain(reader.messages()) == messages
        assert (reader.start_ns, reader.end_ns) == (messages[0][1], messages[-1][1] + 1)
        assert {name: topic.messages for name, topic in reader.topics.items()} == {"/cam": 30, "/chatter": 30}
        for topic in reader.topics.values():
            assert topic.type_name == TYPES[topic.name]
            assert topic.definition == STORE.generate_msgdef(topic.type_name, ros_version=2)[0]
            assert topic.digest == STORE.hash_rihs01(topic.type_name)
            assert topic.qos == (QOS,)


@pytest.mark.parametrize(("plugin", "mode"), STORAGES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_windows_and_topics_are_those_asked_for(tmp_path_factory, plugin, mode, data):
    folder = tmp_path_factory.getbasetemp() / f"windows_{plugin.name}_{mode.name}"
    messages = drive(40, 60_000, topics=("/cam", "/chatter", "/cam_small"))
    random.Random(3).shuffle(messages)
    if not folder.exists():
        write(folder, messages, plugin, mode)
    messages = by_time(messages)
    first, last = messages[0][1], messages[-1][1]
    start, stop = (data.draw(st.none() | st.integers(first - 5, last + 5)) for _ in range(2))
    topics = data.draw(st.none() | st.sets(st.sampled_from(sorted(TYPES))))
    with BagReader.open(folder) as reader:
        found = plain(reader.messages(topics, start, stop))
    expected = [
        m for m in messages
        if (topics is None or m[0] in topics) and (start is None or m[1] >= start) and (stop is None or m[1] < stop)
    ]  # fmt: skip
    assert found == expected


@pytest.mark.parametrize("plugin", StoragePlugin)
def test_equal_stamps_keep_the_order_in_which_they_were_recorded(tmp_path, plugin):
    messages = [("/chatter" if i % 3 else "/cam", 7, bytes([0, 1, 0, 0, i])) for i in range(200)]
    with BagReader.open(write(tmp_path / "bag", messages, plugin)) as reader:
        assert plain(reader.messages()) == messages


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "lz4"},
        {"chunk_size": 2000},
        {"use_chunking": False},
        {"use_statistics": False},
        {"repeat_channels": False},
        {"repeat_schemas": False},
        {"enable_crcs": False},
        {"index_types": "no message index"},
        {"index_types": "no index"},
    ],
)
@settings(max_examples=10, deadline=None)
@given(times=st.lists(st.integers(0, 40), max_size=30), size=st.integers(0, 3000))
def test_mcap_of_another_writer_reads_as_by_another_reader(tmp_path_factory, options, times, size):
    from mcap.reader import NonSeekingReader
    from mcap.writer import CompressionType, IndexType

    chosen = dict(options)
    if "compression" in chosen:
        chosen["compression"] = CompressionType.LZ4
    if chosen.get("index_types") == "no message index":
        chosen["index_types"] = IndexType.ALL & ~IndexType.MESSAGE
    elif "index_types" in chosen:
        chosen["index_types"] = IndexType.NONE
    rng = np.random.default_rng(size)
    messages = [(sorted(TYPES)[t % 3], t, b"\x00" + rng.bytes(size)) for t in times]
    path = write_mcap(tmp_path_factory.mktemp("mcap") / "one.mcap", messages, **chosen)
    with BagReader.open(path) as reader:
        found, damage = plain(reader.messages()), reader.damage
        counts = {name: topic.messages for name, topic in reader.topics.items()}
    assert found == by_time(messages)
    assert damage == ""
    assert counts == {t: sum(m[0] == t for m in messages) for t in {m[0] for m in messages}}
    with path.open("rb") as file:
        other = [(c.topic, m.log_time, m.data) for _, c, m in NonSeekingReader(file).iter_messages()]
    assert found == other


def test_images_decode_as_by_the_ros2_support_of_mcap(tmp_path):
    decoder = pytest.importorskip("mcap_ros2.reader", reason="needs the library mcap-ros2-support")
    header = STORE.types["std_msgs/msg/Header"](STORE.types["builtin_interfaces/msg/Time"](3, 4), "front")
    image = STORE.types[IMAGE](header, 2, 3, "mono8", 0, 3, np.arange(6, dtype=np.uint8))
    bag = write(tmp_path / "bag", [("/cam", 5, bytes(STORE.serialize_cdr(image, IMAGE)))])
    (other,) = decoder.read_ros2_messages(str(storage_file(bag)))
    with BagReader.open(bag) as reader:
        (message,) = reader.messages()
    ours = STORE.deserialize_cdr(message.data, IMAGE)
    assert bytes(other.ros_msg.data) == bytes(ours.data) == bytes(range(6))
    assert other.ros_msg.header.frame_id == ours.header.frame_id == "front"
    assert other.log_time_ns == message.recorded_ns


@pytest.mark.parametrize(("plugin", "mode"), [s for s in STORAGES if s[1] != CompressionMode.FILE])
def test_a_narrow_window_reads_little_of_a_large_bag(tmp_path, plugin, mode):
    messages = drive(1000, 30_000)
    bag = write(tmp_path / "bag", messages, plugin, mode)
    size = storage_file(bag).stat().st_size
    window = (messages[500][1], messages[510][1])
    found = []

    def action():
        with BagReader.open(bag) as reader:
            found.extend(reader.messages(None, *window))

    count = bytes_read(action)
    assert plain(found) == messages[500:510]
    assert count < 0.2 * size, f"{count} of {size} bytes"


@pytest.mark.parametrize("storage", ["sqlite", "sqlite without index", "mcap", "mcap without chunks", "ros1"])
def test_memory_stays_flat(tmp_path, storage):
    messages = drive(1500, 20_000)
    if storage == "ros1":
        bag = tmp_path / "a.bag"
        write_ros1(bag, [(topic, time_ns, "x" * 20_000) for topic, time_ns, _ in messages])
    elif storage == "mcap without chunks":
        bag = write_mcap(tmp_path / "a.mcap", messages, use_chunking=False)
    else:
        bag = write(tmp_path / "bag", messages, StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3)
    if storage.endswith("index"):
        with sqlite3.connect(storage_file(bag)) as database:
            database.execute("DROP INDEX timestamp_idx")
    size = sum(len(m[2]) for m in messages)
    del messages
    tracemalloc.start()
    with BagReader.open(bag) as reader:
        count = sum(1 for _ in reader.messages())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1500
    assert peak < 0.3 * size, f"{peak} bytes held of {size}"


def test_without_an_index_on_time_rows_come_in_order_all_the_same(tmp_path):
    messages = drive(50, 100)
    random.Random(1).shuffle(messages)
    bag = write(tmp_path / "bag", messages, StoragePlugin.SQLITE3)
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute("DROP INDEX timestamp_idx")
    with BagReader.open(bag) as reader:
        assert plain(reader.messages()) == by_time(messages)
        assert plain(reader.messages(["/cam"], 1_050_000_000, 1_100_000_000)) == [
            m for m in by_time(messages) if m[0] == "/cam" and 1_050_000_000 <= m[1] < 1_100_000_000
        ]


@pytest.mark.parametrize("plugin", StoragePlugin)
@pytest.mark.parametrize("mode", [CompressionMode.NONE, CompressionMode.MESSAGE, CompressionMode.FILE])
def test_empty_messages_come_through(tmp_path, plugin, mode):
    messages = [("/cam", 1, b""), ("/cam", 2, b"\x00\x01"), ("/cam", 3, b"")]
    with BagReader.open(write(tmp_path / "bag", messages, plugin, mode)) as reader:
        assert plain(reader.messages()) == messages


@pytest.mark.parametrize("plugin", StoragePlugin)
def test_an_empty_bag_has_topics_and_no_messages(tmp_path, plugin):
    with Writer(tmp_path / "bag", version=9, storage_plugin=plugin) as writer:
        writer.add_connection("/cam", IMAGE, typestore=STORE)
    with BagReader.open(tmp_path / "bag") as reader:
        assert list(reader.messages()) == []
        assert (reader.start_ns, reader.end_ns, reader.damage) == (0, 0, "")
        assert reader.image_topics() == ("/cam",)


def test_two_iterations_at_once_do_not_disturb_each_other(tmp_path):
    messages = drive(200)
    with BagReader.open(write(tmp_path / "bag", messages)) as reader:
        pairs = list(zip(reader.messages(), reader.messages(["/cam"]), strict=False))
    assert plain(a for a, _ in pairs) == messages[: len(pairs)]
    assert plain(b for _, b in pairs) == [m for m in messages if m[0] == "/cam"]


def test_single_storage_files_are_bags(tmp_path):
    messages = drive(20, 100)
    for plugin in StoragePlugin:
        file = storage_file(write(tmp_path / plugin.name, messages, plugin))
        with BagReader.open(file) as reader:
            assert plain(reader.messages()) == messages
            assert reader.damage == ""


def test_unpacked_files_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    bag = write(tmp_path / "bag", drive(20, 100), mode=CompressionMode.FILE)
    with BagReader.open(bag):
        assert len(list((tmp_path / "scratch").rglob("*.mcap"))) == 1
    storage_file(bag).write_bytes(storage_file(bag).read_bytes()[:20])
    with pytest.raises(SourceError):
        BagReader.open(bag)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_file_that_changes_under_the_reader_is_named(tmp_path):
    bag = write(tmp_path / "bag", drive(20, 100), StoragePlugin.SQLITE3)
    with BagReader.open(bag) as reader:
        with sqlite3.connect(storage_file(bag)) as database:
            database.execute("ALTER TABLE messages RENAME COLUMN data TO gone")
        with pytest.raises(SourceError, match=r"bag\.db3 is damaged or gone since it was opened \(reading broke off: "):
            list(reader.messages())


# -- ROS 1


@pytest.mark.parametrize("compression", [None, *Writer1.CompressionFormat])
def test_ros1_messages_become_cdr(tmp_path, compression):
    texts = [("/chatter" if i % 2 else "/other", 10**9 + i // 2, f"{i} " * 5000) for i in range(400)]
    random.Random(0).shuffle(texts)
    expected = write_ros1(tmp_path / "a.bag", texts, compression)
    with BagReader.open(tmp_path / "a.bag") as reader:
        assert reader.damage == ""
        assert plain(reader.messages()) == by_time(expected)
        assert {t.type_name: t.messages for t in reader.topics.values()} == {TEXT: 200}
        start, stop = 10**9 + 20, 10**9 + 30
        assert plain(reader.messages(["/chatter"], start, stop)) == [
            m for m in by_time(expected) if m[0] == "/chatter" and start <= m[1] < stop
        ]


def test_ros1_images_lose_their_sequence_number_and_keep_all_else(tmp_path):
    header = STORE1.types["std_msgs/msg/Header"](77, STORE1.types["builtin_interfaces/msg/Time"](3, 4), "front")
    image = STORE1.types[IMAGE](header, 2, 3, "mono8", 0, 3, np.arange(6, dtype=np.uint8))
    with Writer1(tmp_path / "a.bag") as writer:
        connection = writer.add_connection("/cam/", IMAGE, typestore=STORE1, latching=1)
        writer.write(connection, 5, STORE1.serialize_ros1(image, IMAGE))
        writer.write(connection, 6, b"")
        writer.write(connection, 7, b"no image")
    with BagReader.open(tmp_path / "a.bag") as reader:
        messages, damage = list(reader.messages()), reader.damage
        topic = reader.topics["/cam"]
    ours = STORE.deserialize_cdr(messages[0].data, IMAGE)
    assert (ours.header.stamp.sec, ours.header.stamp.nanosec, ours.header.frame_id) == (3, 4, "front")
    assert bytes(ours.data) == bytes(range(6))
    assert messages[1].data == b""
    assert len(messages) == 2
    assert "8 bytes are not a sensor_msgs/msg/Image" in damage
    assert topic.qos[0].durability == QosDurability.TRANSIENT_LOCAL
    assert topic.definition == STORE.generate_msgdef(IMAGE, ros_version=2)[0]
    assert topic.digest == STORE.hash_rihs01(IMAGE)


# -- folders


def split(tmp_path, messages, ranges, plugin=StoragePlugin.MCAP):
    """A rosbag2 folder of several files named drive_0, drive_1, …; metadata.yaml lists them all."""
    folder = tmp_path / "drive"
    folder.mkdir()
    names = []
    for index, picked in enumerate(ranges):
        file = storage_file(write(tmp_path / f"part{index}", messages[picked], plugin))
        names.append(f"drive_{index}{file.suffix}")
        file.rename(folder / names[-1])
    yaml = YAML(typ="safe")
    stated = yaml.load(write(tmp_path / "whole", messages, plugin) / "metadata.yaml")
    stated["rosbag2_bagfile_information"]["relative_file_paths"] = names
    yaml.dump(stated, folder / "metadata.yaml")
    return folder


@pytest.mark.parametrize("plugin", StoragePlugin)
@pytest.mark.parametrize("metadata", [True, False])
def test_split_bags_come_in_order_also_where_files_overlap_in_time(tmp_path, plugin, metadata):
    messages = drive(120, 100)
    ranges = [slice(i * 10, i * 10 + 10) for i in range(10)] + [slice(100, None, 2), slice(101, None, 2)]
    folder = split(tmp_path, messages, ranges, plugin)
    if not metadata:
        (folder / "metadata.yaml").unlink()
    with BagReader.open(folder) as reader:
        found, damage = plain(reader.messages()), reader.damage
        assert sum(t.messages for t in reader.topics.values()) == 120
        assert plain(reader.messages(["/cam"], messages[95][1], messages[105][1])) == [
            m for m in messages[:110] if m[0] == "/cam" and messages[95][1] <= m[1] < messages[105][1]
        ]
    assert found == messages
    assert ("metadata.yaml is missing" in damage) != metadata
    assert bool(damage) != metadata


def test_of_equal_stamps_the_earlier_file_comes_first(tmp_path):
    messages = [("/chatter", 5, bytes([0, i])) for i in range(24)]
    folder = split(tmp_path, messages, [slice(i, None, 12) for i in range(12)])
    with BagReader.open(folder) as reader:
        assert plain(reader.messages()) == [m for i in range(12) for m in messages[i::12]]
    (folder / "metadata.yaml").unlink()
    with BagReader.open(folder) as reader:  # drive_2 before drive_10
        assert plain(reader.messages()) == [m for i in range(12) for m in messages[i::12]]


def test_a_window_opens_only_the_files_it_touches(tmp_path):
    messages = drive(100, 50_000)
    folder = split(tmp_path, messages, [slice(i * 10, i * 10 + 10) for i in range(10)])
    with BagReader.open(folder) as reader:
        count = bytes_read(lambda: list(reader.messages(None, messages[50][1], messages[55][1])))
    assert count < 2 * 10 * 50_000 + 100_000


@pytest.mark.parametrize("text", ["a: [", "", "just words", "rosbag2_bagfile_information: {version: 9}"])
def test_metadata_that_is_none_leaves_the_storage_files(tmp_path, text):
    messages = drive(20, 100)
    bag = write(tmp_path / "bag", messages)
    (bag / "metadata.yaml").write_text(text)
    with BagReader.open(bag) as reader:
        assert "metadata.yaml cannot be used" in reader.damage
        assert "\n" not in reader.damage
        assert plain(reader.messages()) == messages


def test_wrong_counts_missing_and_unlisted_files_are_said(tmp_path):
    messages = drive(30, 100)
    folder = split(tmp_path, messages, [slice(0, 10), slice(10, 20), slice(20, None)])
    stated = (folder / "metadata.yaml").read_text()
    assert "\n  message_count: 30\n" in stated
    (folder / "metadata.yaml").write_text(stated.replace("\n  message_count: 30\n", "\n  message_count: 31\n"))
    with BagReader.open(folder) as reader:
        assert reader.damage == "metadata.yaml counts 31 messages (30 by topic), but the storage files hold 30"
        assert {t.messages for t in reader.topics.values()} == {15}
    shutil.copy(folder / "drive_2.mcap", folder / "drive_3.mcap")
    (folder / "drive_2.mcap").unlink()
    (folder / "metadata.yaml").write_text(stated)
    with BagReader.open(folder) as reader:
        assert "drive_2.mcap is missing, although metadata.yaml lists it" in reader.damage
        assert "drive_3.mcap is not listed in metadata.yaml" in reader.damage
        assert plain(reader.messages()) == messages


# -- what is asked for


def test_image_topics_are_checked(tmp_path):
    bag = write(tmp_path / "bag", drive(9, 100, topics=("/cam", "/chatter", "/cam_small")))
    with BagReader.open(bag) as reader:
        assert reader.image_topics() == ("/cam", "/cam_small")
        assert reader.require_images(["/cam_small", "/cam", "/cam"]) == ("/cam_small", "/cam")
        listed = (
            rf"/cam \({IMAGE}, 3 messages\), /cam_small \({COMPRESSED}, 3 messages\), /chatter \({TEXT}, 3 messages\)"
        )
        with pytest.raises(NoImageTopic, match=f"2 image topics: choose from /cam, /cam_small; its topics: {listed}"):
            reader.require_images([])
        with pytest.raises(NoImageTopic, match=f"has no topic /camera; its topics: {listed}"):
            reader.require_images(["/cam", "/camera"])
        with pytest.raises(NoImageTopic, match=f"/chatter in .* holds {TEXT}; expected .*; its topics: {listed}"):
            reader.require_images(["/chatter"])
        with pytest.raises(NoImageTopic, match=f"has no topic /camera; its topics: {listed}"):
            reader.messages(["/camera"])


def test_what_a_node_said_is_no_camera(tmp_path):
    topics = ("/cam", "/trust_seg/overlay", "/rear/trust_seg/entropy", "/trust_seg/image")
    bag = write(tmp_path / "bag", drive(8, 100, topics=topics), types=dict.fromkeys(topics, IMAGE))
    with BagReader.open(bag) as reader:
        assert reader.camera_topics() == ("/cam", "/trust_seg/image")
        assert len(reader.image_topics()) == 4
    only = write(tmp_path / "only", drive(4, 100, topics=topics[1:2]), types=dict.fromkeys(topics, IMAGE))
    with BagReader.open(only) as reader:
        assert reader.require_images([]) == ("/trust_seg/overlay",)


def test_the_only_image_topic_needs_no_name(tmp_path):
    with BagReader.open(write(tmp_path / "bag", drive(4, 100))) as reader:
        assert reader.require_images([]) == ("/cam",)
    none = BagReader.open(write(tmp_path / "none", drive(4, 100, topics=("/chatter",))))
    with none, pytest.raises(NoImageTopic, match=r"has no topic of sensor_msgs/msg/Image or .*; its topics: /chatter"):
        none.require_images([])


def test_definitions_of_bags_without_them_come_from_the_distributions(tmp_path):
    messages = [("/chatter", 1, b"\x00\x01"), ("/own", 2, b"\x00\x01")]
    types = {"/chatter": TEXT, "/own": TEXT}
    bag = write(tmp_path / "bag", messages, StoragePlugin.SQLITE3, types=types)
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute("DROP TABLE message_definitions")
        database.execute("UPDATE topics SET type = 'mine/msg/Own', type_description_hash = '' WHERE name = '/own'")
    (bag / "metadata.yaml").unlink()
    with BagReader.open(bag) as reader:
        known, own = reader.topics["/chatter"], reader.topics["/own"]
    assert known.definition == STORE.generate_msgdef(TEXT, ros_version=2)[0]
    assert known.digest == STORE.hash_rihs01(TEXT)
    assert (own.type_name, own.definition, own.digest) == ("mine/msg/Own", "", "")


def test_paths_that_are_no_bags(tmp_path):
    with pytest.raises(NothingThere, match="does not exist; expected a rosbag2 folder"):
        BagReader.open(tmp_path / "none")
    with pytest.raises(NothingThere, match="holds no storage files"):
        BagReader.open(tmp_path)
    (tmp_path / "a.mcap").write_text("hello")
    with pytest.raises(SourceError, match=r"a\.mcap cannot be read as a bag: .*begins with 68 65 6c 6c 6f; expected"):
        BagReader.open(tmp_path / "a.mcap")


def test_without_the_library_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rosbags.rosbag2", None)
    with pytest.raises(MissingLibrary, match=r'pip install "rosbags>=0\.11"'):
        BagReader.open(tmp_path)
