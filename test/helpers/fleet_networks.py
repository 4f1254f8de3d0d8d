"""Networks that end their process, or do not load, for tests of workers that die."""

import os
import signal
from pathlib import Path

from fault_networks import Colours

from trust_seg_ros.errors import TrustSegError

MARKER = "FLEET_MARKER"
"""Environment variable: path of a file that is there once a process has died."""
SPARED = "FLEET_SPARED"
"""Environment variable: number of the process that never dies, the test's own."""


class Mortal(Colours):
    """Ends its process, as the kernel does when memory is short: at the first frame of all, and at white ones."""

    def forward(self, image):
        if os.getpid() != int(os.environ[SPARED]) and (bool((image > 0.999).all()) or self._first()):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(image)

    def _first(self):
        try:
            Path(os.environ[MARKER]).open("x").close()
        except FileExistsError:
            return False
        return True


def mortal():
    return Mortal()


class PickyError(TrustSegError):
    """Cannot be put together again from its text."""

    def __init__(self, value, expected):
        super().__init__(f"value is {value}; expected {expected}")


def picky():
    raise PickyError(3, "less")
