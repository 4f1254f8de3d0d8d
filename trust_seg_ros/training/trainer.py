"""Training of the embedded compact network: resumable, averaged weights, early stopping on val."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from trust_seg_ros.datasets.folders import camvid
from trust_seg_ros.evaluation.confusion import ConfusionMatrix
from trust_seg_ros.segmentation.compact import CompactNet, save_compact
from trust_seg_ros.support.content_hash import DamagedError, sealed, unsealed
from trust_seg_ros.support.reading import reason
from trust_seg_ros.support.resumable import whole_file
from trust_seg_ros.training.batches import Batches, FolderBatches
from trust_seg_ros.training.errors import TrainingError
from trust_seg_ros.training.losses import class_weights, segmentation_loss
from trust_seg_ros.training.ood_sources import FolderSource, LabelledSource
from trust_seg_ros.training.scene_batches import SceneBatches, held_out_scenes, input_size
from trust_seg_ros.training.settings import TrainSettings

CHECKPOINT, KEPT, LOG = "checkpoint.pt", "kept.safetensors", "log.csv"
NEUTRAL = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
"""Mean and standard deviation that normalise the input of a network that never saw CamVid."""


@dataclass
class Progress:
    """State of a run; kept in the checkpoint."""

    step: int = 0
    best_miou: float = -1.0
    best_step: int = 0
    kept_step: int = 0
    without_gain: int = 0


def normalise(images: torch.Tensor, net: CompactNet) -> torch.Tensor:
    """RGB in 0..1 -> the network's input."""
    mean = torch.tensor(net.mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(net.std, device=images.device).view(1, 3, 1, 1)
    return (images - mean) / std


def evaluate(net: CompactNet, images: LabelledSource, device: str = "cpu", limit: int = 0) -> ConfusionMatrix:
    """Confusion matrix over labelled images at full resolution, in float32."""
    net.eval()
    confusion = ConfusionMatrix(net.config.classes)
    with torch.inference_mode():
        for number in range(min(len(images), limit or len(images))):
            image, labels = images.read(number)
            x = torch.from_numpy(image).permute(2, 0, 1)[None].float().div_(255).to(device)
            logits = F.interpolate(net(normalise(x, net))[0], size=labels.shape, mode="bilinear", align_corners=False)
            confusion.add(labels, logits[0].argmax(0).byte().cpu().numpy())
    net.train()
    return confusion


def _data(settings: TrainSettings) -> tuple[Batches, LabelledSource]:
    """What to train on and what to choose by."""
    if settings.camvid is None:
        return SceneBatches(settings), held_out_scenes(settings)
    val = FolderSource("val", camvid(settings.camvid, "val"))
    return FolderBatches(camvid(settings.camvid, "train"), settings), val


def _network(settings: TrainSettings) -> CompactNet:
    net, device = CompactNet(), settings.device
    if settings.camvid is None:  # the usual numbers are CamVid's
        net.mean, net.std = NEUTRAL
        net.input_size = input_size(settings.crop)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # unknown to torch's overloads
    return net


class Trainer:
    """One run. ``run()`` continues from the checkpoint in ``settings.out`` if there is one."""

    def __init__(self, settings: TrainSettings, report: Callable[[str], None] = print) -> None:
        self.settings, self.report = settings, report
        torch.manual_seed(settings.seed)
        torch.set_num_threads(settings.threads)
        self.batches, self.val_set = _data(settings)
        self.net, self.average = _network(settings), _network(settings)
        self.average.load_state_dict(self.net.state_dict())
        decay = [p for p in self.net.parameters() if p.ndim > 1]
        rest = [p for p in self.net.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": settings.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, settings.learning_rate)
        self.progress = Progress()
        self.weights = class_weights(self.batches.class_shares(self.net.config.classes)).to(settings.device)
        self._resume()

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine to 1 % of the peak."""
        s = self.settings
        if step < s.warm_up:
            return s.learning_rate * (step + 1) / s.warm_up
        share = (step - s.warm_up) / max(s.iterations - s.warm_up, 1)
        return s.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))

    def step(self, images: torch.Tensor, labels: torch.Tensor, step: int) -> float:
        """One optimiser step; returns the loss.

        Raises:
            TrainingError: the loss is not finite.
        """
        s = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate(step)
        images, labels = normalise(images.to(s.device), self.net), labels.to(s.device)
        with torch.autocast(s.device, torch.bfloat16, enabled=s.bfloat16):
            logits, _ = self.net(images)
        # loss at half resolution: a quarter of the cost, and thin poles are still seen
        loss = segmentation_loss(logits, labels[:, ::2, ::2], self.weights, s.lovasz, 40_000)
        if not torch.isfinite(loss):
            raise TrainingError(f"the loss became {loss.item()} at step {step}; lower --learning-rate and resume")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        decay = min(s.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, value in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(value)
        return float(loss.item())

    def run(self, tick: Callable[[int, float], None] = lambda step, loss: None) -> Progress:
        """Train to the last iteration or until val stops improving; ``tick(step, loss)`` after every step."""
        s, losses, started = self.settings, [], time.monotonic()
        self.net.train()
        for step, images, labels in self.batches.ahead(self.progress.step, s.iterations):
            losses.append(self.step(images, labels, step))
            self.progress.step = step + 1
            tick(step + 1, losses[-1])
            last = step + 1 == s.iterations
            if (step + 1) % s.evaluate_every == 0 or last:
                self._judge(float(np.mean(losses)), time.monotonic() - started)
                losses.clear()
                if s.patience and self.progress.without_gain >= s.patience:
                    self.report(f"val has not improved for {s.patience} evaluations: stopped")
                    break
        return self.progress

    def _judge(self, loss: float, seconds: float) -> None:
        miou = evaluate(self.average, self.val_set, self.settings.device, self.settings.limit).mean_iou()
        p = self.progress
        if miou > p.best_miou:
            p.best_miou, p.best_step, p.without_gain = miou, p.step, 0
        else:
            p.without_gain += 1
        if miou >= p.best_miou - self.settings.tolerance:
            p.kept_step = p.step
            save_compact(self.average, self.settings.out / KEPT)
        self._log({"step": p.step, "loss": round(loss, 5), "val_miou": round(miou, 5), "seconds": round(seconds, 1)})
        self._save()
        best = f"best {p.best_miou:.4f} at {p.best_step}, kept: step {p.kept_step}"
        self.report(f"step {p.step}: loss {loss:.4f}, val mIoU {miou:.4f} ({best})")

    def _log(self, row: dict[str, float]) -> None:
        path = self.settings.out / LOG
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)

    def _save(self) -> None:
        path = self.settings.out / CHECKPOINT
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        content = io.BytesIO()
        torch.save(state, content)
        with whole_file(path, path.with_suffix(".tmp")) as place:
            place.write_bytes(sealed(content.getvalue()))

    def _resume(self) -> None:
        out: Path = self.settings.out
        out.mkdir(parents=True, exist_ok=True)
        (out / "settings.json").write_text(json.dumps(asdict(self.settings), default=str, indent=2) + "\n")
        if not (out / CHECKPOINT).exists():
            return
        path = out / CHECKPOINT
        try:
            content = unsealed(path.read_bytes(), path, "choose another --out or delete it")
            state = torch.load(io.BytesIO(content), map_location=self.settings.device, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.progress = Progress(**state["progress"])
        except DamagedError as error:
            raise TrainingError(str(error)) from error
        except Exception as error:  # a damaged archive makes its readers raise anything
            raise TrainingError(
                f"{out / CHECKPOINT} does not fit this network ({reason(error)}); choose another --out or delete it"
            ) from error
        self.report(f"continues from step {self.progress.step} of {out}")
