"""A replay that was killed or stopped goes on where it was, and gives what it would have given."""

import os
import signal

import pytest
from fault_bags import bag_files, command, contents, images, write_bag
from replay_processes import Running, alive, children, wait_for, workers_of
from warm_processes import warm_run

from trust_seg_ros.cli import main

pytestmark = pytest.mark.slow

FRAMES, CHUNK = 48, 4
WORDS = ("-p", "model:=fault_networks:sluggish", "--chunk-frames", str(CHUNK))


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("drive") / "drive", images(FRAMES))


@pytest.fixture(scope="module")
def whole(bag, tmp_path_factory):
    """Files of the bag that a replay gives which nothing interrupts."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(command(bag, out, *WORDS)) == 0
    assert len([1 for topic, _, _ in contents(out) if topic == "/trust_seg/segmentation"]) == FRAMES
    return bag_files(out)


@pytest.fixture
def running(bag, tmp_path):
    """Starts the command; whatever becomes of a test, no process stays."""
    started = []

    def start(workers):
        out = tmp_path / "out"
        started.append(Running(command(bag, out, *WORDS, workers=workers), out))
        return started[-1]

    yield start
    for one in started:
        one.sweep()


def resumed(bag, out, capsys):
    """What a second run says."""
    capsys.readouterr()
    assert main(command(bag, out, *WORDS)) == 0
    return capsys.readouterr().out


def test_a_killed_replay_loses_the_chunks_in_work_and_nothing_else(running, bag, whole, tmp_path, capsys):
    workers = 2
    run = running(workers)
    wait_for(run.in_the_middle)
    assert len(workers_of(run.process.pid)) == workers
    run.kill()
    finished = run.files()
    in_work = list(run.work.glob("*.part*"))
    assert 2 <= len(finished) < len(whole) - 1
    assert len(in_work) <= workers
    assert not (tmp_path / "out" / "metadata.yaml").exists()
    said = resumed(bag, tmp_path / "out", capsys)
    assert f"{len(finished)} of {len(whole) - 1} chunks were done before" in said
    assert bag_files(tmp_path / "out") == whole
    kept = {name: (tmp_path / "out" / name).stat() for name in finished}
    assert {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in kept.items()} == finished
    assert [path.name for path in run.work.iterdir()] == ["job.json"]


def test_ctrl_c_stops_at_once_and_leaves_what_can_be_gone_on_with(running, bag, whole, tmp_path, capsys):
    run = running(2)
    wait_for(run.in_the_middle)
    family = children(run.process.pid)
    os.killpg(run.process.pid, signal.SIGINT)
    code, _, err = run.end()
    assert code == 130, err
    assert err == (
        f"trust-seg replay: stopped; finished chunks are kept in {tmp_path / 'out'}, the same command goes on there\n"
    )
    wait_for(lambda: not alive(family))
    assert not list(run.work.glob("*.part*"))
    assert len(run.finished()) >= 2
    assert "chunks were done before" in resumed(bag, tmp_path / "out", capsys)
    assert bag_files(tmp_path / "out") == whole


def test_a_killed_worker_costs_its_chunk_and_is_replaced(running, whole, tmp_path):
    run = running(2)
    wait_for(run.in_the_middle)
    os.kill(workers_of(run.process.pid)[0], signal.SIGKILL)
    code, out, err = run.end()
    assert code == 0, err
    assert "tried again: chunk " in out
    assert "a worker ended in the middle of its chunk" in out
    assert bag_files(tmp_path / "out") == whole


KILLED_AT = {
    "moving the files": "finish._take_out = third(finish._take_out)",
    "writing the report": "finish._write_report = killed",
    "writing metadata.yaml": "finish.join_metadata = killed",
    "tidying up": "job.shutil.rmtree = third(job.shutil.rmtree)",
}


def test_a_replay_that_is_killed_again_and_again_while_it_finishes_becomes_whole(bag, whole, tmp_path, capsys):
    out = tmp_path / "out"
    words = command(bag, out, *WORDS, "--report", "--segments")
    _, said, errors = warm_run("killed_finish_process", ";".join(KILLED_AT.values()), *words)
    ends = [text for text in said.splitlines() if text.startswith("ended:")]
    assert ends == [f"ended: {signal.SIGKILL:d} {step == 'tidying up'}" for step in KILLED_AT], said + errors
    capsys.readouterr()
    assert main(words) == 0
    assert "is complete already" in capsys.readouterr().out
    assert bag_files(out) == whole
    assert {path.name for path in out.iterdir()} - whole.keys() == {
        ".replay", "frames.parquet", "segments.parquet", "report.html",
    }  # fmt: skip
    assert [path.name for path in (out / ".replay").iterdir()] == ["job.json"]
