"""Ctrl-C and SIGTERM end the process in time, whatever it is doing.

The first signal asks for an orderly end. Python runs signal handlers only between two of its own instructions, and a
model that loads in C code may keep the interpreter's lock for a minute; no thread of Python can end the process then.
So the time limit is kept by a thread that is no thread of Python: a few machine instructions, made by the compiler that
numba brings along, which wait for the first signal, then for the limit, and end the process with status 0.
"""

from __future__ import annotations

import ctypes
import logging
import os
import select
import signal
import time
from typing import Any

LIMIT_S = 1.5
"""Seconds from the first signal to the end of the process at the latest."""

_SAME_S = 0.3
"""A signal within this time of the first is the same wish, as a terminal and a launcher both send it."""

_LOOK_S = 0.1
"""Seconds after which ``wait`` looks again."""

# Addresses are 64-bit integers here, because compilers of different ages write pointers differently.
_THREAD = """
declare i64 @read(i32, i64, i64)
declare i32 @usleep(i32)
declare void @_exit(i32)

define i64 @end_in_time(i64 %nothing) {{
start:
  br label %wait
wait:
  %bytes = call i64 @read(i32 {pipe}, i64 {buffer}, i64 1)
  %none = icmp slt i64 %bytes, 1
  br i1 %none, label %wait, label %signalled
signalled:
  %slept = call i32 @usleep(i32 {microseconds})
  call void @_exit(i32 0)
  ret i64 0
}}
"""

_log = logging.getLogger(__name__)


class Ending:
    """Signals of the process that ask for its end; one per process, made in the main thread.

    Until ``something_is_open`` is called there is nothing to clean up, and the first signal ends the process at once.
    Afterwards ``wait`` returns at the first signal, and the process ends after ``LIMIT_S`` if it has not done so by
    itself. Another signal ends it at once. The exit status is 0 in every case.
    """

    def __init__(self) -> None:
        self.asked = False
        self._at_once = True
        self._first: float | None = None
        self._asking, self._ask = os.pipe()
        self._keep: list[Any] = []
        signalled, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        try:
            self._keep = _start_thread(signalled, LIMIT_S)
        except Exception as error:  # an unknown compiler: only C code that keeps the lock can then exceed the limit
            _log.info("the time limit of an end is not kept in C code: %r", error)

    def something_is_open(self) -> None:
        """From now on a signal asks for an orderly end."""
        self._at_once = False

    def ask(self) -> None:
        """Ask for the end without a signal; may be called from any thread."""
        self.asked = True
        os.write(self._ask, b"\0")

    def wait(self) -> None:
        """Wait until the end is asked for. In the main thread only, so that signals are handled at once."""
        while not self.asked:
            # a signal that comes just before the call blocks does not interrupt it, and is handled only after it
            select.select([self._asking], [], [], _LOOK_S)

    def _on_signal(self, *_: object) -> None:
        now = time.monotonic()
        if self._at_once or (self._first is not None and now - self._first > _SAME_S):
            os._exit(0)
        if self._first is None:
            self._first = now
            self.ask()


def _start_thread(pipe: int, limit_s: float) -> list[Any]:
    """Start the thread that ends the process ``limit_s`` after the first byte in a pipe; returns what it runs on."""
    import llvmlite.binding as llvm

    buffer = ctypes.create_string_buffer(8)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    text = _THREAD.format(pipe=pipe, buffer=ctypes.addressof(buffer), microseconds=round(limit_s * 1e6))
    machine = llvm.Target.from_default_triple().create_target_machine()
    module = llvm.parse_assembly(text)
    module.verify()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    start = ctypes.c_void_p(engine.get_function_address("end_in_time"))
    thread = ctypes.c_ulong()
    if status := ctypes.CDLL(None).pthread_create(ctypes.byref(thread), None, start, None):
        raise OSError(status, os.strerror(status))
    return [engine, machine, buffer]
