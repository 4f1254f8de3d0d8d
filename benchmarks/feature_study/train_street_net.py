"""Trains the foreign network on CamVid train alone, in minutes on one thread: it has to be foreign, not good.

python benchmarks/feature_study/train_street_net.py ../shared/data/camvid runs/features/camvid.safetensors
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from street_net import StreetNet
from torch import nn

from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.training.batches import FolderBatches
from trust_seg_ros.training.losses import class_weights, segmentation_loss
from trust_seg_ros.training.settings import TrainSettings

STEPS, BATCH, RATE = 1500, 8, 4e-3
CROP = (192, 256)
MEAN, STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""ImageNet's, which the package takes where a module names none."""


def train(camvid: Path, out: Path) -> None:
    """Write the weights of a network trained for ``STEPS`` steps of ``BATCH`` crops, AdamW and one cosine."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    labels = load_labels("camvid11")
    settings = TrainSettings(camvid, out.parent, batch=BATCH, synthetic=0, crop=CROP, scale=(0.5, 1.5))
    batches = FolderBatches(open_dataset(camvid, "train", labels), settings)
    weights = class_weights(batches.class_shares(len(labels)))
    net = StreetNet(len(labels)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    begin = time.monotonic()
    for step, images, truth in batches.ahead(0, STEPS):
        loss = segmentation_loss(net((images - mean) / std), truth[:, ::2, ::2], weights, 0.5, 20_000)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 49:
            print(f"step {step + 1} of {STEPS}: loss {loss.item():.3f}, {time.monotonic() - begin:.0f} s", flush=True)
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, out)


if __name__ == "__main__":
    train(*map(Path, sys.argv[1:]))
