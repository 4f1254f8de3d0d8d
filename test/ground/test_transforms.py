"""The buffer of transforms: tf2's conventions, and a reason for every failure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import OPTICAL, Pose
from trust_seg_ros.ground.quaternions import from_matrix, slerp
from trust_seg_ros.ground.transforms import TransformBuffer

S = 1_000_000_000
ANGLES = st.floats(-3.1, 3.1)


def moved(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Pose:
    return Pose.from_angles(0, 0, yaw, np.array([x, y, z]))


def same(a: Pose, b: Pose) -> bool:
    return np.allclose(a.rotation, b.rotation, atol=1e-9) and np.allclose(a.translation, b.translation, atol=1e-9)


@pytest.fixture
def buffer() -> TransformBuffer:
    """A map, odometry that goes at 10 m/s for 2 s, and a camera 1.4 m above the base."""
    found = TransformBuffer()
    found.set("base_link", "mast", 0, moved(1.5, 0, 1.0), static=True)
    found.set("mast", "camera", 0, Pose(OPTICAL.rotation, np.array([0, 0, 0.4])), static=True)
    for step in range(21):
        found.set("odom", "base_link", 100 * S + step * S // 10, moved(step, yaw=0.01 * step))
    found.set("map", "odom", 101 * S, moved(5, 5))
    found.set("map", "odom", 102 * S, moved(5, 6))
    return found


@given(ANGLES, st.floats(-1.5, 1.5), ANGLES)
def test_quaternions_and_matrices_are_the_same_rotation(roll: float, pitch: float, yaw: float) -> None:
    pose = Pose.from_angles(roll, pitch, yaw, np.zeros(3))
    assert np.allclose(Pose.from_quaternion(np.array(from_matrix(pose.rotation)), np.zeros(3)).rotation, pose.rotation)


@given(st.lists(ANGLES, min_size=3, max_size=3), st.lists(ANGLES, min_size=3, max_size=3), st.floats(0, 1))
def test_slerp_is_scipys(first: list[float], second: list[float], ratio: float) -> None:
    both = Rotation.from_rotvec([first, second])
    if (both[0].inv() * both[1]).magnitude() > 3.1:
        return  # two ways of the same length
    between = slerp(tuple(both[0].as_quat()), tuple(both[1].as_quat()), ratio)
    expected = Slerp([0, 1], both)(ratio)
    assert (Rotation.from_quat(between).inv() * expected).magnitude() < 1e-4


def test_static_frames_hold_at_any_time_over_several_hops(buffer: TransformBuffer) -> None:
    pose = buffer.lookup("base_link", "camera", 5)
    assert np.allclose(pose.apply(np.array([[0.0, 0.0, 10.0]])), [[11.5, 0, 1.4]])
    assert same(buffer.lookup("camera", "base_link", 5), pose.inverse())
    assert same(buffer.lookup("camera", "camera", 5), Pose())


def test_between_two_stamps_it_is_interpolated(buffer: TransformBuffer) -> None:
    pose = buffer.lookup("odom", "base_link", 100 * S + S // 4)
    assert same(pose, moved(2.5, yaw=0.025))
    assert same(buffer.lookup("odom", "base_link", 101 * S), moved(10, yaw=0.1))


def test_ways_up_and_down_the_tree_are_joined(buffer: TransformBuffer) -> None:
    buffer.set("map", "beacon", 0, moved(20, 1), static=True)
    stamp = 101 * S + S // 2
    base = buffer.lookup("map", "base_link", stamp)
    assert same(base, moved(5, 5.5) @ moved(15, yaw=0.15))
    expected = base.inverse().apply(np.array([[20.0, 1.0, 0.0]]))
    assert np.allclose(buffer.lookup("base_link", "beacon", stamp).translation, expected)


def test_the_newest_moment_is_the_one_that_all_have(buffer: TransformBuffer) -> None:
    buffer.set("odom", "base_link", 103 * S, moved(30))
    assert same(buffer.lookup("map", "base_link", None), buffer.lookup("map", "base_link", 102 * S))
    assert same(buffer.lookup("base_link", "camera", None), buffer.lookup("base_link", "camera", 0))


def test_slashes_are_dropped(buffer: TransformBuffer) -> None:
    buffer.set("/base_link", "/lidar", 0, moved(1), static=True)
    assert same(buffer.lookup("/base_link", "lidar", 0), moved(1))


def test_beyond_the_stamps_motion_goes_on_for_the_tolerance_only(buffer: TransformBuffer) -> None:
    ahead = buffer.lookup("odom", "base_link", 102 * S + S // 5, tolerance_s=0.25)
    assert np.allclose(ahead.translation, [22, 0, 0])
    assert same(ahead, moved(22, yaw=0.22))
    before = buffer.lookup("odom", "base_link", 100 * S - S // 10, tolerance_s=0.25)
    assert np.allclose(before.translation, [-1, 0, 0])
    with pytest.raises(GroundError, match=r"100.000 to 102.000 s, asked for 102.300: 0.3 s after the newest.*0.25 s"):
        buffer.lookup("odom", "base_link", 102 * S + 3 * S // 10, tolerance_s=0.25)
    with pytest.raises(GroundError, match="5 s before the oldest one"):
        buffer.lookup("odom", "base_link", 95 * S)


def test_a_single_moment_holds_within_the_tolerance(buffer: TransformBuffer) -> None:
    buffer.set("odom", "trailer", 101 * S, moved(3))
    assert same(buffer.lookup("odom", "trailer", 101 * S), moved(3))
    assert same(buffer.lookup("odom", "trailer", 101 * S + 5, 0.1), moved(3))
    with pytest.raises(GroundError, match="1 s after"):
        buffer.lookup("odom", "trailer", 102 * S, 0.1)


def test_moments_may_come_late_and_twice(buffer: TransformBuffer) -> None:
    late = TransformBuffer()
    for stamp in (0, 2, 1, 1, 3):
        late.set("a", "b", stamp * S // 10, moved(stamp))
    assert same(late.lookup("a", "b", S // 10), moved(1))
    assert same(late.lookup("a", "b", S // 4), moved(2.5))
    assert late.cleared == 0


def test_old_moments_are_forgotten() -> None:
    buffer = TransformBuffer(keep_s=2.0)
    for stamp in range(6):
        buffer.set("a", "b", stamp * S, moved(stamp))
    assert same(buffer.lookup("a", "b", 3 * S), moved(3))
    with pytest.raises(GroundError, match=r"known from 3\.000"):
        buffer.lookup("a", "b", 2 * S)


def test_time_that_jumps_back_clears_all_but_the_static_ones(buffer: TransformBuffer) -> None:
    buffer.set("odom", "base_link", 50 * S, moved(1))
    assert buffer.cleared == 1
    assert same(buffer.lookup("odom", "base_link", 50 * S), moved(1))
    assert same(buffer.lookup("base_link", "mast", 50 * S), moved(1.5, 0, 1.0))
    with pytest.raises(GroundError, match="frame map is not known"):
        buffer.lookup("map", "base_link", 50 * S)
    buffer.clear()
    with pytest.raises(GroundError, match="odom is not known"):
        buffer.lookup("odom", "base_link", 50 * S)


def test_unknown_frames_are_answered_with_the_known_ones(buffer: TransformBuffer) -> None:
    with pytest.raises(
        GroundError, match=r"base_lnk is not known, only base_link, camera, map, .*did you mean base_link"
    ):
        buffer.lookup("base_lnk", "camera", 0)
    with pytest.raises(GroundError, match="no transform has arrived on /tf or /tf_static"):
        TransformBuffer().lookup("base_link", "camera", 0)
    with pytest.raises(GroundError, match="the name of a frame is empty"):
        buffer.lookup("base_link", "", 0)


def test_two_trees_are_not_connected(buffer: TransformBuffer) -> None:
    buffer.set("world", "drone", 0, moved(1), static=True)
    with pytest.raises(GroundError, match=r"drone and base_link are not connected.*roots world and map"):
        buffer.lookup("base_link", "drone", 101 * S)


def test_loops_are_refused(buffer: TransformBuffer) -> None:
    with pytest.raises(GroundError, match="loop of frames, map in camera in mast in base_link in odom in map"):
        buffer.set("camera", "map", 101 * S, moved(1))
    with pytest.raises(GroundError, match="its own parent"):
        buffer.set("map", "map", 101 * S, moved(1))
    assert buffer.lookup("map", "camera", 101 * S) is not None


def test_a_second_parent_is_refused_and_makes_lookups_fail(buffer: TransformBuffer) -> None:
    with pytest.raises(GroundError, match="base_link has two parents, odom and map"):
        buffer.set("map", "base_link", 102 * S, moved(1))
    with pytest.raises(GroundError, match="base_link has two parents, odom and map"):
        buffer.lookup("odom", "camera", 102 * S)
    assert buffer.lookup("base_link", "camera", 102 * S) is not None  # this way does not pass it

    with pytest.raises(GroundError, match="mast has two parents, base_link and roof"):
        buffer.set("roof", "mast", 0, moved(1), static=True)
    with pytest.raises(GroundError, match="mast has two parents"):
        buffer.lookup("base_link", "camera", 0)


def test_a_new_parent_is_taken_when_the_old_one_has_gone(buffer: TransformBuffer) -> None:
    buffer.set("map", "base_link", 120 * S, moved(7))
    assert same(buffer.lookup("map", "base_link", 120 * S), moved(7))


@pytest.mark.parametrize(
    ("quaternion", "translation", "text"),
    [
        ((0, 0, 0, 1), (float("nan"), 0, 0), "finite"),
        ((0, 0, 0, float("nan")), (0, 0, 0), "finite"),
        ((0, 0, 0, 0), (0, 0, 0), "length 1"),
        ((0, 0, 0, 1.1), (0, 0, 0), "length 1"),
    ],
)
def test_numbers_that_are_no_pose_are_refused_and_named_later(quaternion, translation, text: str) -> None:
    buffer = TransformBuffer()
    buffer.set("odom", "base_link", 0, moved(0))
    with pytest.raises(GroundError, match=text):
        buffer.add("base_link", "camera", 0, quaternion, translation, static=True)
    with pytest.raises(GroundError, match=f"camera is not known: its transform was refused.*{text}"):
        buffer.lookup("base_link", "camera", 0)
    with pytest.raises(GroundError, match=text):
        buffer.add("odom", "base_link", S, quaternion, translation)
    with pytest.raises(GroundError, match=f"1 s after the newest one; refused since.*{text}"):
        buffer.lookup("odom", "base_link", S)
    buffer.add("base_link", "camera", 0, (0, 0, 0, 1), (0, 0, 1), static=True)
    assert same(buffer.lookup("base_link", "camera", 0), moved(z=1))


def test_empty_names_and_no_time_to_keep_are_refused() -> None:
    with pytest.raises(GroundError, match="empty"):
        TransformBuffer().set("", "camera", 0, moved(1))
    with pytest.raises(GroundError, match="empty"):
        TransformBuffer().set("base_link", "/", 0, moved(1))
    with pytest.raises(GroundError, match="keep_s"):
        TransformBuffer(0.0)
