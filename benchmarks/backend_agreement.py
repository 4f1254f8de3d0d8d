"""Whether networks of several kinds answer alike on every library: classes, maps and all scores, and how fast.

    python benchmarks/backend_agreement.py [--images ../shared/data/camvid/test/images] [--count 8] [--kinds NAME ...]

Each kind is a network of the size people use, with random weights whose last layer is scaled so that its logits spread
like a trained network's (a standard deviation of 3); mask networks are those of the tests, small, each query with a
mask and classes of its own; the shipped one has its own weights. Real photographs. The worst image counts; ms are
medians taken in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trust_seg_ros.datasets.image_files import read_image
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.evaluation.agreement import agreement, judged, times
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.support.backends import TORCH
from trust_seg_ros.thresholds.shipped import chosen_calibration
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

NAMES = {index: f"class {index}" for index in range(19)}
SPREAD = 3.0
SIZE = (512, 1024)
STAGES = [f"stage{index}" for index in range(1, 5)]
Maker = Callable[[Path], NetworkSettings]


def segformer(folder: Path) -> NetworkSettings:
    """SegFormer-B0."""
    import transformers as t

    return saved(t.SegformerForSemanticSegmentation(t.SegformerConfig(id2label=NAMES)), folder)


def deeplab(folder: Path) -> NetworkSettings:
    """DeepLabV3+ on MobileNetV2."""
    import transformers as t

    return saved(t.MobileNetV2ForSemanticSegmentation(t.MobileNetV2Config(id2label=NAMES)), folder)


def upernet(folder: Path) -> NetworkSettings:
    """UperNet on ConvNeXt-T, half as wide."""
    import transformers as t

    backbone = t.ConvNextConfig(hidden_sizes=[48, 96, 192, 384], depths=[3, 3, 9, 3], out_features=STAGES)
    config = t.UperNetConfig(backbone_config=backbone, hidden_size=128, use_auxiliary_head=False, id2label=NAMES)
    return saved(t.UperNetForSemanticSegmentation(config), folder)


def masks(kind: str) -> Maker:
    """A mask network, small, whose queries each have a mask and classes of their own (as the tests make them)."""

    def maker(folder: Path) -> NetworkSettings:
        sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "helpers"))
        import mask_networks

        mask_networks.save(kind, folder, tuple(NAMES.values())[:6])
        side = mask_networks.SIDE
        return NetworkSettings(str(folder), input_size=None if kind == "eomt" else (side, side + 32))

    return maker


class Aligned(torch.nn.Module):
    """A small network as authors write them: dilated blocks, the last layer, an upsampling with aligned corners."""

    labels = "cityscapes19"
    input_size = SIZE

    def __init__(self) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        for index, (before, after) in enumerate(((3, 32), (32, 64), (64, 128), (128, 128), (128, 128))):
            stride, dilation = (2, 1) if index < 3 else (1, 2 * index)
            layers += [
                torch.nn.Conv2d(before, after, 3, stride, dilation, dilation),
                torch.nn.BatchNorm2d(after),
                torch.nn.PReLU(after),
            ]
        self.body, self.last = torch.nn.Sequential(*layers), torch.nn.Conv2d(128, 19, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits at the size of the input."""
        low = self.last(self.body(x))
        return torch.nn.functional.interpolate(low, x.shape[2:], mode="bilinear", align_corners=True)


def made() -> Aligned:
    """A factory of the settings ``backend_agreement:made``."""
    torch.manual_seed(0)
    net = Aligned().eval()
    scale(net.last, lambda: net(torch.randn(1, 3, *SIZE)))
    return net


def factory(_: Path) -> NetworkSettings:
    """A Python factory with an align_corners tail."""
    sys.path.insert(0, str(Path(__file__).parent))
    return NetworkSettings("backend_agreement:made")


def program(folder: Path) -> NetworkSettings:
    """The same as a .pt2 file."""
    file = folder / "net.pt2"
    torch.export.save(torch.export.export(made(), (torch.randn(1, 3, *SIZE),)), str(file))
    return NetworkSettings(str(file), labels="cityscapes19")


def embedded(_: Path) -> NetworkSettings:
    """The shipped network."""
    return NetworkSettings("embedded")


MASKS = ("maskformer", "mask2former", "oneformer", "eomt")
KINDS: dict[str, Maker] = {
    **{maker.__name__: maker for maker in (embedded, segformer, deeplab, upernet, factory, program)},
    **{kind: masks(kind) for kind in MASKS},
}


@torch.no_grad()
def scale(layer: torch.nn.Module, run: Callable[[], object]) -> None:
    """Scale a layer so that what it gives on noise has the mean 0 in every channel and the deviation ``SPREAD``."""
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    run()
    handle.remove()
    output: torch.Tensor = seen[-1]
    axes = (0, 2, 3)
    mean, factor = output.mean(axes), SPREAD / float((output - output.mean(axes, keepdim=True)).std())
    weights: dict[str, Any] = dict(layer.named_parameters())
    weights["weight"].mul_(factor)
    weights["bias"].copy_((weights["bias"] - mean) * factor)


def saved(model: Any, folder: Path) -> NetworkSettings:
    """A model of transformers, its classifier scaled, as a folder."""
    outputs = {module: getattr(module, "out_channels", 0) for module in model.modules()}
    last = [module for module, count in outputs.items() if count == len(NAMES)][-1]
    model = model.eval()
    scale(last, lambda: model(torch.randn(1, 3, *SIZE)))
    model.save_pretrained(folder)
    return NetworkSettings(str(folder), input_size=SIZE)


def rows(kind: str, images: list[np.ndarray], rounds: int) -> None:
    """Print the rows of one kind of network."""
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        settings = replace(KINDS[kind](Path(folder)), device="cpu")
        nets, starts, answers, known = {}, {}, {}, NO_STATISTICS
        for backend in (TORCH, *(name for name, row in RUNTIMES.items() if row.there)):
            begin = time.perf_counter()
            try:
                nets[backend] = replace(settings, backend=backend).load()
            except TrustSegError as error:
                print(f"| {kind} | {backend} | {' '.join(str(error).split())[:160]} | | | | |", flush=True)
                continue
            starts[backend] = time.perf_counter() - begin
            if backend == TORCH and (found := chosen_calibration("auto", settings.model, nets[backend], IN_LOGARITHMS)):
                known = found.statistics
            answers[backend] = [judged(nets[backend], image, known) for image in images]
        spent = times({name: (lambda net=net: net.infer(images[0])) for name, net in nets.items()}, rounds, 60.0)
        for backend, answer in answers.items():
            alike = agreement(answers[TORCH], answer)
            worst = max(alike.scores, key=lambda name: alike.scores[name], default="")
            score = f"{alike.scores[worst]:.1e} ({worst})" if worst else "none"
            cells = [
                kind,
                backend,
                "yes" if alike.good else "**no**",
                f"{alike.same_classes:.4%}",
                f"{alike.maps:.1e}",
                f"{score}, of {len(alike.scores)}",
                f"{spent[backend] * 1e3:.0f}",
                f"{starts[backend]:.1f}",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Read the command line, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--images", type=Path, default=Path("../shared/data/camvid/test/images"), help="folder of photographs"
    )
    parser.add_argument("--count", type=int, default=8, help="photographs, evenly from the folder (default: 8)")
    parser.add_argument("--rounds", type=int, default=10, help="turns that are timed (default: 10)")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=tuple(KINDS))
    args = parser.parse_args()
    files = sorted(p for p in args.images.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        parser.error(f"--images {args.images}: no photographs there")
    with contextlib.suppress(ImportError):
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
    images = [read_image(files[index]) for index in np.linspace(0, len(files) - 1, args.count).astype(int)]
    print("| network | library | alike | classes | maps | other scores | ms | start, s |")
    print("|---|---|---|---:|---:|---|---:|---:|")
    for kind in args.kinds:
        rows(kind, images, args.rounds)


if __name__ == "__main__":
    main()
