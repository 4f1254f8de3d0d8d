"""Every way to name a network: the rows of ``LOADERS``, and what loads each."""

from __future__ import annotations

import re
from pathlib import Path

from torch import nn

from trust_seg_ros.segmentation.callable_network import CallableNetwork
from trust_seg_ros.segmentation.checks import check_features, check_logits
from trust_seg_ros.segmentation.errors import LabelError, ModelSpecError
from trust_seg_ros.segmentation.factory import call_factory
from trust_seg_ros.segmentation.graphs.backend import Chosen
from trust_seg_ros.segmentation.graphs.engine_file import SUFFIXES
from trust_seg_ros.segmentation.loader_row import Loader, Request, from_module, on_backend
from trust_seg_ros.segmentation.masks.network import network_of
from trust_seg_ros.segmentation.modules import (
    NamedModule,
    Overrides,
    embedded_module,
    factory_module,
    huggingface_module,
    is_compact_file,
)
from trust_seg_ros.segmentation.optimise import fold_batch_norms
from trust_seg_ros.segmentation.probe import noise_image
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segmentation.weights_hash import HashInBackground, hash_of_program, require_sha256
from trust_seg_ros.support.backends import AUTO, TORCH

_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PROGRAMS = (".pt2", ".ts", ".torchscript", ".pt")


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
    from trust_seg_ros.segmentation.graphs.onnx_file import load_onnx

    return load_onnx(asked)


def _load_engine(asked: Request) -> SegmentationNetwork:
    from trust_seg_ros.segmentation.graphs.engine_network import load_engine

    return load_engine(asked)


def _load_ir(asked: Request) -> SegmentationNetwork:
    from trust_seg_ros.segmentation.graphs.ir_file import load_ir

    return load_ir(asked)


def _load_factory(asked: Request) -> SegmentationNetwork:
    made = call_factory(asked.spec, asked.device)
    if not isinstance(made, nn.Module):
        if asked.backend not in (TORCH, AUTO) or asked.providers or asked.half in (True, "on"):
            raise ModelSpecError(
                f"network factory {asked.spec!r} returned a complete network, which answers by itself; leave backend, "
                "providers and half away"
            )
        return _checked(made, asked.spec, asked.overrides)
    return _wrapped(factory_module(asked.spec, made, asked.overrides), asked.spec, asked)


def is_embedded(spec: str) -> bool:
    """Whether a text names a network that comes with the package."""
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
        fits=is_embedded,
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
        fits=is_embedded,
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
