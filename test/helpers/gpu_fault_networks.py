"""A network that raises what CUDA's torch raises, as the first pixel of the image tells it."""

import torch
from fault_networks import Colours

WELL, STARVES, LOSES = 0, 60, 120


class Faulty(Colours):
    """Answers as Colours does, unless the red of the first pixel is one of the codes above."""

    def forward(self, image):
        code = round(float(image[0, 0, 0, 0]) * 255)
        if code == STARVES:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB. GPU 0 has 7 GiB in total")
        if code == LOSES:
            raise RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be reported later")
        return super().forward(image)


def faulty():
    return Faulty()
