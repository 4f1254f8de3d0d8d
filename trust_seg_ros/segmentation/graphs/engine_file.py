"""A file with a TensorRT engine, looked at before the library is loaded, and what is said about it.

An engine is a program for one version of TensorRT and one kind of GPU. What it computes cannot be read from the file;
what its images and classes are is said beside it, in ``net.engine.json`` (:func:`write_said`), or before it:
Ultralytics writes the length of a JSON text (4 bytes, little endian) and that text. An engine itself begins with
``ftrt`` (``ptrt`` in TensorRT 8.2), and has the version that made it in its bytes 24 to 26: NVIDIA says so in
github.com/NVIDIA/TensorRT/issues/3073, and Autoware relies on it. Its GPU cannot be read there; the file beside it
says it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.support.content_hash import DamagedError, check_json, with_hash
from trust_seg_ros.support.reading import lfs_pointer
from trust_seg_ros.support.resumable import whole_file
from trust_seg_ros.types import Classifier

SUFFIXES = (".engine", ".plan", ".trt")
"""Ends of the names of files with engines."""
_NOW, _BEFORE = b"ftrt", b"ptrt"
_VERSION = slice(24, 27)
_SHORTEST = 64
_LONGEST_TEXT = 1 << 20
_FORMAT = "trust_seg engine 1"
_ANEW = "build it anew from its .onnx file: trust-seg export --to engine, or backend:=tensorrt"


@dataclass(frozen=True, eq=False)
class Said:
    """What is said about an engine by the file beside it.

    Attributes:
        sha256: of the file of the engine.
        tensorrt: version of TensorRT that built it.
        gpu: name of the GPU that it was built for.
        capability: compute capability of that GPU, such as "9.0".
        metadata: classes and normalisation, in the entries that an .onnx file has (``onnx_file``).
        classifier: the last convolution, for an engine that gives features.
    """

    sha256: str
    tensorrt: str
    gpu: str
    capability: str
    metadata: dict[str, str] = field(default_factory=dict)
    classifier: Classifier | None = None


@dataclass(frozen=True, eq=False)
class EngineFile:
    """An engine that TensorRT can be asked to load.

    Attributes:
        plan: the engine alone.
        version: (major, minor, patch) of the TensorRT that built it.
        sha256: hash of the file.
        metadata: what is said of its classes and images, name -> text.
        said: the file beside it; None without.
        ultralytics: what Ultralytics wrote before it; {} without.
    """

    plan: bytes
    version: tuple[int, int, int]
    sha256: str
    metadata: dict[str, str]
    said: Said | None = None
    ultralytics: dict[str, Any] = field(default_factory=dict)


def beside(path: Path) -> Path:
    """The file that says what an engine is."""
    return path.with_name(path.name + ".json")


def read_engine(path: Path) -> EngineFile:
    """The engine in a file, with what is said about it.

    Raises:
        ModelFileError: it is missing, cut off, very old, or no engine; or the file beside it is damaged
            or is about another engine.
    """
    try:
        content = path.read_bytes()
        text = beside(path).read_bytes() if beside(path).is_file() else b""
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error}") from error
    if pointer := lfs_pointer(path):
        raise ModelFileError(f"{path}: {pointer}")
    start, ultralytics = _text_before(content)
    plan = content[start:]
    if plan[:4] == _BEFORE:
        raise ModelFileError(f"{path}: an engine of TensorRT 8.2 or near it, which 10 and newer do not run; {_ANEW}")
    if plan[:4] != _NOW:
        raise ModelFileError(f"{path}: {_no_engine(content)}")
    if len(plan) < _SHORTEST:
        raise ModelFileError(f"{path}: cut off after {len(content)} bytes; copy it again, or {_ANEW}")
    digest = sha256(content).hexdigest()
    said = _read_said(text, beside(path)) if text else None
    if said is not None and said.sha256 != digest:
        raise ModelFileError(
            f"{path}: its sha256 is {digest[:12]}…, but {beside(path).name} is about one with {said.sha256[:12]}…: it "
            f"is damaged, cut off or another one; copy both again, or {_ANEW}"
        )
    major, minor, patch = plan[_VERSION]
    return EngineFile(plan, (major, minor, patch), digest, _metadata(said, ultralytics), said, ultralytics)


def _text_before(content: bytes) -> tuple[int, dict[str, Any]]:
    """Where the engine begins, and the JSON that Ultralytics writes before it."""
    length = int.from_bytes(content[:4], "little")
    if (
        content[:4] in (_NOW, _BEFORE)
        or content[4:5] != b"{"
        or not 2 <= length <= min(_LONGEST_TEXT, len(content) - 4)
    ):
        return 0, {}
    try:
        said = json.loads(content[4 : 4 + length])
    except (ValueError, RecursionError):
        return 0, {}
    return 4 + length, said


def _metadata(said: Said | None, ultralytics: Mapping[str, Any]) -> dict[str, str]:
    if said is not None:
        return said.metadata
    names = ultralytics.get("names")
    if isinstance(names, Mapping):  # JSON has text as keys
        names = {int(key) if str(key).isdigit() else key: value for key, value in names.items()}
    return {} if names is None else {"names": repr(names)}


def what_else(path: Path) -> str:
    """What a file that should be an ONNX graph is instead, and the way out; "" if nothing says so.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(_LONGEST_TEXT)
    start, _ = _text_before(content)
    if content[start : start + 4] in (_NOW, _BEFORE):
        return "this is a TensorRT engine, no ONNX graph; give it a name that ends in .engine, or give its graph"
    return lfs_pointer(path) or ""


def _no_engine(content: bytes) -> str:
    if not content:
        return f"an empty file; copy it again, or {_ANEW}"
    if content[:1] == b"\x08":  # the first field of a graph, the version of its format
        return "this is an ONNX graph, no TensorRT engine; give it a name that ends in .onnx"
    if content[:2] == b"PK":
        return "this is a zip archive such as torch writes, no TensorRT engine; give it a name that ends in .pt2 or .ts"
    return f"no TensorRT engine: it begins with {content[:4]!r} instead of {_NOW!r}; {_ANEW}"


def refuse_other_version(file: EngineFile, here: str, name: str) -> None:
    """Refuse an engine of another TensorRT than the installed one, before that looks at it.

    Args:
        file: the engine.
        here: the installed version, such as "10.3.0".
        name: the network's name, for errors.

    Raises:
        ModelFileError: their major, minor or patch numbers differ.
    """
    installed = tuple(int(part) if part.isdigit() else -1 for part in here.split(".")[:3])
    if installed != file.version:
        made = ".".join(map(str, file.version))
        raise ModelFileError(
            f"{name}: an engine of TensorRT {made}, but {here} is installed, and an engine runs by its own "
            f"version only; install tensorrt=={made}, or {_ANEW}"
        )


def refuse_other_gpu(said: Said | None, capability: str, gpu: str, name: str) -> None:
    """Refuse an engine that was built for another kind of GPU, where the file beside it says for which.

    Args:
        said: the file beside it.
        capability: compute capability of the GPU here, such as "9.0".
        gpu: its name.
        name: the network's name, for errors.

    Raises:
        ModelFileError: it was.
    """
    if said is not None and said.capability != capability:
        raise ModelFileError(
            f"{name}: built for {said.gpu} (compute capability {said.capability}), but here is {gpu} ({capability}); "
            f"{_ANEW}"
        )


def write_said(engine: Path, said: Said) -> None:
    """Write the file beside an engine.

    Raises:
        OSError: it cannot be written.
    """
    kernel = said.classifier
    content: dict[str, Any] = {
        "format": _FORMAT,
        "engine_sha256": said.sha256,
        "tensorrt": said.tensorrt,
        "gpu": said.gpu,
        "compute_capability": said.capability,
        "metadata": said.metadata,
        "classifier": None
        if kernel is None
        else {
            "weight": _packed(kernel.weight),
            "bias": None if kernel.bias is None else _packed(kernel.bias),
            "dilation": kernel.dilation,
        },
    }
    with whole_file(beside(engine)) as draft:
        draft.write_text(json.dumps(with_hash(content), indent=1) + "\n")


def _read_said(text: bytes, path: Path) -> Said:
    way_out = "copy it again from where the engine was built"
    try:
        found = json.loads(text)
        if found.get("format") != _FORMAT:
            raise ModelFileError(
                f"{path}: format is {found.get('format')!r}; expected {_FORMAT!r}; {way_out}, or remove it"
            )
        check_json(found, path, way_out, required=True)
        kernel = found["classifier"]
        classifier = kernel and Classifier(
            _unpacked(kernel["weight"]), kernel["bias"] and _unpacked(kernel["bias"]), int(kernel["dilation"])
        )
        digest, version, gpu, capability = (
            str(found[key]) for key in ("engine_sha256", "tensorrt", "gpu", "compute_capability")
        )
        metadata = {str(k): str(v) for k, v in found["metadata"].items()}
        return Said(digest, version, gpu, capability, metadata, classifier)
    except DamagedError as error:
        raise ModelFileError(str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path}: cannot be read ({error!r}); {way_out}, or remove it") from error


def _packed(tensor: torch.Tensor) -> dict[str, Any]:
    values = tensor.detach().cpu()
    content = base64.b64encode(values.float().numpy().tobytes()).decode()
    return {"shape": list(values.shape), "type": str(values.dtype).removeprefix("torch."), "float32": content}


def _unpacked(packed: Mapping[str, Any]) -> torch.Tensor:
    values = np.frombuffer(base64.b64decode(packed["float32"]), np.float32).reshape(packed["shape"]).copy()
    kinds = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    return torch.from_numpy(values).to(kinds[packed["type"]])
