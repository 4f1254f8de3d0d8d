"""``~/summary`` in the bag of a replay: numbers of the pipeline, the same for any chunks, nothing of the machine."""

import math

import pytest
from replay_bench import (
    TOPIC,
    busy_bag,
    by_rosbags,
    decoded,
    drive_messages,
    read_bag,
    replay,
    stamp_ns,
    synthetic,
    write_bag,
)

pytest.importorskip("mcap_ros2", reason="needs the library mcap-ros2-support")
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from trust_seg_ros.commands.replay_parameters import replay_parameters
from trust_seg_ros.messages.summary import UNKNOWN, summary_fields
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.types import Frame

FRAMES = 7
SUMMARY = "/trust_seg/summary"
JUDGED = ("-p", "threads:=1", "-p", "ood.threshold:=0.4", "-p", "ood.min_size:=15")
OF_A_MACHINE = {"network_ms", "processing_ms", "age_ms"}
OF_THE_SHIFT = {"shift_fired", "shift_p_value", "shift_difference", "shift_statistic"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return busy_bag(tmp_path_factory.mktemp("in") / "bag", FRAMES)


def written(recording, out, *words):
    replay(recording, out, "--topics", "summary", "--image-topic", TOPIC, *JUDGED, *words)
    return out


@pytest.fixture(scope="module")
def alone(recording, tmp_path_factory):
    """Nothing but the summary written, in chunks of three."""
    return written(recording, tmp_path_factory.mktemp("out") / "bag", "--chunk-frames", 3)


@pytest.fixture(scope="module")
def messages(alone):
    return [message for _, message in decoded(read_bag(alone)[SUMMARY])]


def pairs(message):
    return {pair.key: pair.value for pair in message.status[0].values}


def test_numbers_are_those_of_the_pipeline(messages):
    settings = replay_parameters(None, JUDGED[1::2])
    pipeline = TrustPipeline.load(settings.pipeline)
    left_out = OF_A_MACHINE | OF_THE_SHIFT
    for message, (stamp, image) in zip(messages, synthetic(FRAMES), strict=True):
        expected = dict(summary_fields(pipeline(Frame(image, stamp, "camera"), settings.thresholds)))
        told = pairs(message)
        assert list(told) == list(expected), "the same keys in the same order"
        assert {k: v for k, v in told.items() if k not in left_out} == {
            k: v for k, v in expected.items() if k not in left_out
        }
        for key in ("segments", "unreliable_segments", "ood_segments", "flagged_share", "p_wrong_max", "threshold_ood"):
            assert math.isfinite(float(told[key])), f"{key} is known though no mask was asked for"
    assert len({pairs(m)["entropy_mean"] for m in messages}) == FRAMES


def test_what_belongs_to_a_machine_is_left_out(messages):
    for told in map(pairs, messages):
        assert {told[key] for key in OF_A_MACHINE} == {UNKNOWN}
        assert (told["trust_state"], told["reasons"]) == ("", "")


def test_headers_are_those_of_the_images_and_names_those_of_the_node(messages):
    assert [stamp_ns(m) for m in messages] == [stamp for stamp, _ in synthetic(FRAMES)]
    assert {m.header.frame_id for m in messages} == {"camera"}
    assert {(len(m.status), m.status[0].level, m.status[0].name, m.status[0].hardware_id) for m in messages} == {
        (1, 0, "trust_seg: summary", TOPIC)
    }
    assert all("segments" in m.status[0].message for m in messages)


def test_cameras_have_statuses_of_their_own(tmp_path):
    frames, topics = list(synthetic(2)), ("/left/image_raw", "/right/image_raw")
    drives = [message for topic in topics for message in drive_messages(frames, topic)]
    bag = write_bag(tmp_path / "bag", sorted(drives, key=lambda m: m[2]))
    chosen = [word for topic in topics for word in ("--image-topic", topic)]
    replay(bag, tmp_path / "out", "--topics", "summary", *chosen, *JUDGED)
    found = read_bag(tmp_path / "out")
    for side, topic in zip(("left", "right"), topics, strict=True):
        told = [m.status[0] for _, m in decoded(found[f"/{side}/trust_seg/summary"])]
        assert [(s.name, s.hardware_id) for s in told] == [(f"{side}/trust_seg: summary", topic)] * 2


@pytest.mark.parametrize("tracking", ["off", "on"])
def test_the_bytes_do_not_depend_on_chunks_and_workers(recording, alone, tmp_path, tracking):
    follow = ("-p", f"tracking:={tracking}", "-p", "tracking.max_gap_s:=1.2")
    one = written(recording, tmp_path / "one", *follow, "--chunk-frames", 2)
    other = written(recording, tmp_path / "other", *follow, "--chunk-frames", 32)
    if tracking == "off":
        assert read_bag(alone)[SUMMARY] == read_bag(one)[SUMMARY]
    assert by_rosbags(one)[SUMMARY] == by_rosbags(other)[SUMMARY] == read_bag(one)[SUMMARY]


def test_the_shift_monitor_is_told_where_frames_are_judged_in_order(recording, messages, tmp_path):
    assert {pairs(m)[key] for m in messages for key in OF_THE_SHIFT} <= {UNKNOWN, ""}
    out = written(
        recording, tmp_path / "out", "-p", "tracking:=on", "-p", "tracking.max_gap_s:=1.2", "--chunk-frames", 2
    )
    told = [pairs(m) for _, m in decoded(read_bag(out)[SUMMARY])]
    assert {one["shift_fired"] for one in told} == {"0"}


def test_another_reader_reads_the_same(alone, messages):
    with next(iter(sorted(alone.glob("*.mcap")))).open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
        found = [m for _, channel, _, m in reader.iter_decoded_messages() if channel.topic == SUMMARY]
    assert [pairs(m) for m in found] == [pairs(m) for m in messages[: len(found)]]
    assert len(found) == 3
