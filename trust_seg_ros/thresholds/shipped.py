"""Which calibration to use: one shipped with the package, found by the network's name, a file, or none."""

from __future__ import annotations

import logging
from pathlib import Path

from trust_seg_ros.meta.shipped import shipped_stem
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.thresholds.calibration import Calibration, CalibrationError, load_calibration
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings

FOLDER = Path(__file__).parent / "calibrations"
NONE = ("", "none")
"""Words for no calibration."""
_log = logging.getLogger(__name__)


def calibration_path(choice: str, model: str) -> Path | None:
    """The file of the calibration that a setting selects; None if there is none.

    Args:
        choice: "auto" (the shipped one, if any), "none" or "", or a file.
        model: the text that names the network, as in ``PipelineSettings.model``; only ``embedded`` and
            ``embedded:NAME`` have shipped ones, in ``embedded.json`` and ``embedded_NAME.json``.
    """
    if choice in NONE:
        return None
    if choice != "auto":
        return Path(choice)
    stem = shipped_stem(model)
    path = None if stem is None else FOLDER / f"{stem}.json"
    return path if path is not None and path.is_file() else None


def chosen_calibration(
    choice: str, model: str, network: SegmentationNetwork, gradient: GradientSettings
) -> Calibration | None:
    """The calibration that a setting selects.

    Args:
        choice, model: as for :func:`calibration_path`.
        network: the loaded network. If the user sets other labels, the shipped calibration does not fit; with "auto"
            there is none then, which the log says.
        gradient: how the network computes gradient scores.

    Raises:
        CalibrationError: the file is missing or damaged.
    """
    path = calibration_path(choice, model)
    if path is None:
        return None
    found = load_calibration(path)
    if choice == "auto":
        try:
            found.check_fits(network.name, network.labels.names, gradient, network_sha256(network))
        except CalibrationError as error:
            _log.warning("the shipped calibration is left out: %s", error)
            return None
    return found
