"""Reads an OpenVINO file before anything runs it: what it takes, what it answers, and its last convolution.

The two files are bytes here, and OpenVINO's reader parses them without compiling or running anything: one image goes
in, scores of classes come out, operators are OpenVINO's own. What lies behind the last convolution is taken off as for
.onnx files (see ``ir_tail``).
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import torch

from trust_seg_ros.segmentation.errors import DependencyError, ModelFileError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.graphs.ir_tail import cut_ir_to_logits
from trust_seg_ros.segmentation.graphs.onnx_graph import ImageInput, OnnxGraph, refuse_trust_head
from trust_seg_ros.support.backends import OPENVINO
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.yaml_text import read_yaml

VERSIONS = (10, 11)
"""Versions of the format that OpenVINO 2024 to 2026 read; 10 dates from 2020."""
OURS = ("labels", "input", "source", "head", "maps", "classes", "weights")
"""Entries below ``trust_seg`` in the file's ``rt_info`` that ``trust-seg export`` writes."""
_HEAD = re.compile(rb'^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?<net\s[^>]*?\bversion="(\d+)"')
_KINDS = {"f32": torch.float32, "f16": torch.float16, "u8": torch.uint8}
_LONGEST_YAML = 1 << 20


def read_ir(structure: bytes, weights: bytes, path: Path) -> OnnxGraph:
    """The network in an .xml file and its .bin file.

    Args:
        structure: content of the .xml file.
        weights: content of the .bin file.
        path: the .xml file, for errors; a ``metadata.yaml`` of Ultralytics is looked for beside it.

    Raises:
        DependencyError: OpenVINO is missing.
        ModelFileError: a file is damaged, foreign or of a newer version, takes something else than one image, or
            answers with something else than scores of classes; the text says what to do.
    """
    model, metadata = open_ir(structure, weights, path)
    refuse_trust_head(metadata, str(path))
    image = _image_input(model, str(path))
    tail = cut_ir_to_logits(model, str(path))
    return OnnxGraph(tail.model, image, tail.outputs, tail.ending, metadata, tail.remarks, (OPENVINO,))


def open_ir(structure: bytes, weights: bytes, path: Path) -> tuple[Any, dict[str, str]]:
    """An ``openvino.Model`` and what it says of itself; nothing of it has run.

    Raises:
        DependencyError, ModelFileError: as :func:`read_ir`, as far as the files are concerned.
    """
    try:
        import openvino
    except ImportError as error:
        raise DependencyError(f"{path}: an .xml file needs OpenVINO; {how_to_install('openvino')}") from error
    _check_head(structure, path)
    try:
        model = openvino.Core().read_model(structure, weights)
        metadata = {**_beside(path), **_said(model)}
    except RuntimeError as error:  # whatever OpenVINO's reader finds wrong
        raise ModelFileError(f"{path}: {_what_is_wrong(str(error), path)}") from error
    _check_weights(metadata, structure, weights, path)
    return model, metadata


def _check_head(structure: bytes, path: Path) -> None:
    """Refuse what is no such file before a reader that tries other formats too sees it."""
    found = _HEAD.match(structure[:4096])
    if found is None:
        raise ModelFileError(
            f"{path}: no OpenVINO model; expected the .xml file that openvino.save_model, ovc or trust-seg export wrote"
        )
    if int(found[1]) not in VERSIONS:
        newer = int(found[1]) > VERSIONS[-1]
        raise ModelFileError(
            f"{path}: version {int(found[1])} of OpenVINO's format; expected {' or '.join(map(str, VERSIONS))}: "
            + ("install a newer openvino, or " if newer else "")
            + "export it again with this one"
        )
    try:
        structure.decode("utf-8")
    except UnicodeDecodeError as error:  # names in it would raise that later, wherever they are asked for
        raise ModelFileError(f"{path}: no OpenVINO model, or a damaged one ({error}); export it again") from error


def _what_is_wrong(said: str, path: Path) -> str:
    """A sentence for people about an error of OpenVINO's reader."""
    if "weights" in said.lower() and ("Incorrect" in said or "Empty" in said):
        weights = path.with_suffix(".bin").name
        return f"{weights} is too short for it: damaged, or of another model; copy both files again, or export it again"
    if "unsupported opset" in said or "Cannot create" in said:
        return (
            f"it needs operators that this OpenVINO does not have ({in_brief(RuntimeError(said))}): somebody's own, or "
            "of a newer version; install a newer openvino, or export it with standard operators"
        )
    return f"no OpenVINO model, or a damaged one ({in_brief(RuntimeError(said))}); export it again"


def _said(model: Any) -> dict[str, str]:
    """What a model says of itself: our entries, and classes and normalisation as OpenVINO's tools write them."""
    found = {f"trust_seg.{key}": _entry(model, "trust_seg", key) for key in OURS}
    labels = _entry(model, "model_info", "labels")
    found["names"] = repr([name.replace("_", " ") for name in labels.split()]) if labels else ""
    if not found["trust_seg.input"]:
        found["trust_seg.input"] = _normalisation(model)
    return {key: text for key, text in found.items() if text}


def _normalisation(model: Any) -> str:
    """Normalisation and order of channels where Ultralytics or OpenVINO's Model API wrote them; "" otherwise."""
    mean, scale = (_numbers(_entry(model, "model_info", f"{key}_values")) for key in ("mean", "scale"))
    if not scale:
        return ""
    said: dict[str, Any] = {"scale": 1.0, "mean": mean or [0.0] * 3, "std": scale}
    reverse = _entry(model, "model_info", "reverse_input_channels").lower()
    if reverse:  # of a picture as OpenCV reads it
        said["order"] = "rgb" if reverse in ("true", "yes", "1") else "bgr"
    return json.dumps(said)


def _numbers(text: str) -> list[float]:
    """One number or three, in brackets or not, as three; [] for anything else."""
    parts = re.findall(r"[-+.\deE]+", text)
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return []
    return numbers * 3 if len(numbers) == 1 else numbers if len(numbers) == 3 else []


def _entry(model: Any, *path: str) -> str:
    if not model.has_rt_info(list(path)):
        return ""
    return str(model.get_rt_info(list(path)).astype(str))


def _beside(path: Path) -> dict[str, str]:
    """Classes from the ``metadata.yaml`` that Ultralytics writes beside a model."""
    file = path.with_name("metadata.yaml")
    if not file.is_file() or file.stat().st_size > _LONGEST_YAML:
        return {}
    try:
        names = read_yaml(file, "classes of Ultralytics", ModelFileError)["names"]
    except (KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path}: {file.name} beside it, where Ultralytics lists the classes, names none; copy it again, or move "
            "it away and set labels"
        ) from error
    return {"names": repr(names)}


def weights_entry(structure: bytes, weights: bytes) -> str:
    """What ``trust-seg export`` notes about the .bin file in the .xml file: how much of it that needs, and its hash."""
    return f"{_extent(structure)} {hashlib.sha256(weights).hexdigest()}"


def _check_weights(metadata: dict[str, str], structure: bytes, weights: bytes, path: Path) -> None:
    """Refuse a .bin other than the one that ``trust-seg export`` wrote with the .xml.

    A tool that writes the model anew, with weights in half precision for example, keeps the note, which says nothing
    any more then: the .xml needs another number of bytes.
    """
    extent, _, wanted = metadata.get("trust_seg.weights", "").partition(" ")
    if wanted and extent == str(_extent(structure)) and hashlib.sha256(weights).hexdigest() != wanted:
        raise ModelFileError(
            f"{path}: {path.with_suffix('.bin').name} is not the one it was written with: damaged, or of another "
            "model; copy both files again, or export it again"
        )


def _extent(structure: bytes) -> int:
    """Bytes of the .bin file that an .xml file refers to, up to the last one."""
    places = re.findall(rb'\boffset="(\d{1,15})"\s+(?:shape="[^"]*"\s+)?size="(\d{1,15})"', structure)
    return max((int(offset) + int(size) for offset, size in places), default=0)


def _image_input(model: Any, name: str) -> ImageInput:
    """The single image that a model takes."""
    if len(model.inputs) != 1:
        names = ", ".join(_name_of(port) for port in model.inputs) or "none"
        raise ModelFileError(f"{name}: takes {len(model.inputs)} inputs ({names}); expected one, an image (1, 3, h, w)")
    port = model.inputs[0]
    kind, partial = port.get_element_type().get_type_name(), port.get_partial_shape()
    dims = [] if partial.rank.is_dynamic else [None if dim.is_dynamic else dim.get_length() for dim in partial]
    last = len(dims) == 4 and dims[3] == 3 and dims[1] != 3
    if kind not in _KINDS or len(dims) != 4 or (not last and dims[1] not in (3, None)):
        raise ModelFileError(
            f"{name}: takes {partial} {kind}; expected an image (1, 3, h, w) or (1, h, w, 3), f32, f16 or u8"
        )
    if dims[0] not in (1, None):
        raise ModelFileError(f"{name}: takes batches of {dims[0]} images; export it for one, or for any number")
    height, width = dims[1:3] if last else dims[2:4]
    if bool(height) != bool(width):
        raise ModelFileError(f"{name}: takes {partial}; expected both sides fixed or both free, export it again")
    size = (height, width) if height and width else None
    return ImageInput(_name_of(port), last, _KINDS[kind], size)


def _name_of(port: Any) -> str:
    return str(min(port.get_names(), default=port.get_node().get_friendly_name()))
