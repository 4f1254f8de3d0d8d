"""The compiled caution map and its definition, on the same random pictures, poses and lenses."""

import numpy as np
from ground_scenes import looking, view_of
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.ground import cells, fusion, reference
from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.cells import Observation, Placement, Window
from trust_seg_ros.ground.fusion import Memory
from trust_seg_ros.ground.hazards import HazardMaps
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.ground.scan import Scan, scan, shares_before
from trust_seg_ros.ground.table import LensTable, PolarTable, polar_table
from trust_seg_ros.ground.view import GroundView

GRID = (60, 80)
CAMERAS = st.one_of(
    st.builds(lambda f: CameraModel.pinhole((120, 160), f), st.floats(40.0, 300.0)),
    st.builds(lambda f: CameraModel.fisheye((120, 160), f), st.floats(45.0, 100.0)),
    st.just(
        CameraModel((120, 160), CameraModel.pinhole((120, 160), 130.0).k, np.array([-0.2, 0.05, 0, 0]), "plumb_bob")
    ),
)
POSES = st.builds(looking, st.floats(0.1, 1.5), st.floats(-3, 3), st.floats(-3, 3), st.floats(0.5, 3), st.floats(-1, 2))
SEEDS = st.integers(0, 2**32 - 1)


def random_maps(seed: int) -> HazardMaps:
    """Blocks of anything: ground of both kinds, sky, and things of every kind and class."""
    rng = np.random.default_rng(seed)
    coarse = int(rng.integers(2, 12))
    role, classes, kind = (
        np.kron(rng.choice(n, (60 // coarse + 1, 80 // coarse + 1), p=p), np.ones((coarse, coarse)))[:60, :80]
        for n, p in ((4, [0.05, 0.7, 0.1, 0.15]), (3, None), (4, [0.7, 0.1, 0.1, 0.1]))
    )
    p = rng.random(GRID, np.float32)
    return HazardMaps(role.astype(np.uint8), p, classes.astype(np.uint8), kind.astype(np.uint8))


def table_of(view: GroundView, range_m: float = 20.0) -> PolarTable:
    return polar_table(view, LensTable.of(view.camera, GRID), range_m, threads=2)


def test_few_exact_projections_are_as_good_for_fine_images() -> None:
    wide = CameraModel.pinhole((360, 480), 140.0)
    view = view_of(wide, looking(0.2, 0.1))
    table = polar_table(view, LensTable.of(wide, (360, 480)), 30.0, threads=1)
    exact = reference.grid_points(view, table)
    row, column = np.divmod(table.pixels, 480)
    off = np.abs(exact - np.stack([row, column], -1) - 0.5)[table.pixels >= 0]
    assert off.max() < 0.65


@settings(max_examples=25)
@given(CAMERAS, POSES)
def test_the_table_names_the_pixels_that_see_each_place(camera: CameraModel, pose: Pose) -> None:
    view = view_of(camera, pose)
    table = table_of(view)
    exact = reference.grid_points(view, table)
    row, column = np.divmod(table.pixels, GRID[1])
    named = table.pixels >= 0
    assert named.any()
    assert (np.abs(exact[..., 0] - row - 0.5)[named] <= 0.6).all()
    assert (np.abs(exact[..., 1] - column - 0.5)[named] <= 0.6).all()
    with np.errstate(invalid="ignore"):
        inner = ((exact > 1) & (exact < np.array(GRID) - 1)).all(-1)
    assert named[inner].mean() > 0.98


@settings(max_examples=60)
@given(SEEDS, CAMERAS, POSES, st.floats(0, 4))
def test_the_scan(seed: int, camera: CameraModel, pose: Pose, sigma: float) -> None:
    table, maps = table_of(view_of(camera, pose)), random_maps(seed)
    before = shares_before(sigma * table.depression_step, table.depression_step)
    fast, plain = scan(table, maps, before, threads=2), reference.scan(table, maps, before)
    for name in Scan.__dataclass_fields__:
        assert np.array_equal(getattr(fast, name), getattr(plain, name)), name


@settings(max_examples=30)
@given(SEEDS, CAMERAS, POSES, st.sampled_from([0.2, 0.5, 1.0]), st.floats(-3, 3))
def test_the_cells(seed: int, camera: CameraModel, pose: Pose, resolution: float, heading: float) -> None:
    view, rng = view_of(camera, pose), np.random.default_rng(seed)
    table = table_of(view)
    ground = np.where(
        rng.random(table.pixels.shape) < 0.02, -rng.integers(1, 3, table.pixels.shape), rng.random(table.pixels.shape)
    ).astype(np.float32)
    found = Scan(ground, np.ones(len(ground), bool), np.ones(len(ground), bool), *(np.zeros(0, np.int32),) * 3)
    where = Pose.from_angles(0.02, -0.03, heading, np.array([100.0, -50.0, 3.0]))
    placement = Placement.of(view, table, where)
    window = Window.around(
        where.apply(view.foot[None])[0, :2] + rng.normal(0, 4, 2), (20 * resolution, 9.3), resolution
    )
    feet, p = window.origin + rng.normal(2, 3, (30, 2)), rng.random(30, np.float32)
    given_all = (found, table, placement, window, view.height, 18.0, feet, p)
    fast, plain = cells.observe(*given_all, threads=2), reference.observe(*given_all)
    assert np.array_equal(fast.kind, plain.kind)
    assert np.array_equal(fast.p, plain.p)


def test_places_of_the_map_lie_around_the_camera_as_their_points_do() -> None:
    view = view_of(CameraModel.pinhole((120, 160), 130.0), looking(0.2, 0.1, 0.5, 1.4, 1.0))
    where = Pose.from_angles(0.05, -0.02, 1.1, np.array([7.0, 3.0, 1.0]))
    table = table_of(view)
    placement = Placement.of(view, table, where)
    on_ground = np.array([[12.0, 3.0], [5.0, -2.0]])
    points = np.column_stack([on_ground, view.plane.heights(*on_ground.T)])
    xy = where.apply(points)[:, :2]
    along, left = placement.matrix @ xy.T + placement.offset[:, None]
    ahead = view.pose.rotation @ table.ahead
    assert np.allclose(along, (points - view.foot) @ ahead)
    assert np.allclose(left, (points - view.foot) @ np.cross(view.plane.normal, ahead))


@given(SEEDS, st.lists(st.floats(0, 4), min_size=1, max_size=6), st.floats(0.2, 3))
def test_the_memory(seed: int, steps: list[float], decay: float) -> None:
    rng, window = np.random.default_rng(seed), Window(0, 0, 16, 11, 0.2)
    fast, plain = Memory.empty(window), Memory.empty(window)
    for step in steps:
        kind = rng.integers(0, 4, (16, 11)).astype(np.uint8)
        said = Observation(kind, np.where(np.isin(kind, (1, 2)), rng.random((16, 11)), 0).astype(np.float32))
        a, b = fusion.fuse(fast, said, step, decay, threads=2), reference.fuse(plain, said, step, decay)
        assert np.allclose(a.p, b.p, rtol=1e-5, equal_nan=True)
        assert np.array_equal(a.seen, b.seen)
        assert np.abs(a.occupancy.astype(int) - b.occupancy).max() <= 1
        for name in ("log_odds", "weight", "age"):
            assert np.allclose(getattr(fast, name), getattr(plain, name), rtol=1e-5, atol=1e-6)
