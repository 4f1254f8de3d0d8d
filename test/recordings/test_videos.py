"""Times of the frames of videos, also with a varying frame rate."""

import itertools

import numpy as np
import pytest
from matroska import write_matroska
from places import DATA

from trust_seg_ros.bags.errors import SourceError, UnreadableFrame
from trust_seg_ros.recordings.refusals import Refusals
from trust_seg_ros.recordings.replay.inputs import open_recording
from trust_seg_ros.recordings.replay.options import SourceSpec
from trust_seg_ros.recordings.replay.plan import plan_chunks
from trust_seg_ros.recordings.section import Section
from trust_seg_ros.recordings.sources import open_source
from trust_seg_ros.recordings.videos import VideoReel

TIMES_MS = [0, 100, 200, 5000, 5100, 5200, 10000, 10100]


@pytest.fixture
def varying(tmp_path):
    return write_matroska(tmp_path / "drive.mkv", TIMES_MS)


def stamps_ms(source):
    return [round(frame.stamp_ns * 1e-6) for frame in source]


def test_frames_come_at_the_times_of_the_file(varying):
    frames = list(open_source(varying))
    assert stamps_ms(frames) == TIMES_MS
    assert np.diff([frame.image.mean() for frame in frames]) == pytest.approx(13, abs=1.5)


def test_times_count_from_the_first_frame(tmp_path):
    path = write_matroska(tmp_path / "late.mkv", [time + 2000 for time in TIMES_MS])
    assert stamps_ms(open_source(path)) == TIMES_MS


def test_a_section_counts_real_seconds(varying):
    assert stamps_ms(open_source(varying, section=Section(5.0, 5.0))) == [5000, 5100, 5200]
    assert stamps_ms(open_source(varying, section=Section(10.05))) == [10100]
    with pytest.raises(SourceError, match=r"start is 10\.2 s, but .* is 10\.1 s long"):
        open_source(varying, section=Section(10.2))


def test_looping_keeps_the_gaps(varying):
    looped = open_source(varying, loop=True)
    assert stamps_ms(itertools.islice(looped, 11)) == [*TIMES_MS, 10133, 10233, 10333]


def test_a_replay_reads_the_same_times_in_chunks_and_misses_nothing(varying):
    recording = open_recording(SourceSpec(varying))
    assert recording.topics["/camera/image"].messages == len(TIMES_MS)
    chunks = plan_chunks(recording.start_ns, recording.end_ns, len(TIMES_MS), 3)
    worker = open_recording(SourceSpec(varying), measure=False)
    found = [m.recorded_ns for chunk in chunks for m in worker.messages(None, chunk.start_ns, chunk.stop_ns)]
    assert [round((at - recording.start_ns) * 1e-6) for at in found] == TIMES_MS
    assert worker.damage == recording.damage == ""  # though the header states 304 frames
    recording.close()
    worker.close()


def test_a_file_that_ends_early_says_so(tmp_path):
    path = write_matroska(tmp_path / "drive.mkv", [100 * i for i in range(20)], rate=10, states_ms=6000)
    recording = open_recording(SourceSpec(path))
    assert recording.damage == ("drive.mkv ends after 20 frames and 1.900 s, although it states 60 frames and 5.900 s")
    recording.close()


def test_times_that_do_not_rise_are_even_ones(tmp_path):
    path = write_matroska(tmp_path / "same.mkv", [0, 0, 0, 500, 100], rate=10)
    stamps = stamps_ms(open_source(path))
    assert stamps == sorted(set(stamps))
    assert stamps[:4] == [0, 100, 200, 500]


def test_a_frame_that_cannot_be_decoded_is_named(varying, monkeypatch):
    pixels = VideoReel.pixels
    monkeypatch.setattr(VideoReel, "pixels", lambda reel: None if reel.index == 2 else pixels(reel))
    told = []
    assert stamps_ms(open_source(varying, refusals=Refusals(told.append))) == [0, 100, *TIMES_MS[3:]]
    assert told == [f"{varying}: frame 2 cannot be decoded"]
    with pytest.raises(UnreadableFrame, match="frame 2 cannot"):
        list(open_source(varying))


def test_a_file_of_another_writer():
    path = DATA.parent / "cases" / "video" / "vfr.mkv"
    if not path.is_file():
        pytest.skip(f"the video is not at {path}")
    assert stamps_ms(open_source(path)) == TIMES_MS


def test_a_pointer_of_git_lfs_is_named(tmp_path):
    path = tmp_path / "drive.mp4"
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 123456\n")
    with pytest.raises(SourceError, match=r"drive\.mp4: it is a Git LFS pointer"):
        open_source(path)
