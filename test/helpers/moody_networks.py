"""A network that falls ill as the first pixel of the image tells it, named as ``moody_networks:moody``."""

import ctypes
import time

import torch
from fault_networks import Colours

WELL, HANGS, RAISES, BLIND, FROZEN, SLOW, SPECKLED = range(0, 210, 30)
KEEPS_LOCK = 210
HANG_S, SLOW_S, LOCK_S = 4.0, 0.5, 2.0


class Moody(Colours):
    """Answers as Colours does, unless the red of the first pixel is one of the codes above."""

    last_answer = None

    def forward(self, image):
        mood = round(float(image[0, 0, 0, 0]) * 255)
        if mood == RAISES:
            raise RuntimeError("out of sorts")
        time.sleep({HANGS: HANG_S, SLOW: SLOW_S}.get(mood, 0.0))
        if mood == KEEPS_LOCK:
            ctypes.PyDLL(None).usleep(round(LOCK_S * 1e6))  # C code that does not give Python's lock back
        answer = super().forward(image)  # changed in place: whoever looks at the last layer sees it, too
        if mood == BLIND:
            answer.fill_(torch.nan)
        if mood == SPECKLED:
            answer[..., 0, 0] = torch.nan
        if mood == FROZEN and self.last_answer is not None:
            answer.copy_(self.last_answer)
        self.last_answer = answer.clone()
        return answer


def moody():
    return Moody()
