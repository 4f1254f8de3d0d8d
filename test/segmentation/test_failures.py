"""Long errors of torch: short, with their reason and the way out."""

import warnings

import pytest
import torch
from torch import nn

from trust_seg_ros.segmentation import ModelError, load_network
from trust_seg_ros.segmentation.failures import in_brief, way_out


def save(module, path, trace=(1, 3, 64, 64)):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.trace(module, torch.zeros(trace)) if trace else torch.jit.script(module)
        torch.jit.save(made, path)
    return str(path)


class OneSize(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 11, 1, 4)

    def forward(self, x):
        y = self.head(x)
        return y.view([int(side) for side in y.shape])


class OnAGpu(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 11, 1)

    def forward(self, x):
        return self.head(x) + torch.zeros(1, device="cuda:0")


def load(path, **settings):
    return load_network(path, labels="camvid11", device="cpu", **settings)


@pytest.mark.parametrize("size", [64, 96])
def test_a_program_of_one_size_is_told_at_loading(tmp_path, size):
    """Traced at the size of the first probe, and at another one."""
    path = save(OneSize(), tmp_path / "net.ts", (1, 3, size, size))
    with pytest.raises(ModelError, match=r"takes one size.*input_size") as caught:
        load(path)
    assert "is invalid for input of size" in str(caught.value)
    assert len(str(caught.value)) < 700
    assert load(path, input_size=(size, size)).input_spec.size == (size, size)


@pytest.mark.skipif(torch.cuda.is_available(), reason="speaks of a machine without a GPU")
def test_a_program_of_a_gpu_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"traced on a GPU.*on the CPU"):
        load(save(OnAGpu(), tmp_path / "net.ts", trace=None))


def test_a_long_error_keeps_both_ends():
    text = in_brief("first " + "x" * 1000 + " last reason", 200)
    assert len(text) <= 200
    assert text.startswith("first")
    assert text.endswith("last reason")
    assert in_brief("short\n  one") == "short one"


def test_the_traceback_of_torchscript_goes():
    text = (
        "The following operation failed in the TorchScript interpreter.\nTraceback … ValueError: x\nRuntimeError: why"
    )
    assert in_brief(text) == "in TorchScript, RuntimeError: why"


@pytest.mark.parametrize("text", ["out of memory", "division by zero"])
def test_unknown_causes_get_no_advice(text):
    assert way_out(text) == ""
