"""Tracks in the replay: the ids of a live pipeline, the same bytes for any workers and chunks, one count per camera."""

import math
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from replay_bench import SECOND, TOPIC, decoded, read_bag, write_bag
from tracked_drives import FRAMES, SETTINGS, STEP_NS, THRESHOLDS, drive, ids_of, in_one_go, recorded

from trust_seg_ros.messages.detections import TRACK_RESULTS
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.recordings.replay.chunk_record import ChunkRecord
from trust_seg_ros.recordings.replay.errors import OutputExistsError
from trust_seg_ros.recordings.replay.job import DONE
from trust_seg_ros.recordings.replay.options import ReplayOptions, SourceSpec
from trust_seg_ros.recordings.replay.prepare import make_job
from trust_seg_ros.recordings.replay.run import run_jobs
from trust_seg_ros.recordings.replay.segment_rows import SEGMENT_COLUMNS, TRACK_COLUMNS
from trust_seg_ros.recordings.replay.workers import OwnProcess, Processes
from trust_seg_ros.segments.tracks import TrackingSettings

pytestmark = pytest.mark.slow

MILLISECONDS = ("processing_ms", "network_ms")
TWO = {"/front/image": "", "/rear/image": ""}


class InTurn:
    """Workers that take the chunks in turn, each with a network and a pipeline of its own."""

    def __init__(self, workers):
        self.slots, self._all, self._next, self._waiting = len(workers), workers, 0, []

    def submit(self, task):
        self._all[self._next].submit(task)
        self._waiting.append(self._all[self._next])
        self._next = (self._next + 1) % self.slots

    def wait(self):
        return self._waiting.pop(0).wait()


@pytest.fixture(scope="module")
def pipeline():
    return TrustPipeline.load(SETTINGS)


@pytest.fixture(scope="module")
def three():
    """Workers that have done other recordings before, and remember none of them."""
    return [OwnProcess() for _ in range(3)]


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("drive") / "drive", recorded(drive()))


def job_of(bag, out, chunk_frames=5, topics=None, settings=SETTINGS, **options):
    chosen = ReplayOptions(settings, THRESHOLDS, every_segment=True, chunk_frames=chunk_frames, **options)
    if "topics" not in options:
        chosen = replace(chosen, topics=("segments", "segment_ids", "ood_ids"))
    job = make_job(SourceSpec(bag), topics or {}, out, chosen)
    job.prepare()
    return job


def run(job, worker):
    """Replay it; returns what was finished."""
    (outcome,) = run_jobs([job], worker)
    if outcome.error is not None:
        raise outcome.error
    return outcome.finished


def everything(out):
    """Name -> bytes of the output; of frame table and report, what does not depend on milliseconds."""
    files = [p for p in out.iterdir() if p.is_file()]
    found = {p.name: p.read_bytes() for p in files if p.name not in ("frames.parquet", "report.html")}
    table = pq.read_table(out / "frames.parquet").drop_columns(MILLISECONDS)
    return found | {"frames.parquet": str(table.to_pylist()), "report.html": sections(out)}


def sections(out):
    """Name of a section of the report -> its text."""
    page = (out / "report.html").read_text("utf-8") if (out / "report.html").is_file() else ""
    parts = page.partition("<main>")[2].partition("</main>")[0].split('<section id="')[1:]
    return {part.partition('"')[0]: part for part in parts if not part.startswith('latency"')}


def ids_in(out, namespace=""):
    messages = decoded(read_bag(out)[f"{namespace}/trust_seg/segments"])
    return [[d.id for d in message.detections] for _, message in messages]


@pytest.fixture(scope="module")
def plain(bag, three, tmp_path_factory):
    """One worker, chunks of five frames, with report and table."""
    return run(job_of(bag, tmp_path_factory.mktemp("plain") / "out", segments=True, pictures=4), three[0])


@pytest.mark.parametrize("chunk_frames", [1, 5, 100])
def test_ids_are_those_of_one_pipeline_whatever_the_chunks(bag, three, pipeline, chunk_frames, tmp_path):
    finished = run(job_of(bag, tmp_path / "out", chunk_frames), InTurn(three))
    expected = ids_of(in_one_go(pipeline, drive()), pipeline.labels.names)
    assert ids_in(finished.out) == expected
    assert len(set(finished.drive.frames["file"])) == math.ceil(FRAMES / chunk_frames)
    everywhere = set(expected[0]).intersection(*expected)
    assert {"1", "2", "3"} <= everywhere, "the background and two boxes are followed through the whole drive"
    assert "ood_1" in expected[7]
    assert "ood_1" not in expected[9]
    assert "ood_1" in expected[-1], "found again behind what hid it"


def test_several_workers_write_the_same_bytes(bag, three, plain, tmp_path):
    for count in (2, 3):
        job = job_of(bag, tmp_path / f"{count}", segments=True, pictures=4)
        run(job, InTurn(three[-count:]))
        assert everything(job.out) == everything(plain.out)
    assert {"classes", "ood"} <= sections(plain.out).keys()
    assert {"report.html", "segments.parquet", "metadata.yaml"} <= everything(plain.out).keys()


def test_processes_that_work_on_two_drives_at_once_write_the_same_bytes(bag, plain, tmp_path):
    jobs = [job_of(bag, tmp_path / name, segments=True, pictures=4) for name in ("a", "b")]
    workers = Processes(2)
    try:
        for outcome in run_jobs(jobs, workers):
            assert outcome.error is None
    finally:
        workers.close()
    assert everything(jobs[0].out) == everything(jobs[1].out) == everything(plain.out)


def test_interrupted_and_gone_on_with_writes_the_same_bytes(bag, three, plain, tmp_path):
    left = 13  # frames, so that it ends in the middle of the third chunk

    def interrupt():
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    job = job_of(bag, tmp_path / "out", segments=True, pictures=4)
    with pytest.raises(KeyboardInterrupt):
        run(job, OwnProcess(interrupt))
    assert [job.is_done(i) for i in range(5)] == [True, True, False, False, False]
    run(job_of(bag, tmp_path / "out", segments=True, pictures=4), three[1])
    assert everything(job.out) == everything(plain.out)


def test_the_report_has_the_same_objects_whatever_the_chunks(bag, three, plain, pipeline, tmp_path):
    results = in_one_go(pipeline, drive())
    kept = [(k, i) for k, r in enumerate(results) for i in np.flatnonzero(r.ood.kept).tolist()]
    tracks = {int(results[k].on_grid.ood_tracks.ids[i]) for k, i in kept}
    assert plain.drive.objects_total == len(kept)
    assert plain.drive.tracked_total == len(tracks) > 1
    assert {one.track for one in plain.drive.tracked} == tracks
    first = plain.drive.tracked[0]
    seen = [k for k, i in kept if results[k].on_grid.ood_tracks.ids[i] == first.track]
    assert (first.frames, first.first.stamp_ns, first.last.stamp_ns) == (
        len(seen), drive()[seen[0]][0], drive()[seen[-1]][0],
    )  # fmt: skip
    assert first.crop
    assert not plain.drive.objects
    for chunk_frames in (1, 100):
        other = run(job_of(bag, tmp_path / f"{chunk_frames}", chunk_frames, segments=True, pictures=4), InTurn(three))
        assert other.drive.tracked == plain.drive.tracked
        assert other.drive.tracked_total == plain.drive.tracked_total
        assert (other.out / "segments.parquet").read_bytes() == (plain.out / "segments.parquet").read_bytes()
        assert sections(other.out)["ood"] == sections(plain.out)["ood"]
        assert sections(other.out)["classes"] == sections(plain.out)["classes"]


@pytest.mark.parametrize("chunk_frames", [1, 5, 100])
def test_each_camera_is_followed_by_itself_and_counts_from_one(three, pipeline, chunk_frames, tmp_path):
    front, rear = drive(seed=1), drive(12, seed=2, begin=drive()[5][0])
    messages = recorded(front, "/front/image", frame_id="front")
    messages += recorded(rear, "/rear/image", late_ns=5 * STEP_NS + STEP_NS // 3, frame_id="rear")
    bag = write_bag(tmp_path / "bag", sorted(messages, key=lambda m: m[2]))
    finished = run(job_of(bag, tmp_path / "out", chunk_frames, TWO, segments=True, pictures=4), InTurn(three))
    for name, frames in (("front", front), ("rear", rear)):
        expected = ids_of(in_one_go(pipeline, frames, name), pipeline.labels.names)
        assert ids_in(finished.out, f"/{name}") == expected
        assert "1" in expected[0]
        assert "ood_1" in expected[0]
    assert {one.first.camera for one in finished.drive.tracked} == {"/front/image", "/rear/image"}


def test_time_that_jumps_back_begins_new_tracks_with_new_numbers(three, pipeline, tmp_path):
    frames = [*drive(8), *drive(8)]
    bag = write_bag(tmp_path / "bag", recorded(frames))
    found = [run(job_of(bag, tmp_path / f"{n}", n), InTurn(three)) for n in (3, 100)]
    expected = ids_of(in_one_go(pipeline, frames), pipeline.labels.names)
    assert [ids_in(one.out) for one in found] == [expected, expected]
    assert np.flatnonzero(found[0].drive.frames["time_jump"]).tolist() == [8]
    before = {number for ids in expected[:8] for number in ids}
    assert before.isdisjoint(number for ids in expected[8:] for number in ids)


def test_the_table_tells_the_tracks_of_the_messages(plain):
    table = pq.read_table(plain.out / "segments.parquet").to_pylist()
    assert list(table[0])[: len(SEGMENT_COLUMNS) + len(TRACK_COLUMNS)] == [*SEGMENT_COLUMNS, *TRACK_COLUMNS]
    for _, message in decoded(read_bag(plain.out)["/trust_seg/segments"]):
        stamp = message.header.stamp.sec * SECOND + message.header.stamp.nanosec
        rows = {row["id"]: row for row in table if row["stamp_ns"] == stamp and row["id"]}
        for detection in message.detections:
            told = {r.hypothesis.class_id: r.hypothesis.score for r in detection.results}
            assert list(told)[-len(TRACK_RESULTS) :] == list(TRACK_RESULTS)
            row = rows[int(told["pixel_id"])]
            assert detection.id == f"{'ood_' * (row['kind'] == 'ood')}{row['track']}"
            assert told["track_frames"] == row["track_frames"]
            assert told["track_age_s"] == row["track_age_s"]
            assert told["first_seen_s"] == row["track_first_ns"] / 1e9
            if row["track_frames"] > 1:
                assert (told["velocity_x"], told["velocity_y"]) == (row["velocity_x"], row["velocity_y"])
            else:
                assert math.isnan(row["velocity_x"])
    red = [row for row in table if row["kind"] == "class" and row["track"] == table_track(table, "red")]
    assert red[-1]["velocity_x"] == pytest.approx(10.0, abs=2.0), "a pixel per frame at 10 Hz, in steps of four pixels"


def table_track(table, name):
    """The number of the track of the largest segment of a class in the first frame."""
    first = [row for row in table if row["class_name"] == name and row["stamp_ns"] == table[0]["stamp_ns"]]
    return max(first, key=lambda row: row["size"])["track"]


def test_without_tracking_nothing_is_added(bag, tmp_path):
    off = replace(SETTINGS, tracking=TrackingSettings())
    job = job_of(bag, tmp_path / "out", settings=off, segments=True, pictures=4)
    assert not job.options.sequential
    finished = run(job, OwnProcess())
    assert not set(TRACK_COLUMNS) & set(pq.read_schema(finished.out / "segments.parquet").names)
    assert finished.drive.tracked is None
    assert {ids[0] for ids in ids_in(finished.out)} == {"1"}
    assert "Unreliable objects" not in (finished.out / "report.html").read_text()


def test_other_tracking_is_another_replay(bag, three, tmp_path):
    run(job_of(bag, tmp_path / "out"), three[0])
    longer = replace(SETTINGS, tracking=replace(SETTINGS.tracking, max_gap_s=3.0))
    with pytest.raises(OutputExistsError, match="max_gap_s"):
        job_of(bag, tmp_path / "out", settings=longer)


def test_a_record_holds_the_tracks_and_objects_that_may_go_on(bag, tmp_path):
    records = []

    class Kept(OwnProcess):
        def wait(self):
            done = super().wait()
            task = done[0].task
            records.append(ChunkRecord.read(task.job.chunk_folder(task.index) / DONE))
            return done

    finished = run(job_of(bag, tmp_path / "out", segments=True, pictures=4), Kept())
    memory = records[1].memory[TOPIC]
    assert {1, 2, 3} <= set(memory.pipeline.following.segments.ids.tolist())
    assert any(one.track == 1 and one.crop for one in memory.objects.objects), "hidden, but not forgotten"
    left = records[-1].memory[TOPIC].objects.objects
    assert sum(record.tracked_total for record in records) + len(left) == finished.drive.tracked_total
