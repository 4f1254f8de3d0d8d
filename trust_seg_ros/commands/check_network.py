"""What ``trust-seg check NETWORK`` finds: what a network is, which scores it gives, and how each library runs it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.check.findings import Finding, failed, ok, skipped, warning
from trust_seg_ros.support.backends import AUTO, BACKENDS, TORCH

if TYPE_CHECKING:  # importing these would make every --help wait for torch
    import numpy as np

    from trust_seg_ros.evaluation.agreement import Agreement, Judged
    from trust_seg_ros.segmentation.protocol import SegmentationNetwork
    from trust_seg_ros.segmentation.settings import NetworkSettings
    from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics

ROUNDS, PATIENCE_S = 20, 6.0
"""Turns that libraries are timed for, and when a slow network gets fewer."""
NAMED = 12
"""Classes that are named."""


def of_network(settings: NetworkSettings, image: np.ndarray | None, calibration: str) -> Iterator[Finding]:
    """Every line about a network, as soon as it is known.

    Args:
        settings: the network; with the backend "torch" every library is tried, else that one only.
        image: (H, W, 3) uint8 RGB that it is shown; None = a made-up scene.
        calibration: its calibration, "auto", "none" or a file; some scores need one.
    """
    begin = time.perf_counter()
    try:
        network = settings.load()
    except TrustSegError as error:
        yield failed("network", str(error), "docs/networks.md says how networks are named and exported")
        return
    loading = time.perf_counter() - begin
    yield from described(network, settings)
    shown = _scene(network) if image is None else image
    try:
        statistics, remark = _statistics(calibration, settings, network)
        from trust_seg_ros.evaluation.agreement import judged

        answer = judged(network, shown, statistics)
    except TrustSegError as error:
        yield failed("answer", str(error), "docs/network_contract.md says what is wanted")
        return
    yield from answered(network, answer)
    yield from files(settings, network, remark)
    yield from libraries(settings, network, loading, answer, shown, statistics)


def described(network: SegmentationNetwork, settings: NetworkSettings) -> Iterator[Finding]:
    """What the network says of itself."""
    from trust_seg_ros.segmentation.protocol import network_remarks
    from trust_seg_ros.support.content_hash import network_sha256

    sha256 = network_sha256(network)
    yield ok("network", f"{network.name} on {network.device}{f', sha256 {sha256[:12]}…' if sha256 else ''}")
    names = network.labels.names
    more = f", … ({len(names)})" if len(names) > NAMED else f" ({len(names)})"
    yield ok("classes", f"{', '.join(names[:NAMED])}{more}")
    spec = network.input_spec
    size = f"stretched to {spec.size[1]}x{spec.size[0]}" if spec.size else f"as they are, in multiples of {spec.stride}"
    numbers = " ".join(f"{value:.3g}" for value in (*spec.mean, *spec.std))
    yield ok("images", f"{size}, {spec.order}, mean and std {numbers}, scale {spec.scale:.3g}")
    for remark in network_remarks(network):
        yield warning("remark", remark, "see that its pictures and classes are right: trust-seg show IMAGE --model …")


def answered(network: SegmentationNetwork, answer: Judged) -> Iterator[Finding]:
    """What it answers, and which scores that allows."""
    from trust_seg_ros.uncertainty.score_names import CALIBRATED_SCORES, find_score

    kind = f"sums of {answer.masks} masks" if answer.masks else "raw logits" if network.raw else "probabilities"
    yield ok("answer", f"{kind}, {'x'.join(map(str, answer.shape))}")
    if answer.maps.faulty_pixels:
        yield failed("logits", f"{answer.maps.faulty_pixels} pixels without a finite answer", "look at its weights")
    yield ok("scores", ", ".join(("entropy", "margin", "variation_ratio", *answer.scores)))
    groups: dict[str, list[str]] = {}
    for name in answer.missing:
        groups.setdefault(find_score(name).group, []).append(name)
    foreign = set(groups) - {"mask"} if answer.masks else {"mask"}  # of the other kind of network
    for group, names in groups.items():
        text = f"{', '.join(names)}: {answer.missing[names[0]]}"
        calibrated = set(names) <= set(CALIBRATED_SCORES) and "gradient" not in groups
        if group in foreign or calibrated:
            yield skipped(f"{group} scores", text)
        else:
            yield warning(f"{group} scores", f"no {text}", "docs/network_contract.md#what-the-package-wants")


def files(settings: NetworkSettings, network: SegmentationNetwork, remark: str) -> Iterator[Finding]:
    """Which of the files that judge its answers are there."""
    from trust_seg_ros.meta.shipped import chosen_meta, chosen_ood_meta

    model = settings.model
    yield (
        warning("calibration", remark, "trust-seg calibrate DATASET --model …")
        if remark
        else ok("calibration", "found")
    )
    for what, found, way_out in (
        ("judge of segments", chosen_meta("auto", model), "trust-seg fit DATASET --model …"),
        ("judge of unknown objects", chosen_ood_meta("auto", model, network), "trust-seg benchmark … --save-meta"),
    ):
        yield ok(what, "shipped") if found else warning(what, "none is shipped for this network", way_out)


def libraries(
    settings: NetworkSettings,
    network: SegmentationNetwork,
    loading: float,
    answer: Judged,
    image: np.ndarray,
    statistics: NetworkStatistics,
) -> Iterator[Finding]:
    """How each library runs it: agreement with the first one, seconds to load, milliseconds for a frame."""
    from trust_seg_ros.evaluation.agreement import agreement, judged, times
    from trust_seg_ros.segmentation.errors import DependencyError, DeviceError, ModelSpecError

    first = str(getattr(network, "backend", TORCH)).partition(" ")[0]
    loaded: dict[str, SegmentationNetwork] = {first: network}
    said: dict[str, tuple[float, Agreement | None]] = {first: (loading, None)}
    asked = [name for name in BACKENDS if name not in (AUTO, TORCH, first)] if settings.backend == TORCH else []
    for name in asked:
        begin = time.perf_counter()
        try:
            other = replace(settings, backend=name).load()
            seconds = time.perf_counter() - begin
            alike = agreement([answer], [judged(other, image, statistics)])
        except (DependencyError, DeviceError, ModelSpecError) as error:
            yield skipped(name, str(error))
        except TrustSegError as error:
            yield warning(name, f"does not run it: {error}", f"use backend:={first}")
        else:
            loaded[name], said[name] = other, (seconds, alike)
    calls = {name: (lambda found=found: found.infer(image)) for name, found in loaded.items()}
    spent = times(calls, ROUNDS, PATIENCE_S)
    for name, (seconds, agrees) in said.items():
        yield _library(name, spent[name], seconds, agrees, first)
    yield _fastest(spent, first, said)


def _library(name: str, spent: float, seconds: float, agrees: Agreement | None, first: str) -> Finding:
    text = f"{1e3 * spent:.0f} ms a frame, loads in {seconds:.1f} s"
    if agrees is None:
        return ok(name, text)
    text += f"; beside {first}: {agrees}"
    return ok(name, text) if agrees.good else warning(name, text, f"answers differ: use backend:={first}")


def _fastest(spent: Mapping[str, float], first: str, said: Mapping[str, tuple[float, Agreement | None]]) -> Finding:
    good = [name for name in spent if (alike := said[name][1]) is None or alike.good]
    best = min(good, key=lambda name: spent[name])
    if best == first:
        return ok("fastest", f"{best}, as it is")
    return ok("fastest", f"{best}, {spent[first] / spent[best]:.2f} times {first}'s speed: -p backend:={best}")


def _scene(network: SegmentationNetwork) -> np.ndarray:
    from trust_seg_ros.segmentation.scenes import scene_image

    return scene_image(network.input_spec.size_for((480, 640)))


def _statistics(
    calibration: str, settings: NetworkSettings, network: SegmentationNetwork
) -> tuple[NetworkStatistics, str]:
    """The network's statistics, and what is to be said about a missing calibration."""
    from trust_seg_ros.pipeline.fitting_together import statistics_of
    from trust_seg_ros.thresholds.shipped import chosen_calibration
    from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

    found = chosen_calibration(calibration, settings.model, network, IN_LOGARITHMS)
    remark = "" if found else "none is shipped for this network: thresholds are constants that you choose"
    return statistics_of(found), remark
