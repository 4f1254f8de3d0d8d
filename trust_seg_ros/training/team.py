"""One process, or several that torchrun started, training one network together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import nn

from trust_seg_ros.segmentation.device import pick_device
from trust_seg_ros.training.errors import TrainingError

_PATIENCE = timedelta(hours=3)
"""How long the other processes wait while the first one judges the network."""


@dataclass(frozen=True)
class Team:
    """The processes that share a batch.

    Attributes:
        rank: number of this process, from 0; process 0 writes files and prints.
        size: number of processes.
        device: device of this process.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the processes; the argument is not changed."""
        values = values.detach().clone()
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values

    def share(self, module: nn.Module) -> nn.Module:
        """Wrap the module: gradients are averaged over the processes, all start with the first one's weights."""
        if self.size == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        # a static graph allows parameters that no loss reaches, such as auxiliary heads
        return nn.parallel.DistributedDataParallel(module, device_ids=ids, static_graph=True)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            torch.distributed.barrier()


@contextmanager
def joined_team(device: str) -> Iterator[Team]:
    """The team that torchrun's variables describe, or a team of one.

    Args:
        device: as ``pick_device``; with several processes "auto" and "cuda" become the process's own GPU.

    Raises:
        DeviceError: no such device.
        TrainingError: several processes but one named GPU, or some of the variables are missing.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team(0, 1, pick_device(device))
        return
    try:
        rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    except KeyError as error:
        raise TrainingError(
            f"WORLD_SIZE is {size} but {error} is not set; start several processes with torchrun"
        ) from None
    if ":" in device:
        raise TrainingError(f"--device {device} with {size} processes; leave it out: each takes its own GPU")
    where = pick_device(device)
    if where.type == "cuda":
        where = pick_device(f"cuda:{local}")
        torch.cuda.set_device(where)
    torch.distributed.init_process_group("nccl" if where.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Team(rank, size, where)
    finally:
        torch.distributed.destroy_process_group()
