"""``load_network``: one text names any network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from trust_seg_ros.segmentation.checks import check_features, check_logits
from trust_seg_ros.segmentation.device import pick_device, pick_half
from trust_seg_ros.segmentation.errors import LabelError, ModelSpecError
from trust_seg_ros.segmentation.factory import call_factory, module_classifier
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.modules import (
    NamedModule,
    Overrides,
    embedded_module,
    factory_module,
    huggingface_module,
    is_compact_file,
)
from trust_seg_ros.segmentation.network import ModuleNetwork, noise_image, prepare_module
from trust_seg_ros.segmentation.optimise import fold_batch_norms
from trust_seg_ros.segmentation.protocol import InputSpec, SegmentationNetwork

SPEC_FORMS = (
    "'embedded', 'embedded:NAME', a folder of a Hugging Face model, 'hf:organisation/name', "
    "a file (.pt2, .ts, .torchscript, .pt; .safetensors of trust-seg train or finetune), or 'package.module:callable'"
)
_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_SUFFIXES = (".pt2", ".ts", ".torchscript", ".pt", ".pth", ".safetensors", ".onnx", ".bin", ".ckpt")


def load_network(
    spec: str = "embedded",
    *,
    labels: str | LabelSet | None = None,
    device: str | torch.device = "auto",
    half: str | bool = "auto",
    input_size: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    order: str | None = None,
    download: bool = False,
) -> SegmentationNetwork:
    """A network ready to use, tried once on a noise picture.

    Args:
        spec: one of ``SPEC_FORMS``.
        labels: name or path of a label set; needed for files, else None = what the network brings.
        device: "auto", "cpu", "cuda" or "cuda:N".
        half: "auto" (on a GPU), True or False.
        input_size: (h, w) that images are stretched to; (0, 0) = as the image; None = the network's own.
        mean, std: normalisation, red, green, blue of the image scaled to 0..1; None = the network's own.
        order: "rgb" or "bgr"; None = the network's own.
        download: allow ``hf:`` to fetch what is not in the local cache yet.

    Raises:
        LabelError: the labels are missing or wrong.
        ModelError: its subclasses say what is wrong: the text ``spec`` (ModelSpecError), the file (ModelFileError),
            the network's answer (ModelOutputError), an optional package (DependencyError), the device (DeviceError).
    """
    where = pick_device(device)
    precision = pick_half(half, where)
    wishes = Overrides(
        labels=load_labels(labels) if isinstance(labels, (str, Path)) else labels,
        input_size=None if input_size is None else tuple(input_size),  # type: ignore[arg-type]
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        order=order,
    )
    wishes.apply(InputSpec())
    if spec == "embedded" or spec.startswith("embedded:"):
        return _load_compact(spec, wishes, where, precision)
    if spec.startswith("hf:"):
        return _wrapped(huggingface_module(spec, wishes, download), spec, where, precision)
    path = Path(spec).expanduser()
    if spec and path.is_dir():
        return _wrapped(huggingface_module(str(path), wishes, download), str(path), where, precision)
    if is_compact_file(path):
        return _load_compact(spec, wishes, where, precision)
    if path.is_file() or path.suffix in _SUFFIXES:
        return _load_file(path, wishes, where, half)
    if _FACTORY.fullmatch(spec):
        return _load_factory(spec, wishes, where, precision)
    looked = f" (no such file or folder: {path.absolute()})" if "/" in spec else ""
    raise ModelSpecError(f"network {spec!r} is not known{looked}; expected {SPEC_FORMS}")


def _load_compact(spec: str, wishes: Overrides, device: torch.device, half: bool) -> ModuleNetwork:
    named = embedded_module(spec, wishes, device)
    fold_batch_norms(named.module)
    return _wrapped(named, spec, device, half)


def _load_file(path: Path, wishes: Overrides, device: torch.device, half: str | bool) -> SegmentationNetwork:
    from trust_seg_ros.segmentation.exported import load_exported

    model = load_exported(path, device, half)
    if wishes.labels is None:
        raise LabelError(f"{path}: a model file does not say its classes; set labels to a shipped set or a .yaml file")
    if wishes.input_size is not None and model.input_spec.size not in (None, tuple(wishes.input_size)):
        raise ModelSpecError(
            f"{path} was exported for inputs of {model.input_spec.size} but input_size is {wishes.input_size}; "
            "leave input_size away or export it again"
        )
    return ModuleNetwork(
        model.forward,
        name=str(path),
        labels=wishes.labels,
        device=device,
        input_spec=wishes.apply(model.input_spec),
        classifier=model.classifier,
    )


def _load_factory(spec: str, wishes: Overrides, device: torch.device, half: bool) -> SegmentationNetwork:
    made = call_factory(spec, device)
    if not isinstance(made, nn.Module):
        return _checked(made, spec, wishes)
    return _wrapped(factory_module(spec, made, wishes), spec, device, half)


def _wrapped(named: NamedModule, spec: str, device: torch.device, half: bool) -> ModuleNetwork:
    return from_module(named.module, spec, named.labels, named.input_spec, device, half)


def from_module(
    module: nn.Module, name: str, labels: LabelSet, spec: InputSpec, device: torch.device, half: bool
) -> ModuleNetwork:
    """A torch module as a network: moved to the device and tried once.

    Raises:
        ModelError: it does not fit.
    """
    module = prepare_module(module, device, half)
    return ModuleNetwork(
        module,
        name=name,
        labels=labels,
        device=device,
        input_spec=replace(spec, half=half),
        classifier=module_classifier(module),
    )


def _checked(network: SegmentationNetwork, spec: str, wishes: Overrides) -> SegmentationNetwork:
    """A network that came complete, after the same trial as the others."""
    if wishes.any:
        raise ModelSpecError(
            f"network factory {spec!r} returned a complete network; labels, input_size, mean, std and order "
            "cannot be set from outside for it"
        )
    maps = network.infer(noise_image(network.input_spec.size_for((64, 64))))
    check_logits(maps.logits[None], network.labels, network.name)
    if maps.features is not None:
        check_features(maps.features[None], maps.logits[None], network.name)
    return network
