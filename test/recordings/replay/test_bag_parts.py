"""Parts of a bag and the metadata over all of them, against what rosbags makes of the same messages in one go."""

import errno
import sqlite3

import pytest
from fault_bags import BEGIN, STEP, contents, image, text
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from ruamel.yaml import YAML

from trust_seg_ros.bags.reader import BagTopic
from trust_seg_ros.recordings.replay.background import BackgroundWriter
from trust_seg_ros.recordings.replay.bag_parts import PartWriter, can_declare, file_name, join_metadata, part_metadata
from trust_seg_ros.recordings.replay.message_types import type_store

NAMES = ("/a", "/b/c", "/no", "/1e3")
STORAGES = st.sampled_from(["mcap", "sqlite3"])


@st.composite
def parts(draw):
    """Messages (topic, time, bytes) of several parts; each part has one at least, times grow from part to part."""
    made, at = [], draw(st.integers(1, 2**40))
    for _ in range(draw(st.integers(1, 4))):
        times = sorted(draw(st.lists(st.integers(at, at + 10**10), min_size=1, max_size=6)))
        made.append([(draw(st.sampled_from(NAMES)), time, bytes(text(0).data)) for time in times])
        at += 10**10 + 1
    return made


def topic(name):
    return BagTopic(name, "std_msgs/msg/String", 0)


def write_parts(folder, made, storage, compression="none"):
    """Files of the parts in one folder, and what was written about each."""
    found = []
    for k, messages in enumerate(made):
        part = PartWriter(folder / f"chunk{k}", k, storage, compression)
        for name, time, data in messages:
            part.write(topic(name), time, data)
        file = part.close()
        found.append(part_metadata(file.parent))
        file.replace(folder / file.name)
    return found


@settings(max_examples=25, deadline=None)
@given(parts(), STORAGES, st.sampled_from(["none", "zstd"]))
def test_joined_parts_are_a_bag_with_all_messages(tmp_path_factory, made, storage, compression):
    folder = tmp_path_factory.mktemp("bag")
    found = write_parts(folder, made, storage, compression)
    (folder / "metadata.yaml").write_text(join_metadata(found, {"made_by": "test"}))
    messages = [message for part in made for message in part]
    assert sorted(contents(folder)) == sorted(messages)
    with Reader(folder) as reader:
        assert reader.message_count == len(messages)
        assert reader.start_time == messages[0][1]
        assert reader.duration == messages[-1][1] - messages[0][1] + 1


@settings(max_examples=25, deadline=None)
@given(parts(), STORAGES)
def test_joined_metadata_says_what_rosbags_says_of_the_whole(tmp_path_factory, made, storage):
    folder = tmp_path_factory.mktemp("bag")
    joined = YAML(typ="safe").load(join_metadata(write_parts(folder, made, storage), {}))
    writer = Writer(folder / "whole", version=8, storage_plugin=StoragePlugin[storage.upper()])
    with writer:
        connections = {}
        for name, time, data in (message for part in made for message in part):
            if name not in connections:
                connections[name] = writer.add_connection(name, "std_msgs/msg/String", typestore=type_store())
            writer.write(connections[name], time, data)
    whole = YAML(typ="safe").load((folder / "whole" / "metadata.yaml").read_text())
    ours, theirs = (text["rosbag2_bagfile_information"] for text in (joined, whole))
    by_name = {"key": lambda entry: entry["topic_metadata"]["name"]}
    listed = "topics_with_message_count"
    assert ours.pop(listed) == sorted(theirs.pop(listed), **by_name)
    files = ours.pop("files")
    assert [file["path"] for file in files] == ours.pop("relative_file_paths")
    assert [file["path"] for file in files] == [file_name(k, storage) for k in range(len(made))]
    assert sum(file["message_count"] for file in files) == theirs["message_count"]
    ignored = {"files", "relative_file_paths", "custom_data"}
    assert {k: v for k, v in ours.items() if k not in ignored} == {k: v for k, v in theirs.items() if k not in ignored}


ODD_NAMES = ("no", "on", "yes", "~x", "1e3", "0x1", "12:30", "/a", "null", "true", "007", "-5")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(ODD_NAMES), min_size=1, unique=True))
def test_metadata_is_read_as_it_was_written_whatever_topics_are_called(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("part")
    part = PartWriter(folder, 3, "mcap", "none")
    for name in names:
        part.write(topic(name), 5, b"\0\1\0\0\1\0\0\0\0")
    path = part.close().parent
    expected = YAML(typ="safe").load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert part_metadata(path) == expected
    assert {entry["topic_metadata"]["name"] for entry in expected["topics_with_message_count"]} == set(names)


def test_topics_that_cannot_be_declared_are_known():
    assert can_declare(topic("/a"))
    assert not can_declare(BagTopic("/a", "nobody_msgs/msg/Knows", 1))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_the_background_writes_the_same_file(tmp_path, storage):
    messages = [image(i) for i in range(30)]
    camera = BagTopic("/cam", messages[0].kind, 0)
    direct = PartWriter(tmp_path / "direct", 0, storage, "zstd")
    behind = BackgroundWriter(lambda: PartWriter(tmp_path / "behind", 0, storage, "zstd"))
    for message in messages:
        direct.write(camera, message.at, message.data)
        behind.write(camera, message.at, message.data)
    assert behind.close().read_bytes() == direct.close().read_bytes()


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_what_cannot_be_written_is_told_and_nothing_waits_for_ever(tmp_path, storage):
    class Full(PartWriter):
        def write(self, topic, recorded_ns, data):
            if recorded_ns > BEGIN:
                raise OSError(errno.ENOSPC, "full")
            super().write(topic, recorded_ns, data)

    writer = BackgroundWriter(lambda: Full(tmp_path, 0, storage, "none"))
    with pytest.raises(OSError, match="full"):  # noqa: PT012  (which call tells depends on the other thread)
        for i in range(10):
            message = image(i, at=BEGIN + i * STEP)
            writer.write(BagTopic("/cam", message.kind, 0), message.at, message.data)
        writer.close()
    with pytest.raises(OSError, match="full"):
        writer.check()
    writer.abort()
    assert not (tmp_path / "trust_seg_0" / "metadata.yaml").exists()


def test_an_unfinished_part_has_no_metadata(tmp_path):
    writer = BackgroundWriter(lambda: PartWriter(tmp_path, 0, "sqlite3", "none"))
    writer.write(topic("/a"), 1, text(0).data)
    writer.abort()
    assert not (tmp_path / "trust_seg_0" / "metadata.yaml").exists()


def test_a_part_that_exists_is_not_written_over(tmp_path):
    (tmp_path / "trust_seg_0").mkdir()
    writer = BackgroundWriter(lambda: PartWriter(tmp_path, 0, "mcap", "none"))
    with pytest.raises(Exception, match="exists already"):
        writer.close()


def test_sqlite_that_is_full_says_so_like_the_system(tmp_path):
    part = PartWriter(tmp_path, 0, "sqlite3", "none")
    part.write(topic("/a"), 1, text(0).data)
    part._writer.storage.conn.execute("PRAGMA max_page_count = 1")
    with pytest.raises(OSError, match="full") as caught:
        part.write(topic("/a"), 2, bytes(10**6))
    assert caught.value.errno == errno.ENOSPC
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    part.abort()
