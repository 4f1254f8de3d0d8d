"""``load_network``: one text names any network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.segmentation.checks import check_features, check_logits
from trust_seg_ros.segmentation.device import pick_device, pick_half
from trust_seg_ros.segmentation.errors import LabelError, ModelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.factory import call_factory, module_classifier, module_labels, module_spec
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.network import ModuleNetwork, noise_image, prepare_module
from trust_seg_ros.segmentation.optimise import fold_batch_norms
from trust_seg_ros.segmentation.protocol import InputSpec, SegmentationNetwork, Size

SPEC_FORMS = (
    "'embedded', 'embedded:NAME', a folder of a Hugging Face model, 'hf:organisation/name', "
    "a file (.pt2, .ts, .torchscript, .pt), or 'package.module:callable'"
)
EMBEDDED_SIZE: Size = (416, 544)
"""Input of the embedded network: larger than the 360x480 of CamVid's images, which gained 1.4 points of mIoU on val."""
_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_SUFFIXES = (".pt2", ".ts", ".torchscript", ".pt", ".pth", ".safetensors", ".onnx", ".bin", ".ckpt")


@dataclass(frozen=True)
class Overrides:
    """What a caller sets instead of what the network says of itself; None = the network's own.

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
        """``spec`` with what is set here.

        Raises:
            ModelSpecError: a value out of range.
        """
        given: dict[str, Any] = {"mean": self.mean, "std": self.std, "order": self.order}
        changes = {name: value for name, value in given.items() if value is not None}
        if self.input_size is not None:
            changes["size"] = None if tuple(self.input_size) == (0, 0) else tuple(self.input_size)
        return replace(spec, **changes)

    @property
    def any(self) -> bool:
        """Whether anything is set."""
        return self != Overrides()


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
        return _load_embedded(spec, wishes, where, precision)
    if spec.startswith("hf:"):
        return _load_huggingface(spec, wishes, where, precision, download)
    path = Path(spec).expanduser()
    if spec and path.is_dir():
        return _load_huggingface(str(path), wishes, where, precision, download)
    if path.is_file() or path.suffix in _SUFFIXES:
        return _load_file(path, wishes, where, half)
    if _FACTORY.fullmatch(spec):
        return _load_factory(spec, wishes, where, precision)
    looked = f" (no such file or folder: {path.absolute()})" if "/" in spec else ""
    raise ModelSpecError(f"network {spec!r} is not known{looked}; expected {SPEC_FORMS}")


def _load_embedded(spec: str, wishes: Overrides, device: torch.device, half: bool) -> SegmentationNetwork:
    from trust_seg_ros.segmentation import compact

    weights: Path | None = None
    if spec != "embedded":
        folder = Path(__file__).parent / "weights"
        weights = folder / f"{spec.partition(':')[2]}.safetensors"
        names = sorted(p.stem for p in folder.glob("*.safetensors"))
        if weights.stem not in names:
            raise ModelSpecError(f"no embedded network {spec!r}; there are: {', '.join(names) or 'none'}")
    try:
        module = compact.load_compact(device=device, weights=weights)
    except ModelError:
        raise
    except TrustSegError as error:
        raise ModelFileError(str(error)) from error
    own = replace(module_spec(module), size=EMBEDDED_SIZE, stride=32)
    labels = wishes.labels or load_labels("camvid11")
    fold_batch_norms(module)
    return from_module(module, spec, labels, wishes.apply(own), device, half)


def _load_huggingface(
    spec: str, wishes: Overrides, device: torch.device, half: bool, download: bool
) -> SegmentationNetwork:
    from trust_seg_ros.segmentation.huggingface import load_pretrained

    model = load_pretrained(spec, download=download)
    labels = wishes.labels or model.labels
    return from_module(model.module, spec, labels, wishes.apply(model.input_spec), device, half)


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
    labels = wishes.labels or module_labels(made)
    if labels is None:
        raise LabelError(
            f"network factory {spec!r}: its module has no 'labels'; set labels to a shipped set or a .yaml file"
        )
    return from_module(made, spec, labels, wishes.apply(module_spec(made)), device, half)


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
