"""Numbers of a frame that the shift monitor watches."""

import math

import cv2
import numpy as np
import pytest
import torch

from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.thresholds.frame_statistics import (
    OLDER,
    STATISTICS,
    Watched,
    frame_mean,
    frame_statistics,
    sampled_mean,
    title,
)
from trust_seg_ros.types import Classifier, LogitMaps
from trust_seg_ros.uncertainty import uncertainty_maps

IMAGES = tuple(name for name, row in STATISTICS.items() if not row.network)


def street(height=120, width=160, seed=0):
    rough = np.random.default_rng(seed).integers(40, 200, (height // 4, width // 4, 3), dtype=np.uint8)
    return cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)


def watched(image, seed=0, raw=True, features=None):
    q, size = 5, (image.shape[0], image.shape[1])
    logits = torch.randn(q, 12, 16, generator=torch.Generator().manual_seed(seed))
    classifier = None if features is None else Classifier(torch.zeros(q, features.shape[0], 1, 1))
    answer = LogitMaps(logits if raw else logits.log_softmax(0), size, raw, features, classifier)
    return Watched(image, answer, uncertainty_maps(answer))


def test_each_is_a_number_of_the_frame():
    frame = watched(street(), features=torch.rand(7, 12, 16))
    found = frame_statistics(frame)
    assert set(found) == set(STATISTICS)
    assert found["entropy"] == pytest.approx(float(frame.maps.entropy.mean()), rel=0.02)
    assert found["margin"] == pytest.approx(float(frame.maps.margin.mean()), rel=0.02)
    assert found["max_logit"] == pytest.approx(-float(frame.answer.logits.amax(0).mean()), rel=0.02)
    assert found["brightness"] == pytest.approx(frame.image[:, :, 1].mean() / 255, rel=0.02)
    assert math.isnan(found["feature_distance"]), "nobody gave statistics of features"
    assert math.isfinite(found["feature_length"])
    assert set(OLDER) <= set(STATISTICS)


def test_what_a_network_does_not_give_is_nan():
    found = frame_statistics(watched(street(), raw=False))
    assert math.isnan(found["max_logit"])
    assert math.isnan(found["feature_length"])
    assert all(math.isfinite(found[name]) for name in (*IMAGES, "entropy"))


@pytest.mark.parametrize(
    ("condition", "name", "sign"),
    [("over_exposure", "saturated", 1), ("over_exposure", "brightness", 1), ("motion_blur", "sharpness", -1),
     ("defocus", "sharpness", -1), ("night", "brightness", -1), ("low_contrast", "contrast", -1)],
)  # fmt: skip
def test_corruptions_move_statistics_of_the_image(condition, name, sign):
    clean = frame_statistics(watched(street()), [name])[name]
    moved = frame_statistics(watched(corrupt(street(), condition, 5)), [name])[name]
    assert sign * (moved - clean) > 0.03 * abs(clean)


@pytest.mark.parametrize("shape", [(1, 1), (2, 400), (3, 3), (16, 16), (1080, 1920)])
@pytest.mark.parametrize("value", [0, 255])
def test_images_of_any_size_and_of_one_colour(shape, value):
    found = frame_statistics(watched(np.full((*shape, 3), value, np.uint8)), IMAGES)
    assert found["brightness"] == value / 255
    assert found["saturated"] == (value == 255)
    assert found["contrast"] == 0
    assert math.isnan(found["sharpness"]) == (min(shape) < 3)


def test_a_strided_image_is_the_same_image():
    image = street()
    wide = np.zeros((120, 200, 4), np.uint8)
    wide[:, 20:180, :3] = image
    view = wide[:, 20:180, :3]
    assert frame_statistics(watched(view), IMAGES) == frame_statistics(watched(image), IMAGES)


def test_faulty_pixels_do_not_count():
    plane = np.full((40, 50), 0.25, np.float32)
    plane[::3] = np.nan
    assert sampled_mean(plane) == 0.25
    assert math.isnan(sampled_mean(np.full((4, 4), np.inf, np.float32)))
    assert sampled_mean(np.linspace(0, 1, 4_000_000, dtype=np.float32).reshape(2000, 2000)) == pytest.approx(
        0.5, abs=0.01
    )


def test_titles():
    assert title("sharpness") == "sharpness of the image"
    assert title("of another version") == "of another version"


def test_mean_of_a_frame():
    score = np.array([[0.1, 0.3], [0.5, np.inf]], np.float32)
    assert frame_mean(score) == pytest.approx(0.3)
    assert frame_mean(score[:1]) == pytest.approx(0.2)
    assert math.isnan(frame_mean(np.full((2, 2), np.nan, np.float32)))
    assert math.isnan(frame_mean(np.empty((0, 4), np.float32)))
    assert frame_mean(np.full((2000, 2000), 0.1, np.float32)) == pytest.approx(0.1, rel=1e-7)
