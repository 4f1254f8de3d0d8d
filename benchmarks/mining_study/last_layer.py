"""What chosen images bring to the last layer alone, fitted anew: no chance is in it but that of the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from trained import EVERY, START

from trust_seg_ros.datasets.folders import camvid
from trust_seg_ros.evaluation.confusion import ConfusionMatrix
from trust_seg_ros.segmentation.compact import CompactNet, load_compact
from trust_seg_ros.training.losses import class_weights
from trust_seg_ros.training.trainer import normalise
from trust_seg_ros.types import UNLABELLED

STRIDE = 8
"""Of the quarter-size features every eighth is learned from, in both directions."""
RIDGE = 1e-4


def features(net: CompactNet, image: np.ndarray) -> torch.Tensor:
    """(D, h, w) input of the last layer, at a quarter of the image's size."""
    with torch.inference_mode():
        x = torch.from_numpy(image).permute(2, 0, 1)[None].float().div_(255)
        return net(normalise(x, net))[1][0]


def pixels(data: Path, file: Path) -> dict[str, np.ndarray]:
    """Of every image of train the features (n, m, D) float16 and labels (n, m) uint8 of some pixels, and names (n,)."""
    if not file.exists():
        net, folder = load_compact(weights=START), camvid(data, "train")
        found: list[np.ndarray] = []
        classes: list[np.ndarray] = []
        for sample in folder:
            image, labels = folder.read(sample)
            x = features(net, image)[:, ::STRIDE, ::STRIDE]
            step = 4 * STRIDE
            found.append(x.flatten(1).T.half().numpy())
            classes.append(labels[::step, ::step][: x.shape[1], : x.shape[2]].ravel())
        names = np.array([sample.name for sample in folder])
        np.savez(file, x=np.stack(found), y=np.stack(classes), names=names)
    with np.load(file) as loaded:
        return dict(loaded)


def fitted(known: dict[str, np.ndarray], names: Sequence[str], classes: int) -> torch.nn.Linear:
    """The last layer that minimises the weighted cross entropy on the pixels of some images."""
    chosen = np.isin(known["names"], names)
    x, y = torch.from_numpy(known["x"][chosen]).float().flatten(0, 1), torch.from_numpy(known["y"][chosen]).flatten()
    x, y = x[y != UNLABELLED], y[y != UNLABELLED].long()
    weights = class_weights(torch.bincount(y, minlength=classes) / len(y))
    layer = torch.nn.Linear(x.shape[1], classes)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    search = torch.optim.LBFGS(layer.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        value = F.cross_entropy(layer(x), y, weights) + RIDGE * layer.weight.square().sum()
        value.backward()
        return value

    search.step(loss)  # type: ignore[arg-type]
    return layer.requires_grad_(False)


def mean_iou(data: Path, layers: Sequence[torch.nn.Linear]) -> list[float]:
    """Mean IoU (0 to 1) of last layers on every third image of test; the rest of the network sees each image once."""
    net, folder = load_compact(weights=START), camvid(data, "test")
    counts = [ConfusionMatrix(net.config.classes) for _ in layers]
    for sample in folder.samples[::EVERY]:
        image, labels = folder.read(sample)
        seen = features(net, image).permute(1, 2, 0)
        for layer, count in zip(layers, counts, strict=True):
            logits = layer(seen).permute(2, 0, 1)[None]
            logits = F.interpolate(logits, size=labels.shape, mode="bilinear", align_corners=False)
            count.add(labels, logits[0].argmax(0).byte().numpy())
    return [count.mean_iou() for count in counts]
