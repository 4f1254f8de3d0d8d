"""Shared memory of killed processes is removed, that of living ones never."""

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest
from ros_bench import Bench, NodeProcess
from test_node_ends import shared_memory

from trust_seg_ros.node import shared_memory as module
from trust_seg_ros.node.shared_memory import remove_dead_segments

OLD = time.time() - 60


def segment(folder, number, size=8192, kind="dds"):
    """A segment as a killed process leaves it; returns it and its lock file."""
    file = folder / f"fast{kind}_{number:016x}"
    file.write_bytes(b"\1" * size)
    lock = folder / f"{file.name}_el"
    lock.touch()
    os.utime(lock, (OLD, OLD))
    return file, lock


def names(folder):
    return {entry.name for entry in folder.iterdir()}


@pytest.mark.parametrize("kind", ["dds", "rtps"])
def test_what_nobody_has_locked_is_removed(tmp_path, kind):
    for number in range(3):
        segment(tmp_path, number, kind=kind)
    assert remove_dead_segments(tmp_path) >= 3 * 8192
    assert names(tmp_path) == set()
    assert remove_dead_segments(tmp_path) == 0


def test_what_is_locked_stays(tmp_path):
    _, lock = segment(tmp_path, 1)
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert remove_dead_segments(tmp_path) == 0
        assert len(names(tmp_path)) == 2
    remove_dead_segments(tmp_path)
    assert names(tmp_path) == set()


def test_what_is_about_to_be_locked_stays(tmp_path):
    _, lock = segment(tmp_path, 1)
    lock.touch()
    assert remove_dead_segments(tmp_path) == 0
    assert len(names(tmp_path)) == 2


def test_what_is_of_another_user_stays(tmp_path, monkeypatch):
    segment(tmp_path, 1)
    monkeypatch.setattr(module.os, "getuid", lambda: os.geteuid() + 1)
    assert remove_dead_segments(tmp_path) == 0
    assert len(names(tmp_path)) == 2


def test_what_is_not_a_segment_stays(tmp_path):
    (tmp_path / "precious").write_text("data")
    (tmp_path / f"fastdds_{7:016x}_el").symlink_to(tmp_path / "precious")
    for name in ("fastdds_port7411_el", "fastdds_7_el", "sem.fastdds_port7411_mutex", f"fastdds_{8:016x}", "lttng"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (OLD, OLD))
    before = names(tmp_path)
    assert remove_dead_segments(tmp_path) == 0
    assert names(tmp_path) == before
    assert remove_dead_segments(tmp_path / "absent") == 0


def test_a_lock_file_without_its_segment_is_removed(tmp_path):
    segment(tmp_path, 1)[0].unlink()
    assert remove_dead_segments(tmp_path) == 0
    assert names(tmp_path) == set()


def test_processes_that_start_at_once_do_not_disturb_each_other(tmp_path):
    """Some clean up while others make and lock segments of their own, as Fast DDS does."""
    for number in range(50):
        segment(tmp_path, number)
    held, go = [], threading.Barrier(6)

    def start(first):
        go.wait()
        remove_dead_segments(tmp_path)
        for number in range(first, first + 20):
            lock = tmp_path / f"fastdds_{number:016x}_el"
            file = lock.open("w")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (tmp_path / f"fastdds_{number:016x}").touch()
            held.append((file, lock))
            remove_dead_segments(tmp_path)

    threads = [threading.Thread(target=start, args=(1000 * n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 120
    assert [lock for file, lock in held if os.fstat(file.fileno()).st_ino != lock.stat().st_ino] == []
    assert len(names(tmp_path)) == 240, "the dead ones are gone, and nothing else"


@pytest.mark.slow
@pytest.mark.ros
def test_a_node_removes_what_a_killed_one_left_and_nothing_of_a_living_one():
    living, killed = NodeProcess("memory_living"), NodeProcess("memory_killed")
    benches = [Bench(node.name) for node in (living, killed)]
    nodes = [living, killed]
    try:
        for bench in benches:
            bench.until(lambda b=bench: b.state() == "active", "the node to be active")
        kept, left = shared_memory(living.process.pid), shared_memory(killed.process.pid)
        killed.kill()
        assert left
        assert [path for path in left if not path.exists()] == []
        for path in (*left, *kept):
            os.utime(f"{path}_el", (OLD, OLD))
        nodes.append(NodeProcess("memory_next"))
        benches.append(Bench("memory_next"))
        benches[-1].until(lambda: benches[-1].state() == "active", "the next node to be active")
        assert [path for path in left if path.exists() or Path(f"{path}_el").exists()] == []
        assert [path for path in kept if not path.exists()] == []
        assert "shared memory that killed processes had left behind" in nodes[-1].said()
        benches[0].listen("segmentation")
        benches[0].camera()
        assert benches[0].answer("segmentation").height == 48, "the living node is undisturbed"
    finally:
        for bench in benches:
            bench.close()
        for node in nodes:
            node.kill()
