"""A network or a camera that falls ill is told by the real node, at once and steadily."""

import os
import signal
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from moody_networks import BLIND, FROZEN, HANG_S, HANGS, RAISES, SLOW, SPECKLED, WELL
from places import HELPERS
from ros_bench import Bench, NodeProcess, start, watched

pytestmark = [pytest.mark.ros, pytest.mark.slow]

OK, WARN, ERROR = b"\x00", b"\x01", b"\x02"
PERIOD_S = 0.1
HOLD_S = 3.0


class Drive(Bench):
    """A camera of 10 Hz whose images all differ, and a diary of what the diagnostics say."""

    def __init__(self, target):
        super().__init__(target)
        self.diary = []
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._note, 100)
        self._random = np.random.default_rng(0)
        self._frames = 0

    def _note(self, msg):
        for status in msg.status:
            self.diary.append((time.monotonic(), status.name.partition(": ")[2], status.level, status.message))

    def picture(self, mood):
        picture = self._random.integers(1, 256, (48, 64, 3)).astype(np.uint8)
        picture[0, 0] = mood
        return picture

    def until_with(self, moods, condition, what, deadline=60.0):
        """Send images of these moods in turn, ten a second, until the condition holds."""
        due = [0.0]

        def each():
            if time.monotonic() >= due[0]:
                due[0] = max(due[0] + PERIOD_S, time.monotonic())
                self._frames += 1
                self.send(self.picture(moods[self._frames % len(moods)]))

        return self.until(condition, what, deadline, each)

    def wait(self, seconds):
        """Listen, and send nothing, for so long."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, "the end of a pause")

    def drive(self, seconds, *moods):
        """Send images for so long; gives (when it began, what the diagnostics said meanwhile)."""
        start, end, first = time.monotonic(), time.monotonic() + seconds, len(self.diary)
        self.until_with(moods, lambda: time.monotonic() > end, "the end of the drive")
        return start, self.diary[first:]

    def well(self):
        """Send images that are well until all levels are."""
        parts = ("camera", "processing")
        self.until_with((WELL,), lambda: all(p in self.statuses and self.statuses[p].level == OK for p in parts), "OK")

    def ill(self, level, part, words, *moods):
        """Send images of these moods until a status says so at this level; gives that status."""

        def said():
            status = self.statuses[part]
            return status.level == level and words in status.message.partition(" s ago: ")[0] and status

        return self.until_with(moods, said, f"{part} says {words!r}")


def levels(diary, part):
    """The levels of a part in order, without repeats."""
    found = [level for _, of_part, level, _ in diary if of_part == part]
    return [level for i, level in enumerate(found) if i == 0 or found[i - 1] != level]


@pytest.fixture(scope="module")
def moody():
    # jitter of a busy machine is no matter here: two periods are a second
    settings = {"diagnostics.hold_s": HOLD_S, "diagnostics.image_period_ms": 500.0, "diagnostics.frozen_s": 1.0}
    node = NodeProcess("moody", model="moody_networks:moody", **settings)
    bench = Drive("moody")
    with watched(node, bench):
        bench.listen("segmentation")
        bench.camera()
        yield node, bench
        print(*bench.diary[-200:], sep="\n")


@pytest.fixture
def drive(moody):
    moody[1].camera()
    moody[1].answer("segmentation", moody[1].picture(WELL))  # it has found its subscriber
    moody[1].well()
    return moody[1]


def test_a_network_that_hangs_is_an_error_while_it_hangs_and_for_a_while(drive):
    drive.send(drive.picture(HANGS))
    drive.wait(2 * PERIOD_S)  # the next image would replace it if it were not in hand yet
    start, diary = drive.drive(HANG_S - 0.5, WELL)
    first = next(at for at, part, level, _ in diary if (part, level) == ("processing", ERROR))
    assert first - start < 2.5 + 1.0, "five periods of half a second, and patience with a busy machine"
    assert levels(diary, "processing")[-2:] == [WARN, ERROR]
    assert "in hand for" in drive.statuses["processing"].message
    assert float(drive.value("processing", "processing ms (p99)")) > 1e3 * (HANG_S - 2)
    assert drive.statuses["camera"].level == OK
    _, diary = drive.drive(HOLD_S, WELL)
    assert levels(diary, "processing") == [ERROR]
    drive.well()


@pytest.mark.parametrize(
    ("moods", "level", "words"),
    [
        ((RAISES, WELL, WELL), ERROR, "RuntimeError: out of sorts"),
        ((BLIND,), ERROR, "logits that are not finite"),
        ((SPECKLED, WELL, WELL, WELL), WARN, "logits that are not finite"),
        ((FROZEN,), ERROR, "the network is frozen"),
    ],
)
def test_a_steady_fault_has_one_level(drive, moods, level, words):
    drive.ill(level, "processing", words, *moods)
    _, diary = drive.drive(2 * HOLD_S, *moods)
    assert levels(diary, "processing") == [level]
    assert all(words in message for _, part, _, message in diary if part == "processing")


def test_a_network_that_is_always_too_slow_is_an_error_though_it_is_as_usual(drive):
    try:
        assert drive.set("max_age_ms", 150.0).successful
        drive.ill(ERROR, "processing", "in hand for 0.5 s, max_age_ms = 150", SLOW)
        _, diary = drive.drive(HOLD_S + 1, SLOW)
        assert levels(diary, "processing") == [ERROR]
        assert drive.set("max_age_ms", 0.0).successful
        drive.drive(HOLD_S, SLOW)
        drive.until_with((SLOW,), lambda: drive.statuses["processing"].level == OK, "no limit")
    finally:
        drive.set("max_age_ms", 0.0)


def test_a_killed_camera_is_an_error_for_good(drive):
    drive.unplug()
    camera = start(str(HELPERS / "camera_process.py"), "/moody/image", "RELIABLE", "-", "front")
    try:
        drive.until(lambda: drive.statuses["camera"].level == OK and camera.poll() is None, "a camera")
        drive.says("camera", "frames/s")
        camera.kill()
        drive.until(lambda: drive.statuses["camera"].level == ERROR, "an error")
        first = len(drive.diary)
        # the middleware misses a killed process after 20 s
        drive.says("camera", "no publisher on /moody/image any more, last image")
        drive.wait(2 * HOLD_S)
    finally:
        camera.kill()
        camera.communicate()
    assert levels(drive.diary[first:], "camera") == [ERROR]
    assert drive.statuses["processing"].message.startswith("nothing to do: no image for")


def test_a_camera_that_repeats_one_image_is_told_from_a_network_that_does(drive):
    picture = drive.picture(WELL)
    end = time.monotonic() + 20
    drive.until(
        lambda: "images are the same" in drive.statuses["camera"].message,
        "a frozen camera",
        each=lambda: drive.send(picture),
    )
    assert time.monotonic() < end
    assert drive.statuses["camera"].level == WARN
    assert drive.statuses["processing"].level == OK


def test_a_node_that_was_stopped_blames_neither_camera_nor_network(moody, drive):
    node = moody[0]
    os.kill(node.process.pid, signal.SIGSTOP)
    time.sleep(4.0)
    os.kill(node.process.pid, signal.SIGCONT)
    first = len(drive.diary)
    drive.ill(WARN, "processing", "the whole node stood still for", WELL)
    drive.drive(1.0, WELL)
    assert levels(drive.diary[first:], "camera") == [OK]


def test_disabled_nothing_is_stale(drive):
    from std_srvs.srv import SetBool

    assert drive.call(SetBool, "enable", SetBool.Request(data=False)).success
    drive.says("camera", "disabled by ~/enable")
    first = len(drive.diary)
    drive.until(lambda: len(drive.diary) > first + 40, "ten reports")
    assert levels(drive.diary[first:], "camera") == levels(drive.diary[first:], "processing") == [OK]
    assert drive.call(SetBool, "enable", SetBool.Request(data=True)).success
    drive.well()
