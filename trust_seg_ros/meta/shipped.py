"""Which meta model judges: one that comes with the package, found by the network's name, a file, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.model import SHIPPED, MetaModel, load_meta_model
from trust_seg_ros.meta.ood import OodModel, load_ood_model
from trust_seg_ros.segmentation.protocol import SegmentationNetwork

Kind = Literal["segments", "ood"]
"""What is judged: segments of a class (``trust-seg fit``), or OoD segments (``trust-seg benchmark --save-meta``)."""

FOLDER = Path(__file__).parent / "models"

_ENDINGS = {"segments": "meta", "ood": "ood_meta"}


def shipped_meta(model: str, kind: Kind) -> Path | None:
    """The shipped meta model of a network.

    Args:
        model: what the network was asked for by, as in ``PipelineSettings.model``; only ``embedded`` and
            ``embedded:NAME`` have shipped ones, in ``embedded_meta.json``, ``embedded_ood_meta.json``,
            ``embedded_NAME_meta.json``, ``embedded_NAME_ood_meta.json``.
        kind: what it judges.

    Returns:
        Its file, or None where the package ships none.
    """
    family, _, name = model.partition(":")
    if family != "embedded" or "/" in name or "\\" in name:
        return None
    path = FOLDER / f"{'_'.join(filter(None, (family, name)))}_{_ENDINGS[kind]}.json"
    # that of the embedded network is part of every installation: a missing one is for the loader to report
    return path if path.is_file() or path == SHIPPED else None


def chosen_meta(choice: str, model: str) -> MetaModel | None:
    """The meta model of segments that a setting means.

    Args:
        choice: "auto" (the shipped one, if any), "none", or a file.
        model: what the network was asked for by.

    Raises:
        MetaModelError: the file is missing or damaged.
    """
    path = _path(choice, model, "segments")
    return None if path is None else load_meta_model(path)


def chosen_ood_meta(choice: str, model: str, network: SegmentationNetwork) -> OodModel | None:
    """The meta model of OoD segments that a setting means; with "auto", only one that fits the loaded network.

    Args:
        choice, model: as for :func:`chosen_meta`.
        network: the loaded network. With labels of one's own a shipped model does not fit, and nobody asked for it by
            name: there is none then.

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
