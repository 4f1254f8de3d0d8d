"""Which library runs a network: torch, or ONNX Runtime or OpenVINO with the same network as a graph.

A network that was made for torch is exported to a graph once and kept in the cache. Its answers must agree with
torch's, or it is refused. ``auto`` measures what is installed and takes the fastest.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from trust_seg_ros.segmentation.errors import DependencyError, DeviceError, ModelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.graphs.fastest import Call, check_agreement, medians
from trust_seg_ros.segmentation.graphs.measured import keep_times, kept_times
from trust_seg_ros.segmentation.graphs.onnx_graph import OnnxGraph, graph_of
from trust_seg_ros.segmentation.graphs.placed import Place, Running
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES, Runtime, refuse_early, run_by
from trust_seg_ros.segmentation.graphs.to_onnx import onnx_library
from trust_seg_ros.segmentation.graphs.torch_graph import to_model
from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.support.backends import AUTO, BACKENDS, ONNXRUNTIME, TORCH
from trust_seg_ros.support.content_hash import DamagedError, sealed, unsealed
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.paths import cache_dir
from trust_seg_ros.support.resumable import whole_file
from trust_seg_ros.types import Classifier

_FORMAT = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """A network on the library that runs it.

    Attributes:
        forward: the call; a torch module where torch runs it.
        classifier: the last convolution, where ``forward`` gives features for it and it is known.
        said: which library it is and why, for people.
        where: where an answer of the size of the image lies on the logits; None = they are stretched over it.
    """

    forward: Call
    classifier: Classifier | None
    said: str
    where: Where | None = None


def checked_backend(name: str) -> str:
    """The name of a backend.

    Raises:
        ModelSpecError: there is none of that name.
    """
    if name not in BACKENDS:
        raise ModelSpecError(f"backend is {name!r}; expected {', '.join(map(repr, BACKENDS[:-1]))} or {BACKENDS[-1]!r}")
    return name


def run_graph(
    graph: OnnxGraph,
    backend: str,
    device: torch.device,
    name: str,
    pixels: torch.Tensor,
    providers: tuple[str, ...] = (),
) -> Chosen:
    """A network that is a graph, on one of the libraries for graphs.

    Args:
        graph: the network.
        backend: one of ``BACKENDS``; "torch" means the first one that is installed and computes on the device.
        device: device that the user asked for.
        name: the network's name, for errors.
        pixels: (1, 3, h, w) normalised, to measure with.
        providers: what ONNX Runtime is to compute by, as ``placed.Place``.

    Raises:
        ModelError: no library is installed, or it cannot run the graph, or refuses it.
    """
    place, kernel = Place(device, providers, name), on_device(graph.classifier, device)
    fit = [row for row in RUNTIMES.values() if row.name in (graph.runtimes or RUNTIMES)]
    if backend in RUNTIMES and backend not in [row.name for row in fit]:
        raise ModelSpecError(
            f"{name}: backend is {backend!r}, but only {' or '.join(row.name for row in fit)} runs such a file; leave "
            "backend away, or export the network as .onnx"
        )
    installed = [row for row in fit if row.there]
    if not installed and backend in (TORCH, AUTO):
        lines = "; or ".join(how_to_install(row.library) for row in fit if "cpu" in row.devices)
        raise DependencyError(f"{name}: no library that runs {Path(name).suffix} files is installed; {lines}")
    if backend not in (TORCH, AUTO):
        wanted = [RUNTIMES[backend]]
    elif providers and RUNTIMES[ONNXRUNTIME] in fit:
        wanted = [RUNTIMES[ONNXRUNTIME]]
    else:  # what is installed but does not fit says what is missing
        wanted = [row for row in installed if row.fits(device) and row.quick] or installed[:1]
    if backend == AUTO:
        running = _willing(wanted, graph, place, pixels)
        chosen = _fastest(running, _measured(running, pixels, place, None), name)
        return replace(chosen, classifier=kernel, where=graph.where)
    one = run_by(wanted[0], graph, place)
    return Chosen(one.forward, kernel, one.said, graph.where)


def _willing(wanted: Sequence[Runtime], graph: OnnxGraph, place: Place, pixels: torch.Tensor) -> dict[str, Running]:
    """The graph on each of the libraries that take it and answer as the first does; raises ModelError if none does."""
    running: dict[str, Running] = {}
    for row in wanted:
        try:
            found = run_by(row, graph, place)
            for first in list(running.values())[:1]:
                check_agreement(first.forward, found.forward, Where(), pixels, place.name, row.name)
            running[row.name] = found
        except ModelError as error:
            if row is wanted[-1] and not running:
                raise
            _log.warning("%s", error)
    return running


def run_module(
    own: Chosen,
    backend: str,
    device: torch.device,
    name: str,
    pixels: torch.Tensor,
    any_size: bool,
    sha256: str = "",
    providers: tuple[str, ...] = (),
) -> Chosen:
    """A network that torch runs, on the library that the user asks for.

    Args:
        own: the network; a module in evaluation mode on the device.
        backend: one of ``BACKENDS``.
        device: device that the user asked for.
        name: the network's name, for errors.
        pixels: (1, 3, h, w) normalised, an example in the module's precision; the graph has that, too, and takes this
            size alone, unless ``any_size``.
        any_size: whether it must take images of other sizes, too.
        sha256: hash of its weights, by which the graph is kept; "" = it is made anew each time.
        providers: what ONNX Runtime is to compute by, as ``placed.Place``.

    Raises:
        ModelError: it cannot be made a graph, or the library refuses it or answers differently; with "auto" it is run
            by torch then.
    """
    place = Place(device, providers, name)
    if backend == TORCH and providers:
        raise ModelSpecError(f"{name}: providers are ONNX Runtime's; set backend:=onnxruntime, or leave them empty")
    there = [row for row in RUNTIMES.values() if row.quick and row.fits(device)]
    if providers:
        there = [row for row in there if row.name == ONNXRUNTIME]
    if providers and not there:
        refuse_early(RUNTIMES[ONNXRUNTIME], place)
    if backend == TORCH or (backend == AUTO and not there):
        return own
    file = _place(pixels, any_size, sha256)
    try:
        module = own.forward
        if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
            raise ModelError(
                f"{name}: a TorchScript program runs by torch only; export it as .onnx, or use backend:=torch"
            )
        wanted = there if backend == AUTO else [RUNTIMES[backend]]
        times_file = None if file is None else file.with_suffix(".times.json")
        if providers:
            refuse_early(RUNTIMES[ONNXRUNTIME], place)
        times = {} if backend != AUTO else kept_times(times_file, (TORCH, *(row.name for row in there)), place)
        if times:  # measured before on this machine: nothing else is loaded
            best = min(times, key=lambda runtime: times[runtime])
            if best == TORCH:
                return replace(own, said=_said(TORCH, times, {}))
            wanted = [RUNTIMES[best]]
        graph, running = _as_graph(module, wanted, place, pixels, any_size, file)
    except ModelError as error:
        if backend != AUTO or providers:
            raise
        _log.warning("%s stays with torch: %s", name, error)
        return own
    # a module that gives the convolution's output itself, as exported programs do, says where its answer lies on it
    where = graph.where if own.where is None else own.where
    kernel = on_device(graph.classifier, device) or own.classifier  # the graph's, which may have another precision
    if backend != AUTO:
        return Chosen(running[backend].forward, kernel, running[backend].said, where)
    if not times:
        running = {TORCH: Running(module, TORCH), **running}
    times = times or _measured(running, pixels, place, times_file)
    chosen = _fastest(running, times, name)
    if chosen.forward is module:
        return replace(own, said=chosen.said)
    return replace(chosen, classifier=kernel, where=where)


def _as_graph(
    module: nn.Module, wanted: Sequence[Runtime], place: Place, pixels: torch.Tensor, any_size: bool, file: Path | None
) -> tuple[OnnxGraph, dict[str, Running]]:
    """The graph of a module, the kept one if there is one, and the libraries that run it as torch runs the module."""
    for runtime in wanted:
        refuse_early(runtime, place)
    known = file is not None and file.is_file()
    graph = _kept(module, place.name, pixels, any_size, file)
    pictures = (pixels, _larger(pixels)) if any_size else (pixels,)
    try:
        return graph, _agreeing(module, graph, wanted, place, pictures)
    except ModelFileError:
        if file is None or not known:
            raise
        file.unlink(missing_ok=True)  # a factory's hash is that of its weights: its code may have changed
        graph = _kept(module, place.name, pixels, any_size, file)
        return graph, _agreeing(module, graph, wanted, place, pictures)


def _larger(pixels: torch.Tensor) -> torch.Tensor:
    """Noise of another size than the example, whose size an exporter may write into the graph (pooling does)."""
    height, width = pixels.shape[2:]
    noise = torch.randn((1, 3, 3 * height, 5 * width), generator=torch.Generator().manual_seed(1))
    return noise.to(pixels)


def _measured(
    running: Mapping[str, Running], pixels: torch.Tensor, place: Place, keep: Path | None
) -> dict[str, float]:
    """Milliseconds of each, kept for the next time."""
    times = medians({runtime: one.forward for runtime, one in running.items()}, pixels)
    keep_times(keep, times, place)
    return times


def _fastest(running: Mapping[str, Running], times: Mapping[str, float], name: str) -> Chosen:
    """The one that answers soonest; its kernel is for the caller to add."""
    best = min(running, key=lambda runtime: times[runtime])
    said = _said(best, times, running)
    _log.info("network %s runs by %s", name, said)
    return Chosen(running[best].forward, None, said)


def _said(best: str, times: Mapping[str, float], running: Mapping[str, Running]) -> str:
    """Which library runs a network, with the times of all."""
    names = {runtime: running[runtime].said if runtime in running else runtime for runtime in times}
    others = ", ".join(f"{names[runtime]} {times[runtime]:.0f}" for runtime in times if runtime != best)
    return f"{names[best]} ({times[best]:.0f} ms{f'; {others}' if others else ''})"


def _agreeing(
    module: nn.Module, graph: OnnxGraph, wanted: Sequence[Runtime], place: Place, pictures: Sequence[torch.Tensor]
) -> dict[str, Running]:
    """The graph on each of the libraries; raises ModelFileError if one refuses it or answers otherwise than torch."""
    running = {runtime.name: run_by(runtime, graph, place) for runtime in wanted}
    for runtime, one in running.items():
        for pixels in pictures:
            check_agreement(module, one.forward, graph.where or Where(), pixels, place.name, runtime)
    return running


def on_device(classifier: Classifier | None, device: torch.device) -> Classifier | None:
    """The kernel where the features will be."""
    if classifier is None or device.type == "cpu":
        return classifier
    bias = None if classifier.bias is None else classifier.bias.to(device)
    return replace(classifier, weight=classifier.weight.to(device), bias=bias)


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
    size += "" if pixels.dtype == torch.float32 else f"-{str(pixels.dtype).removeprefix('torch.')}"
    version = torch.__version__.partition("+")[0]
    return cache_dir("graphs") / f"{sha256[:32]}-{size}-{version}-{_FORMAT}.onnx"


def refuse_half(half: bool, backend: str, device: torch.device, name: str) -> None:
    """Refuse half precision with another backend than torch.

    Raises:
        DeviceError: both are asked for.
    """
    if half and backend != TORCH and device.type == "cpu":
        raise DeviceError(f"{name}: half precision runs by torch only; set half:=off, or backend:=torch")
