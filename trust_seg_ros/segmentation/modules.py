"""The torch module that a text names, with its labels and input: before it is wrapped for inference or trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.segmentation.errors import LabelError, ModelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.factory import module_labels, module_spec
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.protocol import InputSpec, Size
from trust_seg_ros.segmentation.weights_hash import hash_of_module


@dataclass(frozen=True)
class Overrides:
    """Settings of a caller that replace the network's own; None = the network's own.

    Attributes:
        labels: the classes.
        input_size: (h, w) of the input; (0, 0) = as the image.
        mean, std, order: as in ``InputSpec``.
    """

    labels: LabelSet | None = None
    input_size: Size | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    order: str | None = None

    def apply(self, spec: InputSpec) -> InputSpec:
        """``spec`` with these settings applied.

        Raises:
            ModelSpecError: a value is out of range.
        """
        given: dict[str, Any] = {"mean": self.mean, "std": self.std, "order": self.order}
        changes = {name: value for name, value in given.items() if value is not None}
        if self.input_size is not None:
            changes["size"] = None if tuple(self.input_size) == (0, 0) else tuple(self.input_size)
            changes["edges"] = None
        return replace(spec, **changes)

    @property
    def any(self) -> bool:
        """Whether anything is set."""
        return self != Overrides()


@dataclass(frozen=True)
class NamedModule:
    """A torch module that can segment.

    Attributes:
        module: forward(pixels (B, 3, h, w)) -> what ``checks.CONTRACT`` says; float32, in evaluation mode.
        labels: the classes of its logits.
        input_spec: how an image becomes its input.
        sha256: hash of its weights, see ``weights_hash``; "" = it has none.
    """

    module: nn.Module
    labels: LabelSet
    input_spec: InputSpec
    sha256: str = ""


def is_compact_file(path: Path) -> bool:
    """Whether this is a weights file of the compact network, as ``trust-seg train`` and ``finetune`` write it."""
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(str(path), "pt") as file:
            return "config" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def embedded_module(spec: str, wishes: Overrides, device: torch.device) -> NamedModule:
    """The compact network with shipped weights, "embedded" or "embedded:NAME", or with the weights of a file.

    Raises:
        ModelSpecError: no weights of that name.
        ModelFileError: the file is missing, corrupt or of another network.
    """
    from trust_seg_ros.segmentation import compact

    weights: Path | None = None
    if spec.startswith("embedded:"):
        folder = Path(__file__).parent / "weights"
        weights = folder / f"{spec.partition(':')[2]}.safetensors"
        names = sorted(p.stem for p in folder.glob("*.safetensors"))
        if weights.stem not in names:
            raise ModelSpecError(f"no embedded network {spec!r}; there are: {', '.join(names) or 'none'}")
    elif spec != "embedded":
        weights = Path(spec).expanduser()
    try:
        module = compact.load_compact(device=device, weights=weights)
    except ModelError:
        raise
    except TrustSegError as error:
        raise ModelFileError(str(error)) from error
    own = replace(module_spec(module), size=module.input_size, stride=32)
    return NamedModule(module, wishes.labels or load_labels("camvid11"), wishes.apply(own), module.sha256)


def huggingface_module(spec: str, wishes: Overrides, download: bool) -> NamedModule:
    """A model of ``transformers`` from a folder or the local cache.

    Raises:
        ModelError, LabelError: as ``huggingface.load_pretrained``.
    """
    from trust_seg_ros.segmentation.huggingface import load_pretrained

    model = load_pretrained(spec, download=download)
    return NamedModule(model.module, wishes.labels or model.labels, wishes.apply(model.input_spec), model.sha256)


def factory_module(spec: str, module: nn.Module, wishes: Overrides) -> NamedModule:
    """A module made by the factory named ``spec``, with labels and input from its attributes.

    Raises:
        LabelError: neither the module nor the caller names the labels.
        ModelSpecError: an attribute is out of range.
    """
    labels = wishes.labels or module_labels(module)
    if labels is None:
        raise LabelError(
            f"network factory {spec!r}: its module has no 'labels'; set labels to a shipped set or a .yaml file"
        )
    return NamedModule(module.eval(), labels, wishes.apply(module_spec(module)), hash_of_module(module))
