"""Whether a network, its meta models and its calibration belong together."""

from __future__ import annotations

from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.ood import OodModel
from trust_seg_ros.meta.segment_scores import check_feature_columns, check_gradient_columns, scores_among
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments.origins import COMPONENTS
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics


def check_together(
    network: SegmentationNetwork,
    meta: MetaModel | None,
    ood_model: OodModel | None,
    calibration: Calibration | None,
    gradient: GradientSettings,
) -> None:
    """Refuse files of another network, and meta models whose scores are computed in another way here.

    Raises:
        MetaModelError: a meta model was fitted for another network, other classes or another gradient norm.
        CalibrationError: the calibration is of another network, other classes or other gradient scores.
    """
    running, sha256 = (network.name, network.labels.names), network_sha256(network)
    if meta is not None:
        meta.check_fits(*running, sha256)
        scores = scores_among(meta.features, len(network.labels))
        check_gradient_columns(meta, scores, gradient)
        check_feature_columns(meta, scores, statistics_of(calibration))
    if ood_model is not None:
        ood_model.check_fits(*running, ood_model.score, sha256)
    if calibration is not None:
        calibration.check_fits(*running, gradient, sha256)


def check_segments(calibration: Calibration | None, meta: MetaModel | None) -> None:
    """Refuse thresholds on P(false positive) that were calibrated on other segments than those judged here.

    Raises:
        CalibrationError: the text names both.
    """
    if calibration is None or meta is None or "p_wrong" not in calibration.segments:
        return
    made = calibration.summary.get("segments_from", COMPONENTS)
    if made != meta.segments_from:
        raise CalibrationError(
            f"the calibration was made with segments from {made}, the meta model judges segments from "
            f"{meta.segments_from}: make one with this meta model (trust-seg calibrate --meta-model …)"
        )


def judges(calibration: Calibration | None, meta: MetaModel | None, ood: OodModel | None) -> dict[str, str]:
    """ "p_wrong", "p_ood" -> fingerprint of the meta model that gives it, in the form that the calibration uses."""
    found = {name: model.fingerprint for name, model in (("p_wrong", meta), ("p_ood", ood)) if model is not None}
    made_with = {} if calibration is None else calibration.summary.get("meta_models", {})
    if meta is not None and made_with.get("p_wrong") == meta.older_fingerprint:
        found["p_wrong"] = meta.older_fingerprint
    return found


def statistics_of(calibration: Calibration | None) -> NetworkStatistics:
    """The network's statistics, for scores that compare with them; none without a calibration."""
    return NO_STATISTICS if calibration is None else calibration.statistics
