"""``load_network``: one text names any network."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from trust_seg_ros.segmentation.averaged import AveragedNetwork
from trust_seg_ros.segmentation.device import pick_device, pick_half
from trust_seg_ros.segmentation.errors import ModelSpecError
from trust_seg_ros.segmentation.graph_capture import use_cuda_graphs
from trust_seg_ros.segmentation.graphs.backend import checked_backend
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.loader_row import Request
from trust_seg_ros.segmentation.loaders import LOADERS, is_embedded, load_file, spec_forms
from trust_seg_ros.segmentation.modules import (
    Overrides,
)
from trust_seg_ros.segmentation.named_layer import watch_layer
from trust_seg_ros.segmentation.passes import Passes
from trust_seg_ros.segmentation.plausibility import implausible
from trust_seg_ros.segmentation.protocol import InputSpec, SegmentationNetwork, network_remarks
from trust_seg_ros.segmentation.weights_hash import checked_sha256, require_sha256
from trust_seg_ros.support.backends import TORCH, provider_names
from trust_seg_ros.support.content_hash import network_sha256

_log = logging.getLogger(__name__)
_REFUSED = (".pth", ".safetensors", ".bin", ".ckpt")  # unless a row takes them; the text says how to export


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
    sha256: str = "",
    features_layer: str = "",
    backend: str = TORCH,
    providers: str = "",
    passes: Passes | None = None,
    cuda_graph: bool = False,
) -> SegmentationNetwork:
    """A network ready to use, tried on a noise picture and looked at on made-up scenes (see ``plausibility``).

    Args:
        spec: text in one of the forms of ``LOADERS``.
        labels: name or path of a label set; required for model files, otherwise None = the network's own.
        device: "auto", "cpu", "cuda" or "cuda:N".
        half: "auto" (on a GPU), True or False.
        input_size: (h, w) that images are stretched to; (0, 0) = as the image; None = the network's own.
        mean, std: normalisation, red, green, blue of the image scaled to 0..1; None = the network's own.
        order: "rgb" or "bgr"; None = the network's own.
        download: allow ``hf:`` to download what is not in the local cache yet.
        sha256: hash that the network must have (see ``weights_hash``), or its first 12 digits or more; "" = any.
        features_layer: layer whose output feature scores compare, as ``named_modules`` names it; "" = the input of the
            last layer.
        backend: library that runs the network, one of ``backend.BACKENDS``: "torch" (an .onnx file by the first
            runtime that is installed), "onnxruntime", "openvino", "tensorrt", or "auto": the fastest here whose answers
            agree (not TensorRT, which takes minutes to start).
        providers: what ONNX Runtime computes by, in order of preference, with commas: "cuda", "tensorrt", …; "" = as
            the device says.
        passes: how often it looks at an image, and how its answers are averaged; None = once.
        cuda_graph: on a GPU, record a pass of the network for each shape of input and replay it; never tried on a
            device so far.

    Raises:
        LabelError: the labels are missing or wrong.
        ModelError: the subclass says what is wrong: the text ``spec`` (ModelSpecError), the file (ModelFileError),
            the network's answer (ModelOutputError), an optional package (DependencyError), the device (DeviceError).
    """
    where = pick_device(device)
    precision = pick_half(half, where)
    overrides = Overrides(
        labels=load_labels(labels) if isinstance(labels, (str, Path)) else labels,
        input_size=None if input_size is None else tuple(input_size),  # type: ignore[arg-type]
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        order=order,
    )
    overrides.apply(InputSpec())
    digest, chosen, by = checked_sha256(sha256), checked_backend(backend), provider_names(providers)
    asked = Request(spec, overrides, where, precision, half, download, digest, chosen, by)
    network = _load(asked)
    require_sha256(network_sha256(network), asked.sha256, network.name)
    if features_layer:
        watch_layer(network, features_layer)
    if cuda_graph:
        use_cuda_graphs(network)
    if passes is None or passes.single:
        return network
    if features_layer:
        raise ModelSpecError(f"features_layer is {features_layer!r}, whose output is of one pass; leave {passes} away")
    _log.warning(
        "network %s: every answer is the average of %s; calibrations and meta models are for the setting that they "
        "were made with, the shipped ones for one pass",
        spec,
        passes,
    )
    return AveragedNetwork(network, passes)


def _load(asked: Request) -> SegmentationNetwork:
    spec = asked.spec
    for loader in LOADERS:
        if loader.fits(spec):
            return _looked_at(loader.load(asked), asked)
    if asked.path.is_file() or asked.path.suffix in _REFUSED:
        return _looked_at(load_file(asked), asked)
    looked = f" (no such file or folder: {asked.path.absolute()})" if "/" in spec else ""
    raise ModelSpecError(f"network {spec!r} is not known{looked}; expected {spec_forms()}")


def _looked_at(network: SegmentationNetwork, asked: Request) -> SegmentationNetwork:
    """The network with remarks about what is implausible, which are logged; shipped ones need no look."""
    if not is_embedded(asked.spec) or asked.overrides.any:
        found = (*network_remarks(network), *implausible(network))
        with contextlib.suppress(AttributeError):  # a complete network may not take attributes
            network.remarks = found  # type: ignore[attr-defined]
        for text in found:
            _log.warning("network %s: %s", asked.spec, text)
    return network
