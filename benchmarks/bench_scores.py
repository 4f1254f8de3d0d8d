"""What scores, gradients and the OoD meta classifier add to a frame of the pipeline, step by step.

The OoD model has random coefficients over all metrics of ``meta_ood``: what it costs does not depend on what it knows.
Noise is a score map of independent pixels, the worst case for segments.

    python benchmarks/bench_scores.py
    python benchmarks/bench_scores.py --size 1920x1080 --repeat 30
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from trust_seg_ros import segments
from trust_seg_ros.fitting.feature_fit import BANK
from trust_seg_ros.meta import LinearPart
from trust_seg_ros.meta.ood import OodModel
from trust_seg_ros.meta.ood_judge import OodJudge
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.recordings.sources import SyntheticSource
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments.features import FEATURE_SETS
from trust_seg_ros.types import Frame
from trust_seg_ros.uncertainty.feature_statistics import FeatureStatistics, Moments
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES, GRADIENT_SCORES, LOGIT_SCORES


def random_model(network: SegmentationNetwork) -> OodModel:
    """A meta classifier of OoD segments that knows nothing, but asks for every metric."""
    names = FEATURE_SETS["meta_ood"].names(len(network.labels))
    m, weights = len(names), np.random.default_rng(0).normal(0, 0.01, len(names))
    ranges = np.tile([0.0, 1.0], (m, 1))
    part = LinearPart(weights, 0.0)
    return OodModel(names, np.zeros(m), np.ones(m), part, ranges, network.name, network.labels.names, "entropy", 0.7)


def random_features(channels: int, bank: int) -> NetworkStatistics:
    """Statistics of features at random: what scores cost does not depend on what they compare with."""
    directions = torch.linalg.qr(torch.randn(channels, channels // 2)).Q
    rows = torch.nn.functional.normalize(torch.rand(bank, channels))
    parts = Moments(0.1, 0.1), Moments(-10.0, 3.0), 1000
    made = FeatureStatistics("", torch.zeros(channels), directions.half(), 1.0, rows.half(), *parts)
    return NetworkStatistics(features=lambda: made)


def run(size: tuple[int, int], repeat: int) -> Table:
    """The table for frames of one size (H, W)."""
    plain = TrustPipeline.load(PipelineSettings(ood_meta_model="none"))
    plain.warm_up(size)
    images = [frame.image for frame in islice(SyntheticSource(size), 4)]
    answers = [plain.network.infer(image) for image in images]
    maps = [plain(Frame(image)).maps for image in images]
    q = len(plain.labels)
    judges = {"plain": None, "judged": OodJudge(q, random_model(plain.network)), "named": OodJudge(q)}
    table = Table(title=f"{size[1]}x{size[0]}, {torch.get_num_threads()} torch threads, ms")
    for column in ("step", "median", "largest"):
        table.add_column(column, justify="left" if column == "step" else "right")

    def row(name: str, call: Callable[[int], object]) -> None:
        times = []
        for n in range(repeat + 2):
            start = time.perf_counter()
            call(n % len(images))
            times.append(1e3 * (time.perf_counter() - start))
        table.add_row(name, f"{statistics.median(times[2:]):.2f}", f"{max(times[2:]):.2f}")

    def scores(names: Sequence[str]) -> Callable[[int], object]:
        return lambda k: FrameScores(answers[k], maps[k], plain.gradient).compute(names)

    def ood(how: str, threshold: float = 0.7) -> Callable[[int], object]:
        judge = judges[how]
        if judge is None:
            return lambda k: segments.ood_segments(maps[k].entropy, threshold, 50)
        return lambda k: judge("entropy", maps[k].entropy, threshold, 50, 0.5, maps[k], answers[k])

    row("network", lambda k: plain.network.infer(images[k]))
    for name in LOGIT_SCORES + GRADIENT_SCORES:
        row(name, scores((name,)))
    row("both gradients", scores(GRADIENT_SCORES))
    for bank in (BANK, 512):
        known = random_features(answers[0].features.shape[0], bank)
        row(
            f"{', '.join(FEATURE_SCORES)} together, bank of {bank}",
            lambda k, known=known: FrameScores(answers[k], maps[k], statistics=known).compute(FEATURE_SCORES),
        )
    for how, words in (("plain", "found"), ("named", "found and named"), ("judged", "found, named and judged")):
        row(f"OoD segments {words}", ood(how))
    row("… judged, threshold 0.3", ood("judged", 0.3))
    noise = torch.from_numpy(np.random.default_rng(0).random(size, np.float32))
    for least in (1, 50):
        found = judges["judged"]("entropy", noise, 0.8, least, 0.5, maps[0], answers[0])
        row(
            f"… judged, noise, {len(found.kept)} segments, at least {least} pixels",
            lambda k, least=least: judges["judged"]("entropy", noise, 0.8, least, 0.5, maps[k], answers[k]),
        )
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="480x360", help="WIDTHxHEIGHT")
    parser.add_argument("--repeat", type=int, default=60)
    options = parser.parse_args(arguments)
    width, height = map(int, options.size.split("x"))
    Console(width=120).print(run((height, width), options.repeat))


if __name__ == "__main__":
    main()
