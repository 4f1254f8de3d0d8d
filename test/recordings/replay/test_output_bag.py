"""The output bag, read by libraries of others, against the pipeline applied to the images directly."""

from itertools import pairwise

import numpy as np
import pytest
import yaml
from replay_bench import (
    DELAY_NS,
    TOPIC,
    busy_bag,
    by_rosbags,
    frame_table,
    pixels,
    read_bag,
    replay,
    stamp_ns,
    synthetic,
)

pytest.importorskip("mcap_ros2", reason="needs the library mcap-ros2-support")
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosHistory, QosReliability

from trust_seg_ros.bags.reader import BagReader
from trust_seg_ros.commands.replay_parameters import replay_parameters
from trust_seg_ros.messages.outputs import IMAGE, OUTPUTS
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.recordings.replay.options import TOPICS
from trust_seg_ros.types import Frame

FRAMES, CHUNK = 7, 3
IMAGES = tuple(name for name, output in OUTPUTS.items() if output.type == IMAGE)
WITH_HEADER = tuple(name for name in TOPICS if name != "annotations")
JUDGED = ("-p", "threads:=1", "-p", "ood.threshold:=0.4", "-p", "ood.min_size:=15")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return busy_bag(tmp_path_factory.mktemp("in") / "bag", FRAMES)


@pytest.fixture(scope="module")
def out(recording, tmp_path_factory):
    """Replayed with everything as it is without options, in chunks of three."""
    folder = tmp_path_factory.mktemp("out") / "bag"
    replay(recording, folder, "--image-topic", TOPIC, "--chunk-frames", CHUNK, *JUDGED)
    return folder


@pytest.fixture(scope="module")
def results():
    """Of the pipeline, without any of the replay."""
    settings = replay_parameters(None, JUDGED[1::2])
    pipeline = TrustPipeline.load(settings.pipeline)
    return [pipeline(Frame(p, stamp, "camera"), settings.thresholds) for stamp, p in synthetic(FRAMES)]


@pytest.fixture(scope="module")
def independent(out):
    """Topic -> [(schema, channel, message, decoded)] by the readers of the MCAP format's authors."""
    found = {}
    for path in sorted(out.glob("*.mcap")):
        with path.open("rb") as stream:
            for found_one in make_reader(
                stream, validate_crcs=True, decoder_factories=[DecoderFactory()]
            ).iter_decoded_messages():
                found.setdefault(found_one[1].topic, []).append(found_one)
    return found


@pytest.mark.slow
def test_every_topic_is_there_with_every_frame(independent):
    counts = {topic: len(messages) for topic, messages in independent.items()}
    outputs = {f"/trust_seg/{name}": FRAMES for name in TOPICS}
    assert counts == {**outputs, "/trust_seg/label_info": 3, TOPIC: FRAMES}  # one at the beginning of each file


def test_stamps_and_times_of_recording_are_those_of_the_images(independent):
    stamps = [stamp for stamp, _ in synthetic(FRAMES)]
    for topic in (*(f"/trust_seg/{name}" for name in WITH_HEADER), TOPIC):
        assert [stamp_ns(m) for *_, m in independent[topic]] == stamps, topic
        assert [record.log_time for _, _, record, _ in independent[topic]] == [s + DELAY_NS for s in stamps], topic
        assert {m.header.frame_id for *_, m in independent[topic]} == {"camera"}
    for detections in (m.detections for *_, m in independent["/trust_seg/segments"]):
        assert {d.header.frame_id for d in detections} <= {"camera"}


def test_types_and_sizes_are_said_as_they_are(independent):
    kinds = {topic: {schema.name for schema, *_ in messages} for topic, messages in independent.items()}
    images = {f"/trust_seg/{name}": {"sensor_msgs/msg/Image"} for name in IMAGES}
    others = {"segments": "Detection2DArray", "label_info": "LabelInfo"}
    assert kinds == {
        **images,
        TOPIC: {"sensor_msgs/msg/Image"},
        **{f"/trust_seg/{name}": {f"vision_msgs/msg/{kind}"} for name, kind in others.items()},
        "/trust_seg/summary": {"diagnostic_msgs/msg/DiagnosticArray"},
        "/trust_seg/annotations": {"foxglove_msgs/msg/ImageAnnotations"},
    }
    for name in IMAGES:
        for *_, m in independent[f"/trust_seg/{name}"]:
            width = {"16UC1": 2, "rgb8": 3}.get(m.encoding, 1) * m.width
            assert (m.height, m.width, m.step, len(m.data)) == (96, 128, width, width * 96)


def test_masks_and_maps_are_those_of_the_pipeline(independent, results):
    seen = {name: [pixels(m) for *_, m in independent[f"/trust_seg/{name}"]] for name in IMAGES}
    for i, r in enumerate(results):
        entropy, margin = r.maps.entropy.numpy(), r.maps.margin.numpy()
        np.testing.assert_array_equal(seen["segmentation"][i], r.maps.classes.numpy())
        np.testing.assert_array_equal(seen["entropy"][i], np.rint(np.float32(255) * entropy).astype(np.uint8))
        np.testing.assert_array_equal(seen["confidence"][i], 255 - seen["entropy"][i])
        np.testing.assert_array_equal(seen["margin"][i], np.rint(np.float32(255) * margin).astype(np.uint8))
        np.testing.assert_array_equal(seen["segment_ids"][i], r.segments.ids)
        bad = np.isin(r.segments.ids, 1 + np.flatnonzero(r.trust.unreliable))
        np.testing.assert_array_equal(seen["unreliable"][i], np.where(bad, 255, np.where(r.pixel_flags, 128, 0)))
        kept = np.isin(r.ood.ids, 1 + np.flatnonzero(r.ood.kept))
        np.testing.assert_array_equal(seen["ood"][i], np.where(kept, 255, np.where(r.ood.ids > 0, 128, 0)))
        np.testing.assert_array_equal(seen["ood_ids"][i] > 0, kept)
    assert any(r.trust.unreliable.any() for r in results), "there is something to see"
    assert any(r.ood.kept.any() for r in results), "there is something to see"


def test_detections_are_the_flagged_segments_of_the_pipeline(independent, results):
    names = [c.class_name for c in independent["/trust_seg/label_info"][0][3].class_map]
    for (*_, message), r in zip(independent["/trust_seg/segments"], results, strict=True):
        ood, ids = r.on_grid.ood, r.on_grid.segments.ids  # what covers what is judged on the grid
        kept = np.isin(ood.ids, 1 + np.flatnonzero(ood.kept))
        covered = np.array([kept[ids == n].mean() >= 0.5 for n in range(1, len(r.segments) + 1)])
        flagged = 1 + np.flatnonzero(r.trust.unreliable | covered)
        found = {int(d.id): d for d in message.detections if int(d.id) <= len(r.segments)}
        assert found.keys() == set(flagged.tolist())
        assert len(message.detections) - len(found) == np.count_nonzero(r.ood.kept), "the OoD segments follow"
        for number, d in found.items():
            centre = d.bbox.center.position
            for axis, (middle, length) in enumerate(((centre.y, d.bbox.size_y), (centre.x, d.bbox.size_x))):
                # the image is smaller than the grid: its rows and columns that show a row or column of the segment
                there = np.nonzero(ids == number)[axis]
                old, new = ids.shape[axis], r.segments.ids.shape[axis]
                seen = np.flatnonzero(np.isin((2 * np.arange(new) + 1) * old // (2 * new), np.unique(there)))
                inside = np.nonzero(r.segments.ids == number)[axis]
                assert np.isin(inside, seen).all()
                if seen.size:
                    assert (middle, length) == ((seen.min() + seen.max() + 1) / 2, np.ptp(seen) + 1)
                else:
                    assert length == 1, "what falls between the pixels of the image gets a box of one"
            said = {x.hypothesis.class_id: x.hypothesis.score for x in d.results}
            assert said["unreliable"] == r.trust.p_wrong[number - 1]
            assert said[names[r.segments.class_ids[number - 1]]] == 1 - r.trust.p_wrong[number - 1]
            assert said["iou"] == r.trust.iou[number - 1]


def test_label_info_is_kept_for_those_who_come_late(out, independent, results):
    for *_, record, message in independent["/trust_seg/label_info"]:
        assert message.threshold == np.float32(1 - results[0].thresholds["pixel"])
        assert [c.class_id for c in message.class_map] == list(range(11))
        assert record.log_time == stamp_ns(message) + DELAY_NS
    assert "durability: 1" in independent["/trust_seg/label_info"][0][1].metadata["offered_qos_profiles"]
    with AnyReader([out]) as reader:
        qos = {c.topic: c.ext.offered_qos_profiles for c in reader.connections}
    for topic in independent.keys() - {TOPIC}:
        latched = topic.endswith("label_info")
        assert [(q.durability, q.depth, q.reliability, q.history) for q in qos[topic]] == [(
            QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE, 1 if latched else 5,
            QosReliability.RELIABLE, QosHistory.KEEP_LAST)]  # fmt: skip


def test_the_split_files_and_their_metadata_are_one_bag(out, independent):
    facts = yaml.safe_load((out / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    names = [f"trust_seg_{i}.mcap" for i in range(3)]
    assert facts["relative_file_paths"] == names == [file["path"] for file in facts["files"]]
    stamps = [stamp + DELAY_NS for stamp, _ in synthetic(FRAMES)]
    assert facts["starting_time"]["nanoseconds_since_epoch"] == stamps[0]
    assert facts["duration"]["nanoseconds"] == stamps[-1] - stamps[0]
    assert (
        facts["message_count"]
        == sum(map(len, independent.values()))
        == sum(file["message_count"] for file in facts["files"])
    )
    counts = {t["topic_metadata"]["name"]: t["message_count"] for t in facts["topics_with_message_count"]}
    assert counts == {topic: len(messages) for topic, messages in independent.items()}
    starts = [file["starting_time"]["nanoseconds_since_epoch"] for file in facts["files"]]
    ends = [s + file["duration"]["nanoseconds"] for s, file in zip(starts, facts["files"], strict=True)]
    assert all(end < start for end, (_, start) in zip(ends, pairwise(starts), strict=False))
    assert frame_table(out)["file"].tolist() == [names[0]] * 3 + [names[1]] * 2 + [names[2]] * 2


def test_all_readers_read_the_same(out, independent):
    ours = read_bag(out)
    assert by_rosbags(out) == ours
    theirs = {
        topic: [(record.log_time, schema.name, record.data) for schema, _, record, _ in messages]
        for topic, messages in independent.items()
    }
    assert theirs == ours
    with BagReader.open(out) as reader:
        assert len(list(reader.messages())) == sum(map(len, ours.values()))
