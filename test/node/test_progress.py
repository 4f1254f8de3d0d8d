import time

import pytest

from trust_seg_ros.node.progress import Progress


def test_nothing_is_said_while_nothing_goes_on():
    said = []
    progress = Progress(said.append, period_s=0.0)
    progress.waiting()
    assert (progress.text(), said) == ("", [])
    progress.step("loading")
    progress.end()
    progress.waiting()
    assert (progress.text(), said) == ("", [])


def test_the_current_step_is_said_once_a_period():
    said = []
    progress = Progress(said.append, period_s=0.2)
    progress.step("loading the network")
    assert progress.text() == "loading the network, 0 s"
    began = time.monotonic()
    while len(said) < 2:
        progress.waiting()
        assert time.monotonic() - began < 20
    assert time.monotonic() - began >= 0.4
    assert set(said) == {"configuring: loading the network, 0 s"}


def test_a_step_that_has_just_begun_is_not_said():
    said = []
    progress = Progress(said.append, period_s=60.0)
    for step in ("loading", "compiling"):
        progress.step(step)
        progress.waiting()
    assert (said, progress.text()) == ([], "compiling, 0 s")


def test_what_is_no_longer_wanted_is_given_up():
    def check():
        raise InterruptedError("not wanted")

    with pytest.raises(InterruptedError, match="not wanted"):
        Progress(print, check).waiting()
