"""What an exported graph says of itself, as entries of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trust_seg_ros.segmentation.graphs.onnx_file import LABELS_KEY
from trust_seg_ros.segmentation.labels import LabelSet

if TYPE_CHECKING:
    import onnx

SOURCE_KEY = "trust_seg.source"
"""Entry of the metadata: the text that named the network, and its hash."""


def source_entries(labels: LabelSet, model: str, sha256: str) -> dict[str, str]:
    """The entries that every graph has: its classes with their colours, and where it comes from.

    Args:
        labels: the classes.
        model: text that named the network.
        sha256: hash of its weights; "" = not known.
    """
    classes: dict[str, Any] = {
        "name": labels.name,
        "names": list(labels.names),
        "palette": labels.palette.tolist(),
    }
    return {LABELS_KEY: json.dumps(classes), SOURCE_KEY: json.dumps({"model": model, "sha256": sha256})}


def add_entries(model: onnx.ModelProto, entries: Mapping[str, str]) -> None:
    """Write entries into a graph."""
    for key, value in entries.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
