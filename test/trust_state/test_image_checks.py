"""Black, white, blurred and covered pictures are told, and pictures of every weather are not."""

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.synthetic.drive import SyntheticDrive
from trust_seg_ros.synthetic.settings import WEATHERS, DriveSettings
from trust_seg_ros.trust_state.image_checks import ImageLimits, image_faults, image_numbers


def scene(weather="overcast", seed=11, size=(240, 320)):
    return SyntheticDrive(DriveSettings(size=size, seed=seed, weather=weather)).frame(20).image


def keys(image, limits=None):
    return {fault.key: fault.useless for fault in image_faults(image_numbers(image), limits)}


@pytest.mark.parametrize("weather", WEATHERS)
def test_nothing_is_wrong_with_any_weather(weather):
    assert keys(scene(weather)) == {}


@pytest.mark.parametrize(("kind", "severity"), [("night", 5), ("fog", 5), ("rain", 5), ("low_contrast", 3)])
def test_bad_weather_is_no_fault_of_the_camera(kind, severity):
    assert keys(corrupt(scene(), kind, severity)) == {}


def test_black_is_dark_and_nothing_else():
    assert keys(np.zeros((480, 640, 3), np.uint8)) == {"dark": True}
    assert keys(np.full((480, 640, 3), 16, np.uint8)) == {"dark": True}
    assert "dark" not in keys(np.full((480, 640, 3), 17, np.uint8))


def test_white_is_overexposed_and_a_bright_sky_is_not():
    assert keys(np.full((480, 640, 3), 255, np.uint8)) == {"overexposed": True}
    image = scene().copy()
    image[:70] = 255
    assert keys(image) == {}
    image[:120] = 255
    assert keys(image) == {"overexposed": False}


@pytest.mark.parametrize("kind", ["defocus", "motion_blur"])
def test_the_more_it_is_blurred_the_worse(kind):
    edges = [image_numbers(corrupt(scene(), kind, severity)).edge for severity in (1, 3, 5)]
    assert edges == sorted(edges, reverse=True)
    assert keys(corrupt(scene(), kind, 3)).keys() == {"blurred"}
    assert keys(corrupt(scene(), kind, 5)) == {"blurred": True}


def test_blur_is_measured_at_the_scale_of_640_columns():
    large = cv2.resize(scene(size=(480, 640)), (2560, 1920), interpolation=cv2.INTER_CUBIC)
    assert keys(large) == {}
    assert "blurred" in keys(cv2.GaussianBlur(large, (0, 0), 12))


@pytest.mark.parametrize("level", [30, 90, 140])
def test_a_lens_covered_from_below_is_told_and_a_small_spot_is_not(level):
    rng, image = np.random.default_rng(0), scene().astype(np.float64)
    cover = level + rng.normal(0, 2, image.shape)
    image[100:] = cover[100:]
    assert keys(np.clip(image, 0, 255).astype(np.uint8)) == {"covered": True}
    spot = scene().astype(np.float64)
    spot[150:200, 100:160] = cover[150:200, 100:160]
    assert keys(np.clip(spot, 0, 255).astype(np.uint8)) == {}


def test_a_whole_cover_is_told():
    rng = np.random.default_rng(0)
    image = np.clip(70 + rng.normal(0, 3, (360, 480, 3)), 0, 255).astype(np.uint8)
    assert keys(image) == {"covered": True}


def test_limits_can_be_moved():
    image = corrupt(scene(), "defocus", 3)
    assert keys(image, ImageLimits(edge=0.0, edge_least=0.0)) == {}
    assert keys(scene(), ImageLimits(dark=255.0)) == {"dark": True}


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 7), (63, 639), (1, 5000), (1300, 1)])
def test_images_of_any_size_have_numbers(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    numbers = image_numbers(image)
    assert 0 <= numbers.brightest <= 255
    for share in (numbers.saturated, numbers.saturated_below, numbers.edge, numbers.flat, numbers.flat_below):
        assert 0.0 <= share <= 1.0


def test_a_strided_image_gives_the_same_numbers():
    image = scene()
    padded = np.zeros((240, 400, 3), np.uint8)
    padded[:, 40:360] = image
    assert image_numbers(padded[:, 40:360]) == image_numbers(image)
