"""What a look at counters, ages and the lifecycle makes of them, by a clock that is set."""

import pytest

from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.node.trust_state_look import NodeNow, TrustLook
from trust_seg_ros.trust_state.reasons import Level
from trust_seg_ros.types import ShiftState


class Drive:
    """A node that is looked at 25 times a second, with a camera of 10 Hz and results after 50 ms."""

    def __init__(self, **parameters):
        self.now = 100.0
        self.statistics = Statistics(lambda: self.now)
        self.settings = settings_from(parameters)
        self.look = TrustLook(self.statistics)
        self.opened, self.node = self.now, {}
        self.state = self.step()

    def step(self, seconds=0.04, **node):
        self.now += seconds
        about = {"open_s": self.now - self.opened, "clock_s": self.now + 1e9, **self.node, **node}
        self.state, _ = self.look.look(
            NodeNow(self.settings, about.pop("phase", "active"), about.pop("active", True), **about)
        )
        return self.state

    def frames(self, number=1, answered=True, counted=()):
        for _ in range(number):
            self.statistics.arrived(0)
            self.step(0.05)
            if answered:
                self.statistics.finished(50.0, 60.0, {}, 1)
            for name in counted:
                self.statistics.count(name, f"why {name}")
            self.step(0.05)
        return self.state

    def silence(self, seconds):
        for _ in range(round(seconds / 0.04)):
            self.step()
        return self.state


@pytest.fixture
def drive():
    drive = Drive()
    assert "no_result" in drive.state.reasons
    drive.frames(40)
    return drive


def test_a_drive_is_nominal(drive):
    assert drive.state.level == Level.NOMINAL
    assert drive.frames(100).level == Level.NOMINAL


@pytest.mark.parametrize(
    ("counter", "key", "level"),
    [
        ("dark", "dark", Level.UNTRUSTED),
        ("blurred", "blurred", Level.DEGRADED),
        ("faulty", "bad_outputs", Level.DEGRADED),
        ("frozen", "frozen_network", Level.UNTRUSTED),
        ("still", "frozen_camera", Level.UNTRUSTED),
        ("implausible", "implausible", Level.UNTRUSTED),
        ("old", "stale", Level.UNTRUSTED),
        ("ahead", "clock", Level.DEGRADED),
        ("clock_jump", "clock_jump", Level.DEGRADED),
        ("failed", "failed", Level.DEGRADED),
        ("refused", "refused", Level.DEGRADED),
        ("no_ground", "no_ground", Level.DEGRADED),
    ],
)
def test_what_is_counted_is_a_reason_until_it_is_over(drive, counter, key, level):
    state = drive.frames(3, counted=[counter])
    assert (state.reasons, state.level) == ((key,), level)
    assert state.found[0].text == f"why {counter}"
    assert drive.frames(40).level == Level.NOMINAL


@pytest.mark.parametrize(
    ("counters", "key"), [(("faulty", "blind"), "bad_outputs"), (("blurred", "blurred (useless)"), "blurred")]
)
def test_the_worse_form_is_worse(drive, counters, key):
    state = drive.frames(3, counted=counters)
    assert (state.reasons, state.level) == ((key,), Level.UNTRUSTED)


def test_without_images_the_camera_is_late_then_lost_and_results_stale(drive):
    assert drive.silence(0.2).level == Level.DEGRADED
    assert drive.state.reasons == ("camera_lost",)
    state = drive.silence(0.4)
    assert (state.level, state.reasons) == (Level.UNTRUSTED, ("camera_lost",))
    assert "stale" in drive.silence(0.6).reasons
    assert drive.frames(15).reasons == ("dropped",), "of the last 3 s a quarter is missing"
    assert drive.frames(50).level == Level.NOMINAL


def test_a_frame_in_hand_is_slow_then_hung(drive):
    taken = drive.now
    levels = []
    for _ in range(8):
        drive.statistics.arrived(1)
        drive.node["taken_at"] = taken
        drive.step(0.05)
        levels.append(drive.step(0.05).reasons)
    assert levels[0] == ()
    assert levels[3] == ("slow",)
    assert levels[-1] == ("hung", "slow")
    assert drive.state.level == Level.UNTRUSTED


def test_a_topic_that_cannot_be_subscribed_to_is_lost(drive):
    state = drive.step(open_s=None)
    assert (state.level, state.reasons[0]) == (Level.UNTRUSTED, "camera_lost")


def test_every_second_image_missing_is_told(drive):
    drive.frames(100)
    for _ in range(15):
        drive.frames(1)
        drive.step(0.05)
        drive.step(0.05)
    assert drive.state.reasons == ("dropped",)


def test_a_full_queue_drops_images():
    drive = Drive(mode="every")
    drive.frames(40)
    drive.statistics.arrived(3)
    assert drive.step().reasons == ("dropped",)
    assert "3 frames" in drive.state.message


def test_nobody_who_listens_is_no_camera_that_is_lost():
    drive = Drive()
    for _ in range(20):
        drive.statistics.arrived(0)
        drive.statistics.nothing_due(unwatched=True)
        state = drive.step(0.1)
    assert (state.level, state.reasons) == (Level.UNTRUSTED, ("unwatched",))


def test_a_shift_and_what_is_void(drive):
    fired = ShiftState(True, 50, True, 1e-3, "entropy", "mean entropy", 0.5, 0.1, 0.05)
    assert drive.step(shift=fired).reasons == ("shifted",)
    void = ShiftState(True, 50, True, 1e-3, "entropy", "mean entropy", 0.5, 0.1, 0.05, void=("pixels: recall",))
    state = drive.step(shift=void)
    assert state.reasons == ("shifted", "guarantee_void")
    assert "pixels: recall" in state.message


def test_settings_without_effect_never_end(drive):
    drive.node["notes"] = ("there is no parameter treshold",)
    assert drive.frames(100).reasons == ("settings",)


def test_an_inactive_node_says_why_and_starts_anew(drive):
    drive.frames(3, counted=["dark"])
    state = drive.step(phase="unconfigured", active=False, problem="on_configure: no file")
    assert state.reasons[-1] == "inactive"
    assert "no file" in state.message
    state = drive.step(phase="unconfigured", active=False, problem="other weights", mismatch=True)
    assert "model_mismatch" in state.reasons
    assert "dark" not in drive.step().reasons, "it was activated anew"


def test_a_step_of_the_nodes_clock(drive):
    assert drive.step(clock_s=drive.now + 1e9 + 7).reasons == ("clock_jump",)


def test_a_node_that_stood_still_says_so(drive):
    assert "stood_still" in drive.step(3.0).reasons
    assert "3.0 s" in drive.state.message


def test_max_age_0_means_no_limit():
    drive = Drive(max_age_ms=0.0)
    drive.frames(40)
    assert "stale" not in drive.silence(10.0).reasons
