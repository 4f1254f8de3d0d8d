"""Thousands of frames: memory stays flat from the first to the last, and kill -9 costs the chunks in work."""

import time
from collections import defaultdict
from contextlib import contextmanager

import pytest
from fault_bags import BEGIN, IMAGE, STEP, Message, bag_files, command, image_bytes, table, write_bag
from replay_processes import Running, children, memory_of, wait_for

from trust_seg_ros.cli import main

FRAMES, CHUNK, SIZE = 2_000, 50, (128, 144)
WORDS = ("--chunk-frames", str(CHUNK), "--topics", "segmentation", "--keep", "none")


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Some pictures over and over, each with its own stamp."""
    made = [image_bytes(i, 0, SIZE) for i in range(16)]

    def stamped(i):
        at = BEGIN + i * STEP
        seconds, nanoseconds = divmod(at, 10**9)
        data = made[i % len(made)]
        return data[:4] + seconds.to_bytes(4, "little") + nanoseconds.to_bytes(4, "little") + data[12:]

    messages = (Message("/cam", BEGIN + i * STEP, IMAGE, stamped(i)) for i in range(FRAMES))
    return write_bag(tmp_path_factory.mktemp("long") / "drive", messages)


@contextmanager
def started(bag, out, workers):
    run = Running(command(bag, out, *WORDS, workers=workers), out)
    try:
        yield run
    finally:
        run.sweep()


@pytest.fixture(scope="module")
def whole(bag, tmp_path_factory):
    """(output, samples) of a replay that nothing interrupts: process -> (share done, bytes of memory)."""
    out, samples = tmp_path_factory.mktemp("whole") / "out", defaultdict(list)
    with started(bag, out, workers=2) as run:
        while run.process.poll() is None:
            share = 1.0 if any(out.glob("*.mcap")) else len(run.finished()) * CHUNK / FRAMES
            for pid in (run.process.pid, *children(run.process.pid)):
                samples[pid].append((share, memory_of(pid)))
            time.sleep(0.1)
        status, _, error = run.end()
    assert status == 0, error
    return out, samples


def grown(samples, until):
    """Bytes by which all processes together exceed, from the first fifth on, what they had taken before."""
    total = 0
    for of_process in samples.values():
        early = [memory for share, memory in of_process if share <= 0.2]
        late = [memory for share, memory in of_process if 0.2 < share <= until]
        assert early
        assert late
        total += max(0, max(late) - max(early))
    return total


def test_memory_stays_flat(whole):
    """While the work goes on not even a mask is kept: one byte per pixel of the last 1,600 frames would be 29.5 MB.

    At the end Arrow and zstd take some 30 MB, whether there are a thousand frames or ten thousand; the frames would be
    three bytes per pixel, 88 MB.
    """
    _, samples = whole
    assert len(samples) >= 3
    pixels = 0.8 * FRAMES * SIZE[0] * SIZE[1]
    assert grown(samples, until=0.99) < pixels
    assert grown(samples, until=1.0) < 3 * pixels


def test_every_frame_has_its_row(whole):
    rows = table(whole[0])
    assert rows["stamp_ns"] == [BEGIN + i * STEP for i in range(FRAMES)]
    assert rows["index"] == list(range(FRAMES))
    assert set(rows["refused"]) == {""}


def test_killed_in_the_middle_it_goes_on_to_the_same_end(bag, whole, tmp_path, capsys):
    out = tmp_path / "out"
    with started(bag, out, workers=2) as run:
        wait_for(lambda: run.in_the_middle(FRAMES // CHUNK // 2))
        run.kill()
        finished = run.files()
    assert main(command(bag, out, *WORDS, workers=1)) == 0
    assert f"{len(finished)} of {FRAMES // CHUNK} chunks were done before" in capsys.readouterr().out
    assert bag_files(out) == bag_files(whole[0])
    kept = {name: (out / name).stat() for name in finished}
    assert {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in kept.items()} == finished
