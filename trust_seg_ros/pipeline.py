"""The pipeline: image in, TrustFrame out. The only place that puts the steps in order; no ROS here."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from trust_seg_ros import segments, uncertainty
from trust_seg_ros.meta.features import required_set
from trust_seg_ros.meta.model import SHIPPED, MetaModel, load_meta_model
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.thresholds import Thresholds, pixel_flags
from trust_seg_ros.types import (
    Frame,
    OodSegments,
    SegmentTable,
    SegmentTrust,
    TrustFrame,
    UncertaintyMaps,
    Wanted,
)


@dataclass(frozen=True)
class PipelineSettings(NetworkSettings):
    """What is chosen once, before the first frame: the network, and what is made of its answer.

    Attributes:
        meta_model: "auto" (the shipped one for the embedded network, none for others), "none",
            or a JSON file written by ``trust-seg fit``; ``~`` is the home directory.
        features: name of the least set of segment metrics; for a meta model that needs more, the smallest set that
            holds them is computed.
        threads: CPU threads of the network, for the whole process; 0 = as many as there were before a pipeline set
            them: torch's choice, one per core, or what the program has set by ``torch.set_num_threads``.
    """

    meta_model: str = "auto"
    features: str = "metaseg"
    threads: int = 0


class TrustPipeline:
    """Network, maps, segments, meta models and thresholds in order. One caller at a time.

    Example:
        >>> pipeline = TrustPipeline.load()
        >>> result = pipeline(Frame(image))
        >>> wrong = result.segments.class_ids[result.trust.unreliable]
    """

    def __init__(self, network: SegmentationNetwork, meta: MetaModel | None = None, features: str = "metaseg") -> None:
        """Put a loaded network and a meta model together.

        Args:
            network: what segments.
            meta: what judges the segments; None = nothing does.
            features: name of the least set of segment metrics, as in :class:`PipelineSettings`.

        Raises:
            MetaModelError: the meta model was fitted for another network or other classes, or it needs metrics that
                no feature set has.
            FeatureError: there is no set ``features``.
        """
        self.network, self.meta = network, meta
        if meta is not None:
            meta.check_fits(network.name, network.labels.names)
        self.features = required_set(meta.features if meta else (), len(network.labels), least=features)

    @classmethod
    def load(cls, settings: PipelineSettings | None = None) -> TrustPipeline:
        """Load what the settings name; may take seconds.

        Raises:
            TrustSegError: a file is missing, corrupt, or does not fit the rest.
        """
        s = settings or PipelineSettings()
        segments.feature_set(s.features)  # a mistake is said before the network is loaded
        _set_threads(s.threads)
        network = s.load()
        return cls(network, _load_meta(s), s.features)

    @property
    def labels(self) -> LabelSet:
        """Names and colours of the classes."""
        return self.network.labels

    def warm_up(self, size: tuple[int, int]) -> None:
        """Compile and run everything once for images of ``size`` (H, W), so that the first frame is not slow."""
        uncertainty.warm_up()
        segments.warm_up()
        self.network.warm_up(size)
        noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        # flags everywhere, so that every branch has run
        for _ in range(2):
            self(Frame(noise), Thresholds(unreliable=0.0, pixel=0.0, ood=0.0, ood_min_size=1))

    def reset(self) -> None:
        """Forget what was learned from earlier frames (time has jumped); nothing is temporal yet."""

    def __call__(self, frame: Frame, thresholds: Thresholds | None = None, wanted: Wanted | None = None) -> TrustFrame:
        """Everything ``wanted`` about one frame, judged by ``thresholds``."""
        thresholds, wanted = thresholds or Thresholds(), wanted or Wanted()
        clock = _Clock()
        logit_maps = self.network.infer(frame.image)
        clock.lap("network")
        maps = _to_host(uncertainty.uncertainty_maps(logit_maps))
        clock.lap("maps")
        result = TrustFrame(frame, maps, thresholds=thresholds.as_dict())
        if wanted.segments:
            table = segments.segment_table(maps, logit_maps, self.features)
            clock.lap("segments")
            result = replace(result, segments=table, trust=self._judge(table, thresholds))
            clock.lap("meta")
        if wanted.pixel_flags:
            result = replace(result, pixel_flags=pixel_flags(maps, thresholds))
            clock.lap("flags")
        if wanted.ood:
            result = replace(result, ood=_ood(maps, thresholds))
            clock.lap("ood")
        return replace(result, timings_ms=clock.laps)

    def _judge(self, table: SegmentTable, thresholds: Thresholds) -> SegmentTrust | None:
        if self.meta is None:
            return None
        p_wrong, iou = self.meta.predict(table)
        return SegmentTrust(p_wrong, iou, p_wrong >= thresholds.unreliable)


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = (now - self._last) * 1e3
        self._last = now


_threads_before: int | None = None  # torch's number before a pipeline changed it; None = as it was


def _set_threads(wanted: int) -> None:
    """Threads of torch in this process; 0 takes back what an earlier call has set, and touches nothing else."""
    global _threads_before
    if wanted:
        _threads_before = _threads_before or torch.get_num_threads()
        torch.set_num_threads(wanted)
    elif _threads_before:
        torch.set_num_threads(_threads_before)
        _threads_before = None


def _load_meta(settings: PipelineSettings) -> MetaModel | None:
    if settings.meta_model == "none":
        return None
    if settings.meta_model == "auto":
        return load_meta_model(SHIPPED) if settings.model == "embedded" else None
    return load_meta_model(settings.meta_model)


def _to_host(maps: UncertaintyMaps) -> UncertaintyMaps:
    if maps.classes.device.type == "cpu":
        return maps
    return replace(
        maps,
        classes=maps.classes.cpu(),
        entropy=maps.entropy.cpu(),
        margin=maps.margin.cpu(),
        variation_ratio=maps.variation_ratio.cpu(),
    )


def _ood(maps: UncertaintyMaps, thresholds: Thresholds) -> OodSegments:
    return segments.ood_segments(maps.entropy.numpy(), thresholds.ood, thresholds.ood_min_size)
