"""Whether the kernels of a GPU make the parts of frames, and what is remembered of them from frame to frame."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
import torch

from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.ood_judge import OodJudge
from trust_seg_ros.pipeline.device_memory import DeviceMemory, ScoresOf
from trust_seg_ros.pipeline.parts import HostParts, Measuring, Parts
from trust_seg_ros.segmentation.preprocess import preprocess, preprocess_torch
from trust_seg_ros.segmentation.protocol import InputSpec, SegmentationNetwork
from trust_seg_ros.segments import components
from trust_seg_ros.segments.origins import COMPONENTS
from trust_seg_ros.support.device_errors import LOST, classify
from trust_seg_ros.support.gpu import refuse, why_no_kernels
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.banded import banded_maps
from trust_seg_ros.uncertainty.errors import UncertaintyError

if TYPE_CHECKING:
    from trust_seg_ros.pipeline.enqueued_gpu import Recordings

_ALIKE = 1e-3
"""Most that a map may differ from torch's on the same device."""


class DeviceUse:
    """Makes the parts of frames on the device of their logits, where that is possible.

    Args:
        measuring: how segments are measured.
        meta: predicts on the device if it is linear.
        judge: what OoD segments are measured for.
        wanted: False = never.
        record: whether launches for frames that are alike are recorded as a CUDA graph, and replayed.
    """

    def __init__(
        self,
        measuring: Measuring,
        meta: MetaModel | None,
        judge: OodJudge,
        *,
        wanted: bool = True,
        record: bool = False,
    ) -> None:
        self._measuring, self._meta, self._judge = measuring, meta, judge
        self._memory = DeviceMemory()
        self._record = record
        self._recordings: Recordings | None = None
        self._stream: torch.cuda.Stream | None = None
        self.not_recorded = ""
        """Why launches are not recorded although they should be; "" = nothing is known against it."""
        self.on_any_device = False
        """For tests: the kernels run on a CPU as well, in Triton's interpreter."""
        self.broken = "" if wanted else "switched off"
        """Why the kernels are not used although they could run; "" = they are."""
        refuse(self.broken)

    def parts(self, answer: LogitMaps, scores_of: ScoresOf) -> Parts | None:
        """The parts of an answer on its device; None = make them on the host.

        Args:
            answer: on the grid to judge on.
            scores_of: gives the scores of the answer, from its maps.
        """
        if self.broken or answer.linear or self._measuring.segments_from != COMPONENTS:
            return None
        if why_no_kernels(answer.logits.device) and not self.on_any_device:
            return None
        from trust_seg_ros.pipeline.enqueued_gpu import Recordings
        from trust_seg_ros.pipeline.parts_gpu import DeviceParts

        if self._record and self._recordings is None:
            self._recordings = Recordings(self._tell)
        what = self._measuring, self._meta, self._judge, self._memory, self._recordings
        return DeviceParts(answer, scores_of, *what)

    def _tell(self, why: str) -> None:
        self.not_recorded = why

    def stream(self, network: SegmentationNetwork) -> AbstractContextManager[object]:
        """While it lasts, work on a network's GPU goes to a stream of this camera's own, beside that of others."""
        device = torch.device(getattr(network, "device", "cpu"))  # a foreign network may name it, or have none
        if device.type != "cuda":
            return nullcontext()
        if self._stream is None:
            self._stream = torch.cuda.Stream(device)
            self._stream.wait_stream(torch.cuda.current_stream(device))  # the network may still be on its way there
        return torch.cuda.stream(self._stream)

    def words(self, device: torch.device) -> str:
        """Whether the kernels are used for a network on this device, in words."""
        if self._measuring.segments_from != COMPONENTS:
            return f"not used: segments are from {self._measuring.segments_from}"
        why = self.broken or why_no_kernels(device)
        if why:
            return f"not used: {why}"
        return f"used, not as a CUDA graph: {self.not_recorded}" if self.not_recorded else "used"

    def prove(self, image: np.ndarray, network: SegmentationNetwork, answer: LogitMaps, scores_of: ScoresOf) -> None:
        """Compare the kernels with torch and the CPU on one image; if they fail or differ they are not used.

        Drivers and compilers differ from machine to machine: what is wrong must show before the drive. Kernels that
        fail here are switched off in the whole process; where it serves several cameras, the result of the one that was
        configured last holds.

        Raises:
            UncertaintyError: a kernel crashed, after which no work on the GPU succeeds in this process.
        """
        try:
            parts = self.parts(answer, scores_of)
            if parts is not None:
                self.broken = _input_differs(image, network.input_spec, answer.logits.device)
                self.broken = self.broken or _difference(parts, answer, scores_of, self._measuring)
        except Exception as error:  # whatever a compiler or a driver raises: the host can do the same
            if classify(error) == LOST:
                raise UncertaintyError(
                    f"the kernels of trust_seg_ros left the GPU unusable for this process ({error}); start the node "
                    "anew with gpu_kernels off, and please report it with the GPU's name"
                ) from error
            self.broken = f"{type(error).__name__}: {error}"
        if self.broken:
            refuse(self.broken)


def _input_differs(image: np.ndarray, spec: InputSpec, device: torch.device) -> str:
    """What is made differently of an image on its way into the network, in words; "" = nothing."""
    if device.type == "cpu":  # OpenCV makes the input there
        return ""
    grey = spec.scale / min(spec.std)  # one level: a mean between two may be rounded either way
    apart = (preprocess(image, spec, device).float() - preprocess_torch(image, spec, device).float()).abs()
    if float(apart.max()) > 1.5 * grey or float(apart.mean()) > 0.1 * grey:
        return f"the network's input differs from torch's by {float(apart.max()):g}"
    return ""


def _difference(parts: Parts, answer: LogitMaps, scores_of: ScoresOf, measuring: Measuring) -> str:
    """What the kernels make differently, in words; "" = nothing."""
    expected, found = banded_maps(answer).host(), parts.maps
    for name in ("entropy", "margin", "variation_ratio"):
        apart = float((getattr(expected, name) - getattr(found, name)).abs().max())
        if not apart <= _ALIKE:
            return f"its {name} differs from torch's by {apart:g}"
    if float((expected.classes != found.classes).float().mean()) > _ALIKE:
        return "its classes differ from torch's"
    table = parts.table()
    ids, count = components(found.classes.numpy())
    if count != len(table) or not np.array_equal(ids, table.ids):
        return f"its segments differ from the CPU's: {len(table)} for {count}"
    host = HostParts(answer, found, scores_of(found), measuring).table()
    if not np.allclose(host.metrics, table.metrics, rtol=_ALIKE, atol=_ALIKE):
        return "its segment metrics differ from the CPU's"
    return ""
