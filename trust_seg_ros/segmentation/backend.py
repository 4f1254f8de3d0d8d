"""Which library runs a network: torch, or ONNX Runtime or OpenVINO with the same network as a graph.

A network that was made for torch is exported to a graph once and kept in the cache. Its answers must agree with
torch's, or it is refused. ``auto`` measures what is installed and takes the fastest.
"""

from __future__ import annotations

import logging
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from trust_seg_ros.segmentation.checks import read_output
from trust_seg_ros.segmentation.errors import DependencyError, DeviceError, ModelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.masks import read_masks
from trust_seg_ros.segmentation.onnx_graph import OnnxGraph, graph_of
from trust_seg_ros.segmentation.runtimes import RUNTIMES, Forward, Runtime, run_by
from trust_seg_ros.segmentation.torch_graph import onnx_library, to_model
from trust_seg_ros.support.backends import AUTO, BACKENDS, TORCH
from trust_seg_ros.support.content_hash import DamagedError, sealed, unsealed
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.paths import cache_dir
from trust_seg_ros.support.resumable import whole_file
from trust_seg_ros.types import Classifier

Call = Callable[[torch.Tensor], object]
TOLERANCE = 1e-3
"""Largest difference between the answers of two libraries, as a share of the largest logit."""
_ROUNDS = 7
_FORMAT = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """A network on the library that runs it.

    Attributes:
        forward: the call; a torch module where torch runs it.
        classifier: the last convolution, where ``forward`` gives features for it and it is known.
        said: which library it is and why, for people.
    """

    forward: Call
    classifier: Classifier | None
    said: str


def checked_backend(name: str) -> str:
    """The name of a backend.

    Raises:
        ModelSpecError: there is none of that name.
    """
    if name not in BACKENDS:
        raise ModelSpecError(f"backend is {name!r}; expected {', '.join(map(repr, BACKENDS[:-1]))} or {BACKENDS[-1]!r}")
    return name


def run_graph(graph: OnnxGraph, backend: str, device: torch.device, name: str, pixels: torch.Tensor) -> Chosen:
    """A network that is a graph, on one of the libraries for graphs.

    Args:
        graph: the network.
        backend: one of ``BACKENDS``; "torch" means the first one that is installed.
        device: device that the user asked for.
        name: the network's name, for errors.
        pixels: (1, 3, h, w) normalised, to measure with.

    Raises:
        ModelError: no library is installed, or it refuses the graph.
    """
    there = [row.name for row in RUNTIMES.values() if row.there]
    if not there and backend in (TORCH, AUTO):
        lines = "; or ".join(how_to_install(row.library) for row in RUNTIMES.values())
        raise DependencyError(f"{name}: no library that runs .onnx files is installed; {lines}")
    if backend == AUTO:
        calls = {runtime: run_by(RUNTIMES[runtime], graph, device, name) for runtime in there}
        return _fastest(calls, graph.classifier, pixels, name)
    runtime = there[0] if backend == TORCH else backend
    return Chosen(run_by(RUNTIMES[runtime], graph, device, name), graph.classifier, runtime)


def run_module(
    own: Chosen, backend: str, device: torch.device, name: str, pixels: torch.Tensor, any_size: bool, sha256: str = ""
) -> Chosen:
    """A network that torch runs, on the library that the user asks for.

    Args:
        own: the network; a module in evaluation mode, on the CPU, in float32.
        backend: one of ``BACKENDS``.
        device: device that the user asked for.
        name: the network's name, for errors.
        pixels: (1, 3, h, w) normalised, an example; the graph takes this size alone, unless ``any_size``.
        any_size: whether it must take images of other sizes, too.
        sha256: hash of its weights, by which the graph is kept; "" = it is made anew each time.

    Raises:
        ModelError: it cannot be made a graph, or the library refuses it or answers differently; with "auto" it is run
            by torch then.
    """
    there = [row.name for row in RUNTIMES.values() if row.there]
    if backend == TORCH or (backend == AUTO and (device.type != "cpu" or not there)):
        return own
    try:
        module = own.forward
        if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
            raise ModelError(
                f"{name}: a TorchScript program runs by torch only; export it as .onnx, or use backend:=torch"
            )
        wanted = [RUNTIMES[runtime] for runtime in (there if backend == AUTO else [backend])]
        place = _place(pixels, any_size, sha256)
        known = place is not None and place.is_file()
        graph = _kept(module, name, pixels, any_size, place)
        try:
            calls = _agreeing(module, graph, wanted, device, name, pixels)
        except ModelFileError:
            if place is None or not known:
                raise
            place.unlink(missing_ok=True)  # a factory's hash is that of its weights: its code may have changed
            graph = _kept(module, name, pixels, any_size, place)
            calls = _agreeing(module, graph, wanted, device, name, pixels)
    except ModelError as error:
        if backend != AUTO:
            raise
        _log.warning("%s stays with torch: %s", name, error)
        return own
    if backend != AUTO:
        return Chosen(calls[backend], graph.classifier, backend)
    chosen = _fastest({TORCH: module, **calls}, graph.classifier, pixels, name)
    return Chosen(module, own.classifier, chosen.said) if chosen.forward is module else chosen


@torch.inference_mode()
def _fastest(
    calls: Mapping[str, Call],
    classifier: Classifier | None,
    pixels: torch.Tensor,
    name: str,
) -> Chosen:
    """The call that answers soonest, all measured in turns so that a busy moment hits each of them."""
    times: dict[str, list[float]] = {runtime: [] for runtime in calls}
    for lap in range(_ROUNDS + 1):
        for runtime, call in calls.items():
            begin = time.perf_counter()
            call(pixels)
            if lap:  # the first one allocates
                times[runtime].append(time.perf_counter() - begin)
    medians = {runtime: statistics.median(values) * 1e3 for runtime, values in times.items()}
    best = min(medians, key=lambda runtime: medians[runtime])
    others = ", ".join(f"{runtime} {medians[runtime]:.0f}" for runtime in medians if runtime != best)
    said = f"{best} ({medians[best]:.0f} ms{f'; {others}' if others else ''})"
    _log.info("network %s runs by %s", name, said)
    return Chosen(calls[best], classifier, said)


def _agreeing(
    module: nn.Module,
    graph: OnnxGraph,
    wanted: Sequence[Runtime],
    device: torch.device,
    name: str,
    pixels: torch.Tensor,
) -> dict[str, Forward]:
    """The graph on each of the libraries; raises ModelFileError if one refuses it or answers otherwise than torch."""
    calls = {runtime.name: run_by(runtime, graph, device, name) for runtime in wanted}
    for runtime, call in calls.items():
        _check_agreement(module, call, pixels, name, runtime)
    return calls


@torch.inference_mode()
def _check_agreement(module: nn.Module, call: Forward, pixels: torch.Tensor, name: str, runtime: str) -> None:
    """Refuse a graph whose answer to an example is another than torch's."""
    wanted, found = _values(module(pixels)), _values(call(pixels))
    if found.shape != wanted.shape:  # an upsampling was taken off
        found = nn.functional.interpolate(found, wanted.shape[2:], mode="bilinear", align_corners=False)
    scale = float(wanted.abs().max()) or 1.0
    difference = float((found - wanted).abs().max())
    if not difference <= TOLERANCE * scale:  # also refuses NaN
        raise ModelFileError(
            f"{name}: {runtime} answers otherwise than torch, its values differ by up to {difference:.3g} where the "
            f"largest is {scale:.3g} (at most {TOLERANCE:g} of it is accepted); use backend:=torch"
        )


def _values(output: object) -> torch.Tensor:
    """What counts of an answer: its logits, or the class sums of masks."""
    masks = read_masks(output)
    return read_output(output)[0].float() if masks is None else masks.sums()


def _kept(module: nn.Module, name: str, pixels: torch.Tensor, any_size: bool, place: Path | None) -> OnnxGraph:
    """The graph of a module, from its place in the cache where it is known."""
    onnx = onnx_library(name)
    if place is not None and place.is_file():
        try:
            return graph_of(onnx.load_from_string(unsealed(place.read_bytes(), place, "it is made anew")), name)
        except (DamagedError, OSError):
            place.unlink(missing_ok=True)
    model = to_model(module, name, pixels, any_size)
    if place is not None:
        with whole_file(place, place.with_name(f"{place.name}.{os.getpid()}")) as draft:
            draft.write_bytes(sealed(model.SerializeToString()))
    return graph_of(model, name)


def _place(pixels: torch.Tensor, any_size: bool, sha256: str) -> Path | None:
    if not sha256:
        return None
    size = "any" if any_size else "x".join(map(str, reversed(pixels.shape[2:])))
    version = torch.__version__.partition("+")[0]
    return cache_dir("graphs") / f"{sha256[:32]}-{size}-{version}-{_FORMAT}.onnx"


def refuse_half(half: bool, backend: str, device: torch.device, name: str) -> None:
    """Refuse half precision with another backend than torch.

    Raises:
        DeviceError: both are asked for.
    """
    if half and backend != TORCH and device.type == "cpu":
        raise DeviceError(f"{name}: half precision runs by torch only; set half:=off, or backend:=torch")
