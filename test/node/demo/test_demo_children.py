import os
import signal
import subprocess
import sys
import time

import pytest

from trust_seg_ros.node.demo.children import Child, ChildError

READY = "print('ready', flush=True); time.sleep(60)"


def start(tmp_path, code):
    child = Child("helper", [sys.executable, "-c", f"import signal, subprocess, sys, time\n{code}"], tmp_path / "log")
    wait_for(lambda: "ready" in child.tail() or child.code is not None)
    return child


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second where it ends between opening and reading
        return False


def test_an_interrupt_is_tried_first(tmp_path):
    child = start(tmp_path, f"try:\n {READY}\nexcept KeyboardInterrupt:\n print('ended well'); sys.exit(0)")
    assert child.stop() == 0
    assert "ended well" in child.tail()


def test_an_interrupt_reaches_a_child_although_its_parent_ignores_them(tmp_path):
    """As a demo does that a script has started in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = start(tmp_path, f"try:\n {READY}\nexcept KeyboardInterrupt:\n print('ended well'); sys.exit(0)")
        assert child.stop() == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert "ended well" in child.tail()


def test_a_stubborn_child_and_what_it_started_are_killed(tmp_path):
    code = (
        "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(other.pid, flush=True)\n"
    )
    child = start(tmp_path, code + READY)
    grandchild = int(child.tail().split()[0])
    assert alive(grandchild)
    assert child.stop(patience=0.2) == -signal.SIGKILL
    wait_for(lambda: not alive(grandchild))


def test_leaving_the_context_ends_it_even_after_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="mine"), start(tmp_path, READY) as child:
        raise RuntimeError("mine")
    assert child.code == -signal.SIGINT or child.code == 1


def test_the_reason_names_exit_code_and_last_words(tmp_path):
    child = start(tmp_path, "print('line one'); sys.exit('the disk is full')")
    child.process.wait(10)
    assert "exit code 1" in child.reason()
    assert "the disk is full" in child.reason()
    killed = start(tmp_path, READY)
    os.kill(killed.process.pid, signal.SIGKILL)
    killed.process.wait(10)
    assert "SIGKILL" in killed.reason()


def test_a_program_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ChildError, match="/no/such/program"):
        Child("helper", ["/no/such/program"], tmp_path / "log")


def test_a_killed_parent_takes_its_children_along(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom trust_seg_ros.node.demo.children import Child\n"
        f"log = Path({str(tmp_path / 'log')!r})\n"
        "child = Child('helper', [sys.executable, '-c', 'import time; time.sleep(60)'], log)\n"
        "print(child.process.pid, flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        orphan = int(parent.stdout.readline())
        assert alive(orphan)
        parent.kill()
        wait_for(lambda: not alive(orphan))
