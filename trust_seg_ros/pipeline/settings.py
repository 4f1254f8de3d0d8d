"""The pipeline's settings: chosen once, before the first frame."""

from __future__ import annotations

from dataclasses import dataclass, field

from trust_seg_ros.grid import FITTED
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS


@dataclass(frozen=True)
class PipelineSettings(NetworkSettings):
    """Settings chosen once, before the first frame: the network, and what is computed from its answer.

    Attributes:
        meta_model: "auto" (the shipped one for the embedded network, none for others), "none",
            or a JSON file written by ``trust-seg fit``; ``~`` is the home directory.
        ood_meta_model: the same for OoD segments: "auto", "none", or a file of ``trust-seg benchmark --save-meta``.
        gradient: norm, variant and scale of the gradient scores; logarithms by default, which suit thresholds and means
            over segments.
        calibration: "auto" (the shipped one for the embedded networks, none for others), "none" or "", or a file of
            ``trust-seg calibrate`` for this network; without one there are neither standardized_max_logit nor
            feature scores.
        features: name of the least set of segment metrics; for a meta model that needs more, the smallest set that
            holds them is computed.
        segment_scores: pixel scores (of ``segments.scores.SEGMENT_SCORES``) whose means over segments and their parts
            become metrics, too: columns ``energy``, ``energy_in``, …; scores that a meta model needs are added
            automatically.
        grid: the grid that segments and their metrics are made on, see ``trust_seg_ros.grid``: "fitted" (the area of
            the grid that the meta model names; the image where there is none), "network" (the logits' own), "image",
            "WIDTHxHEIGHT", or "area:WIDTHxHEIGHT".
        segments_from: what the segments are, see ``segments.origins``: "components", "queries" (of a mask network), or
            "fitted" (what the meta model was fitted with; components without one).
        tracking: whether segments and OoD segments are followed from frame to frame, and for how long.
        gpu_kernels: "auto" (where the network runs on an NVIDIA GPU and triton is installed, its kernels make maps,
            segments and their metrics there) or "off" (torch makes the maps there, the host the rest).
        threads: CPU threads of the network, for the whole process; 0 = the number before a pipeline changed it:
            torch's choice, one per core, or the program's own call of ``torch.set_num_threads``.
    """

    meta_model: str = "auto"
    ood_meta_model: str = "auto"
    gradient: GradientSettings = IN_LOGARITHMS
    calibration: str = "auto"
    features: str = "metaseg"
    segment_scores: tuple[str, ...] = ()
    grid: str = FITTED
    segments_from: str = FITTED
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    gpu_kernels: str = "auto"
    threads: int = 0
