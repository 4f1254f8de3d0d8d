"""Networks for training: named by the same texts as for ``load_network``, but as the module itself, in float32."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from trust_seg_ros.segmentation.answers import kind_of
from trust_seg_ros.segmentation.checks import check_logits, read_output
from trust_seg_ros.segmentation.errors import ModelError, ModelOutputError, ModelSpecError
from trust_seg_ros.segmentation.factory import call_factory
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.segmentation.masks.queries import MaskAnswerError
from trust_seg_ros.segmentation.modules import (
    NamedModule,
    Overrides,
    embedded_module,
    factory_module,
    huggingface_module,
    is_compact_file,
)
from trust_seg_ros.segmentation.prepare import channels_last, likes_channels_last
from trust_seg_ros.segmentation.probe import probe_spec
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segmentation.units import in_units
from trust_seg_ros.segmentation.weights_hash import checked_sha256, require_sha256

_log = logging.getLogger(__name__)
_EXPORTED = (".pt2", ".ts", ".torchscript", ".pt", ".pth", ".onnx", ".xml")


def load_trainable(settings: NetworkSettings, device: torch.device) -> NamedModule:
    """The module that ``settings`` name, on ``device``, tried once with a batch of two.

    It is in evaluation mode and its parameters require gradients, unless its factory froze them. ``settings.device``
    and ``settings.half`` are ignored: training keeps float32 weights on ``device``.

    Raises:
        ModelSpecError: an exported program, a complete network from a factory, or a text that names no network.
        ModelOutputError: it takes one image at a time, gives probabilities, or another number of classes.
        ModelFileError: it has another hash than ``settings.model_sha256``.
        ModelError, LabelError: as ``load_network``.
    """
    named = named_module(settings, device)
    module = named.module.eval().float().to(device)
    if likes_channels_last(module, device):
        module = channels_last(module)
    if not any(p.requires_grad for p in module.parameters()):
        raise ModelSpecError(f"network {settings.model!r} has no parameter that asks for gradients: nothing to train")
    _try(module, named, settings.model, device)
    return named


def named_module(settings: NetworkSettings, device: torch.device) -> NamedModule:
    """The module that ``settings`` name, as it was loaded.

    Raises:
        ModelSpecError: an exported program, a complete network from a factory, or a text that names no network.
        ModelFileError: it has another hash than ``settings.model_sha256``.
        ModelError, LabelError: as ``load_network``.
    """
    wishes = Overrides(
        labels=load_labels(settings.labels) if settings.labels else None,
        input_size=settings.input_size,
        mean=settings.mean,
        std=settings.std,
        order=settings.order,
    )
    wanted = checked_sha256(settings.model_sha256)
    named = _open(settings.model, wishes, device)
    require_sha256(named.sha256, wanted, settings.model)
    named = replace(named, input_spec=in_units(named.input_spec))
    if named.input_spec.remark:
        _log.warning("%s: %s", settings.model, named.input_spec.remark)
    return named


def _open(spec: str, wishes: Overrides, device: torch.device) -> NamedModule:
    path = Path(spec).expanduser()
    if spec == "embedded" or spec.startswith("embedded:") or is_compact_file(path):
        return embedded_module(spec, wishes, device)
    if spec.startswith("hf:") or (spec and path.is_dir()):
        return huggingface_module(spec if spec.startswith("hf:") else str(path), wishes, download=False)
    if path.suffix in _EXPORTED:
        raise ModelSpecError(
            f"network {spec!r} is an exported program: it has no parameters to train; name the Python code it came "
            "from as 'package.module:callable', fine-tune that and export it again"
        )
    if path.is_file() or path.suffix == ".safetensors" or ":" not in spec:
        raise ModelSpecError(
            f"network {spec!r} cannot be trained; expected 'embedded', 'embedded:NAME', a .safetensors file of "
            "trust-seg train or finetune, a folder of a Hugging Face model, 'hf:organisation/name' or "
            "'package.module:callable'"
        )
    made = call_factory(spec, device)
    if not isinstance(made, nn.Module) or isinstance(made, torch.jit.ScriptModule):
        raise ModelSpecError(
            f"network factory {spec!r} returned {type(made).__name__}; training needs the torch.nn.Module itself"
        )
    return factory_module(spec, made, wishes)


@torch.no_grad()
def _try(module: nn.Module, named: NamedModule, name: str, device: torch.device) -> None:
    height, width = probe_spec(named.input_spec).size_for((1, 1))
    noise = torch.rand((2, 3, height, width), generator=torch.Generator().manual_seed(0)).to(device)
    try:
        logits, _ = read_output(module(noise))
    except MaskAnswerError as error:
        raise ModelOutputError(
            f"network {name!r} cannot be trained here: {error}; train it by its own code, and name the result"
        ) from error
    except ModelOutputError:
        raise
    except Exception as error:  # whatever a foreign network raises
        raise ModelError(
            f"network {name!r} failed on a batch of two, {tuple(noise.shape)}: {type(error).__name__}: "
            f"{in_brief(error)}"
        ) from error
    if logits.ndim != 4 or logits.shape[0] != 2:
        raise ModelOutputError(
            f"network {name!r} answered a batch of two with {tuple(logits.shape)}; training needs (2, q, h, w)"
        )
    check_logits(logits[:1], named.labels, name)
    kind = kind_of([logits]).kind
    if kind in ("probabilities", "independent_probabilities"):
        raise ModelOutputError(
            f"network {name!r} gives {kind.replace('_', ' ')}; training needs its logits: return what the softmax or "
            "sigmoid is applied to"
        )
