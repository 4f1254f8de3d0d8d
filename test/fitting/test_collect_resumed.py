"""Ended runs: what was done is kept, the end is the same to the last byte, and no process is left behind."""

import os
import signal
import sys
import tempfile
import time
from contextlib import contextmanager

import cv2
import pytest
from replay_processes import alive, children, wait_for, workers_of
from warm_processes import WarmProcess, heard

from trust_seg_ros.datasets.folders import paired_folder
from trust_seg_ros.fitting.collect import collect
from trust_seg_ros.fitting.collect_pool import Pool
from trust_seg_ros.fitting.store import WORK
from trust_seg_ros.meta.errors import CollectError
from trust_seg_ros.segmentation.errors import ModelError
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.synthetic import training_sample

pytestmark = pytest.mark.slow


def content(store):
    """Every file of a table with its bytes."""
    return {str(p.relative_to(store)): p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file()}


def all_end(pids, within=20.0):
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not alive(pids):
            return True
        time.sleep(0.05)
    return False


@contextmanager
def collecting(settings, folder, store, workers, images):
    """A process, in a group of its own, that has collected some images and is to be ended."""
    modules = os.pathsep.join(path for path in sys.path if path)  # a test may have put a network there
    words = [modules, settings.model, folder.samples[0].image.parents[1], folder.classes, store, workers, images]
    with tempfile.TemporaryFile("w+") as output:
        process = WarmProcess("collect_process", *words, output=output)
        try:
            wait_for(lambda: "ready" in heard(output) or process.poll() is not None)
            assert heard(output) == "ready\n"
            yield process
        finally:
            process.kill()
            process.wait()


EMBEDDED = NetworkSettings(device="cpu")


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """Seven frames of the synthetic drive: enough for the embedded network to be at work for a while."""
    root = tmp_path_factory.mktemp("drive")
    for kind in ("images", "labels"):
        (root / kind).mkdir()
    for seed in range(7):
        image, labels = training_sample(seed, (120, 160))
        cv2.imwrite(str(root / "images" / f"s_{seed}.png"), image[..., ::-1])
        cv2.imwrite(str(root / "labels" / f"s_{seed}.png"), labels)
    return paired_folder(root, 11, (11, 255))


@pytest.fixture(scope="module")
def whole(drive, tmp_path_factory):
    """The table of the drive by a run of one process that nothing ended."""
    return content(collect(EMBEDDED, drive, tmp_path_factory.mktemp("one") / "t", "val", workers=1, part_images=4).path)


def test_the_table_is_the_same_for_any_workers_and_after_any_end(drive, whole, tmp_path):
    two = collect(EMBEDDED, drive, tmp_path / "two", "val", workers=2, part_images=4)
    assert content(two.path) == whole
    with collecting(EMBEDDED, drive, tmp_path / "killed", 1, 2) as process:
        process.kill()
    seen = []
    resumed = collect(
        EMBEDDED, drive, tmp_path / "killed", "val", workers=2, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, 7) for done in range(2, 8)]
    assert content(resumed.path) == whole


def test_a_finished_part_survives_and_is_not_computed_again(colours, blobs, tmp_path):
    with collecting(colours, blobs, tmp_path / "killed", 1, 5) as process:
        process.kill()
    part = tmp_path / "killed" / "split=val" / "part-00000.parquet"
    written = part.stat().st_mtime_ns
    for draft in ("000009.arrow.part", "part-00002.parquet.part", "000007.arrow"):
        (tmp_path / "killed" / WORK / "val" / draft).write_bytes(b"half")
    resumed = collect(colours, blobs, tmp_path / "killed", "val", workers=1)
    assert part.stat().st_mtime_ns == written
    assert content(resumed.path) == content(collect(colours, blobs, tmp_path / "x", "val", part_images=4).path)


def test_workers_end_when_the_main_process_is_killed(colours, blobs, tmp_path):
    with collecting(colours, blobs, tmp_path / "t", 2, 1) as process:
        workers = workers_of(process.pid)
        process.kill()
    assert len(workers) == 2
    assert all_end(workers)
    assert len(collect(colours, blobs, tmp_path / "t", "val", workers=1).read("val")) > 0


def test_ctrl_c_ends_everything_and_keeps_what_is_done(drive, tmp_path):
    with collecting(EMBEDDED, drive, tmp_path / "t", 2, 1) as process:
        pids = children(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) != 0
    assert all_end(pids)
    seen = []
    collect(EMBEDDED, drive, tmp_path / "t", "val", workers=1, progress=lambda done, _: seen.append(done))
    assert 1 <= seen[0] < 7


def test_a_killed_worker_is_a_clear_error(drive, whole, tmp_path):
    def kill_one(done, _):
        if done == 1:
            os.kill(workers_of(os.getpid())[0], signal.SIGKILL)

    with pytest.raises(CollectError, match=r"worker process \d+ was ended by SIGKILL at image 's_\d'.*--workers"):
        collect(EMBEDDED, drive, tmp_path / "t", "val", workers=2, progress=kill_one, part_images=4)
    assert not workers_of(os.getpid())
    assert content(collect(EMBEDDED, drive, tmp_path / "t", "val", workers=1, part_images=4).path) == whole


def test_a_network_that_fails_in_a_worker_says_why_and_a_pool_that_is_left_has_no_workers(colours, blobs, tmp_path):
    (tmp_path / "net" / "colours_net.weights").unlink()
    with Pool(colours, blobs, 2, 1) as pool:
        with pytest.raises(ModelError, match="colours_net"):
            list(pool.results([(0, tmp_path / "0.arrow"), (1, tmp_path / "1.arrow")]))
        pids = pool.pids
        assert alive(pids) == [*pids]
    assert not alive(pids)
