"""Programs that were exported or traced in training mode, and networks that answer at random."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trust_seg_ros.segmentation import InputSpec, ModelFileError, ModelOutputError, load_labels, load_network
from trust_seg_ros.segmentation.loader_row import from_module

CAMVID = load_labels("camvid11")


class Net(nn.Module):
    def __init__(self, rate=0.5, track=True, random=None):
        super().__init__()
        self.body, self.norm = nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8, track_running_stats=track)
        self.drop, self.head, self.random = nn.Dropout2d(rate), nn.Conv2d(8, 11, 1), random

    def forward(self, x):
        y = self.drop(F.relu(self.norm(self.body(x))))
        if self.random == "dropout":
            y = F.dropout(y, 0.3)
        if self.random == "depth":
            y = y * torch.empty(1, 1, 1, 1).bernoulli_(0.5)
        return self.head(y)


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 11, 1)

    def forward(self, x):
        return self.head(F.scaled_dot_product_attention(x, x, x, dropout_p=0.1))


class Branches(nn.Module):
    """Functional dropout that is on in training only, as in most code."""

    def __init__(self):
        super().__init__()
        self.body, self.norm, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 11, 1)

    def forward(self, x):
        y = F.dropout(F.relu(self.norm(self.body(x))), 0.3, self.training)
        if self.training:
            y = F.dropout(y, 0.3, True)
        return self.head(y)


def export(module, path):
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, 32, 32),), strict=False), path)
    return path


def decomposed(module, path):
    program = torch.export.export(module, (torch.zeros(1, 3, 32, 32),), strict=False).run_decompositions()
    torch.export.save(program, path)
    return path


def trace(module, path):
    return _saved(lambda: torch.jit.trace(module, torch.zeros(1, 3, 32, 32), check_trace=False), path)


def script(module, path):
    return _saved(lambda: torch.jit.script(module), path)


def _saved(make, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(make(), path)
    return path


def load(path):
    return load_network(str(path), labels="camvid11", device="cpu")


@pytest.mark.parametrize("write", [export, decomposed, trace])
@pytest.mark.parametrize(
    ("module", "what"),
    [
        (Net(), "batch normalisation and .*dropout"),
        (Net(rate=0.0), r"\(batch normalisation"),
        (Net(track=False), "dropout"),
        (Net(rate=0.0, random="dropout").eval(), "dropout"),
    ],
    ids=["both", "norm", "dropout", "functional"],
)
def test_training_mode_is_refused(tmp_path, write, module, what):
    with pytest.raises(ModelFileError, match=rf"training mode.*{what}.*module\.eval\(\) first"):
        load(write(module, tmp_path / "net.pt2"))


@pytest.mark.parametrize(
    ("module", "what"), [(Net(random="depth").eval(), "stochastic depth"), (Attends(), "dropout in attention")]
)
def test_other_random_layers_are_refused(tmp_path, module, what):
    with pytest.raises(ModelFileError, match=what):
        load(export(module, tmp_path / "net.pt2"))


@pytest.mark.parametrize("write", [export, decomposed, trace])
@pytest.mark.parametrize("module", [Net().eval(), Net(track=False).eval(), Net(rate=0.0, track=False)])
def test_evaluation_mode_is_taken(tmp_path, write, module):
    """A normalisation without running statistics normalises by the image by design, in either mode."""
    assert load(write(module, tmp_path / "net.pt2")).infer(torch.zeros(32, 32, 3, dtype=torch.uint8).numpy())


def test_a_script_that_can_be_switched_is_switched(tmp_path):
    module = Branches()
    assert module.training
    assert load(script(module, tmp_path / "net.ts")).raw


def test_a_module_is_switched_too():
    network = from_module(Net(), "net", CAMVID, InputSpec(stride=32), torch.device("cpu"), False)
    assert network.dropout_layers == ("drop",)


def test_two_answers_to_one_image_are_refused():
    module = Net(random="dropout")
    with pytest.raises(ModelOutputError, match=r"two answers to one image.*training=self\.training"):
        from_module(module, "net", CAMVID, InputSpec(stride=32), torch.device("cpu"), False)
