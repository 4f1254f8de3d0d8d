"""``ModuleNetwork``: a torch callable that gives logits for each pixel, its labels and its input as one network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch

from trust_seg_ros.segmentation.answers import (
    AnswerKind,
    channels_first,
    check_repeatable,
    is_channels_last,
    kind_of,
)
from trust_seg_ros.segmentation.callable_network import CallableNetwork, has_layers
from trust_seg_ros.segmentation.checks import check_features, check_logits, read_output
from trust_seg_ros.segmentation.dropout import DropoutRate, last_dropout
from trust_seg_ros.segmentation.errors import ModelOutputError
from trust_seg_ros.segmentation.last_layer import LastLayer, Pass, agrees, find_last_layer, shown, uneven
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.probe import probe_spec
from trust_seg_ros.segmentation.protocol import Size
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.types import Classifier, LogitMaps


class ModuleNetwork(CallableNetwork):
    """A network made of a callable on (1, 3, h, w); ``SegmentationNetwork`` documents its interface.

    At construction it is run on a noise picture, twice: a wrong number of classes, a wrong shape and answers that
    differ show then and not on the road, its last convolution is found (see ``last_layer``), and a network that gives
    probabilities or their logarithms is recognised (see ``answers``; ``raw`` is False then). A network of any size is
    tried on a second size.
    """

    def __init__(
        self,
        forward: Callable[[torch.Tensor], object],
        *,
        classifier: Classifier | None = None,
        where: Where | None = None,
        **given: Any,
    ) -> None:
        """Wrap a callable and try it once.

        Args:
            forward: (1, 3, h, w) on ``device`` -> what ``checks.CONTRACT`` says; modules already in eval mode.
            classifier: the last convolution, if ``forward`` also returns features and it is known.
            where: where an answer of the size of the input lies on the logits that ``forward`` gives; None = they are
                stretched over it.
            given: as for ``CallableNetwork``.

        Raises:
            MaskAnswerError: it answers with masks; see ``mask_network``.
            ModelOutputError: the answer to the probe does not fit the labels or the contract, or two answers differ.
            ModelError: the probe fails.
        """
        self._kind = AnswerKind()
        self._channels_last = False
        self._classifier = classifier
        self._where = where
        self._last_layer: LastLayer | None = None
        super().__init__(forward, **given)

    @cached_property
    def last_dropout(self) -> DropoutRate | None:
        """The network's dropout, if it only drops directly before its last convolution; tried once, on first use."""
        with self._lock, torch.inference_mode():
            x = self._probe_picture()
            return last_dropout(tuple(self._dropout.values()), lambda: self._run(x)[:2], self._classifier)

    def _parts(self, x: torch.Tensor) -> tuple[Any, ...]:
        logits, features, placement = self._run(x)
        return self._kind.to_logits(logits.float()), features, placement, self._layer(x)

    def _maps(self, x: torch.Tensor, sizes: Sequence[Size]) -> list[LogitMaps]:
        logits, features, placement, layer = self._pass(x)
        return [
            LogitMaps(
                logits=logits[index],
                size=size,
                raw=self.raw,
                features=None if features is None else features[index],
                classifier=None if features is None else self._classifier,
                layer=self._layer_of(layer, index),
                placement=placement,
            )
            for index, size in enumerate(sizes)
        ]

    def answer(self, x: torch.Tensor) -> Pass:
        """Logits, features and placement for a normalised (1, 3, h, w), for exporters, which trace it; no lock."""
        return self._run(x)

    def _run(self, x: torch.Tensor) -> Pass:
        """Logits, features and their placement, checked."""
        logits, features = self._answer(x)
        placement = None if self._where is None else self._where.placement(logits.shape[2:], x.shape[2:])
        if self._last_layer is not None:
            logits, features, placement = self._last_layer.take(logits.shape[2:])
        check_logits(logits, self.labels, self.name, len(x))
        if features is not None:
            check_features(features, logits, self.name, len(x))
        return Pass(logits, features, placement)

    def _answer(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the network returns, channels first."""
        logits, features = read_output(self._call(x))
        return channels_first(logits, features) if self._channels_last else (logits, features)

    def _probe(self) -> None:
        x = self._probe_picture()
        before = read_output(self._call(x))[0]
        self._channels_last = is_channels_last(before.shape, len(self.labels))
        logits, features, _ = self._run(x)
        check_repeatable(channels_first(before, None)[0] if self._channels_last else before, logits, self.name)
        answer = self._kind_of(logits)
        if features is not None and self._classifier is not None:
            if not agrees(self._classifier, features, logits):
                raise ModelOutputError(
                    f"network {self.name!r}: its classifier, kernel {tuple(self._classifier.weight.shape)}, applied to "
                    f"its features {tuple(features.shape)} does not give its logits {tuple(logits.shape)}; "
                    "features must be the input of the last convolution"
                )
        elif has_layers(self._forward):
            pictures = (self._second_picture(x), x)
            self._last_layer = find_last_layer(self._forward, self._answer, pictures, len(self.labels))
            if self._last_layer is not None:
                self._classifier = self._last_layer.classifier
                logits = self._run(x).logits
        self._kind = answer if self._last_layer is None else self._kind_of(logits)
        self.raw = self._kind.raw
        self._note(answer)
        if self.input_spec.size is None:
            self._try_another_size(x, self._run)

    def _second_picture(self, first: torch.Tensor) -> torch.Tensor:
        """Another input for the search of the last convolution: of uneven sides, if the network takes them."""
        sides, spec = (int(first.shape[2]), int(first.shape[3])), probe_spec(self.input_spec)
        if self.input_spec.size is None:
            size = uneven(sides, spec.stride)
            picture = preprocess(scene_image(size), replace(spec, size=size), self.device)
            if shown(self._answer, picture):
                return picture
        return preprocess(scene_image(sides), spec, self.device)

    def _kind_of(self, logits: torch.Tensor) -> AnswerKind:
        """What these logits of the probe are; anything but logits must be confirmed by another picture."""
        if kind_of([logits]).raw:
            return AnswerKind()
        scene = scene_image(probe_spec(self.input_spec).size_for((1, 1)))
        return kind_of([logits, self._run(self._probe_picture(scene))[0]])

    def _note(self, answer: AnswerKind) -> None:
        """Remarks about an answer in another form than asked for."""
        if self._channels_last:
            self.remarks += ("the network answers with channels last (1, h, w, q); they are moved to (1, q, h, w)",)
        if answer.remark:
            done = answer.remark if self._last_layer is None else f"{answer.what}; its last convolution is used instead"
            self.remarks += (done,)
