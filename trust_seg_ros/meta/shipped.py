"""Which meta model to use: one shipped with the package, found by the network's name, a file, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.model_file import SHIPPED, load_meta_model
from trust_seg_ros.meta.ood import OodModel, load_ood_model
from trust_seg_ros.segmentation.protocol import SegmentationNetwork

Kind = Literal["segments", "ood"]
"""What is judged: segments of a class (``trust-seg fit``), or OoD segments (``trust-seg benchmark --save-meta``)."""

FOLDER = Path(__file__).parent / "models"

_ENDINGS = {"segments": "meta", "ood": "ood_meta"}


def shipped_stem(model: str) -> str | None:
    """Beginning of the names of the files shipped for a network, ``embedded`` or ``embedded_NAME``; None for others."""
    family, _, name = model.partition(":")
    if family != "embedded" or "/" in name or "\\" in name:
        return None
    return "_".join(filter(None, (family, name)))


def shipped_meta(model: str, kind: Kind) -> Path | None:
    """The shipped meta model of a network.

    Args:
        model: the text that names the network, as in ``PipelineSettings.model``; only ``embedded`` and
            ``embedded:NAME`` have shipped ones, in ``embedded_meta.json``, ``embedded_ood_meta.json``,
            ``embedded_NAME_meta.json``, ``embedded_NAME_ood_meta.json``.
        kind: what it judges.

    Returns:
        Its file, or None if the package ships none.
    """
    stem = shipped_stem(model)
    if stem is None:
        return None
    path = FOLDER / f"{stem}_{_ENDINGS[kind]}.json"
    # the one of the embedded network is part of every installation: if it is missing, the loader reports it
    return path if path.is_file() or path == SHIPPED else None


def chosen_meta(choice: str, model: str) -> MetaModel | None:
    """The meta model of segments that a setting selects.

    Args:
        choice: "auto" (the shipped one, if any), "none", or a file.
        model: the text that names the network.

    Raises:
        MetaModelError: the file is missing or damaged.
    """
    path = _path(choice, model, "segments")
    return None if path is None else load_meta_model(path)


def chosen_ood_meta(choice: str, model: str, network: SegmentationNetwork) -> OodModel | None:
    """The meta model of OoD segments that a setting selects; with "auto", only one that fits the loaded network.

    Args:
        choice, model: as for :func:`chosen_meta`.
        network: the loaded network. If the user sets other labels, a shipped model does not fit; with "auto" there is
            no meta model then.

    Raises:
        MetaModelError: the file is missing or damaged.
    """
    path = _path(choice, model, "ood")
    if path is None:
        return None
    found = load_ood_model(path)
    if choice == "auto":
        try:
            found.check_fits(network.name, network.labels.names, found.score)
        except MetaModelError:
            return None
    return found


def _path(choice: str, model: str, kind: Kind) -> str | Path | None:
    if choice == "none":
        return None
    return shipped_meta(model, kind) if choice == "auto" else choice
