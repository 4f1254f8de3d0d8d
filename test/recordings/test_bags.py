import sqlite3
import sys

import cv2
import numpy as np
import pytest

from trust_seg_ros.bags.errors import MissingLibrary, NoImageTopic, SourceError, UnreadableFrame
from trust_seg_ros.recordings.bags import BagSource, is_bag
from trust_seg_ros.recordings.sources import open_source

rosbags = pytest.importorskip("rosbags", reason="needs the library rosbags")
from rosbags.rosbag2 import StoragePlugin, Writer  # noqa: E402
from rosbags.typesys import Stores, get_typestore  # noqa: E402

STORE = get_typestore(Stores.ROS2_HUMBLE)
IMAGE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def header(sec, nanosec=0):
    time = STORE.types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)
    return STORE.types["std_msgs/msg/Header"](stamp=time, frame_id="camera")


def image_message(sec, encoding="rgb8", pixels=IMAGE, step=None):
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    if step is not None:
        rows = np.pad(rows, ((0, 0), (0, step - rows.shape[1])))
    return STORE.types["sensor_msgs/msg/Image"](
        header=header(sec), height=height, width=width, encoding=encoding, is_bigendian=0, step=rows.shape[1],
        data=rows.reshape(-1),
    )  # fmt: skip


def compressed_message(sec):
    data = cv2.imencode(".png", IMAGE[..., ::-1])[1].reshape(-1)
    return STORE.types["sensor_msgs/msg/CompressedImage"](header=header(sec), format="png", data=data)


def write_bag(path, messages, plugin=StoragePlugin.SQLITE3):
    """messages: (topic, seconds, message) in order."""
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connections = {}
        for topic, seconds, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], int(seconds * 1e9), STORE.serialize_cdr(message, kind))
    return path


def text(words="x"):
    return STORE.types["std_msgs/msg/String"](data=words)


@pytest.mark.parametrize("plugin", [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
def test_first_image_topic_by_name_with_header_stamps(tmp_path, plugin):
    bag = write_bag(
        tmp_path / "bag",
        [
            ("/a_text", 1, text()),
            ("/cam_b", 2, compressed_message(12)),
            ("/cam_a", 3, image_message(13)),
            ("/cam_a", 3.5, image_message(14)),
        ],
        plugin,
    )
    source = open_source(bag)
    frames = list(source)
    assert source.topic == "/cam_a"
    assert [f.stamp_ns for f in frames] == [13_000_000_000, 14_000_000_000]
    assert frames[0].frame_id == "camera"
    assert np.array_equal(frames[0].image, IMAGE)
    assert np.array_equal(next(iter(open_source(bag, topic="/cam_b"))).image, IMAGE)


def test_a_window_of_recorded_time(tmp_path):
    bag = write_bag(tmp_path / "bag", [("/a_text", 1, text())] + [("/cam", s, image_message(s)) for s in range(2, 7)])
    played = [frame.stamp_ns // 10**9 for frame in BagSource.open(bag, start_s=2.0, duration_s=2.0)]
    assert played == [3, 4], "two seconds after the bag's first message, before four seconds after it"
    assert len(list(BagSource.open(bag, start_s=2.0))) == 4
    with pytest.raises(SourceError, match=r"from 9 s, but .* lasts 5\.000 s"):
        BagSource.open(bag, start_s=9.0)
    with pytest.raises(SourceError, match="the start is -1 s"):
        BagSource.open(bag, start_s=-1.0)


def test_a_header_without_stamp_takes_the_recorders(tmp_path):
    bag = write_bag(tmp_path / "bag", [("/cam", 7, image_message(0))])
    assert next(iter(open_source(bag))).stamp_ns == 7_000_000_000


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("bgr8", IMAGE[..., ::-1]),
        ("rgba8", np.dstack([IMAGE, np.full((4, 6), 255, np.uint8)])),
        ("bgra8", np.dstack([IMAGE[..., ::-1], np.full((4, 6), 255, np.uint8)])),
    ],
)
def test_encodings_and_padded_rows(tmp_path, encoding, pixels):
    bag = write_bag(tmp_path / "bag", [("/cam", 1, image_message(1, encoding, pixels, step=40))])
    assert np.array_equal(next(iter(open_source(bag))).image, IMAGE)


def test_mono_becomes_grey(tmp_path):
    bag = write_bag(tmp_path / "bag", [("/cam", 1, image_message(1, "mono8", IMAGE[..., 0]))])
    assert np.array_equal(next(iter(open_source(bag))).image, np.repeat(IMAGE[..., :1], 3, axis=2))


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_give_red_for_red(tmp_path, pattern):
    raw = np.zeros((8, 8), np.uint8)
    at = pattern.index("r")
    raw[at // 2 :: 2, at % 2 :: 2] = 200
    bag = write_bag(tmp_path / "bag", [("/cam", 1, image_message(1, f"bayer_{pattern}8", raw))])
    red, green, blue = next(iter(open_source(bag))).image[3:5, 3:5].mean(axis=(0, 1))
    assert red > 100
    assert green == blue == 0


def test_unknown_encoding_and_wrong_length_name_the_message(tmp_path):
    bag = write_bag(tmp_path / "bag", [("/cam", 1, image_message(1)), ("/cam", 2, image_message(2, "32FC7"))])
    with pytest.raises(UnreadableFrame, match=r"message 1 of /cam.*'32FC7'.*rgb8"):
        list(open_source(bag))
    short = image_message(1)
    short.step = 5
    with pytest.raises(UnreadableFrame, match="step is 5 bytes"):
        list(open_source(write_bag(tmp_path / "short", [("/cam", 1, short)])))


def test_an_exif_orientation_is_ignored_as_the_node_ignores_it(tmp_path):
    jpeg = cv2.imencode(".jpg", np.zeros((16, 32, 3), np.uint8))[1].tobytes()
    tiff = b"MM\x00\x2a\x00\x00\x00\x08" + b"\x00\x01" + b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00" + bytes(4)
    exif = b"Exif\x00\x00" + tiff
    turned = np.frombuffer(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:], np.uint8)
    assert cv2.imdecode(turned, cv2.IMREAD_COLOR).shape == (32, 16, 3), "the file does ask to be turned"
    message = compressed_message(1)
    message.data, message.format = turned, "jpeg"
    assert next(iter(open_source(write_bag(tmp_path / "bag", [("/cam", 1, message)])))).image.shape == (16, 32, 3)


def test_damaged_compressed_image_is_named(tmp_path):
    broken = compressed_message(1)
    broken.data = np.zeros(20, np.uint8)
    with pytest.raises(UnreadableFrame, match="message 0 of /cam"):
        list(open_source(write_bag(tmp_path / "bag", [("/cam", 1, broken)])))


def test_a_message_of_other_bytes_is_named(tmp_path):
    with Writer(tmp_path / "bag", version=9) as writer:
        connection = writer.add_connection("/cam", "sensor_msgs/msg/Image", typestore=STORE)
        writer.write(connection, 1, b"\x00\x01\x00\x00\x01\x02\x03")
    with pytest.raises(UnreadableFrame, match=r"message 0 of /cam.*the message ends after 7 bytes"):
        list(open_source(tmp_path / "bag"))


def test_a_storage_that_breaks_off_is_named(tmp_path):
    bag = write_bag(tmp_path / "bag", [("/cam", second, image_message(second)) for second in (1, 2)])
    source = open_source(bag)
    with sqlite3.connect(next(bag.glob("*.db3"))) as storage:
        storage.execute("ALTER TABLE messages RENAME COLUMN data TO gone")
    with pytest.raises(SourceError, match=r"bag cannot be read as a bag: .*messages has the columns \['gone', "):
        list(source)


def test_a_damaged_bag_plays_up_to_the_damage_and_says_so(tmp_path):
    bag = write_bag(tmp_path / "bag", [("/cam", s, image_message(s)) for s in range(1, 30)], StoragePlugin.MCAP)
    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:2000])
    source = open_source(bag)
    assert "damaged: bag.mcap: it is cut off after 2000 bytes" in source.description
    stamps = [frame.stamp_ns // 10**9 for frame in source]
    assert stamps == list(range(1, source.frames + 1))
    assert 1 < source.frames < 29


def test_what_is_a_bag(tmp_path):
    for name in ("a.mcap", "a.db3", "a.bag", "a.bag.active", "a.mcap.zstd"):
        assert is_bag(tmp_path / name), name
    for name in ("A.MCAP", "a.Db3", "a.BAG"):
        assert is_bag(tmp_path / name), name
    for name in ("a.mp4", "a.zstd", "bag"):
        assert not is_bag(tmp_path / name), name
    assert not is_bag(tmp_path)
    (tmp_path / "drive_0.db3").touch()
    assert is_bag(tmp_path), "a recorder that was killed leaves no metadata.yaml"


def test_bag_without_images_lists_its_topics(tmp_path):
    bag = write_bag(tmp_path / "bag", [("/chatter", 1, text())])
    with pytest.raises(NoImageTopic, match=r"/chatter \(std_msgs/msg/String, 1 messages\)"):
        open_source(bag)
    with pytest.raises(NoImageTopic, match="has no topic /cam"):
        open_source(bag, topic="/cam")
    with pytest.raises(NoImageTopic, match=r"/chatter in .* holds std_msgs"):
        open_source(bag, topic="/chatter")


def test_damaged_bag(tmp_path):
    bag = write_bag(tmp_path / "bag", [("/cam", 1, image_message(1))])
    next(bag.glob("*.db3")).write_bytes(b"no database")
    with pytest.raises(SourceError, match="cannot be read as a bag"):
        open_source(bag)


def test_without_the_library_the_way_out_is_named(tmp_path, monkeypatch):
    bag = write_bag(tmp_path / "bag", [("/cam", 1, image_message(1))])
    monkeypatch.setitem(sys.modules, "rosbags.rosbag2", None)
    with pytest.raises(MissingLibrary, match=r'pip install "rosbags>=0\.11"'):
        open_source(bag)
