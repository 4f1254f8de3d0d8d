"""What the diagnostics say over time of cameras and networks that are well, slow, ill or dead, by a simulated clock."""

import random
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from simulated_node import (
    BLIND,
    CAMERA,
    FAILED,
    FAULTY,
    FINE,
    FROZEN,
    REFUSED,
    UNWATCHED,
    SimulatedNode,
    changes,
    messages,
)

from trust_seg_ros.node.levels import ERROR, OK, WARN

HOLD_S = 15.0


def never(_):
    return 10**9, FINE


@pytest.mark.parametrize("gap_ms", [20, 33, 100, 1000, 5000])
@pytest.mark.parametrize("network_ms", [4, 60, 300, 950])
def test_a_steady_camera_and_a_steady_network_are_fine_at_any_rate(gap_ms, network_ms):
    node = SimulatedNode(lambda _: gap_ms, lambda _: (network_ms, FINE))
    node.run(60)
    node.said = [*node.said[35:]]  # a camera of 0.2 Hz is not known for one at first
    assert not changes(node.said, "camera")
    assert not changes(node.said, "processing")
    said = node.said[-1][1]
    assert said.camera[1] == f"{1000 / (-(-gap_ms // 10) * 10):.1f} frames/s"
    assert "ms per frame" in said.processing[1]


def test_jitter_and_single_lost_images_of_a_fast_camera_are_fine():
    chance = random.Random(0)
    node = SimulatedNode(lambda _: chance.choice([30, 30, 40, 50, 100, 200]))
    assert not changes(node.run(100), "camera")


def test_a_network_that_hangs_is_a_warning_and_an_error_at_once_and_does_not_stay_at_its_last_figures():
    node = SimulatedNode(frame=lambda n: never(n) if n == 100 else (4, FINE))
    node.run(10.1)
    assert "ms per frame, 10.0 frames/s" in node.said[-1][1].processing[1]
    said = node.run(30)
    (warned, first), (failed, second) = changes(said, "processing")
    assert (first, second) == (WARN, ERROR)
    assert warned - 10.1 <= 2 * 0.1 + 0.15
    assert failed - 10.1 <= 5 * 0.1 + 0.15
    assert "a frame has been in hand for 29." in said[-1][1].processing[1]
    assert not changes(said, "camera"), "the camera is well"
    assert not any("ms per frame" in text for text in messages(said[2:], "processing"))
    assert node.statistics.summary(taken=10.1).processing.p50 > 29_000


def test_a_slow_network_is_an_error_though_slow_as_usual_and_one_that_became_slow_is_told():
    node = SimulatedNode(frame=lambda _: (3000, FINE))
    said = node.run(100)
    assert changes(said, "processing")[-1][1] == ERROR
    assert changes(said, "processing")[-1][0] < 5
    assert "max_age_ms = 1000" in said[-1][1].processing[1]
    node = SimulatedNode(frame=lambda n: (4 if n < 100 else 600, FINE))
    said = node.run(200)
    assert ERROR in [level for _, level in changes(said, "processing")]
    assert said[-1][1].processing[0] == OK, "it is as usual by now, and below max_age_ms"


@pytest.mark.parametrize("seed", range(3))
def test_a_network_that_takes_ten_seconds_once_in_a_hundred_frames_does_not_flip(seed):
    chance = random.Random(seed)
    node = SimulatedNode(frame=lambda _: (10_000 if chance.random() < 0.01 else 4, FINE))
    found = changes(node.run(600), "processing")
    assert found[0][1] == WARN or found[0][1] == ERROR
    down = [at for at, level in found if level == OK]
    assert len(down) <= 3, "held longer each time"


def test_ten_seconds_every_hundred_frames_do_not_flip_at_all():
    node = SimulatedNode(frame=lambda n: (10_000 if n % 200 == 100 else 4, FINE))
    found = changes(node.run(600), "processing")
    assert [level for _, level in found][:2] == [WARN, ERROR]
    assert len(found) == 2


STEADY = {FAILED: ERROR, BLIND: ERROR, FAULTY: WARN, FROZEN: ERROR}


@pytest.mark.parametrize("how", STEADY)
@pytest.mark.parametrize("period_s", [0.2, 1.0])
def test_an_answer_that_is_wrong_every_third_time_has_one_level(how, period_s):
    node = SimulatedNode(frame=lambda n: (4, how if n % 3 == 0 else FINE), period_s=period_s)
    assert [level for _, level in changes(node.run(60), "processing")] == [STEADY[how]]


@given(
    how=st.sampled_from([*STEADY, FINE]),
    gap_ms=st.sampled_from([50, 100, 330, 1000]),
    usual_ms=st.integers(0, 15).map(lambda n: 10 * n),
    ill_ms=st.integers(0, 1200).map(lambda n: 10 * n),
    every=st.integers(1, 12),
    period_s=st.sampled_from([0.2, 1.0, 2.0]),
)
@settings(max_examples=60)
def test_no_steady_periodic_fault_of_the_network_makes_a_level_come_down(
    how, gap_ms, usual_ms, ill_ms, every, period_s
):
    """Every so many frames, one takes longer or ends badly; a round lasts no longer than the hold."""
    handled = count()  # by frames, not by images: of images, those that come while one is in hand are never seen
    node = SimulatedNode(
        lambda _: gap_ms, lambda _: (ill_ms, how) if next(handled) % every == 0 else (usual_ms, FINE), period_s=period_s
    )
    node.run(30)
    found = [level for _, level in changes(node.said[-1:] + node.run(60), "processing")]
    assert found == sorted(found)
    assert len(found) <= 2, "what it had reached, and what the median of 50 frames may add"


@given(
    lost=st.integers(0, 30), every=st.integers(10, 60), gap_ms=st.sampled_from([50, 100, 200]),
    period_s=st.sampled_from([0.2, 1.0]),
)  # fmt: skip
@settings(max_examples=40)
def test_a_camera_that_stops_again_and_again_has_one_level(lost, every, gap_ms, period_s):
    longest, usual = gap_ms * (1 + lost), max(gap_ms, 100)
    warn, error = (periods * usual + 50 for periods in (2, 5))
    assume(abs(longest - warn) > 20 and abs(longest - error) > 20 and every * gap_ms + longest < 1000 * HOLD_S)
    node = SimulatedNode(lambda n: gap_ms * (1 + lost * (n % every == 0)), period_s=period_s)
    node.run(30)
    said = node.run(60)
    assert {verdict.camera[0] for _, verdict in said} == {ERROR if longest > error else WARN if longest > warn else OK}


def test_a_killed_camera_stays_an_error_when_it_leaves_the_graph():
    node = SimulatedNode()
    node.run(20)
    said = node.kill_camera(still_listed_s=20)
    assert [level for _, level in changes(said, "camera")] == [WARN, ERROR]
    assert changes(said, "camera")[-1][0] < 20 + 0.7
    assert "publisher present, no frames arriving for 19." in said[-1][1].camera[1]
    said = node.run(100)
    assert {verdict.camera[0] for _, verdict in said} == {ERROR}
    assert said[-1][1].camera[1].startswith("no publisher on /front/image any more, last image 119.")
    assert said[-1][1].processing[0] == OK
    assert said[-1][1].processing[1].startswith("nothing to do: no image for 119.")


def test_a_camera_that_never_came_is_a_warning_and_forgotten_at_the_first_image():
    node = SimulatedNode(lambda n: 30_000 if n == 0 else 100)
    node.camera = replace(CAMERA, publishers=0, types=())
    node.run(29)
    assert node.said[-1][1].camera == (WARN, "no publisher on /front/image")
    assert node.said[-1][1].processing == (OK, "no frame yet")
    node.camera = CAMERA
    said = node.run(10)
    assert changes(said, "camera")[-1][1] == ERROR, "it was there, and sent nothing for a second"
    assert node.run(20)[-1][1].camera == (OK, "10.0 frames/s")


def test_before_the_first_image_one_waits_a_little():
    node = SimulatedNode(lambda n: 10**9)
    assert [round(at) for at, _ in changes(node.run(60), "camera")] == [2, 5]
    assert "no frames arriving for 59" in node.said[-1][1].camera[1]


def test_a_stated_period_counts_instead_of_the_measured_one():
    node = SimulatedNode(lambda _: 1000, **{"diagnostics.image_period_ms": 100.0})
    assert changes(node.run(30), "camera")[-1][1] == ERROR
    node = SimulatedNode(lambda _: 100, **{"diagnostics.image_period_ms": 1000.0, "diagnostics.error_periods": 50.0})
    node.run(10)
    said = node.kill_camera(still_listed_s=49)
    assert [(round(at), level) for at, level in changes(said, "camera")] == [(12, WARN)]


def test_when_nobody_subscribes_all_is_well_also_after_a_pause():
    node = SimulatedNode(frame=lambda n: (0, FINE if 100 <= n < 200 else UNWATCHED))
    said = node.run(60)
    assert not changes(said, "processing")
    assert said[5][1].processing[1] == said[-1][1].processing[1]
    assert said[-1][1].processing[1] == "nobody subscribes to an output, so nothing is computed"


def test_images_that_are_all_refused_leave_the_processing_without_a_result():
    node = SimulatedNode(frame=lambda n: (1, FINE if n < 50 else REFUSED))
    said = node.run(30)
    assert [level for _, level in changes(said, "camera")] == [WARN]
    assert [level for _, level in changes(said, "processing")] == [WARN, ERROR]
    assert "s without a result: images are refused" in said[-1][1].processing[1]


@pytest.mark.parametrize(("stopped_s", "level"), [(2, WARN), (60, ERROR)])
def test_a_node_that_was_stopped_says_so_and_accuses_nobody_else(stopped_s, level):
    node = SimulatedNode()
    node.run(20.05)
    node.running = False
    node.run(stopped_s)
    node.running = True
    said = node.run(5)
    assert not changes(said, "camera")
    assert [level for _, level in changes(said, "processing")] == [level]
    assert f"the whole node stood still for {stopped_s:.1f} s" in said[0][1].processing[1]
    assert not changes(node.run(30)[-1:], "processing")


def test_a_frame_that_was_in_hand_when_the_node_was_stopped_is_an_old_one():
    node = SimulatedNode(frame=lambda n: (50, FINE))
    node.run(20.13)
    node.running = False
    node.run(60)
    node.running = True
    said = node.run(1)
    assert not changes(said, "camera")
    assert changes(said, "processing")[-1][1] == ERROR
    assert "a frame has been in hand for 60." in said[0][1].processing[1]


def test_a_paused_recording_with_its_clock_is_a_warning_and_a_dead_camera_beside_a_running_clock_an_error():
    def paused(goes_on):
        node = SimulatedNode()
        node.clock_ns = 0
        for _ in range(100):
            node.clock_ns += 10**8
            node.run(0.1)
        node.kill = node._next_image = float("inf")
        levels = set()
        for _ in range(50):
            node.clock_ns += goes_on * 10**8
            levels |= {verdict.camera[0] for _, verdict in node.run(0.1)}
        return levels - {OK}, node.said[-1][1].camera[1]

    still, text = paused(False)
    assert still == {WARN}
    assert "simulated time stands still" in text
    assert paused(True)[0] == {WARN, ERROR}


def test_disabled_only_the_frame_in_hand_is_looked_at():
    node = SimulatedNode(frame=lambda n: never(n) if n == 100 else (4, FINE))
    node.run(9)
    node.enabled = False
    assert {verdict.processing for _, verdict in node.run(1)} == {(OK, "not processing: disabled by ~/enable")}
    assert {verdict.camera[0] for _, verdict in node.run(10)} == {OK}
    assert node.said[-1][1].processing[0] == ERROR, "it hangs all the same"


def test_a_level_comes_down_after_its_hold():
    node = SimulatedNode(frame=lambda n: (4, FAILED if n == 100 else FINE))
    found = changes(node.run(60), "processing")
    assert [level for _, level in found] == [ERROR, OK]
    assert HOLD_S < found[1][0] - found[0][0] <= HOLD_S + 1.1
    node = SimulatedNode(frame=lambda n: (4, FAILED if n == 100 else FINE), **{"diagnostics.hold_s": 0.0})
    found = changes(node.run(60), "processing")
    assert found[1][0] - found[0][0] <= 1.1
