"""A real, tiny training run on images made here."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from trust_seg_ros.segmentation.compact import load_compact
from trust_seg_ros.training.settings import TrainSettings
from trust_seg_ros.training.trainer import CHECKPOINT, KEPT, Trainer, TrainingError

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / "camvid" / split / kind).mkdir(parents=True)
        for i in range(4):
            labels = np.full((72, 96), 3, np.uint8)
            labels[: int(rng.integers(20, 50))] = 0
            image = np.where(labels[..., None] == 0, (200, 160, 120), (60, 60, 60)).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "camvid" / split / "images" / f"d_{i}.png"), image)
            cv2.imwrite(str(tmp_path / "camvid" / split / "labels" / f"d_{i}.png"), labels)
    return TrainSettings(
        tmp_path / "camvid",
        tmp_path / "run",
        iterations=20,
        batch=4,
        synthetic=1,
        synthetic_scenes=3,
        threads=1,
        crop=(64, 64),
        warm_up=3,
        evaluate_every=10,
        average=0.8,
    )


def test_training_learns_and_writes_weights_that_load(settings):
    losses = []
    progress = Trainer(settings, lambda text: None).run(lambda step, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    assert progress.best_miou > 0.5
    net = load_compact(weights=settings.out / KEPT)
    logits, features = net(torch.zeros(1, 3, 72, 96))
    assert logits.shape == (1, 11, 18, 24)
    assert torch.allclose(net.classifier(features), logits, atol=1e-5)
    assert (settings.out / "log.csv").read_text().count("\n") == 3


def test_a_resumed_run_goes_on_where_it_was(settings):
    steps = []
    settings = replace(settings, iterations=4, evaluate_every=2, synthetic_scenes=1)
    Trainer(replace(settings, iterations=2), lambda text: None).run()
    again = Trainer(settings, lambda text: None)
    assert again.progress.step == 2
    again.run(lambda step, loss: steps.append(step))
    assert steps == [3, 4]


def test_a_damaged_checkpoint_is_named(settings):
    settings.out.mkdir()
    (settings.out / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt"):
        Trainer(settings, lambda text: None)


def test_patience_stops_early(settings):
    progress = Trainer(
        replace(settings, iterations=200, evaluate_every=1, patience=2, learning_rate=0.0, synthetic_scenes=1),
        lambda text: None,
    ).run()
    assert progress.step < 200


@pytest.mark.parametrize(("tolerance", "kept"), [(2.0, 3), (-2.0, 0)])
def test_the_latest_weights_within_the_tolerance_are_kept(settings, tolerance, kept):
    run = replace(settings, iterations=3, evaluate_every=1, tolerance=tolerance, synthetic_scenes=1)
    assert Trainer(run, lambda text: None).run().kept_step == kept
    assert (run.out / KEPT).exists() == (kept > 0)
