"""Settings of training the embedded network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainSettings:
    """Settings of one training run; the model card lists the settings of the shipped weights.

    Attributes:
        camvid: folder with train/, val/ and test/ of CamVid (480x360, 11 classes); None = train from scenes of the
            synthetic drive alone, painted over and seen by many cameras, and choose by others (``scene_batches``).
        out: folder of the run: checkpoint, kept weights, log.
        iterations: number of optimiser steps.
        batch: CamVid crops per step, or crops of scenes where there is no CamVid.
        synthetic: crops of the synthetic drive added to every step of CamVid crops.
        synthetic_scenes: number of different scenes of the synthetic drive.
        textures: folder of photographs whose surfaces are painted on scenes where there is no CamVid; None = drawn
            patterns only.
        crop: (height, width) of a crop in pixels.
        scale: range of the random zoom.
        learning_rate: peak of the cosine schedule (AdamW).
        weight_decay: of the convolutions' kernels.
        warm_up: steps of linear warm-up.
        lovasz: factor of the Lovász softmax, which is added to the weighted cross entropy.
        rare_share: share of the crops centred on a rare class.
        average: decay of the exponential moving average of the weights; the averaged weights are kept.
        evaluate_every: steps between two evaluations on val: CamVid's, or held-out scenes.
        tolerance: the weights kept are the latest whose val mIoU is at most this below the best. CamVid's val is one
            clip of 7 seconds: differences of a point there are noise, and later weights saw a lower learning rate.
        patience: evaluations without a better val mIoU after which training stops (0 = never).
        seed: of all random numbers.
        threads: CPU threads.
        bfloat16: run convolutions in bfloat16.
        device: "cpu" or "cuda".
        limit: use only this many training and val images (0 = all), for tests.
    """

    camvid: Path | None
    out: Path
    iterations: int = 7000
    batch: int = 6
    synthetic: int = 2
    synthetic_scenes: int = 400
    textures: Path | None = None
    crop: tuple[int, int] = (288, 384)
    scale: tuple[float, float] = (0.65, 2.0)
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.03
    warm_up: int = 300
    lovasz: float = 0.5
    rare_share: float = 0.35
    average: float = 0.998
    evaluate_every: int = 500
    tolerance: float = 0.01
    patience: int = 0
    seed: int = 0
    threads: int = 2
    bfloat16: bool = True
    device: str = "cpu"
    limit: int = 0
