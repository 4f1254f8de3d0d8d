"""The time limit of an end, in small processes of their own."""

import signal
import subprocess
import sys
import time

import pytest
from warm_processes import python_environment

from trust_seg_ros.node.ending import LIMIT_S

BEGIN = """
import ctypes, sys, time
from trust_seg_ros.node.ending import Ending
ending = Ending()
{}
print("ready", flush=True)
{}
"""
OPEN = "ending.something_is_open()"
NEVER = "while True: time.sleep(0.01)"
HOLD = "while True: ctypes.PyDLL(None).sleep(100)"


@pytest.fixture
def begin():
    running = []

    def start(*lines):
        line = [sys.executable, "-c", BEGIN.format(*lines)]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=python_environment())
        running.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ends(process, how=signal.SIGINT):
    """Exit status and seconds from the signal to the end."""
    signalled = time.monotonic()
    process.send_signal(how)
    return process.wait(20), time.monotonic() - signalled


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_at_once_while_nothing_is_open(begin, how):
    status, took = ends(begin("", NEVER), how)
    assert (status, took < 0.5) == (0, True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_who_waits_is_woken_and_ends_it_by_itself(begin, how):
    process = begin(OPEN, "ending.wait(); print('orderly', flush=True); sys.exit(7)")
    status, took = ends(process, how)
    assert (status, took < LIMIT_S, process.stdout.read()) == (7, True, "orderly\n")


def test_asked_without_a_signal(begin):
    assert begin(OPEN, "ending.ask(); ending.wait(); sys.exit(7)").wait(20) == 7


@pytest.mark.parametrize("state", ["", OPEN], ids=["nothing open", "something open"])
@pytest.mark.parametrize("doing", [NEVER, HOLD], ids=["python", "C code that keeps the lock"])
def test_at_the_limit_at_the_latest(begin, state, doing):
    status, took = ends(begin(state, doing))
    assert (status, took < 2.0) == (0, True)


def test_at_once_at_a_second_signal(begin):
    process = begin(OPEN, NEVER)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    status, took = ends(process)
    assert (status, took < 0.5) == (0, True)


def test_the_same_wish_sent_twice_still_ends_it_in_order(begin):
    process = begin(OPEN, "ending.wait(); time.sleep(0.2); sys.exit(7)")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 7
