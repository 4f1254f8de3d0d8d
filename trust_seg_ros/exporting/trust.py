"""Writes a trust head as a file, and compares its maps with the package's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from trust_seg_ros.exporting.errors import ExportError
from trust_seg_ros.exporting.head_file import head_entries, open_head
from trust_seg_ros.exporting.head_maps import CLASS, HEAD_MAPS, Range
from trust_seg_ros.exporting.logits import load_network_of
from trust_seg_ros.exporting.metadata import add_entries, source_entries
from trust_seg_ros.exporting.names import DEFAULT_MAPS
from trust_seg_ros.exporting.resizing import Size
from trust_seg_ros.exporting.targets import Target
from trust_seg_ros.exporting.trust_head import CODED_CLASS, Coded, TrustHead, coded
from trust_seg_ros.segmentation.errors import DependencyError
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES
from trust_seg_ros.segmentation.graphs.to_onnx import to_onnx
from trust_seg_ros.segmentation.masks.network import MaskNetwork
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.probe import PROBE_SIDE
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.nearest import unknown
from trust_seg_ros.thresholds.calibration import Calibration, load_calibration
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve
from trust_seg_ros.thresholds.score_calibration import ScoreCalibration
from trust_seg_ros.uncertainty.feature_statistics import FeatureStatistics
from trust_seg_ros.uncertainty.maps import uncertainty_maps
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.score_names import score_map

WIDER = 0.25
"""A range from a calibration is widened by this share at each end: unknown objects lie beyond what was calibrated."""
_SCENE: Size = (480, 640)


@dataclass(frozen=True)
class HeadSettings:
    """What a trust head is to give.

    Attributes:
        maps: names of ``HEAD_MAPS``.
        image_size: (H, W) of the camera's images; None = any that the network takes without being resized.
        ranges: name of a map -> least and largest value that its bytes hold.
        calibration: of ``trust-seg calibrate``, for ranges and for statistics of features; None = there is none.
    """

    maps: tuple[str, ...] = DEFAULT_MAPS
    image_size: Size | None = None
    ranges: Mapping[str, Range] = field(default_factory=dict)
    calibration: Path | None = None


@dataclass(frozen=True)
class Difference:
    """How the maps of a file differ from the package's own, on one picture.

    Attributes:
        runtime: the library that ran the file.
        same_classes: share of the pixels with the same class, 0 to 1; None if the classes are not among the maps.
        steps: name of each other map -> largest difference, in steps of its byte.
    """

    runtime: str
    same_classes: float | None
    steps: dict[str, float]


@dataclass(frozen=True)
class ExportedHead:
    """A trust head that was written and read again.

    Attributes:
        files: its files, the one that programs are given first.
        bytes: their size, together.
        size: (H, W) of the images that it takes; None = any.
        stride: with ``size`` None, sides must be multiples of it.
        classes: number q of classes.
        maps: what it gives.
        differences: one for each runtime that is installed.
    """

    files: tuple[Path, ...]
    bytes: int
    size: Size | None
    stride: int
    classes: int
    maps: tuple[Coded, ...]
    differences: tuple[Difference, ...]


def export_trust(
    settings: NetworkSettings,
    head: HeadSettings,
    file: Path,
    target: Target,
    told: Callable[[str], None] = lambda _: None,
) -> ExportedHead:
    """Write a network with everything before and behind it as a file, and compare its maps with the package's.

    Args:
        settings: the network; it is exported on the CPU in float32.
        head: what the file is to give.
        file: where to; what is there is replaced when the new file is whole.
        target: kind of file.
        told: called with the name of each step.

    Raises:
        ExportError: a map or a size that cannot be had.
        ModelError, LabelError: the network cannot be loaded or exported.
        CalibrationError, FeatureStatisticsError: the calibration cannot be used.
        OSError: the file cannot be written.
    """
    _check_names(head)
    there = [name for name in target.runtimes if RUNTIMES[name].there]
    if not there:
        lines = "; or ".join(how_to_install(RUNTIMES[name].library) for name in target.runtimes)
        raise DependencyError(f"{file}: no library that runs such files is installed, to compare with; {lines}")
    told("loading the network")
    network = _fitting(load_network_of(settings), head)
    calibration = _calibration(head, network)
    statistics = _statistics(head, network, calibration)
    maps = tuple(_coded(name, head, len(network.labels), calibration) for name in head.maps)
    module = TrustHead(network, maps, head.image_size, statistics).eval()
    stride = network.input_spec.stride
    told("making the graph")
    example = torch.from_numpy(scene_image(head.image_size or _multiple((PROBE_SIDE, 2 * PROBE_SIDE), stride)))[None]
    free = (1, 2) if head.image_size is None else ()
    model = to_onnx(module, settings.model, example, head.maps, free)
    entries = source_entries(network.labels, settings.model, network.sha256)
    add_entries(model, {**head_entries(maps, head.image_size, stride, network.labels), **entries})
    files = target.write(model, file)
    told("comparing the maps")
    image = scene_image(head.image_size or _multiple(_SCENE, stride))
    package = NetworkStatistics(features=None if statistics is None else lambda: statistics)
    wanted = package_maps(network, image, head.maps, package)
    found = [_difference(file, name, image, wanted) for name in there]
    total = sum(path.stat().st_size for path in files)
    return ExportedHead(files, total, head.image_size, stride, len(network.labels), maps, tuple(found))


def package_maps(
    network: ModuleNetwork | MaskNetwork, image: np.ndarray, names: Sequence[str], statistics: NetworkStatistics
) -> dict[str, np.ndarray]:
    """The package's own maps of an image, (H, W) each: uint8 classes and float32 scores."""
    answer = network.infer(image)
    maps = uncertainty_maps(answer)
    found = {}
    for name in names:
        if name == CLASS:
            found[name] = maps.classes
        else:
            found[name] = score_map(name, answer, maps, statistics=statistics)
    return {name: values.numpy() for name, values in found.items()}


def _difference(file: Path, runtime: str, image: np.ndarray, wanted: Mapping[str, np.ndarray]) -> Difference:
    head = open_head(file, runtime)
    values = head.values(image)
    steps = {}
    for one in head.maps:
        if one.name != CLASS:
            own = np.clip(wanted[one.name], *one.range)  # what lies beyond is written as the nearest value
            steps[one.name] = float(np.abs(values[one.name].astype(np.float64) - own).max() / one.scale)
    same = float((values[CLASS] == wanted[CLASS]).mean()) if CLASS in wanted else None
    return Difference(runtime, same, steps)


def _check_names(head: HeadSettings) -> None:
    for name in (*head.maps, *head.ranges):
        if name not in HEAD_MAPS:
            raise ExportError(unknown("map", name, tuple(HEAD_MAPS)))
    if not head.maps or len(set(head.maps)) < len(head.maps):
        raise ExportError(f"--maps {','.join(head.maps)}: expected each map once, and at least one")
    for name in head.ranges:
        if name not in head.maps or name == CLASS:
            raise ExportError(
                f"--range {name}: there is no such score among --maps {','.join(head.maps)}; leave it away"
            )


def _fitting(network: object, head: HeadSettings) -> ModuleNetwork | MaskNetwork:
    """The network, if a trust head of it can be made."""
    if not isinstance(network, (ModuleNetwork, MaskNetwork)):
        raise ExportError(
            f"network {getattr(network, 'name', '')!r} is a complete network of its own; a trust head needs its torch "
            "module: let the factory return that"
        )
    masks = isinstance(network, MaskNetwork)
    kind = "masks" if masks else "logits"
    foreign = [name for name in head.maps if kind not in HEAD_MAPS[name].kinds]
    if foreign:
        why = "of a mask network, which this is not" if not masks else "of logits, and a mask network has none"
        fit = ", ".join(name for name, row in HEAD_MAPS.items() if kind in row.kinds)
        raise ExportError(f"--maps {foreign[0]}: a map {why}; expected some of {fit}")
    if network.input_spec.squares is not None:
        raise ExportError(
            f"network {network.name!r} sees an image in squares, which no graph does here; write --head logits"
        )
    if not network.raw and not masks:
        raise ExportError(
            f"network {network.name!r} gives probabilities; a trust head needs its logits: return what the softmax is "
            "applied to"
        )
    spec = network.input_spec
    if head.image_size is None and (spec.size is not None or spec.edges is not None):
        size = "a size of its own" if spec.size is None else f"{spec.size[1]}x{spec.size[0]} pixels"
        raise ExportError(
            f"network {network.name!r} takes images of {size}, and resizing as this package does it can be written "
            "for one size of the camera's images only: give it with --image-size WIDTHxHEIGHT"
        )
    if head.image_size is None and not masks:
        probe = scene_image(_multiple((PROBE_SIDE, PROBE_SIDE), spec.stride))
        if network.infer(probe).placement is not None:
            raise ExportError(
                f"network {network.name!r} answers with aligned corners or a crop, which can be written for one size "
                "of the camera's images only: give it with --image-size WIDTHxHEIGHT"
            )
    return network


def _calibration(head: HeadSettings, network: ModuleNetwork | MaskNetwork) -> Calibration | None:
    if head.calibration is None:
        return None
    found = load_calibration(head.calibration)
    found.check_fits(network.name, network.labels.names, sha256=network.sha256)
    return found


def _statistics(
    head: HeadSettings, network: ModuleNetwork | MaskNetwork, calibration: Calibration | None
) -> FeatureStatistics | None:
    """Statistics of the network's features, where a map needs them."""
    names = [name for name in head.maps if HEAD_MAPS[name].features]
    if not names:
        return None
    if calibration is None or calibration.features is None:
        raise ExportError(
            f"the map {names[0]} compares with statistics of the network's features: trust-seg calibrate DATASET "
            f"--score {' '.join(names)} --out FILE makes them, --calibration FILE names them"
        )
    statistics = calibration.features()
    if statistics.layer:
        raise ExportError(
            f"{head.calibration}: statistics of {statistics.where}; a trust head has the last layer's input only: "
            "calibrate without --features-layer"
        )
    spec = network.input_spec
    answer = network.infer(scene_image(spec.size or _multiple((PROBE_SIDE, PROBE_SIDE), spec.stride)))
    package = NetworkStatistics(features=lambda: statistics)
    for name in names:  # refuses, with the way out, networks without a last 1x1 convolution
        score_map(name, answer, uncertainty_maps(answer), statistics=package)
    return statistics


def _coded(name: str, head: HeadSettings, classes: int, calibration: Calibration | None) -> Coded:
    """How a map is written: in its own limits, in those given, or in those of the calibration."""
    if name == CLASS:
        return CODED_CLASS
    row = HEAD_MAPS[name]
    limits = None if row.limits is None else row.limits(classes)
    score = None if calibration is None else calibration.scores.get(name)
    if name in head.ranges:
        return coded(name, head.ranges[name])
    if limits is not None and (row.whole or score is None):
        return coded(name, limits)
    if score is None:
        raise ExportError(
            f"the map {name} has no limits of its own, and a byte holds 256 steps: give the values of the first and "
            f"last one, --range {name}=LOW:HIGH, or a calibration of it: trust-seg calibrate DATASET --score {name} "
            "--out FILE, --calibration FILE"
        )
    return coded(name, _seen(score, limits or (-math.inf, math.inf)))


def _seen(score: ScoreCalibration, limits: Range) -> Range:
    """The values of a score in its calibration, and some more at both ends, within its limits."""
    curves: list[RecallCurve | RiskCurve | None] = [score.risk, score.recall, score.flagged]
    seen = np.concatenate([curve.thresholds for curve in curves if curve is not None])
    seen = seen[np.isfinite(seen)]
    low, high = float(seen.min()), float(seen.max())
    more = WIDER * (high - low)
    return max(low - more, limits[0]), min(high + more, limits[1])


def _multiple(size: Size, stride: int) -> Size:
    """A size rounded up to multiples of a stride."""
    height, width = (-(-side // stride) * stride for side in size)
    return height, width
