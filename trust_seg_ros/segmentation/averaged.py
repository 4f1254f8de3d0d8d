"""A network whose answer to an image is the average of several: of windows, scales and the mirrored image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from trust_seg_ros.segmentation.checks import check_image
from trust_seg_ros.segmentation.errors import ModelError, ModelSpecError
from trust_seg_ros.segmentation.passes import Passes
from trust_seg_ros.segmentation.protocol import BatchedNetwork, SegmentationNetwork, Size, network_remarks
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.segmentation.tails import answer_of, is_cornered
from trust_seg_ros.types import LogitMaps

_BATCH = 4
"""Windows in one pass."""
_SMALL = 64
_LEAST_LOG = -87.0
"""Smaller logarithms of probabilities are raised to it: 1.6e-38, about the smallest normal float32."""
_NOTHING = 1e-30
"""Largest class sum of a pixel that no query claims."""


class AveragedNetwork:
    """Any network, asked several times about each image; ``SegmentationNetwork`` documents its interface.

    Answers are averaged on the grid of the finest one, to which the others are brought bilinearly. Averaged logits stay
    raw logits, and with a last 1x1 convolution the averaged features give exactly them, so that every score works;
    averaged probabilities have neither features nor raw logits. A network that gives probabilities only has them
    averaged as such, a mask network its class sums.

    Attributes:
        passes: the passes.
        takes_batches: that several images at a time gain nothing: they are asked about one after the other.
    """

    takes_batches = False

    def __init__(self, network: SegmentationNetwork, passes: Passes) -> None:
        """Put passes around a network, and try them on a small picture.

        Raises:
            ModelSpecError: the windows do not fit the network's stride.
            ModelError: the network does not take inputs of these sizes.
        """
        self._network, self.passes = network, passes
        self.name, self.labels, self.device = network.name, network.labels, network.device
        self.input_spec = network.input_spec
        self.raw = network.raw and passes.average == "logits"
        self.sha256: str = getattr(network, "sha256", "")
        self.backend: str = getattr(network, "backend", "")
        self.remarks = network_remarks(network)
        stride = self.input_spec.stride
        if passes.window is not None and any(side % stride for side in passes.window):
            height, width = passes.window
            raise ModelSpecError(
                f"window is {width}x{height}, but network {self.name!r} takes sides in multiples of {stride}; the next "
                f"one is {-(-width // stride) * stride}x{-(-height // stride) * stride}"
            )
        self._even = passes.window is None or self._steps_evenly(passes.window)
        side = max(_SMALL, stride)
        self.infer(scene_image(self.input_spec.size or passes.window or (side, side)))

    def __repr__(self) -> str:
        return f"<{self._network!r}, {self.passes}>"

    def _steps_evenly(self, window: Size) -> bool:
        """Whether windows lie on the grid of the logits for every image, or for none: else none keeps its features."""
        if self.input_spec.size is not None:
            return True
        maps = self._ask([scene_image(window)], window)[0]
        steps = (window[0] // maps.logits.shape[1], window[1] // maps.logits.shape[2])
        return all(step > 0 and self.input_spec.stride % step == 0 for step in steps)

    def infer(self, image: np.ndarray) -> LogitMaps:
        """Averaged logits of one image; see ``SegmentationNetwork.infer``."""
        return self._averaged(check_image(image), None)

    def infer_batch(self, images: Sequence[np.ndarray], *, input_size: Size | None = None) -> list[LogitMaps]:
        """Averaged logits of several images, one after the other; see ``BatchedNetwork``."""
        return [self._averaged(check_image(image), input_size) for image in images]

    def warm_up(self, size: Size) -> None:
        """Two looks at an image of ``size`` (H, W): the first allocates, and picks kernels for the second."""
        image = np.zeros((*size, 3), np.uint8)
        for _ in range(2):
            self.infer(image)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @torch.inference_mode()
    def _averaged(self, image: np.ndarray, input_size: Size | None) -> LogitMaps:
        spec = self.input_spec if input_size is None else replace(self.input_spec, size=input_size)
        image_size = (image.shape[0], image.shape[1])
        answers = []
        for scale in self.passes.scales:
            size = self.passes.size_at(spec, image_size, scale)
            answers.append(self._looked_at(image, size))
            if self.passes.flip:
                answers.append(_mirrored(self._looked_at(np.ascontiguousarray(image[:, ::-1]), size)))
        return replace(_mean(answers, self.passes.average), size=image_size)

    def _looked_at(self, image: np.ndarray, size: Size) -> LogitMaps:
        """The answer to an input of one size (h, w), put together from its windows."""
        windows = self.passes.windows(size, self.input_spec.stride)
        if len(windows) == 1:
            return _prepared(self._ask([image], size)[0], size)
        if image.shape[:2] != size:
            shrinks = size[0] <= image.shape[0] and size[1] <= image.shape[1]
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        found = _joined(windows, list(self._parts(image, windows)), size)
        return found if self._even else replace(found, features=None, classifier=None)

    def _parts(self, image: np.ndarray, windows: Sequence[tuple[slice, slice]]) -> Iterator[LogitMaps]:
        for start in range(0, len(windows), _BATCH):
            parts = [np.ascontiguousarray(image[place]) for place in windows[start : start + _BATCH]]
            yield from self._ask(parts, (parts[0].shape[0], parts[0].shape[1]))

    def _ask(self, images: Sequence[np.ndarray], size: Size) -> list[LogitMaps]:
        """The network's answers to inputs of ``size`` (h, w)."""
        network = self._network
        if isinstance(network, BatchedNetwork):
            try:
                return network.infer_batch(images, input_size=size)
            except ModelError as error:
                raise ModelError(
                    f"{self.passes}: network {self.name!r} does not take inputs of {size[1]}x{size[0]}: {error}"
                ) from error
        if all(network.input_spec.size_for((image.shape[0], image.shape[1])) == size for image in images):
            return [network.infer(image) for image in images]
        if network.input_spec.size is None:
            resized = [cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR) for image in images]
            return [network.infer(image) for image in resized]
        raise ModelError(
            f"{self.passes}: network {self.name!r} stretches every image to {network.input_spec.size} and has no "
            "infer_batch that takes another input_size"
        )


def _prepared(maps: LogitMaps, size: Size) -> LogitMaps:
    """An answer to an input of ``size``, with features only if they survive averaging, and with no crop to follow."""
    pointwise = maps.classifier is not None and tuple(maps.classifier.weight.shape[2:]) == (1, 1)
    kept = replace(maps, layer=None, queries=None)
    if not maps.raw and not maps.linear:  # minus infinity, interpolated or averaged, would be no number
        kept = replace(kept, logits=maps.logits.clamp_min(_LEAST_LOG))
    if not pointwise:
        kept = replace(kept, features=None, classifier=None)
    if kept.placement is not None and not is_cornered(kept):
        kept = replace(kept, logits=answer_of(kept, size), features=None, classifier=None, placement=None)
    return kept


def _mirrored(maps: LogitMaps) -> LogitMaps:
    """The answer to the mirrored image, turned back."""
    features = None if maps.features is None else maps.features.flip(2)
    return replace(maps, logits=maps.logits.flip(2), features=features)


def _joined(windows: Sequence[tuple[slice, slice]], parts: Sequence[LogitMaps], size: Size) -> LogitMaps:
    """One answer from those of windows, averaged where they overlap.

    On the network's own grid where all windows lie on it, else pixel by pixel of the input, without features.
    """
    height, width = windows[0][0].stop - windows[0][0].start, windows[0][1].stop - windows[0][1].start
    parts = [_prepared(part, (height, width)) for part in parts]
    h, w = parts[0].logits.shape[1:]
    down, along = height // h, width // w
    places = [(rows.start, columns.start) for rows, columns in windows]
    on_grid = (h * down, w * along) == (height, width) and size[0] % down == 0 and size[1] % along == 0
    if not on_grid or parts[0].placement is not None or any(y % down or x % along for y, x in places):
        whole = [answer_of(part, (height, width)) for part in parts]
        parts = [
            replace(part, logits=logits, features=None, classifier=None, placement=None)
            for part, logits in zip(parts, whole, strict=True)
        ]
        down = along = 1
    spots = [
        (slice(rows.start // down, rows.stop // down), slice(columns.start // along, columns.stop // along))
        for rows, columns in windows
    ]
    grid = (size[0] // down, size[1] // along)
    if parts[0].raw or parts[0].linear:
        logits = _overlaid([part.logits for part in parts], spots, grid)
    else:  # log-probabilities, whose mean would be that of no probabilities
        logits = _overlaid([part.logits.exp() for part in parts], spots, grid).log().clamp_min(_LEAST_LOG)
    features = [part.features for part in parts if part.features is not None]
    together = _overlaid(features, spots, grid) if len(features) == len(parts) else None
    kernel = None if together is None else parts[0].classifier
    return replace(parts[0], logits=logits, features=together, classifier=kernel)


def _overlaid(maps: Sequence[torch.Tensor], spots: Sequence[tuple[slice, slice]], grid: Size) -> torch.Tensor:
    """(n, *grid) from maps (n, h, w) at these rows and columns, averaged where they overlap."""
    total = torch.zeros((maps[0].shape[0], *grid), device=maps[0].device)
    count = torch.zeros(grid, device=maps[0].device)
    for part, (rows, columns) in zip(maps, spots, strict=True):
        total[:, rows, columns] += part
        count[rows, columns] += 1
    return (total / count).to(maps[0].dtype)


def _mean(answers: Sequence[LogitMaps], average: str) -> LogitMaps:
    """The average of answers, on the grid of the finest."""
    if len(answers) == 1 and (average == "logits" or not answers[0].raw):
        return answers[0]
    if len({maps.placement is None for maps in answers}) > 1:  # some were put together from windows, pixel by pixel
        answers = [_stretched(maps) for maps in answers]
    finest = max(answers, key=lambda maps: maps.logits.shape[1] * maps.logits.shape[2])
    grid = (int(finest.logits.shape[1]), int(finest.logits.shape[2]))
    cornered = finest.placement is not None
    logits = [_brought(maps.logits.float(), grid, cornered) for maps in answers]
    if not finest.linear and (average == "probabilities" or not finest.raw):
        mean = torch.stack([values.softmax(0) for values in logits]).mean(0).log()
        return replace(finest, logits=mean, raw=False, features=None, classifier=None)
    mean = torch.stack(logits).mean(0)
    if finest.linear and average == "probabilities":
        # sums again, so that a pixel that no query claims is 0 in them, and no fault
        shares = [values / values.sum(0).clamp_min(_NOTHING) for values in logits]
        return replace(finest, logits=torch.stack(shares).mean(0))
    features = [_brought(maps.features, grid, cornered) for maps in answers if maps.features is not None]
    if len(features) < len(answers):
        return replace(finest, logits=mean, features=None, classifier=None)
    return replace(finest, logits=mean, features=torch.stack(features).mean(0))


def _stretched(maps: LogitMaps) -> LogitMaps:
    """An answer whose grid is stretched over the image, without features if it was not before."""
    if maps.placement is None:
        return maps
    whole = answer_of(maps, maps.placement.size)
    return replace(maps, logits=whole, features=None, classifier=None, placement=None)


def _brought(maps: torch.Tensor, grid: Size, cornered: bool) -> torch.Tensor:
    """Maps (n, h, w) on another grid, bilinearly, as the network's own upsampling lays it."""
    if tuple(maps.shape[1:]) == grid:
        return maps
    return F.interpolate(maps[None], size=grid, mode="bilinear", align_corners=cornered)[0]
