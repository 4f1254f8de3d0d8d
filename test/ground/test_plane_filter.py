"""The slope of the road ahead, on drawn roads: any lens, slope, bend, hidden borders; and where no road shows one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.ground import plane_estimate, road_borders
from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.plane_filter import GIVEN, HELD, ROAD, PlaneFilter, PlaneSettings, tilted, warm_up

SIZE = (360, 480)
S = 1_000_000_000
MOUNT = Pose.from_angles(0, 0.05, 0, np.array([1.6, 0, 1.4])) @ OPTICAL
WIDE_K = np.array([[240.0, 0, 239.5], [0, 240, 179.5], [0, 0, 1]])
LENSES = {
    "pinhole": CameraModel.pinhole(SIZE, 416),
    "wide": CameraModel(
        SIZE, np.array([[240.0, 0, 239.5], [0, 240, 179.5], [0, 0, 1]]), np.array([-0.1, 0.01, 0, 0]), "plumb_bob"
    ),
    "fisheye": CameraModel.fisheye(SIZE, 229),
}
GIVEN_PLANE = GroundPlane()


class Scene:
    """A road of two borders on a plane, seen by a camera: masks of its pixels."""

    def __init__(self, lens: str = "pinhole", mount: Pose = MOUNT) -> None:
        self.camera, self.mount = LENSES[lens], mount
        columns, rows = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
        self.filtered = PlaneFilter()  # knows the camera already
        self._rays = self.camera.rays(np.column_stack([columns.ravel(), rows.ravel()])) @ mount.rotation.T

    def masks(self, slope: float, left: float = 3.5, right: float = -3.0, heading: float = 0.0, bend: float = 0.0):
        """Pixels of the road and of the pavement beside it, of which 4 m are seen."""
        plane = tilted(GIVEN_PLANE, self.mount, slope, 1.0)
        height = plane.above(self.mount.translation[None])[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            places = self.mount.translation + self._rays * (height / -(self._rays @ plane.normal))[:, None]
            ahead = places[:, 0] - self.mount.translation[0]
            y = places[:, 1] - heading * ahead - 0.5 * bend * ahead**2
            seen = (ahead > 0) & (ahead < 80) & (self._rays @ plane.normal < 0)
        road = seen & (y < left) & (y > right)
        beside = seen & ~road & (y < left + 4) & (y > right - 4)
        return road.reshape(SIZE), beside.reshape(SIZE)


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return {lens: Scene(lens) for lens in LENSES}


def follow(scene: Scene, filtered: PlaneFilter, masks, stamp_ns: int = 0, **more):
    return filtered.update(*masks, scene.camera, scene.mount, GIVEN_PLANE, stamp_ns, **more)


@pytest.mark.parametrize("lens", sorted(LENSES))
@settings(deadline=None, max_examples=10)
@given(
    slope=st.floats(-0.06, 0.06),
    left=st.floats(2.5, 6.0),
    right=st.floats(-6.0, -2.5),
    heading=st.floats(-0.06, 0.06),
    bend=st.floats(-0.002, 0.002),
)
def test_slopes_are_found_from_one_image(scenes, lens, slope, left, right, heading, bend) -> None:
    scene = scenes[lens]
    scene.filtered.reset()
    estimate = follow(scene, scene.filtered, scene.masks(slope, left, right, heading, bend))
    if estimate.source == GIVEN:  # too little of one border in the picture
        assert estimate.sigma > np.radians(1.0) or estimate.reason
        return
    assert abs(estimate.slope - slope) < max(0.0035, 2.5 * estimate.sigma)


@pytest.mark.parametrize("lens", sorted(LENSES))
@pytest.mark.parametrize("slope", [-0.05, 0.0, 0.05])
def test_places_on_the_road_get_their_range(scenes, lens: str, slope: float) -> None:
    """The aim: 10 % to 30 m; on clean borders it is 5 %."""
    scene = scenes[lens]
    estimate = follow(scene, PlaneFilter(), scene.masks(slope))
    assert (estimate.source, estimate.reason) == (ROAD, "")
    true = tilted(GIVEN_PLANE, MOUNT, slope, 1.0)
    x = np.array([10.0, 20.0, 30.0])
    rays = np.column_stack([x, 0 * x, true.heights(x, 0 * x)]) - MOUNT.translation
    times = estimate.plane.above(MOUNT.translation[None])[0] / -(rays @ estimate.plane.normal)
    assert np.abs(times - 1).max() < 0.05


def test_without_knowing_what_is_beside_the_road(scenes) -> None:
    scene = scenes["pinhole"]
    road, _ = scene.masks(0.03)
    assert follow(scene, PlaneFilter(), (road, None)).slope == pytest.approx(0.03, abs=0.002)


def test_parked_cars_that_hide_a_border_are_one_of_their_own(scenes) -> None:
    """The road ends 2 m earlier on the right for 12 m, at something that is no ground."""
    scene = scenes["pinhole"]
    road, beside = scene.masks(0.03)
    narrow, _ = scene.masks(0.03, right=-1.0)
    far = np.zeros(SIZE, bool)
    far[:215] = True
    road, beside = road & (narrow | far), beside & (far | (np.arange(SIZE[1]) < 240))
    estimate = follow(scene, PlaneFilter(), (road, beside))
    assert estimate.source == ROAD
    assert estimate.slope == pytest.approx(0.03, abs=0.004)


def test_a_slope_is_followed_over_time_and_forgotten(scenes) -> None:
    scene, filtered = scenes["pinhole"], PlaneFilter()
    for step in range(20):
        slope = 0.05 * np.sin(step / 5)
        estimate = follow(scene, filtered, scene.masks(slope), step * S // 10)
        assert estimate.slope == pytest.approx(slope, abs=0.004)
    nothing = np.zeros(SIZE, bool)
    held = follow(scene, filtered, (nothing, nothing), 20 * S // 10)
    assert (held.source, held.reason) == (HELD, "no border of the road is seen")
    assert abs(held.slope - slope) < 0.01
    later = follow(scene, filtered, (nothing, nothing), 28 * S // 10)
    assert later.source == GIVEN
    assert later.plane is GIVEN_PLANE
    assert later.slope == 0.0
    assert later.sigma > held.sigma


def test_another_road_replaces_the_one_before(scenes) -> None:
    scene, filtered = scenes["pinhole"], PlaneFilter()
    for step in range(5):
        follow(scene, filtered, scene.masks(0.04), step * S // 10)
    estimate = follow(scene, filtered, scene.masks(-0.04, left=6.0, right=-2.0, heading=0.05), 6 * S // 10)
    assert estimate.slope == pytest.approx(-0.04, abs=0.01)


@pytest.mark.parametrize("stamp_ns", [-5 * S, 100 * S])
def test_a_jump_of_time_starts_anew(scenes, stamp_ns: int) -> None:
    scene, filtered = scenes["pinhole"], PlaneFilter()
    follow(scene, filtered, scene.masks(0.04), 0)
    nothing = np.zeros(SIZE, bool)
    assert follow(scene, filtered, (nothing, nothing), stamp_ns).source == GIVEN


def test_where_no_road_shows_its_slope_the_given_plane_stays_with_a_reason(scenes) -> None:
    scene = scenes["pinhole"]
    every, none = np.ones(SIZE, bool), np.zeros(SIZE, bool)
    rng = np.random.default_rng(0)
    half = np.arange(SIZE[1]) < 240
    road, beside = scene.masks(0.03)
    cases = {
        "no border": (every, none),
        "no border of the road": (none, none),
        "right border": (road | ~half, beside & half),
        "of the|meet|straight": (rng.random(SIZE) < 0.02, none),
    }
    for text, masks in cases.items():
        estimate = follow(scene, PlaneFilter(), masks)
        assert estimate.source == GIVEN, text
        assert estimate.plane is GIVEN_PLANE
        assert any(part in estimate.reason for part in text.split("|")), estimate.reason


def test_borders_that_do_not_agree_make_it_unsure(scenes) -> None:
    """A road that becomes 4 m wider behind a junction."""
    scene = scenes["pinhole"]
    near, far = scene.masks(0.0), scene.masks(0.0, left=5.5, right=-5.0)
    row = 200
    broken = [np.vstack([f[:row], n[row:]]) for n, f in zip(near, far, strict=True)]
    clean = follow(scene, PlaneFilter(), near)
    unsure = follow(scene, PlaneFilter(), broken)
    assert unsure.source == GIVEN or unsure.sigma > 3 * clean.sigma


def test_gravity_levels_the_road_and_refuses_what_is_too_steep(scenes) -> None:
    scene = scenes["pinhole"]
    lean = 0.03  # the vehicle leans to the right: up is to its left
    up = np.array([0.0, np.sin(lean), np.cos(lean)])
    estimate = follow(scene, PlaneFilter(), scene.masks(0.04), up=up)
    assert estimate.source == ROAD
    assert np.arctan2(estimate.plane.normal[1], estimate.plane.normal[2]) == pytest.approx(lean, abs=1e-3)
    assert estimate.plane.above(scene.mount.translation[None])[0] == pytest.approx(1.4, abs=0.06)

    hill = np.array([0.25, 0.0, 1.0]) / np.hypot(0.25, 1.0)  # the vehicle climbs 25 %
    steep = follow(scene, PlaneFilter(), scene.masks(0.04), up=hill)
    assert steep.source == GIVEN
    assert "steep" in steep.reason
    wrong = follow(scene, PlaneFilter(), scene.masks(0.04), up=np.array([0.0, 0.5, 0.8]))
    assert wrong.source == GIVEN
    assert "is the pose of the IMU right" in wrong.reason


def test_the_tilted_plane_stays_where_the_front_wheels_are() -> None:
    plane = tilted(GIVEN_PLANE, MOUNT, 0.05, 1.0)
    x = np.array([2.6, 12.6])
    assert np.allclose(plane.heights(x, np.zeros(2)), [0.0, 0.5])
    sunk = tilted(GroundPlane(offset=-0.3), MOUNT, 0.0, 1.0)
    assert np.allclose(sunk.heights(x, np.zeros(2)), -0.3)


def test_masks_of_another_size_show_the_same_image(scenes) -> None:
    scene = scenes["pinhole"]
    road, beside = (mask[::2, ::2] for mask in scene.masks(0.03))
    estimate = follow(scene, PlaneFilter(), (road, beside))
    assert estimate.slope == pytest.approx(0.03, abs=0.006)


def test_a_camera_below_the_plane_or_that_looks_up_or_back_is_refused(scenes) -> None:
    scene = scenes["pinhole"]
    masks = scene.masks(0.0)
    with pytest.raises(GroundError, match=r"0\.6 m below the plane"):
        PlaneFilter().update(*masks, scene.camera, MOUNT, GroundPlane(offset=2.0), 0)
    for pitch, yaw in ((-1.2, 0.0), (0.0, np.pi)):
        turned = Pose.from_angles(0, pitch, yaw, MOUNT.translation) @ OPTICAL
        with pytest.raises(GroundError, match="does not see the ground ahead"):
            PlaneFilter().update(*masks, scene.camera, turned, GIVEN_PLANE, 0)


def test_settings_are_numbers() -> None:
    for wrong in ({"least_sure_deg": 0.0}, {"forget_s": float("nan")}, {"pivot_m": float("inf")}):
        with pytest.raises(GroundError, match=next(iter(wrong))):
            PlaneSettings(**wrong)


def test_warming_up_compiles_both_kernels(monkeypatch) -> None:
    called = []
    for module, name in ((road_borders, "outermost"), (plane_estimate, "normal_equations")):
        kernel = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, k=kernel, n=name: called.append(n) or k(*a))
    warm_up()
    assert set(called) == {"outermost", "normal_equations"}
