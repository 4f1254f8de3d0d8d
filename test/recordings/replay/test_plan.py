"""Chunks and sections divide a recording without gaps and without overlaps."""

import itertools
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.recordings.replay.errors import ReplayError
from trust_seg_ros.recordings.replay.plan import plan_chunks, section

TIMES = st.integers(0, 2**62)
LENGTHS = st.one_of(st.integers(1, 50), st.integers(1, 10**14))


@given(TIMES, LENGTHS, st.integers(1, 3000), st.integers(1, 200))
def test_chunks_partition_the_recording(start, length, frames, chunk_frames):
    chunks = plan_chunks(start, start + length, frames, chunk_frames)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert (chunks[0].start_ns, chunks[-1].stop_ns) == (start, start + length)
    assert all(one.stop_ns == after.start_ns for one, after in itertools.pairwise(chunks))
    lengths = [chunk.stop_ns - chunk.start_ns for chunk in chunks]
    assert min(lengths) >= 1
    assert max(lengths) - min(lengths) <= 1
    assert len(chunks) == min(math.ceil(frames / chunk_frames), length)


@given(TIMES, st.integers(1, 10_000), st.integers(1, 200))
def test_a_recording_of_a_single_moment_is_one_chunk(start, frames, chunk_frames):
    (chunk,) = plan_chunks(start, start + 1, frames, chunk_frames)
    assert (chunk.start_ns, chunk.stop_ns) == (start, start + 1)


@given(TIMES, LENGTHS, st.integers(1, 500), st.integers(1, 100), st.lists(st.floats(0, 1), max_size=30))
def test_every_message_lies_in_exactly_one_chunk(start, length, frames, chunk_frames, places):
    chunks = plan_chunks(start, start + length, frames, chunk_frames)
    for place in places:
        at = start + min(length - 1, int(place * length))
        assert sum(chunk.start_ns <= at < chunk.stop_ns for chunk in chunks) == 1


@given(TIMES, LENGTHS, st.floats(0, 1e5), st.none() | st.floats(1e-9, 1e5))
def test_a_section_lies_in_the_recording(start, length, start_s, duration_s):
    end = start + length
    if start + round(start_s * 1e9) >= end:
        with pytest.raises(ReplayError, match="expected less"):
            section(start, end, start_s, duration_s)
        return
    first, last = section(start, end, start_s, duration_s)
    assert start <= first <= last <= end
    assert first == start + round(start_s * 1e9)
    assert last == (end if duration_s is None else min(end, first + round(duration_s * 1e9)))


@given(TIMES, st.lists(st.integers(1, 10**10), min_size=1, max_size=6))
def test_sections_one_after_the_other_are_the_recording(start, lengths):
    end, at = start + sum(lengths), start
    for length in lengths:
        first, last = section(start, end, (at - start) / 1e9, length / 1e9)
        assert (first, last) == (at, at + length)
        at = last
    assert at == end


def test_the_message_tells_the_length():
    with pytest.raises(ReplayError, match=r"the start is 7 s, but the recording is 2\.500 s long"):
        section(10**9, 3_500_000_000, 7.0, None)


def test_a_plan_is_as_small_to_hand_on_for_a_long_drive_as_for_a_short_one():
    long, short = plan_chunks(0, 10**14, 10**6, 32), plan_chunks(0, 10**14, 32, 32)
    assert (len(long), len(short)) == (31_250, 1)
    assert pickle.loads(pickle.dumps(long)) == long
    assert len(pickle.dumps(long)) < len(pickle.dumps(short)) + 20
    assert list(long)[-1] == long[-1] == long[31_249]
    assert list(long[3:5]) == [long[3], long[4]]
    with pytest.raises(IndexError):
        long[31_250]
