"""Small networks for the node's tests, named as ``node_networks:callable``."""

import ctypes
import os
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from trust_seg_ros import segments
from trust_seg_ros.segmentation.labels import LabelSet

NAMES = ("red", "green", "blue")


class Colours(nn.Module):
    """Class = strongest colour of a 4x4 block; pure colours are certain, grey is not. NaN where the image is black."""

    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    stride = 4

    def __init__(self, names=NAMES):
        super().__init__()
        self.labels = LabelSet("colours", names)

    def forward(self, image):
        blocks = nn.functional.avg_pool2d(image, 4)
        black = blocks.sum(1, keepdim=True) == 0
        return torch.where(black, torch.nan, 12 * blocks)


def colours():
    return Colours()


def announced():
    print("a network is made", flush=True)
    return Colours()


class Painted(Colours):
    """The same where nothing is black, made by a last convolution, so that it has features."""

    def __init__(self, names=NAMES):
        super().__init__(names)
        self.last = nn.Conv2d(3, 3, 1, bias=False)
        self.last.weight.data = 12 * torch.eye(3)[:, :, None, None]

    def forward(self, image):
        return self.last(nn.functional.avg_pool2d(image, 4))


def painted():
    return Painted()


def slow():
    print("loading slowly", flush=True)
    time.sleep(4)
    return Colours()


def go_on_file(pid):
    """The file that lets ``waits`` of a process go on."""
    return Path(tempfile.gettempdir()) / f"node_networks_go_on_{pid}"


def waits():
    print("waiting", flush=True)
    while not go_on_file(os.getpid()).exists():
        time.sleep(0.05)
    return Colours()


def never_ends():
    print("never ending", flush=True)
    while True:
        time.sleep(0.05)


def hold_the_lock():
    """C code that never gives Python's lock back, whatever signal comes."""
    print("holding the lock", flush=True)
    sleep = ctypes.PyDLL(None).sleep
    while True:
        sleep(100)


def holds_the_lock():
    hold_the_lock()


def holds_the_lock_on_white():
    class Holds(Colours):
        def forward(self, image):
            if image.min() > 0.99:
                hold_the_lock()
            return super().forward(image)

    return Holds()


def talkative():
    class Talkative(Colours):
        def forward(self, image):
            print("forward", flush=True)
            return super().forward(image)

    return Talkative()


def blocks_on_white():
    class Blocks(Colours):
        def forward(self, image):
            if image.min() > 0.99:
                print("blocking", flush=True)
                while True:
                    time.sleep(0.05)
            return super().forward(image)

    return Blocks()


_faults = ["a slip of the programmer"]


def with_a_fault_at_first():
    """The first time, a step of the warm-up raises what no room declares."""
    warm_up = segments.warm_up

    def fault():
        segments.warm_up = warm_up
        raise KeyError(_faults.pop())

    if _faults:
        segments.warm_up = fault
    return Colours()


def fails_on_white():
    class Fails(Colours):
        def forward(self, image):
            if image.min() > 0.99:
                raise RuntimeError("white is too much")
            return super().forward(image)

    return Fails()


def sluggish():
    class Sluggish(Colours):
        def forward(self, image):
            time.sleep(0.05)
            return super().forward(image)

    return Sluggish()
