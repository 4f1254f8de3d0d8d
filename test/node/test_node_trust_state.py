"""What the real node says on ~/trust_state and ~/summary: from start to end, of every kind of fault, and at once."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from moody_networks import BLIND, FROZEN, HANGS, KEEPS_LOCK, LOCK_S, SPECKLED, WELL
from rclpy.duration import Duration
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_bench import LATCHED, Bench, NodeProcess, watched
from std_srvs.srv import SetBool

from trust_seg_ros.trust_state.reasons import ROWS

pytestmark = [pytest.mark.ros, pytest.mark.slow]

OK, WARN, ERROR = b"\x00", b"\x01", b"\x02"
PERIOD_S = 0.1
FIRST_KEYS = ["state", "reasons", "since_s", "stamp", "sequence", "frame_stamp", "age_s", "void", "holds"]


class Planner(Bench):
    """A camera of 10 Hz, and what a planner hears."""

    def __init__(self, target):
        super().__init__(target)
        self.heard, self.summaries = [], []
        self._random, self._due, self._frames = np.random.default_rng(0), 0.0, 0
        self.node.create_subscription(DiagnosticStatus, f"/{target}/trust_state", self._hear, LATCHED)
        self.node.create_subscription(DiagnosticArray, f"/{target}/summary", self.summaries.append, 10)

    def _hear(self, msg):
        self.heard.append((time.monotonic(), msg))

    def value_of(self, key):
        return {v.key: v.value for v in self.heard[-1][1].values}[key]

    @property
    def reasons(self):
        return self.value_of("reasons").split() if self.heard else None

    def picture(self, mood=WELL):
        """Noise in blocks, sharp and lively, with the mood of the network in its first pixel."""
        blocks = self._random.integers(30, 220, (12, 16, 3)).astype(np.uint8)
        picture = blocks.repeat(4, 0).repeat(4, 1)
        picture[0, 0] = mood
        return picture

    def until_with(self, make, condition, what, deadline=60.0):
        def each():
            now = time.monotonic()
            if make is not None and now >= self._due:
                self._due = max(self._due + PERIOD_S, now)
                self._frames += 1
                stamp = divmod(time.time_ns(), 10**9)
                self.send(make(), stamp=stamp)

        return self.until(condition, what, deadline, each)

    def well(self):
        self.until_with(self.picture, lambda: self.reasons == [], "NOMINAL")

    def becomes(self, key, make, level, deadline=20.0):
        """Send pictures until this reason is there at this level; gives the seconds that it took."""
        start = time.monotonic()
        self.until_with(
            make, lambda: key in self.reasons and self.heard[-1][1].level == level, f"{key}: {self.reasons}", deadline
        )
        return time.monotonic() - start


@pytest.fixture(scope="module")
def moody():
    settings = {"diagnostics.image_period_ms": 200.0, "diagnostics.frozen_s": 1.0, "max_age_ms": 1000.0}
    settings["trust_state.image_checks"] = True
    node = NodeProcess("moody", model="moody_networks:moody", **settings)
    planner = Planner("moody")
    with watched(node, planner):
        planner.camera()
        yield planner


def test_keys_are_the_same_from_the_start_and_before_there_is_an_image(moody):
    moody.until(lambda: moody.heard, "the first message")
    first = moody.heard[0][1]
    assert first.level == ERROR
    moody.until(lambda: "no_result" in moody.reasons, "active")
    for _, status in moody.heard:
        assert [v.key for v in status.values] == FIRST_KEYS + [row.key for row in ROWS]
        assert status.name == "moody: trust state"
        assert status.hardware_id == "/moody/image"
    sequence = [int({v.key: v.value for v in status.values}["sequence"]) for _, status in moody.heard]
    assert sequence == sorted(set(sequence))


def test_aggregators_find_the_state_on_diagnostics(moody):
    moody.well()
    moody.until_with(moody.picture, lambda: "trust state" in moody.statuses, "the status")
    moody.until_with(moody.picture, lambda: moody.statuses["trust state"].level == b"\x00", "NOMINAL there, too")
    assert moody.statuses["trust state"].name == "moody: trust state"


def test_all_is_well_and_the_newest_frame_is_told(moody):
    moody.well()
    assert moody.heard[-1][1].message == "NOMINAL: nothing is wrong"
    assert 0.0 <= float(moody.value_of("age_s")) < 1.0
    assert float(moody.value_of("frame_stamp")) <= float(moody.value_of("stamp"))
    since = moody.heard[-1][0]
    moody.until_with(moody.picture, lambda: time.monotonic() > since + 2.0, "two seconds")
    times = [at for at, _ in moody.heard if at > since]
    assert len(times) >= 10, "at least 5 Hz"


def test_who_subscribes_late_or_asks_for_a_deadline_is_served(moody):
    moody.well()
    late, asked = [], []
    moody.node.create_subscription(DiagnosticStatus, "/moody/trust_state", late.append, LATCHED)
    qos = QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.VOLATILE,
        deadline=Duration(seconds=0.5),
    )
    moody.node.create_subscription(DiagnosticStatus, "/moody/trust_state", asked.append, qos)
    moody.until_with(moody.picture, lambda: late and asked, "both hear")


def test_the_summary_has_the_header_and_the_state(moody):
    moody.well()
    before = len(moody.summaries)
    moody.until_with(moody.picture, lambda: len(moody.summaries) > before + 2, "a summary")
    message = moody.summaries[-1]
    assert (message.header.stamp.sec, message.header.stamp.nanosec) in set(moody.sent)
    assert message.header.frame_id == "front"
    (status,) = message.status
    values = {v.key: v.value for v in status.values}
    assert values["trust_state"] == "NOMINAL"
    assert (values["width"], values["height"]) == ("64", "48")
    assert 0.0 < float(values["processing_ms"]) < 1000.0
    assert status.level == OK


@pytest.mark.parametrize(
    ("key", "level", "make"),
    [
        ("bad_outputs", ERROR, lambda planner: planner.picture(BLIND)),
        ("bad_outputs", WARN, lambda planner: planner.picture(SPECKLED)),
        ("frozen_network", ERROR, lambda planner: planner.picture(FROZEN)),
        ("dark", ERROR, lambda planner: np.zeros((48, 64, 3), np.uint8)),
        ("overexposed", ERROR, lambda planner: np.full((48, 64, 3), 255, np.uint8)),
    ],
)
def test_faults_of_image_and_network_are_reasons_and_end(moody, key, level, make):
    moody.well()
    moody.becomes(key, lambda: make(moody), level)
    assert moody.value_of(key)
    moody.well()
    assert moody.value_of(key) == ""


def test_a_network_that_hangs_is_told_while_it_hangs(moody):
    moody.well()
    moody.send(moody.picture(HANGS), stamp=divmod(time.time_ns(), 10**9))
    until = time.monotonic() + 2 * PERIOD_S  # the next image would replace it if it were not in hand yet
    moody.until(lambda: time.monotonic() > until, "in hand")
    took = moody.becomes("hung", moody.picture, ERROR)
    assert took < 3.5, "it hangs for 4 s"
    assert "in hand" in moody.value_of("hung")
    moody.well()


def test_a_camera_that_falls_silent_is_lost_and_results_become_stale(moody):
    moody.well()
    moody.becomes("camera_lost", None, ERROR)
    moody.becomes("stale", None, ERROR)
    assert "without an image" in moody.value_of("camera_lost")
    moody.well()


def test_a_clock_that_jumps_back_is_told(moody):
    moody.well()
    jumped = time.time_ns() - 30 * 10**9
    moody.send(moody.picture(), stamp=divmod(jumped, 10**9))
    moody.becomes("clock_jump", None, ERROR, deadline=5.0)  # and the result is stale by its stamp
    assert "back by" in moody.value_of("clock_jump")
    moody.well()


def test_a_network_that_keeps_the_lock_is_told_by_the_deadline_and_afterwards(moody):
    moody.well()
    missed, asked = [], []
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, deadline=Duration(seconds=0.5))
    events = SubscriptionEventCallbacks(deadline=lambda _: missed.append(time.monotonic()))
    moody.node.create_subscription(DiagnosticStatus, "/moody/trust_state", asked.append, qos, event_callbacks=events)
    moody.until_with(moody.picture, lambda: len(asked) > 5, "the middleware measures from the first message on")
    missed.clear()
    moody.send(moody.picture(KEEPS_LOCK), stamp=divmod(time.time_ns(), 10**9))
    until = time.monotonic() + 2 * PERIOD_S
    moody.until(lambda: time.monotonic() > until, "in hand")
    moody.until(lambda: missed, "a missed deadline", LOCK_S)
    moody.becomes("stood_still", moody.picture, ERROR)  # the frame in hand is told, too
    silent = max(b - a for (a, _), (b, _) in zip(moody.heard[-40:-1], moody.heard[-39:], strict=False))
    assert silent > LOCK_S - 0.5
    moody.well()


def test_disabled_or_inactive_nothing_can_be_trusted(moody):
    moody.well()
    assert moody.call(SetBool, "enable", SetBool.Request(data=False)).success
    moody.until(lambda: moody.reasons == ["inactive"], "disabled")
    assert "disabled" in moody.value_of("inactive")
    assert moody.call(SetBool, "enable", SetBool.Request(data=True)).success
    moody.well()
    assert moody.change("deactivate")
    moody.until(lambda: moody.reasons == ["inactive"], "inactive")
    assert moody.change("activate")
    moody.well()


def test_reasons_can_be_ignored_and_limits_set(moody):
    moody.well()
    assert not moody.set("trust_state.ignore", "dark gloomy").successful
    assert moody.set("trust_state.ignore", "dark overexposed").successful
    moody.until_with(
        lambda: np.zeros((48, 64, 3), np.uint8) + 1, lambda: int(moody.value_of("sequence")) % 40 == 39, "some frames"
    )
    assert "dark" not in moody.reasons
    assert moody.set("trust_state.ignore", "").successful
    moody.becomes("dark", lambda: np.zeros((48, 64, 3), np.uint8) + 1, ERROR)
    moody.well()


def test_files_of_another_network_are_a_mismatch_and_the_last_word_is_that_it_ends():
    node = NodeProcess("mismatch", model="embedded", model_sha256="0123456789ab")
    planner = Planner("mismatch")
    with watched(node, planner):
        planner.until(lambda: planner.heard and "model_mismatch" in planner.reasons, "a mismatch")
        assert "model_sha256" in planner.value_of("model_mismatch")
        assert planner.heard[-1][1].level == ERROR
    planner = Planner("ends")
    node = NodeProcess("ends")
    try:
        planner.until(lambda: planner.heard, "a message")
        node.process.send_signal(2)
        planner.until(lambda: "being ended" in planner.heard[-1][1].message, "the last word", 10.0)
    finally:
        planner.close()
        node.kill()
