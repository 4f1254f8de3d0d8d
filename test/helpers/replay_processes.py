"""The command in a process of its own for tests that kill or weigh it."""

import os
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from warm_processes import WarmProcess, heard

PATIENCE_S = 180


def wait_for(condition):
    """Poll until it holds, and give what it gives."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        time.sleep(0.01)
    return found


def alive(pids):
    """Those of the processes that still run."""
    return [pid for pid in pids if _state(pid) not in ("", "Z")]


def workers_of(pid):
    """Processes that work for another one: those that its fork server has made."""
    family = children(pid)
    servers = {one for one, line in family.items() if "multiprocessing.forkserver" in line}
    return [one for one in servers if _parent(one) in servers]


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


def _parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def memory_of(pid):
    """Bytes that a process holds of the machine's memory; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class Running:
    """A replay in a process of its own, with a group of its own, as a terminal would start it.

    Args:
        words: of ``trust-seg``.
        out: its output folder.
    """

    def __init__(self, words, out):
        self.work = out / ".replay"
        # As long as the replay; a full pipe would stop it.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._complained = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = WarmProcess("trust_seg_ros.cli", *words, output=self._said, errors=self._complained)

    def finished(self):
        """Folders of finished chunks."""
        return [path.parent for path in self.work.glob("chunk_*/done.json") if ".part" not in path.parent.name]

    def in_the_middle(self, chunks=2):
        """Whether so many chunks are finished and one is in work; a process that has ended never will be."""
        if self.process.poll() is not None:
            pytest.fail(f"ended with {self.end()}")
        return len(self.finished()) >= chunks and any(self.work.glob("*.part*"))

    def files(self):
        """Files of finished chunks: name -> their place and time, which say that they were not made again."""
        found = {}
        for folder in self.finished():
            (file,) = folder.glob("trust_seg_*/trust_seg_*.mcap")
            found[file.name] = (file.stat().st_ino, file.stat().st_mtime_ns)
        return found

    def kill(self):
        """Kill it alone, as the system does when memory runs out, and wait until its workers are gone, too."""
        family = children(self.process.pid)
        self.process.kill()
        self.process.wait()
        wait_for(lambda: not alive(family))

    def end(self):
        """(status, stdout, stderr)."""
        return self.process.wait(timeout=PATIENCE_S), heard(self._said), heard(self._complained)

    def sweep(self):
        """Leave no process behind, whatever became of a test."""
        with suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.end()
