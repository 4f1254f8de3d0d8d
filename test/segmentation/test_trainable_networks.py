import json
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from trust_seg_ros.segmentation import LabelError, ModelFileError, ModelOutputError, ModelSpecError, load_network
from trust_seg_ros.segmentation.compact import CompactConfig, CompactNet, save_compact
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segmentation.trainable import load_trainable

CPU = torch.device("cpu")
SMALL = CompactConfig(stem=16, quarter=16, eighth=32, sixteenth=32, eighth_blocks=1, dilations=(1, 2), decoder=16)

FACTORIES = """
import torch
from torch import nn
from trust_seg_ros.segmentation import LabelSet, load_network


class Net(nn.Module):
    labels = LabelSet("three", ("a", "b", "c"))

    def __init__(self, how="plain"):
        super().__init__()
        self.how, self.head = how, nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.head(self.norm(x))
        if self.how == "softmax":
            return y.softmax(1)
        return y[:1] if self.how == "single" else y


def plain():
    return Net()


def softmax():
    return Net("softmax")


def single():
    return Net("single")


def frozen():
    return Net().requires_grad_(False)


def complete():
    return load_network("embedded", device="cpu")


def scripted():
    return torch.jit.script(nn.Conv2d(3, 3, 1))


def unlabelled():
    return nn.Conv2d(3, 3, 1)
"""


@pytest.fixture(autouse=True)
def factories(tmp_path, monkeypatch):
    (tmp_path / "seg_trainable.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("seg_trainable", None)


def test_the_embedded_network_opens_with_gradients_and_its_batch_norms():
    named = load_trainable(NetworkSettings("embedded"), CPU)
    assert isinstance(named.module, CompactNet)
    assert all(p.requires_grad and p.dtype == torch.float32 for p in named.module.parameters())
    assert any(isinstance(m, nn.BatchNorm2d) for m in named.module.modules())
    assert not named.module.training
    assert named.input_spec.size == (416, 544)


def test_compact_weights_open_by_path_for_training_and_for_inference(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    save_compact(CompactNet(SMALL), path)
    named = load_trainable(NetworkSettings(str(path), input_size=(64, 96)), CPU)
    network = load_network(str(path), device="cpu", input_size=(64, 96))
    assert network.name == str(path)
    noise = torch.randint(0, 256, (64, 96, 3), dtype=torch.uint8).numpy()
    x = torch.from_numpy(noise).permute(2, 0, 1)[None] / 255 - torch.tensor(named.input_spec.mean).view(1, 3, 1, 1)
    x = x / torch.tensor(named.input_spec.std).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(named.module(x)[0][0], network.infer(noise).logits, atol=1e-4)


def test_damaged_compact_weights_are_named(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file({"a": torch.zeros(2)}, str(path), {"config": json.dumps(SMALL.to_json())})
    for opened in (
        lambda: load_network(str(path), device="cpu"),
        lambda: load_trainable(NetworkSettings(str(path)), CPU),
    ):
        with pytest.raises(ModelFileError, match=r"mine\.safetensors: weights do not fit"):
            opened()


def test_a_factory_opens():
    named = load_trainable(NetworkSettings("seg_trainable:plain"), CPU)
    assert named.labels.names == ("a", "b", "c")
    assert not named.module.norm.training
    assert named.module.head.weight.requires_grad


@pytest.mark.parametrize(
    ("model", "error", "told"),
    [
        ("net.pt2", ModelSpecError, "exported program"),
        ("net.ts", ModelSpecError, "exported program"),
        ("seg_trainable:scripted", ModelSpecError, "needs the torch.nn.Module itself"),
        ("seg_trainable:complete", ModelSpecError, "returned ModuleNetwork"),
        ("seg_trainable:frozen", ModelSpecError, "nothing to train"),
        ("seg_trainable:softmax", ModelOutputError, "gives probabilities"),
        ("seg_trainable:single", ModelOutputError, "a batch of two"),
        ("seg_trainable:unlabelled", LabelError, "has no 'labels'"),
        ("seg_trainable:missing", ModelSpecError, "missing"),
        ("embeded", ModelSpecError, "cannot be trained; expected 'embedded'"),
        ("none.safetensors", ModelSpecError, "cannot be trained"),
        ("embedded:none", ModelSpecError, "no embedded network"),
    ],
)
def test_what_cannot_be_trained(model, error, told):
    with pytest.raises(error, match=told):
        load_trainable(NetworkSettings(model), CPU)


def test_labels_that_do_not_fit():
    with pytest.raises(ModelOutputError, match="tells 3 classes apart"):
        load_trainable(NetworkSettings("seg_trainable:plain", labels="camvid11"), CPU)
