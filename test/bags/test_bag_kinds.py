"""Bags under any name, types as early versions spelled them, and times that ROS does not know."""

import shutil
import sqlite3

import pytest
from bag_samples import TEXT, drive, plain, storage_file, write, write_mcap, write_ros1
from rosbags.rosbag2 import StoragePlugin

from trust_seg_ros.bags.definitions import full_type_name
from trust_seg_ros.bags.errors import SourceError
from trust_seg_ros.bags.kinds import is_bag_file, is_storage_file
from trust_seg_ros.bags.reader import BagReader
from trust_seg_ros.recordings.bags import is_bag

MESSAGES = drive(20, 400)
IMAGE = "sensor_msgs/msg/Image"
PLUGINS = pytest.mark.parametrize("plugin", list(StoragePlugin))


@PLUGINS
@pytest.mark.parametrize("name", ["DRIVE.MCAP", "drive.DB3", "drive.dat", "drive", "drive.mp4", "drive.jpg"])
def test_a_storage_file_is_known_by_its_first_bytes(tmp_path, plugin, name):
    path = tmp_path / name
    shutil.copy(storage_file(write(tmp_path / "bag", MESSAGES, plugin)), path)
    assert is_bag(path)
    with BagReader.open(path) as reader:
        assert plain(reader.messages()) == MESSAGES


@PLUGINS
@pytest.mark.parametrize("name", ["DRIVE.MCAP", "drive.Db3", "drive"])
def test_a_folder_is_a_bag_whatever_its_files_are_called(tmp_path, plugin, name):
    folder = tmp_path / "moved"
    folder.mkdir()
    shutil.copy(storage_file(write(tmp_path / "bag", MESSAGES, plugin)), folder / name)
    assert is_bag(folder)
    with BagReader.open(folder) as reader:
        assert plain(reader.messages()) == MESSAGES


def test_a_ros1_bag_under_another_name(tmp_path):
    expected = write_ros1(tmp_path / "drive.bag", [("/chatter", 10**9 + i, f"text {i}") for i in range(5)])
    (tmp_path / "drive.bag").rename(tmp_path / "Drive.BAG.part")
    assert is_bag(tmp_path / "Drive.BAG.part")
    with BagReader.open(tmp_path / "Drive.BAG.part") as reader:
        assert plain(reader.messages()) == expected


def test_files_that_are_no_bags(tmp_path):
    with sqlite3.connect(tmp_path / "digikam4.db") as album:
        album.execute("CREATE TABLE Albums (id INTEGER)")
    (tmp_path / "1.png").write_bytes(b"\x89PNG")
    (tmp_path / "notes").write_bytes(b"")
    assert not is_bag(tmp_path), "a folder of pictures with the catalogue of a program for them"
    assert not is_storage_file(tmp_path / "nowhere")
    assert not is_bag_file(tmp_path / "notes")
    assert is_bag_file(tmp_path / "lost.mcap"), "whoever opens it says that it is not there"


def test_full_names_of_types():
    for given, full in (
        ("sensor_msgs/Image", IMAGE),
        (IMAGE, IMAGE),
        ("a/srv/B", "a/srv/B"),
        ("Image", "Image"),
        ("", ""),
        ("/Image", "/Image"),
        ("a/", "a/"),
    ):
        assert full_type_name(given) == full


@PLUGINS
def test_types_as_early_versions_wrote_them(tmp_path, plugin):
    """In the storage file and in metadata.yaml."""
    bag = write(tmp_path / "bag", MESSAGES, plugin)
    file = storage_file(bag)
    if plugin == StoragePlugin.SQLITE3:
        with sqlite3.connect(file) as storage:
            storage.execute("UPDATE topics SET type = replace(type, '/msg/', '/')")
            storage.execute("UPDATE message_definitions SET topic_type = replace(topic_type, '/msg/', '/')")
    else:
        file.unlink()
        types = {"/cam": "sensor_msgs/Image", "/chatter": "std_msgs/String"}
        write_mcap(file, MESSAGES, types=types)
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("/msg/", "/"))
    for path in (bag, file):
        with BagReader.open(path) as reader:
            assert reader.require_images([]) == ("/cam",)
            assert reader.topics["/cam"].type_name == IMAGE
            assert reader.topics["/chatter"].type_name == TEXT
            assert reader.topics["/cam"].definition
            assert plain(reader.messages()) == MESSAGES
            assert reader.damage == ""


@pytest.mark.parametrize("options", [{}, {"use_chunking": False}])
def test_times_that_ros_does_not_know_are_told(tmp_path, options):
    late = (1 << 63) + 5
    messages = [*MESSAGES, ("/cam", late, MESSAGES[0][2])]
    path = write_mcap(tmp_path / "late.mcap", messages, **options)
    with BagReader.open(path) as reader:
        assert plain(reader.messages(None, None, 2 * 10**9)) == MESSAGES
        assert reader.damage == (
            f"late.mcap: it has messages up to {late} ns after 1970; ROS knows times up to {(1 << 63) - 1} ns (the "
            "year 2262), and later messages are left out"
        )
    with pytest.raises(SourceError, match="ROS knows times up to"):
        BagReader.open(write_mcap(tmp_path / "only.mcap", messages[-1:], **options))


def test_a_pointer_of_git_lfs_is_named(tmp_path):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 123456\n"
    for name in ("drive.mcap", "drive.db3", "drive.bag"):
        (tmp_path / name).write_text(pointer)
        with pytest.raises(SourceError, match=r"it is a Git LFS pointer, not the file itself; run `git lfs pull`"):
            BagReader.open(tmp_path / name)


def test_a_topic_without_a_type_is_left_out_and_named(tmp_path):
    bag = write(tmp_path / "bag", MESSAGES, StoragePlugin.SQLITE3)
    with sqlite3.connect(storage_file(bag)) as storage:
        storage.execute("PRAGMA writable_schema = ON")
        storage.execute("UPDATE sqlite_master SET sql = replace(sql, 'TEXT NOT NULL', 'TEXT') WHERE name = 'topics'")
    with sqlite3.connect(storage_file(bag)) as storage:
        storage.execute("UPDATE topics SET type = NULL WHERE name = '/chatter'")
    with BagReader.open(storage_file(bag)) as reader:
        assert plain(reader.messages()) == [message for message in MESSAGES if message[0] == "/cam"]
        assert "is left out: its name is '/chatter', its type None; expected texts" in reader.damage


def test_metadata_that_grows_without_bound_is_not_read(tmp_path):
    """Ten lists of ten, each of the one before: the type of a topic has 10^10 words."""
    bag = write(tmp_path / "bag", MESSAGES, StoragePlugin.MCAP)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    metadata = bag / "metadata.yaml"
    stated = metadata.read_text().replace("type: std_msgs/msg/String", "type: *a9")
    metadata.write_text("\n".join([*lines, stated]))
    with BagReader.open(bag) as reader:
        assert plain(reader.messages()) == MESSAGES
        assert "metadata.yaml cannot be used" in reader.damage
        assert len(reader.damage) < 1000
