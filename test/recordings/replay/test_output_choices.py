"""What a user can choose of the output bag: storage, compression, topics, cameras, a section."""

import sqlite3

import cv2
import numpy as np
import pytest
import yaml
from replay_bench import (
    BEGIN_S,
    LIGHT,
    LIVE,
    SECOND,
    TOPIC,
    busy_bag,
    by_rosbags,
    decoded,
    drive_messages,
    frame_table,
    pixels,
    read_bag,
    refused,
    replay,
    stamp_ns,
    synthetic,
    write_bag,
)
from threshold_bench import picture

from trust_seg_ros.commands.replay_parameters import replay_parameters
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.recordings.replay.options import TOPICS
from trust_seg_ros.types import Frame

FRAMES, CHUNK = 7, 3


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return busy_bag(tmp_path_factory.mktemp("in") / "bag", FRAMES)


@pytest.fixture(scope="module")
def light(recording, tmp_path_factory):
    """Replayed with a light network, and everything else as it is without options."""
    folder = tmp_path_factory.mktemp("out") / "bag"
    replay(recording, folder, "--image-topic", TOPIC, "--chunk-frames", CHUNK, *LIGHT)
    return folder


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_sqlite_holds_the_same(recording, light, compression, tmp_path):
    words = ("--storage", "sqlite3", "--compression", compression, "--image-topic", TOPIC, "--chunk-frames", CHUNK)
    replay(recording, tmp_path / "out", *words, *LIGHT)
    assert by_rosbags(tmp_path / "out") == read_bag(tmp_path / "out") == read_bag(light)
    facts = yaml.safe_load((tmp_path / "out" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert facts["compression_mode"].upper() == ("MESSAGE" if compression == "zstd" else "")
    assert facts["storage_identifier"] == "sqlite3"
    with sqlite3.connect(tmp_path / "out" / "trust_seg_0.db3") as database:
        (size,) = database.execute("select max(length(data)) from messages").fetchone()
        topics = {name for (name,) in database.execute("select name from topics")}
    assert topics == set(read_bag(light))
    assert (size >= 96 * 128 * 3) == (compression == "none")


def test_mcap_without_compression_holds_the_same(recording, light, tmp_path):
    words = ("--compression", "none", "--image-topic", TOPIC, "--chunk-frames", CHUNK)
    replay(recording, tmp_path / "out", *words, *LIGHT)
    assert read_bag(tmp_path / "out") == read_bag(light)
    assert (tmp_path / "out" / "trust_seg_0.mcap").stat().st_size > (light / "trust_seg_0.mcap").stat().st_size


@pytest.mark.parametrize(("keep", "kept"), [("none", set()), ("images", {TOPIC}), ("all", {TOPIC, "/chatter"})])
def test_what_is_kept_is_kept_as_it_was(recording, tmp_path, keep, kept):
    words = ("--keep", keep, "--image-topic", TOPIC, "--topics", "segmentation", "unreliable", "--chunk-frames", CHUNK)
    replay(recording, tmp_path / "out", *words, *LIGHT)
    before, after = read_bag(recording), by_rosbags(tmp_path / "out")
    written = {LIVE, "/trust_seg/unreliable", "/trust_seg/label_info"}
    assert after.keys() == kept | written
    assert {topic: after[topic] for topic in kept} == {topic: before[topic] for topic in kept}
    assert after[LIVE] != before[LIVE], "this replay's, not those of the node that ran then"
    assert len(after[LIVE]) == FRAMES


def colours(frames):
    """Masks of the light network, applied directly to (stamp_ns, RGB)."""
    settings = replay_parameters(None, LIGHT[1::2])
    pipeline = TrustPipeline.load(settings.pipeline)
    return [pipeline(Frame(p, stamp), settings.thresholds).maps.classes.numpy() for stamp, p in frames]


def assert_masks(out, topic, frames):
    """That topic holds the masks of these frames, with their stamps."""
    messages = decoded(read_bag(out)[topic])
    assert [stamp_ns(m) for _, m in messages] == [stamp for stamp, _ in frames]
    for (_, message), expected in zip(messages, colours(frames), strict=True):
        np.testing.assert_array_equal(pixels(message), expected)


def test_a_network_without_gradients_leaves_their_topic_out_and_says_so(recording, tmp_path):
    said = replay(recording, tmp_path / "out", "--image-topic", TOPIC, *LIGHT)
    assert "gradient is not written" in " ".join(said.split())
    topics = {f"/trust_seg/{name}" for name in TOPICS if name != "gradient"} | {"/trust_seg/label_info", TOPIC}
    assert by_rosbags(tmp_path / "out").keys() == topics


def grey(frames):
    return [(stamp, np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)) for stamp, p in frames]


@pytest.mark.parametrize(
    ("topics", "words", "namespaces"),
    [
        (("/front/image_raw", "/rear/image_raw"), ("/front/image_raw", "/rear/image_raw"), ("/front", "/rear")),
        (("/cam/left", "/cam/right"), ("/cam/left", "cam/right"), ("/cam/left", "/cam/right")),
        (("/cam/left", "/cam/right"), ("port=/cam/left", "/deck/starboard/=/cam/right"), ("/port", "/deck/starboard")),
    ],
)
def test_several_cameras_have_topics_of_their_own(tmp_path, topics, words, namespaces):
    """Of different sizes and encodings, and a different number of frames."""
    left, right = synthetic(5), synthetic(4, (48, 64), 8)
    messages = drive_messages(left, topics[0], "mono8", "l") + drive_messages(right, topics[1], "bgr8", "r")
    bag = write_bag(tmp_path / "bag", sorted(messages, key=lambda m: m[2]))
    chosen = [word for topic in words for word in ("--image-topic", topic)]
    replay(bag, tmp_path / "out", *chosen, "--topics", "segmentation", "segments", "--chunk-frames", 4, *LIGHT)
    found = by_rosbags(tmp_path / "out")
    outputs = {f"{n}/trust_seg/{o}" for n in namespaces for o in ("segmentation", "segments", "label_info")}
    assert found.keys() == outputs | set(topics)
    assert_masks(tmp_path / "out", f"{namespaces[0]}/trust_seg/segmentation", grey(left))
    assert_masks(tmp_path / "out", f"{namespaces[1]}/trust_seg/segmentation", right)
    for namespace, frame_id in zip(namespaces, "lr", strict=True):
        assert {m.header.frame_id for _, m in decoded(found[f"{namespace}/trust_seg/segments"])} == {frame_id}
    table = frame_table(tmp_path / "out")
    assert {t: (table["camera"] == t).sum() for t in topics} == {topics[0]: 5, topics[1]: 4}
    assert table["index"][table["camera"] == topics[1]].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("front cam=/camera/image_raw",), "'/front cam' is no name in ROS"),
        (("2nd=/camera/image_raw",), "'/2nd' is no name in ROS"),
        (("a//b=/camera/image_raw",), "'/a//b' is no name in ROS"),
        (("one=/camera/image_raw", f"one={LIVE}"), "share a namespace"),
        (("/camera/image",), "no topic /camera/image"),
        (("/chatter",), "expected sensor_msgs/msg/Image"),
    ],
)
def test_cameras_that_cannot_be_are_refused(recording, tmp_path, words, text):
    chosen = [word for topic in words for word in ("--image-topic", topic)]
    assert text in refused(recording, tmp_path / "out", *chosen, *LIGHT)
    assert not (tmp_path / "out").exists()


def test_label_info_does_not_follow_the_images(tmp_path):
    frames = [(stamp, picture(i, 1.2 - 0.15 * i)) for i, (stamp, _) in enumerate(synthetic(FRAMES))]
    bag = write_bag(tmp_path / "drive", drive_messages(frames))
    policy = ("-p", "thresholds.pixel_policy:=quantile", "-p", "thresholds.pixel_quantile:=0.5")
    replay(bag, tmp_path / "out", "--topics", "unreliable", *policy, *LIGHT)
    assert len(set(frame_table(tmp_path / "out")["threshold_pixel"])) > 2, "the threshold moves"
    found = decoded(read_bag(tmp_path / "out")["/trust_seg/label_info"])
    assert {m.threshold for _, m in found} == {0.0}


def test_a_section_is_cut_by_the_time_of_recording(recording, tmp_path):
    words = ("--image-topic", TOPIC, "--start", "0.4", "--duration", "1.2", "--topics", "segmentation")
    replay(recording, tmp_path / "out", *words, *LIGHT)
    assert_masks(tmp_path / "out", LIVE, synthetic(FRAMES)[1:4])
    np.testing.assert_allclose(frame_table(tmp_path / "out")["offset_s"], [0.4, 0.8, 1.2])


def test_stamps_begin_where_the_recording_says(recording):
    assert min(stamp for stamp, _ in synthetic(FRAMES)) == BEGIN_S * SECOND
    assert set(read_bag(recording)) == {TOPIC, "/chatter", LIVE}
