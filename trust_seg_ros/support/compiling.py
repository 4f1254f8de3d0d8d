"""Which kernels Numba compiles at this moment, for progress bars: a first run would otherwise seem to stand still."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from numba.core import event


class Compiling(event.Listener):  # type: ignore[misc,unused-ignore]
    """Counts compilations that have begun and not ended, in every thread of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: list[str] = []

    def on_start(self, event: Any) -> None:
        """A compilation begins; what the cache holds is not compiled."""
        dispatcher = (event.data or {}).get("dispatcher")
        function = getattr(dispatcher, "py_func", None)
        with self._lock:
            self._names.append(getattr(function, "__name__", "a kernel"))

    def on_end(self, event: Any) -> None:
        """The last one that began has ended."""
        with self._lock:
            if self._names:
                self._names.pop()

    @property
    def name(self) -> str:
        """Name of the kernel being compiled; "" = none is."""
        with self._lock:
            return self._names[0] if self._names else ""


@lru_cache(maxsize=1)
def compiling() -> Compiling:
    """The listener of this process, installed at the first call."""
    found = Compiling()
    event.register("numba:compile", found)  # type: ignore[no-untyped-call,unused-ignore]
    return found
