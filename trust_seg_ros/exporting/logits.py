"""Writes a network as a graph of raw logits that says its classes and normalisation, and compares what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trust_seg_ros.exporting.metadata import add_entries, source_entries
from trust_seg_ros.exporting.targets import Target
from trust_seg_ros.segmentation.errors import ModelSpecError
from trust_seg_ros.segmentation.graphs.onnx_file import INPUT_KEY
from trust_seg_ros.segmentation.graphs.onnx_tail import cut_to_logits, name_outputs
from trust_seg_ros.segmentation.graphs.torch_graph import to_model
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.segmentation.masks.queries import NAMES
from trust_seg_ros.segmentation.optimise import fold_batch_norms
from trust_seg_ros.segmentation.probe import probe_pixels
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segmentation.tails import answer_of
from trust_seg_ros.segmentation.trainable import named_module
from trust_seg_ros.support.backends import TORCH

_SCENE = (480, 640)
"""(H, W) of the picture that both are shown; each resizes it by what it says of itself."""
_OF_MASKS = "onnx"
_PROGRAMS = (".onnx", ".xml", ".pt2", ".ts", ".torchscript", ".pt")


@dataclass(frozen=True)
class Exported:
    """A graph that was written and read again.

    Attributes:
        files: its files, the one that programs are given first.
        bytes: their size, together.
        size: (h, w) of the images that it takes; None = any.
        features: whether it also gives the input of the last convolution, so that every score works.
        backend: the library that it was read by.
        same_classes: share of the pixels of a scene whose class is the same, 0 to 1.
        difference: largest difference of the logits, as a share of the largest one.
    """

    files: tuple[Path, ...]
    bytes: int
    size: tuple[int, int] | None
    features: bool
    backend: str
    same_classes: float
    difference: float


def export_logits(
    settings: NetworkSettings, file: Path, target: Target, told: Callable[[str], None] = lambda _: None
) -> Exported:
    """Write a network that torch runs as a graph of raw logits, and compare the answers of both.

    Args:
        settings: the network; it is exported on the CPU, in float32, with raw logits at its own resolution.
        file: where to; what is there is replaced when the new file is whole.
        target: kind of file.
        told: called with the name of each step.

    Raises:
        ModelSpecError: the network is a program already.
        ModelError, LabelError: it cannot be loaded or exported, or no library for such files is installed.
        OSError: the file cannot be written.
    """
    target.ready()
    told("loading the network")
    own = load_network_of(settings)
    named = named_module(settings, torch.device("cpu"))
    module = named.module.eval().float().requires_grad_(False)
    fold_batch_norms(module)
    spec = named.input_spec
    told("making the graph")
    any_size = spec.size is None and spec.squares is None
    model = to_model(module, settings.model, probe_pixels(spec, own.device), any_size)
    tail = cut_to_logits(model, settings.model, plain=True)
    masks = tail.outputs == NAMES[0]
    if masks and target.name != _OF_MASKS:
        raise ModelSpecError(f"{settings.model}: --to {target.name} holds no mask networks; expected --to {_OF_MASKS}")
    name_outputs(model, tail.outputs if masks else ("logits", "features")[: len(tail.outputs)])
    said: dict[str, Any] = {key: asdict(spec)[key] for key in ("mean", "std", "order", "scale", "stride")}
    if spec.squares is not None:
        said["squares"] = asdict(spec.squares)
    elif spec.edges is not None:
        said["edges"] = asdict(spec.edges)
    add_entries(model, {INPUT_KEY: json.dumps(said), **source_entries(named.labels, settings.model, named.sha256)})
    files = target.write(model, file)
    told("comparing the answers")
    return _compared(files, own, target.device)


def load_network_of(settings: NetworkSettings) -> SegmentationNetwork:
    """The network itself, as torch runs it on the CPU in float32.

    Raises:
        ModelSpecError: it is a program already.
        ModelError, LabelError: as ``load_network``.
    """
    if Path(settings.model).suffix in _PROGRAMS:
        raise ModelSpecError(
            f"network {settings.model!r} is a program already; expected the network itself: 'embedded', weights of "
            "trust-seg train, a Hugging Face model, or package.module:callable"
        )
    return replace(settings, device="cpu", half="off", backend=TORCH).load()


def _compared(files: tuple[Path, ...], own: SegmentationNetwork, device: str) -> Exported:
    """Show a scene to the network and to the file."""
    other = load_network(str(files[0]), device=device)
    image = np.ascontiguousarray(scene_image(_SCENE))
    theirs, ours = own.infer(image), other.infer(image)
    wanted, found = theirs.logits, ours.logits
    if wanted.shape != found.shape:  # an upsampling behind the last convolution was taken off in one of them
        wanted, found = (answer_of(maps, (image.shape[0], image.shape[1])) for maps in (theirs, ours))
    found = found.cpu()
    return Exported(
        files,
        sum(file.stat().st_size for file in files),
        other.input_spec.size,
        ours.features is not None,
        getattr(other, "backend", TORCH).partition(" ")[0],
        float((wanted.argmax(0) == found.argmax(0)).float().mean()),
        float((wanted - found).abs().max() / wanted.abs().max().clamp(min=1e-30)),
    )
