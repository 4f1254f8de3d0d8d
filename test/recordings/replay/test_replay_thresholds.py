"""Thresholds that look back, and drives cut into chunks: the same numbers, and the same bytes, however it is done."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from replay_bench import BEGIN_S, SECOND, TOPIC, frame_table, image, write_bag
from threshold_bench import NETWORK, calibration, picture

from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.recordings.replay.message_types import IMAGE
from trust_seg_ros.recordings.replay.options import ReplayOptions, SourceSpec
from trust_seg_ros.recordings.replay.prepare import make_job
from trust_seg_ros.recordings.replay.run import run_jobs
from trust_seg_ros.recordings.replay.workers import OwnProcess, Processes
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.shift import ShiftSettings
from trust_seg_ros.types import Frame

pytestmark = pytest.mark.slow

FRAMES, CLEAR, STEP_NS = 28, 8, SECOND // 2
REFERENCE = 112
SMOOTHED = ThresholdSettings(
    pixel=PolicySettings("quantile", quantile=0.9, smoothing_s=2.0),
    ood=PolicySettings("mean_std", k=1.0, smoothing_s=1.0),
    ood_min_size=5,
    shift=ShiftSettings(window_s=6.0),
)
CONSERVATIVE = ThresholdSettings(
    pixel=PolicySettings("conformal", alpha=0.95, on_shift="conservative", quantile=0.2, smoothing_s=1.0),
    shift=ShiftSettings(window_s=6.0),
)
ALONE = ThresholdSettings(pixel=PolicySettings("conformal", alpha=0.95), shift=ShiftSettings(window_s=6.0))
"""Watched by the shift monitor, which changes nothing: chunks need not follow each other."""


def drive(stamps=None, clear=CLEAR, seed=0):
    """(stamp_ns, RGB): clear pictures, then dull ones; one half, one all of pixels that the network chokes on."""
    times = [BEGIN_S * SECOND + i * STEP_NS for i in range(FRAMES)] if stamps is None else stamps
    frames = [(at, picture(seed + i, 1.0 if i < clear else 0.2)) for i, at in enumerate(times)]
    frames[10][1][:24] = 0
    frames[14][1][:] = 0
    return frames


def recorded(frames, topic=TOPIC, late_ns=0):
    """Messages of a recorder whose clock goes on, whatever the stamps do."""
    begin = BEGIN_S * SECOND + SECOND + late_ns
    return [(topic, IMAGE, begin + i * STEP_NS, image(p, stamp)) for i, (stamp, p) in enumerate(frames)]


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A calibration on clear pictures."""
    pipeline = TrustPipeline.load(PipelineSettings(NETWORK, meta_model="none", device="cpu"))
    frames = [pipeline(Frame(picture(100 + i))) for i in range(REFERENCE)]
    path = tmp_path_factory.mktemp("calibration") / "calibration.json"
    calibration([float(f.maps.entropy.mean()) for f in frames], network=pipeline.network.name).save(path)
    return path


@pytest.fixture(scope="module")
def settings_of(calibrated):
    return PipelineSettings(NETWORK, meta_model="none", device="cpu", threads=1, calibration=str(calibrated))


@pytest.fixture(scope="module")
def worker():
    """One that has done other recordings before, and remembers none of them."""
    one = OwnProcess()
    yield one
    one.close()


@pytest.fixture(scope="module")
def pipeline(settings_of):
    return TrustPipeline.load(settings_of)


def job_of(bag, out, pipeline, thresholds, chunk_frames, topics=None, outputs=("unreliable", "ood"), **options):
    chosen = ReplayOptions(pipeline, thresholds, tuple(outputs), chunk_frames=chunk_frames, **options)
    job = make_job(SourceSpec(bag), topics or {}, out, chosen)
    job.prepare()
    return job


def run(job, worker):
    """Replay it; returns the frame table."""
    (outcome,) = run_jobs([job], worker)
    if outcome.error is not None:
        raise outcome.error
    return frame_table(job.out)


def in_one_go(pipeline, thresholds, frames):
    """What one pipeline says of all frames in their order; time that jumps back forgets the past, as in the node."""
    last, results = None, []
    pipeline.reset()
    for stamp, pixels in frames:
        if last is not None and 0 < stamp < last:
            pipeline.reset()
        last = stamp or last
        results.append(pipeline(Frame(pixels, stamp, "camera"), thresholds))
    return results


def numbers(results):
    """Columns of the frame table, from the results themselves."""
    nan = math.nan
    rows = []
    for r in results:
        rows.append(
            {
                "faulty_pixels": r.maps.faulty_pixels,
                "entropy_mean": float(r.maps.entropy.numpy().astype(np.float64).mean()),
                "flagged_pixels": r.pixel_flags.mean(),
                "ood_segments": r.ood.kept.sum(),
                "ood_pixels": np.isin(r.ood.ids, 1 + np.flatnonzero(r.ood.kept)).mean(),
                "threshold_pixel": r.thresholds["pixel"],
                "threshold_ood": r.thresholds["ood"],
                "watched_entropy": r.watched["entropy"],
                "shift_statistic": r.shift.difference,
                "shift_p_value": r.shift.p_value if r.shift.known else nan,
                "shift_fired": r.shift.fired,
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def assert_same(table, expected, chosen=slice(None)):
    for name, values in expected.items():
        np.testing.assert_allclose(
            table[name][chosen], values, rtol=1e-6 if name == "entropy_mean" else 0, err_msg=name
        )


POLICIES = pytest.mark.parametrize("thresholds", [SMOOTHED, CONSERVATIVE, ALONE], ids=["smoothed", "shifted", "alone"])


@POLICIES
@pytest.mark.parametrize("chunk_frames", [1, 3, 100])
def test_numbers_are_those_of_one_pipeline_whatever_the_chunks(
    settings_of, pipeline, worker, thresholds, chunk_frames, tmp_path
):
    frames = drive()
    bag = write_bag(tmp_path / "bag", recorded(frames))
    table = run(job_of(bag, tmp_path / "out", settings_of, thresholds, chunk_frames), worker)
    expected = numbers(in_one_go(pipeline, thresholds, frames))
    assert_same(table, expected)
    assert table["stamp_ns"].tolist() == [stamp for stamp, _ in frames]
    assert np.flatnonzero(expected["shift_fired"]).min() > CLEAR, "the past counts in this drive"
    assert (len(set(expected["threshold_pixel"])) > 5) == (thresholds is not ALONE)
    assert len(set(table["file"])) == math.ceil(FRAMES / chunk_frames)


@pytest.mark.parametrize("by", ["class", "region", "image"])
def test_thresholds_by_group_are_those_of_one_pipeline(settings_of, pipeline, worker, by, tmp_path):
    thresholds, frames = ALONE.with_policy("pixel", conformal_by=by, alpha=0.3), drive()
    bag = write_bag(tmp_path / "bag", recorded(frames))
    table = run(job_of(bag, tmp_path / "out", settings_of, thresholds, 3), worker)
    assert_same(table, numbers(in_one_go(pipeline, thresholds, frames)))
    assert len(set(table["threshold_pixel"])) == (2 if by == "image" else 1)
    plain = numbers(in_one_go(pipeline, thresholds.with_policy("pixel", conformal_by="all"), frames))
    assert not np.array_equal(table["flagged_pixels"], plain["flagged_pixels"])


@POLICIES
@pytest.mark.parametrize("chunk_frames", [3, 100])
def test_a_stamp_that_jumps_back_forgets_the_past(settings_of, pipeline, worker, thresholds, chunk_frames, tmp_path):
    """Also inside a chunk; frames of one stamp, and unstamped ones, change nothing about the past."""
    begin = BEGIN_S * SECOND
    stamps = [begin + i * STEP_NS for i in range(22)] + [begin + 21 * STEP_NS, 0]
    stamps += [begin + i * STEP_NS for i in range(13)]
    frames = drive(stamps)
    bag = write_bag(tmp_path / "bag", recorded(frames))
    table = run(job_of(bag, tmp_path / "out", settings_of, thresholds, chunk_frames), worker)
    expected = numbers(in_one_go(pipeline, thresholds, frames))
    assert_same(table, expected)
    assert np.flatnonzero(table["time_jump"]).tolist() == [24]
    fired = expected["shift_fired"]
    assert fired[22]
    assert not fired[24:30].any()


@pytest.mark.parametrize("thresholds", [SMOOTHED, CONSERVATIVE], ids=["smoothed", "shifted"])
def test_two_cameras_have_pasts_of_their_own(settings_of, pipeline, worker, thresholds, tmp_path):
    """One is clear, one dull; their images alternate."""
    front, rear = drive(clear=FRAMES), drive(clear=0, seed=50)
    messages = recorded(front, "/front/image") + recorded(rear, "/rear/image", late_ns=STEP_NS // 3)
    bag = write_bag(tmp_path / "bag", sorted(messages, key=lambda m: m[2]))
    topics = {"/front/image": "", "/rear/image": ""}
    table = run(job_of(bag, tmp_path / "out", settings_of, thresholds, 5, topics), worker)
    for topic, frames in (("/front/image", front), ("/rear/image", rear)):
        assert_same(table, numbers(in_one_go(pipeline, thresholds, frames)), table["camera"] == topic)
    fired = {topic: table["shift_fired"][table["camera"] == topic].any() for topic in topics}
    assert fired == {"/front/image": False, "/rear/image": True}


@pytest.mark.parametrize("thresholds", [SMOOTHED, CONSERVATIVE], ids=["smoothed", "shifted"])
def test_images_that_are_refused_count_for_time_as_in_the_node(settings_of, pipeline, worker, thresholds, tmp_path):
    """The node looks at the stamp before it looks at the pixels."""
    pytest.importorskip("rclpy", reason="needs ROS 2")
    frames = drive()
    messages = recorded(frames)
    for number, stamp_s in ((5, 0), (12, 3), (24, 9999)):  # back, then on; and far ahead, then back
        bad = bytearray(image(frames[0][1], (BEGIN_S + stamp_s) * SECOND, "rgb9"))
        messages[number] = (*messages[number][:3], bytes(bad))
    live = through_the_node(pipeline, thresholds, [data for *_, data in messages])
    table = run(job_of(write_bag(tmp_path / "bag", messages), tmp_path / "out", settings_of, thresholds, 3), worker)
    judged = table["refused"] == ""
    assert np.flatnonzero(~judged).tolist() == [5, 12, 24]
    assert_same(table, numbers(live), judged)
    assert np.flatnonzero(table["time_jump"]).tolist() == [5, 12, 25]


def through_the_node(pipeline, thresholds, raw):
    """Results of the node's own way from message to messages; nothing is sent."""
    from trust_seg_ros.node.arrivals import Arrived
    from trust_seg_ros.node.image_reader import ImageReader
    from trust_seg_ros.node.processing import FrameProcessor, Surroundings
    from trust_seg_ros.node.settings import settings_from
    from trust_seg_ros.node.statistics import Statistics

    class Unsent:
        summary = SimpleNamespace(watched=False)

        def watched(self):
            return tuple(name for name in OUTPUTS if name != "gradient")

        def publish(self, name, view, header):
            OUTPUTS[name].build(view)

    settings, results = replace(settings_from({}), thresholds=thresholds), []
    around = Surroundings(lambda: settings, lambda: 0, lambda *_: None, lambda: True, lambda _, r: results.append(r))
    pipeline.reset()
    process = FrameProcessor(pipeline, Unsent(), Statistics(), around, ImageReader(0))
    for data in raw:
        process(Arrived("raw", data))
    return results


def files(out: Path):
    """Name -> bytes of the bag: its parts and its metadata."""
    return {p.name: p.read_bytes() for p in sorted(out.iterdir()) if p.suffix in (".mcap", ".db3", ".yaml")}


@pytest.fixture(scope="module")
def plain_run(settings_of, worker, tmp_path_factory):
    """A bag, and what one process makes of it."""
    folder = tmp_path_factory.mktemp("plain")
    bag = write_bag(folder / "bag", recorded(drive()))
    run(job_of(bag, folder / "out", settings_of, ALONE, 5, outputs=OUTPUTS, segments=True, pictures=4), worker)
    return bag, folder / "out"


def test_two_workers_write_the_same_bytes(settings_of, plain_run, tmp_path):
    bag, out = plain_run
    job = job_of(bag, tmp_path / "out", settings_of, ALONE, 5, outputs=OUTPUTS, segments=True, pictures=4)
    workers = Processes(2)
    try:
        run(job, workers)
    finally:
        workers.close()
    assert files(job.out) == files(out)
    assert sum(name.endswith(".mcap") for name in files(out)) == 6
    assert (job.out / "segments.parquet").read_bytes() == (out / "segments.parquet").read_bytes()


@pytest.mark.parametrize(("thresholds", "storage"), [(SMOOTHED, "mcap"), (ALONE, "sqlite3")], ids=["mcap", "sqlite"])
def test_interrupted_and_gone_on_with_writes_the_same_bytes(
    settings_of, pipeline, worker, plain_run, thresholds, storage, tmp_path
):
    bag, _ = plain_run
    whole = job_of(bag, tmp_path / "whole", settings_of, thresholds, 5, storage=storage)
    run(whole, worker)
    left = 13  # frames, so that it ends in the middle of the third chunk

    def interrupt():
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    job = job_of(bag, tmp_path / "out", settings_of, thresholds, 5, storage=storage)
    with pytest.raises(KeyboardInterrupt):
        run(job, OwnProcess(interrupt))
    assert [job.is_done(i) for i in range(6)] == [True, True, False, False, False, False]
    assert not job.complete
    again = job_of(bag, tmp_path / "out", settings_of, thresholds, 5, storage=storage)
    table = run(again, worker)
    assert again.complete
    assert files(again.out) == files(whole.out)
    assert_same(table, numbers(in_one_go(pipeline, thresholds, drive())))
