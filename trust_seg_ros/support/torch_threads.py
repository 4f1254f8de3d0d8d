"""Number of torch's threads in this process."""

from __future__ import annotations

import torch

_threads_before: int | None = None  # torch's number before a pipeline changed it; None = as it was


def set_threads(wanted: int) -> None:
    """Set torch's number of threads in this process; 0 undoes earlier calls, and does nothing without them."""
    global _threads_before
    if wanted:
        _threads_before = _threads_before or torch.get_num_threads()
        torch.set_num_threads(wanted)
    elif _threads_before:
        torch.set_num_threads(_threads_before)
        _threads_before = None
