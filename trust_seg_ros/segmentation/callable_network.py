"""What every network made of a torch callable shares: its input, its trial, batches, dropout and watched layers."""

from __future__ import annotations

import abc
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np
import torch

from trust_seg_ros.segmentation.checks import check_image
from trust_seg_ros.segmentation.device_images import Image, taken
from trust_seg_ros.segmentation.dropout import DropoutRate, FoldedError, dropout_layers, dropping
from trust_seg_ros.segmentation.errors import ModelError, ModelSpecError
from trust_seg_ros.segmentation.failures import TAKES_ONE_SIZE, in_brief, with_way_out
from trust_seg_ros.segmentation.graph_capture import Replayed, no_effect, why_not
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.named_layer import NamedLayer
from trust_seg_ros.segmentation.preprocess import preprocess, preprocess_batch
from trust_seg_ros.segmentation.probe import noise_image, probe_spec
from trust_seg_ros.segmentation.protocol import InputSpec, Size
from trust_seg_ros.segmentation.tails import close
from trust_seg_ros.segmentation.units import in_units
from trust_seg_ros.types import LayerFeatures, LogitMaps

_log = logging.getLogger(__name__)


class CallableNetwork(abc.ABC):
    """A network made of a callable on (B, 3, h, w); ``SegmentationNetwork`` documents its interface.

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
        sha256: str = "",
        backend: str = "torch",
    ) -> None:
        """Wrap a callable and try it.

        Args:
            forward: (1, 3, h, w) on ``device`` -> the network's answer; modules already in eval mode.
            name: name shown to people.
            labels: the classes.
            device: device that ``forward`` runs on.
            input_spec: how an image becomes its input.
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
        self._forward = forward
        self._named: NamedLayer | None = None
        self._lock = threading.Lock()
        self._folds = False
        self._replayed: Replayed | None = None
        self._dropout = dropout_layers(forward) if has_layers(forward) else {}
        with torch.inference_mode():
            self._probe()

    def __repr__(self) -> str:
        return f"<network {self.name!r}, {len(self.labels)} classes, on {self.device}>"

    @abc.abstractmethod
    def _probe(self) -> None:
        """Show it a noise picture and learn from the answers what it is."""

    @abc.abstractmethod
    def _parts(self, x: torch.Tensor) -> tuple[Any, ...]:
        """Everything that :meth:`_maps` makes answers of, which may be recorded, see ``graph_capture``."""

    @abc.abstractmethod
    def _maps(self, x: torch.Tensor, sizes: Sequence[Size]) -> list[LogitMaps]:
        """Answers to images of these sizes, prepared as ``x`` (B, 3, h, w)."""

    def infer(self, image: Image) -> LogitMaps:
        """Logits of one image, which may lie on a device; see ``SegmentationNetwork.infer`` and ``device_images``."""
        return self._infer([taken(image)], self.input_spec)[0]

    def infer_batch(self, images: Sequence[Image], *, input_size: Size | None = None) -> list[LogitMaps]:
        """Logits of several images, in one pass where the network takes batches; see ``BatchedNetwork``."""
        images = [taken(image) for image in images]
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
        if len(seeds) > 1 and (self._folds or not self.takes_batches):
            return [self.infer_dropout(image, (seed,))[0] for seed in seeds]
        try:
            with self._lock, dropping(layers, seeds, self.device):
                return self._locked_infer([image] * len(seeds), self.input_spec)
        except ModelError as error:
            if not isinstance(error.__cause__, FoldedError):
                raise
            self._folds = True
        return self.infer_dropout(image, seeds)

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
    def module(self) -> torch.nn.Module:
        """The torch module that answers.

        Raises:
            ModelSpecError: it is a program, or run by another library.
        """
        if not has_layers(self._forward):
            raise ModelSpecError(f"network {self.name!r} is no torch module, but a program or run by {self.backend}")
        return self._forward

    @property
    def dropout_layers(self) -> tuple[str, ...]:
        """Names of the dropout layers that :meth:`infer_dropout` switches on."""
        return tuple(self._dropout)

    @property
    def last_dropout(self) -> DropoutRate | None:
        """The network's dropout, if it only drops directly before its last convolution, else None."""
        return None

    def watch_layer(self, name: str) -> None:
        """Give the output of a layer with every answer from now on, as ``LogitMaps.layer``.

        Raises:
            ModelSpecError: there is no such layer, or it is a program whose layers cannot be watched.
            ModelOutputError: the layer gives no map of features.
        """
        if not has_layers(self._forward):
            raise ModelSpecError(
                f"features_layer is {name!r}, but the layers of the program {self.name!r} cannot be watched; leave it "
                "empty, or load the network by a factory (package.module:callable)"
            )
        self._named = NamedLayer(self._forward, name)
        if self._replayed is not None:
            self._replayed.forget()
        spec = probe_spec(self.input_spec)
        self._infer([noise_image(spec.size_for((1, 1)))], spec)

    def use_cuda_graphs(self) -> None:
        """Record a pass for each shape of input and replay it, see ``graph_capture``; a remark where that cannot be."""
        if why := why_not(self._forward, self.device):
            self._no_graphs(why)
        else:
            self._replayed = Replayed(self._parts, self._no_graphs)

    def _no_graphs(self, why: str) -> None:
        self.remarks += (no_effect(why),)
        _log.warning("network %s: %s", self.name, no_effect(why))

    def _pass(self, x: torch.Tensor) -> tuple[Any, ...]:
        """:meth:`_parts`, replayed where graphs are in use and no dropout is switched on by hooks."""
        dropping = any(layer._forward_hooks for layer in self._dropout.values())
        return self._parts(x) if self._replayed is None or dropping else self._replayed(x)

    def warm_up(self, size: Size) -> None:
        """Two forward passes on an image of ``size`` (H, W): the first allocates, and picks kernels for the second."""
        image = np.zeros((*size, 3), np.uint8)
        for _ in range(2):
            self.infer(image)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _infer(self, images: Sequence[Image], spec: InputSpec) -> list[LogitMaps]:
        with self._lock:
            return self._locked_infer(images, spec)

    @torch.inference_mode()
    def _locked_infer(self, images: Sequence[Image], spec: InputSpec) -> list[LogitMaps]:
        """Answers to checked images of one input size, in one pass."""
        x = preprocess_batch(images, spec, self.device)
        return self._maps(x, [(image.shape[0], image.shape[1]) for image in images])

    def _layer(self, x: torch.Tensor) -> torch.Tensor | None:
        """Output of the watched layer for the input ``x`` of the last pass; None if none is watched."""
        if self._named is None:
            return None
        grid: Size | None = getattr(self._forward, "token_grid", None)
        return self._named.take(len(x), (int(x.shape[2]), int(x.shape[3])), grid)

    def _layer_of(self, features: torch.Tensor | None, index: int) -> LayerFeatures | None:
        return None if features is None or self._named is None else LayerFeatures(self._named.name, features[index])

    def _call(self, x: torch.Tensor) -> object:
        try:
            return self._forward(x)
        except Exception as error:  # whatever a foreign network raises: the node must survive it
            raise ModelError(
                f"network {self.name!r} failed on an input of shape {tuple(x.shape)}: {type(error).__name__}: "
                f"{with_way_out(error)}"
            ) from error

    def _probe_picture(self, image: np.ndarray | None = None) -> torch.Tensor:
        """The picture that it is shown at loading, noise or ``image``, prepared."""
        spec = probe_spec(self.input_spec)
        return preprocess(noise_image(spec.size_for((1, 1))) if image is None else image, spec, self.device)

    def _try_another_size(self, x: torch.Tensor, run: Callable[[torch.Tensor], object]) -> None:
        """Show it an image twice as wide: a traced program may hold the size of its example."""
        try:
            run(torch.cat([x, x], 3))
        except ModelError as error:
            raise ModelError(
                f"network {self.name!r} {TAKES_ONE_SIZE}; it answered an input of shape {tuple(x.shape)}, but not of "
                f"twice the width: {in_brief(error.__cause__ or error)}"
            ) from error


def has_layers(forward: object) -> TypeGuard[torch.nn.Module]:
    """Whether layers inside can be found and watched."""
    return isinstance(forward, torch.nn.Module) and not isinstance(forward, torch.jit.ScriptModule)
