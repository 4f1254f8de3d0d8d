"""Reads an .onnx file before anything runs it: what it takes, what it answers, and its last convolution.

The file is looked at as data, by the library ``onnx``: one image goes in, scores of classes come out, nothing lies
outside the folder of the file. A softmax and a bilinear upsampling behind the last convolution are taken off, and that
convolution's input becomes a second output, so that every score works (see ``last_layer``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trust_seg_ros.segmentation.errors import DependencyError, ModelFileError
from trust_seg_ros.segmentation.graphs.engine_file import what_else
from trust_seg_ros.segmentation.graphs.graph_tails import Ending
from trust_seg_ros.segmentation.graphs.onnx_operators import check_operators
from trust_seg_ros.segmentation.graphs.onnx_tail import cut_to_logits
from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.types import Classifier

if TYPE_CHECKING:
    import onnx

Size = tuple[int, int]
HEAD_KEY = "trust_seg.head"
"""Entry of the metadata of a graph that gives finished maps."""
LARGEST = 2_000_000_000
"""Bytes of a model with its weights; what Protocol Buffers hold at most."""
_TOO_LARGE = "its weights have more than 2 GB; export it in half precision, or a smaller network"


@dataclass(frozen=True)
class ImageInput:
    """The image that a graph takes.

    Attributes:
        name: name of the input.
        channels_last: (1, h, w, 3) instead of (1, 3, h, w).
        dtype: float32, float16, bfloat16 or uint8; uint8 means that the graph normalises by itself.
        size: (h, w); None = any.
    """

    name: str
    channels_last: bool
    dtype: torch.dtype
    size: Size | None


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """A network that can be given to a runtime.

    Attributes:
        content: the model with its weights, serialised; or an ``openvino.Model``, which OpenVINO alone runs.
        image: its input.
        outputs: names of the logits and, where they are known, of the features; with an ``ending``, of the outputs of
            its convolutions, and then of their inputs; or of the classes and masks of a mask network.
        ending: the last convolution, where it is known.
        metadata: what the file says of itself, name -> text.
        remarks: what was recognised and taken off, a sentence each.
        runtimes: names of the libraries that can run it; () = each.
    """

    content: Any
    image: ImageInput
    outputs: tuple[str, ...]
    ending: Ending | None
    metadata: dict[str, str]
    remarks: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()

    @property
    def classifier(self) -> Classifier | None:
        """The last convolution, or those whose outputs are added, as one."""
        return None if self.ending is None else self.ending.classifier

    @property
    def where(self) -> Where | None:
        """Where an answer of the size of the image lies on the logits; None = they are stretched over it."""
        return None if self.ending is None else self.ending.tail.where


def read_onnx(path: Path) -> OnnxGraph:
    """The network in an .onnx file.

    Raises:
        ModelError: as :func:`onnx_model` and :func:`graph_of`.
    """
    return graph_of(onnx_model(path), str(path))


def onnx_model(path: Path) -> onnx.ModelProto:
    """The model in an .onnx file, with its weights inside.

    Raises:
        DependencyError: the library onnx is missing.
        ModelFileError: the file is missing, damaged or foreign, or reaches outside its folder.
    """
    try:
        import onnx
    except ImportError as error:
        raise DependencyError(f"{path}: an .onnx file needs the library onnx; {how_to_install('onnx')}") from error
    try:
        if other := what_else(path):
            raise ModelFileError(f"{path}: {other}")
        if path.stat().st_size > LARGEST:
            raise ModelFileError(f"{path}: {_TOO_LARGE}")
        model = onnx.load(str(path), load_external_data=False)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except ModelFileError:
        raise
    except Exception as error:  # Protocol Buffers' own errors, which share no base
        raise ModelFileError(f"{path}: no ONNX model, or a damaged one ({error}); export it again") from error
    if not model.graph.node:
        raise ModelFileError(f"{path}: no ONNX model, or an empty one; export it again")
    _read_weights(model, path)
    return model


def graph_of(model: onnx.ModelProto, name: str, *, plain: bool = False) -> OnnxGraph:
    """A model with its weights inside as a network; it is changed.

    Args:
        model: the model.
        name: its name, for errors.
        plain: give features only where the last convolution's output is the logits, for what keeps no ``ending``.

    Raises:
        ModelFileError: it takes something else than one image, answers with something else than scores of classes, or
            needs operators that runtimes do not have; the text says what to do.
    """
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    refuse_trust_head(metadata, name)
    check_operators(model, name)
    image = _image_input(model, name)
    try:
        tail = cut_to_logits(model, name, plain=plain)
    except (ValueError, TypeError, RuntimeError) as error:  # about a tensor with other numbers than it says
        raise ModelFileError(f"{name}: its weights are damaged ({error}); export it again") from error
    if model.ByteSize() > LARGEST:
        raise ModelFileError(f"{name}: {_TOO_LARGE}")
    return OnnxGraph(model.SerializeToString(), image, tail.outputs, tail.ending, metadata, tail.remarks)


def refuse_trust_head(metadata: Mapping[str, str], name: str) -> None:
    """Refuse a graph of ``trust-seg export --head trust``.

    Raises:
        ModelFileError: it is one.
    """
    if HEAD_KEY in metadata:
        raise ModelFileError(
            f"{name}: gives finished maps (class, entropy, …) of trust-seg export --head trust, for programs without "
            "this package; expected logits, from which this package computes everything: export the network again "
            "with --head logits"
        )


def _read_weights(model: onnx.ModelProto, path: Path) -> None:
    """Bring in weights that lie in files beside the model; none may lie elsewhere."""
    from onnx.external_data_helper import load_external_data_for_model

    folder = path.resolve().parent
    total = 0
    for tensor in _tensors(model.graph):
        if tensor.data_location != tensor.EXTERNAL:
            continue
        place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        beside = (folder / place).resolve()
        if not place or Path(place).is_absolute() or not beside.is_relative_to(folder):
            raise ModelFileError(
                f"{path}: its weights {tensor.name!r} are to be read from {place!r}, outside its folder; a model reads "
                "nothing but its own files: export it again"
            )
        if not beside.is_file():
            raise ModelFileError(f"{path}: its weights lie in {place!r}, which is missing; copy that file beside it")
        total += next((int(e.value) for e in tensor.external_data if e.key == "length" and e.value.isdigit()), 0)
    if total > LARGEST:
        raise ModelFileError(f"{path}: {_TOO_LARGE}")
    try:
        load_external_data_for_model(model, str(folder))
    except Exception as error:  # ValueError, OSError, onnx.checker.ValidationError: whatever is wrong with the files
        raise ModelFileError(f"{path}: the files of its weights do not fit it ({error}); export it again") from error


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor of a graph and of the graphs inside its nodes."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _image_input(model: onnx.ModelProto, name: str) -> ImageInput:
    """The single image that the graph takes."""
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise ModelFileError(f"{name}: takes {len(inputs)} inputs ({names}); expected one, an image (1, 3, h, w)")
    kinds = {1: torch.float32, 10: torch.float16, 16: torch.bfloat16, 2: torch.uint8}
    tensor = inputs[0].type.tensor_type
    shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    said = "(" + ", ".join(dim.dim_param or str(dim.dim_value or "?") for dim in tensor.shape.dim) + ")"
    last = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
    if tensor.elem_type not in kinds or len(shape) != 4 or (not last and shape[1] not in (3, None)):
        kind = str(kinds.get(tensor.elem_type, f"of ONNX type {tensor.elem_type}")).removeprefix("torch.")
        raise ModelFileError(
            f"{name}: takes {said} {kind}; expected an image (1, 3, h, w) or (1, h, w, 3), float32, float16, "
            "bfloat16 or uint8"
        )
    if shape[0] not in (1, None, 0):
        raise ModelFileError(f"{name}: takes batches of {shape[0]} images; export it for one, or for any number")
    height, width = shape[1:3] if last else shape[2:4]
    if bool(height) != bool(width):
        raise ModelFileError(f"{name}: takes {said}; expected both sides fixed or both free, export it again")
    size = (height, width) if height and width else None
    return ImageInput(inputs[0].name, last, kinds[tensor.elem_type], size)
