"""How worker processes are started: copies of one process that has the libraries loaded.

A fork of this process may hang, because torch's and our own threads do not survive it; a fresh interpreter for every
worker loads torch and numba again, which takes seconds. The fork server of the standard library is the way between: it
loads the libraries once, starts no thread of theirs and never touches a GPU, and each worker is a copy of it.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, SpawnContext

_LIBRARIES = ("cv2", "numba", "torch", "trust_seg_ros.pipeline")


def worker_context() -> ForkServerContext | SpawnContext:
    """The context in which worker processes are made; where there is no fork server (not on Linux), they are spawned.

    The server starts with the first worker, with the environment and the blocked signals of that moment, and ends with
    this process, however that ends. A worker therefore calls ``adopt_environment`` first.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_LIBRARIES])
    return context


def adopt_environment(environment: Mapping[str, str]) -> None:
    """Take over the environment variables of the process that wants the work, which may have changed them meanwhile.

    What torch and numba read when they are loaded (``OMP_NUM_THREADS``, ``NUMBA_*``) stays as it was for the first
    worker.
    """
    for name in [name for name in os.environ if name not in environment]:
        del os.environ[name]
    os.environ.update(environment)
