"""Pictures, a calibration, and what thresholds must make of a frame, for the node's tests of policies."""

import cv2
import numpy as np
from node_networks import NAMES

from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve
from trust_seg_ros.thresholds.group_curves import GroupCurves

NETWORK = "node_networks:colours"
GRID = np.linspace(0.0, 1.0, 101)


def picture(number, contrast=1.0):
    """48 x 64 of soft colours, another for each number; less contrast, more entropy."""
    rough = np.random.default_rng(number).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    soft = cv2.resize(rough, (64, 48), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    return (128 + contrast * (soft - 128)).clip(1, 255).astype(np.uint8)


def calibration(frame_means=(), images=60, network=NETWORK):
    """Of the entropy and P(false positive): recall 1 - t and risk t at threshold t."""
    curves = RecallCurve(GRID, 1 - GRID, 5000), RiskCurve(GRID, GRID, images)
    entropy = ScoreCalibration(*curves, (), tuple(frame_means), groups=groups(frame_means, images))
    p_wrong = ScoreCalibration(RecallCurve(GRID, 1 - GRID, 50), RiskCurve(GRID, GRID, images))
    return Calibration(network, NAMES, scores={"entropy": entropy}, segments={"p_wrong": p_wrong})


def groups(frame_means, images):
    """Risks t, t^2, … of the classes, t and t^2 of the halves, t^2 and t of images below and above the middle mean."""
    line, square = (RiskCurve(GRID, GRID**power, images) for power in (1, 2))
    edges = (float(np.median(frame_means)),) if len(frame_means) else ()
    kinds = (square, line) if edges else (line,)
    classes = tuple(RiskCurve(GRID, GRID ** (k + 1), images) for k in range(len(NAMES)))
    return GroupCurves(classes, (line, square), (1, 2), kinds, edges)


def pixels(msg, dtype=np.uint8):
    return np.frombuffer(msg.data, dtype).reshape(msg.height, msg.width)


def one_frame(bench, stamp, topics=("entropy", "unreliable")):
    """Entropy and flags of the frame with that stamp (seconds)."""

    def of_frame(name):
        return [m for m in bench.received[name] if m.header.stamp.sec == stamp]

    bench.until(lambda: all(map(of_frame, topics)), f"the frame of {stamp} s")
    entropy, flags = (of_frame(name)[-1] for name in topics)
    return pixels(entropy, np.float32), pixels(flags) >= 128
