"""CameraInfo: what is honoured, what is refused, and what looks wrong."""

from __future__ import annotations

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from trust_seg_ros.ground.camera_info import CameraInfoFields, camera_model, camera_remarks, looks_rectified
from trust_seg_ros.ground.errors import GroundError

K = (420.0, 0.0, 322.5, 0.0, 415.0, 236.0, 0.0, 0.0, 1.0)
P = (390.0, 0.0, 320.0, 0.0, 0.0, 390.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0)
P_OF_K = (420.0, 0.0, 322.5, 0.0, 0.0, 415.0, 236.0, 0.0, 0.0, 0.0, 1.0, 0.0)
INFO = CameraInfoFields(480, 640, K, (-0.3, 0.1, 0.001, 0.0, 0.0), "plumb_bob", p=P)
SIZE = (480, 640)
POINTS = np.array([[0.1, 0.2, 1.0], [-0.5, 0.1, 2.0], [0.0, 0.0, 1.0]])


def test_raw_images_go_by_k_and_d_and_rectified_ones_by_p() -> None:
    raw = camera_model(INFO, SIZE, False)
    expected = cv2.projectPoints(POINTS[:, None], np.zeros(3), np.zeros(3), np.reshape(K, (3, 3)), np.array(INFO.d))[0]
    assert np.allclose(raw.project(POINTS), expected[:, 0])
    rectified = camera_model(INFO, SIZE, True)
    assert np.allclose(rectified.project(POINTS), POINTS[:, :2] / POINTS[:, 2:] * 390 + [320, 240])


def test_the_rotation_counts_for_rectified_images_only() -> None:
    turn = cv2.Rodrigues(np.array([0.0, 0.05, 0.0]))[0]
    turned = replace(INFO, r=tuple(turn.ravel()))
    assert np.allclose(
        camera_model(turned, SIZE, False).project(POINTS), camera_model(INFO, SIZE, False).project(POINTS)
    )
    moved = POINTS @ turn.T
    expected = moved[:, :2] / moved[:, 2:] * 390 + [320, 240]
    assert np.allclose(camera_model(turned, SIZE, True).project(POINTS), expected)


@pytest.mark.parametrize(
    ("model", "count"),
    [("plumb_bob", 4), ("plumb_bob", 5), ("rational_polynomial", 8), ("rational_polynomial", 12), ("equidistant", 4)],
)
def test_models_and_counts_of_coefficients(model: str, count: int) -> None:
    camera = camera_model(replace(INFO, distortion_model=model, d=(0.01,) * count), SIZE, False)
    assert (camera.distortion, len(camera.d)) == (model, count)


def test_all_coefficients_zero_is_no_distortion_but_for_a_fisheye() -> None:
    assert camera_model(replace(INFO, d=(0.0,) * 5), SIZE, False).distortion == "none"
    assert camera_model(replace(INFO, d=(), distortion_model=""), SIZE, False).distortion == "none"
    fisheye = camera_model(replace(INFO, d=(0.0,) * 4, distortion_model="equidistant"), SIZE, False)
    assert np.isfinite(fisheye.project(np.array([[1.0, 0, 0]]))).all()


@pytest.mark.parametrize("rectified", [False, True])
def test_a_binned_region_sees_what_the_full_image_sees(rectified: bool) -> None:
    full = camera_model(INFO, SIZE, rectified)
    part = replace(INFO, roi=(100, 40, 400, 440), binning_x=2, binning_y=4)
    assert part.image_size() == (100, 220)
    small = camera_model(part, (100, 220), rectified)
    place = np.array([[50.0, 30.0], [200.0, 70.0]])
    on_full = (place + 0.5) * [2, 4] - 0.5 + [100, 40]
    assert np.allclose(small.rays(place), full.rays(on_full))


def test_images_of_another_size_are_scaled_only_where_that_is_allowed() -> None:
    with pytest.raises(GroundError, match="wrong size: CameraInfo is for images of 640x480, this one has 320x240"):
        camera_model(INFO, (240, 320), False)
    half = camera_model(INFO, (240, 320), False, scaled=True)
    place = np.array([[50.0, 30.0]])
    assert np.allclose(half.rays(place), camera_model(INFO, SIZE, False).rays((place + 0.5) * 2 - 0.5))
    assert camera_model(INFO, (361, 481), False, scaled=True).size == (361, 481)  # rounded sides are the same picture
    for cropped in ((480, 600), (240, 310), (400, 640)):
        with pytest.raises(GroundError, match=r"wrong size.*another shape"):
            camera_model(INFO, cropped, False, scaled=True)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"k": (0.0,) * 9}, "not calibrated"),
        ({"k": (np.nan, *K[1:])}, "K .* finite"),
        ({"d": (np.inf, 0, 0, 0, 0)}, "D .* finite"),
        ({"p": (np.nan, *P[1:])}, "P .* finite"),
        ({"k": K[:4]}, "4 numbers: expected 9"),
        (
            {"distortion_model": "kannala_brandt"},
            "'kannala_brandt'.*plumb_bob, rational_polynomial, equidistant",
        ),
        ({"distortion_model": ""}, "without a distortion model"),
        ({"d": (0.1, 0.2)}, "2 coefficients D for the distortion model plumb_bob: expected 4 or 5"),
        ({"distortion_model": "equidistant"}, "5 coefficients D.*expected 4"),
        ({"k": (-420.0, *K[1:])}, "focal lengths -420"),
        ({"k": (0.9, 0, 0.5, 0, 0.9, 0.5, 0, 0, 1)}, "focal lengths 0.9.*expected pixels"),
        ({"k": (420.0, 5.0, *K[2:])}, "skew"),
        ({"k": (*K[:2], 5000.0, *K[3:])}, r"principal point \(5000, 236\).*far outside"),
        ({"width": 0}, "0x480"),
        ({"height": 0}, "640x0"),
        ({"roi": (600, 0, 480, 100)}, "region of interest"),
        ({"binning_x": 1000}, "leaves no image"),
    ],
)
def test_what_is_wrong_is_refused_with_its_reason(change: dict, text: str) -> None:
    with pytest.raises(GroundError, match=text):
        camera_model(replace(INFO, **change), SIZE, False)


def test_images_of_size_zero_and_missing_p_are_refused() -> None:
    with pytest.raises(GroundError, match="above 0"):
        camera_model(INFO, (0, 640), False)
    with pytest.raises(GroundError, match="P of CameraInfo is all zero"):
        camera_model(replace(INFO, p=(0.0,) * 12), SIZE, True)


def test_a_rectified_image_does_not_need_a_known_distortion_model() -> None:
    assert camera_model(replace(INFO, distortion_model="kannala_brandt"), SIZE, True).distortion == "none"


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        ("/camera/image_rect", True),
        ("/camera/image_rect_color", True),
        ("/front/rectified/image", True),
        ("/camera/image_raw", False),
        ("/camera/image_raw/compressed", False),
        ("/correct/image", None),
        ("/camera/image", None),
        ("/raw_streams/image_rect", True),
    ],
)
def test_names_of_topics(topic: str, says: bool | None) -> None:
    assert looks_rectified(topic) is says


@pytest.mark.parametrize(
    ("change", "topic", "rectified", "text"),
    [
        ({}, "/camera/image_rect", False, "taken for raw, the name says rectified"),
        ({}, "/camera/image_raw", True, "taken for rectified, the name says raw.*[0-9]+ pixels"),
        ({"p": P_OF_K}, "/camera/image", True, "distortion and P is K"),
        ({"d": ()}, "/camera/image_raw", False, "no distortion"),
        ({"p": (*P[:3], -40.0, *P[4:])}, "/right/image_rect", True, "second camera of a stereo pair"),
    ],
)
def test_what_looks_wrong_is_a_remark(change: dict, topic: str, rectified: bool, text: str) -> None:
    (remark,) = camera_remarks(replace(INFO, **change), topic, rectified)

    assert re.search(text, remark), remark


@pytest.mark.parametrize(
    ("change", "topic", "rectified"),
    [
        ({}, "/camera/image_rect", True),
        ({}, "/camera/image_raw", False),
        ({}, "/camera/image", False),
        ({"d": (), "p": P_OF_K}, "/camera/image_rect", False),  # both readings are the same
        ({"d": (), "p": P_OF_K}, "/camera/image", True),
        ({"p": P_OF_K}, "/camera/image_rect", True),
    ],
)
def test_what_may_well_be_right_is_none(change: dict, topic: str, rectified: bool) -> None:
    assert camera_remarks(replace(INFO, **change), topic, rectified) == ()


def test_the_calibration_tells_another_camera_from_another_stamp() -> None:
    assert replace(INFO, stamp_ns=5, frame_id="x").calibration() == INFO.calibration()
    assert replace(INFO, d=(0.1,) * 5).calibration() != INFO.calibration()
