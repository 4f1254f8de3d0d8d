"""Reads the file of the meta models: readable JSON, checked entry by entry."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.linear import LinearPart
from trust_seg_ros.meta.model import FORMAT, PREDICTIONS, VERSION, MetaModel
from trust_seg_ros.meta.over_time import read_time
from trust_seg_ros.meta.sizes import read_sizes
from trust_seg_ros.meta.trees import tree_pair_from_json
from trust_seg_ros.segments.origins import COMPONENTS
from trust_seg_ros.support import json_parts
from trust_seg_ros.support.json_file import raised_as, read_json
from trust_seg_ros.types import Json

SHIPPED = Path(__file__).parent / "models" / "embedded_meta.json"


def load_meta_model(path: str | Path = SHIPPED) -> MetaModel:
    """Read a model file; ``~`` is the home directory.

    Raises:
        MetaModelError: the file is missing, not JSON, of another format or version, or inconsistent.
    """
    path = Path(path).expanduser().absolute()
    remedy = (
        "the package is not installed whole: install it again"
        if path == SHIPPED.absolute()
        else "expected a .json file written by trust-seg fit, or, as meta_model, auto or none"
    )
    with raised_as(MetaModelError):
        data = read_json(path, FORMAT, VERSION, "meta model file", remedy, _make_anew(path))
    try:
        return _from_json(data)
    except (MetaModelError, json_parts.JsonError) as error:
        raise MetaModelError(f"{path}: incomplete or damaged: {error}; fit it again (trust-seg fit)") from error


def _make_anew(path: Path) -> str:
    return "install the package again" if path.parent == SHIPPED.parent.absolute() else "fit it again (trust-seg fit)"


def _from_json(data: Json) -> MetaModel:
    features = json_parts.part(data, "features", dict)
    rows = [json_parts.part(features, name, dict) for name in features]
    columns = {key: np.array([json_parts.number(row, key) for row in rows]) for key in ("mean", "scale", *PREDICTIONS)}
    intercepts = json_parts.part(data, "intercepts", dict)
    predicted, rates = data.get("predicted_ranges"), data.get("base_rates")
    grid, image_sizes = read_sizes(data)
    classifier, regressor = (LinearPart(columns[key], json_parts.number(intercepts, key)) for key in PREDICTIONS)
    return MetaModel(
        tuple(features),
        columns["mean"],
        columns["scale"],
        classifier,
        regressor,
        network=json_parts.part(data, "network", str),
        class_names=json_parts.texts(data, "classes"),
        ranges=np.array([json_parts.pair(row, "range") for row in rows]).reshape(-1, 2),
        summary=json_parts.part({"summary": {}, **data}, "summary", dict),
        predicted_ranges=None
        if predicted is None
        else np.array([json_parts.pair(predicted, key) for key in PREDICTIONS]),
        network_sha256=json_parts.part({"network_sha256": "", **data}, "network_sha256", str),
        grid=grid,
        image_sizes=image_sizes,
        base_rates=None
        if rates is None
        else (json_parts.number(rates, PREDICTIONS[0]), json_parts.number(rates, PREDICTIONS[1])),
        segments_from=json_parts.part({"segments_from": COMPONENTS, **data}, "segments_from", str),
        trees=tree_pair_from_json(json_parts.part(data, "trees", dict)) if "trees" in data else None,
        time=read_time(data),
    )
