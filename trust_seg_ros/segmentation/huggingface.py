"""Semantic segmentation models of Hugging Face ``transformers``: from a local folder or from the local cache.

Only safetensors weights are loaded, only with classes that ``transformers`` itself ships (``trust_remote_code`` is
never on), and nothing is downloaded unless the caller allows it: a vehicle must not wait for a download when it starts.
The image processor is not used; its settings (size, mean, std, channel order) are read from its file by
``image_processors`` and applied by ``preprocess``, which keeps the whole image where some processors crop.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from trust_seg_ros.segmentation.errors import DependencyError, LabelError, ModelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.image_processors import input_spec_of
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.masks.models import KINDS, load_mask_model, mask_model
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.segmentation.weights_hash import HashInBackground, hash_of_folder
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.paths import label_names
from trust_seg_ros.support.reading import lfs_pointer, read_json_file

_PROCESSOR_FILE = "preprocessor_config.json"
_log = logging.getLogger(__name__)
_REPOSITORY = re.compile(r"hf:(?P<id>[\w.-]+(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class Pretrained:
    """A model with the labels and the input that its files describe.

    Attributes:
        module: forward(pixels (1, 3, h, w)) -> an object with ``logits`` (1, q, h', w').
        labels: from ``id2label``; a shipped set's colours where the names are the same.
        input_spec: from preprocessor_config.json.
        sha256: hash of its files, see ``weights_hash``.
    """

    module: nn.Module
    labels: LabelSet
    input_spec: InputSpec
    sha256: str = ""


def load_pretrained(spec: str, *, download: bool = False) -> Pretrained:
    """A model on the CPU, in float32 and evaluation mode.

    Args:
        spec: a folder, or ``hf:organisation/name`` with an optional ``@revision``.
        download: allow downloading what the local cache lacks.

    Raises:
        DependencyError: ``transformers`` is not installed.
        ModelSpecError: ``spec`` has neither form.
        ModelFileError: the folder or the cache lacks a file, or holds a foreign, incomplete, damaged or pickled one.
    """
    transformers = _transformers()
    source, options = _source(spec, download)
    hashing = None if download else HashInBackground(lambda: _hash(transformers, source, options))
    try:
        config = transformers.AutoConfig.from_pretrained(source, **options, trust_remote_code=False)
        load = load_mask_model if config.model_type in KINDS else _load_semantic
        model, report = load(transformers, source, options, config)
    except Exception as error:  # the library raises anything from OSError to KeyError
        raise _explained(spec, source, error, download) from error
    _check_filled(spec, report, model.config)
    labels = _labels(model.config.id2label, spec)
    spec_of_input = _input_spec(transformers, source, options, model.config, spec)
    model = model.eval().float()
    if load is load_mask_model:
        model = mask_model(transformers, model, spec_of_input, source, options, spec)
    hashing = hashing or HashInBackground(lambda: _hash(transformers, source, options))
    return Pretrained(model, labels, spec_of_input, hashing.result())


def _load_semantic(transformers: Any, source: str, options: Mapping[str, Any], config: Any) -> Any:
    """The model and the report of its loading, as ``from_pretrained`` gives them."""
    return transformers.AutoModelForSemanticSegmentation.from_pretrained(
        source,
        **options,
        config=config,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # told below, with both sizes
    )


def _check_filled(spec: str, report: Mapping[str, Any], config: Any) -> None:
    """Refuse weights that do not fill the network."""
    lacking, clashing = sorted(map(str, report.get("missing_keys", ()))), list(report.get("mismatched_keys", ()))
    named = len(config.id2label)
    for key, stored, wanted in (entry for entry in clashing if len(entry) == 3):
        extra = wanted[0] - named  # 1 for "no object" of a mask network
        if extra in (0, 1) and stored[0] != wanted[0] and tuple(stored[1:]) == tuple(wanted[1:]):
            raise ModelFileError(
                f"{spec}: id2label in config.json names {named} classes but the weights are for {stored[0] - extra} "
                f"({key} is {tuple(stored)}); give it the id2label that the network was trained with"
            )
    if lacking or clashing:
        some = ", ".join([*lacking, *(str(entry) for entry in clashing)][:4])
        raise ModelFileError(
            f"{spec}: the weights do not fill the network: {len(lacking)} missing, {len(clashing)} of another shape "
            f"({some}); expected a model fine-tuned for semantic segmentation"
        )


def _hash(transformers: Any, source: str, options: Mapping[str, Any]) -> str:
    return hash_of_folder(Path(transformers.utils.cached_file(source, "config.json", **options)).parent)


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
        for file in (folder / "config.json", *sorted(folder.glob("*.safetensors"))):
            if pointer := lfs_pointer(file):
                raise ModelFileError(f"{file}: {pointer}")
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


def _input_spec(transformers: Any, source: str, options: Mapping[str, Any], config: Any, spec: str) -> InputSpec:
    """The input that the model's image processor describes; without one, that of its class, with a remark."""
    kind, image_size = str(getattr(config, "model_type", "")), getattr(config, "image_size", None)
    settings = _processor_settings(transformers, source, options)
    found = input_spec_of(settings or {}, spec, kind, image_size, absent=settings is None)
    if settings is None:
        remark = f"no {_PROCESSOR_FILE}: images are prepared as usual for {kind}, size {_said(found)}"
        return replace(found, remark=remark)
    if settings.get("do_reduce_labels", settings.get("reduce_labels")):
        _log.info("%s: ground truth of its training data counts classes from 1 and 0 means none (reduce_labels)", spec)
    return found


def _said(found: InputSpec) -> str:
    if found.squares is not None and found.squares.cut:
        return f"cut into squares of {found.squares.side}"
    if found.edges is not None and found.edges.shortest is not None:
        longest = f", longer at most {found.edges.longest}" if found.edges.longest else ""
        return f"shorter side {found.edges.shortest}{longest}"
    return "as the image" if found.size is None else f"{found.size[1]}x{found.size[0]}"


def _processor_settings(transformers: Any, source: str, options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The settings of the image processor: the part of a processor_config.json, else preprocessor_config.json."""
    for name in ("processor_config.json", _PROCESSOR_FILE):
        settings = _json(transformers, source, name, options)
        if settings is not None and isinstance(settings.get("image_processor"), dict):
            settings = settings["image_processor"]
        elif name != _PROCESSOR_FILE:
            continue
        return settings
    return None


def _json(transformers: Any, source: str, name: str, options: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        found = transformers.utils.cached_file(source, name, **options, _raise_exceptions_for_missing_entries=False)
    except OSError:
        found = None
    return None if found is None else read_json(Path(found))


def read_json(found: Path) -> dict[str, Any]:
    """The content of a JSON file that holds a mapping.

    Raises:
        ModelFileError: it does not; the text names the file.
    """
    settings = read_json_file(found, "JSON file", ModelFileError)
    if not isinstance(settings, dict):
        raise ModelFileError(f"{found}: expected a mapping, found {type(settings).__name__}")
    return settings


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
