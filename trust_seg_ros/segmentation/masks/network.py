"""``MaskNetwork``: a torch callable that answers with masks and the classes of each, as one network; and the choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx

from trust_seg_ros.segmentation.answers import check_repeatable
from trust_seg_ros.segmentation.callable_network import CallableNetwork, has_layers
from trust_seg_ros.segmentation.errors import ModelOutputError
from trust_seg_ros.segmentation.masks.queries import (
    CONTRACT,
    MaskAnswer,
    MaskAnswerError,
    check_are_logits,
    check_masks,
    class_sums,
    read_masks,
    things_only,
)
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.preprocess import black
from trust_seg_ros.segmentation.protocol import Size
from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.types import Classifier, LogitMaps, MaskQueries


class MaskNetwork(CallableNetwork):
    """A network made of a callable whose answer is masks and their classes, see ``queries``.

    ``infer`` gives the class sums L as ``LogitMaps.logits``, at the resolution at which the masks are combined, with
    ``linear`` set, and the masks as ``LogitMaps.queries``. It has no features and no last convolution.

    At construction it is run on a noise picture, twice, and a network of any size on a second size. An image that is
    cut into squares is put together again: one with P squares has P times Q queries. Memory of an answer in bytes:
    4 P Q h w for the masks, 4 K h w for the sums, and once more the masks while they are computed.
    """

    def __init__(self, forward: Callable[[torch.Tensor], object], **given: Any) -> None:
        """Wrap a callable and try it once.

        Args:
            forward: (1, 3, h, w) on ``device`` -> what ``queries.CONTRACT`` says; modules already in eval mode. Masks
                are combined at the resolution that they are returned in.
            given: as for ``CallableNetwork``.

        Raises:
            ModelOutputError: the answer to the probe does not fit the labels or the contract, or two answers differ.
            ModelError: the probe fails.
        """
        # a graph is exported for one image at a time
        self._together = has_layers(forward) and not isinstance(forward, fx.GraphModule)
        super().__init__(forward, **given)
        self.raw = False

    def infer_dropout(self, image: np.ndarray, seeds: Sequence[int]) -> list[LogitMaps]:
        """Class sums of passes with dropout, one after another; see ``DropoutNetwork``."""
        # such networks fold images into windows and heads, so that a batch could not tell whose masks to draw
        return [maps for seed in seeds for maps in super(MaskNetwork, self).infer_dropout(image, (seed,))]

    def _parts(self, x: torch.Tensor) -> tuple[Any, ...]:
        return self._queries(x)

    def _maps(self, x: torch.Tensor, sizes: Sequence[Size]) -> list[LogitMaps]:
        probabilities, masks, layer = self._pass(x)
        sums = class_sums(probabilities, masks)
        squares, grid, count = self.input_spec.squares, (int(x.shape[2]), int(x.shape[3])), 1
        if squares is not None:
            sums, masks = squares.merge(sums, grid), squares.place(masks, grid)
            count = len(probabilities) // len(x)
            probabilities = probabilities.reshape(len(x), -1, probabilities.shape[2])
            layer = None if layer is None else squares.merge(layer, grid)
        return [
            LogitMaps(
                logits=sums[index],
                size=size,
                raw=False,
                layer=self._layer_of(layer, index),
                linear=True,
                queries=MaskQueries(probabilities[index], masks[index], count),
            )
            for index, size in enumerate(sizes)
        ]

    def _queries(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Probabilities (B, Q, K), masks (B, Q, h, w) and features of the watched layer, of all squares."""
        squares = self.input_spec.squares
        parts = x if squares is None else squares.take(x, black(self.input_spec))
        passes = [parts] if self._together or squares is None else list(parts[:, None])
        answers = [(*self._run(part), self._layer(part)) for part in passes]
        if len(answers) == 1:
            return answers[0]
        probabilities, masks, layers = zip(*answers, strict=True)
        return torch.cat(probabilities), torch.cat(masks), None if layers[0] is None else torch.cat(layers)

    def answer(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities and masks for a normalised (1, 3, h, w), for exporters, which trace it; no lock, no squares."""
        return self._run(x)

    def _run(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self._answer(x).queries()

    def _answer(self, x: torch.Tensor) -> MaskAnswer:
        answer = read_masks(self._call(x))
        if answer is None:
            raise ModelOutputError(f"network {self.name!r} did not answer with masks; expected {CONTRACT}")
        check_masks(answer, self.labels, self.name, len(x))
        return answer

    def _probe(self) -> None:
        x = self._probe_picture()
        first = self._answer(x)
        check_are_logits(first, self.name)
        check_repeatable(first.sums(), class_sums(*self._queries(x)[:2]), self.name)
        if remark := things_only(self.labels):
            self.remarks += (remark,)
        squares = self.input_spec.squares
        if self.input_spec.size is None and (squares is None or squares.cut):
            self._try_another_size(x, self._queries)


def network_of(
    forward: Callable[[torch.Tensor], object],
    *,
    classifier: Classifier | None = None,
    where: Where | None = None,
    **given: Any,
) -> ModuleNetwork | MaskNetwork:
    """A callable as the network that its answer makes it: logits of each pixel, or masks.

    Args:
        forward, classifier, where, given: as for ``ModuleNetwork``.

    Raises:
        ModelError: as both networks.
    """
    if given["input_spec"].squares is not None:  # only mask networks are laid into squares
        return MaskNetwork(forward, **given)
    try:
        return ModuleNetwork(forward, classifier=classifier, where=where, **given)
    except MaskAnswerError:
        return MaskNetwork(forward, **given)
