"""Entropy maximisation: a trained network learns to be unsure where it sees something it does not know.

Source: Chan, Rottmann, Gottschalk, Entropy Maximization and Meta Classification for Out-of-Distribution Detection in
Semantic Segmentation, ICCV 2021.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trust_seg_ros.datasets.folders import DatasetError
from trust_seg_ros.datasets.label_check import check_labels
from trust_seg_ros.datasets.label_map_file import label_map
from trust_seg_ros.datasets.layouts import has_splits
from trust_seg_ros.datasets.ood_images import check_marked, open_ood_images
from trust_seg_ros.datasets.pasted import ground_ids
from trust_seg_ros.segmentation.checks import read_output
from trust_seg_ros.segmentation.device import pick_half
from trust_seg_ros.segmentation.preprocess import normalised
from trust_seg_ros.segmentation.trainable import load_trainable
from trust_seg_ros.support.resumable import changes
from trust_seg_ros.synthetic.sets import PREFIX, parse_synthetic_set
from trust_seg_ros.training.batches import made_ahead
from trust_seg_ros.training.checkpoints import CHECKPOINT, State, load_checkpoint, save_checkpoint
from trust_seg_ros.training.errors import TrainingError
from trust_seg_ros.training.finetune_settings import FineTuneSettings
from trust_seg_ros.training.mixing import Mixture
from trust_seg_ros.training.ood_losses import combined_loss, pixel_counts, pixel_losses
from trust_seg_ros.training.ood_sources import FolderSource, LabelledSource, open_labelled, open_ood
from trust_seg_ros.training.outputs import save_trained
from trust_seg_ros.training.quality import predicted_by, qualities
from trust_seg_ros.training.run_log import RunLog
from trust_seg_ros.training.team import Team

Report = Callable[[str], None]


class FineTuner:
    """One run; it continues from the checkpoint in ``settings.out`` if there is one.

    The network stays in evaluation mode: batch normalisation uses the running statistics it came with and dropout is
    off, while every parameter learns. Statistics of eight crops would be poor, and the result must not depend on
    which process holds which crops.
    """

    def __init__(self, settings: FineTuneSettings, team: Team, report: Report = print) -> None:
        """Open network, data and checkpoint.

        Raises:
            TrainingError: nothing to train on, a checkpoint of another run or network, or a batch that the processes
                cannot share evenly.
            DatasetError, SyntheticDriveError, ModelError, LabelError: data or network cannot be used.
            LabelsContradictError: labels are numbered in another way than the network's classes.
        """
        self.settings, self.team, self.report = settings, team, report if team.first else lambda text: None
        if settings.mix.batch % team.size:
            raise TrainingError(f"--batch {settings.mix.batch} cannot be shared evenly by {team.size} processes")
        if settings.threads:
            torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.mix.seed)  # for factories with random weights
        self.half = pick_half(settings.network.half, team.device)
        self.network = load_trainable(settings.network, team.device)
        labels = self.network.labels
        self.label_map = None if settings.label_map is None else label_map(settings.label_map, labels)
        known = [self._labelled(text, settings.split) for text in settings.in_distribution]
        ood = [open_ood(text, labels) for text in settings.ood]
        self.judged, self.judged_ood = self._judged(), [(text, open_ood_images(text)) for text in settings.judge_ood]
        for _, images in self.judged_ood:
            check_marked(images)
        warn_of_overlap(settings.ood, settings.judge_ood, self.report)
        self._check_labels([(source.name, source) for source in known] + self.judged)
        self.mixture = Mixture(known, ood, self.network.input_spec, settings.mix, ground_ids(labels))
        self.mixture.check()
        trained = [p for p in self.network.module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(trained, settings.learning_rate)
        self.state = self._resumed()
        self.forward = team.share(self.network.module)

    @property
    def steps(self) -> int:
        """Number of steps of the whole run."""
        return self.settings.epochs * self.mixture.steps_per_epoch

    @property
    def images_judged(self) -> int:
        """Number of images in one round of judging."""
        return sum(len(source) for _, source in self.judged) + sum(len(source) for _, source in self.judged_ood)

    def run(
        self, tick: Callable[[int, float], None] = lambda step, loss: None, looked: Callable[[], None] = lambda: None
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Judge, train to the last epoch, judge again, write the weights.

        Args:
            tick: called with steps done and loss after every step.
            looked: called after every judged image.

        Returns:
            Qualities before and after, see ``quality.qualities``; empty in all processes but the first.

        Raises:
            TrainingError: loss or gradient are not finite, or a file cannot be written; the checkpoint remains.
        """
        if self.team.first and not self.state.before:
            self.state.before = self._qualities(looked)
        if self.state.step == 0:
            self._save()
        self.team.wait()
        if self.state.step < self.steps:
            self._train(tick)
        after: dict[str, float] = {}
        if self.team.first:
            after = self._qualities(looked)
            self._write_weights(after)
        self.team.wait()
        return self.state.before if self.team.first else {}, after

    def _train(self, tick: Callable[[int, float], None]) -> None:
        team, state, s = self.team, self.state, self.settings
        log = RunLog(s.out, state.step) if team.first else None
        started = time.monotonic()
        with ThreadPoolExecutor(s.workers, thread_name_prefix="crops") as pool:
            batches = made_ahead(lambda i: self.mixture.batch(i, team.rank, team.size, pool), state.step, self.steps)
            for step, (images, codes) in batches:
                row = self.step(images, codes, step)
                state.step = step + 1
                now = time.monotonic()
                seconds, started = now - started, now
                if log is not None:
                    epoch = 1 + step // self.mixture.steps_per_epoch
                    log.add({"step": step + 1, "epoch": epoch, **row, "seconds": round(seconds, 4)})
                tick(step + 1, row["loss"])
                whole_epoch = state.step % self.mixture.steps_per_epoch == 0
                if whole_epoch or state.step % s.checkpoint_every == 0:
                    self._save()

    def step(self, images: torch.Tensor, codes: torch.Tensor, step: int) -> dict[str, Any]:
        """One optimiser step on this process's part of the batch.

        Args:
            images: (B, 3, h, w) uint8 RGB.
            codes: (B, h, w) uint8, see ``ood_losses``.
            step: number of steps done before.

        Returns:
            Loss and its parts over the batch of all processes, as columns of the log.

        Raises:
            TrainingError: loss or gradient are not finite; no weight has been changed by this step.
        """
        s, team = self.settings, self.team
        images, codes = images.to(team.device), codes.to(team.device).long()
        codes = codes[:, :: s.loss_stride, :: s.loss_stride]
        x = normalised(images.float(), self.network.input_spec).contiguous(memory_format=torch.channels_last)
        counts = team.total(pixel_counts(codes))
        with torch.autocast(team.device.type, torch.bfloat16, enabled=self.half):
            logits, _ = read_output(self.forward(x))
        losses = pixel_losses(logits, codes)
        loss = combined_loss(losses, counts, s.ood_weight, s.normalisation)
        self.optimiser.zero_grad(set_to_none=True)
        (loss * team.size).backward()  # gradients are averaged over the processes, the loss is a sum over them
        sums = team.total(losses)
        value = combined_loss(sums, counts, s.ood_weight, s.normalisation).item()
        length = nn.utils.clip_grad_norm_(self.network.module.parameters(), float("inf"))
        for name, number in (("loss", value), ("length of the gradient", length.item())):
            if not abs(number) < float("inf"):
                raise TrainingError(self._stopped(name, number, step))
        self.optimiser.step()
        means = [float(a) / float(n) if n else None for a, n in zip(sums, counts, strict=True)]
        return {
            "loss": round(value, 6),
            "in_distribution": None if means[0] is None else round(means[0], 6),
            "ood": None if means[1] is None else round(means[1], 6),
            "in_pixels": int(counts[0]),
            "ood_pixels": int(counts[1]),
            "learning_rate": s.learning_rate,
        }

    def _stopped(self, name: str, number: float, step: int) -> str:
        kept = step - step % self.mixture.steps_per_epoch
        kept = max(kept, step - step % self.settings.checkpoint_every)
        return (
            f"the {name} became {number} in step {step + 1}, learning rate {self.settings.learning_rate:g}; the "
            f"checkpoint of step {kept} in {self.settings.out} is kept. Lower --learning-rate, or use --half off, and "
            "run again: it continues from there"
        )

    def _labelled(self, text: str, split: str) -> LabelledSource:
        return open_labelled(text, split, self.network.labels, self.settings.ignore, self.label_map)

    def _check_labels(self, sources: Sequence[tuple[str, LabelledSource]]) -> None:
        predict, names = predicted_by(self.network, self.team.device), self.network.labels.names
        folders = [(name, source.folder) for name, source in sources if isinstance(source, FolderSource)]
        for name, folder in folders:
            if remark := check_labels(predict, folder, names, name, self.settings.accept_labels):
                self.report(f"note: {remark}")

    def _judged(self) -> list[tuple[str, LabelledSource]]:
        """Labelled images to judge on: splits of the first folder, and synthetic sets."""
        s, labels = self.settings, self.network.labels
        folder = next((text for text in s.in_distribution if not text.startswith(PREFIX)), None)
        found: list[tuple[str, LabelledSource]] = []
        for name in ("val",) if s.judge is None else s.judge:
            if name.startswith(PREFIX):
                found.append((name, open_labelled(name, "", labels)))
                continue
            try:
                if folder is None or not has_splits(Path(folder).expanduser()):
                    raise DatasetError(f"--judge {name}: no folder with splits among {', '.join(s.in_distribution)}")
                found.append((name, self._labelled(folder, name)))
            except DatasetError:
                if s.judge is not None:
                    raise
                self.report("no split val: the loss of mIoU is not measured; name splits with --judge")
        return found

    def _qualities(self, looked: Callable[[], None]) -> dict[str, float]:
        return qualities(self.network, self.team.device, self.judged, self.judged_ood, looked)

    def _save(self) -> None:
        if self.team.first:
            save_checkpoint(self.settings.out, self.state, self.network.module, self.optimiser)

    def _write_weights(self, after: dict[str, float]) -> None:
        s = self.settings
        notes = {"steps": str(self.state.step), "from": s.network.model, "lambda": f"{s.ood_weight:g}"}
        notes |= {name: f"{value:.4f}" for name, value in after.items()}
        path, use = save_trained(self.network, s.network.model, s.out, notes)
        self.report(f"{path} written; to use it: {use}")

    def _fixed(self) -> dict[str, Any]:
        """Settings that a run is continued with only; of the label map its content, wherever its file is."""
        return self.settings.fixed() | {"label_map": None if self.label_map is None else self.label_map.words()}

    def _resumed(self) -> State:
        s = self.settings
        try:
            s.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{s.out}: the folder cannot be made ({error.strerror})") from error
        state = load_checkpoint(s.out, self.network.module, self.optimiser)
        if state is None:
            return State(settings=self._fixed())
        now = self._fixed()
        found = changes({name: state.settings.get(name) for name in now}, now)
        found.sort(key=lambda change: list(now).index(change.name.partition(".")[0]))
        changed = [f"{change.name} was {change.before!r}, is {change.now!r}" for change in found]
        if changed:
            raise TrainingError(
                f"{s.out / CHECKPOINT}: of a run with other settings: {'; '.join(changed)}; choose another --out, or "
                "the earlier settings"
            )
        self.report(f"continues from step {state.step} of {s.out}")
        return state


def warn_of_overlap(ood: Sequence[str], judged: Sequence[str], report: Report) -> None:
    """Warn if synthetic sets for judging share seeds or kinds of unknown objects with the training sets."""
    trained, judges = ([parse_synthetic_set(t) for t in texts if t.startswith(PREFIX)] for texts in (ood, judged))
    for theirs, ours in product(judges, trained):
        kinds = sorted(set(theirs.kinds) & set(ours.kinds))
        if kinds:
            report(f"{theirs} judges kinds that are trained on, so its numbers are too good: {', '.join(kinds)}")
        if theirs.first <= ours.last and ours.first <= theirs.last:
            report(f"{theirs} judges seeds that are trained on, so its numbers are too good")
