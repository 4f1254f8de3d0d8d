"""Cameras: rays and pixels undo each other, agree with OpenCV, and end where a lens is not one to one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError

SIZE = (480, 640)
K = np.array([[420.0, 0, 322.5], [0, 415.0, 236.0], [0, 0, 1]])
BARREL = np.array([-0.36, 0.14, 0.001, -0.0006, -0.02])
RATIO = np.array([0.5, 0.2, 0.0001, 0.0002, 0.01, 0.9, 0.3, 0.03])
SHAPES = {
    "pinhole": ("none", np.zeros(0)),
    "plumb_bob of 5": ("plumb_bob", BARREL),
    "plumb_bob of 4": ("plumb_bob", BARREL[:4]),
    "rational": ("rational_polynomial", RATIO),
    "thin prism": ("rational_polynomial", np.r_[RATIO, 0.001, 0.0001, 0.002, 0.001]),
    "tilted": ("rational_polynomial", np.r_[RATIO, 0.001, 0.0001, 0.002, 0.001, 0.01, -0.02]),
    "fisheye": ("equidistant", np.array([-0.01, 0.02, -0.005, 0.001])),
}


def wide(focal: float, *d: float) -> CameraModel:
    """A plumb_bob lens around the middle of the image."""
    return CameraModel(SIZE, np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1]]), np.array(d), "plumb_bob")


def camera(shape: str) -> CameraModel:
    distortion, d = SHAPES[shape]
    return CameraModel(SIZE, K, d, distortion)


def grid(size: tuple[int, int] = SIZE, step: int = 8) -> np.ndarray:
    u, v = np.meshgrid(np.arange(0.0, size[1], step), np.arange(0.0, size[0], step))
    return np.column_stack([u.ravel(), v.ravel()])


COEFFICIENT = st.floats(-0.4, 0.4)
SMALL = st.floats(-0.002, 0.002)


@given(st.tuples(COEFFICIENT, COEFFICIENT, SMALL, SMALL, st.floats(-0.1, 0.1)), st.floats(250, 900))
def test_pixels_come_back_through_any_plumb_bob(d: tuple[float, ...], focal: float) -> None:
    lens = CameraModel(SIZE, np.array([[focal, 0, 310.0], [0, focal, 250.0], [0, 0, 1]]), np.array(d), "plumb_bob")
    _comes_back(lens)


@given(st.tuples(*[COEFFICIENT] * 2, SMALL, SMALL, *[st.floats(-0.3, 0.3)] * 4), st.floats(250, 900))
def test_pixels_come_back_through_any_rational_polynomial(d: tuple[float, ...], focal: float) -> None:
    k = np.array([[focal, 0, 310.0], [0, focal, 250.0], [0, 0, 1]])
    _comes_back(CameraModel(SIZE, k, np.array(d), "rational_polynomial"))


@given(st.tuples(*[st.floats(-0.1, 0.1)] * 4), st.floats(120, 900))
def test_pixels_come_back_through_any_fisheye(d: tuple[float, ...], focal: float) -> None:
    _comes_back(CameraModel.fisheye(SIZE, focal, d=d))


def _comes_back(lens: CameraModel) -> None:
    points = grid(step=40)
    rays = lens.rays(points)
    seen = ~np.isnan(rays).any(axis=1)
    near = np.linalg.norm(points - lens.centre, axis=1) < 30
    assert seen[near].all()
    assert np.allclose(np.linalg.norm(rays[seen], axis=1), 1)
    assert np.abs(lens.project(rays[seen]) - points[seen]).max() < 0.5


@given(st.floats(-1.2, 1.2), st.floats(0, 2 * np.pi), st.sampled_from(sorted(SHAPES)))
def test_rays_come_back_wherever_they_are_seen(angle: float, around: float, shape: str) -> None:
    ray = np.array([[np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.cos(angle)]])
    pixel = camera(shape).project(ray)
    if np.isfinite(pixel).all():
        assert np.abs(camera(shape).rays(pixel) - ray).max() < 1e-4


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_pixels_are_those_of_opencv(shape: str) -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-0.5, 0.5, (200, 2)), rng.uniform(0.8, 3.0, 200)])
    distortion, d = SHAPES[shape]
    zero = np.zeros(3)
    if distortion == "equidistant":
        expected = cv2.fisheye.projectPoints(points[:, None], zero, zero, K, d)[0]
    else:
        expected = cv2.projectPoints(points[:, None], zero, zero, K, d)[0]
    assert np.allclose(camera(shape).project(points), expected[:, 0], atol=1e-6)


def test_rays_are_those_of_opencv() -> None:
    points = grid()
    expected = cv2.undistortPointsIter(points[:, None], K, BARREL, None, None, (3, 200, 1e-12))[:, 0]
    rays = camera("plumb_bob of 5").rays(points)
    assert np.allclose(rays[:, :2] / rays[:, 2:], expected, atol=1e-6)
    angle = np.array([[0.9, 0.3, 1.0]])
    pixel = cv2.fisheye.projectPoints(angle[:, None], np.zeros(3), np.zeros(3), K, SHAPES["fisheye"][1])[0][:, 0]
    assert np.allclose(camera("fisheye").rays(pixel), angle / np.linalg.norm(angle))


def test_a_wide_plumb_bob_ends_where_it_folds_back() -> None:
    """r (1 - 0.3 r²) has its largest value, 0.703, at r = 1.054 (46.5°): nothing farther out is seen."""
    lens = CameraModel(
        SIZE, np.array([[300.0, 0, 320], [0, 300.0, 240], [0, 0, 1]]), np.array([-0.3, 0, 0, 0]), "plumb_bob"
    )
    fold = np.sqrt(1 / 0.9)
    angles = np.linspace(0, 1.5, 400)
    pixels = lens.project(np.column_stack([np.sin(angles), 0 * angles, np.cos(angles)]))
    beyond = np.tan(angles) > fold
    assert np.isnan(pixels[beyond]).all()
    assert np.isfinite(pixels[np.tan(angles) < 0.98 * fold]).all()
    seen = np.isfinite(pixels[:, 0])
    assert (np.diff(pixels[seen, 0]) > 0).all()  # OpenCV's own values turn back here

    folded = cv2.projectPoints(np.array([[[2.0, 0, 1]]]), np.zeros(3), np.zeros(3), lens.k, lens.d)[0]
    assert lens.inside(folded[0]).all()  # a point at 63° would land in the image

    rays = lens.rays(grid())
    radius = np.linalg.norm((grid() - lens.centre) / lens.focal, axis=1)
    assert np.isnan(rays[radius > 0.71]).all()  # corners of the image that no ray reaches
    assert np.isfinite(rays[radius < 0.70]).all()
    assert np.nanmax(np.tan(np.arccos(rays[:, 2]))) <= fold


def test_strong_barrels_are_undone_right_up_to_their_end() -> None:
    """Where OpenCV's fixed-point iteration fails, Newton's takes over."""
    lens = CameraModel(
        SIZE, np.array([[300.0, 0, 320], [0, 300.0, 240], [0, 0, 1]]), np.array([-0.3, 0, 0, 0]), "plumb_bob"
    )
    r = np.linspace(0.9, 1.04, 50)
    pixels = np.column_stack([320 + 300 * r * (1 - 0.3 * r**2), np.full(50, 240.0)])
    rays = lens.rays(pixels)
    assert np.allclose(rays[:, 0] / rays[:, 2], r, atol=1e-4)


def test_a_ratio_with_a_pole_ends_before_it() -> None:
    """1 - 0.5 r² below: a pole at r = 1.414, behind which the image would be mirrored."""
    lens = CameraModel(SIZE, K, np.array([0, 0, 0, 0, 0, -0.5, 0, 0]), "rational_polynomial")
    r = np.array([1.40, 1.43, 3.0])
    found = lens.project(np.column_stack([r, 0 * r, 0 * r + 1]))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()


def test_tangential_terms_that_fold_are_left_out() -> None:
    lens = CameraModel(
        SIZE, np.array([[200.0, 0, 320], [0, 200.0, 240], [0, 0, 1]]), np.array([0, 0, 0.2, 0]), "plumb_bob"
    )
    rays = lens.rays(grid())
    seen = ~np.isnan(rays).any(axis=1)
    assert seen.any()
    assert not seen.all()
    assert np.abs(lens.project(rays[seen]) - grid()[seen]).max() < 0.5


def test_a_fisheye_sees_sideways_and_beyond_and_a_pinhole_does_not() -> None:
    aside = np.array([[1.0, 0, 0], [1.0, 0, -0.3], [0, 0, -1.0]])
    fisheye, pinhole = CameraModel.fisheye(SIZE, 150), CameraModel.pinhole(SIZE, 150)
    assert np.isfinite(fisheye.project(aside)[:2]).all()
    assert np.isnan(fisheye.project(aside)[2]).all()
    assert np.isnan(pinhole.project(aside)).all()
    assert np.allclose(fisheye.rays(fisheye.project(aside[:1])), aside[:1])
    assert np.allclose(fisheye.project(np.array([[0, 0, 2.0]])), [fisheye.centre])
    folding = CameraModel.fisheye(SIZE, 150, d=(-0.2, 0, 0, 0))  # θ - 0.2 θ³ turns back at 1.29
    angles = np.array([1.2, 1.35, 2.0])
    found = folding.project(np.column_stack([np.sin(angles), 0 * angles, np.cos(angles)]))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()


def test_points_that_are_no_numbers_have_no_pixel() -> None:
    for shape in SHAPES:
        strange = np.array([[np.nan, 0, 1], [0, 0, 0], [np.inf, 0, 1], [0, 0, -2]])
        assert np.isnan(camera(shape).project(strange)).all(), shape
        assert np.isnan(camera(shape).rays(np.array([[np.nan, 3.0]]))).all(), shape
        assert camera(shape).rays(np.zeros((0, 2))).shape == (0, 3)
        assert camera(shape).project(np.zeros((0, 3))).shape == (0, 2)


def test_the_rotation_of_a_rectified_image_is_undone() -> None:
    turn = cv2.Rodrigues(np.array([0.02, -0.03, 0.01]))[0]
    rectified = CameraModel(SIZE, K, r=turn)
    points = np.array([[0.3, -0.2, 2.0], [0.0, 0.1, 1.0]])
    moved = points @ turn.T
    assert np.allclose(rectified.project(points), CameraModel(SIZE, K).project(moved))
    assert np.allclose(rectified.rays(rectified.project(points)), points / np.linalg.norm(points, axis=1)[:, None])


def test_half_the_picture_has_the_same_rays() -> None:
    full = camera("plumb_bob of 5")
    half = full.resized((240, 320))
    points = np.array([[10.0, 20], [300.0, 200], [-0.5, -0.5]])
    assert np.allclose(half.rays(points), full.rays((points + 0.5) * 2 - 0.5))
    assert half.inside(np.array([[319.4, 239.4], [-0.4, 0], [319.6, 0], [np.nan, 3]])).tolist() == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: CameraModel((0, 640), K), "size"),
        (lambda: CameraModel(SIZE, K * np.nan), "finite"),
        (lambda: CameraModel(SIZE, "seven"), "numbers"),
        (lambda: CameraModel(SIZE, np.eye(2)), "shape"),
        (lambda: CameraModel.pinhole(SIZE, 0), "focal lengths 0"),
        (lambda: CameraModel.pinhole(SIZE, -400), "above 0"),
        (lambda: CameraModel(SIZE, K + 3 * np.eye(3, k=1)), "skew"),
        (lambda: CameraModel(SIZE, K, np.zeros(5), "brown"), "'brown'.*plumb_bob, rational_polynomial, equidistant"),
        (lambda: CameraModel(SIZE, K, np.zeros(3), "plumb_bob"), "3 coefficients.*4 or 5"),
        (lambda: CameraModel(SIZE, K, np.zeros(5), "equidistant"), "5 coefficients.*expected 4"),
        (lambda: CameraModel(SIZE, K, np.array([np.inf, 0, 0, 0]), "plumb_bob"), "finite"),
        (lambda: CameraModel(SIZE, K, r=np.eye(3) * 2), "rotation"),
        (lambda: CameraModel.fisheye(SIZE, 300, d=(0.1,)), "1 coefficients"),
    ],
)
def test_what_is_no_camera_is_refused(make, text: str) -> None:
    with pytest.raises(GroundError, match=text):
        make()
