"""The log of a run: a CSV file with a row per step, and TensorBoard if it is installed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from trust_seg_ros.support.resumable import write_text
from trust_seg_ros.training.errors import TrainingError

LOG = "log.csv"
COLUMNS = (
    "step", "epoch", "loss", "in_distribution", "ood", "in_pixels", "ood_pixels", "learning_rate", "seconds",
)  # fmt: skip
"""loss; mean cross entropy of the pixels with a class; mean cross entropy to the uniform label of the others; numbers
of both; learning rate; seconds since the step before. The means are empty where there is no pixel."""


class RunLog:
    """Appends rows as they come; a continued run first drops the rows after its checkpoint."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open or begin the log of ``folder``.

        Args:
            folder: of the run.
            step: steps done; later rows are dropped.

        Raises:
            TrainingError: the file is not such a log, or cannot be written.
        """
        self._path = folder / LOG
        rows = [",".join(COLUMNS)]
        try:
            if self._path.exists() and step:
                head, *old = self._path.read_text().splitlines()
                if head != rows[0]:
                    raise TrainingError(f"{self._path}: not a log of this command; choose another --out")
                rows += [row for row in old if row.partition(",")[0].isdigit() and int(row.partition(",")[0]) <= step]
            write_text(self._path, "\n".join(rows) + "\n")
        except (OSError, ValueError) as error:
            raise TrainingError(f"{self._path}: the log cannot be written ({error})") from error
        self._board = _board(folder / "tensorboard", step)

    def add(self, row: dict[str, Any]) -> None:
        """Append a row: a value for each of ``COLUMNS``, None = empty."""
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(row)
        if self._board is not None:
            for name in COLUMNS[2:]:
                if row[name] is not None:
                    self._board.add_scalar(name, row[name], row["step"])

    def add_qualities(self, step: int, qualities: dict[str, float]) -> None:
        """Log qualities of the network at a step, to TensorBoard only."""
        if self._board is not None:
            for name, value in qualities.items():
                self._board.add_scalar(f"quality/{name}", value, step)
            self._board.flush()


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
