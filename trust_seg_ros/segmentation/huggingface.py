"""Semantic segmentation models of Hugging Face ``transformers``: from a local folder or from the local cache.

Only safetensors weights are loaded, only with classes that ``transformers`` itself ships (``trust_remote_code`` is
never on), and nothing is downloaded unless the caller allows it: a vehicle must not wait for a download when it starts.
The image processor is not used; its settings (size, mean, std, channel order) are read from preprocessor_config.json
and applied by ``preprocess``, which stretches where some processors crop.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from trust_seg_ros.segmentation.errors import DependencyError, LabelError, ModelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.protocol import IMAGENET_MEAN, IMAGENET_STD, InputSpec
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.paths import label_names

STRIDE = 32
"""Sides are rounded to multiples of this for a model without a fixed input size."""

_log = logging.getLogger(__name__)
_REPOSITORY = re.compile(r"hf:(?P<id>[\w.-]+(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class Pretrained:
    """A model with the labels and the input that its files describe.

    Attributes:
        module: forward(pixels (1, 3, h, w)) -> an object with ``logits`` (1, q, h', w').
        labels: from ``id2label``; a shipped set's colours where the names are the same.
        input_spec: from preprocessor_config.json.
    """

    module: nn.Module
    labels: LabelSet
    input_spec: InputSpec


def load_pretrained(spec: str, *, download: bool = False) -> Pretrained:
    """A model on the CPU, in float32 and evaluation mode.

    Args:
        spec: a folder, or ``hf:organisation/name`` with an optional ``@revision``.
        download: allow downloading what the local cache lacks.

    Raises:
        DependencyError: ``transformers`` is not installed.
        ModelSpecError: ``spec`` has neither form.
        ModelFileError: the folder or the cache lacks a file, or holds a foreign, incomplete or pickled one.
    """
    transformers = _transformers()
    source, options = _source(spec, download)
    try:
        model, report = transformers.AutoModelForSemanticSegmentation.from_pretrained(
            source, **options, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except Exception as error:  # the library raises anything from OSError to KeyError
        raise _explained(spec, source, error, download) from error
    lacking = sorted(map(str, report.get("missing_keys", ())))
    clashing = sorted(map(str, report.get("mismatched_keys", ())))
    if lacking or clashing:
        some = ", ".join((lacking + clashing)[:4])
        raise ModelFileError(
            f"{spec}: the weights do not fill the network: {len(lacking)} missing, {len(clashing)} of another shape "
            f"({some}); expected a model fine-tuned for semantic segmentation"
        )
    settings = _processor_settings(transformers, source, options)
    return Pretrained(model.eval().float(), _labels(model.config.id2label, spec), input_spec_of(settings, spec))


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise DependencyError(
            f"Hugging Face models need the package transformers ({error}); install it: {how_to_install('transformers')}"
        ) from error
    return transformers


def _source(spec: str, download: bool) -> tuple[str, dict[str, Any]]:
    """The arguments of ``from_pretrained``: folder or repository, and options."""
    if not spec.startswith("hf:"):
        folder = Path(spec)
        if not (folder / "config.json").is_file():
            raise ModelFileError(f"{spec}: no config.json in this folder; expected a Hugging Face model folder")
        if not any(folder.glob("*.safetensors")):
            pickled = " (only pickled ones, which are refused)" if any(folder.glob("*.bin")) else ""
            raise ModelFileError(
                f"{spec}: no .safetensors weights{pickled}; save it again with model.save_pretrained(folder)"
            )
        return spec, {"local_files_only": True}
    match = _REPOSITORY.fullmatch(spec)
    if match is None:
        raise ModelSpecError(f"network {spec!r}: expected 'hf:organisation/name' or 'hf:organisation/name@revision'")
    return match["id"], {"local_files_only": not download, "revision": match["revision"] or "main"}


def _explained(spec: str, source: str, error: Exception, download: bool) -> ModelError:
    text = in_brief(error)
    if spec.startswith("hf:") and not download and isinstance(error, OSError):
        return ModelFileError(
            f"{spec}: not in the local cache, and nothing is fetched at start; run once: hf download {source} ({text})"
        )
    return ModelFileError(f"{spec}: not a usable semantic segmentation model: {type(error).__name__}: {text}")


def _processor_settings(transformers: Any, source: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content of preprocessor_config.json; empty, with a warning, if there is none."""
    name = "preprocessor_config.json"
    try:
        found = transformers.utils.cached_file(source, name, **options, _raise_exceptions_for_missing_entries=False)
    except OSError:
        found = None
    if found is None:
        _log.warning(
            "%s has no %s: images are normalised with ImageNet's mean and std, size as the image", source, name
        )
        return {}
    try:
        settings = json.loads(Path(found).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{found}: not readable JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ModelFileError(f"{found}: expected a mapping, found {type(settings).__name__}")
    return settings


def input_spec_of(settings: Mapping[str, Any], name: str) -> InputSpec:
    """The input that an image processor's settings describe.

    A fixed height and width are used; "shortest edge" and the like become "as the image, in multiples of 32".

    Args:
        settings: content of preprocessor_config.json.
        name: name of the model, for messages.

    Raises:
        ModelFileError: a setting is malformed.
    """
    try:
        scale = float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0
        mean = (0.0, 0.0, 0.0)
        std = (1.0, 1.0, 1.0)
        if settings.get("do_normalize", True):
            mean = _triple(settings.get("image_mean", IMAGENET_MEAN))
            std = _triple(settings.get("image_std", IMAGENET_STD))
        flip = settings.get("do_flip_channel_order", False)
        if flip:  # such processors name the values in the flipped order
            mean, std = mean[::-1], std[::-1]
        size = _fixed_size(settings.get("size")) if settings.get("do_resize", True) else None
        return InputSpec(size=size, mean=mean, std=std, order="bgr" if flip else "rgb", scale=scale, stride=STRIDE)
    except (TypeError, ValueError, ModelSpecError) as error:
        raise ModelFileError(f"{name}: malformed preprocessor_config.json: {error}") from error


def processor_settings(spec: InputSpec) -> dict[str, Any]:
    """Content of a preprocessor_config.json from which :func:`input_spec_of` reads ``spec`` again, up to its stride."""
    flip = spec.order == "bgr"
    mean, std = (list(values[::-1] if flip else values) for values in (spec.mean, spec.std))
    size = {} if spec.size is None else {"size": {"height": spec.size[0], "width": spec.size[1]}}
    return {
        "do_resize": spec.size is not None,
        **size,
        "do_rescale": True,
        "rescale_factor": spec.scale,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
        "do_flip_channel_order": flip,
    }


def _triple(values: Any) -> tuple[float, float, float]:
    if isinstance(values, (int, float)):
        values = [values] * 3
    red, green, blue = (float(v) for v in values)
    return red, green, blue


def _fixed_size(size: Any) -> tuple[int, int] | None:
    if isinstance(size, bool) or size is None:
        return None
    if isinstance(size, int):
        return size, size
    if isinstance(size, Mapping):
        return (int(size["height"]), int(size["width"])) if {"height", "width"} <= size.keys() else None
    height, width = (int(v) for v in size)
    return height, width


def _labels(id2label: Mapping[Any, str], spec: str) -> LabelSet:
    """Labels from a model's configuration; repeated names get their id appended."""
    pairs = sorted((int(key), str(value)) for key, value in id2label.items())
    if [key for key, _ in pairs] != list(range(len(pairs))):
        raise LabelError(f"{spec}: id2label numbers its classes {[k for k, _ in pairs][:8]}…; expected 0, 1, 2, …")
    names = [value for _, value in pairs]
    names = [f"{n} {i}" if names.count(n) > 1 or not n.strip() else n for i, n in enumerate(names)]
    for shipped in map(load_labels, label_names()):
        if [n.casefold() for n in shipped.names] == [n.casefold() for n in names]:
            return shipped
    return LabelSet(spec, tuple(names))
