"""A trust head as a file: what its metadata say, and the file run by ONNX Runtime or OpenVINO."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trust_seg_ros.exporting.errors import ExportError
from trust_seg_ros.exporting.head_maps import CLASS
from trust_seg_ros.exporting.resizing import Size
from trust_seg_ros.exporting.trust_head import Coded
from trust_seg_ros.segmentation.graphs.ir_file import ir_bytes
from trust_seg_ros.segmentation.graphs.ir_graph import open_ir
from trust_seg_ros.segmentation.graphs.onnx_file import LABELS_KEY, labels_of
from trust_seg_ros.segmentation.graphs.onnx_graph import HEAD_KEY, ImageInput, OnnxGraph
from trust_seg_ros.segmentation.graphs.placed import Forward, Place
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES, run_by
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.support.backends import ONNXRUNTIME, OPENVINO
from trust_seg_ros.types import UNLABELLED

VERSION = 1
MAPS_KEY, CLASSES_KEY = "trust_seg.maps", "trust_seg.classes"
"""The same once more for programs that read no JSON, a line each: ``name scale zero``, and the names of classes."""


def head_entries(maps: Sequence[Coded], size: Size | None, stride: int, labels: LabelSet) -> dict[str, str]:
    """Metadata of a trust head beside those that every graph has.

    Args:
        maps: what it gives.
        size: (H, W) of the images it takes; None = any with sides that are multiples of ``stride``.
        stride: see there.
        labels: the classes.
    """
    said: dict[str, Any] = {
        "version": VERSION,
        "image": {
            "size": None if size is None else list(size),
            "stride": stride if size is None else 1,
            "order": "rgb",
        },
        "unlabelled": UNLABELLED,
        "maps": [asdict(one) for one in maps],
    }
    return {
        HEAD_KEY: json.dumps(said),
        MAPS_KEY: "\n".join(f"{one.name} {one.scale!r} {one.zero!r}" for one in maps),
        CLASSES_KEY: "\n".join(" ".join(name.split()) for name in labels.names),
    }


@dataclass(frozen=True, eq=False)
class HeadFile:
    """A trust head, ready to run.

    Attributes:
        path: its file.
        maps: what it gives.
        size: (H, W) of the images it takes; None = any with sides that are multiples of ``stride``.
        stride: see there.
        labels: the classes.
        metadata: all that the file says of itself.
        forward: the runtime's call.
    """

    path: Path
    maps: tuple[Coded, ...]
    size: Size | None
    stride: int
    labels: LabelSet
    metadata: Mapping[str, str]
    forward: Forward

    def __repr__(self) -> str:
        return f"<trust head {str(self.path)!r}: {', '.join(one.name for one in self.maps)}>"

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """The maps of an image, (H, W) uint8 each, by name.

        Args:
            image: (H, W, 3) uint8 RGB of the size that it takes.

        Raises:
            ExportError: it is something else.
        """
        height, width = (self.stride, self.stride) if self.size is None else self.size
        shape, free = np.shape(image), self.size is None
        fits = len(shape) == 3 and shape[2] == 3 and image.dtype == np.uint8
        if not fits or (shape[:2] != (height, width) if not free else bool(shape[0] % height or shape[1] % width)):
            wanted = f"sides that are multiples of {self.stride}" if free else f"{width}x{height} pixels"
            raise ExportError(
                f"{self.path}: an image of shape {shape}, {image.dtype}; expected (H, W, 3) uint8, {wanted}"
            )
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        answers = self.forward(pixels)
        return {one.name: answer[0].numpy() for one, answer in zip(self.maps, answers, strict=True)}

    def values(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """The same as numbers: float32 scores, and uint8 classes."""
        found = self(image)
        scores = {one.name: np.float32(one.zero) + np.float32(one.scale) * found[one.name] for one in self.maps}
        return {name: found[name] if name == CLASS else values for name, values in scores.items()}


def open_head(path: str | Path, runtime: str = "") -> HeadFile:
    """A file of ``trust-seg export --head trust``.

    Args:
        path: an .onnx or .xml file.
        runtime: "onnxruntime" or "openvino"; "" = the first that is installed and runs such a file.

    Raises:
        ExportError: the file is no trust head, or of a newer version.
        ModelError: it is missing or damaged, or no library runs it.
    """
    path = Path(path).expanduser()
    content, metadata = _read(path)
    try:
        said = json.loads(metadata[HEAD_KEY])
        if said["version"] != VERSION:
            raise ExportError(f"{path}: a trust head of version {said['version']}; expected {VERSION}: export it again")
        maps = tuple(Coded(**one) for one in said["maps"])
        size = None if said["image"]["size"] is None else (int(said["image"]["size"][0]), int(said["image"]["size"][1]))
        labels = labels_of(metadata, path.stem)
        if labels is None:
            raise KeyError(LABELS_KEY)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ExportError(
            f"{path}: no trust head ({type(error).__name__}: {error}); expected a file that trust-seg export --head "
            "trust wrote"
        ) from error
    image = ImageInput("image", True, torch.uint8, size)
    graph = OnnxGraph(content, image, tuple(one.name for one in maps), None, metadata)
    fit = [OPENVINO] if path.suffix == ".xml" else [ONNXRUNTIME, OPENVINO]
    chosen = runtime or next((name for name in fit if RUNTIMES[name].there), fit[0])
    forward = run_by(RUNTIMES[chosen], graph, Place(torch.device("cpu"), name=str(path))).forward
    return HeadFile(path, maps, size, int(said["image"]["stride"]), labels, metadata, forward)


def _read(path: Path) -> tuple[Any, dict[str, str]]:
    """What a runtime is given, and what the file says of itself."""
    if path.suffix == ".xml":
        return open_ir(*ir_bytes(path), path)
    import onnx

    try:
        content = path.read_bytes()
        model = onnx.load_from_string(content)
    except Exception as error:  # OSError, and Protocol Buffers' own errors, which share no base
        raise ExportError(f"{path}: it cannot be read ({error}); export it again") from error
    return content, {entry.key: entry.value for entry in model.metadata_props}
