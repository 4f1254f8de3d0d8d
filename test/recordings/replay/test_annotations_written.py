"""``~/annotations`` in the bag of a replay, read by others: boxes as in ``~/segments``, stamps as the images."""

import pytest
from replay_bench import TOPIC, busy_bag, by_rosbags, read_bag, replay, stamp_ns, synthetic

pytest.importorskip("mcap_ros2", reason="needs the library mcap-ros2-support")
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from trust_seg_ros.drawing.wording import not_class

FRAMES = 5
ANNOTATIONS, SEGMENTS = "/trust_seg/annotations", "/trust_seg/segments"
JUDGED = ("-p", "threads:=1", "-p", "ood.threshold:=0.4", "-p", "ood.min_size:=15", "--image-topic", TOPIC)


def decoded_by_others(out):
    """Topic -> [(log time, schema name, message)] by the readers of the MCAP format's authors."""
    found = {}
    for path in sorted(out.glob("*.mcap")):
        with path.open("rb") as stream:
            reader = make_reader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
            for schema, channel, record, message in reader.iter_decoded_messages():
                found.setdefault(channel.topic, []).append((record.log_time, schema.name, message))
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return busy_bag(tmp_path_factory.mktemp("in") / "bag", FRAMES)


@pytest.fixture(scope="module", params=["off", "on"])
def written(request, recording, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "bag"
    replay(recording, out, "--topics", "annotations", "segments", "-p", f"tracking:={request.param}", *JUDGED)
    return request.param == "on", decoded_by_others(out)


def box(detection):
    x, y = detection.bbox.center.position.x, detection.bbox.center.position.y
    return [x - detection.bbox.size_x / 2, y - detection.bbox.size_y / 2,
            x + detection.bbox.size_x / 2, y + detection.bbox.size_y / 2]  # fmt: skip


def with_scores(message):
    """The detections, which are flagged segments and OoD segments, and what each says, name -> score."""
    return [(d, {r.hypothesis.class_id: r.hypothesis.score for r in d.results}) for d in message.detections]


def test_boxes_are_those_of_the_flagged_segments(written):
    _, found = written
    drawn = 0
    for (_, kind, message), (_, _, segments) in zip(found[ANNOTATIONS], found[SEGMENTS], strict=True):
        assert kind == "foxglove_msgs/msg/ImageAnnotations"
        corners = [[(p.x, p.y) for p in outline.points] for outline in message.points]
        expected = [box(d) for d in segments.detections]
        assert corners == [[(x, y), (x2, y), (x2, y2), (x, y2)] for x, y, x2, y2 in expected]
        assert {outline.type for outline in message.points} <= {2}, "LINE_LOOP"
        assert all(outline.thickness >= 1 and outline.outline_color.a == 1 for outline in message.points)
        assert all(0 <= x <= 128 and 0 <= y <= 96 for outline in corners for x, y in outline)
        drawn += len(corners)
    assert drawn > FRAMES, "there is something to see"
    colours = {(o.outline_color.r, o.outline_color.g) for _, _, m in found[ANNOTATIONS] for o in m.points}
    assert len(colours) == 2, "of flagged and of unknown segments"


def test_labels_tell_what_the_detections_do(written):
    tracked, found = written
    for (_, _, message), (_, _, segments) in zip(found[ANNOTATIONS], found[SEGMENTS], strict=True):
        chosen = with_scores(segments)
        heading, *labels = [text.text for text in message.texts]
        strange = sum("unreliable" not in scores for _, scores in chosen)
        assert heading == f"{len(chosen) - strange} unreliable, {strange} unknown"
        large = [(d, scores) for d, scores in chosen if d.bbox.size_x * d.bbox.size_y >= (1.5 * 9) ** 2]
        for label, (detection, scores) in zip(labels, large, strict=True):
            assert label.startswith(f"{detection.id}: ") == tracked
            if "unreliable" in scores:
                assert not_class(next(iter(scores)), scores["unreliable"]) in label
            else:
                assert "unknown" in label


def test_stamps_are_those_of_the_images(written):
    _, found = written
    stamps = [stamp for stamp, _ in synthetic(FRAMES)]
    assert [at for at, *_ in found[ANNOTATIONS]] == [at for at, *_ in found[TOPIC]]
    for stamp, (_, _, message) in zip(stamps, found[ANNOTATIONS], strict=True):
        every = [message, *message.points, *message.texts]
        assert len(message.texts) >= 1, "older viewers look for the stamp of an annotation"
        assert {one.timestamp.sec * 10**9 + one.timestamp.nanosec for one in every} == {stamp}


def test_the_bytes_do_not_depend_on_chunks_and_readers_agree(recording, tmp_path):
    for name, chunk in (("one", 2), ("other", 5)):
        replay(recording, tmp_path / name, "--topics", "annotations", *JUDGED, "--chunk-frames", chunk)
    one, other = read_bag(tmp_path / "one")[ANNOTATIONS], read_bag(tmp_path / "other")[ANNOTATIONS]
    assert one == other == by_rosbags(tmp_path / "one")[ANNOTATIONS]
    assert len(one) == FRAMES


def test_segments_have_the_same_stamps(written):
    _, found = written
    for (_, _, message), (_, _, segments) in zip(found[ANNOTATIONS], found[SEGMENTS], strict=True):
        assert message.timestamp.sec * 10**9 + message.timestamp.nanosec == stamp_ns(segments)
