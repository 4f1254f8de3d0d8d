"""Networks from an .onnx file: classes and normalisation from what the file says of itself, or from the caller."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from trust_seg_ros.segmentation.callable_network import CallableNetwork
from trust_seg_ros.segmentation.errors import DeviceError, LabelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.graphs.backend import run_graph
from trust_seg_ros.segmentation.graphs.onnx_graph import ImageInput, OnnxGraph, read_onnx
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.loader_row import Request
from trust_seg_ros.segmentation.masks.network import network_of
from trust_seg_ros.segmentation.masks.squares import Squares
from trust_seg_ros.segmentation.probe import probe_pixels
from trust_seg_ros.segmentation.protocol import Edges, InputSpec
from trust_seg_ros.segmentation.weights_hash import require_sha256
from trust_seg_ros.support.content_hash import hash_of_file

STRIDE = 32
"""A graph for any size does not say which sizes it divides evenly; multiples of this suit nearly every network."""
INPUT_KEY, LABELS_KEY = "trust_seg.input", "trust_seg.labels"
"""Entries of the metadata that ``trust-seg export`` writes."""


def load_onnx(asked: Request) -> CallableNetwork:
    """A network from an .onnx file, on the runtime that ``asked.backend`` names.

    Raises:
        LabelError: neither the file nor the caller names the classes.
        ModelError: the file is missing, damaged, foreign or refused, or no runtime is installed.
    """
    path = asked.path
    refuse_precision(asked)
    sha256 = hash_of_file(path) if path.is_file() else ""
    if asked.sha256:
        require_sha256(sha256, asked.sha256, str(path))
    return graph_network(read_onnx(path), asked, sha256)


def refuse_precision(asked: Request) -> None:
    """Refuse a precision other than that of the file.

    Raises:
        DeviceError: the caller asks for one.
    """
    if asked.half not in ("auto", False, "off"):
        raise DeviceError(
            f"half is {asked.half!r} but {asked.path} has the precision it was exported in; use half='auto'"
        )


def graph_network(graph: OnnxGraph, asked: Request, sha256: str) -> CallableNetwork:
    """A graph as a network, on the runtime that ``asked.backend`` names.

    Args:
        graph: as it was read from ``asked.path``.
        asked: the caller's wishes.
        sha256: hash of the file.

    Raises:
        LabelError: neither the file nor the caller names the classes.
        ModelError: the wishes contradict the graph, no runtime is installed, or it refuses the graph.
    """
    path, wishes = asked.path, asked.overrides
    labels = wishes.labels or labels_of(graph.metadata, path.stem)
    if labels is None:
        raise LabelError(f"{path}: the file does not say its classes; set labels to a shipped set or a .yaml file")
    own = input_spec(graph.image, graph.metadata, str(path))
    if wishes.input_size is not None and own.size not in (None, tuple(wishes.input_size)):
        raise ModelSpecError(
            f"{path} was exported for inputs of {own.size} but input_size is {wishes.input_size}; leave input_size "
            "away or export it again"
        )
    if graph.image.dtype == torch.uint8 and (wishes.mean is not None or wishes.std is not None):
        raise ModelSpecError(f"{path} takes whole numbers (uint8) and normalises by itself; leave mean and std away")
    spec = wishes.apply(own)
    pixels = probe_pixels(spec, asked.device)
    chosen = run_graph(graph, asked.backend, asked.device, str(path), pixels, asked.providers)
    network = network_of(
        chosen.forward,
        name=str(path),
        labels=labels,
        device=asked.device,
        input_spec=spec,
        classifier=chosen.classifier,
        where=chosen.where,
        sha256=sha256,
        backend=chosen.said,
    )
    network.remarks += graph.remarks
    return network


def input_spec(image: ImageInput, metadata: Mapping[str, str], name: str) -> InputSpec:
    """How an image becomes the input of a graph: as its metadata say, else ImageNet's normalisation.

    Raises:
        ModelFileError: the metadata say nonsense.
    """
    plain = InputSpec(size=image.size, stride=1 if image.size else STRIDE)
    if image.dtype == torch.uint8:
        plain = replace(plain, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), scale=1.0)
    text = metadata.get(INPUT_KEY)
    if text is None:
        return plain
    try:
        said = json.loads(text)
        values: dict[str, Any] = {key: said[key] for key in ("order", "scale", "stride") if key in said}
        values |= {key: tuple(said[key]) for key in ("mean", "std") if key in said}
        if "squares" in said:
            squares = Squares(int(said["squares"]["side"]), bool(said["squares"]["cut"]))
            edges = Edges(squares.side, None if squares.cut else squares.side, exact=True)
            values |= {"size": None, "edges": edges, "squares": squares}
        elif "edges" in said and image.size is None:
            sides: Any = {
                key: tuple(value) if isinstance(value, list) else value for key, value in said["edges"].items()
            }
            values["edges"] = Edges(**sides)
        return replace(plain, **values)
    except (ValueError, TypeError, KeyError, AttributeError, ModelSpecError) as error:
        raise ModelFileError(f"{name}: its entry {INPUT_KEY} cannot be read ({error}); export it again") from error


def labels_of(metadata: Mapping[str, str], name: str) -> LabelSet | None:
    """The classes that metadata name: ours, or ``names`` as Ultralytics writes them, a mapping or a list; None without.

    Raises:
        LabelError: they cannot be read.
    """
    text = metadata.get(LABELS_KEY, metadata.get("names"))
    if text is None:
        return None
    try:
        said = json.loads(text) if LABELS_KEY in metadata else ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise LabelError(f"the classes that {name} says it has cannot be read: {text[:80]!r}; set labels") from None
    if isinstance(said, Mapping) and set(said) == {"name", "names", "palette"}:
        import numpy as np

        return LabelSet(str(said["name"]), tuple(map(str, said["names"])), np.array(said["palette"], np.uint8))
    if isinstance(said, Mapping) and sorted(said) == list(range(len(said))):
        return LabelSet(name, tuple(str(said[k]) for k in range(len(said))))
    if isinstance(said, list):
        return LabelSet(name, tuple(map(str, said)))
    raise LabelError(f"the classes that {name} says it has cannot be read: {text[:80]!r}; set labels")
