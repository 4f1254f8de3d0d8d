"""Crops for training from scenes alone, and the scenes to judge by."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from trust_seg_ros.synthetic.camera_faults import _FAULTS, camera_faults
from trust_seg_ros.training.errors import TrainingError
from trust_seg_ros.training.scene_batches import SceneBatches, held_out_scenes
from trust_seg_ros.training.settings import TrainSettings


@pytest.fixture(scope="module")
def batches():
    return SceneBatches(TrainSettings(None, Path("unused"), batch=3, synthetic_scenes=4, crop=(64, 96)))


def test_a_crop_follows_from_seed_step_and_slot_alone(batches):
    again = SceneBatches(batches.settings)
    again.batch(7)  # what was made before does not matter
    image, labels = batches.sample(3, 1)
    assert image.shape == (64, 96, 3)
    assert labels.shape == (64, 96)
    assert np.array_equal(image, again.sample(3, 1)[0])
    assert np.array_equal(labels, again.sample(3, 1)[1])
    assert not np.array_equal(image, batches.sample(3, 2)[0])


def test_training_from_no_scene_is_refused():
    with pytest.raises(TrainingError, match="--synthetic-scenes is 0; training from scenes alone needs 1"):
        SceneBatches(TrainSettings(None, Path("unused"), synthetic_scenes=0))


def test_photographs_lend_their_surfaces(batches, tmp_path):
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "wall.png"), rng.integers(0, 255, (60, 80, 3)).astype(np.uint8))
    lent = SceneBatches(replace(batches.settings, textures=tmp_path))
    pairs = [(lent.sample(0, slot), batches.sample(0, slot)) for slot in range(3)]
    assert any(not np.array_equal(a[0], b[0]) for a, b in pairs)
    again = SceneBatches(lent.settings)
    assert np.array_equal(again.sample(0, 1)[0], pairs[1][0][0])


def test_a_folder_without_photographs_is_refused(batches, tmp_path):
    with pytest.raises(TrainingError, match=r"--textures .*: no images in this folder"):
        SceneBatches(replace(batches.settings, textures=tmp_path))


def test_a_batch_is_what_the_trainer_expects(batches):
    images, labels = batches.batch(0)
    assert tuple(images.shape) == (3, 3, 64, 96)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert set(np.unique(labels)) <= {*range(11), 255}
    shares = batches.class_shares(11)
    assert shares.shape == (11,)
    assert float(shares.sum()) == pytest.approx(1)
    assert float(shares[3]) > 0.1  # a street


def test_held_out_scenes_are_the_same_each_time_and_never_trained_on(batches):
    first, second = held_out_scenes(batches.settings), held_out_scenes(batches.settings)
    assert len(first) == 64
    for index in (0, 1, 63):
        image, labels = first.read(index)
        assert image.shape == (128, 192, 3)
        assert np.array_equal(image, second.read(index)[0])
        assert np.array_equal(labels, second.read(index)[1])
        assert all(not np.array_equal(labels, batches._drawn(scene)[1]) for scene in range(4))


@pytest.mark.parametrize("number", range(len(_FAULTS)))
def test_every_fault_of_the_camera_changes_the_picture_and_keeps_its_kind(number):
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    image = np.repeat(np.repeat(image[::8, ::8], 8, 0), 8, 1)
    before = image.copy()
    out = _FAULTS[number][1](image, np.random.default_rng(number))
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert not np.array_equal(out, image)
    assert np.array_equal(image, before)


def test_faults_follow_from_their_random_numbers():
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    first, second = (camera_faults(image, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first, second)
