"""Statistics over perturbed passes, pass by pass: memory does not grow with their number.

Sums are kept for the output grid: q float32 a pixel, and q bytes where votes are counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from trust_seg_ros.types import UNLABELLED, LogitMaps
from trust_seg_ros.uncertainty.banded import bands
from trust_seg_ros.uncertainty.errors import LogitsError, SettingError
from trust_seg_ros.uncertainty.kernels import grid_taps
from trust_seg_ros.uncertainty.logits import UNCLAIMED, Prepared, prepare, prepare_sums, to_shares, unclaimed
from trust_seg_ros.uncertainty.perturbation_kernels import add_pass, finish
from trust_seg_ros.uncertainty.perturbation_settings import MOST_PASSES, STATISTICS
from trust_seg_ros.uncertainty.threads import run_bands
from trust_seg_ros.uncertainty.tiles import tile_width


class PassSums:
    """Collects the answers to one image and gives the statistics of ``reference_statistics``, within 1e-5.

    Compiled kernels do the work on the CPU, torch on any other device, where everything stays.

    Args:
        statistics: which of ``STATISTICS`` are needed; fewer take less memory.
        threads: CPU threads; None for one per core, at most 8.
    """

    def __init__(self, statistics: Sequence[str] = STATISTICS, *, threads: int | None = None) -> None:
        unknown = [name for name in statistics if name not in STATISTICS]
        if unknown or not statistics:
            raise SettingError(f"statistics {list(statistics)}; choose of: {', '.join(STATISTICS)}")
        self._wanted = tuple(statistics)
        self._threads = threads
        self._shape: tuple[int, tuple[int, int]] | None = None
        self._faulty: torch.Tensor | None = None
        self._unclaimed: torch.Tensor | None = None  # in all passes so far
        self._on_host = True
        self.passes = 0

    def add(self, maps: LogitMaps) -> None:
        """Add the answer of one pass.

        Raises:
            LogitsError: the answer cannot be used, or its number of classes or its size differs from the first one's.
            SettingError: more than 255 passes.
        """
        prepared = prepare_sums(maps) if maps.linear else prepare(maps)
        height, width = prepared.size
        shape = (prepared.values.shape[0], (height, width))
        if self.passes == 0:
            self._allocate(*shape, prepared.values.device)
        elif shape != self._shape:
            raise LogitsError(f"a pass of (classes, size) {shape} after one of {self._shape}; expected the same image")
        if self.passes == MOST_PASSES:
            raise SettingError(f"more than {MOST_PASSES} passes")
        if self._on_host:
            self._add_on_host(prepared, maps.linear)
        else:
            self._add_on_device(prepared, maps.linear)
        faulty = prepared.faulty()
        if faulty is not None:
            self._faulty = faulty if self._faulty is None else self._faulty | faulty
        none = unclaimed(prepared) if maps.linear else None
        if self.passes == 0:
            self._unclaimed = none
        elif self._unclaimed is not None:
            self._unclaimed = None if none is None else self._unclaimed & none
        self.passes += 1

    def statistics(self) -> dict[str, torch.Tensor]:
        """The requested statistics, (H, W) float32 in [0, 1], and ``classes``, (H, W) uint8, of the passes so far.

        Raises:
            SettingError: no pass was added yet.
        """
        if self._shape is None:
            raise SettingError("no pass to take statistics of; expected at least one")
        out = self._finish_on_host() if self._on_host else self._finish_on_device()
        if self._unclaimed is not None:
            out["classes"][self._unclaimed] = UNLABELLED
        if self._faulty is not None:
            for name, values in out.items():
                values[self._faulty] = UNLABELLED if name == "classes" else 1.0
        return out

    @property
    def faulty_pixels(self) -> int:
        """Number of pixels that were faulty in any pass."""
        return 0 if self._faulty is None else int(self._faulty.sum())

    def _allocate(self, q: int, size: tuple[int, int], device: torch.device) -> None:
        self._shape, self._on_host = (q, size), device.type == "cpu"
        height, width = size
        entropies = "mutual_information" in self._wanted
        votes = "vote_variation" in self._wanted
        if self._on_host:
            self._total = np.empty((height, q, width), np.float32)
            self._entropies = np.empty(size if entropies else (0, 0), np.float32)
            self._votes = np.empty((height, q, width) if votes else (0, 0, 0), np.uint8)
        else:
            self._sum = torch.zeros((q, *size), device=device)
            self._entropy_sum = torch.zeros(size, device=device)
            self._vote_sum = torch.zeros((q, *size) if votes else (0,), dtype=torch.uint8, device=device)

    def _add_on_host(self, prepared: Prepared, linear: bool) -> None:
        logits = prepared.array()
        height = prepared.size[0]
        rows, columns = grid_taps(logits.shape[1:], prepared.size, prepared.placement)
        tile, fresh = tile_width(logits.shape[0], prepared.size[1]), self.passes == 0
        sums = (self._total, self._entropies, self._votes)

        def band(first: int, last: int) -> None:
            add_pass(logits, *rows, *columns, first, last, tile, fresh, linear, *sums)

        run_bands(band, height, self._threads)

    def _finish_on_host(self) -> dict[str, torch.Tensor]:
        height, _, width = self._total.shape
        out = {"classes": torch.empty((height, width), dtype=torch.uint8)}
        out |= {name: torch.empty((height, width)) for name in self._wanted}
        nothing = torch.empty((0, 0))
        arrays = [out.get(name, nothing).numpy() for name in ("classes", *STATISTICS)]
        sums = (self._total, self._entropies, self._votes)

        def band(first: int, last: int) -> None:
            finish(self.passes, first, last, *sums, *arrays)

        run_bands(band, height, self._threads)
        return out

    def _add_on_device(self, prepared: Prepared, linear: bool) -> None:
        for rows, logits in bands(prepared):
            log_f = to_shares(logits).log_() if linear else logits.log_softmax(0)
            f = log_f.exp()
            self._sum[:, rows] += f
            if "mutual_information" in self._wanted:
                self._entropy_sum[rows] -= f.mul(log_f.clamp_min_(-1e4)).sum(0)
            if "vote_variation" in self._wanted:
                index = logits.argmax(0, keepdim=True)
                votes = self._vote_sum[:, rows]
                cast = logits.amax(0, keepdim=True) > UNCLAIMED if linear else 1  # an unclaimed pixel has no vote
                votes.scatter_(0, index, votes.gather(0, index) + cast)

    def _finish_on_device(self) -> dict[str, torch.Tensor]:
        mean, q = self._sum / self.passes, self._sum.shape[0]
        out = {"classes": mean.argmax(0).to(torch.uint8)}
        if {"entropy", "mutual_information"} & set(self._wanted):
            entropy = -torch.special.xlogy(mean, mean).sum(0)
            inner = self._entropy_sum / self.passes
            out["entropy"] = (entropy / math.log(q)).clamp_(0.0, 1.0)
            out["mutual_information"] = ((entropy - inner) / math.log(q)).clamp_(0.0, 1.0)
        if "vote_variation" in self._wanted:
            out["vote_variation"] = 1.0 - self._vote_sum.amax(0).float() / self.passes
        return {name: out[name] for name in ("classes", *self._wanted)}
