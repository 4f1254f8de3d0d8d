"""The pipeline: image in, TrustFrame out; no ROS here."""

from trust_seg_ros.pipeline.given_scores import ScoreUnavailableError
from trust_seg_ros.pipeline.settings import PipelineSettings
from trust_seg_ros.pipeline.trust_pipeline import TrustPipeline

__all__ = ["PipelineSettings", "ScoreUnavailableError", "TrustPipeline"]
