"""What scores, gradients and the OoD meta classifier add to a frame of the pipeline, step by step.

The OoD model has random coefficients over all metrics of ``meta_ood``: what it costs does not depend on what it knows.
Noise is a score map of independent pixels, the worst case for segments.

    python benchmarks/bench_scores.py
    python benchmarks/bench_scores.py --size 1920x1080 --repeat 30
    python benchmarks/bench_scores.py --features      (only feature scores, as shares of the forward pass)
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


def feature_shares(size: tuple[int, int], rounds: int) -> Table:
    """Cost of feature scores as shares of the forward pass, on frames of one size (H, W).

    Every round times the network and then each choice of scores on the same image, so that all see the same machine;
    the best round of each counts, as other programs only ever add time. Processor time of all threads tells most on a
    machine that is shared: a long step is never left alone there, a short one sometimes is.
    """
    plain = TrustPipeline.load(PipelineSettings(ood_meta_model="none"))
    images = [frame.image for frame in islice(SyntheticSource(size), 4)]
    answers = [plain.network.infer(image) for image in images]
    maps = [plain(Frame(image)).maps for image in images]
    choices = [(BANK, (name,)) for name in FEATURE_SCORES] + [(BANK, FEATURE_SCORES), (512, FEATURE_SCORES)]
    known = {bank: random_features(len(answers[0].features), bank) for bank, _ in choices}
    steps: dict[str, Callable[[int], object]] = {"network": lambda k: plain.network.infer(images[k])}
    for bank, names in choices:
        title = f"{', '.join(names)}{' together' * (len(names) > 1)}, bank of {bank}"
        steps[title] = lambda k, bank=bank, names=names: FrameScores(
            answers[k], maps[k], statistics=known[bank]
        ).compute(names)
    best = np.full((len(steps), 2), np.inf)
    for n in range(rounds + 3):
        for row, call in enumerate(steps.values()):
            start = time.perf_counter(), time.process_time()
            call(n % len(images))
            if n >= 3:  # compiled, and caches filled
                best[row] = np.minimum(best[row], (time.perf_counter() - start[0], time.process_time() - start[1]))
    table = Table(title=f"{size[1]}x{size[0]}, {torch.get_num_threads()} torch threads, best of {rounds} rounds")
    for column in ("step", "ms", "of the network, %", "processor, ms", "of the network, % "):
        table.add_column(column, justify="left" if column == "step" else "right")
    for title, (wall, processor), (share, of_processor) in zip(steps, 1e3 * best, 100 * best / best[0], strict=True):
        table.add_row(title, f"{wall:.2f}", f"{share:.1f}", f"{processor:.2f}", f"{of_processor:.1f}")
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="480x360", help="WIDTHxHEIGHT")
    parser.add_argument("--repeat", type=int, default=60)
    parser.add_argument("--features", action="store_true", help="only feature scores, as shares of the forward pass")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's own number)")
    options = parser.parse_args(arguments)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    width, height = map(int, options.size.split("x"))
    measure = feature_shares if options.features else run
    Console(width=120).print(measure((height, width), options.repeat))


if __name__ == "__main__":
    main()
