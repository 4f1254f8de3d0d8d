"""``load_network``: one text names any network."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from trust_seg_ros.segmentation.averaged import AveragedNetwork
from trust_seg_ros.segmentation.backend import Chosen, checked_backend
from trust_seg_ros.segmentation.callable_network import CallableNetwork
from trust_seg_ros.segmentation.checks import check_features, check_logits
from trust_seg_ros.segmentation.device import pick_device, pick_half
from trust_seg_ros.segmentation.engine_file import SUFFIXES
from trust_seg_ros.segmentation.errors import LabelError, ModelSpecError
from trust_seg_ros.segmentation.factory import call_factory
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.loader_row import Loader, Request, from_module, on_backend
from trust_seg_ros.segmentation.mask_network import network_of
from trust_seg_ros.segmentation.modules import (
    NamedModule,
    Overrides,
    embedded_module,
    factory_module,
    huggingface_module,
    is_compact_file,
)
from trust_seg_ros.segmentation.named_layer import watch_layer
from trust_seg_ros.segmentation.optimise import fold_batch_norms
from trust_seg_ros.segmentation.passes import Passes
from trust_seg_ros.segmentation.plausibility import implausible
from trust_seg_ros.segmentation.probe import noise_image
from trust_seg_ros.segmentation.protocol import InputSpec, SegmentationNetwork, network_remarks
from trust_seg_ros.segmentation.weights_hash import HashInBackground, checked_sha256, hash_of_program, require_sha256
from trust_seg_ros.support.backends import TORCH, provider_names
from trust_seg_ros.support.content_hash import network_sha256

_log = logging.getLogger(__name__)
_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PROGRAMS = (".pt2", ".ts", ".torchscript", ".pt")
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
    if passes is None or passes.single:
        return network
    if features_layer:
        raise ModelSpecError(f"features_layer is {features_layer!r}, whose output is of one pass; leave {passes} away")
    _log.warning(
        "network %s: every answer is the average of %s: calibrations and meta models are for the setting that they were "
        "made with, the shipped ones for one pass",
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
    if not _is_embedded(asked.spec) or asked.overrides.any:
        found = (*network_remarks(network), *implausible(network))
        with contextlib.suppress(AttributeError):  # a complete network may not take attributes
            network.remarks = found  # type: ignore[attr-defined]
        for text in found:
            _log.warning("network %s: %s", asked.spec, text)
    return network


def spec_forms() -> str:
    """Every way to name a network, for messages and help texts."""
    forms = [loader.form for loader in LOADERS]
    return f"{', '.join(forms[:-1])} or {forms[-1]}"


def network_table() -> str:
    """The loaders as a table of docs/networks.md."""
    rows = ["| text | what it is | labels | needs |", "|---|---|---|---|"]
    rows += [f"| {row.form.replace(chr(39), '`')} | {row.text} | {row.labels} | {row.needs} |" for row in LOADERS]
    return "\n".join(rows) + "\n"


def _load_compact(asked: Request) -> SegmentationNetwork:
    named = embedded_module(asked.spec, asked.overrides, asked.device)
    fold_batch_norms(named.module)
    return _wrapped(named, asked.spec, asked)


def _load_huggingface(asked: Request) -> SegmentationNetwork:
    spec = asked.spec if asked.spec.startswith("hf:") else str(asked.path)
    return _wrapped(huggingface_module(spec, asked.overrides, asked.download), spec, asked)


def load_file(asked: Request) -> SegmentationNetwork:
    """A network from a torch file that holds the whole network.

    Raises:
        ModelError, LabelError: the file is of another kind or damaged, or its classes are not named; the text says what
            to do.
    """
    hashing = HashInBackground(lambda: hash_of_program(asked.path))
    if asked.sha256:  # a program: another one than the one asked for is not even loaded
        require_sha256(hashing.result(), asked.sha256, str(asked.path))
    try:
        network = _load_program(asked)
    except Exception:  # torch's readers may raise anything about a damaged file
        if asked.path.is_file():
            hashing.result()  # damage is the better reason
        raise
    network.sha256 = hashing.result()
    return network


def _load_program(asked: Request) -> CallableNetwork:
    from trust_seg_ros.segmentation.exported import load_exported

    path, overrides = asked.path, asked.overrides
    model = load_exported(path, asked.device, asked.half)
    if overrides.labels is None:
        raise LabelError(f"{path}: a model file does not say its classes; set labels to a shipped set or a .yaml file")
    if overrides.input_size is not None and model.input_spec.size not in (None, tuple(overrides.input_size)):
        raise ModelSpecError(
            f"{path} was exported for inputs of {model.input_spec.size} but input_size is {overrides.input_size}; "
            "leave input_size away or export it again"
        )
    spec = overrides.apply(model.input_spec)
    own = Chosen(model.forward, model.classifier, TORCH, model.where)
    chosen = on_backend(own, str(path), spec, asked.device, asked.backend, providers=asked.providers)
    return network_of(
        chosen.forward,
        name=str(path),
        labels=overrides.labels,
        device=asked.device,
        input_spec=spec,
        classifier=chosen.classifier,
        where=chosen.where,
        backend=chosen.said,
    )


def _load_onnx(asked: Request) -> SegmentationNetwork:
    from trust_seg_ros.segmentation.onnx_file import load_onnx

    return load_onnx(asked)


def _load_engine(asked: Request) -> SegmentationNetwork:
    from trust_seg_ros.segmentation.engine_network import load_engine

    return load_engine(asked)


def _load_ir(asked: Request) -> SegmentationNetwork:
    from trust_seg_ros.segmentation.ir_file import load_ir

    return load_ir(asked)


def _load_factory(asked: Request) -> SegmentationNetwork:
    made = call_factory(asked.spec, asked.device)
    if not isinstance(made, nn.Module):
        return _checked(made, asked.spec, asked.overrides)
    return _wrapped(factory_module(asked.spec, made, asked.overrides), asked.spec, asked)


def _is_embedded(spec: str) -> bool:
    return spec == "embedded" or spec.startswith("embedded:")


def _is_folder(spec: str) -> bool:
    return bool(spec) and Path(spec).expanduser().is_dir()


def _is_factory(spec: str) -> bool:
    return _FACTORY.fullmatch(spec) is not None and not Path(spec).is_file()


def _wrapped(named: NamedModule, name: str, asked: Request) -> CallableNetwork:
    return from_module(
        named.module,
        name,
        named.labels,
        named.input_spec,
        asked.device,
        asked.precision,
        named.sha256,
        asked.backend,
        asked.providers,
    )


def _checked(network: SegmentationNetwork, spec: str, wishes: Overrides) -> SegmentationNetwork:
    """A complete network from a factory, after the same trial as the others."""
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


LOADERS: tuple[Loader, ...] = (
    Loader(
        form="'embedded'",
        fits=_is_embedded,
        load=_load_compact,
        text="the compact network shipped with the package, 11 CamVid classes, input 544×416, after entropy "
        "maximisation",
        labels="its own",
    ),
    Loader(
        form="'embedded:synthetic'",
        fits=lambda spec: spec == "embedded:synthetic",
        load=_load_compact,
        text="the same architecture trained on drawn scenes, Apache-2.0 where the others are for research; input "
        "512×384; knows real streets worse",
        labels="its own",
    ),
    Loader(
        form="'embedded:NAME'",
        fits=_is_embedded,
        load=_load_compact,
        text="other weights of it, `embedded:compact_camvid11` those before entropy maximisation, in "
        "`trust_seg_ros/segmentation/weights/NAME.safetensors`",
        labels="its own",
    ),
    Loader(
        form="'hf:organisation/name'",
        fits=lambda spec: spec.startswith("hf:"),
        load=_load_huggingface,
        text="a semantic-segmentation model of Hugging Face `transformers`, mask networks included, from the local "
        "cache; `hf:organisation/name@revision` one revision of it",
        labels="its `id2label`",
        needs='`pip install "transformers>=4.40,<6"`, and `hf download organisation/name` once',
    ),
    Loader(
        form="a folder of a Hugging Face model",
        fits=_is_folder,
        load=_load_huggingface,
        text="the same, saved with `save_pretrained`: `/models/segformer`",
        labels="its `id2label`",
        needs='`pip install "transformers>=4.40,<6"`',
    ),
    Loader(
        form="a .safetensors file of trust-seg train or finetune",
        fits=lambda spec: is_compact_file(Path(spec).expanduser()),
        load=_load_compact,
        text="weights of the compact network: `/runs/ood/weights.safetensors` ([finetune.md](finetune.md))",
        labels="camvid11, or you name them",
    ),
    Loader(
        form="a .pt2, .ts, .torchscript or .pt file",
        fits=lambda spec: Path(spec).suffix in _PROGRAMS,
        load=load_file,
        text="a network written by `torch.export.save` (`/models/net.pt2`), or a TorchScript program",
    ),
    Loader(
        form="an .onnx file",
        fits=lambda spec: Path(spec).suffix == ".onnx",
        load=_load_onnx,
        text="a network as an ONNX graph: `/models/net.onnx`, run by ONNX Runtime or OpenVINO",
        labels="the file's `names`, or you name them",
        needs="`pip install onnx onnxruntime`",
    ),
    Loader(
        form="an .xml file",
        fits=lambda spec: Path(spec).suffix == ".xml",
        load=_load_ir,
        text="a network as an OpenVINO graph, its .bin beside it: `/models/net.xml`, run by OpenVINO",
        labels="the file's, those of `metadata.yaml` beside it, or you name them",
        needs="`pip install openvino`",
    ),
    Loader(
        form="a .engine, .plan or .trt file",
        fits=lambda spec: Path(spec).suffix in SUFFIXES,
        load=_load_engine,
        text="a TensorRT engine for this GPU: `/models/net.engine`",
        labels="`net.engine.json` beside it, Ultralytics' header, or you name them",
        needs="an NVIDIA GPU and `pip install tensorrt`",
    ),
    Loader(
        form="'package.module:callable'",
        fits=_is_factory,
        load=_load_factory,
        text="a Python factory",
        labels="the module's `labels`, or you name them",
        needs="the package on `PYTHONPATH`",
    ),
)
"""Every way to name a network; the first one that fits is taken."""
