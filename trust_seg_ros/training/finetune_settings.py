"""Settings of entropy maximisation."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.training.crops import AUGMENTATIONS
from trust_seg_ros.training.errors import TrainingError
from trust_seg_ros.training.mixing import MixSettings
from trust_seg_ros.training.ood_losses import NORMALISATIONS, Normalisation

_MAY_CHANGE = (
    "out",
    "epochs",
    "learning_rate",
    "threads",
    "workers",
    "checkpoint_every",
    "judge",
    "judge_ood",
    "accept_labels",
)
"""Settings that may change when a run is continued, besides device and precision."""


@dataclass(frozen=True)
class FineTuneSettings:
    """One run; defaults are the published recipe (Chan, Rottmann, Gottschalk, ICCV 2021).

    Attributes:
        in_distribution: labelled data sets, as ``ood_sources.open_labelled`` takes them.
        ood: data with out-of-distribution objects, as ``ood_sources.open_ood`` takes them.
        out: folder of the run.
        network: which network; also the device to train on, and whether in mixed precision (``half``: bfloat16).
        mix: how batches are composed.
        split: part of the labelled data sets to train on.
        ignore: label values without a class; None = the label set's.
        label_map: YAML file that maps label values to the network's classes, or ``from-1``; None = values are class
            ids.
        accept_labels: train although the labels contradict the network, see ``datasets.label_check``.
        ood_weight: lambda in [0, 1].
        normalisation: one of ``NORMALISATIONS``, see ``ood_losses.combined_loss``.
        learning_rate: of Adam, constant.
        epochs: passes over the labelled images.
        loss_stride: the loss is taken on every n-th row and column.
        judge: splits of the first labelled folder, or ``synthetic:`` sets; their mIoU is reported before and after.
            None = "val" if there is one.
        judge_ood: data as ``ood``; their AuPRC and FPR95 are reported before and after.
        threads: CPU threads that compute; 0 = torch's own choice.
        workers: threads that read and crop.
        checkpoint_every: steps between checkpoints; there is also one after every epoch.

    Raises:
        TrainingError: a value out of its range.
    """

    in_distribution: tuple[str, ...]
    ood: tuple[str, ...]
    out: Path
    network: NetworkSettings = field(default_factory=NetworkSettings)
    mix: MixSettings = field(default_factory=MixSettings)
    split: str = "train"
    ignore: tuple[int, ...] | None = None
    label_map: str | None = None
    accept_labels: bool = False
    ood_weight: float = 0.9
    normalisation: Normalisation = "joint"
    learning_rate: float = 1e-5
    epochs: int = 4
    loss_stride: int = 1
    judge: tuple[str, ...] | None = None
    judge_ood: tuple[str, ...] = ()
    threads: int = 0
    workers: int = 2
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        for option, value, low, high in (
            ("--lambda", self.ood_weight, 0, 1),
            ("--paste", self.mix.paste, 0, 1),
            ("--ratio", self.mix.ratio, 0, 100),
            ("--learning-rate", self.learning_rate, 0, 1),
            ("--batch", self.mix.batch, 1, 1 << 16),
            ("--epochs", self.epochs, 1, 1 << 20),
            ("--loss-stride", self.loss_stride, 1, 64),
            ("--workers", self.workers, 1, 256),
            ("--threads", self.threads, 0, 1024),
            ("--checkpoint-every", self.checkpoint_every, 1, 1 << 30),
            ("--crop", min(self.mix.crop), 16, 1 << 14),
            ("--seed", self.mix.seed, 0, 1 << 62),
        ):
            if not (math.isfinite(value) and low <= value <= high):
                raise TrainingError(f"{option} is {value!r}; expected a number from {low} to {high}")
        for option, name, known in (
            ("--normalise", self.normalisation, NORMALISATIONS),
            ("--augment", self.mix.augmentation, AUGMENTATIONS),
        ):
            if name not in known:
                raise TrainingError(f"{option} is {name!r}; expected one of {', '.join(known)}")

    def fixed(self) -> dict[str, Any]:
        """Settings that must be the same when a run is continued, as flat JSON values."""
        values = {name: value for name, value in asdict(self).items() if name not in _MAY_CHANGE}
        network, mix = values.pop("network"), values.pop("mix")
        values |= {name: network[name] for name in network if name not in ("device", "half")} | mix
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
