"""Processes that start at once, because they are copies of one that has the libraries loaded."""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache

from places import HELPERS
from warm_server import NUMBER


@cache
def _server(kernels, *prefix):
    """The socket of a server; it ends with this process. Its environment is that of the first call."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        line = [*prefix, sys.executable, str(HELPERS / "warm_server.py"), str(its.fileno()), str(int(kernels))]
        process = subprocess.Popen(line, pass_fds=[its.fileno()], env=python_environment())
    atexit.register(lambda: (mine.close(), process.wait()))
    return mine


def python_environment():
    """That of this process, with the package and the tests' helpers on Python's path."""
    paths = [str(HELPERS.parents[1]), str(HELPERS), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(p for p in paths if p), "PYTHONUNBUFFERED": "1"}


class WarmProcess:
    """Runs ``main()`` of a module in a process of its own; as much of ``subprocess.Popen`` as tests of nodes need.

    Args:
        module: whose ``main()`` gives the exit status.
        arguments: of its command line.
        output: open file for what it prints.
        errors: the same for what it complains about; otherwise that goes to ``output``.
        without: environment variables that it must not have.
        kernels: whether those that numba has compiled are loaded, too.
        prefix: of the server's command line, such as one that gives it mounts of its own.
    """

    def __init__(self, module, *arguments, output, errors=None, without=(), kernels=True, prefix=()):
        self._report, its = os.pipe()
        words = [*map(str, arguments)]
        request = json.dumps({"module": module, "arguments": words, "without": without}).encode()
        files = [output.fileno(), (errors or output).fileno(), its]
        socket.send_fds(_server(kernels, *prefix), [request], files)
        os.close(its)
        self.returncode = None
        self.pid = self._number()

    def _number(self):
        data = os.read(self._report, NUMBER.size)
        assert len(data) == NUMBER.size, "the server of warm processes has ended"
        return NUMBER.unpack(data)[0]

    def poll(self):
        """Exit status, or None while it runs."""
        return self._ended(0.0)

    def wait(self, timeout=None):
        """Exit status; ``subprocess.TimeoutExpired`` when it does not end in that time (s)."""
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.returncode

    def _ended(self, seconds):
        if self.returncode is None and select.select([self._report], [], [], seconds)[0]:
            self.returncode = self._number()
            os.close(self._report)
        return self.returncode

    def send_signal(self, number):
        """To the process, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def warm_run(module, *arguments, **options):
    """Run it to its end, for ten minutes at most; gives (exit status, output, errors)."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = WarmProcess(module, *arguments, output=output, errors=errors, **options)
        try:
            status = process.wait(600)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{module} has not ended: {heard(output)}{heard(errors)}") from None
        return status, heard(output), heard(errors)


def heard(file):
    """All that was written to a file by somebody else."""
    file.seek(0)
    return file.read()
