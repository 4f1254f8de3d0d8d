"""Step of the day with a GPU: medians of CUDA events, of every function alone, of the whole of them, of others' way.

"queued" is the device's own time, with all launches waiting in its queue; else the time that the host waits.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch
from calls import FUNCTIONS, metaseg, scene_of, street
from compiled import launches
from roofline import CLASSES, LOW, SIZE, works
from torch.nn import functional

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.segmentation import load_network
from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.types import Frame, LogitMaps

MEGAPIXEL = (864, 1152)


class Clock:
    """Times calls on a device; in a rehearsal it calls once and gives no time."""

    def __init__(self, rehearse: bool, end: float) -> None:
        self.rehearse, self.end = rehearse, end

    def ms(self, call: Callable[[], Any], count: int = 50, queued: bool = False) -> float | None:
        """Median milliseconds of a call: of the device's own, or of the host until all is done."""
        if self.rehearse:
            call()
            return None
        taken = []
        for turn in range(count + 5):
            self.wait()
            if queued:
                self.fill_queue()
            begin, first = time.perf_counter(), self.event()
            call()
            last = self.event()
            self.wait()
            if turn >= 5:  # the first ones compile and allocate
                taken.append(first.elapsed_time(last) if queued else (time.perf_counter() - begin) * 1e3)
            if taken and time.monotonic() > self.end:
                break
        return median(taken)

    def event(self) -> Any:
        """A moment in the device's queue; None in a rehearsal."""
        if self.rehearse:
            return None
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def fill_queue(self) -> None:
        """Keep the device busy for some 10 ms, in which the host puts launches into its queue."""
        if not self.rehearse:
            torch.cuda._sleep(20_000_000)

    def wait(self) -> None:
        """Until the device has done everything."""
        if not self.rehearse:
            torch.cuda.synchronize()


def timings(rehearse: bool, seconds: float) -> Iterator[tuple[str, Any]]:
    """All times; a part that fails is named and the others go on."""
    clock = Clock(rehearse, time.monotonic() + seconds)
    device = torch.device("cpu" if rehearse else "cuda")
    logits = street((24, 40), (6, 10), 3, device) if rehearse else street(SIZE, LOW, CLASSES, device)
    parts = {
        "bandwidth, GB/s": lambda: bandwidth(clock, device),
        "maps, labelling, sums": lambda: together(clock, logits),
        "function, ms": lambda: alone(clock, logits),
        "kernel": lambda: kernels(clock, logits),
        "pipeline, ms": lambda: whole_frame(clock, device),
        "pipeline with CUDA graphs, ms": lambda: whole_frame(clock, device, cuda_graph=True),
        "four cameras of 1 MP": lambda: cameras(clock, device),
    }
    failed = []
    for name, part in parts.items():
        try:
            yield name, part()
        except Exception as error:  # whatever a device or a library makes of it is a result, too
            failed.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    yield "failed", failed


def bandwidth(clock: Clock, device: torch.device) -> float | None:
    """Of a copy within the device's memory, read and written."""
    source = torch.ones(1 << (10 if clock.rehearse else 28), device=device)
    target = torch.empty_like(source)
    ms = clock.ms(lambda: target.copy_(source), 20, queued=True)
    return None if ms is None else 2 * source.nbytes / ms / 1e6


def alone(clock: Clock, logits: LogitMaps) -> dict[str, float | None]:
    """The device's own time of each function."""
    scene = scene_of(logits)
    return {name: clock.ms(lambda call=call: call(scene), 30, queued=True) for name, call in FUNCTIONS.items()}


def kernels(clock: Clock, logits: LogitMaps) -> dict[str, Any]:
    """The device's own time of each kernel within its function, and the bytes that it moves at least by that time."""
    scene, taken = scene_of(logits), defaultdict(list)
    for _ in range(1 if clock.rehearse else 20):
        for function, call in FUNCTIONS.items():
            events: list[tuple[str, Any]] = []

            def timed(name: str, run: Callable[[], Any], events: list[Any] = events) -> Any:
                events.append((name, clock.event()))
                result = run()
                events.append((name, clock.event()))
                return result

            clock.fill_queue()
            with launches(timed):
                call(scene)
            clock.wait()
            for (name, first), (_, last) in zip(events[::2], events[1::2], strict=True):
                taken[f"{function}: {name}"].append(first and first.elapsed_time(last))
    least = {f"{function}: {work.kernel}": work.bytes for function, found in works().items() for work in found}
    ms = {name: None if clock.rehearse else median(times) for name, times in taken.items()}
    return {name: {"ms": t, "GB/s": None if t is None else least[name] / t / 1e6} for name, t in ms.items()}


def together(clock: Clock, logits: LogitMaps) -> dict[str, Any]:
    """Maps, labelling and all sums of metaseg, and with tables and classes, or all maps, on the host; others' way."""
    maps, found, sums = metaseg(logits)
    small = [maps.classes, sums.flat, sums.count]
    large = [*small, maps.entropy, maps.margin, maps.variation_ratio, found.ids]
    name, way = straightforward(logits)
    ms = {
        "kernels, queued, ms": clock.ms(lambda: metaseg(logits), queued=True),
        "kernels, ms": clock.ms(lambda: metaseg(logits)),
        "tables and classes copied out, ms": clock.ms(copying(clock, logits, small)),
        "all maps and ids copied out, too, ms": clock.ms(copying(clock, logits, large)),
        f"{name}, ms": clock.ms(way, 10),
    }
    own, other = ms["kernels, ms"], ms[f"{name}, ms"]
    return {"segments": int(sums.count.cpu()[0]), **ms, "times as fast": own and other and other / own}


def copying(clock: Clock, logits: LogitMaps, planes: list[torch.Tensor]) -> Callable[[], None]:
    """A call that makes all and copies as much as these planes are to pinned memory."""
    hosts = [torch.empty(plane.shape, dtype=plane.dtype, pin_memory=plane.is_cuda) for plane in planes]

    def call() -> None:
        metaseg(logits)
        for host, plane in zip(hosts, planes, strict=True):
            host.copy_(plane, non_blocking=True)
        clock.wait()

    return call


def straightforward(maps: LogitMaps) -> tuple[str, Callable[[], Any]]:
    """What one writes without kernels of one's own: torch's maps at full resolution, cupy's labels class by class."""
    try:
        if not maps.logits.is_cuda:
            raise ImportError
        import cupy
        from cupyx.scipy.ndimage import label
    except ImportError:
        return "torch, components on the CPU", lambda: find_components(torch_maps(maps)[0].byte().cpu().numpy())
    neighbours = cupy.ones((3, 3))

    def way() -> list[Any]:
        classes = cupy.from_dlpack(torch_maps(maps)[0])
        return [label(classes == c, neighbours) for c in range(maps.logits.shape[0])]

    return "torch, cupyx label per class", way


def torch_maps(maps: Any) -> tuple[torch.Tensor, ...]:
    """Class, entropy, margin and variation ratio at full resolution."""
    p = functional.interpolate(maps.logits[None], maps.size, mode="bilinear")[0].softmax(0)
    entropy = -(p * p.clamp_min(1e-38).log()).sum(0) / np.log(len(p))
    best, classes = p.topk(2, 0)
    return classes[0], entropy, 1 - best[0] + best[1], 1 - best[0]


def whole_frame(clock: Clock, device: torch.device, cuda_graph: bool = False) -> dict[str, float | None]:
    """The pipeline with the embedded network on the image's own grid; the network waited for alone; its own laps."""
    height, width = (48, 64) if clock.rehearse else SIZE
    pipeline = TrustPipeline.load(PipelineSettings(device=device.type, grid="image", cuda_graph=cuda_graph))
    frame = Frame(cv2.resize(training_sample(3, (360, 480))[0], (width, height)))
    network, whole = clock.ms(lambda: pipeline.infer(frame.image), 30), clock.ms(lambda: pipeline(frame), 30)
    laps = [pipeline(frame).timings_ms for _ in range(1 if clock.rehearse else 20)]
    ms = {f"lap {step}": None if whole is None else median(lap.get(step, 0.0) for lap in laps) for step in laps[-1]}
    beyond = None if whole is None or network is None else whole - network
    return {"network alone": network, "frame": whole, "beyond the network": beyond, **ms}


def cameras(clock: Clock, device: torch.device) -> dict[str, float | None]:
    """Four images of 1 MP in one pass and one after the other."""
    network = load_network("embedded", device=device.type)
    size = (48, 64) if clock.rehearse else MEGAPIXEL
    images = list(np.random.default_rng(0).integers(0, 256, (4, *size, 3), np.uint8))
    one = clock.ms(lambda: [network.infer(image) for image in images], 20)
    batch = clock.ms(lambda: network.infer_batch(images), 20)
    return {"four passes, ms": one, "one batch, ms": batch, "times as fast": batch and one and one / batch}
