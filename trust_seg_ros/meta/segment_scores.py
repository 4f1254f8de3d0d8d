"""Which pixel scores a meta model needs besides the maps E, D and V: its metrics name them, as ``energy_bd`` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.segments.features import FEATURE_SETS
from trust_seg_ros.segments.history.window import base_names
from trust_seg_ros.segments.scores import SEGMENT_SCORES
from trust_seg_ros.types import Json
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES, GRADIENT_SCORES


def scores_among(names: Iterable[str], n_classes: int) -> tuple[str, ...]:
    """The scores of ``SEGMENT_SCORES`` that some of these metrics aggregate, in that order.

    Args:
        names: names of segment metrics.
        n_classes: number of classes of the network.
    """
    largest = FEATURE_SETS["all"]
    further = set(base_names(names)) - set(largest.names(n_classes))
    return tuple(s for s in SEGMENT_SCORES if further & set(largest.with_maps((s,)).names(n_classes)))


def gradient_note(scores: Sequence[str], gradient: GradientSettings) -> Json:
    """The settings of gradient scores for the file of a meta model; {} if none of its metrics is of such a score."""
    if not set(scores) & set(GRADIENT_SCORES):
        return {}
    return {"gradient": {"p": gradient.p, "variant": gradient.variant, "scale": gradient.scale}}


def features_note(scores: Sequence[str], sha256: str) -> Json:
    """The statistics of features for the file of a meta model; {} if none of its metrics is of a feature score."""
    return {"feature_statistics": sha256} if set(scores) & set(FEATURE_SCORES) else {}


def check_feature_columns(model: MetaModel, scores: Sequence[str], statistics: NetworkStatistics) -> None:
    """Refuse a meta model whose metrics are of feature scores from other statistics.

    Raises:
        MetaModelError: the text names both.
    """
    then = model.summary.get("feature_statistics", "")
    if set(scores) & set(FEATURE_SCORES) and statistics.features_id != then:
        raise MetaModelError(
            f"the meta model was fitted on feature scores from the statistics of sha256 {then or 'not known'}; loaded "
            f"are {statistics.features_id or 'none'}: set calibration (--calibration, of trust-seg calibrate "
            "--statistics) to one with the statistics it was fitted with, or fit one without columns of "
            f"{', '.join(FEATURE_SCORES)}"
        )


def check_gradient_columns(model: MetaModel, scores: Sequence[str], gradient: GradientSettings) -> None:
    """Refuse a meta model whose metrics are of gradient scores of another p, variant or scale.

    Raises:
        MetaModelError: the text names both.
    """
    now = gradient_note(scores, gradient).get("gradient")
    then = model.summary.get("gradient", now)
    if now is not None and then != now:
        raise MetaModelError(
            f"the meta model was fitted on gradient scores of {then}; set are {now}: set gradient.p and "
            "gradient.variant to what it was fitted with, or fit one without gradient columns"
        )
