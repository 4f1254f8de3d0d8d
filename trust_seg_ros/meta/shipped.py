"""Meta models that come with the package, found by the name of the network they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Kind = Literal["segments", "ood"]
"""What is judged: segments of a class (``trust-seg fit``), or OoD segments (``trust-seg benchmark --save-meta``)."""

FOLDER = Path(__file__).parent / "models"

_FIRST = {("embedded", "segments"): "compact_camvid11.json"}
"""Files with a name of their own. They are part of every installation: a missing one is for the loader to report."""

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
    if (model, kind) in _FIRST:
        return FOLDER / _FIRST[model, kind]
    family, _, name = model.partition(":")
    if family != "embedded" or "/" in name or "\\" in name:
        return None
    path = FOLDER / f"{'_'.join(filter(None, (family, name)))}_{_ENDINGS[kind]}.json"
    return path if path.is_file() else None
