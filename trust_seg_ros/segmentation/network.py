"""``ModuleNetwork``: a torch callable, its labels and its input as one ``SegmentationNetwork``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeGuard

import numpy as np
import torch

from trust_seg_ros.segmentation.answers import (
    AnswerKind,
    channels_first,
    check_repeatable,
    is_channels_last,
    kind_of,
)
from trust_seg_ros.segmentation.checks import check_features, check_image, check_logits, read_output
from trust_seg_ros.segmentation.dropout import DropoutRate, dropout_layers, dropping, last_dropout
from trust_seg_ros.segmentation.errors import ModelError, ModelOutputError, ModelSpecError
from trust_seg_ros.segmentation.failures import TAKES_ONE_SIZE, in_brief, with_way_out
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.last_layer import LastLayer, agrees, close, find_last_layer
from trust_seg_ros.segmentation.named_layer import NamedLayer
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.protocol import InputSpec, Size
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.segmentation.units import in_units
from trust_seg_ros.types import Classifier, LayerFeatures, LogitMaps

PROBE_SIDE = 64
"""Side in pixels of the picture shown at loading to a network that takes any size; rounded up to its stride."""


class ModuleNetwork:
    """A network made of a callable on (1, 3, h, w); ``SegmentationNetwork`` documents its interface.

    At construction it is run on a noise picture, twice: a wrong number of classes, a wrong shape and answers that
    differ show then and not on the road, its last convolution is found (see ``last_layer``), and a network that gives
    probabilities or their logarithms is recognised (see ``answers``; ``raw`` is False then). A network of any size is
    tried on a second size.

    Attributes:
        remarks: sentences about what was recognised and converted, and about what looks implausible.
        backend: the library that runs it, for people, with the times of others where they were measured.

    Calls of ``infer`` from several threads wait for each other.
    """

    def __init__(
        self,
        forward: Callable[[torch.Tensor], object],
        *,
        name: str,
        labels: LabelSet,
        device: torch.device,
        input_spec: InputSpec,
        classifier: Classifier | None = None,
        sha256: str = "",
        backend: str = "torch",
    ) -> None:
        """Wrap a callable and try it once.

        Args:
            forward: (1, 3, h, w) on ``device`` -> what ``checks.CONTRACT`` says; modules already in eval mode.
            name: name shown to people.
            labels: the classes of the logits.
            device: device that ``forward`` runs on.
            input_spec: how an image becomes its input.
            classifier: the last convolution, if ``forward`` also returns features and it is known.
            sha256: hash of its weights; "" = not known.
            backend: the library that runs it, for people.

        Raises:
            ModelOutputError: the answer to the probe does not fit the labels or the contract, or two answers differ.
            ModelError: the probe fails.
        """
        self.name = name
        self.sha256 = sha256
        self.backend = backend
        self.labels = labels
        self.device = device
        self.input_spec = in_units(input_spec)
        self.raw = True
        self.remarks: tuple[str, ...] = (self.input_spec.remark,) if self.input_spec.remark else ()
        self._kind = AnswerKind()
        self._channels_last = False
        self._forward = forward
        self._classifier = classifier
        self._last_layer: LastLayer | None = None
        self._named: NamedLayer | None = None
        self._lock = threading.Lock()
        self._dropout = dropout_layers(forward) if _has_layers(forward) else {}
        self._probe()

    def __repr__(self) -> str:
        return f"<network {self.name!r}, {len(self.labels)} classes, on {self.device}>"

    def infer(self, image: np.ndarray) -> LogitMaps:
        """Logits of one image; see ``SegmentationNetwork.infer``."""
        return self._infer([check_image(image)], self.input_spec)[0]

    def infer_batch(self, images: Sequence[np.ndarray], *, input_size: Size | None = None) -> list[LogitMaps]:
        """Logits of several images, in one pass where the network takes batches; see ``BatchedNetwork``."""
        images = [check_image(image) for image in images]
        spec = self.input_spec if input_size is None else replace(self.input_spec, size=input_size)
        shapes = {spec.size_for((image.shape[0], image.shape[1])) for image in images}
        if len(shapes) == 1 and len(images) > 1 and self.takes_batches:
            return self._infer(images, spec)
        return [self._infer([image], spec)[0] for image in images]

    def infer_dropout(self, image: np.ndarray, seeds: Sequence[int]) -> list[LogitMaps]:
        """Logits of passes with dropout; see ``DropoutNetwork``."""
        layers = tuple(self._dropout.values())
        if not layers:
            raise ModelError(f"network {self.name!r} has no dropout layers that can be switched on")
        image = check_image(image)
        if len(seeds) > 1 and not self.takes_batches:
            return [self.infer_dropout(image, (seed,))[0] for seed in seeds]
        with self._lock, dropping(layers, seeds, self.device):
            return self._locked_infer([image] * len(seeds), self.input_spec)

    @cached_property
    def takes_batches(self) -> bool:
        """Whether two images in one pass give the same logits as alone; tried once, on first use."""
        spec = probe_spec(self.input_spec)
        first = noise_image(spec.size_for((1, 1)))
        images = [first, np.ascontiguousarray(first[::-1, ::-1]) // 2]  # darker: a network may mix means
        alone = [self._infer([image], spec)[0].logits for image in images]
        try:
            together = [maps.logits for maps in self._infer(images, spec)]
        except ModelError:
            return False
        return all(a.shape == b.shape and close(a, b, 1e-3) for a, b in zip(alone, together, strict=True))

    @property
    def dropout_layers(self) -> tuple[str, ...]:
        """Names of the dropout layers that :meth:`infer_dropout` switches on."""
        return tuple(self._dropout)

    @cached_property
    def last_dropout(self) -> DropoutRate | None:
        """The network's dropout, if it only drops directly before its last convolution; tried once, on first use."""
        spec = probe_spec(self.input_spec)
        with self._lock, torch.inference_mode():
            x = preprocess(noise_image(spec.size_for((1, 1))), spec, self.device)
            return last_dropout(tuple(self._dropout.values()), lambda: self._run(x), self._classifier)

    def _infer(self, images: Sequence[np.ndarray], spec: InputSpec) -> list[LogitMaps]:
        with self._lock:
            return self._locked_infer(images, spec)

    @torch.inference_mode()
    def _locked_infer(self, images: Sequence[np.ndarray], spec: InputSpec) -> list[LogitMaps]:
        """Answers to checked images of one input size, in one pass."""
        x = preprocess(images[0], spec, self.device)
        if len(images) > 1:
            same = all(image is images[0] for image in images)
            more = [x if same else preprocess(image, spec, self.device) for image in images[1:]]
            x = torch.cat([x, *more])
        logits, features = self._run(x)
        logits = self._kind.to_logits(logits.float())
        named = None if self._named is None else self._named.take(len(x), (int(x.shape[2]), int(x.shape[3])))
        return [
            LogitMaps(
                logits=logits[index],
                size=(image.shape[0], image.shape[1]),
                raw=self.raw,
                features=None if features is None else features[index],
                classifier=None if features is None else self._classifier,
                layer=None if named is None or self._named is None else LayerFeatures(self._named.name, named[index]),
            )
            for index, image in enumerate(images)
        ]

    def watch_layer(self, name: str) -> None:
        """Give the output of a layer with every answer from now on, as ``LogitMaps.layer``.

        Raises:
            ModelSpecError: there is no such layer, or it is a program whose layers cannot be watched.
            ModelOutputError: the layer gives no map of features.
        """
        if not _has_layers(self._forward):
            raise ModelSpecError(
                f"features_layer is {name!r}, but the layers of the program {self.name!r} cannot be watched; leave it "
                "empty, or load the network by a factory (package.module:callable)"
            )
        self._named = NamedLayer(self._forward, name)
        spec = probe_spec(self.input_spec)
        self._infer([noise_image(spec.size_for((1, 1)))], spec)

    def warm_up(self, size: Size) -> None:
        """Two forward passes on an image of ``size`` (H, W): the first allocates, and picks kernels for the second."""
        image = np.zeros((*size, 3), np.uint8)
        for _ in range(2):
            self.infer(image)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _run(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Logits (B, q, h, w) and features (B, D, h, w) or None, both checked."""
        logits, features = self._answer(x)
        if self._last_layer is not None:
            logits, features = self._last_layer.take()
        check_logits(logits, self.labels, self.name, len(x))
        if features is not None:
            check_features(features, logits, self.name, len(x))
        return logits, features

    def _answer(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the network returns, channels first."""
        logits, features = read_output(self._call(x))
        return channels_first(logits, features) if self._channels_last else (logits, features)

    def _call(self, x: torch.Tensor) -> object:
        try:
            return self._forward(x)
        except Exception as error:  # whatever a foreign network raises: the node must survive it
            raise ModelError(
                f"network {self.name!r} failed on an input of shape {tuple(x.shape)}: {type(error).__name__}: "
                f"{with_way_out(error)}"
            ) from error

    @torch.inference_mode()
    def _probe(self) -> None:
        spec = probe_spec(self.input_spec)
        x = preprocess(noise_image(spec.size_for((1, 1))), spec, self.device)
        before = read_output(self._call(x))[0]
        self._channels_last = is_channels_last(before.shape, len(self.labels))
        logits, features = self._run(x)
        check_repeatable(channels_first(before, None)[0] if self._channels_last else before, logits, self.name)
        answer = self._kind_of(logits, spec)
        if features is not None and self._classifier is not None:
            if not agrees(self._classifier, features, logits):
                raise ModelOutputError(
                    f"network {self.name!r}: its classifier, kernel {tuple(self._classifier.weight.shape)}, applied to "
                    f"its features {tuple(features.shape)} does not give its logits {tuple(logits.shape)}; "
                    "features must be the input of the last convolution"
                )
        elif _has_layers(self._forward):
            self._last_layer = find_last_layer(self._forward, lambda: self._answer(x), logits)
            if self._last_layer is not None:
                self._classifier = self._last_layer.classifier
                logits, _ = self._run(x)
        self._kind = answer if self._last_layer is None else self._kind_of(logits, spec)
        self.raw = self._kind.raw
        self._note(answer)
        if self.input_spec.size is None:
            self._try_another_size(x)

    def _kind_of(self, logits: torch.Tensor, spec: InputSpec) -> AnswerKind:
        """What these logits of the probe are; anything but logits must be confirmed by another picture."""
        if kind_of([logits]).raw:
            return AnswerKind()
        x = preprocess(scene_image(spec.size_for((1, 1))), spec, self.device)
        return kind_of([logits, self._run(x)[0]])

    def _note(self, answer: AnswerKind) -> None:
        """Remarks about an answer in another form than asked for."""
        if self._channels_last:
            self.remarks += ("the network answers with channels last (1, h, w, q); they are moved to (1, q, h, w)",)
        if answer.remark:
            done = answer.remark if self._last_layer is None else f"{answer.what}; its last convolution is used instead"
            self.remarks += (done,)

    def _try_another_size(self, x: torch.Tensor) -> None:
        """Show it an image twice as wide: a traced program may hold the size of its example."""
        try:
            self._run(torch.cat([x, x], 3))
        except ModelError as error:
            raise ModelError(
                f"network {self.name!r} {TAKES_ONE_SIZE}; it answered an input of shape {tuple(x.shape)}, but not of "
                f"twice the width: {in_brief(error.__cause__ or error)}"
            ) from error


def _has_layers(forward: object) -> TypeGuard[torch.nn.Module]:
    """Whether layers inside can be found and watched."""
    return isinstance(forward, torch.nn.Module) and not isinstance(forward, torch.jit.ScriptModule)


def probe_spec(spec: InputSpec) -> InputSpec:
    """An input with the size of the picture that is shown at loading: its own, else ``PROBE_SIDE`` by its stride."""
    side = -(-PROBE_SIDE // spec.stride) * spec.stride
    return replace(spec, size=spec.size or (side, side))


def probe_pixels(spec: InputSpec, device: torch.device) -> torch.Tensor:
    """That picture, noise, as a network with this input sees it: (1, 3, h, w)."""
    spec = probe_spec(in_units(spec))
    return preprocess(noise_image(spec.size_for((1, 1))), spec, device)


def noise_image(size: Size) -> np.ndarray:
    """(H, W, 3) uint8 uniform noise, the same at every call: a picture on which nothing is degenerate."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (*size, 3), generator=generator, dtype=torch.uint8).numpy()
