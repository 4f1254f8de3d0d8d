"""One network for several cameras in one process: loaded once, and asked about several images in one pass."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch

from trust_seg_ros.segmentation.batcher import Batcher, Seat
from trust_seg_ros.segmentation.errors import ModelError
from trust_seg_ros.segmentation.protocol import BatchedNetwork, DropoutNetwork, SegmentationNetwork, Size
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.types import LogitMaps

_Answer = tuple[LogitMaps, torch.cuda.Event | None]
"""An answer, and on a GPU when it is there."""

_log = logging.getLogger(__name__)


class _Images:
    """A loaded network and the batches that it is asked about.

    Args:
        network: any network; one that takes one image at a time is asked about one after the other.
        most: largest number of images in one pass.
    """

    def __init__(self, network: SegmentationNetwork, most: int) -> None:
        self.network = network
        together = isinstance(network, BatchedNetwork) and getattr(network, "takes_batches", True)
        self.batcher = Batcher(self._answers, most if together else 1)
        self._warm: dict[Size, int] = {}

    def warm_up(self, size: Size, most: int) -> None:
        """Passes of one image of ``size`` (H, W), and the first time of every number up to ``most``.

        Where memory is too short for so many, passes are smaller from now on.
        """
        self.network.warm_up(size)
        passes = 3 if self.network.device.type == "cuda" else 1  # with cuda_graph the third one is recorded
        for count in range(self._warm.get(size, 1) + 1, min(self.batcher.most, most) + 1):
            try:
                for _ in range(passes):
                    self._together([np.zeros((*size, 3), np.uint8) for _ in range(count)])
            except (ModelError, RuntimeError) as error:  # torch's own, where memory ends beside the network
                _log.warning(
                    "network %s takes %d images in one pass, not more: %s", self.network.name, count - 1, error
                )
                self.batcher.most = count - 1
                break
            self._warm[size] = count

    def _answers(self, images: Sequence[np.ndarray]) -> list[_Answer | BaseException]:
        """An answer for each image; one that fails does not take others' answers with it."""
        answers: list[_Answer | BaseException | None] = [None] * len(images)
        for places in self._alike(images):
            for place, answer in zip(places, self._tried([images[place] for place in places]), strict=True):
                answers[place] = answer
        return [answer for answer in answers if answer is not None]

    def _alike(self, images: Sequence[np.ndarray]) -> list[list[int]]:
        """Places of the images that give inputs of the same size."""
        groups: dict[Size, list[int]] = {}
        for place, image in enumerate(images):
            shape: tuple[int, ...] = getattr(image, "shape", ())
            height, width, *_ = (*shape[:2], 0, 0)
            size = self.network.input_spec.size_for((height, width)) if height and width else (0, 0)
            groups.setdefault(size, []).append(place)
        return list(groups.values())

    def _tried(self, images: Sequence[np.ndarray]) -> list[_Answer | BaseException]:
        try:
            answers = self._together(images)
            on_gpu = answers[0].logits.is_cuda
            computed = torch.cuda.current_stream(answers[0].logits.device).record_event() if on_gpu else None
            return [(maps, computed) for maps in answers]
        except BaseException as error:  # a network may raise SystemExit
            if len(images) == 1:
                return [error]
            _log.info("a pass of %d images failed, each is looked at alone: %s", len(images), error)
        # here, and not above, where the error would keep the memory of the pass
        return [answer for image in images for answer in self._tried([image])]

    def _together(self, images: Sequence[np.ndarray]) -> list[LogitMaps]:
        if len(images) == 1 or not isinstance(self.network, BatchedNetwork):
            return [self.network.infer(image) for image in images]
        return self.network.infer_batch(images)


def _taken_over(maps: LogitMaps, computed: torch.cuda.Event) -> LogitMaps:
    """An answer from another thread, for this one's CUDA stream, which waits for it without holding up the host."""
    stream = torch.cuda.current_stream(maps.logits.device)
    stream.wait_event(computed)
    for tensor in _tensors(maps):
        tensor.record_stream(stream)
    return maps


def _tensors(of: object) -> list[torch.Tensor]:
    """All tensors of an answer and of its parts."""
    if isinstance(of, torch.Tensor):
        return [of]
    return [tensor for part in vars(of).values() for tensor in _tensors(part)] if hasattr(of, "__dict__") else []


class SharedNetwork:
    """A camera's view of a network that other cameras use, too; ``SegmentationNetwork`` documents its interface.

    Images that are asked about by ``infer`` at about the same time are answered in one pass, equal to single passes up
    to rounding; everything else is done alone. All cameras may ask from threads of their own.
    """

    infer_batch: Callable[..., list[LogitMaps]]
    infer_dropout: Callable[..., list[LogitMaps]]

    def __init__(self, images: _Images, seat: Seat) -> None:
        self._images, self._seat, network = images, seat, images.network
        self._network = network
        self.name, self.labels, self.device = network.name, network.labels, network.device
        self.input_spec, self.raw = network.input_spec, network.raw
        # attributes of the instance: whoever looks for the optional protocols finds those of the network
        if isinstance(network, BatchedNetwork):
            self.infer_batch = self._alone(network.infer_batch)
        if isinstance(network, DropoutNetwork):
            self.dropout_layers = network.dropout_layers
            self.last_dropout = network.last_dropout if network.dropout_layers else None
            self.infer_dropout = self._alone(network.infer_dropout)

    def __repr__(self) -> str:
        return f"<{self._network!r}, shared by {self._images.batcher}>"

    def __getattr__(self, name: str) -> Any:
        """Whatever else the network has: its hash, remarks, passes, backend."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._network, name)

    @property
    def batch(self) -> str:
        """How many cameras share it, images in a pass and how long they were held back, for people."""
        return str(self._images.batcher)

    def infer(self, image: np.ndarray) -> LogitMaps:
        """Logits of one image, which may be held back for others; see ``SegmentationNetwork.infer``.

        Raises:
            LeftError: the camera has released the network.
        """
        maps, computed = self._images.batcher.ask(self._seat, image)
        return maps if computed is None else _taken_over(maps, computed)

    def warm_up(self, size: Size) -> None:
        """As the network's, and passes of several images."""
        self._alone(self._images.warm_up)(size, self._seat.most)

    def _alone(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            with self._images.batcher.alone(self._seat):
                return function(*args, **options)

        return call


class _Share:
    """A network to be loaded once, and those who use it."""

    def __init__(self) -> None:
        self.loading = threading.Lock()
        self.images: _Images | None = None
        self.users: set[SharingCamera] = set()


class SharedNetworks:
    """The networks of one process, each for all cameras that want the same.

    Args:
        most: largest number of images in one pass, at best the number of cameras.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.lock = threading.Lock()  # never held for long: the end of the process may wait for it
        self.shares: dict[NetworkSettings, _Share] = {}

    def camera(self, name: str) -> SharingCamera:
        """Where a camera's node gets its network from."""
        return SharingCamera(self, name)


class SharingCamera:
    """Where one camera's node gets its network from: those of the process."""

    def __init__(self, networks: SharedNetworks, name: str) -> None:
        self._networks, self._name = networks, name
        self._held: tuple[NetworkSettings, _Share, Seat] | None = None

    def load(self, settings: NetworkSettings, wait_s: float, images: int = 0) -> SharedNetwork:
        """The network, ready to use, instead of the one before; waits where another camera is loading the same.

        Args:
            settings: which network, and how it is run.
            wait_s: seconds that an image of this camera may be held back for others.
            images: largest number of images in a pass with one of this camera; 0 = one per camera on a GPU, and
                one on a CPU, where larger passes gain no time.

        Raises:
            TrustSegError: as ``load_network``.
        """
        self.release()
        wanted = NetworkSettings(**{field.name: getattr(settings, field.name) for field in fields(NetworkSettings)})
        seat = Seat(self._name, wait_s, images or self._networks.most)
        with self._networks.lock:
            share = self._networks.shares.setdefault(wanted, _Share())
            share.users.add(self)
            self._held = wanted, share, seat
        with share.loading:
            if share.images is None:
                share.images = _Images(wanted.load(), self._networks.most)
        if images == 0 and share.images.network.device.type == "cpu":
            seat.most = 1
        share.images.batcher.join(seat)
        return SharedNetwork(share.images, seat)

    def release(self) -> bool:
        """Use the network no more; the last camera to release one lets it go. Returns whether none is in use now.

        A network that has left this camera without an answer may never answer again: from now on the same settings
        load another one.
        """
        with self._networks.lock:
            shares, held, self._held = self._networks.shares, self._held, None
            if held is not None:
                wanted, share, seat = held
                share.users.discard(self)
                answered = share.images is None or share.images.batcher.leave(seat)
                if (not share.users or not answered) and shares.get(wanted) is share:
                    del shares[wanted]
            return not any(share.users for share in shares.values())
