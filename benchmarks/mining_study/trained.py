"""What a short training on chosen images brings: mIoU on test."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trust_seg_ros.datasets.folders import camvid
from trust_seg_ros.segmentation.compact import SHIPPED, load_compact
from trust_seg_ros.training.ood_sources import FolderSource
from trust_seg_ros.training.settings import TrainSettings
from trust_seg_ros.training.trainer import Trainer, evaluate

START = SHIPPED.with_name("synthetic.safetensors")
"""Weights that have never seen CamVid; every run begins with them."""


EVERY = 3
"""One of so many images of test is judged, the same ones for all."""


def mean_iou(data: Path, folder: Path, names: Sequence[str], seed: int, steps: int) -> dict[str, float]:
    """Train on some images of CamVid's train split and judge on test.

    Args:
        data: CamVid.
        folder: of this run; removed at the end.
        names: of the images to train on.
        seed: of crops, colours and order.
        steps: of the optimiser.

    Returns:
        "miou" and "accuracy" on test, each from 0 to 1, and "loss" of the last step.
    """
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped
    links(data, folder / "set", names)
    settings = TrainSettings(
        camvid=folder / "set",
        out=folder,
        iterations=steps,
        batch=8,
        synthetic=0,
        crop=(128, 176),
        learning_rate=1e-3,
        warm_up=20,
        evaluate_every=steps,
        seed=seed,
        threads=1,
    )
    trainer = Trainer(settings, report=lambda text: None)
    start = load_compact(weights=START)
    for net in (trainer.net, trainer.average):
        net.load_state_dict(start.state_dict())
        net.mean, net.std = start.mean, start.std
    few = camvid(data, "val")
    trainer.val_set = FolderSource("val", replace(few, samples=few.samples[::20]))  # the trainer's look, of no use here
    losses: list[float] = []
    trainer.run(lambda step, loss: losses.append(loss))
    test = camvid(data, "test")
    found = evaluate(trainer.average, FolderSource("test", replace(test, samples=test.samples[::EVERY])))
    shutil.rmtree(folder)
    return {"miou": found.mean_iou(), "accuracy": found.accuracy(), "loss": losses[-1]}


def links(data: Path, folder: Path, names: Sequence[str]) -> None:
    """A data set of links: train with these images only, val as it is."""
    for part in ("images", "labels"):
        (folder / "train" / part).mkdir(parents=True)
    (folder / "val").symlink_to((data / "val").resolve())
    by_name = {sample.name: sample for sample in camvid(data, "train").samples}
    for name in names:
        sample = by_name[name]
        for part, path in (("images", sample.image), ("labels", sample.labels)):
            (folder / "train" / part / path.name).symlink_to(path.resolve())
