"""CUDA graphs of a network, or of what is made of its answer: a pass is recorded for each shape of input and replayed.

A replay launches all kernels of the pass at once, without the Python of the network. No hook runs in it: what hooks
take out of a layer must therefore be taken within what is recorded, whose tensors every replay fills anew.

Never run on a device so far; off by default. What it relies on is all in :func:`record`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.last_layer import Watched
from trust_seg_ros.segmentation.named_layer import NamedLayer
from trust_seg_ros.segmentation.protocol import SegmentationNetwork, network_remarks
from trust_seg_ros.segmentation.tails import close
from trust_seg_ros.support.device_errors import LOST, classify

Parts = tuple[Any, ...]
"""What a pass gives: tensors, and plain values that depend on the shape of the input alone."""
Run = Callable[[torch.Tensor], Parts]

_SHAPES = 6
"""Shapes of input that are recorded; each keeps the memory of a pass. Further ones run as they are."""
_SEEN = 3
"""Passes of one shape from which it is recorded: trials at loading, of other sizes, are not."""
_TOLERANCE = 1e-2
_log = logging.getLogger(__name__)


def record(run: Run, x: torch.Tensor) -> Run:
    """Record ``run`` on inputs like ``x`` (B, 3, h, w) on a GPU; what the result returns lasts until its next call.

    As torch's documentation does it: on a side stream a few passes first, in which libraries choose their kernels and
    get their memory, which is forbidden while recording; then one pass is recorded, whose tensors keep their places.
    "thread_local" forbids unsafe calls to this thread alone: other threads may use the GPU meanwhile. Leaving the block
    of the side stream sets the stream back, also where torch's own block does not as the recording was invalid.
    """
    kept, here = x.clone(), torch.cuda.current_stream(x.device)
    with torch.cuda.device(x.device):
        side = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]  # torch's
        side.wait_stream(here)
        with torch.cuda.stream(side):
            for _ in range(2):
                run(kept)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                parts = run(kept)
        here.wait_stream(side)

    def replay(new: torch.Tensor) -> Parts:
        nonlocal here
        now = torch.cuda.current_stream(new.device)
        if now != here:  # of another camera: the last replay, and whoever copied from it, may not have ended there
            now.wait_stream(here)
            here = now
        kept.copy_(new)
        graph.replay()
        return parts

    return replay


class Replayed:
    """A pass of a network that is recorded when a shape of input comes again. One caller at a time.

    Results are copies: a pipeline holds several answers at once, of a batch or of perturbed passes.

    Args:
        run: the pass.
        tell: is given the reason, once, if it cannot be recorded; it then runs as it is for good.
        recorder: records it; see :func:`record`.
    """

    def __init__(self, run: Run, tell: Callable[[str], None], recorder: Callable[[Run, torch.Tensor], Run] = record):
        self._run, self._tell, self._record = run, tell, recorder
        self.forget()
        self._refused = False

    def forget(self) -> None:
        """Record anew: what the pass gives has changed."""
        self._graphs: dict[Any, Run] = {}
        self._seen: dict[Any, int] = {}

    def __call__(self, x: torch.Tensor) -> Parts:
        """What ``run`` gives for ``x`` (B, 3, h, w)."""
        key = (tuple(x.shape), x.stride(), x.dtype)
        if not self._refused and key not in self._graphs and len(self._graphs) < _SHAPES:
            self._seen[key] = self._seen.get(key, 0) + 1
            if self._seen[key] >= _SEEN:
                self._try(key, x)
        graph = None if self._refused else self._graphs.get(key)
        return self._run(x) if graph is None else _copied(graph(x))

    def _try(self, key: Any, x: torch.Tensor) -> None:
        try:
            graph = self._record(self._run, x)
            wrong = _differs(_copied(graph(x)), self._run(x))
        except Exception as error:  # what a foreign network does in a recording may fail in any way
            if classify(error) == LOST:
                raise
            wrong = f"it cannot be recorded: {in_brief(error.__cause__ or error)}"
        if wrong:
            self.forget()
            self._refused = True
            self._tell(wrong)
        else:
            self._graphs[key] = graph


def _copied(parts: Parts) -> Parts:
    return tuple(part.clone() if isinstance(part, torch.Tensor) else part for part in parts)


def _differs(replayed: Parts, wanted: Parts) -> str:
    """What is wrong with a replay, compared with the pass itself; "" for nothing."""
    alike = (_alike(a, b) for a, b in zip(replayed, wanted, strict=True) if isinstance(b, torch.Tensor))
    return "" if all(alike) else "a replay gives another answer than the pass"


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether a replay's tensor is the pass's: whole numbers exactly, others up to a tolerance."""
    if a.shape != b.shape:
        return False
    return close(a.nan_to_num(), b.nan_to_num(), _TOLERANCE) if b.is_floating_point() else torch.equal(a, b)


def why_not(forward: object, device: torch.device) -> str:
    """Why the passes of a network cannot be recorded; "" if nothing is known against it."""
    if device.type != "cuda":
        return f"the network runs on {device}"
    return no_module(forward)


def no_module(forward: object) -> str:
    """Why a callable is none whose passes can be recorded, whatever its device."""
    if not isinstance(forward, torch.nn.Module):
        return "another library than torch runs the network"
    for name, layer in forward.named_modules():
        hooks = (*layer._forward_hooks.values(), *layer._forward_pre_hooks.values())
        if not all(isinstance(getattr(hook, "__self__", None), (Watched, NamedLayer)) for hook in hooks):
            return f"layer {name!r} has a hook, which would not run in a replay"
    return ""


def use_cuda_graphs(network: SegmentationNetwork) -> None:
    """Let a network record and replay its passes; a remark of it, which is logged, says where that has no effect."""
    use = getattr(network, "use_cuda_graphs", None)
    if use is not None:
        use()
        return
    text = no_effect("the network answers by itself")
    _log.warning("network %s: %s", network.name, text)
    try:
        network.remarks = (*network_remarks(network), text)  # type: ignore[attr-defined]
    except AttributeError:  # a complete network may not take attributes
        return


def no_effect(why: str) -> str:
    """The remark."""
    return f"cuda_graph = on has no effect: {why}"
