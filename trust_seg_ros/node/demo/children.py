"""Child processes that never outlive the demo, each with its own process group and log file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from trust_seg_ros.errors import TrustSegError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class ChildError(TrustSegError):
    """A child process could not be started, or ended when it should not have."""


class Child:
    """One process with its output in a log file; a context manager that ends it, and all it started.

    Args:
        name: what to call it in messages.
        command: program and arguments.
        log: file for its standard output and error, replaced.

    Raises:
        ChildError: the program cannot be started.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name, self.log = name, log
        parent = os.getpid()

        def prepare() -> None:
            # Whatever kills the demo, the kernel then kills this child: even after SIGKILL there is no orphan.
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            # A demo in the background of a script ignores SIGINT; its children would inherit that and ignore `stop`.
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        with log.open("wb") as output:
            try:
                self.process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=os.environ | {"PYTHONUNBUFFERED": "1"},
                    start_new_session=True,  # Ctrl-C reaches the demo alone, which then ends its children in order
                    preexec_fn=prepare,
                )
            except OSError as error:
                raise ChildError(f"cannot start the {name} ({command[0]}): {error}") from error

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self.process.poll()

    def lines(self, begin: str) -> list[str]:
        """The lines of its log that begin so."""
        with contextlib.suppress(OSError):
            return [line for line in self.log.read_text(errors="replace").splitlines() if line.startswith(begin)]
        return []

    def tail(self, lines: int = 25) -> str:
        """The last lines of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def reason(self) -> str:
        """How the process ended, with the end of its log."""
        code = self.code
        if code is None:
            how = "is still running"
        elif code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        else:
            how = f"ended with exit code {code}"
        return f"the {self.name} {how}; the end of {self.log}:\n{self.tail() or '(it wrote nothing)'}"

    def stop(self, patience: float = 5.0) -> int:
        """End it: interrupt, then terminate, then kill its whole group; returns the exit code.

        Args:
            patience: seconds to wait after each of the first two.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            if self.process.poll() is None:
                self._signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(patience)
        code = self.process.poll()
        self._signal(signal.SIGKILL)  # also what it may have started and left behind
        return self.process.wait() if code is None else code

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)
