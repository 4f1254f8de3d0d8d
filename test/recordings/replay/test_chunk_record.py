"""What is remembered of a chunk comes back from its file as it was, NaN and pictures included."""

import math
from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.pipeline.following import FollowingState
from trust_seg_ros.pipeline.state import PipelineState
from trust_seg_ros.recordings.replay.chunk_record import ChunkRecord
from trust_seg_ros.recordings.replay.flagged_tracks import FlaggedTrack, flagged_sums
from trust_seg_ros.recordings.replay.frame_work import CameraMemory
from trust_seg_ros.recordings.replay.records import ClassSums, FramePicture, OodObject, TrackedObject
from trust_seg_ros.recordings.replay.tracked_objects import OpenObjects
from trust_seg_ros.segments import components
from trust_seg_ros.segments.tracks import Tracker
from trust_seg_ros.thresholds.adaptation import AdaptationState
from trust_seg_ros.thresholds.betting import LEVELS
from trust_seg_ros.thresholds.calm import EvidenceState
from trust_seg_ros.thresholds.control import ThresholdState
from trust_seg_ros.thresholds.long_run import LongRunState
from trust_seg_ros.thresholds.shift import ShiftMemory, StatisticMemory

NUMBERS = st.floats(width=64)
TIMES = st.integers(0, 2**63 - 1)
WORDS = st.text(max_size=8)
BYTES = st.binary(max_size=40)
Q = 3


def by_field(kind, **given_ones):
    """Instances with what their fields are declared as, unless given."""
    plain = {"str": WORDS, "int": TIMES, "float": NUMBERS, "bytes": BYTES, "bool": st.booleans()}
    return st.builds(kind, **{f.name: given_ones.get(f.name, plain.get(str(f.type))) for f in fields(kind)})


def some(values, size=3):
    return st.lists(values, max_size=size)


PICTURES = by_field(FramePicture)
OBJECTS = by_field(OodObject, box=st.tuples(*[st.integers(0, 5000)] * 4))
SUMS = by_field(ClassSums, **{f.name: some(NUMBERS).map(lambda v: np.array([*v, 0.0])) for f in fields(ClassSums)})
SPANS = st.lists(st.just(()) | st.tuples(TIMES, NUMBERS, NUMBERS, NUMBERS), min_size=LEVELS, max_size=LEVELS).map(tuple)
REMEMBERED = by_field(StatisticMemory, cell=st.just(()) | st.tuples(TIMES, NUMBERS), waiting=SPANS, within=SPANS)
WATCHED = by_field(ShiftMemory, calm=st.none() | NUMBERS, statistics=st.dictionaries(WORDS, REMEMBERED, max_size=2))
THRESHOLDS = st.builds(
    ThresholdState,
    st.dictionaries(WORDS, st.none() | st.tuples(TIMES, NUMBERS), max_size=3),
    WATCHED,
    st.none() | st.builds(AdaptationState, by_field(LongRunState), st.dictionaries(WORDS, TIMES, max_size=3)),
)


def followed(seed):
    """The state of trackers after two frames of random segments."""
    rng, trackers = np.random.default_rng(seed), (Tracker(), Tracker())
    for tracker in trackers:
        for k in range(2):
            ids, n = components(rng.integers(0, 3, (6, 9), dtype=np.uint8))
            tracker.update(ids, None, np.bincount(ids.ravel(), minlength=n + 1)[1:], 10**9 + k * 10**8, "camera")
    evidence = EvidenceState(np.arange(3), rng.normal(size=3), rng.random(3) < 0.5, np.full(3, 10**9))
    states = (tracker.state() for tracker in trackers)
    return FollowingState(*states, evidence, EvidenceState.empty(), stamps_ns=(10**9, 2 * 10**9))


PIPELINES = st.builds(PipelineState, THRESHOLDS, st.none() | st.integers(0, 2**31).map(followed))
TRACKED = st.builds(
    TrackedObject,
    track=st.integers(1, 2**31 - 1),
    first=OBJECTS,
    last=OBJECTS,
    best=OBJECTS,
    pictured=st.none() | OBJECTS,
    largest=st.integers(1, 10**7),
    frames=st.integers(1, 10**6),
    followed=st.integers(1, 10**6),
    classes=st.dictionaries(WORDS, st.integers(1, 100), max_size=2),
)
RANKS = st.tuples(NUMBERS, NUMBERS, st.integers(), st.integers(), st.integers())
OPEN = st.builds(OpenObjects, some(TRACKED).map(tuple), some(RANKS).map(tuple))
MOMENTS = st.integers(0, 2**60)
FLAGGED = st.builds(FlaggedTrack, st.integers(0, 254), MOMENTS, MOMENTS, st.integers(1, 10**6))
FLAGGED_SUMS = st.lists(FLAGGED, max_size=3).map(lambda tracks: flagged_sums(tracks, 255))
MEMORIES = st.builds(
    CameraMemory,
    st.none() | TIMES,
    st.none() | PIPELINES,
    st.none() | OPEN,
    st.none() | st.dictionaries(st.integers(1, 2**31 - 1), FLAGGED, max_size=2),
)
ROWS = st.dictionaries(WORDS, st.one_of(WORDS, TIMES, NUMBERS, st.booleans()), max_size=6)
RECORDS = st.builds(
    ChunkRecord,
    file=WORDS,
    metadata=st.dictionaries(WORDS, st.one_of(WORDS, TIMES, some(WORDS)), max_size=4),
    frames=some(ROWS),
    classes=st.dictionaries(WORDS, SUMS, max_size=2),
    objects=some(OBJECTS),
    objects_total=TIMES,
    spread=some(PICTURES),
    worst=some(st.tuples(NUMBERS, PICTURES)),
    latency=st.dictionaries(WORDS, some(st.tuples(TIMES, NUMBERS)), max_size=2),
    memory=st.dictionaries(WORDS, MEMORIES, max_size=2),
    seconds=st.dictionaries(WORDS, NUMBERS, max_size=4),
    notes=some(WORDS),
    names=some(WORDS).map(tuple),
    palette=some(st.tuples(*[st.integers(0, 255)] * 3)).map(lambda v: np.array(v, np.uint8).reshape(-1, 3)),
    facts=some(st.tuples(WORDS, WORDS)),
    tracked=some(TRACKED),
    tracked_total=TIMES,
    flagged=st.dictionaries(WORDS, FLAGGED_SUMS, max_size=2),
)


def same(one, other):
    """Equal in value and type all the way down; NaN equals NaN."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            same(value, other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            same(mine, theirs)
    elif hasattr(one, "__dataclass_fields__"):
        for field in fields(one):
            same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, float) and math.isnan(one):
        assert math.isnan(other)
    else:
        assert one == other


@settings(max_examples=60, deadline=None)
@given(record=RECORDS)
def test_a_record_comes_back_as_it_was(tmp_path_factory, record):
    path = tmp_path_factory.mktemp("record") / "done.json"
    record.write(path)
    same(ChunkRecord.read(path), record)


def test_numbers_of_numpy_come_back_as_plain_ones(tmp_path):
    row = {"a": np.float32(0.5), "b": np.int64(2**62), "c": np.bool_(True), "d": float("inf"), "e": np.float64("nan")}
    record = ChunkRecord("", {}, [row], {}, [], 0, [], [], {}, {}, {})
    record.write(tmp_path / "done.json")
    (read,) = ChunkRecord.read(tmp_path / "done.json").frames
    assert math.isnan(read.pop("e"))
    assert read == {"a": 0.5, "b": 2**62, "c": True, "d": math.inf}
