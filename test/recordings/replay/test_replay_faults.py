"""Bad recordings through the real command: what can be read is replayed, and one line says what cannot."""

import numpy as np
import pytest
from fault_bags import (
    BEGIN,
    IMAGE,
    STEP,
    Message,
    command,
    contents,
    cut,
    image,
    images,
    jpeg,
    pixels,
    table,
    text,
    write_bag,
)

from trust_seg_ros.cli import main


@pytest.fixture
def replay(tmp_path, capsys):
    """Replays messages or a bag; gives the exit status, what was said, and the output folder."""

    def run(messages, *words, bag=None, storage="mcap"):
        bag = bag or write_bag(tmp_path / "drive", messages, storage)
        out = tmp_path / "out"
        status = main(command(bag, out, *words))
        said = capsys.readouterr()
        return status, said.err if status else said.out, out

    return run


def refused(out):
    """Reasons of the frame table, "" for judged images."""
    return table(out)["refused"]


def one_line(text):
    """An error is one line that a user can act on."""
    assert text.startswith("trust-seg replay: ")
    assert text.count("\n") == 1
    return text


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("share", [0.35, 0.8])
def test_a_truncated_bag_is_replayed_up_to_its_end(replay, tmp_path, storage, share):
    whole = write_bag(tmp_path / "drive", images(40), storage)
    written = contents(whole)
    status, said, out = replay(None, bag=cut(whole, share), storage=storage)
    assert status == 0
    count = len(table(out)["refused"])
    assert 0 < count < 40
    assert set(refused(out)) == {""}
    (note,) = [line for line in said.splitlines() if "cut off" in line]
    assert note.startswith("note: ")
    assert f"{count} messages" in note
    assert [m for m in contents(out) if m[0] == "/cam"] == written[:count]


def test_a_truncated_file_is_noted_even_where_metadata_tells_another_story(replay, tmp_path):
    bag = write_bag(tmp_path / "drive", images(40))
    stated = (bag / "metadata.yaml").read_bytes()
    cut(bag, 0.6)
    (bag / "metadata.yaml").write_bytes(stated)
    status, said, out = replay(None, bag=bag)
    assert status == 0
    assert "cut off" in said
    assert 0 < len(refused(out)) < 40


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_a_bag_of_which_nothing_can_be_read_is_refused(replay, tmp_path, share):
    bag = cut(write_bag(tmp_path / "drive", images(10)), share)
    status, said, out = replay(None, bag=bag)
    assert status == 2
    assert "copy it again" in one_line(said)
    assert not out.exists()


@pytest.mark.parametrize(
    ("topic", "word"), [("/kam", "has no topic /kam"), ("/chatter", "/chatter in"), ("kam", "has no topic /kam")]
)
def test_a_missing_topic_lists_those_there_are_with_their_types(replay, topic, word):
    status, said, out = replay([*images(2), text(2)], "--image-topic", topic)
    assert status == 2
    assert word in one_line(said)
    assert not out.exists()
    assert "/cam (sensor_msgs/msg/Image, 2 messages), /chatter (std_msgs/msg/String, 1 messages)" in said


def test_several_cameras_have_to_be_named(replay):
    status, said, _ = replay([image(0), image(0, topic="/rear")])
    assert status == 2
    assert "choose from /cam, /rear" in one_line(said)


@pytest.mark.parametrize("messages", [[text(0)], []])
def test_a_bag_without_images_is_refused(replay, messages):
    status, said, out = replay(messages)
    assert status == 2
    assert "no topic of sensor_msgs/msg/Image" in one_line(said)
    assert not out.exists()


def test_a_topic_may_change_its_size(replay):
    sizes = [(32, 48), (40, 64), (32, 48), (4, 200)]
    status, said, out = replay([image(i, size=size) for i, size in enumerate(sizes)])
    assert status == 0
    assert "note: /cam changes its size: 2 x 48x32, 1 x 64x40, 1 x 200x4" in said
    rows = table(out)
    assert list(zip(rows["height"], rows["width"], strict=True)) == sizes
    assert set(refused(out)) == {""}


BAD_IMAGES = {
    "empty": ({"raw": b""}, "representation empty"),
    "nothing but its encapsulation": ({"raw": b"\0\1\0\0"}, "the message ends after 4 bytes"),
    "no pixels": ({"data": np.zeros(0, np.uint8)}, "data holds 0 bytes, expected 4608"),
    "no size": ({"height": 0, "width": 0, "step": 0, "data": np.zeros(0, np.uint8)}, "size 0 × 0"),
    "unknown encoding": ({"encoding": "yuv999"}, "encoding 'yuv999', expected one of rgb8"),
    "step too small": ({"step": 5}, "step is 5 bytes, expected at least 144"),
    "step too large": ({"step": 10**9}, "expected 32000000000"),
    "too large": ({"height": 4 * 10**9, "width": 4 * 10**9}, "expected at most 40000000 (parameter max_image_pixels)"),
    "one row too few": ({"height": 33}, "data holds 4608 bytes, expected 4752"),
}


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_bad_images_are_refused_one_by_one_and_counted(replay, storage):
    bad = [
        Message("/cam", BEGIN + 2 * i * STEP, IMAGE, changed["raw"]) if "raw" in changed else image(2 * i, **changed)
        for i, (changed, _) in enumerate(BAD_IMAGES.values())
    ]
    good = [image(2 * i + 1) for i in range(len(bad))]
    messages = [m for pair in zip(bad, good, strict=True) for m in pair]
    status, said, out = replay(messages, "--storage", storage, "--chunk-frames", "4")
    assert status == 0
    assert f"{len(good)} frames judged, {len(bad)} refused" in said
    assert f"note: {len(bad)} of {len(messages)} images were refused" in said
    for got, (_, reason) in zip(refused(out)[::2], BAD_IMAGES.values(), strict=True):
        assert got.startswith("image refused: ")
        assert reason in got
    assert set(refused(out)[1::2]) == {""}
    assert table(out)["recorded_ns"] == [m.at for m in messages]
    written = contents(out)
    assert [m[1:] for m in written if m[0] == "/cam"] == [(m.at, m.data) for m in messages]
    assert [m[1] for m in written if m[0] == "/trust_seg/segmentation"] == [m.at for m in good]


def test_corrupt_compressed_images_are_refused_one_by_one(replay):
    whole = jpeg(2).data
    messages = [
        jpeg(0),
        jpeg(1, data=b"\xff\xd8nothing"),
        jpeg(2, data=whole[-300:-100]),
        jpeg(3, data=b""),
        jpeg(4, data=b"\xff\xd8\xff" + bytes(500)),
        jpeg(5),
    ]
    status, said, out = replay(messages)
    assert status == 0
    assert "2 frames judged, 4 refused" in said
    assert [bool(reason) for reason in refused(out)] == [False, True, True, True, True, False]
    assert "format 'jpeg': 9 bytes starting with 'ff d8 6e" in refused(out)[1]
    assert "format 'jpeg': 0 bytes expected JPEG, PNG" in refused(out)[3]


def test_a_jpeg_that_is_cut_short_is_refused(replay):
    import cv2

    data = cv2.imencode(".jpg", pixels(1))[1].tobytes()
    status, _, out = replay([jpeg(0), jpeg(1, data=data[: len(data) // 2])])
    assert status == 0
    assert refused(out)[0] == ""
    assert "of JPEG are damaged or cut short" in refused(out)[1]


def test_stamps_that_go_back_are_noted_and_keep_the_order_of_recording(replay):
    stamps = [BEGIN, BEGIN + 5 * STEP, BEGIN + 2 * STEP, BEGIN + 3 * STEP, BEGIN - STEP]
    status, said, out = replay([image(i, stamp=stamp) for i, stamp in enumerate(stamps)])
    assert status == 0
    assert "note: time jumped back 2 times; earlier frames were forgotten each time" in said
    assert table(out)["stamp_ns"] == stamps
    assert table(out)["time_jump"] == [False, False, True, False, True]


def test_messages_that_were_written_out_of_order_are_replayed_in_the_order_of_their_times(replay):
    times = [BEGIN, BEGIN + 5 * STEP, BEGIN + 3 * STEP, BEGIN, BEGIN + 9 * STEP, BEGIN + STEP]
    status, _, out = replay([image(i, at=at) for i, at in enumerate(times)], "--chunk-frames", "2")
    assert status == 0
    assert table(out)["recorded_ns"] == sorted(times)
    assert sorted(at for topic, at, _ in contents(out) if topic == "/cam") == sorted(times)


@pytest.mark.parametrize("recorded", [0, BEGIN])
def test_images_without_stamps_are_replayed_and_noted(replay, recorded):
    messages = [image(i, at=recorded and recorded + i * STEP, stamp=0) for i in range(3)]
    status, said, out = replay(messages)
    assert status == 0
    assert "note: 3 images carry no stamp (0)" in said
    assert table(out)["stamp_ns"] == [0, 0, 0]
    assert set(refused(out)) == {""}


def test_one_frame_is_a_recording(replay):
    status, said, out = replay(images(1), "--report", "--segments")
    assert status == 0
    assert "1 frames judged, 0 refused" in said
    assert (out / "report.html").is_file()
    assert (out / "segments.parquet").is_file()


def test_a_message_with_a_wild_time_stretches_the_recording_and_nothing_else(replay):
    status, _, out = replay([image(0, at=0), *images(6)], "--chunk-frames", "2")
    assert status == 0
    assert len(refused(out)) == 7


def test_times_before_1970_are_written_where_they_can_be(replay):
    messages = [image(i, at=(i - 3) * STEP, stamp=BEGIN + i) for i in range(6)]
    status, said, out = replay(messages, storage="sqlite3")
    assert status == 2
    assert "begins 0.300 s before 1970" in one_line(said)
    assert not out.exists()
    status, _, out = replay([], "--storage", "sqlite3", bag=out.with_name("drive"))
    assert status == 0
    assert table(out)["recorded_ns"] == [(i - 3) * STEP for i in range(6)]


SECTIONS = {
    "beyond the end": (("--start", "99"), "the start is 99 s, but the recording is 5.000 s long; expected less"),
    "in a gap": (("--start", "2", "--duration", "1"), "no image in the section asked for"),
    "tiny": (("--start", "0.05", "--duration", "0.01"), "no image in the section asked for"),
    "less than a nanosecond": (("--duration", "1e-10"), "no image in the section asked for"),
    "negative": (("--start", "-1"), "the start is -1 s; expected 0 or more"),
    "no number": (("--start", "nan"), "the start is nan s; expected 0 or more"),
    "endless": (("--duration", "inf"), "the duration is inf s; expected more than 0"),
    "at the end of time": (("--start", "inf"), "the start is inf s; expected 0 or more"),
}


@pytest.mark.parametrize("case", SECTIONS)
def test_an_empty_section_is_said_and_leaves_nothing(replay, case):
    words, reason = SECTIONS[case]
    status, said, out = replay([image(0), image(50)], *words)
    assert status == 2
    assert reason in one_line(said)
    assert not out.exists()


def test_a_section_with_one_image_is_enough(replay):
    status, _, out = replay([image(0), image(1), image(50)], "--start", "0.05", "--duration", "1")
    assert status == 0
    assert table(out)["recorded_ns"] == [BEGIN + STEP]


def test_refused_images_alone_are_an_error_though_they_are_copied(replay):
    status, said, out = replay([image(i, encoding="zzz") for i in range(3)])
    assert status == 2
    assert "all 3 images were refused, so that nothing was judged; the first: image refused: " in one_line(said)
    assert "nan" not in said
    assert len(contents(out)) == 3
    assert all("zzz" in reason for reason in refused(out))


def test_refused_images_alone_stay_an_error_when_the_output_is_complete(replay, tmp_path, capsys):
    replay([image(i, encoding="zzz") for i in range(3)])
    bag = tmp_path / "drive"
    assert main(command(bag, tmp_path / "out")) == 2
    assert "all 3 images were refused" in one_line(capsys.readouterr().err)


def test_refused_images_alone_fail_among_several_recordings(replay, tmp_path, capsys):
    write_bag(tmp_path / "good", [image(i) for i in range(3)])
    bad = write_bag(tmp_path / "bad", [image(i, encoding="zzz") for i in range(3)])
    words = command(tmp_path / "good", tmp_path / "both")
    words.insert(words.index(str(tmp_path / "good")) + 1, str(bad))
    for _ in range(2):  # the second time both are complete already
        assert main(words) == 1
        assert "nan" not in capsys.readouterr().out
        assert "all 3 images were refused" in (tmp_path / "both" / "replay.csv").read_text()


def test_refused_images_alone_leave_nothing_to_write_when_they_are_not_copied(replay):
    status, said, out = replay([image(i, encoding="zzz") for i in range(3)], "--keep", "none")
    assert status == 2
    assert "all 3 images of the section were refused" in one_line(said)
    assert "'zzz'" in said
    assert not out.exists()


SETTINGS = {
    "model file": (("-p", "model:=/nowhere/net.pt2"), "/nowhere/net.pt2: no such file"),
    "calibration": (("-p", "thresholds.pixel_policy:=conformal"), "make one with trust-seg calibrate"),
    "calibration file": (("-p", "calibration:=/nowhere/c.json"), "/nowhere/c.json: no such calibration"),
    "meta model file": (("-p", "meta_model:=/nowhere/m.json"), "/nowhere/m.json"),
    "parameter file": (("--params-file", "/nowhere/p.yaml"), "/nowhere/p.yaml: no such parameter file"),
    "parameter": (("-p", "thresholds.pixl:=1"), "did you mean thresholds.pixel"),
    "output": (("--topics", "segmentatoin"), "there is no output 'segmentatoin'"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_cannot_be_are_said_and_leave_nothing(replay, case):
    words, reason = SETTINGS[case]
    status, said, out = replay(images(2), *words)
    assert status == 2
    assert reason in one_line(said)
    assert not out.exists()


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 4 TB")],
    ids=["python", "torch"],
)
def test_a_frame_that_found_no_memory_is_not_refused_but_done_again(replay, monkeypatch, error):
    import trust_seg_ros.recordings.replay.frame_work as frame_work

    read, count = frame_work.read_frame, []

    def until_it_is_full(*words):
        count.append(1)
        if len(count) == 6:
            raise error
        return read(*words)

    with monkeypatch.context() as patched:
        patched.setattr(frame_work, "read_frame", until_it_is_full)
        status, said, out = replay(images(8), "--chunk-frames", "4")
    assert status == 2
    assert "no memory left for a frame of /cam" in one_line(said)
    status, said, out = replay([], "--chunk-frames", "4", bag=out.with_name("drive"))
    assert status == 0
    assert "1 of 2 chunks were done before" in said
    assert refused(out) == [""] * 8
