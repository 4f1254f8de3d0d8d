"""A replay that was killed or stopped goes on where it was, and gives what it would have given."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from fault_bags import bag_files, command, contents, images, program, write_bag

from trust_seg_ros.cli import main

FRAMES, CHUNK = 48, 4
WORDS = ("-p", "model:=fault_networks:sluggish", "--chunk-frames", str(CHUNK))
PATIENCE_S = 120


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


def wait_for(condition):
    """Poll until it holds, and give what it gives."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        time.sleep(0.002)
    return found


def children(pid):
    """Processes that another one has started, and theirs, as far as they are alive: pid -> command line."""
    parents, lines = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(folder.name)] = int(parent)
                lines[int(folder.name)] = (folder / "cmdline").read_text()
    found = {pid}
    for _ in range(3):
        found |= {one for one, parent in parents.items() if parent in found}
    return {one: lines[one] for one in found - {pid}}


def alive(pids):
    """Those that are still there."""
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in status(pid)]


def status(pid):
    """What the system says of a process; a zombie's if it is gone."""
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "\nState:\tZ"


def workers_of(pid):
    """Processes that do chunks."""
    return [one for one, line in children(pid).items() if "spawn_main" in line]


class Running:
    """The command in a process of its own, with a group of its own, as a terminal would start it."""

    def __init__(self, bag, out, workers):
        line, environment = program(*command(bag, out, *WORDS, workers=workers))
        self.work = out / ".replay"
        self.process = subprocess.Popen(
            line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def done(self):
        """Finished chunks by number, with the place of their files: that they are not made again."""
        found = {}
        for path in self.work.glob("chunk_*/done.json"):
            if path.parent.suffix == "":
                (file,) = path.parent.glob("trust_seg_*/trust_seg_*.mcap")
                found[file.name] = (file.stat().st_ino, file.stat().st_mtime_ns)
        return found

    def in_the_middle(self):
        """Whether two chunks are finished and one is in work; a process that has ended never will be."""
        if self.process.poll() is not None:
            pytest.fail(f"ended with {self.process.returncode}: {self.process.communicate()}")
        finished = [path for path in self.work.glob("chunk_*/done.json") if ".part" not in path.parent.name]
        return len(finished) >= 2 and any(self.work.glob("*.part*"))

    def end(self):
        """(status, stdout, stderr)."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@pytest.fixture
def running(bag, tmp_path):
    """Starts the command; whatever becomes of a test, no process stays."""
    started = []

    def start(workers):
        started.append(Running(bag, tmp_path / "out", workers))
        return started[-1]

    yield start
    for one in started:
        with suppress(OSError):
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.communicate()


def resumed(bag, out, capsys):
    """What a second run says."""
    capsys.readouterr()
    assert main(command(bag, out, *WORDS)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_replay_loses_the_chunks_in_work_and_nothing_else(running, bag, whole, tmp_path, capsys, workers):
    run = running(workers)
    wait_for(run.in_the_middle)
    family = children(run.process.pid)
    assert len(workers_of(run.process.pid)) == (0 if workers == 1 else workers)
    run.process.kill()
    run.process.wait()
    wait_for(lambda: not alive(family))
    finished = run.done()
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


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_at_once_and_leaves_what_can_be_gone_on_with(running, bag, whole, tmp_path, capsys, workers):
    run = running(workers)
    wait_for(run.in_the_middle)
    family = children(run.process.pid)
    os.killpg(run.process.pid, signal.SIGINT)
    code, out, err = run.end()
    assert code == 130, err
    assert "stopped; the same command goes on where it was" in out
    assert err == ""
    wait_for(lambda: not alive(family))
    assert not list(run.work.glob("*.part*"))
    assert len(run.done()) >= 2
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
_SCRIPT = """
import os, signal, sys
from trust_seg_ros.recordings.replay import finish, job
from trust_seg_ros.cli import main

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def third(real):
    calls = []
    return lambda *args, **named: (calls.append(1), killed() if len(calls) == 3 else real(*args, **named))

real_finish = finish.finish
def patched(*args):
    {patch}
    return real_finish(*args)

from trust_seg_ros.recordings.replay import run
run.finish = patched
sys.exit(main(sys.argv[1:]))
"""


def test_a_replay_that_is_killed_again_and_again_while_it_finishes_becomes_whole(bag, whole, tmp_path, capsys):
    out = tmp_path / "out"
    words = command(bag, out, *WORDS, "--report", "--segments")
    line, environment = program(*words)
    for step, patch in KILLED_AT.items():
        script = _SCRIPT.replace("{patch}", patch)
        ended = subprocess.run([line[0], "-c", script, *words], env=environment, capture_output=True, text=True)
        assert ended.returncode == -signal.SIGKILL, f"{step}: {ended.stdout} {ended.stderr}"
        assert (out / "metadata.yaml").exists() == (step == "tidying up")
    capsys.readouterr()
    assert main(words) == 0
    assert "is complete already" in capsys.readouterr().out
    assert bag_files(out) == whole
    assert {path.name for path in out.iterdir()} - whole.keys() == {
        ".replay", "frames.parquet", "segments.parquet", "report.html",
    }  # fmt: skip
    assert [path.name for path in (out / ".replay").iterdir()] == ["job.json"]
