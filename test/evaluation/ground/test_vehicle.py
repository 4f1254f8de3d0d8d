"""The vehicle of the closed loop, and its stop rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.ground.stop_rule import StopMonitor, StopRule, Zone
from trust_seg_ros.evaluation.ground.vehicle import Vehicle, VehicleSettings

ZONE = Zone(1.0, 12.0, 1.2)


@given(st.floats(2.0, 25.0), st.floats(2.0, 9.0), st.floats(0.0, 1.0), st.sampled_from([0.05, 0.1, 0.33]))
def test_it_stands_after_delay_and_braking_distance_whatever_the_step(
    speed: float, brake: float, delay: float, step: float
) -> None:
    settings = VehicleSettings(speed, brake, delay_s=delay)
    vehicle = Vehicle(settings, 5.0)
    while not vehicle.stands:
        vehicle.advance(step, True)
    assert vehicle.place - 5.0 == pytest.approx(settings.stopping_m)


def test_it_cruises_until_asked_to_stop_and_drives_on_afterwards() -> None:
    vehicle = Vehicle(VehicleSettings(8.0, 4.0, accelerate=2.0, delay_s=0.2))
    for _ in range(10):
        vehicle.advance(0.1, False)
    assert (vehicle.place, vehicle.speed) == (pytest.approx(8.0), 8.0)
    vehicle.advance(0.1, True)
    vehicle.advance(0.1, True)
    assert vehicle.speed == 8.0  # the brake grips 0.2 s after the frame
    vehicle.advance(0.1, True)
    assert vehicle.speed == pytest.approx(7.6)
    for _ in range(30):
        vehicle.advance(0.1, True)
    place = vehicle.place
    assert vehicle.stands
    vehicle.advance(1.0, True)
    assert vehicle.place == place
    for _ in range(50):
        vehicle.advance(0.1, False)
    assert vehicle.speed == 8.0


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_it_never_drives_backwards_or_faster_than_it_cruises(wishes: list[bool]) -> None:
    vehicle = Vehicle(VehicleSettings())
    for wish in wishes:
        before = vehicle.place
        vehicle.advance(0.1, wish)
        assert vehicle.place >= before
        assert 0.0 <= vehicle.speed <= vehicle.settings.speed


def test_points_count_inside_the_zone_and_above_the_probability() -> None:
    rule = StopRule(ZONE, least_p=0.5, points=2)
    points = np.array([[0.9, 0, 0], [1.0, 1.2, 0], [12.0, -1.2, 0], [5, 1.3, 0], [5, 0, 0]])
    assert rule.count(points, np.array([1, 0.5, 0.9, 1, 0.4])) == 2
    assert rule.count(np.empty((0, 3)), np.empty(0)) == 0


def test_it_takes_some_frames_in_a_row_to_stop_and_to_release() -> None:
    monitor = StopMonitor(StopRule(ZONE, points=3, frames=2, release=3))
    counts = [3, 2, 3, 3, 0, 0, 5, 0, 0, 0, 0, 9]
    assert [monitor.frame(n) for n in counts] == [
        False, False, False, True, True, True, True, True, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: VehicleSettings(speed=0.0), "speed 0"),
        (lambda: VehicleSettings(delay_s=-0.1), r"delay -0.1"),
        (lambda: Zone(3.0, 3.0, 1.0), "empty"),
        (lambda: StopRule(ZONE, frames=0), "0 frames"),
    ],
)
def test_impossible_settings_are_refused(make, text: str) -> None:
    with pytest.raises(EvaluationError, match=text):
        make()
