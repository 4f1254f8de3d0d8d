"""Parts of a way to load a network: its row in ``loaders.LOADERS``, the argument of its function, and a helper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from trust_seg_ros.segmentation.callable_network import CallableNetwork
from trust_seg_ros.segmentation.factory import module_classifier
from trust_seg_ros.segmentation.graphs.backend import Chosen, refuse_half, run_module
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.masks.network import network_of
from trust_seg_ros.segmentation.modules import Overrides
from trust_seg_ros.segmentation.prepare import prepare_module
from trust_seg_ros.segmentation.probe import probe_pixels
from trust_seg_ros.segmentation.protocol import InputSpec, SegmentationNetwork
from trust_seg_ros.support.backends import TORCH


@dataclass(frozen=True)
class Request:
    """The argument of a loader.

    Attributes:
        spec: the text that names the network.
        overrides: settings of the caller that replace the network's own.
        device: device it is to run on.
        precision: whether half precision is used there.
        half: the caller's choice: "auto", True or False.
        download: allow downloading what is not on this machine.
        sha256: hash that the network must have, or its beginning; "" = any.
        backend: library that is to run it, one of ``backend.BACKENDS``.
        providers: what ONNX Runtime is to compute by, in order of preference; () = as the device says.
    """

    spec: str
    overrides: Overrides
    device: torch.device
    precision: bool
    half: str | bool = "auto"
    download: bool = False
    sha256: str = ""
    backend: str = "torch"
    providers: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The text as the path of a file or folder."""
        return Path(self.spec).expanduser()


@dataclass(frozen=True, kw_only=True)
class Loader:
    """One way to name a network.

    Attributes:
        form: form of the text, for people.
        fits: whether this loader accepts a text; the first loader that does is used.
        load: makes the network; raises ModelError or LabelError.
        text: description, one line of Markdown.
        labels: where its classes come from.
        needs: what must be installed or present.
    """

    form: str
    fits: Callable[[str], bool]
    load: Callable[[Request], SegmentationNetwork]
    text: str
    labels: str = "you name them"
    needs: str = ""


def from_module(
    module: nn.Module,
    name: str,
    labels: LabelSet,
    spec: InputSpec,
    device: torch.device,
    half: bool,
    sha256: str = "",
    backend: str = TORCH,
    providers: tuple[str, ...] = (),
) -> CallableNetwork:
    """A torch module as a network: moved to the device, to the library that is to run it, and tried once.

    Raises:
        ModelError: it does not fit.
    """
    refuse_half(half, backend, device, name)
    module = prepare_module(module, device, half)
    spec = replace(spec, half=half)
    chosen = on_backend(
        Chosen(module, module_classifier(module), TORCH), name, spec, device, backend, sha256, providers
    )
    return network_of(
        chosen.forward,
        name=name,
        labels=labels,
        device=device,
        input_spec=spec,
        classifier=chosen.classifier,
        where=chosen.where,
        sha256=sha256,
        backend=chosen.said,
    )


def on_backend(
    own: Chosen,
    name: str,
    spec: InputSpec,
    device: torch.device,
    backend: str,
    sha256: str = "",
    providers: tuple[str, ...] = (),
) -> Chosen:
    """A network that torch runs, on the library that is to run it.

    Raises:
        ModelError: as ``backend.run_module``.
    """
    if backend == TORCH and not providers:
        return own
    any_size = spec.size is None and spec.squares is None
    return run_module(own, backend, device, name, probe_pixels(spec, device), any_size, sha256, providers)
